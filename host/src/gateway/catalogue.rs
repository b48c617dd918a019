//! Before a call of a tool that no catalogue has shown yet, the gateway asks the server for its catalogue itself, in the
//! session and on behalf of whoever calls. When it cannot be read, the tool stays unknown, and is not called.

use std::sync::Arc;
use std::time::Duration;

use placet_pep::http::{HttpReply, Proposal, Question};
use serde_json::{Value, json};

use super::exchange::Posted;
use super::http::unknown_session;
use super::pins::Reading;

/// Most pages of a catalogue.
const PAGES: usize = 256;
/// How long a server may take for all of them.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a catalogue could not be read.
enum Unread {
    /// The server does not answer: what the client is told.
    Silent(String),
    /// The server no longer knows the session.
    Gone,
    /// It has answered, and that is no catalogue.
    Bad(&'static str),
}

impl Posted {
    /// Reads the server's catalogue, if it has to be for this call; `body` is the message that calls.
    ///
    /// # Errors
    /// The answer, when the server gives none.
    pub(super) async fn know(
        &self,
        server: usize,
        proposal: &Proposal,
        body: &[u8],
    ) -> Result<(), HttpReply> {
        let Some((_, tool)) = proposal.called() else { return Ok(()) };
        let (pins, label) = (&self.gateway.observed.pins, self.gateway.label(server));
        if matches!(pins.reading(label, tool), Reading::Done) {
            return Ok(());
        }
        let Some(reading) = self.gateway.observed.reading.get(server) else { return Ok(()) };
        let _turn = reading.lock().await;
        // Whoever had the turn before may have read it.
        match pins.reading(label, tool) {
            Reading::Done => return Ok(()),
            Reading::Failed(why) => return Err(failed(body, &why)),
            Reading::Needed => {}
        }
        let read = tokio::time::timeout(PATIENCE, Box::pin(self.read(server, body))).await;
        let read =
            read.unwrap_or_else(|_| Err(Unread::Silent("the server does not answer in time".to_owned())));
        let (why, answer) = match read {
            Ok(()) => {
                pins.was_read(label);
                return Ok(());
            }
            Err(Unread::Bad(why)) => {
                pins.was_read(label);
                (why.to_owned(), Ok(()))
            }
            Err(Unread::Silent(why)) => {
                pins.not_read(label, &why);
                (why.clone(), Err(failed(body, &why)))
            }
            Err(Unread::Gone) => {
                self.gone();
                ("the server no longer knows the session".to_owned(), Err(unknown_session()))
            }
        };
        self.gateway.observed.metrics.failed(label);
        self.span.failed("no-catalogue");
        tracing::error!(exchange = self.id, server = label, why, "the server's catalogue cannot be read");
        answer
    }

    /// Every page. What they say is compared and remembered where all answers of servers are.
    async fn read(&self, server: usize, body: &[u8]) -> Result<(), Unread> {
        let mut cursors: Vec<Option<String>> = vec![None];
        while let Some(cursor) = cursors.last().cloned() {
            let id = format!("placet-{}-{}", self.id, cursors.len());
            let question = self.exchange.catalogue(body, &id, cursor.as_deref());
            let question = question.ok_or(Unread::Bad("the message cannot be read"))?;
            let Question { exchange, body: question, headers: said } = question;
            let again = |name: &str| name.starts_with("mcp-") && name != super::upstream::SESSION;
            let others = self.headers.iter().filter(|(name, _)| !again(name)).cloned();
            let headers = Arc::new(others.chain(said).collect());
            let posted = Posted { exchange, headers, ..self.clone() };
            let answer = match posted.collect(server, question.into_bytes()).await {
                Ok(answer) => answer,
                Err(reply) if reply.status == 404 && self.session.is_some() => return Err(Unread::Gone),
                Err(reply) => return Err(Unread::Silent(said_in(&reply.body))),
            };
            let answer: Value =
                serde_json::from_str(&answer).map_err(|_| Unread::Bad("its answer is no JSON"))?;
            let result = answer.get("result").ok_or(Unread::Bad("it refuses to list its tools"))?;
            match result.get("nextCursor").and_then(Value::as_str).map(str::to_owned) {
                None => return Ok(()),
                Some(next) if cursors.len() < PAGES && !cursors.contains(&Some(next.clone())) => {
                    cursors.push(Some(next));
                }
                Some(_) => return Err(Unread::Bad("its pages come again")),
            }
        }
        Ok(())
    }
}

/// What an answer of the gateway itself says went wrong.
fn said_in(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let said = body.pointer("/error/message").or_else(|| body.get("detail")).and_then(Value::as_str);
    said.unwrap_or("the server does not answer").to_owned()
}

/// The answer to a call whose server gives none.
fn failed(body: &[u8], why: &str) -> HttpReply {
    let call: Value = serde_json::from_slice(body).unwrap_or_default();
    let id = call.get("id").cloned().unwrap_or_default();
    let answer = json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32603, "message": why}});
    HttpReply::json(502, answer.to_string())
}
