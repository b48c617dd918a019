//! Limits: charges that the store takes, and counters that the session keeps.

use placet_cel::{ErrorKind, EvalError, Value};
use placet_model::json::write_string;
use placet_model::{
    Amount, Answer, Charge, Code, Decision, Exceeded, Facts, Number, Settlement, Stage, Verdict,
};

use crate::env::{SessionView, memory_key};
use crate::index::Bucket;
use crate::layers::approval;
use crate::matching::Context;
use crate::policy::{Count, Limit, Per};
use crate::session::SessionState;

/// The limits that concern the call, of enforced files that apply: sorted by name, so that the order of files changes
/// nothing.
fn applying<'a>(cx: &Context<'a>, files: &[u32], buckets: &[&Bucket]) -> Vec<(&'a Limit, String)> {
    let mut found: Vec<u32> = buckets.iter().flat_map(|bucket| &bucket.limits).copied().collect();
    found.sort_unstable();
    found.dedup();
    let limits = found.into_iter().filter_map(|l| cx.set.limits.get(l as usize));
    let of_files = limits.filter(|l| files.contains(&l.file));
    let mut named: Vec<_> = of_files.map(|l| (l, cx.set.qualified(l.file, &l.id))).collect();
    named.sort_by(|(_, a), (_, b)| a.cmp(b));
    named
}

/// Denies every call of a quarantined session, and, when a limit may quarantine and the state is out of reach, all.
pub fn quarantine(cx: &Context<'_>, files: &[u32], view: SessionView<'_>, decision: &mut Decision) {
    match view {
        SessionView::Known(state, _) => {
            if let Some(by) = &state.quarantined_by {
                deny(decision, Code::Quarantined, by, "The session is quarantined.");
            }
        }
        SessionView::Unavailable => {
            let may = |l: &&Limit| files.contains(&l.file) && l.exceeded == Exceeded::Quarantine;
            let (relied, strict): (Vec<&Limit>, Vec<&Limit>) =
                cx.set.limits.iter().filter(may).partition(|l| l.allow_if_unavailable);
            for limit in relied {
                cx.rely_on(cx.set.qualified(limit.file, &limit.id));
            }
            // What the rules deny is denied by them.
            let name = strict.iter().map(|l| cx.set.qualified(l.file, &l.id)).min();
            if let (Some(name), true) = (name, decision.verdict != Verdict::Deny) {
                unavailable(&name, decision);
            }
        }
        SessionView::None => {}
    }
}

/// Counters of the session: too many denials, or the same call too often.
pub fn session(
    cx: &Context<'_>,
    files: &[u32],
    buckets: &[&Bucket],
    view: SessionView<'_>,
    state: &mut Option<SessionState>,
    decision: &mut Decision,
) {
    for (limit, name) in applying(cx, files, buckets) {
        if matches!(limit.count, Count::Charges { .. }) {
            continue;
        }
        let (state, now) = match (view, state.as_mut()) {
            (SessionView::Known(_, now), Some(state)) => (state, now),
            (SessionView::Unavailable, _) | (_, None) if matches!(view, SessionView::Unavailable) => {
                if limit.allow_if_unavailable {
                    cx.rely_on(name);
                } else {
                    unavailable(&name, decision);
                }
                continue;
            }
            _ => {
                broken(decision, &name, &EvalError::new(ErrorKind::Missing, "the call has no `session`"));
                continue;
            }
        };
        let key = match counter_key(cx, limit) {
            Ok(key) => key,
            Err(error) => {
                broken(decision, &name, &error);
                continue;
            }
        };
        let window = i128::from(limit.window_ms) * 1_000_000;
        let count = Amount((state.count(&name, &key, now, window) as u64).saturating_mul(Amount::ONE.0));
        let over = match limit.count {
            // The call itself is one more of the same.
            Count::Identical => count.0.saturating_add(Amount::ONE.0) > limit.max.0,
            _ => count > limit.max,
        };
        if over {
            exceed(limit, &name, Some(state), decision);
        } else if limit.count == Count::Identical {
            state.tick(&name, &key, now, window);
        }
    }
}

/// Asks for the charges of the call, or applies the store's answer about them.
pub fn charge(
    cx: &Context<'_>,
    files: &[u32],
    buckets: &[&Bucket],
    facts: &Facts<'_>,
    state: &mut Option<SessionState>,
    decision: &mut Decision,
) {
    for (limit, name) in applying(cx, files, buckets) {
        let Count::Charges { cost, settle } = &limit.count else { continue };
        let result = match cx.call.stage {
            Stage::Call => prepare(cx, limit, &name, cost.as_ref()).map(|charge| {
                if charge.amount > Amount(0) {
                    decision.delta.charges.push(charge);
                }
            }),
            Stage::Result => match settle {
                None => Ok(()),
                Some(settle) => settlement(cx, limit, &name, cost.as_ref(), settle).map(|settlement| {
                    decision.delta.settlements.push(settlement);
                }),
            },
            Stage::Prompt | Stage::List => Ok(()),
        };
        if let Err(error) = result {
            broken(decision, &name, &error);
            continue;
        }
        match &facts.answer {
            Answer::Exceeded(limits) if limits.contains(&name) => {
                exceed(limit, &name, state.as_mut(), decision)
            }
            Answer::Unavailable if cx.call.stage == Stage::Call && !limit.allow_if_unavailable => {
                unavailable(&name, decision);
            }
            Answer::Unavailable if cx.call.stage == Stage::Call => cx.rely_on(name),
            _ => {}
        }
    }
    if facts.answer != Answer::NotAsked {
        decision.delta.charges.clear();
    }
    let order = |a: &Charge, b: &Charge| (&a.limit, &a.key).cmp(&(&b.limit, &b.key));
    decision.delta.charges.sort_by(order);
    if let Answer::Exceeded(limits) = &facts.answer
        && decision.verdict == Verdict::Allow
    {
        // The store names a limit that the policy does not have: nothing to go by.
        let name = limits.first().map_or("", String::as_str);
        deny(decision, Code::LimitExceeded, name, "A limit would be exceeded.");
    }
}

/// Counts a denied call, and quarantines the session when there have been too many.
pub fn count_denial(
    cx: &Context<'_>,
    files: &[u32],
    buckets: &[&Bucket],
    view: SessionView<'_>,
    state: &mut Option<SessionState>,
) {
    let (SessionView::Known(_, now), Some(state)) = (view, state.as_mut()) else { return };
    if state.quarantined_by.is_some() {
        return;
    }
    for (limit, name) in applying(cx, files, buckets) {
        if limit.count != Count::Denied {
            continue;
        }
        let Ok(key) = counter_key(cx, limit) else { continue };
        let window = i128::from(limit.window_ms) * 1_000_000;
        state.tick(&name, &key, now, window);
        let count = (state.count(&name, &key, now, window) as u64).saturating_mul(Amount::ONE.0);
        if limit.exceeded == Exceeded::Quarantine && count > limit.max.0 {
            state.quarantined_by.get_or_insert(name);
        }
    }
}

/// Applies what exceeding a limit means. Quarantine outweighs deny, deny outweighs escalate.
fn exceed(limit: &Limit, name: &str, state: Option<&mut SessionState>, decision: &mut Decision) {
    let reason = limit.reason.as_deref().unwrap_or("A limit would be exceeded.");
    match limit.exceeded {
        Exceeded::Deny => deny(decision, Code::LimitExceeded, name, reason),
        Exceeded::Quarantine => {
            deny(decision, Code::LimitExceeded, name, reason);
            if let Some(state) = state {
                state.quarantined_by.get_or_insert_with(|| name.to_owned());
            }
        }
        Exceeded::Escalate => {
            if decision.verdict == Verdict::Deny {
                return;
            }
            if decision.verdict == Verdict::Allow {
                decision.rules.clear();
                decision.reason = reason.to_owned();
            }
            decision.verdict = Verdict::Escalate;
            decision.code = Code::LimitExceeded;
            decision.rules.push(name.to_owned());
            decision.approvals.push(approval(name, limit.approval.as_ref()));
        }
    }
}

fn deny(decision: &mut Decision, code: Code, rule: &str, reason: &str) {
    // Among denials the first code stays, and every limit that denies is named.
    if decision.verdict != Verdict::Deny || code == Code::Quarantined {
        decision.code = code;
        decision.rules.clear();
        decision.reason = reason.to_owned();
        decision.approvals.clear();
    }
    decision.verdict = Verdict::Deny;
    if !decision.rules.iter().any(|r| r == rule) {
        decision.rules.push(rule.to_owned());
    }
}

fn broken(decision: &mut Decision, name: &str, error: &EvalError) {
    deny(decision, Code::ConditionError, name, &format!("A limit could not be evaluated: {error}."));
}

fn unavailable(name: &str, decision: &mut Decision) {
    deny(decision, Code::StateUnavailable, name, "State that the policy needs is unavailable.");
}

fn prepare<'a>(
    cx: &Context<'a>,
    limit: &'a Limit,
    name: &str,
    cost: Option<&'a placet_cel::Program>,
) -> Result<Charge, EvalError> {
    Ok(Charge {
        limit: name.to_owned(),
        key: key(cx, limit, name)?,
        amount: amount(cx, cost)?,
        ceiling: limit.max,
        window_ms: limit.window_ms,
        exceeded: limit.exceeded,
        allow_if_unavailable: limit.allow_if_unavailable,
    })
}

fn settlement<'a>(
    cx: &Context<'a>,
    limit: &'a Limit,
    name: &str,
    cost: Option<&'a placet_cel::Program>,
    settle: &'a placet_cel::Program,
) -> Result<Settlement, EvalError> {
    Ok(Settlement {
        limit: name.to_owned(),
        key: key(cx, limit, name)?,
        reserved: amount(cx, cost)?,
        actual: amount(cx, Some(settle))?,
        window_ms: limit.window_ms,
    })
}

fn amount<'a>(cx: &Context<'a>, cost: Option<&'a placet_cel::Program>) -> Result<Amount, EvalError> {
    let number = match cost.map(|program| cx.eval(program)).transpose()? {
        None => return Ok(Amount::ONE),
        Some(Value::Int(i)) => Number::Int(i),
        Some(Value::Uint(u)) => Number::Uint(u),
        Some(Value::Double(d)) => Number::Double(d),
        Some(_) => return Err(EvalError::new(ErrorKind::Type, "a cost is not a number")),
    };
    Amount::from_number(number)
        .ok_or_else(|| EvalError::new(ErrorKind::Value, "a cost is negative or too large to count"))
}

/// The counter's name: a JSON list, so that no two keys are spelled alike. The tenant always belongs to it.
fn key<'a>(cx: &Context<'a>, limit: &'a Limit, name: &str) -> Result<String, EvalError> {
    let mut out = String::from("[");
    write_string(&mut out, &cx.call.tenant);
    out.push(',');
    write_string(&mut out, name);
    for per in &limit.per {
        out.push(',');
        out.push_str(&part(cx, per)?);
    }
    out.push(']');
    Ok(out)
}

fn part<'a>(cx: &Context<'a>, per: &'a Per) -> Result<String, EvalError> {
    let absent = |what: &str| EvalError::new(ErrorKind::Missing, format!("the call has no `{what}`"));
    let call = cx.call;
    let text = match per {
        Per::Tenant => &*call.tenant,
        Per::Agent => &*call.agent.id,
        Per::User => &*call.user.as_ref().ok_or_else(|| absent("user"))?.id,
        Per::Session => call.session.as_deref().ok_or_else(|| absent("session"))?,
        Per::Tool => &*call.tool,
        Per::Expr(program) => return memory_key(&cx.eval(program)?),
    };
    let mut out = String::new();
    write_string(&mut out, text);
    Ok(out)
}

/// What tells the session's counters of one limit apart.
fn counter_key<'a>(cx: &Context<'a>, limit: &'a Limit) -> Result<String, EvalError> {
    let mut out = String::new();
    for per in &limit.per {
        if !matches!(per, Per::Session | Per::Tenant) {
            out.push_str(&part(cx, per)?);
            out.push(',');
        }
    }
    if limit.count == Count::Identical {
        let mut call = String::new();
        write_string(&mut call, &cx.call.tool);
        cx.call.args.write_canonical(&mut call);
        out.push_str(&format!("{:032x}", fnv128(call.as_bytes())));
    }
    Ok(out)
}

/// FNV-1a, 128 bits: tells calls apart; nobody gains by a collision, which only counts a call twice.
fn fnv128(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |h: u128, &b| {
        (h ^ u128::from(b)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    })
}
