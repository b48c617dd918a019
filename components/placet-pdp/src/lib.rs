//! The decision point: opens a bundle and decides calls. This is the boundary that every adapter uses.
//!
//! It fails closed by value: [`Pdp::open`] never fails. A bundle that cannot be used gives a decision point that
//! denies everything, with a code that says why.
//!
//! ```
//! use placet_model::{Code, Facts, Verdict};
//! use placet_pdp::{Pdp, Trust};
//!
//! let pdp = Pdp::open(b"not a bundle", &Trust::default());
//! let call = br#"{"tool":"crm.search","agent":{"id":"bot"},"tenant":"acme","now":"2026-11-21T09:00:00Z"}"#;
//! let decision = pdp.decide_json(call, &Facts::default());
//! assert_eq!((decision.verdict, decision.code), (Verdict::Deny, Code::BundleInvalid));
//! ```
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod state;

pub use placet_bundle::{BundleError, Trust, digest};
use placet_cel::OpenPool;
use placet_engine::explain::Explanation;
pub use placet_engine::{PolicySet, Visibility};
use placet_model::call::Parts;
use placet_model::{Answer, BadRequest, Call, Code, Decision, Facts, Limits};

/// A decision point.
pub struct Pdp {
    policy: Result<Loaded, Refusal>,
}

struct Loaded {
    set: PolicySet,
    pool: OpenPool,
    description: Description,
    limits: Limits,
}

struct Refusal {
    code: Code,
    reason: String,
}

/// What a decision point decides by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// Lower-case hexadecimal SHA-256 of the policy.
    pub digest: String,
    /// The engine's version.
    pub engine: String,
    /// The bundle format's version.
    pub format: u8,
    /// Public key of the bundle's signer, hexadecimal.
    pub signed_by: Option<String>,
    /// Layer names, root first.
    pub layers: Vec<String>,
    /// Tenants that policy files name, sorted.
    pub tenants: Vec<String>,
    /// How many rules there are.
    pub rules: u32,
    /// How many tools the catalogue has.
    pub tools: u32,
}

impl Pdp {
    /// Opens a bundle. One that is damaged or not trusted gives a decision point that denies everything.
    pub fn open(bytes: &[u8], trust: &Trust) -> Pdp {
        match placet_bundle::open(bytes, trust) {
            Ok(opened) => Pdp::loaded(opened.set, opened.digest, opened.signed_by),
            Err(error) => {
                let code = match error {
                    BundleError::Untrusted(_) => Code::BundleUntrusted,
                    BundleError::Damaged(_) | BundleError::Version(_) => Code::BundleInvalid,
                };
                Pdp { policy: Err(Refusal { code, reason: error.to_string() }) }
            }
        }
    }

    /// A decision point without a policy: it denies everything with code `engine-missing`.
    pub fn empty() -> Pdp {
        let reason = "No policy is loaded.".to_owned();
        Pdp { policy: Err(Refusal { code: Code::EngineMissing, reason }) }
    }

    fn loaded(mut set: PolicySet, digest: String, signed_by: Option<String>) -> Pdp {
        let pool = match OpenPool::open(std::mem::take(&mut set.pool)) {
            Ok(pool) => pool,
            Err(error) => {
                let reason = format!("the policy bundle is damaged: {error}");
                return Pdp { policy: Err(Refusal { code: Code::BundleInvalid, reason }) };
            }
        };
        let mut tenants: Vec<String> = set.tenants.clone().unwrap_or_default();
        tenants.extend(set.files.iter().flat_map(|file| file.applies.tenants.iter().cloned()));
        tenants.sort();
        tenants.dedup();
        let description = Description {
            digest,
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            format: placet_bundle::FORMAT,
            signed_by,
            layers: set.layers.clone(),
            tenants,
            rules: u32::try_from(set.rules.len()).unwrap_or(u32::MAX),
            tools: u32::try_from(set.tools.len()).unwrap_or(u32::MAX),
        };
        let limits = Limits {
            max_bytes: usize::try_from(set.bounds.call_bytes).unwrap_or(usize::MAX),
            max_depth: set.bounds.call_depth as usize,
        };
        Pdp { policy: Ok(Loaded { pool, set, description, limits }) }
    }

    /// Why the decision point denies everything, if it does.
    pub fn refusal(&self) -> Option<&str> {
        self.policy.as_ref().err().map(|refusal| refusal.reason.as_str())
    }

    /// What it decides by; empty when it denies everything.
    pub fn describe(&self) -> Description {
        self.policy.as_ref().map(|loaded| loaded.description.clone()).unwrap_or_default()
    }

    /// The policy, when there is one.
    pub fn policy(&self) -> Option<&PolicySet> {
        self.policy.as_ref().ok().map(|loaded| &loaded.set)
    }

    /// Decides the call that a JSON text holds.
    pub fn decide_json(&self, call: &[u8], facts: &Facts<'_>) -> Decision {
        self.with(|loaded| Call::read(call, &loaded.limits), |loaded, call| loaded.decide(call, facts))
    }

    /// Decides the call that these pieces make up.
    pub fn decide_parts(&self, parts: &Parts<'_>, facts: &Facts<'_>) -> Decision {
        self.with(|loaded| Call::from_parts(parts, &loaded.limits), |loaded, call| loaded.decide(call, facts))
    }

    /// Turns a provisional decision and the store's answer about its charges into the final one.
    pub fn conclude_json(
        &self,
        call: &[u8],
        facts: &Facts<'_>,
        mut provisional: Decision,
        answer: Answer,
    ) -> Decision {
        match answer {
            Answer::NotAsked => provisional,
            Answer::Taken => {
                provisional.delta.charges.clear();
                provisional
            }
            answer => self.decide_json(call, &Facts { session: facts.session, answer }),
        }
    }

    /// Which of these tools to show to the principal of `call`, whose own `tool` and `args` do not matter. A call that
    /// cannot be read shows nothing.
    pub fn list_tools(&self, call: &[u8], facts: &Facts<'_>, tools: &[String]) -> Vec<Visibility> {
        let Ok(loaded) = &self.policy else { return hidden(tools) };
        let Ok(call) = Call::read(call, &loaded.limits) else { return hidden(tools) };
        let show = |tool: &String| {
            let call = Call { tool: tool.as_str().into(), ..call.clone() };
            placet_engine::visibility(&loaded.set, &loaded.pool, &call, facts)
        };
        tools.iter().map(show).collect()
    }

    /// Explains how the call that a JSON text holds is decided.
    ///
    /// # Errors
    /// When the text is not a call, or there is no policy.
    pub fn explain_json(&self, call: &[u8], facts: &Facts<'_>) -> Result<Explanation, BadRequest> {
        let loaded = self.policy.as_ref().map_err(|refusal| BadRequest::new(refusal.reason.clone()))?;
        let call = Call::read(call, &loaded.limits)?;
        Ok(placet_engine::explain::explain(&loaded.set, &loaded.pool, &call, facts))
    }

    fn with<'a>(
        &self,
        read: impl FnOnce(&Loaded) -> Result<Call<'a>, BadRequest>,
        decide: impl FnOnce(&Loaded, &Call<'a>) -> Decision,
    ) -> Decision {
        match &self.policy {
            Err(refusal) => Decision::deny(refusal.code, refusal.reason.clone(), ""),
            Ok(loaded) => match read(loaded) {
                Ok(call) => decide(loaded, &call),
                Err(error) => {
                    let reason = format!("The request is not a well-formed call: {error}.");
                    Decision::deny(Code::BadRequest, reason, loaded.description.digest.clone())
                }
            },
        }
    }
}

impl Loaded {
    fn decide(&self, call: &Call<'_>, facts: &Facts<'_>) -> Decision {
        let mut decision = placet_engine::decide(&self.set, &self.pool, call, facts);
        decision.policy.clone_from(&self.description.digest);
        decision
    }
}

fn hidden(tools: &[String]) -> Vec<Visibility> {
    let hide = |tool: &String| Visibility { tool: tool.clone(), visible: false, guidance: None };
    tools.iter().map(hide).collect()
}
