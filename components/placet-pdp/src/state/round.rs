//! One decision on state: read the session, decide, store what the decision asks for, and decide again when the store
//! refuses. No I/O: each [`Step`] says what is to be done, and takes the answer.

use placet_model::{Answer, Call, Code, Decision, Facts, Limits, SessionFact, Verdict};

use super::{Commit, CommitResult, SessionWrite, StateStore, StoredSession, Unavailable, session_fact};

/// How often a call is decided again because its session has changed meanwhile.
const ATTEMPTS: usize = 128;

/// A decision, and on which state it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The final decision; what its delta asked for has been stored.
    pub decision: Decision,
    /// The version of the session's state that was read: 0 when there was none, `None` without a session or a store.
    pub state_version: Option<u64>,
}

/// Where a call's state is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whose it is.
    pub tenant: String,
    /// The session, when the call is of one.
    pub session: Option<String>,
}

impl Place {
    /// The place of the call that a JSON text holds; `None` when it is not a call. Reads as leniently as the strictest
    /// reader allows: what the policy's own bounds refuse, the engine denies.
    pub fn of(call: &[u8]) -> Option<Place> {
        let limits = Limits { max_bytes: usize::MAX, max_depth: usize::MAX };
        let call = Call::read(call, &limits).ok()?;
        Some(Place { tenant: call.tenant.into_owned(), session: call.session.map(|id| id.into_owned()) })
    }
}

/// One decision on its way. `decide` is asked several times, and decides by one policy throughout.
#[derive(Debug)]
pub struct Round<'a, D> {
    call: &'a [u8],
    decide: D,
    place: Place,
    dry_run: bool,
    /// How many races were lost.
    lost: usize,
}

/// What is to be done next.
#[derive(Debug)]
pub enum Step<'a, D> {
    /// Read a session.
    Read(Box<Reading<'a, D>>),
    /// Write what a decision asks for.
    Commit(Box<Committing<'a, D>>),
    /// Nothing: it is decided.
    Done(Box<Outcome>),
}

/// Waits for a session's state.
#[derive(Debug)]
pub struct Reading<'a, D>(Round<'a, D>);

/// Waits for what becomes of a commit.
#[derive(Debug)]
pub struct Committing<'a, D> {
    round: Round<'a, D>,
    read: Read,
    decision: Decision,
    /// A limit was exceeded, and the decision says so.
    exceeded: bool,
}

#[derive(Debug)]
enum Read {
    NoSession,
    Session(Result<Option<StoredSession>, Unavailable>),
}

impl<'a, D: Fn(&[u8], &Facts<'_>) -> Decision> Round<'a, D> {
    /// Begins to decide the call that a JSON text holds. A dry run stores nothing.
    pub fn start(call: &'a [u8], dry_run: bool, decide: D) -> Step<'a, D> {
        match Place::of(call) {
            Some(place) => Round { call, decide, place, dry_run, lost: 0 }.read(),
            // Not a call: the engine says what is wrong with it.
            None => done(decide(call, &Facts::default()), None),
        }
    }

    fn read(self) -> Step<'a, D> {
        match self.place.session {
            Some(_) => Step::Read(Box::new(Reading(self))),
            None => self.decided(Read::NoSession),
        }
    }

    fn decided(self, read: Read) -> Step<'a, D> {
        let facts = Facts { session: read.fact(), answer: Answer::NotAsked };
        let decision = (self.decide)(self.call, &facts);
        Committing { round: self, read, decision, exceeded: false }.step()
    }
}

impl<'a, D: Fn(&[u8], &Facts<'_>) -> Decision> Reading<'a, D> {
    /// Whose session.
    pub fn tenant(&self) -> &str {
        &self.0.place.tenant
    }

    /// Which session.
    pub fn session(&self) -> &str {
        self.0.place.session.as_deref().unwrap_or_default()
    }

    /// Goes on with what was read.
    pub fn answer(self, read: Result<Option<StoredSession>, Unavailable>) -> Step<'a, D> {
        self.0.decided(Read::Session(read))
    }
}

impl<'a, D: Fn(&[u8], &Facts<'_>) -> Decision> Committing<'a, D> {
    /// What is to be written.
    pub fn commit(&self) -> Commit<'_> {
        let Round { place, dry_run, .. } = &self.round;
        let delta = &self.decision.delta;
        let session = match (&place.session, &delta.session) {
            (Some(id), Some(state)) => {
                Some(SessionWrite { id, expected: self.read.version().unwrap_or(0), state })
            }
            _ => None,
        };
        Commit {
            tenant: &place.tenant,
            session,
            charges: &delta.charges,
            settlements: &delta.settlements,
            at: delta.at,
            dry_run: *dry_run,
        }
    }

    /// Goes on with what became of it.
    pub fn answer(mut self, result: CommitResult) -> Step<'a, D> {
        match result {
            CommitResult::Done => self.done(),
            CommitResult::Conflict => self.lost(),
            CommitResult::Exceeded(limits) if !self.exceeded => {
                let facts = Facts { session: self.read.fact(), answer: Answer::Exceeded(limits) };
                self.decision = (self.round.decide)(self.round.call, &facts);
                self.decision.delta.charges.clear();
                self.exceeded = true;
                self.step()
            }
            CommitResult::Exceeded(_) | CommitResult::Unavailable => {
                self.decision = self.round.unavailable(self.decision);
                self.done()
            }
        }
    }

    fn step(self) -> Step<'a, D> {
        let Commit { session, charges, settlements, .. } = self.commit();
        if session.is_none() && charges.is_empty() && settlements.is_empty() {
            return self.done();
        }
        Step::Commit(Box::new(self))
    }

    fn done(mut self) -> Step<'a, D> {
        // What was taken need not be taken again.
        self.decision.delta.charges.clear();
        done(self.decision, self.read.version())
    }

    fn lost(mut self) -> Step<'a, D> {
        self.round.lost += 1;
        if self.round.lost < ATTEMPTS {
            return self.round.read();
        }
        let reason = "The session keeps changing while the call is decided.";
        let decision = Decision::deny(Code::StateUnavailable, reason, self.decision.policy);
        done(decision, None)
    }
}

impl<D: Fn(&[u8], &Facts<'_>) -> Decision> Round<'_, D> {
    /// What holds when a decision's state could not be written: a denial stands, whatever else is for the policy to say.
    fn unavailable(&self, decision: Decision) -> Decision {
        match decision.verdict {
            Verdict::Deny => decision,
            // Only a limit that was exceeded, or a rule, makes a decision escalate; the lost state must not undo that.
            Verdict::Escalate => {
                let reason = "State that the policy needs could not be written.";
                Decision::deny(Code::StateUnavailable, reason, decision.policy)
            }
            Verdict::Allow => {
                let session = match self.place.session {
                    Some(_) => SessionFact::Unavailable,
                    None => SessionFact::Fresh,
                };
                let mut decision = (self.decide)(self.call, &Facts { session, answer: Answer::Unavailable });
                decision.delta.session = None;
                decision
            }
        }
    }
}

impl<D: Fn(&[u8], &Facts<'_>) -> Decision> Step<'_, D> {
    /// Runs to the end on a store that answers at once; `lost` is called after each lost race.
    pub fn run(mut self, store: &dyn StateStore, mut lost: impl FnMut()) -> Outcome {
        loop {
            self = match self {
                Step::Read(reading) => {
                    let read = store.read_session(reading.tenant(), reading.session());
                    reading.answer(read)
                }
                Step::Commit(committing) => {
                    let result = store.commit(&committing.commit());
                    if result == CommitResult::Conflict {
                        lost();
                    }
                    committing.answer(result)
                }
                Step::Done(outcome) => return *outcome,
            };
        }
    }
}

fn done<'a, D>(decision: Decision, state_version: Option<u64>) -> Step<'a, D> {
    Step::Done(Box::new(Outcome { decision, state_version }))
}

impl Read {
    fn fact(&self) -> SessionFact<'_> {
        match self {
            Read::NoSession => SessionFact::Fresh,
            Read::Session(read) => session_fact(read),
        }
    }

    fn version(&self) -> Option<u64> {
        match self {
            Read::Session(Ok(stored)) => Some(stored.as_ref().map_or(0, |stored| stored.version)),
            _ => None,
        }
    }
}
