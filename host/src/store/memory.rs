//! The embedded store: everything in memory, one lock for each tenant.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use placet_engine::window::Window;
use placet_model::{Charge, Settlement};

use super::{Commit, CommitResult, StateStore, StoredSession, Unavailable};

/// How much the store keeps of each tenant. When there is no room for what is new, the store says that it is
/// unavailable: nothing that still counts is ever dropped to make room.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Greatest number of sessions.
    pub sessions: usize,
    /// A session may be dropped when the calls of its tenant are this much later than its own last one; milliseconds.
    pub idle_ms: u64,
    /// Greatest number of counters.
    pub counters: usize,
    /// How much earlier than the latest call of its tenant a call may be and still find every charge that counts at its
    /// own time; milliseconds.
    pub disorder_ms: u64,
}

impl Default for Bounds {
    /// 100,000 sessions, forgotten after 30 days; a million counters; calls out of order by up to a day.
    fn default() -> Self {
        const DAY: u64 = 24 * 3_600 * 1_000;
        Bounds { sessions: 100_000, idle_ms: 30 * DAY, counters: 1_000_000, disorder_ms: DAY }
    }
}

/// State in memory, lost with the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    bounds: Bounds,
    tenants: RwLock<HashMap<String, Arc<Mutex<Tenant>>>>,
}

#[derive(Debug, Default)]
struct Tenant {
    sessions: HashMap<String, Session>,
    counters: HashMap<String, Counter>,
    /// The latest time of any commit, nanoseconds since the epoch.
    latest: i128,
    /// How many counters were left after the last sweep.
    swept: usize,
    /// When counters and sessions were last swept, by the tenant's own time.
    swept_at: [i128; 2],
}

#[derive(Debug)]
struct Session {
    stored: StoredSession,
    /// The latest time of any of its commits, nanoseconds since the epoch.
    seen: i128,
}

#[derive(Debug)]
struct Counter {
    window: Window,
    /// The greatest window it has been used with: how long it must be kept.
    window_ms: u64,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(bounds: Bounds) -> MemoryStore {
        MemoryStore { bounds, tenants: RwLock::default() }
    }

    fn tenant(&self, name: &str) -> Option<Arc<Mutex<Tenant>>> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn tenant_or_new(&self, name: &str) -> Arc<Mutex<Tenant>> {
        self.tenant(name).unwrap_or_else(|| {
            let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
            tenants.entry(name.to_owned()).or_default().clone()
        })
    }
}

impl StateStore for MemoryStore {
    fn read_session(&self, tenant: &str, id: &str) -> Result<Option<StoredSession>, Unavailable> {
        let Some(tenant) = self.tenant(tenant) else { return Ok(None) };
        let tenant = tenant.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(tenant.sessions.get(id).map(|session| session.stored.clone()))
    }

    fn commit(&self, commit: &Commit<'_>) -> CommitResult {
        let tenant = self.tenant_or_new(commit.tenant);
        let mut tenant = tenant.lock().unwrap_or_else(PoisonError::into_inner);
        match tenant.check(commit, &self.bounds) {
            CommitResult::Done if !commit.dry_run => {
                tenant.apply(commit);
                CommitResult::Done
            }
            result => result,
        }
    }
}

impl Tenant {
    /// Whether everything can be written.
    fn check(&mut self, commit: &Commit<'_>, bounds: &Bounds) -> CommitResult {
        let now = commit.at.nanos_since_epoch();
        if let Some(write) = &commit.session {
            let version = self.sessions.get(write.id).map_or(0, |session| session.stored.version);
            if version != write.expected {
                return CommitResult::Conflict;
            }
        }
        let mut exceeded: Vec<String> = Vec::new();
        for (n, charge) in commit.charges.iter().enumerate() {
            let earlier = commit.charges.iter().take(n).filter(|other| other.key == charge.key);
            if !self.fits(charge, earlier, now) {
                exceeded.push(charge.limit.clone());
            }
        }
        if !exceeded.is_empty() {
            exceeded.sort();
            exceeded.dedup();
            return CommitResult::Exceeded(exceeded);
        }
        if self.make_room(commit, bounds) { CommitResult::Done } else { CommitResult::Unavailable }
    }

    fn fits<'c>(&self, charge: &Charge, earlier: impl Iterator<Item = &'c Charge>, now: i128) -> bool {
        let mut amount = charge.amount;
        for other in earlier {
            amount.0 = amount.0.saturating_add(other.amount.0);
        }
        match self.counters.get(&charge.key) {
            Some(counter) => counter.window.fits(amount, charge.ceiling, charge.window_ms, now),
            None => amount <= charge.ceiling,
        }
    }

    fn apply(&mut self, commit: &Commit<'_>) {
        let now = commit.at.nanos_since_epoch();
        self.latest = self.latest.max(now);
        for Charge { key, amount, window_ms, .. } in commit.charges {
            self.counter(key, *window_ms).take(*amount, *window_ms, now);
        }
        for Settlement { key, reserved, actual, window_ms, .. } in commit.settlements {
            self.counter(key, *window_ms).settle(*reserved, *actual, *window_ms, now);
        }
        if let Some(write) = &commit.session {
            let state = write.state.to_vec();
            let stored = StoredSession { state, version: write.expected.saturating_add(1) };
            let seen = self.sessions.get(write.id).map_or(now, |session| session.seen.max(now));
            self.sessions.insert(write.id.to_owned(), Session { stored, seen });
        }
    }

    fn counter(&mut self, key: &str, window_ms: u64) -> &mut Window {
        let new = || Counter { window: Window::default(), window_ms };
        let counter = self.counters.entry(key.to_owned()).or_insert_with(new);
        counter.window_ms = counter.window_ms.max(window_ms);
        &mut counter.window
    }

    /// Drops what no longer counts once there is much of it; says whether what is new fits.
    fn make_room(&mut self, commit: &Commit<'_>, bounds: &Bounds) -> bool {
        let keys = commit.charges.iter().map(|c| &c.key).chain(commit.settlements.iter().map(|s| &s.key));
        let new_counters = keys.filter(|key| !self.counters.contains_key(*key)).count();
        let counters = self.counters.len().saturating_add(new_counters);
        let grown = counters > 1_024.max(self.swept.saturating_mul(2));
        if new_counters > 0 && (grown || counters > bounds.counters && self.is_due(0)) {
            let horizon = self.latest.saturating_sub(nanos(bounds.disorder_ms));
            self.counters.retain(|_, counter| !counter.window.is_spent(counter.window_ms, horizon));
            self.swept = self.counters.len();
        }
        let new_session = commit.session.as_ref().is_some_and(|write| !self.sessions.contains_key(write.id));
        if new_session && self.sessions.len() >= bounds.sessions && self.is_due(1) {
            let horizon = self.latest.saturating_sub(nanos(bounds.idle_ms));
            self.sessions.retain(|_, session| session.seen > horizon);
        }
        self.counters.len().saturating_add(new_counters) <= bounds.counters
            && self.sessions.len().saturating_add(usize::from(new_session)) <= bounds.sessions
    }

    /// Whether time has gone on since the last sweep of this kind: a full store is not swept for every call.
    fn is_due(&mut self, kind: usize) -> bool {
        let last = std::mem::replace(&mut self.swept_at[kind], self.latest);
        last == 0 || self.latest.saturating_sub(last) >= nanos(1_000)
    }
}

fn nanos(ms: u64) -> i128 {
    i128::from(ms).saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests;
