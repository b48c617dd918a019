//! A store over a map of cells that can be compared and set, such as a proxy's shared data.
//!
//! Sessions and counters are hashed into a fixed number of slots, each one cell. A commit writes several cells, one
//! after the other: first the charges, each by compare-and-set, and one that does not fit gives back those before it;
//! then the session, and a lost race gives all charges back. So a ceiling is never passed, and until a charge is given
//! back others may find less room than there is: stricter, for that moment. Settlements come last. A process that ends
//! in between leaves charges taken.

pub mod marked;
mod replay;
mod slot;

pub use replay::{Answered, Asked, Replay};

use placet_engine::window::Window;
use placet_model::{Charge, Decision, Facts, Settlement};

use super::{Commit, CommitResult, Outcome, SessionWrite, StateStore, Step, StoredSession, Unavailable};
use slot::{Entry, Kind, Slot};

/// A map from short names to bytes, in which a cell is only ever written over what was read of it.
pub trait Cells {
    /// A cell, if it has ever been written.
    ///
    /// # Errors
    /// [`Unavailable`] when the map cannot be reached.
    fn get(&self, name: &str) -> Result<Option<Held>, Unavailable>;

    /// Writes a cell that still has the version that was read; `None`: that still has never been written. Says whether
    /// it did.
    ///
    /// # Errors
    /// [`Unavailable`] when the map cannot be reached, or has no room.
    fn swap(&self, name: &str, seen: Option<u64>, bytes: &[u8]) -> Result<bool, Unavailable>;
}

impl<C: Cells> Cells for &C {
    fn get(&self, name: &str) -> Result<Option<Held>, Unavailable> {
        (**self).get(name)
    }

    fn swap(&self, name: &str, seen: Option<u64>, bytes: &[u8]) -> Result<bool, Unavailable> {
        (**self).swap(name, seen, bytes)
    }
}

/// What a cell holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What was written last.
    pub bytes: Vec<u8>,
    /// Differs after each write.
    pub version: u64,
}

/// How much is kept. When there is no room for what is new, the store is unavailable: nothing that still counts is ever
/// dropped to make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many slots there are, at most 65,536. With another number, earlier state is not found again.
    pub slots: u32,
    /// Greatest size of a slot in bytes.
    pub slot: usize,
    /// How much of a slot one tenant may fill, in bytes.
    pub share: usize,
    /// A session may be dropped when a call of its tenant is this much later than its own last one; milliseconds.
    pub idle_ms: u64,
    /// How much earlier than the latest call of its tenant a call may be and still find every charge that counts at its
    /// own time; milliseconds.
    pub disorder_ms: u64,
}

impl Default for Bounds {
    /// 1,024 slots of 128 KiB, half of one for a tenant; sessions are forgotten after 30 days; calls out of order by up
    /// to a day.
    fn default() -> Self {
        const DAY: u64 = 24 * 3_600 * 1_000;
        Bounds { slots: 1_024, slot: 128 << 10, share: 64 << 10, idle_ms: 30 * DAY, disorder_ms: DAY }
    }
}

/// How often a cell is written again because others wrote it meanwhile.
const ATTEMPTS: usize = 16;

/// A store over cells.
#[derive(Clone, Debug)]
pub struct CellStore<C> {
    cells: C,
    bounds: Bounds,
}

/// Why a cell was not written.
#[derive(Debug)]
enum Fault {
    /// Others kept writing it.
    Busy,
    Unavailable,
}

impl From<Unavailable> for Fault {
    fn from(_: Unavailable) -> Fault {
        Fault::Unavailable
    }
}

impl From<Fault> for CommitResult {
    fn from(fault: Fault) -> CommitResult {
        match fault {
            Fault::Busy => CommitResult::Conflict,
            Fault::Unavailable => CommitResult::Unavailable,
        }
    }
}

/// What to make of an entry.
enum Change<R> {
    Keep(R),
    Put { number: u64, bytes: Vec<u8>, result: R },
}

/// A charge that was taken, and when it counts from.
type Taken<'a> = (&'a Charge, i128);

impl<C: Cells> CellStore<C> {
    /// A store over these cells.
    pub fn new(cells: C, bounds: Bounds) -> CellStore<C> {
        CellStore { cells, bounds: Bounds { slots: bounds.slots.clamp(1, 1 << 16), ..bounds } }
    }

    /// The state of a session, if there is one.
    ///
    /// # Errors
    /// [`Unavailable`] when the cells cannot be reached, or are damaged.
    pub fn read_session(&self, tenant: &str, id: &str) -> Result<Option<StoredSession>, Unavailable> {
        let stored = |entry: &Entry<'_>| StoredSession { state: entry.bytes.to_vec(), version: entry.number };
        self.look(Kind::Session, tenant, id, |found| Ok(found.map(stored)))
    }

    /// Writes everything a decision asked for, or nothing.
    pub fn commit(&self, commit: &Commit<'_>) -> CommitResult {
        // A single charge is checked as it is taken.
        if (commit.dry_run || commit.charges.len() > 1 || !commit.settlements.is_empty())
            && let Err(result) = self.check(commit)
        {
            return result;
        }
        if commit.dry_run {
            return CommitResult::Done;
        }
        let mut taken = Vec::new();
        match self.write(commit, &mut taken) {
            Ok(()) => self.settle(commit),
            Err(result) => {
                for (charge, at) in taken.into_iter().rev() {
                    self.give_back(commit, charge, at);
                }
                match result {
                    // Of several charges others may not fit either; only now none of our own stands in the way.
                    CommitResult::Exceeded(_) if commit.charges.len() > 1 => {
                        self.check(commit).err().unwrap_or(CommitResult::Conflict)
                    }
                    result => result,
                }
            }
        }
    }

    /// Runs a decision to its end on cells that answer at once.
    pub fn run<D: Fn(&[u8], &Facts<'_>) -> Decision>(&self, mut step: Step<'_, D>) -> Outcome {
        loop {
            step = match step {
                Step::Read(reading) => {
                    let read = self.read_session(reading.tenant(), reading.session());
                    reading.answer(read)
                }
                Step::Commit(committing) => {
                    let result = self.commit(&committing.commit());
                    committing.answer(result)
                }
                Step::Done(outcome) => return *outcome,
            };
        }
    }

    /// Whether everything can be written, as far as that can be known.
    fn check(&self, commit: &Commit<'_>) -> Result<(), CommitResult> {
        let unavailable = |Unavailable| CommitResult::Unavailable;
        let now = commit.at.nanos_since_epoch();
        if let Some(write) = &commit.session {
            let version = |found: Option<&Entry<'_>>| Ok(found.map_or(0, |entry| entry.number));
            let version = self.look(Kind::Session, commit.tenant, write.id, version).map_err(unavailable)?;
            if version != write.expected {
                return Err(CommitResult::Conflict);
            }
        }
        let mut exceeded: Vec<String> = Vec::new();
        for (n, charge) in commit.charges.iter().enumerate() {
            let mut amount = charge.amount;
            for other in commit.charges.iter().take(n).filter(|other| other.key == charge.key) {
                amount.0 = amount.0.saturating_add(other.amount.0);
            }
            let fits = |found: Option<&Entry<'_>>| {
                Ok(window(found)?.fits(amount, charge.ceiling, charge.window_ms, now))
            };
            if !self.look(Kind::Counter, commit.tenant, &charge.key, fits).map_err(unavailable)? {
                exceeded.push(charge.limit.clone());
            }
        }
        for Settlement { key, .. } in commit.settlements {
            let readable = |found: Option<&Entry<'_>>| window(found).map(drop);
            self.look(Kind::Counter, commit.tenant, key, readable).map_err(unavailable)?;
        }
        exceeded.sort();
        exceeded.dedup();
        if exceeded.is_empty() { Ok(()) } else { Err(CommitResult::Exceeded(exceeded)) }
    }

    /// Takes the charges and writes the session; says in `taken` what is to be given back when it fails.
    fn write<'a>(&self, commit: &Commit<'a>, taken: &mut Vec<Taken<'a>>) -> Result<(), CommitResult> {
        let now = commit.at.nanos_since_epoch();
        for charge in commit.charges {
            let Charge { key, amount, ceiling, window_ms, limit, .. } = charge;
            let take = |found: Option<&Entry<'_>>| {
                let mut window = window(found)?;
                if !window.fits(*amount, *ceiling, *window_ms, now) {
                    return Ok(Change::Keep(None));
                }
                let at = window.take(*amount, *window_ms, now);
                Ok(put(found, &window, *window_ms, Some(at)))
            };
            match self.change(Kind::Counter, commit, key, take)? {
                Some(at) => taken.push((charge, at)),
                None => return Err(CommitResult::Exceeded(vec![limit.clone()])),
            }
        }
        let Some(SessionWrite { id, expected, state }) = commit.session else { return Ok(()) };
        let write = |found: Option<&Entry<'_>>| match found.map_or(0, |entry| entry.number) {
            version if version == expected => {
                let number = version.saturating_add(1);
                Ok(Change::Put { number, bytes: state.to_vec(), result: true })
            }
            _ => Ok(Change::Keep(false)),
        };
        if self.change(Kind::Session, commit, id, write)? { Ok(()) } else { Err(CommitResult::Conflict) }
    }

    /// A charge that cannot be given back stays: stricter.
    fn give_back(&self, commit: &Commit<'_>, charge: &Charge, at: i128) {
        let undo = |found: Option<&Entry<'_>>| {
            let mut window = window(found)?;
            window.give_back(charge.amount, at);
            Ok(put(found, &window, charge.window_ms, ()))
        };
        // Others who write the same cell come to an end, and then it is our turn.
        for _ in 0..ATTEMPTS {
            match self.change(Kind::Counter, commit, &charge.key, undo) {
                Err(Fault::Busy) => {}
                Ok(()) | Err(Fault::Unavailable) => return,
            }
        }
    }

    fn settle(&self, commit: &Commit<'_>) -> CommitResult {
        let now = commit.at.nanos_since_epoch();
        for Settlement { key, reserved, actual, window_ms, .. } in commit.settlements {
            let settle = |found: Option<&Entry<'_>>| {
                let mut window = window(found)?;
                window.settle(*reserved, *actual, *window_ms, now);
                Ok(put(found, &window, *window_ms, ()))
            };
            // The session is written: what is not settled now stays reserved, and the result is not let through.
            if self.change(Kind::Counter, commit, key, settle).is_err() {
                return CommitResult::Unavailable;
            }
        }
        CommitResult::Done
    }

    /// Reads one entry.
    fn look<R>(
        &self,
        kind: Kind,
        tenant: &str,
        key: &str,
        read: impl FnOnce(Option<&Entry<'_>>) -> Result<R, Unavailable>,
    ) -> Result<R, Unavailable> {
        let held = self.cells.get(&slot::name(kind, tenant, key, self.bounds.slots))?;
        let Some(held) = held else { return read(None) };
        let slot = Slot::decode(&held.bytes).ok_or(Unavailable)?;
        read(slot.find(kind, tenant, key))
    }

    /// Changes one entry, as often as it takes while others change its slot.
    fn change<R>(
        &self,
        kind: Kind,
        commit: &Commit<'_>,
        key: &str,
        change: impl Fn(Option<&Entry<'_>>) -> Result<Change<R>, Unavailable>,
    ) -> Result<R, Fault> {
        let tenant = commit.tenant;
        let name = slot::name(kind, tenant, key, self.bounds.slots);
        for _ in 0..ATTEMPTS {
            let held = self.cells.get(&name)?;
            let bytes = held.as_ref().map_or(&[][..], |held| &held.bytes);
            let slot = match &held {
                Some(_) => Slot::decode(bytes).ok_or(Unavailable)?,
                None => Slot::default(),
            };
            let found = slot.find(kind, tenant, key);
            let (number, new, result) = match change(found)? {
                Change::Keep(result) => return Ok(result),
                Change::Put { number, bytes, result } => (number, bytes, result),
            };
            let now = commit.at.nanos_since_epoch();
            let seen = found.map_or(now, |entry| entry.seen.max(now));
            let entry = Entry { kind, tenant, key, number, seen, bytes: &new };
            let bytes = slot.with(entry, now, &self.bounds).ok_or(Unavailable)?;
            if self.cells.swap(&name, held.as_ref().map(|held| held.version), &bytes)? {
                return Ok(result);
            }
        }
        Err(Fault::Busy)
    }
}

impl<C: Cells + Send + Sync> StateStore for CellStore<C> {
    fn read_session(&self, tenant: &str, id: &str) -> Result<Option<StoredSession>, Unavailable> {
        CellStore::read_session(self, tenant, id)
    }

    fn commit(&self, commit: &Commit<'_>) -> CommitResult {
        CellStore::commit(self, commit)
    }
}

/// The counter that an entry holds.
fn window(found: Option<&Entry<'_>>) -> Result<Window, Unavailable> {
    found.map_or(Ok(Window::default()), |entry| Window::decode(entry.bytes).ok_or(Unavailable))
}

/// Writes a counter; its number is the greatest window it has been used with.
fn put<R>(found: Option<&Entry<'_>>, window: &Window, window_ms: u64, result: R) -> Change<R> {
    let number = found.map_or(window_ms, |entry| entry.number.max(window_ms));
    Change::Put { number, bytes: window.encode(), result }
}

#[cfg(test)]
mod tests;
