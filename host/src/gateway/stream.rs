//! Answers of the server: one JSON message, or a stream of events with messages in them.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http_body_util::{BodyExt as _, Limited};
use placet_pep::Answered;
use placet_pep::http::{Event, Incoming};
use tokio::sync::mpsc;

use super::Gateway;

/// What the agent gets for one message of the server; `None`: nothing.
async fn answer(
    gateway: &Arc<Gateway>,
    incoming: &Incoming,
    message: &[u8],
    exchange: &str,
) -> Option<String> {
    match incoming.whole(message) {
        Answered::Pass(body) => Some(body),
        Answered::Decide(pending) => Some(gateway.decide_result(*pending, exchange).await),
        Answered::Filter(filter) => Some(gateway.filter(*filter).await),
        Answered::Drop(why) => {
            tracing::warn!(exchange, why, "a message of the server was dropped");
            None
        }
    }
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

/// The answer in one JSON message.
///
/// # Errors
/// When it cannot be read whole, or is none.
pub async fn one(
    gateway: &Arc<Gateway>,
    incoming: &Incoming,
    response: reqwest::Response,
    limit: usize,
    exchange: &str,
) -> Result<String, AnswerError> {
    let body = Limited::new(reqwest::Body::from(response), limit).collect().await;
    let body = body.map_err(|error| AnswerError::Body(error.to_string()))?.to_bytes();
    answer(gateway, incoming, &body, exchange).await.ok_or(AnswerError::Unexpected)
}

/// The answer as events. They are read to the end even when the agent no longer listens: what the call did must be
/// decided and recorded.
pub fn events(
    gateway: Arc<Gateway>,
    incoming: Incoming,
    response: reqwest::Response,
    exchange: String,
) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> + Send + 'static {
    let (sender, receiver) = mpsc::channel::<Bytes>(16);
    tokio::spawn(async move {
        let mut events = incoming.events();
        let mut bytes = response.bytes_stream();
        let mut answered = false;
        'stream: while let Some(chunk) = bytes.next().await {
            let whole = match &chunk {
                Ok(chunk) => events.push(chunk).map_err(str::to_owned),
                Err(error) => Err(error.to_string()),
            };
            let whole = match whole {
                Ok(whole) => whole,
                Err(error) => {
                    tracing::warn!(exchange, error, "the server's stream broke off");
                    break 'stream;
                }
            };
            for event in whole {
                let Some(data) = event.data.as_deref().filter(|data| !data.trim().is_empty()) else {
                    let _ = sender.send(Bytes::from_static(Event::SILENT.as_bytes())).await;
                    continue;
                };
                if let Some(body) = answer(&gateway, &incoming, data.as_bytes(), &exchange).await {
                    answered |= is_response(&body);
                    let _ = sender.send(Bytes::from(event.write(&body))).await;
                }
            }
        }
        if let (Some(running), false) = (incoming.running(), answered) {
            gateway.record_unknown(running.tool(), &exchange);
        }
    });
    futures_util::stream::unfold(receiver, |mut receiver| async move {
        let bytes = receiver.recv().await?;
        Some((Ok(bytes), receiver))
    })
}

fn is_response(body: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Of {
        method: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_str::<Of>(body).is_ok_and(|of| of.method.is_none())
}
