//! State as the engine sees it: the facts it is given and the delta it asks for.

use crate::time::Timestamp;

/// A non-negative amount in millionths, so that sums are exact and the same on every host.
/// A cost of 0.02 is 20,000. Conversion from a decimal rounds up, so that rounding can only be stricter.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Amount(pub u64);

impl Amount {
    /// One: the cost of a call when a limit names none.
    pub const ONE: Amount = Amount(1_000_000);
}

/// What exceeding a limit means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exceeded {
    /// The call is denied.
    Deny,
    /// A person must approve the call.
    Escalate,
    /// The call is denied, and so is every later one of its session.
    Quarantine,
}

/// One charge against one ceiling. All charges of a call are taken together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The limit, as `layer/id`.
    pub limit: String,
    /// The counter: tenant, limit and the values of the limit's `per`, unambiguously joined.
    pub key: String,
    /// How much to take.
    pub amount: Amount,
    /// The sum that may not be passed within the window.
    pub ceiling: Amount,
    /// Milliseconds that a charge counts, from the moment it is taken.
    pub window_ms: u64,
    /// What it means when the ceiling would be passed.
    pub exceeded: Exceeded,
    /// The policy says in so many words that the call goes on when the store is out of reach.
    pub allow_if_unavailable: bool,
}

/// Replaces a reservation by what the call turned out to cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The limit, as `layer/id`.
    pub limit: String,
    /// The counter, as in [`Charge::key`].
    pub key: String,
    /// What had been reserved: the store looks for the latest charge of exactly this amount.
    pub reserved: Amount,
    /// What it is replaced by, at the time of the reservation.
    pub actual: Amount,
    /// Milliseconds, as in [`Charge::window_ms`].
    pub window_ms: u64,
}

/// The session's state as the host read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionFact<'a> {
    /// Nothing has been stored for this session yet.
    #[default]
    Fresh,
    /// The bytes that an earlier delta asked to store.
    Stored(&'a [u8]),
    /// The state could not be read.
    Unavailable,
}

/// What the store said of a decision's charges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// It has not been asked: the decision is provisional when it carries charges.
    #[default]
    NotAsked,
    /// It took all of them.
    Taken,
    /// It took none; these limits (`layer/id`) would have been exceeded. Sorted, not empty.
    Exceeded(Vec<String>),
    /// It could not be reached.
    Unavailable,
}

/// Everything outside the call that a decision may depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts<'a> {
    /// The state of the call's session.
    pub session: SessionFact<'a>,
    /// The store's answer to the charges of an earlier, provisional decision about the same call.
    pub answer: Answer,
}

/// The state change that a decision asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// The session's new state, to be written by compare-and-set against what was read. `None`: unchanged.
    pub session: Option<Vec<u8>>,
    /// Charges to take, all or none, before the call runs. Sorted by limit and key.
    pub charges: Vec<Charge>,
    /// Reservations to settle. Sorted by limit and key.
    pub settlements: Vec<Settlement>,
    /// The call's `now`, the time at which charges are taken.
    pub at: Timestamp,
}
