//! Answers of the server: one JSON message, or a stream of events with messages in them.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http_body_util::{BodyExt as _, Limited};
use placet_pep::{Answered, Forwarded};
use sse_stream::{Sse, SseStream};
use tokio::sync::mpsc;

use super::Gateway;

/// What the agent gets for one message of the server; `None`: nothing.
async fn answer(
    gateway: &Arc<Gateway>,
    forwarded: &Forwarded,
    message: &[u8],
    exchange: &str,
) -> Option<String> {
    match forwarded.answer(message, gateway.settings.max_response) {
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
    forwarded: &Forwarded,
    response: reqwest::Response,
    exchange: &str,
) -> Result<String, AnswerError> {
    let body = Limited::new(reqwest::Body::from(response), gateway.settings.max_response).collect().await;
    let body = body.map_err(|error| AnswerError::Body(error.to_string()))?.to_bytes();
    answer(gateway, forwarded, &body, exchange).await.ok_or(AnswerError::Unexpected)
}

/// The answer as events. They are read to the end even when the agent no longer listens: what the call did must be
/// decided and recorded.
pub fn events(
    gateway: Arc<Gateway>,
    forwarded: Forwarded,
    response: reqwest::Response,
    exchange: String,
) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> + Send + 'static {
    let (sender, receiver) = mpsc::channel::<Bytes>(16);
    tokio::spawn(async move {
        let limit = gateway.settings.max_response;
        let mut sizes = 0_usize;
        let bytes = response.bytes_stream().map(move |chunk| match chunk {
            Ok(chunk) => {
                sizes = sizes.saturating_add(chunk.len());
                if sizes > limit.saturating_mul(16) {
                    Err(std::io::Error::other("too long"))
                } else {
                    Ok(chunk)
                }
            }
            Err(error) => Err(std::io::Error::other(error.to_string())),
        });
        let mut events = SseStream::from_bytes_stream(bytes);
        let mut answered = false;
        while let Some(event) = events.next().await {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    tracing::warn!(exchange, %error, "the server's stream broke off");
                    break;
                }
            };
            let Some(data) = event.data.as_deref().filter(|data| !data.trim().is_empty()) else {
                let _ = sender.send(write(&event, "")).await;
                continue;
            };
            if let Some(body) = answer(&gateway, &forwarded, data.as_bytes(), &exchange).await {
                answered |= is_response(&body);
                let _ = sender.send(write(&event, &body)).await;
            }
        }
        if let (Forwarded::Call(running), false) = (&forwarded, answered) {
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

/// An event with other data. Its id is left out: a stream cannot be taken up again through the gateway.
fn write(event: &Sse, data: &str) -> Bytes {
    let mut text = String::new();
    if let Some(name) = &event.event {
        text.push_str("event: ");
        text.push_str(name);
        text.push('\n');
    }
    if let Some(retry) = event.retry {
        text.push_str(&format!("retry: {retry}\n"));
    }
    // The messages are written by the gateway and have no line breaks.
    text.push_str("data: ");
    text.push_str(data);
    text.push_str("\n\n");
    Bytes::from(text)
}
