//! Before a call of a tool that no catalogue has shown yet, the gateway asks the server for its catalogue itself, in the
//! session and on behalf of whoever calls. When it cannot be read, the tool stays unknown, and is not called.

use std::sync::Arc;
use std::time::Duration;

use placet_pep::http::Proposal;
use serde_json::Value;

use super::exchange::Posted;

/// Most pages of a catalogue.
const PAGES: usize = 256;
/// How long a server may take for all of them.
const PATIENCE: Duration = Duration::from_secs(10);

impl Posted {
    /// Reads the server's catalogue, if it has to be for this call; `body` is the message that calls.
    pub(super) async fn know(&self, server: usize, proposal: &Proposal, body: &[u8]) {
        let Some((_, tool)) = proposal.called() else { return };
        let (pins, label) = (&self.gateway.observed.pins, self.gateway.label(server));
        if !pins.should_read(label, tool) {
            return;
        }
        let Some(reading) = self.gateway.observed.reading.get(server) else { return };
        let _turn = reading.lock().await;
        // Whoever had the turn before may have read it.
        if !pins.should_read(label, tool) {
            return;
        }
        let read = tokio::time::timeout(PATIENCE, Box::pin(self.read(server, body))).await;
        match read.unwrap_or_else(|_| Err("the server takes too long")) {
            Ok(()) => pins.read_whole(label),
            Err(why) => {
                self.gateway.observed.metrics.failed(label);
                tracing::error!(
                    exchange = self.id,
                    server = label,
                    why,
                    "the server's catalogue cannot be read"
                );
                pins.not_read(label);
            }
        }
    }

    /// Every page. What they say is compared and remembered where all answers of servers are.
    async fn read(&self, server: usize, body: &[u8]) -> Result<(), &'static str> {
        let mut cursors: Vec<Option<String>> = vec![None];
        while let Some(cursor) = cursors.last().cloned() {
            let id = format!("placet-{}-{}", self.id, cursors.len());
            let question = self.exchange.catalogue(body, &id, cursor.as_deref());
            let (exchange, question, said) = question.ok_or("the message cannot be read")?;
            let again = |name: &str| name.starts_with("mcp-") && name != super::upstream::SESSION;
            let others = self.headers.iter().filter(|(name, _)| !again(name)).cloned();
            let headers = Arc::new(others.chain(said).collect());
            let posted = Posted { exchange, headers, ..self.clone() };
            let answer =
                posted.collect(server, question.into_bytes()).await.map_err(|_| "it does not answer")?;
            let answer: Value = serde_json::from_str(&answer).map_err(|_| "its answer is no JSON")?;
            let result = answer.get("result").ok_or("it refuses to list its tools")?;
            match result.get("nextCursor").and_then(Value::as_str).map(str::to_owned) {
                None => return Ok(()),
                Some(next) if cursors.len() < PAGES && !cursors.contains(&Some(next.clone())) => {
                    cursors.push(Some(next));
                }
                Some(_) => return Err("its pages come again"),
            }
        }
        Ok(())
    }
}
