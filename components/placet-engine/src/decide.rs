//! The central function. It reads as the semantics do: which files apply, what each layer says, how layers combine,
//! then what limits, memory and obligations add.

use placet_cel::value::Str;
use placet_cel::{ErrorKind, EvalError, OpenPool, Value};
use placet_model::{
    Approval, Call, Code, Decision, Delta, Facts, Obligation, SessionFact, Shadow, Stage, Verdict,
};

use crate::constrain::normal_text;
use crate::env::{CallEnv, SessionView};
use crate::index::{Bucket, Key, KeySource, RuleGroup};
use crate::layers::{self, Layer};
use crate::limits;
use crate::matching::Context;
use crate::memory;
use crate::policy::{PolicySet, Tool};
use crate::session::SessionState;
use crate::{scope, select};

/// Decides one call. Total: there is a decision for every input. The same policy, call and facts give the same
/// decision, on every host.
///
/// A decision that carries charges is provisional: the host asks its store to take them, and when it does not, calls
/// again with [`Facts::answer`] set.
pub fn decide(set: &PolicySet, pool: &OpenPool, call: &Call<'_>, facts: &Facts<'_>) -> Decision {
    let refuse = |code, reason: &str| Decision { delta: at(call), ..Decision::deny(code, reason, "") };
    if !call.grants.is_empty() {
        return refuse(
            Code::GrantUnverified,
            "The call carries grants, and this decision point cannot verify any.",
        );
    }
    let files = match select::files(set, call) {
        None => return refuse(Code::NoPolicy, "The tenant is not known."),
        Some(files) if files.is_empty() => return refuse(Code::NoPolicy, "No policy applies to the call."),
        Some(files) => files,
    };
    let state = match facts.session {
        SessionFact::Fresh => Some(SessionState::default()),
        SessionFact::Stored(bytes) => SessionState::decode(bytes),
        SessionFact::Unavailable => None,
    };
    let view = match (&call.session, &state) {
        (None, _) => SessionView::None,
        (Some(_), None) => SessionView::Unavailable,
        (Some(_), Some(state)) => SessionView::Known(state, state.clock(call.now)),
    };
    let found = set.index.find(&call.tool);
    let tool = tool_of(set, found.tools, &files);
    let partial = call.stage == Stage::List;
    let env = CallEnv::new(pool, call, tool, view, partial);
    let cx = Context::new(set, pool, call, env, partial);
    let buckets: Vec<&Bucket> = found.buckets().collect();
    let (ruling, shadow) = rule(&cx, &files, tool, &buckets);
    let mut decision = settle(&cx, &files, &buckets, view, facts, ruling);
    decision.shadow = shadow;
    decision
}

/// What the rules say, and what stands behind it.
pub(crate) struct Ruling {
    pub verdict: Verdict,
    pub code: Code,
    pub rules: Vec<String>,
    pub reason: String,
    pub approvals: Vec<Approval>,
    pub obligations: Vec<Obligation>,
}

/// What the layers say, enforced and in shadow.
pub(crate) fn rule<'a>(
    cx: &Context<'a>,
    files: &[u32],
    tool: Option<&'a Tool>,
    buckets: &[&Bucket],
) -> (Ruling, Vec<Shadow>) {
    let scope = scope_of(cx, tool);
    let candidates = candidates(cx, files, buckets);
    let mut layers = layers::of(cx.set, files);
    for layer in &mut layers {
        if let Some(scope) = &scope {
            hold_scope(cx, layer, scope);
        }
        for rule in candidates.iter().filter_map(|&r| cx.set.rules.get(r as usize)) {
            if !layer.files.contains(&rule.file) || !layer.needs(rule.outcome) {
                continue;
            }
            layer.take(cx, rule, cx.matches(rule));
        }
    }
    layers::combine(cx, &layers)
}

/// The catalogue entry that applies: the compiler sees to it that there is at most one for any call.
pub(crate) fn tool_of<'a>(set: &'a PolicySet, tools: &[u32], files: &[u32]) -> Option<&'a Tool> {
    tools.iter().filter_map(|&t| set.tools.get(t as usize)).find(|tool| files.contains(&tool.file))
}

/// The capability scope of the call, when its tool has one; from now on `tool.scope` for conditions.
pub(crate) fn scope_of<'a>(cx: &Context<'a>, tool: Option<&'a Tool>) -> Option<Result<Str<'a>, EvalError>> {
    let program = tool?.scope.as_ref()?;
    Some(match cx.eval(program) {
        Ok(Value::Str(scope)) => {
            cx.env.set_scope(Some(scope.clone()));
            Ok(scope)
        }
        Ok(_) => Err(EvalError::new(ErrorKind::Type, "a tool's scope is not a string")),
        Err(error) => Err(error),
    })
}

/// Lets a layer's roles speak about the scope of the call.
fn hold_scope(cx: &Context<'_>, layer: &mut Layer<'_>, scope: &Result<Str<'_>, EvalError>) {
    let has_roles = cx.set.roles.iter().any(|role| layer.files.contains(&role.file));
    match scope {
        _ if !has_roles || !matches!(cx.call.stage, Stage::Call | Stage::List) => {}
        Ok(scope) if scope::permits(cx.set, &layer.files, cx.call, scope.as_str()) => {}
        Ok(_) => layer.deny_scope(None),
        // Partial evaluation: the scope will be known with the arguments.
        Err(error) if error.kind() == ErrorKind::Unknown => {}
        Err(error) => layer.deny_scope(Some(error.clone())),
    }
}

/// The rules that may match, sorted: those of the tool's buckets, as far as constants do not rule them out.
pub(crate) fn candidates(cx: &Context<'_>, files: &[u32], buckets: &[&Bucket]) -> Vec<u32> {
    // A catalogue is decided by the rules for calls.
    let stage = if cx.call.stage == Stage::List { Stage::Call } else { cx.call.stage };
    let mut found = Vec::new();
    for (of, group) in buckets.iter().flat_map(|bucket| &bucket.rules) {
        if *of == stage {
            gather(cx, group, &mut found);
        }
    }
    found.sort_unstable();
    found.dedup();
    found.retain(|&r| cx.set.rules.get(r as usize).is_some_and(|rule| files.contains(&rule.file)));
    found
}

fn gather(cx: &Context<'_>, group: &RuleGroup, found: &mut Vec<u32>) {
    use placet_cel::Env as _;
    found.extend_from_slice(&group.plain);
    for keyed in &group.keyed {
        match keyed.source {
            KeySource::Tenant => found.extend(keyed.get(&Key::Str(&cx.call.tenant))),
            KeySource::Path(path) => match cx.env.load(path) {
                Ok(value) if Key::is_many(&value) => found.extend_from_slice(&keyed.all),
                Ok(value) => {
                    found.extend(Key::of_value(&value).iter().flat_map(|key| keyed.get(key)));
                    // Constraints compare in NFC: the Kelvin sign is `K` to them.
                    if let Value::Str(text) = &value
                        && !text.as_str().is_ascii()
                    {
                        found.extend(keyed.get(&Key::Str(&normal_text(text.as_str()))));
                    }
                }
                // What cannot be read may make any of them err.
                Err(_) => found.extend_from_slice(&keyed.all),
            },
        }
    }
}

/// Limits, memory and obligations, on top of what the rules say.
fn settle<'a>(
    cx: &Context<'a>,
    files: &[u32],
    buckets: &[&Bucket],
    view: SessionView<'a>,
    facts: &Facts<'_>,
    ruling: Ruling,
) -> Decision {
    let active: Vec<u32> = files.iter().copied().filter(|&f| enforced(cx.set, f)).collect();
    let mut decision = Decision {
        verdict: ruling.verdict,
        code: ruling.code,
        rules: ruling.rules,
        reason: ruling.reason,
        obligations: ruling.obligations,
        approvals: ruling.approvals,
        shadow: Vec::new(),
        policy: String::new(),
        delta: at(cx.call),
    };
    limits::quarantine(cx, &active, view, &mut decision);
    if cx.call.stage == Stage::List {
        return decision;
    }
    let mut state = match view {
        SessionView::Known(state, _) => Some(state.clone()),
        SessionView::None | SessionView::Unavailable => None,
    };
    if decision.verdict == Verdict::Allow && cx.call.stage == Stage::Call {
        limits::session(cx, &active, buckets, view, &mut state, &mut decision);
    }
    if decision.verdict == Verdict::Allow {
        limits::charge(cx, &active, buckets, facts, &mut state, &mut decision);
    }
    if decision.verdict == Verdict::Allow {
        memory::remember(cx, files, buckets, view, &mut state, &mut decision);
    }
    if decision.verdict == Verdict::Allow {
        memory::oblige(cx, &active, buckets, &mut decision);
        for name in cx.relied_on() {
            decision.reason.push_str(&format!(" The store was out of reach, and `{name}` allows that."));
        }
    } else {
        // A call that may not run consumes nothing; a quarantine that it has earned stays.
        if let (SessionView::Known(before, _), Some(state)) = (view, &mut state) {
            let by = state.quarantined_by.take();
            *state = SessionState { quarantined_by: by, ..before.clone() };
        }
        decision.obligations.clear();
        decision.delta.charges.clear();
        decision.delta.settlements.clear();
    }
    if decision.verdict == Verdict::Deny && cx.call.stage == Stage::Call {
        limits::count_denial(cx, &active, buckets, view, &mut state);
    }
    memory::store(cx, view, state, &mut decision);
    decision
}

pub(crate) fn enforced(set: &PolicySet, file: u32) -> bool {
    set.files.get(file as usize).is_some_and(|f| !f.shadow)
}

fn at(call: &Call<'_>) -> Delta {
    Delta { at: call.now, ..Delta::default() }
}
