//! The policy component: the decision point behind the WIT world `placet:policy/policy`. Maps types, nothing else.
#![cfg(target_arch = "wasm32")]
#![expect(unsafe_code, reason = "generated bindings")]

use placet_embed::{replace, with};
use placet_model as model;
use placet_model::call::{Parts, PrincipalParts, ResourceParts};
use placet_pdp::{Pdp, Trust};

mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "policy" });
}

use bindings::exports::placet::policy::decisions::{
    self as wit, Call, Decision, Description, Facts, Guest, Visibility,
};

struct Component;

bindings::export!(Component with_types_in bindings);

impl Guest for Component {
    fn load(bundle: Vec<u8>, trusted: Vec<Vec<u8>>) -> Result<Description, String> {
        let keys: Result<Vec<[u8; 32]>, Vec<u8>> = trusted.into_iter().map(TryInto::try_into).collect();
        let pdp = match keys {
            Ok(keys) => Pdp::open(&bundle, &Trust { keys }),
            Err(_) => return Err("a trusted key is not 32 bytes long".to_owned()),
        };
        let result = match pdp.refusal() {
            Some(refusal) => Err(refusal.to_owned()),
            None => Ok(description(pdp.describe())),
        };
        replace(pdp);
        result
    }

    fn decide(call: Call, facts: Facts) -> Decision {
        let agent = principal(&call.agent);
        let user = call.user.as_ref().map(principal);
        let resource = call.target.as_ref().map(|of| ResourceParts {
            kind: &of.kind,
            id: &of.id,
            attrs: of.attrs.as_deref(),
        });
        let parts = Parts {
            stage: stage(call.stage),
            tool: &call.tool,
            args: call.args.as_deref(),
            agent: Some(agent),
            user,
            chain: &call.chain,
            tenant: Some(&call.tenant),
            project: call.project.as_deref(),
            env: call.env.as_deref(),
            session: call.session.as_deref(),
            resource,
            now: Some(&call.now),
            grants: &call.grants,
            approval: call.approval.as_deref(),
            content: call.content.as_deref(),
        };
        with(|pdp| decision(pdp.decide_parts(&parts, &borrow(&facts))))
    }

    fn decide_json(call: Vec<u8>, facts: Facts) -> Decision {
        with(|pdp| decision(pdp.decide_json(&call, &borrow(&facts))))
    }

    fn describe() -> Description {
        with(|pdp| description(pdp.describe()))
    }

    fn list_tools(call: Vec<u8>, facts: Facts, tools: Vec<String>) -> Vec<Visibility> {
        let listed = with(|pdp| pdp.list_tools(&call, &borrow(&facts), &tools));
        let convert =
            |placet_pdp::Visibility { tool, visible, guidance }| Visibility { tool, visible, guidance };
        listed.into_iter().map(convert).collect()
    }
}

fn principal(of: &wit::Principal) -> PrincipalParts<'_> {
    PrincipalParts { id: &of.id, roles: &of.roles, scopes: &of.scopes, attrs: of.attrs.as_deref() }
}

fn stage(of: wit::Stage) -> model::Stage {
    match of {
        wit::Stage::Call => model::Stage::Call,
        wit::Stage::Result => model::Stage::Result,
        wit::Stage::Prompt => model::Stage::Prompt,
        wit::Stage::List => model::Stage::List,
    }
}

fn borrow(facts: &Facts) -> model::Facts<'_> {
    model::Facts {
        session: match &facts.session {
            wit::SessionFact::Fresh => model::SessionFact::Fresh,
            wit::SessionFact::Stored(bytes) => model::SessionFact::Stored(bytes),
            wit::SessionFact::Unavailable => model::SessionFact::Unavailable,
        },
        answer: match &facts.answer {
            wit::Answer::NotAsked => model::Answer::NotAsked,
            wit::Answer::Taken => model::Answer::Taken,
            wit::Answer::Exceeded(limits) => model::Answer::Exceeded(limits.clone()),
            wit::Answer::Unavailable => model::Answer::Unavailable,
        },
    }
}

fn description(of: placet_pdp::Description) -> Description {
    let placet_pdp::Description { digest, engine, format, signed_by, layers, tenants, rules, tools } = of;
    Description { digest, engine, format, signed_by, layers, tenants, rules, tools }
}

fn decision(of: model::Decision) -> Decision {
    let model::Decision { verdict, code, rules, reason, obligations, approvals, shadow, policy, delta } = of;
    Decision {
        verdict: self::verdict(verdict),
        code: code.as_str().to_owned(),
        rules,
        reason,
        obligations: obligations.into_iter().map(obligation).collect(),
        approvals: approvals.into_iter().map(approval).collect(),
        shadow: shadow.into_iter().map(self::shadow).collect(),
        policy,
        delta: self::delta(delta),
    }
}

fn verdict(of: model::Verdict) -> wit::Verdict {
    match of {
        model::Verdict::Allow => wit::Verdict::Allow,
        model::Verdict::Escalate => wit::Verdict::Escalate,
        model::Verdict::Deny => wit::Verdict::Deny,
    }
}

fn obligation(of: model::Obligation) -> wit::Obligation {
    match of {
        model::Obligation::Redact { fields } => wit::Obligation::Redact(fields),
        model::Obligation::Mask { fields, keep } => wit::Obligation::Mask(wit::Mask { fields, keep }),
        model::Obligation::CapRows { max } => wit::Obligation::CapRows(max),
        model::Obligation::Notify { channels } => wit::Obligation::Notify(channels),
        model::Obligation::SignMemory => wit::Obligation::SignMemory,
    }
}

fn approval(of: model::Approval) -> wit::Approval {
    let model::Approval { rule, approvers, quorum, timeout_ms, notify } = of;
    wit::Approval { rule, approvers, quorum, timeout_ms, notify }
}

fn shadow(of: model::Shadow) -> wit::Shadow {
    let model::Shadow { layer, verdict, code, rules } = of;
    wit::Shadow { layer, verdict: self::verdict(verdict), code: code.as_str().to_owned(), rules }
}

fn delta(of: model::Delta) -> wit::Delta {
    let model::Delta { session, charges, settlements, at } = of;
    wit::Delta {
        session,
        charges: charges.into_iter().map(charge).collect(),
        settlements: settlements.into_iter().map(settlement).collect(),
        at: at.to_string(),
    }
}

fn charge(of: model::Charge) -> wit::Charge {
    let model::Charge { limit, key, amount, ceiling, window_ms, exceeded, allow_if_unavailable } = of;
    let exceeded = match exceeded {
        model::Exceeded::Deny => wit::Exceeded::Deny,
        model::Exceeded::Escalate => wit::Exceeded::Escalate,
        model::Exceeded::Quarantine => wit::Exceeded::Quarantine,
    };
    wit::Charge {
        limit,
        key,
        amount: amount.0,
        ceiling: ceiling.0,
        window_ms,
        exceeded,
        allow_if_unavailable,
    }
}

fn settlement(of: model::Settlement) -> wit::Settlement {
    let model::Settlement { limit, key, reserved, actual, window_ms } = of;
    wit::Settlement { limit, key, reserved: reserved.0, actual: actual.0, window_ms }
}
