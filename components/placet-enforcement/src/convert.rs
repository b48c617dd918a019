//! Between the types of the WIT worlds and those of the model. Every field is named, so that a new one is a compile
//! error.

use placet_model as model;
use placet_model::{Amount, Code, Decision, Timestamp};
use placet_pep::http::HttpReply;

use crate::bindings::placet::policy::decisions as wit;
use crate::wit::Reply;

pub fn reply(of: HttpReply) -> Reply {
    let HttpReply { status, headers, body } = of;
    Reply { status, headers, body }
}

pub fn facts(of: &model::Facts<'_>) -> wit::Facts {
    let model::Facts { session, answer } = of;
    wit::Facts {
        session: match session {
            model::SessionFact::Fresh => wit::SessionFact::Fresh,
            model::SessionFact::Stored(bytes) => wit::SessionFact::Stored(bytes.to_vec()),
            model::SessionFact::Unavailable => wit::SessionFact::Unavailable,
        },
        answer: match answer {
            model::Answer::NotAsked => wit::Answer::NotAsked,
            model::Answer::Taken => wit::Answer::Taken,
            model::Answer::Exceeded(limits) => wit::Answer::Exceeded(limits.clone()),
            model::Answer::Unavailable => wit::Answer::Unavailable,
        },
    }
}

/// The decision; one that this version does not know is a denial.
pub fn decision(of: wit::Decision) -> Decision {
    known(of).unwrap_or_else(|| {
        Decision::deny(Code::EngineTrap, "The policy component gave a decision that is not known here.", "")
    })
}

fn known(of: wit::Decision) -> Option<Decision> {
    let wit::Decision { verdict, code, rules, reason, obligations, approvals, shadow, policy, delta } = of;
    Some(Decision {
        verdict: self::verdict(verdict),
        code: Code::parse(&code)?,
        rules,
        reason,
        obligations: obligations.into_iter().map(obligation).collect(),
        approvals: approvals.into_iter().map(approval).collect(),
        shadow: shadow.into_iter().map(self::shadow).collect::<Option<_>>()?,
        policy,
        delta: self::delta(delta)?,
    })
}

fn verdict(of: wit::Verdict) -> model::Verdict {
    match of {
        wit::Verdict::Allow => model::Verdict::Allow,
        wit::Verdict::Escalate => model::Verdict::Escalate,
        wit::Verdict::Deny => model::Verdict::Deny,
    }
}

fn obligation(of: wit::Obligation) -> model::Obligation {
    match of {
        wit::Obligation::Redact(fields) => model::Obligation::Redact { fields },
        wit::Obligation::Mask(wit::Mask { fields, keep }) => model::Obligation::Mask { fields, keep },
        wit::Obligation::CapRows(max) => model::Obligation::CapRows { max },
        wit::Obligation::Notify(channels) => model::Obligation::Notify { channels },
        wit::Obligation::SignMemory => model::Obligation::SignMemory,
    }
}

fn approval(of: wit::Approval) -> model::Approval {
    let wit::Approval { rule, approvers, quorum, timeout_ms, notify } = of;
    model::Approval { rule, approvers, quorum, timeout_ms, notify }
}

fn shadow(of: wit::Shadow) -> Option<model::Shadow> {
    let wit::Shadow { layer, verdict, code, rules } = of;
    Some(model::Shadow { layer, verdict: self::verdict(verdict), code: Code::parse(&code)?, rules })
}

fn delta(of: wit::Delta) -> Option<model::Delta> {
    let wit::Delta { session, charges, settlements, at } = of;
    Some(model::Delta {
        session,
        charges: charges.into_iter().map(charge).collect(),
        settlements: settlements.into_iter().map(settlement).collect(),
        at: Timestamp::parse_rfc3339(&at)?,
    })
}

fn charge(of: wit::Charge) -> model::Charge {
    let wit::Charge { limit, key, amount, ceiling, window_ms, exceeded, allow_if_unavailable } = of;
    let exceeded = match exceeded {
        wit::Exceeded::Deny => model::Exceeded::Deny,
        wit::Exceeded::Escalate => model::Exceeded::Escalate,
        wit::Exceeded::Quarantine => model::Exceeded::Quarantine,
    };
    let (amount, ceiling) = (Amount(amount), Amount(ceiling));
    model::Charge { limit, key, amount, ceiling, window_ms, exceeded, allow_if_unavailable }
}

fn settlement(of: wit::Settlement) -> model::Settlement {
    let wit::Settlement { limit, key, reserved, actual, window_ms } = of;
    model::Settlement { limit, key, reserved: Amount(reserved), actual: Amount(actual), window_ms }
}
