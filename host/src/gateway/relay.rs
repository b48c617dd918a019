//! Messages of servers on their way to the client: each is decided, filtered or passed, and what a server asks of the
//! client is answered by the gateway when policy refuses it.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use placet_pep::http::Incoming;
use placet_pep::{Answered, Permit, federate};

use super::Gateway;
use super::enforce::Made;
use super::outbox::Outbox;
use super::session::Session;
use super::telemetry::Span;
use super::upstream::{Body, Link, Message, Messages};

/// How long a client may stay away from a stream that goes on, and how often that is looked at.
const PATIENCE: Duration = Duration::from_secs(120);
const GLANCE: Duration = Duration::from_secs(5);

/// One exchange with one server.
pub struct Relay {
    pub gateway: Arc<Gateway>,
    pub server: usize,
    pub link: Arc<Link>,
    pub session: Option<Arc<Session>>,
    pub incoming: Incoming,
    /// For the log and the record.
    pub exchange: String,
    /// Ends with it.
    pub span: Span,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// Too long, or broken off.
    #[error("the server's answer cannot be read: {0}")]
    Body(String),
    /// Not what was asked for.
    #[error("the server's answer is not one to this request")]
    Unexpected,
}

impl Relay {
    /// What the agent gets for one message of the server, and whether it answers the request; `None`: nothing.
    async fn message(&self, message: &[u8]) -> Option<(String, bool)> {
        let text = match self.incoming.whole(message) {
            Answered::Pass(body) => {
                if method(&body).as_deref() == Some("notifications/tools/list_changed") {
                    let server = self.gateway.label(self.server);
                    tracing::info!(server, "the server's catalogue has changed: it is read again");
                    self.gateway.observed.pins.stale(server);
                }
                body
            }
            Answered::Filter(filter) => self.gateway.filter(*filter, &self.exchange).await,
            Answered::Decide(pending) => match self.gateway.decide_result(*pending, &self.exchange).await {
                Made::Told(body) => body,
                Made::Asked { id, body } => {
                    // Without a session nobody could answer.
                    let session = self.session.as_ref()?;
                    federate::with_id(&body, &session.ask(self.server, &id))
                }
                Made::Refused { refusal, notice } => {
                    self.refuse(refusal).await;
                    notice
                }
            },
            Answered::Drop(why) => {
                tracing::warn!(exchange = self.exchange, why, "a message of the server was dropped");
                return None;
            }
        };
        let answers = method(&text).is_none();
        let name = self.gateway.visible_name(self.server);
        Some((name.map_or_else(|| text.clone(), |name| federate::outward(name, &text)), answers))
    }

    /// Tells the server that the client will not be asked.
    async fn refuse(&self, refusal: Permit) {
        if let Err(error) = self.link.send(refusal, &[], None).await {
            tracing::warn!(exchange = self.exchange, %error, "the server could not be told that it is refused");
        }
    }

    /// The answer that is one JSON message.
    ///
    /// # Errors
    /// When it cannot be read whole, or is none.
    pub async fn one(&self, body: Body, limit: usize) -> Result<String, AnswerError> {
        let Body::Http(response) = body else { return Err(AnswerError::Unexpected) };
        let body = Limited::new(reqwest::Body::from(*response), limit).collect().await;
        let body = body.map_err(|error| AnswerError::Body(error.to_string()))?.to_bytes();
        match (self.message(&body).await, &self.session) {
            (Some((text, true)), _) => Ok(text),
            (Some((text, false)), Some(session)) => {
                session.general().push(&text).await;
                Err(AnswerError::Unexpected)
            }
            _ => Err(AnswerError::Unexpected),
        }
    }

    /// The answer out of a stream of messages; the others go to the session's general stream.
    ///
    /// # Errors
    /// When the stream ends without one.
    pub async fn answer(&self, body: Body) -> Result<String, AnswerError> {
        let mut messages = self.messages(body);
        loop {
            let next = messages.next().await.map_err(AnswerError::Body)?.ok_or(AnswerError::Unexpected)?;
            let Message::Text(message) = next else { continue };
            match (self.message(message.as_bytes()).await, &self.session) {
                (Some((text, true)), _) => return Ok(text),
                (Some((text, false)), Some(session)) => session.general().push(&text).await,
                _ => {}
            }
        }
    }

    /// Hands a stream of messages on. They are read to the end even when the agent no longer listens: what the call did
    /// must be decided and recorded.
    pub async fn stream(self, body: Body, to: Arc<Outbox>) {
        let mut messages = self.messages(body);
        let mut answered = false;
        loop {
            let next = tokio::select! {
                next = messages.next() => next,
                () = self.is_useless(&to) => Err("nobody waits for it any more".to_owned()),
            };
            match next {
                Ok(Some(Message::Silent)) => {}
                Ok(Some(Message::Text(message))) => {
                    if let Some((text, answers)) = self.message(message.as_bytes()).await {
                        to.push(&text).await;
                        answered |= answers;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(exchange = self.exchange, error, "the server's stream broke off");
                    break;
                }
            }
            if answered {
                break;
            }
        }
        if !answered {
            self.record_unknown();
            if let Some(failed) = self.incoming.no_answer("the server's stream ended without an answer") {
                to.push(&failed).await;
            }
        }
        to.end();
    }

    /// Ready when nobody will read what comes: the session has ended, or its client has not come back for long.
    async fn is_useless(&self, to: &Outbox) {
        let left = async {
            while !to.is_abandoned(PATIENCE) {
                tokio::time::sleep(GLANCE).await;
            }
        };
        match &self.session {
            Some(session) => tokio::select! {
                () = session.ended() => {}
                () = left => {}
            },
            None => left.await,
        }
    }

    /// Hands on what a server says of itself, for as long as it does.
    pub async fn unasked(self, mut messages: Messages, to: Arc<Outbox>) {
        loop {
            let next = match &self.session {
                Some(session) => tokio::select! {
                    next = messages.next() => next,
                    () = session.ended() => return,
                },
                None => messages.next().await,
            };
            match next {
                Ok(Some(Message::Text(message))) => {
                    if let Some((text, _)) = self.message(message.as_bytes()).await {
                        to.push(&text).await;
                    }
                }
                Ok(Some(Message::Silent)) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }

    fn messages(&self, body: Body) -> Messages {
        self.link.messages(body, self.incoming.events())
    }

    /// Records that nobody knows what became of the call, if it was one.
    pub fn record_unknown(&self) {
        if let Some(running) = self.incoming.running() {
            self.span.failed("no-answer");
            self.gateway.record_unknown(running.tool(), &self.exchange);
        }
    }
}

/// The method of a message; `None`: it is a response. (What is neither does not come this far.)
fn method(body: &str) -> Option<String> {
    #[derive(Default, serde::Deserialize)]
    struct Of {
        method: Option<String>,
    }
    serde_json::from_str::<Of>(body).unwrap_or_default().method
}
