//! The messages of an answer as they come. A stream of events that breaks off is taken up where it ended (`Last-Event-ID`).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use placet_pep::http::Events;
use tokio::time::timeout;

use super::{Body, Link};

/// A program that says nothing for so long has hung.
const SILENCE: Duration = Duration::from_secs(300);
/// How often a stream is taken up again that brings nothing new.
const ATTEMPTS: u32 = 5;
/// What a server may ask to wait at most before that.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// One step of a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// A message (JSON text, as the server wrote it).
    Text(String),
    /// The server is alive.
    Silent,
}

/// Messages as they come.
#[derive(Debug)]
pub struct Messages {
    link: Arc<Link>,
    body: Body,
    events: Events,
    ready: VecDeque<Message>,
    /// The id of the last event.
    last: Option<String>,
    wait: Duration,
    attempts: u32,
}

impl Messages {
    pub(super) fn new(link: Arc<Link>, body: Body, events: Events) -> Messages {
        let (ready, wait) = (VecDeque::new(), Duration::from_secs(1));
        Messages { link, body, events, ready, last: None, wait, attempts: 0 }
    }

    /// The next message; `None` at the end.
    ///
    /// # Errors
    /// Why the stream cannot be read on.
    pub async fn next(&mut self) -> Result<Option<Message>, String> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(Some(message));
            }
            let chunk = match &mut self.body {
                Body::Nothing => return Ok(None),
                Body::Lines(lines) => {
                    let line = timeout(SILENCE, lines.recv()).await;
                    let line = line.map_err(|_| "the server's program says nothing any more".to_owned())?;
                    return Ok(line.map(Message::Text));
                }
                Body::Http(response) => response.chunk().await,
            };
            match chunk {
                Ok(Some(bytes)) => self.take(&bytes)?,
                Ok(None) if !self.resume().await => return Ok(None),
                Err(error) if !self.resume().await => return Err(super::causes(&error)),
                Ok(None) | Err(_) => {}
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        for event in self.events.push(bytes)? {
            if let Some(id) = event.id {
                self.last = Some(id);
            }
            if let Some(wait) = event.retry.and_then(|retry| retry.parse().ok()) {
                self.wait = Duration::from_millis(wait).min(LONGEST_WAIT);
            }
            self.ready.push_back(match event.data.filter(|data| !data.trim().is_empty()) {
                Some(data) => {
                    self.attempts = 0;
                    Message::Text(data)
                }
                None => Message::Silent,
            });
        }
        Ok(())
    }

    /// Takes the stream up again, if its server has said how.
    async fn resume(&mut self) -> bool {
        let (Link::Http(line), Some(last)) = (&*self.link, &self.last) else { return false };
        while self.attempts < ATTEMPTS {
            self.attempts += 1;
            tokio::time::sleep(self.wait).await;
            if let Some(body) = line.listen(Some(last)).await {
                self.body = body;
                self.events.restart();
                return true;
            }
        }
        false
    }
}
