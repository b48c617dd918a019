//! Between the types of the WIT world and those of the model. Every field is named, so that a new one is a compile
//! error.

use placet_model as model;
use placet_model::{Amount, Code, Timestamp};

use super::instance::Fault;
use super::instance::bindings::exports::placet::policy::decisions as wit;

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

pub fn description(of: wit::Description) -> placet_pdp::Description {
    let wit::Description { digest, engine, format, signed_by, layers, tenants, rules, tools } = of;
    placet_pdp::Description { digest, engine, format, signed_by, layers, tenants, rules, tools }
}

pub fn visibility(of: wit::Visibility) -> placet_pdp::Visibility {
    let wit::Visibility { tool, visible, guidance } = of;
    placet_pdp::Visibility { tool, visible, guidance }
}

/// The decision, unless it is not one that this host knows.
pub fn decision(of: wit::Decision) -> Result<model::Decision, Fault> {
    let wit::Decision { verdict, code, rules, reason, obligations, approvals, shadow, policy, delta } = of;
    Ok(model::Decision {
        verdict: self::verdict(verdict),
        code: self::code(&code)?,
        rules,
        reason,
        obligations: obligations.into_iter().map(obligation).collect(),
        approvals: approvals.into_iter().map(approval).collect(),
        shadow: shadow.into_iter().map(self::shadow).collect::<Result<_, _>>()?,
        policy,
        delta: self::delta(delta)?,
    })
}

fn code(text: &str) -> Result<Code, Fault> {
    Code::parse(text).ok_or_else(|| strange(format!("it gave the unknown code `{text}`")))
}

fn strange(detail: String) -> Fault {
    Fault { code: Code::EngineTrap, detail }
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

fn shadow(of: wit::Shadow) -> Result<model::Shadow, Fault> {
    let wit::Shadow { layer, verdict, code, rules } = of;
    Ok(model::Shadow { layer, verdict: self::verdict(verdict), code: self::code(&code)?, rules })
}

fn delta(of: wit::Delta) -> Result<model::Delta, Fault> {
    let wit::Delta { session, charges, settlements, at } = of;
    let at = Timestamp::parse_rfc3339(&at).ok_or_else(|| strange(format!("it gave the time `{at}`")))?;
    Ok(model::Delta {
        session,
        charges: charges.into_iter().map(charge).collect(),
        settlements: settlements.into_iter().map(settlement).collect(),
        at,
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
