//! Deciding with state: read the session, decide, store what the decision asks for, and decide again when the store
//! refuses.

use std::sync::Arc;

use placet_model::{Answer, Call, Code, Decision, Facts, Limits, SessionFact, Verdict};

use super::{DecisionPoint, PolicyHandle, Visibility};
use crate::store::{Commit, CommitResult, SessionWrite, StateStore, StoredSession};

/// How often a call is decided again because its session has changed meanwhile.
const ATTEMPTS: usize = 128;

/// Decides calls by the policy in force, with session memory and limits in a store.
#[derive(Clone)]
pub struct DecisionService {
    policy: PolicyHandle,
    store: Arc<dyn StateStore>,
}

/// A decision, and on which state it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The final decision; what its delta asked for has been stored.
    pub decision: Decision,
    /// The version of the session's state that was read: 0 when there was none, `None` without a session or a store.
    pub state_version: Option<u64>,
}

impl DecisionService {
    /// A service over a policy and a store.
    pub fn new(policy: PolicyHandle, store: Arc<dyn StateStore>) -> DecisionService {
        DecisionService { policy, store }
    }

    /// The policy in force, which may be replaced.
    pub fn policy(&self) -> &PolicyHandle {
        &self.policy
    }

    /// Decides the call that a JSON text holds. A dry run stores nothing.
    pub fn decide(&self, call: &[u8], dry_run: bool) -> Decision {
        self.decide_on_state(call, dry_run).decision
    }

    /// Decides as [`DecisionService::decide`] does, and says on which state.
    pub fn decide_on_state(&self, call: &[u8], dry_run: bool) -> Outcome {
        let point = self.policy.get();
        let Some(place) = Place::of(call) else {
            // Not a call: the engine says what is wrong with it.
            return Outcome { decision: point.decide(call, &Facts::default()), state_version: None };
        };
        for _ in 0..ATTEMPTS {
            if let Some(outcome) = self.attempt(&*point, call, &place, dry_run) {
                return outcome;
            }
            std::thread::yield_now();
        }
        let reason = "The session keeps changing while the call is decided.";
        let digest = point.describe().digest;
        Outcome { decision: Decision::deny(Code::StateUnavailable, reason, digest), state_version: None }
    }

    /// Which of these tools to show to the principal of a call.
    pub fn list_tools(&self, call: &[u8], tools: &[String]) -> Vec<Visibility> {
        let read = match Place::of(call) {
            Some(Place { tenant, session: Some(id) }) => self.store.read_session(&tenant, &id),
            _ => Ok(None),
        };
        let session = match &read {
            Ok(None) => SessionFact::Fresh,
            Ok(Some(stored)) => SessionFact::Stored(&stored.state),
            Err(_) => SessionFact::Unavailable,
        };
        self.policy.get().list_tools(call, &Facts { session, answer: Answer::NotAsked }, tools)
    }

    /// One round: `None` when the session has changed since it was read.
    fn attempt(
        &self,
        point: &dyn DecisionPoint,
        call: &[u8],
        place: &Place,
        dry_run: bool,
    ) -> Option<Outcome> {
        let read = match &place.session {
            Some(id) => self.store.read_session(&place.tenant, id).map(Some),
            None => Ok(None),
        };
        let stored: Option<&StoredSession> = read.as_ref().ok().and_then(|read| read.as_ref()?.as_ref());
        let session = match (&read, stored) {
            (Err(_), _) => SessionFact::Unavailable,
            (Ok(_), Some(stored)) => SessionFact::Stored(&stored.state),
            (Ok(_), None) => SessionFact::Fresh,
        };
        let known = read.is_ok() && place.session.is_some();
        let state_version = known.then(|| stored.map_or(0, |stored| stored.version));
        let writing = Writing { service: self, place, expected: state_version.unwrap_or(0), dry_run };

        let mut decision = point.decide(call, &Facts { session, answer: Answer::NotAsked });
        let result = match writing.commit(&decision) {
            CommitResult::Exceeded(limits) => {
                decision = point.decide(call, &Facts { session, answer: Answer::Exceeded(limits) });
                decision.delta.charges.clear();
                writing.commit(&decision)
            }
            result => result,
        };
        match result {
            CommitResult::Conflict => return None,
            CommitResult::Done => {}
            CommitResult::Exceeded(_) | CommitResult::Unavailable => {
                decision = unavailable(point, call, place, decision);
            }
        }
        // What was taken need not be taken again.
        decision.delta.charges.clear();
        Some(Outcome { decision, state_version })
    }
}

/// What holds when a decision's state could not be written: a denial stands, whatever else is for the policy to say.
fn unavailable(point: &dyn DecisionPoint, call: &[u8], place: &Place, decision: Decision) -> Decision {
    match decision.verdict {
        Verdict::Deny => decision,
        // Only a limit that was exceeded, or a rule, makes a decision escalate; the lost state must not undo that.
        Verdict::Escalate => {
            let reason = "State that the policy needs could not be written.";
            Decision::deny(Code::StateUnavailable, reason, decision.policy)
        }
        Verdict::Allow => {
            let session = match place.session {
                Some(_) => SessionFact::Unavailable,
                None => SessionFact::Fresh,
            };
            let mut decision = point.decide(call, &Facts { session, answer: Answer::Unavailable });
            decision.delta.session = None;
            decision
        }
    }
}

/// Where a call's state is kept.
struct Place {
    tenant: String,
    session: Option<String>,
}

impl Place {
    /// Reads as leniently as the strictest reader allows: what the policy's own bounds refuse, the engine denies.
    fn of(call: &[u8]) -> Option<Place> {
        let limits = Limits { max_bytes: usize::MAX, max_depth: usize::MAX };
        let call = Call::read(call, &limits).ok()?;
        Some(Place { tenant: call.tenant.into_owned(), session: call.session.map(|id| id.into_owned()) })
    }
}

/// How the state of one attempt is written.
struct Writing<'a> {
    service: &'a DecisionService,
    place: &'a Place,
    expected: u64,
    dry_run: bool,
}

impl Writing<'_> {
    fn commit(&self, decision: &Decision) -> CommitResult {
        let delta = &decision.delta;
        let session = match (&self.place.session, &delta.session) {
            (Some(id), Some(state)) => Some(SessionWrite { id, expected: self.expected, state }),
            _ => None,
        };
        if session.is_none() && delta.charges.is_empty() && delta.settlements.is_empty() {
            return CommitResult::Done;
        }
        self.service.store.commit(&Commit {
            tenant: &self.place.tenant,
            session,
            charges: &delta.charges,
            settlements: &delta.settlements,
            at: delta.at,
            dry_run: self.dry_run,
        })
    }
}
