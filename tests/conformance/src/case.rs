//! What a case says once it has been read: a trace of calls, each with what must come of it.

use serde::Deserialize;
use serde_json::{Map, Value};

/// Cases of one heading of the semantics.
#[derive(Clone, Debug)]
pub struct Group {
    /// The file's name without its ending.
    pub name: String,
    /// What the group is about.
    pub about: String,
    /// The sections of `docs/semantics.md` that it tests.
    pub sections: Vec<u32>,
    /// In the order of the file.
    pub cases: Vec<Case>,
}

/// A trace of calls that share state; each case begins on none.
#[derive(Clone, Debug)]
pub struct Case {
    /// Unique in its group.
    pub name: String,
    /// The rule of the semantics that makes the expectation right.
    pub why: String,
    /// The policy, as a path from the folder `policies`.
    pub policy: String,
    /// What is done to the policy's bundle before it is opened.
    pub bundle: Bundle,
    /// Whether enforcement points that make calls of messages must do the same as those that are given calls.
    pub wire: bool,
    /// At least one.
    pub steps: Vec<Step>,
}

impl Case {
    /// Whether every step can be put to something that keeps state on its own.
    pub fn is_stateful(&self) -> bool {
        self.steps.iter().all(|step| step.facts.is_none())
    }
}

/// What a decision point is given to open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bundle {
    /// The bundle as it was compiled.
    #[default]
    Plain,
    /// Signed by the key that is trusted.
    Signed,
    /// Not signed, where a key is trusted.
    Unsigned,
    /// Signed by another key than the one that is trusted.
    Stranger,
    /// Signed and trusted, with its last byte missing.
    Cut,
    /// One bit in its middle is not as it was.
    Flipped,
    /// No byte at all.
    Empty,
}

/// One call.
#[derive(Clone, Debug)]
pub struct Step {
    /// The call's text.
    pub call: String,
    /// Tools to list for the call's principal, in place of a call to decide.
    pub list: Option<Vec<String>>,
    /// The state store cannot be reached during this step.
    pub store_down: bool,
    /// What the decision is given in place of what a store would say.
    pub facts: Option<Facts>,
    /// What must come of it.
    pub expect: Expect,
}

/// Facts as a case gives them: for decisions without a store.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// `fresh` or `unavailable`.
    #[serde(default)]
    pub session: Session,
    /// What the store said of the charges.
    #[serde(default)]
    pub answer: Answer,
}

/// The session as a case gives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Session {
    /// Nothing is stored.
    #[default]
    Fresh,
    /// It cannot be read.
    Unavailable,
}

/// What a store said of charges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It was not asked.
    #[default]
    NotAsked,
    /// It took them.
    Taken,
    /// It took none, because of these limits.
    Exceeded(Vec<String>),
    /// It cannot be reached.
    Unavailable,
}

/// What must come out. What is absent is not compared.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// `allow`, `deny` or `escalate`.
    pub verdict: Option<String>,
    /// The machine code.
    pub code: Option<String>,
    /// Every rule that decided, as `layer/id`.
    pub rules: Option<Vec<String>>,
    /// The reason, in full.
    pub reason: Option<String>,
    /// The obligations, as in the decision's JSON.
    pub obligations: Option<Value>,
    /// The approvals, as in the decision's JSON.
    pub approval: Option<Value>,
    /// What layers in shadow mode would have said, as in the decision's JSON.
    pub shadow: Option<Value>,
    /// With `list`: the tools that are shown.
    pub visible: Option<Vec<String>>,
    /// The state change that is asked for.
    pub delta: Option<ExpectDelta>,
}

/// What the state change must be. What is absent is not compared.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectDelta {
    /// Charges as in the delta's JSON; of each, only the members that are named.
    pub charges: Option<Vec<Map<String, Value>>>,
    /// Settlements, likewise.
    pub settlements: Option<Vec<Map<String, Value>>>,
    /// Whether the session's state is written.
    pub session: Option<bool>,
}
