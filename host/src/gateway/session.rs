//! The sessions that this gateway has opened. Their ids are the gateway's own and each belongs to the principal that opened
//! it: an agent cannot choose one, and so cannot step out of what its session remembers by naming another.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::outbox::Outbox;
use super::upstream::Link;

/// Greatest number of sessions at once; the one that has been idle longest makes room.
const MOST: usize = 100_000;
/// Questions of servers that wait for the client's answer, for each session.
const MOST_ASKS: usize = 256;
/// Streams of a session that a client can come back to.
const MOST_STREAMS: usize = 64;
/// How long a stream that has ended can be come back to.
const STREAM_KEPT: Duration = Duration::from_secs(60);
/// How long a session may be idle.
const IDLE: Duration = Duration::from_secs(4 * 3600);

/// One client's session.
#[derive(Debug)]
pub struct Session {
    id: String,
    /// What its memory is kept under: its own id, or that of the session that it carries on.
    state: String,
    owner: String,
    links: Vec<Option<Arc<Link>>>,
    asks: Mutex<Asks>,
    streams: Mutex<BTreeMap<u64, Arc<Outbox>>>,
    general: Arc<Outbox>,
    listening: AtomicBool,
    used: Mutex<Instant>,
    ended: watch::Sender<bool>,
}

/// What servers have asked of the client.
#[derive(Debug, Default)]
struct Asks {
    last: u64,
    /// By the number that the client was given: which server, and its own id (JSON text).
    open: BTreeMap<u64, (usize, String)>,
}

/// What an ask of a server is called towards the client.
const ASK: &str = "placet-ask-";

fn ask_id(number: u64) -> String {
    format!("\"{ASK}{number}\"")
}

impl Session {
    /// A session of a principal over lines to the servers, which carries on an earlier one's state or has its own;
    /// `None` when the system gives no randomness.
    pub fn new(owner: String, links: Vec<Option<Arc<Link>>>, state: Option<String>) -> Option<Session> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).ok()?;
        let id = format!("placet-{}", placet_bundle::hex(&bytes));
        Some(Session {
            state: state.unwrap_or_else(|| id.clone()),
            id,
            owner,
            links,
            asks: Mutex::default(),
            streams: Mutex::default(),
            general: Arc::default(),
            listening: AtomicBool::new(false),
            used: Mutex::new(Instant::now()),
            ended: watch::channel(false).0,
        })
    }

    /// What the client knows it by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What its memory is kept under.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// The line to a server, when there is one.
    pub fn link(&self, server: usize) -> Option<&Arc<Link>> {
        self.links.get(server)?.as_ref()
    }

    /// Whether one of its servers has ended: then the client has to begin again.
    pub fn is_broken(&self) -> bool {
        self.links.iter().flatten().any(|link| !link.is_alive())
    }

    /// What servers say without being asked.
    pub fn general(&self) -> &Arc<Outbox> {
        &self.general
    }

    /// Whether nobody has listened yet.
    pub fn listens_first(&self) -> bool {
        !self.listening.swap(true, Ordering::AcqRel)
    }

    /// A stream for one request's answer, and its number.
    pub fn stream(&self) -> (u64, Arc<Outbox>) {
        let mut streams = lock(&self.streams);
        streams.retain(|_, stream| !stream.is_over(STREAM_KEPT));
        while streams.len() >= MOST_STREAMS {
            streams.pop_first();
        }
        let number = streams.last_key_value().map_or(1, |(number, _)| number + 1);
        let stream = Arc::new(Outbox::default());
        streams.insert(number, stream.clone());
        (number, stream)
    }

    /// The stream of a number that was given out; 0 is the general one.
    pub fn stream_of(&self, number: u64) -> Option<Arc<Outbox>> {
        match number {
            0 => Some(self.general.clone()),
            number => lock(&self.streams).get(&number).cloned(),
        }
    }

    /// Notes what a server asks (its id, a JSON text), and gives the id (JSON text) that the client will answer.
    pub fn ask(&self, server: usize, id: &str) -> String {
        let mut asks = lock(&self.asks);
        while asks.open.len() >= MOST_ASKS {
            asks.open.pop_first();
        }
        asks.last += 1;
        let number = asks.last;
        asks.open.insert(number, (server, id.to_owned()));
        ask_id(number)
    }

    /// Which server asked what the client answers, and the server's id of it; each is answered once.
    pub fn answered(&self, id: &str) -> Option<(usize, String)> {
        let number = id.strip_prefix('"')?.strip_suffix('"')?.strip_prefix(ASK)?.parse().ok()?;
        // Only as it was given out.
        if ask_id(number) != id {
            return None;
        }
        lock(&self.asks).open.remove(&number)
    }

    fn touch(&self) {
        *lock(&self.used) = Instant::now();
    }

    fn idle(&self) -> Duration {
        match self.general.is_read() {
            true => Duration::ZERO,
            false => lock(&self.used).elapsed(),
        }
    }

    /// Ready when it has ended.
    pub async fn ended(&self) {
        // The sender lives as long as the session.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Ends it: its servers are told, and whoever reads its streams or waits for its servers.
    pub async fn end(&self) {
        self.ended.send_replace(true);
        self.general.end();
        for link in self.links.iter().flatten() {
            link.end().await;
        }
    }
}

/// Sessions by the id that the agent was given.
#[derive(Debug, Default)]
pub struct Sessions {
    table: Mutex<HashMap<String, Arc<Session>>>,
}

impl Sessions {
    /// Adds a session, and gives those that made room for it: they are to be ended.
    pub fn add(&self, session: Arc<Session>) -> Vec<Arc<Session>> {
        let mut table = lock(&self.table);
        let mut gone = Vec::new();
        if table.len() >= MOST {
            let oldest = table.iter().max_by_key(|(_, session)| session.idle()).map(|(id, _)| id.clone());
            gone.extend(oldest.and_then(|oldest| table.remove(&oldest)));
        }
        table.insert(session.id.clone(), session);
        gone
    }

    /// The session of an id, if this principal opened it.
    pub fn get(&self, id: &str, owner: &str) -> Option<Arc<Session>> {
        let session = lock(&self.table).get(id).filter(|session| session.owner == owner).cloned()?;
        session.touch();
        Some(session)
    }

    /// Forgets a session.
    pub fn close(&self, id: &str) -> Option<Arc<Session>> {
        lock(&self.table).remove(id)
    }

    /// Forgets every session that has been idle for long, and gives them: they are to be ended.
    pub fn sweep(&self) -> Vec<Arc<Session>> {
        let mut table = lock(&self.table);
        let idle = |session: &Arc<Session>| session.idle() > IDLE || session.is_broken();
        let old: Vec<String> = table.iter().filter(|(_, of)| idle(of)).map(|(id, _)| id.clone()).collect();
        table.values().for_each(|of| lock(&of.streams).retain(|_, stream| !stream.is_over(STREAM_KEPT)));
        old.iter().filter_map(|id| table.remove(id)).collect()
    }

    /// Forgets all of them.
    pub fn drain(&self) -> Vec<Arc<Session>> {
        lock(&self.table).drain().map(|(_, session)| session).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        lock(&self.table).len()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sessions_that_were_opened_are_known_and_only_to_their_owner() {
        let sessions = Sessions::default();
        let open = |owner: &str| {
            let session = Arc::new(Session::new(owner.to_owned(), Vec::new(), None).expect("random"));
            sessions.add(session.clone());
            session.id().to_owned()
        };
        let (a, b) = (open("ann"), open("bob"));
        assert_ne!(a, b);
        for (id, owner, known) in [
            (a.as_str(), "ann", true),
            (&b, "bob", true),
            (&a, "bob", false),
            (&b, "ann", false),
            ("server's", "ann", false),
            ("", "ann", false),
        ] {
            assert_eq!(sessions.get(id, owner).is_some(), known, "{id} of {owner}");
        }
        sessions.close(&a);
        assert!(sessions.get(&a, "ann").is_none());
        assert_eq!(sessions.len(), 1);
    }

    #[test]
    fn what_a_server_asked_is_answered_once() {
        let session = Session::new("ann".to_owned(), Vec::new(), None).expect("random");
        let first = session.ask(1, "7");
        let second = session.ask(0, "\"7\"");
        for forged in [
            "7",
            "\"7\"",
            "\"placet-ask-9\"",
            "null",
            "\"placet-ask-01x\"",
            "\"placet-ask-01\"",
            "\"placet-ask-+1\"",
        ] {
            assert_eq!(session.answered(forged), None, "{forged}");
        }
        assert_eq!(session.answered(&second), Some((0, "\"7\"".to_owned())));
        assert_eq!(session.answered(&first), Some((1, "7".to_owned())));
        assert_eq!(session.answered(&first), None);
    }

    #[test]
    fn questions_and_streams_are_bounded() {
        let session = Session::new("ann".to_owned(), Vec::new(), None).expect("random");
        let first = session.ask(0, "1");
        (0..MOST_ASKS).for_each(|_| drop(session.ask(0, "1")));
        assert_eq!(session.answered(&first), None);
        let (number, _) = session.stream();
        (0..MOST_STREAMS).for_each(|_| drop(session.stream()));
        assert!(session.stream_of(number).is_none());
        assert!(session.stream_of(0).is_some());
    }
}
