//! What callers may use up: connections, requests at once, streams, bytes of header, and time.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::Method;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use placet_pep::http::HttpReply;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

/// Limits; what is left out is as here.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Connections at once (4096); further ones are closed.
    pub connections: u32,
    /// Requests at once (1024); further ones are answered 503.
    pub requests: u32,
    /// Streams that clients hold open with GET (2048); further ones are answered 503.
    pub streams: u32,
    /// Bytes of a request's line and headers (32768).
    pub header_bytes: usize,
    /// Seconds for a TLS handshake, for a request's headers, and between requests of a connection (15).
    pub header_seconds: u64,
    /// Seconds for a request's body (60).
    pub body_seconds: u64,
    /// Seconds that requests under way have when the gateway is told to stop (10).
    pub drain_seconds: u64,
}

impl Default for LimitsConfig {
    fn default() -> LimitsConfig {
        LimitsConfig {
            connections: 4096,
            requests: 1024,
            streams: 2048,
            header_bytes: 32 << 10,
            header_seconds: 15,
            body_seconds: 60,
            drain_seconds: 10,
        }
    }
}

impl LimitsConfig {
    /// # Errors
    /// When nothing could pass, or the HTTP library cannot keep to it.
    pub fn check(&self) -> Result<(), String> {
        let LimitsConfig {
            connections, requests, streams, header_bytes, header_seconds, body_seconds, ..
        } = *self;
        let zero = [
            ("connections", connections == 0),
            ("requests", requests == 0),
            ("streams", streams == 0),
            ("header_seconds", header_seconds == 0),
            ("body_seconds", body_seconds == 0),
        ];
        if let Some((name, _)) = zero.iter().find(|(_, zero)| *zero) {
            return Err(format!("`limits`: `{name}` is 0: nothing could pass"));
        }
        if !(1024..=1 << 20).contains(&header_bytes) {
            return Err("`limits`: `header_bytes` must be between 1024 and 1048576".to_owned());
        }
        Ok(())
    }

    /// For handshakes, headers, and idle connections.
    pub fn header_time(&self) -> Duration {
        Duration::from_secs(self.header_seconds)
    }

    /// For bodies.
    pub fn body_time(&self) -> Duration {
        Duration::from_secs(self.body_seconds)
    }

    /// For stopping.
    pub fn drain_time(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}

/// Counts requests and streams.
pub struct Admission {
    requests: Arc<Semaphore>,
    most: u32,
    streams: Arc<Semaphore>,
}

/// The place of a request among those that are under way; given back when nobody holds it any more.
#[derive(Clone, Debug)]
pub struct Place(
    #[expect(dead_code, reason = "held, and given back by being dropped")] Arc<OwnedSemaphorePermit>,
);

/// There are too many.
pub struct Refused;

impl Refused {
    /// What is answered.
    pub fn reply() -> HttpReply {
        HttpReply::problem(503, "busy", "too many requests are under way: try again later")
            .with("retry-after", "1")
    }
}

impl Admission {
    /// With every place free.
    pub fn new(limits: &LimitsConfig) -> Admission {
        let of = |most: u32| Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(usize::MAX)));
        Admission { requests: of(limits.requests), most: limits.requests, streams: of(limits.streams) }
    }

    /// Lets a request in, as long as its place is held.
    ///
    /// # Errors
    /// When there are too many.
    pub fn admit(&self, method: &Method) -> Result<Place, Refused> {
        let of = if method == Method::GET { &self.streams } else { &self.requests };
        of.clone().try_acquire_owned().map(|permit| Place(Arc::new(permit))).map_err(|_| Refused)
    }

    /// Ready when no request is under way; streams do not count, they would never end.
    pub async fn idle(&self) {
        // Nobody closes the semaphore.
        drop(self.requests.acquire_many(self.most).await);
    }
}

/// A response's body that holds its request's place until it has been sent, and ends at a time if it has not before.
pub fn held(body: Body, place: Place, until: Option<Instant>) -> Body {
    let end = until.map(|until| Box::pin(tokio::time::sleep_until(until)));
    Body::new(Held { body, end, _place: place })
}

struct Held {
    body: Body,
    end: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.end.as_mut().is_some_and(|end| end.as_mut().poll(context).is_ready()) {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A request's body that breaks off when it has not come in time.
pub fn timed(body: Body, time: Duration) -> Body {
    if body.is_end_stream() {
        return body;
    }
    Body::new(Timed { body, sleep: Box::pin(tokio::time::sleep(time)) })
}

struct Timed {
    body: Body,
    sleep: Pin<Box<Sleep>>,
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => Poll::Ready(frame),
            Poll::Pending => {
                let late = || axum::Error::new("the body did not come in time");
                self.sleep.as_mut().poll(context).map(|()| Some(Err(late())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
