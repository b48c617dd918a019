//! As much of an MCP client as the quickstart needs: JSON-RPC over HTTP POST, protocol version 2025-11-25.

use std::io::BufReader;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use ureq::Agent;

const VERSION: &str = "2025-11-25";
const SESSION: &str = "mcp-session-id";

/// Where a result's `_meta` holds what Placet decided.
const DECISION: &str = "dev.placet/decision";

/// A session with an MCP server.
pub struct Client {
    agent: Agent,
    url: String,
    session: Option<String>,
    last_id: u64,
}

/// What came of a call.
pub struct Answer {
    /// `allow`, `deny` or `escalate`.
    pub verdict: String,
    /// The rules that decided.
    pub rules: Vec<String>,
    /// Why, in words.
    pub reason: String,
    /// Whether the result says that nothing was done.
    pub is_error: bool,
}

impl Client {
    /// Opens a session.
    ///
    /// # Errors
    /// When the server does not answer as MCP says.
    pub fn open(url: &str) -> Result<Client> {
        let config =
            Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).http_status_as_error(false);
        let mut client =
            Client { agent: config.build().into(), url: url.to_owned(), session: None, last_id: 0 };
        let about = json!({
            "protocolVersion": VERSION,
            "capabilities": {},
            "clientInfo": {"name": "placet-quickstart", "version": env!("CARGO_PKG_VERSION")},
        });
        client.request("initialize", about)?;
        client.post(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        Ok(client)
    }

    /// The names of the tools that are shown.
    ///
    /// # Errors
    /// When the server does not answer as MCP says.
    pub fn tools(&mut self) -> Result<Vec<String>> {
        let result = self.request("tools/list", json!({}))?;
        let tools = result["tools"].as_array().context("`tools/list` returned no tools")?;
        Ok(tools.iter().filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect())
    }

    /// Calls a tool. A refusal is an answer like any other.
    ///
    /// # Errors
    /// When the server does not answer as MCP says, or the result carries no decision.
    pub fn call(&mut self, tool: &str, args: &str) -> Result<Answer> {
        let arguments: Value = serde_json::from_str(args)?;
        let result = self.request("tools/call", json!({"name": tool, "arguments": arguments}))?;
        let decision = &result["_meta"][DECISION];
        let Some(verdict) = decision["verdict"].as_str() else {
            bail!("the result of `{tool}` has no decision in its `_meta`: {result}");
        };
        let rules = decision["rules"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(Answer {
            verdict: verdict.to_owned(),
            rules: rules.iter().filter_map(|rule| rule.as_str().map(str::to_owned)).collect(),
            reason: decision["reason"].as_str().unwrap_or_default().to_owned(),
            is_error: result["isError"].as_bool().unwrap_or(false),
        })
    }

    fn request(&mut self, method: &str, params: Value) -> Result<Value> {
        self.last_id += 1;
        let message = json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params});
        let answer = self.post(&message)?.with_context(|| format!("`{method}` was not answered"))?;
        match answer.get("result") {
            Some(result) => Ok(result.clone()),
            None => bail!("`{method}` failed: {}", answer["error"]),
        }
    }

    /// Sends a message; the answer to it, if it is a request.
    fn post(&mut self, message: &Value) -> Result<Option<Value>> {
        let mut request = self
            .agent
            .post(&self.url)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", VERSION);
        if let Some(session) = &self.session {
            request = request.header(SESSION, session);
        }
        let sent = request.send(message.to_string());
        let mut response = sent.with_context(|| format!("no answer from {}", self.url))?;
        if let Some(session) = response.headers().get(SESSION) {
            self.session = Some(session.to_str()?.to_owned());
        }
        let status = response.status();
        let streamed = response.body().mime_type() == Some("text/event-stream");
        if streamed && status.is_success() {
            return event(BufReader::new(response.body_mut().as_reader()), &message["id"]);
        }
        let text = response.body_mut().read_to_string()?;
        if !status.is_success() {
            bail!("{} answers {status}: {text}", self.url);
        }
        Ok(if text.is_empty() { None } else { Some(serde_json::from_str(&text)?) })
    }
}

/// The response to a request, out of a stream of events.
fn event(stream: impl std::io::BufRead, id: &Value) -> Result<Option<Value>> {
    let mut data = String::new();
    for line in stream.lines() {
        let line = line?;
        if let Some(more) = line.strip_prefix("data:") {
            data.push_str(more.trim_start());
        } else if line.is_empty() && !data.is_empty() {
            let message: Value = serde_json::from_str(&data)?;
            if message["id"] == *id && message.get("method").is_none() {
                return Ok(Some(message));
            }
            data.clear();
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::event;

    #[test]
    fn events() {
        for (stream, expected) in [
            ("", None),
            ("data: {\"id\":1,\"result\":2}\n\n", Some(json!({"id": 1, "result": 2}))),
            ("event: message\nid: 7\ndata: {\"id\":1,\ndata: \"r\":3}\n\n", Some(json!({"id": 1, "r": 3}))),
            (": keep\n\ndata: {\"id\":9,\"result\":2}\n\ndata: {\"id\":1}\n\n", Some(json!({"id": 1}))),
            ("data: {\"id\":1,\"method\":\"ping\"}\n\n", None),
            ("data: {\"id\":1}", None),
        ] {
            assert_eq!(event(stream.as_bytes(), &json!(1)).unwrap(), expected, "{stream:?}");
        }
        assert!(event("data: {\n\n".as_bytes(), &json!(1)).is_err());
    }
}
