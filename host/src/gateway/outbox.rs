//! Messages on their way to a client: kept until they are sent, and a little longer for a client that comes back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::Stream;
use tokio::sync::Notify;

/// What a stream keeps at most for a client that is not there, and how far a client may be behind, in bytes.
const MOST: usize = 1 << 20;
/// What it keeps of what was sent, in bytes.
const SENT: usize = 1 << 18;
/// How often a client hears that the stream is alive.
const ALIVE: Duration = Duration::from_secs(15);

/// One stream of messages.
#[derive(Debug, Default)]
pub struct Outbox {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    kept: VecDeque<(u64, Arc<str>)>,
    bytes: usize,
    /// The number of the next message.
    next: u64,
    /// Messages below this number were sent.
    sent: u64,
    ended: Option<Instant>,
    /// Counts readers; only the last one reads.
    readers: u64,
    reading: bool,
    /// Since when nobody reads.
    left: Option<Instant>,
}

/// What a reader gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A message, and its number.
    Message(u64, Arc<str>),
    /// Nothing for a while.
    Alive,
}

impl Outbox {
    /// Adds a message. Waits while a reader is far behind; while there is none, the oldest make room.
    pub async fn push(&self, message: &str) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.lock().add(message) {
                self.changed.notify_waiters();
                return;
            }
            changed.await;
        }
    }

    /// No message follows.
    pub fn end(&self) {
        self.lock().ended = Some(Instant::now());
        self.changed.notify_waiters();
    }

    /// Whether it ended so long ago that nobody will come back for it.
    pub fn is_over(&self, after: Duration) -> bool {
        self.lock().ended.is_some_and(|ended| ended.elapsed() > after)
    }

    /// Whether every message from a number on is still here, or still to come.
    pub fn has(&self, from: u64) -> bool {
        let inner = self.lock();
        let first = inner.kept.front().map_or(inner.next, |(number, _)| *number);
        (first..=inner.next).contains(&from)
    }

    /// Whether nobody has read for so long.
    pub fn is_abandoned(&self, after: Duration) -> bool {
        let mut inner = self.lock();
        !inner.reading && inner.left.get_or_insert_with(Instant::now).elapsed() > after
    }

    /// Whether somebody reads.
    pub fn is_read(&self) -> bool {
        self.lock().reading
    }

    /// The messages from a number on, or from the first that was not sent, until the end or the next reader.
    pub fn read(self: &Arc<Self>, from: Option<u64>) -> impl Stream<Item = Item> + Send + 'static {
        let mut inner = self.lock();
        inner.readers += 1;
        inner.reading = true;
        let next = from.unwrap_or(inner.sent);
        let reader = Reader { outbox: self.clone(), number: inner.readers, next };
        drop(inner);
        self.changed.notify_waiters();
        futures_util::stream::unfold(reader, |mut reader| async move {
            let item = reader.next().await?;
            Some((item, reader))
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn add(&mut self, message: &str) -> bool {
        let unsent: usize = self
            .kept
            .iter()
            .rev()
            .take_while(|(n, _)| *n >= self.sent)
            .map(|(_, message)| message.len())
            .sum();
        if self.reading && unsent > 0 && unsent + message.len() > MOST {
            return false;
        }
        self.kept.push_back((self.next, message.into()));
        self.bytes += message.len();
        self.next += 1;
        let sent = |inner: &Inner| inner.kept.front().is_some_and(|(n, _)| *n < inner.sent);
        while self.kept.len() > 1 && (self.bytes > MOST || (sent(self) && self.bytes > SENT)) {
            if let Some((_, message)) = self.kept.pop_front() {
                self.bytes -= message.len();
            }
        }
        true
    }
}

struct Reader {
    outbox: Arc<Outbox>,
    number: u64,
    next: u64,
}

impl Reader {
    async fn next(&mut self) -> Option<Item> {
        loop {
            let changed = self.outbox.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut inner = self.outbox.lock();
                if inner.readers != self.number {
                    return None;
                }
                let found = inner.kept.iter().find(|(n, _)| *n >= self.next).cloned();
                if let Some((number, message)) = found {
                    self.next = number + 1;
                    inner.sent = inner.sent.max(self.next);
                    drop(inner);
                    self.outbox.changed.notify_waiters();
                    return Some(Item::Message(number, message));
                }
                if inner.ended.is_some() {
                    return None;
                }
            }
            if tokio::time::timeout(ALIVE, changed).await.is_err() {
                return Some(Item::Alive);
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut inner = self.outbox.lock();
        if inner.readers == self.number {
            inner.reading = false;
            inner.left = Some(Instant::now());
        }
        drop(inner);
        self.outbox.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;

    async fn texts(outbox: &Arc<Outbox>, from: Option<u64>) -> Vec<String> {
        let items = outbox.read(from).collect::<Vec<_>>().await;
        let text = |item| match item {
            Item::Message(n, text) => format!("{n}:{text}"),
            Item::Alive => "alive".to_owned(),
        };
        items.into_iter().map(text).collect()
    }

    #[tokio::test]
    async fn a_reader_that_comes_back_gets_what_it_missed() {
        let outbox = Arc::new(Outbox::default());
        for message in ["a", "b", "c"] {
            outbox.push(message).await;
        }
        let first = Box::pin(outbox.read(None)).next().await;
        assert_eq!(first, Some(Item::Message(0, "a".into())));
        outbox.end();
        assert_eq!(texts(&outbox, None).await, ["1:b", "2:c"]);
        assert_eq!(texts(&outbox, Some(1)).await, ["1:b", "2:c"]);
        assert_eq!(texts(&outbox, Some(3)).await, Vec::<String>::new());
        assert!(outbox.has(0) && outbox.has(3) && !outbox.has(4));
        assert!(outbox.is_over(Duration::ZERO) && !outbox.is_over(Duration::from_secs(60)));
    }

    #[tokio::test]
    async fn a_new_reader_takes_the_place_of_the_old() {
        let outbox = Arc::new(Outbox::default());
        let mut old = Box::pin(outbox.read(None));
        let _new = Box::pin(outbox.read(None));
        outbox.push("a").await;
        assert_eq!(old.next().await, None);
    }

    #[tokio::test]
    async fn without_a_reader_the_oldest_make_room_and_the_last_stays() {
        let outbox = Arc::new(Outbox::default());
        let large = "x".repeat(MOST / 2 + 1);
        for _ in 0..4 {
            outbox.push(&large).await;
        }
        outbox.push(&"y".repeat(MOST * 2)).await;
        outbox.end();
        let kept = texts(&outbox, None).await;
        assert_eq!(kept.len(), 1);
        assert!(kept.iter().all(|text| text.starts_with("4:y")));
        assert!(outbox.has(4) && !outbox.has(3), "what made room is missed");
    }

    #[tokio::test]
    async fn a_reader_that_is_behind_is_waited_for() {
        let outbox = Arc::new(Outbox::default());
        let mut reader = Box::pin(outbox.read(None));
        outbox.push(&"x".repeat(MOST)).await;
        let writer = outbox.clone();
        let waits = tokio::spawn(async move { writer.push("more").await });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        assert!(matches!(reader.next().await, Some(Item::Message(0, _))));
        waits.await.unwrap();
        assert_eq!(reader.next().await, Some(Item::Message(1, "more".into())));
    }
}
