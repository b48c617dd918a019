//! The compiled policy: what the compiler writes, the bundle carries, and the engine reads.
//!
//! Plain data in a fixed order, so that the same sources give the same bytes. References are indexes into the
//! vectors of [`PolicySet`]; one that is out of range makes the decision a denial, never a panic.

use placet_cel::{Pool, Program};
use placet_model::constraint::Shape;
use placet_model::{Amount, Exceeded, Obligation, Stage, Verdict};
use serde::{Deserialize, Serialize};

use crate::index::Index;

/// Everything that one bundle holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PolicySet {
    /// Sizes that the engine refuses to pass.
    pub bounds: Bounds,
    /// Layer names, root first.
    pub layers: Vec<String>,
    /// The tenants there are, sorted; `None` when the root does not list them and any tenant is known.
    pub tenants: Option<Vec<String>>,
    /// The policy files, sorted by layer, then name.
    pub files: Vec<PolicyFile>,
    /// The rules, sorted by file, then id.
    pub rules: Vec<Rule>,
    /// The tool catalogue, sorted by name, then file.
    pub tools: Vec<Tool>,
    /// What to remember, sorted by file, then place in the file.
    pub remember: Vec<Remember>,
    /// The limits, sorted by file, then id.
    pub limits: Vec<Limit>,
    /// Obligations on results, sorted by file, then place in the file.
    pub results: Vec<ResultRule>,
    /// Roles, sorted by file, then name.
    pub roles: Vec<Role>,
    /// The roles of the actors of delegation chains, sorted by file, then id.
    pub actors: Vec<Actor>,
    /// Constants, paths, automata and time zones of all programs.
    pub pool: Pool,
    /// How rules are found; made by [`PolicySet::seal`].
    pub index: Index,
}

/// Sizes that the engine refuses to pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Bytes of a call's JSON text; default 1 MiB.
    pub call_bytes: u64,
    /// Nesting of a call's JSON text; default 128.
    pub call_depth: u32,
    /// Bytes of a session's state; default 16 KiB.
    pub session_bytes: u32,
    /// Steps of one condition; default 100,000.
    pub steps: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { call_bytes: 1 << 20, call_depth: 128, session_bytes: 16 << 10, steps: 100_000 }
    }
}

/// One policy file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyFile {
    /// `policy: NAME`
    pub name: String,
    /// Index into [`PolicySet::layers`].
    pub layer: u32,
    /// Which calls the file applies to.
    pub applies: Selector,
    /// `default: deny`: the layer denies what none of its rules decides.
    pub default_deny: bool,
    /// `mode: shadow`: decide and record, do not enforce.
    pub shadow: bool,
}

/// Which calls a file or a rule is about. An empty list accepts anything; all parts must accept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selector {
    /// Exact tenant names, sorted.
    pub tenants: Vec<String>,
    /// Globs.
    pub projects: Vec<String>,
    /// Globs.
    pub envs: Vec<String>,
    /// The acting agent.
    pub agents: PrincipalSelector,
    /// The user; when this is not empty, a call without a user is not selected.
    pub users: PrincipalSelector,
}

/// Which principals. Both lists must accept; an empty one accepts anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrincipalSelector {
    /// Globs for the id; one must match.
    pub ids: Vec<String>,
    /// Exact role names; the principal must hold one.
    pub roles: Vec<String>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Index into [`PolicySet::files`].
    pub file: u32,
    /// Unique within its layer.
    pub id: String,
    /// The stage at which it decides: `call` unless it says otherwise.
    pub stage: Stage,
    /// Tool names and globs, sorted; never empty.
    pub tools: Vec<String>,
    /// Further narrowing, like a file's `applies`.
    pub applies: Selector,
    /// Argument constraints, closed-world.
    pub args: Option<Shape>,
    /// The condition.
    pub when: Option<Program>,
    /// What a match means.
    pub outcome: Verdict,
    /// For `escalate`: who must approve.
    pub approval: Option<ApprovalSpec>,
    /// For `allow`: what must be done, sorted.
    pub obligations: Vec<Obligation>,
    /// Words for the agent.
    pub reason: Option<String>,
    /// `on_unavailable: allow`: the rule does not stand in the way when the session's state is out of reach.
    pub allow_if_unavailable: bool,
    /// Constants that a value of the call must equal for the rule to match (or err), found by the compiler.
    pub keys: Vec<RuleKey>,
}

/// The rule can neither match nor err unless the value at `path` errs or equals one of `equals`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleKey {
    /// Index into [`Pool::paths`].
    pub path: u32,
    /// String, bool or int constants as indexes into [`Pool::constants`].
    pub equals: Vec<u32>,
}

/// Who must approve an escalated call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalSpec {
    /// Ids, or roles written `role:NAME`.
    pub approvers: Vec<String>,
    /// At least 1.
    pub quorum: u32,
    /// Milliseconds.
    pub timeout_ms: u64,
    /// Channels.
    pub notify: Vec<String>,
}

impl Default for ApprovalSpec {
    /// Nobody in particular, one person, fifteen minutes.
    fn default() -> Self {
        ApprovalSpec { approvers: Vec::new(), quorum: 1, timeout_ms: 900_000, notify: Vec::new() }
    }
}

/// A tool of the catalogue. A fact that the policy does not give is absent, and a condition that reads it errs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// Index into [`PolicySet::files`].
    pub file: u32,
    /// Canonical name.
    pub name: String,
    /// `read`, `write`, `destructive`, `external`
    pub effects: Option<Vec<String>>,
    /// Such as `high`.
    pub risk: Option<String>,
    /// Classes of data it touches.
    pub data: Option<Vec<String>>,
    /// Cost of one call.
    pub cost: Option<f64>,
    /// The capability scope of a call, a string expression.
    pub scope: Option<Program>,
}

/// What to remember of allowed calls or results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remember {
    /// Index into [`PolicySet::files`].
    pub file: u32,
    /// Tool names and globs, sorted; never empty.
    pub tools: Vec<String>,
    /// `call` or `result`
    pub stage: Stage,
    /// Only when this holds.
    pub when: Option<Program>,
    /// The name that conditions ask for.
    pub name: String,
    /// The key that they may ask for, too.
    pub key: Option<Program>,
    /// Milliseconds; `None`: as long as the session lives.
    pub for_ms: Option<u64>,
    /// Some condition counts this name: every event is kept, not the latest of each key only.
    pub counted: bool,
    /// `on_unavailable: allow`
    pub allow_if_unavailable: bool,
}

/// A ceiling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// Index into [`PolicySet::files`].
    pub file: u32,
    /// Unique within its layer, also among rules.
    pub id: String,
    /// Tool names and globs, sorted; never empty (`*` when the file names none).
    pub tools: Vec<String>,
    /// What is counted.
    pub count: Count,
    /// What the counter is kept per; the tenant always belongs to it.
    pub per: Vec<Per>,
    /// The greatest sum within the window.
    pub max: Amount,
    /// Milliseconds.
    pub window_ms: u64,
    /// What exceeding it means.
    pub exceeded: Exceeded,
    /// For `exceeded: escalate`.
    pub approval: Option<ApprovalSpec>,
    /// Words for the agent.
    pub reason: Option<String>,
    /// `on_unavailable: allow`
    pub allow_if_unavailable: bool,
}

/// What a limit counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Count {
    /// Charges of allowed calls, shared between sessions, kept in the store.
    Charges {
        /// What a call costs; absent: 1.
        cost: Option<Program>,
        /// What it turned out to cost, evaluated at stage `result`.
        settle: Option<Program>,
    },
    /// Denied calls of the session.
    Denied,
    /// Allowed calls of the session with the same tool and arguments.
    Identical,
}

/// One part of a limit's key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Per {
    /// The tenant
    Tenant,
    /// The agent's id
    Agent,
    /// The user's id
    User,
    /// The session's id
    Session,
    /// The tool's name
    Tool,
    /// The value of an expression
    Expr(Program),
}

/// Obligations on the results of some tools.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResultRule {
    /// Index into [`PolicySet::files`].
    pub file: u32,
    /// Tool names and globs, sorted; never empty.
    pub tools: Vec<String>,
    /// Sorted.
    pub obligations: Vec<Obligation>,
}

/// What a role may do: globs over capability scopes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Index into [`PolicySet::files`].
    pub file: u32,
    /// The role's name.
    pub name: String,
    /// Globs such as `crm:*`.
    pub allow: Vec<String>,
    /// Globs; a denied scope stays denied whatever another role allows.
    pub deny: Vec<String>,
}

/// The roles of an actor that calls name in `chain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Index into [`PolicySet::files`].
    pub file: u32,
    /// The actor's id.
    pub id: String,
    /// Role names.
    pub roles: Vec<String>,
}

impl PolicySet {
    /// Builds the index over what has been filled in. The compiler calls it last.
    #[must_use]
    pub fn seal(mut self) -> PolicySet {
        self.index = Index::build(&self);
        self
    }

    /// `layer/id` as decisions name it.
    pub fn qualified(&self, file: u32, id: &str) -> String {
        let layer = self.files.get(file as usize).and_then(|f| self.layers.get(f.layer as usize));
        match layer {
            Some(layer) => format!("{layer}/{id}"),
            None => id.to_owned(),
        }
    }
}
