//! What is decided: the verdict, why, and what must be done for it to stand.

use crate::facts::Delta;

/// The three answers, ordered from least to most restrictive, so that combining is `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The call may run, provided every obligation is met.
    Allow,
    /// People must approve this very call first.
    Escalate,
    /// The call may not run.
    Deny,
}

impl Verdict {
    /// The word used on the wire: `allow`, `escalate` or `deny`.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Allow => "allow",
            Verdict::Escalate => "escalate",
            Verdict::Deny => "deny",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Stable machine codes. A code never changes its meaning; new ones may be added.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in declaration order.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The code as it is written on the wire and in records.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }

            /// The code spelled `text`, if there is one.
            pub fn parse(text: &str) -> Option<Code> {
                match text { $($text => Some(Code::$name),)* _ => None }
            }
        }
    };
}

codes! {
    /// Allow: a rule allowed it in every layer that had to.
    Allowed = "allowed",
    /// Deny: a deny rule matched.
    Denied = "denied",
    /// Deny: no rule of a layer whose default is deny allowed it.
    DefaultDeny = "default-deny",
    /// Allow: every layer that applies is in shadow mode, and nothing is enforced.
    ShadowOnly = "shadow-only",
    /// Escalate: an escalate rule matched.
    ApprovalRequired = "approval-required",
    /// Deny or escalate: a condition could not be evaluated, which never widens access.
    ConditionError = "condition-error",
    /// Deny: the agent, the user or an actor of the chain may not use the tool's capability scope.
    ScopeDenied = "scope-denied",
    /// Deny or escalate: a limit's ceiling would be passed.
    LimitExceeded = "limit-exceeded",
    /// Deny: the session is quarantined.
    Quarantined = "quarantined",
    /// Deny: unknown tenant, or no layer applies to the call.
    NoPolicy = "no-policy",
    /// Deny: the call is not a well-formed call.
    BadRequest = "bad-request",
    /// Deny: the session's memory is full and nothing in it may be forgotten.
    SessionFull = "session-full",
    /// Deny: the state that the decision needs could not be read or written.
    StateUnavailable = "state-unavailable",
    /// Deny: the enforcement point cannot do what the verdict requires.
    UnmetObligation = "unmet-obligation",
    /// Deny: the call carries grants and this decision point cannot verify any.
    GrantUnverified = "grant-unverified",
    /// Deny: the policy bundle is damaged, truncated, or of another format version.
    BundleInvalid = "bundle-invalid",
    /// Deny: a signature is required and the bundle carries none that verifies.
    BundleUntrusted = "bundle-untrusted",
    /// Deny: the tool's catalogue entry is not one that was accepted.
    ToolUnavailable = "tool-unavailable",
    /// Deny: no policy engine is loaded.
    EngineMissing = "engine-missing",
    /// Deny: the engine trapped.
    EngineTrap = "engine-trap",
    /// Deny: the engine used up its time or fuel.
    EngineTimeout = "engine-timeout",
    /// Deny: the engine used up its memory.
    EngineMemory = "engine-memory",
}

/// What the enforcement point must do for an `allow` to stand. One that it does not know or cannot do turns the
/// verdict into `deny` with code `unmet-obligation`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Obligation {
    /// Remove these fields from the result. Dotted paths from the result's root; `*` stands for any list element
    /// or member.
    Redact {
        /// Paths such as `customer.ssn` or `rows.*.card`.
        fields: Vec<String>,
    },
    /// Replace the values of these fields by asterisks, keeping the last `keep` characters.
    Mask {
        /// Paths as in `redact`.
        fields: Vec<String>,
        /// How many trailing characters stay readable.
        keep: u32,
    },
    /// Return at most so many rows (elements of the result's outermost list).
    CapRows {
        /// The greatest number of rows.
        max: u64,
    },
    /// Tell these channels that the call was allowed.
    Notify {
        /// Channel names such as `slack:fin-approvals`.
        channels: Vec<String>,
    },
    /// Sign what the agent writes to its long-term memory.
    SignMemory,
}

impl Obligation {
    /// The name used on the wire and in policies.
    pub fn kind(&self) -> &'static str {
        match self {
            Obligation::Redact { .. } => "redact",
            Obligation::Mask { .. } => "mask",
            Obligation::CapRows { .. } => "cap_rows",
            Obligation::Notify { .. } => "notify",
            Obligation::SignMemory => "sign_memory",
        }
    }
}

/// Who must approve an escalated call. When a decision carries several, each must be met.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Approval {
    /// The rule or limit that asks for it, as `layer/id`.
    pub rule: String,
    /// Ids, or roles written `role:NAME`.
    pub approvers: Vec<String>,
    /// How many different people must approve; at least 1.
    pub quorum: u32,
    /// After so many milliseconds without approval the call is denied.
    pub timeout_ms: u64,
    /// Channels to ask in, such as `slack:fin-approvals`.
    pub notify: Vec<String>,
}

/// What a layer in shadow mode would have decided. Recorded, never enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// The layer's name.
    pub layer: String,
    /// The verdict it would have given.
    pub verdict: Verdict,
    /// The code it would have given.
    pub code: Code,
    /// The rules that would have decided, as `layer/id`.
    pub rules: Vec<String>,
}

/// The decision about one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Allow, escalate or deny.
    pub verdict: Verdict,
    /// Why, for machines.
    pub code: Code,
    /// Every rule that decided it, as `layer/id`, sorted by layer order and id.
    pub rules: Vec<String>,
    /// Why, in words that are safe to show to an agent: never the policy's text.
    pub reason: String,
    /// What must be done for the verdict to stand; sorted.
    pub obligations: Vec<Obligation>,
    /// Who must approve, when the verdict is escalate; sorted.
    pub approvals: Vec<Approval>,
    /// What layers in shadow mode would have said.
    pub shadow: Vec<Shadow>,
    /// Lower-case hexadecimal SHA-256 of the bundle, or empty when there is none.
    pub policy: String,
    /// The state change that the decision asks for.
    pub delta: Delta,
}

impl Decision {
    /// A denial that rests on no rule.
    pub fn deny(code: Code, reason: impl Into<String>, policy: impl Into<String>) -> Decision {
        Decision {
            verdict: Verdict::Deny,
            code,
            rules: Vec::new(),
            reason: reason.into(),
            obligations: Vec::new(),
            approvals: Vec::new(),
            shadow: Vec::new(),
            policy: policy.into(),
            delta: Delta::default(),
        }
    }
}
