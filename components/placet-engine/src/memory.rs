//! What an allowed call leaves behind: memory in the session, obligations on the result.

use placet_cel::EvalError;
use placet_model::{Code, Decision, Obligation, Stage, Verdict};

use crate::env::{SessionView, memory_key};
use crate::index::Bucket;
use crate::matching::Context;
use crate::policy::Remember;
use crate::session::{Event, SessionState};

/// Remembers what the policy says of an allowed call or a result. What should be remembered and cannot be denies:
/// nothing that a rule may depend on is forgotten silently.
pub fn remember<'a>(
    cx: &Context<'a>,
    files: &[u32],
    buckets: &[&Bucket],
    view: SessionView<'a>,
    state: &mut Option<SessionState>,
    decision: &mut Decision,
) {
    let mut found: Vec<u32> = buckets.iter().flat_map(|bucket| &bucket.remember).copied().collect();
    found.sort_unstable();
    found.dedup();
    let mut failed = Vec::new();
    for remember in found.into_iter().filter_map(|r| cx.set.remember.get(r as usize)) {
        if remember.stage != cx.call.stage || !files.contains(&remember.file) {
            continue;
        }
        let (state, now) = match (view, state.as_mut()) {
            (SessionView::Known(_, now), Some(state)) => (state, now),
            // Without a session nothing can be asked of it later: every condition that does errs.
            (SessionView::None, _) => continue,
            _ if remember.allow_if_unavailable => {
                if crate::decide::enforced(cx.set, remember.file) {
                    cx.rely_on(cx.set.qualified(remember.file, &format!("remember:{}", remember.name)));
                }
                continue;
            }
            _ => {
                let reason = "State that the policy needs is unavailable.".to_owned();
                failed.push((remember, Code::StateUnavailable, reason));
                continue;
            }
        };
        if let Err(error) = take(cx, remember, state, now) {
            let reason = format!("What the policy remembers of the call could not be evaluated: {error}.");
            failed.push((remember, Code::ConditionError, reason));
        }
    }
    deny(cx, failed, decision);
}

fn take<'a>(
    cx: &Context<'a>,
    remember: &'a Remember,
    state: &mut SessionState,
    now: i128,
) -> Result<(), EvalError> {
    if !cx.holds(remember.when.as_ref())? {
        return Ok(());
    }
    let key = remember.key.as_ref().map(|key| memory_key(&cx.eval(key)?)).transpose()?;
    let until = remember.for_ms.map(|ms| now.saturating_add(i128::from(ms) * 1_000_000));
    state.remember(&remember.name, key, Event { at: now, until }, remember.counted);
    Ok(())
}

/// Denies for what could not be remembered; of several, the first by name gives the code.
fn deny(cx: &Context<'_>, failed: Vec<(&Remember, Code, String)>, decision: &mut Decision) {
    // A file in shadow mode may not stand in the way.
    let enforced = failed.into_iter().filter(|(of, ..)| crate::decide::enforced(cx.set, of.file));
    let name = |of: &Remember| cx.set.qualified(of.file, &format!("remember:{}", of.name));
    let mut named: Vec<_> = enforced.map(|(of, code, reason)| (name(of), code, reason)).collect();
    named.sort();
    if let Some((_, code, reason)) = named.first() {
        decision.verdict = Verdict::Deny;
        decision.code = *code;
        decision.reason.clone_from(reason);
        decision.rules = named.into_iter().map(|(name, ..)| name).collect();
        decision.rules.dedup();
    }
}

/// Adds the obligations on results, and brings all of them into one order.
pub fn oblige(cx: &Context<'_>, files: &[u32], buckets: &[&Bucket], decision: &mut Decision) {
    if matches!(cx.call.stage, Stage::Call | Stage::Result) {
        let found = buckets.iter().flat_map(|bucket| &bucket.results);
        let rules = found.filter_map(|&r| cx.set.results.get(r as usize)).filter(|r| files.contains(&r.file));
        decision.obligations.extend(rules.flat_map(|rule| rule.obligations.iter().cloned()));
    }
    let of = &mut decision.obligations;
    // Of several caps the smallest is the one to keep to.
    let cap =
        of.iter().filter_map(|o| if let Obligation::CapRows { max } = o { Some(*max) } else { None }).min();
    of.retain(|o| !matches!(o, Obligation::CapRows { max } if Some(*max) != cap));
    of.sort();
    of.dedup();
}

/// Asks for the session's new state, when it has changed. One that does not fit denies the call.
pub fn store(cx: &Context<'_>, view: SessionView<'_>, state: Option<SessionState>, decision: &mut Decision) {
    let (SessionView::Known(before, now), Some(state)) = (view, state) else { return };
    if *before == state {
        return;
    }
    match state.encode(now, cx.set.bounds.session_bytes) {
        Ok(bytes) => decision.delta.session = Some(bytes),
        Err(_) if decision.verdict == Verdict::Deny => {}
        Err(_) => {
            *decision = Decision {
                delta: placet_model::Delta { at: cx.call.now, ..Default::default() },
                shadow: std::mem::take(&mut decision.shadow),
                ..Decision::deny(Code::SessionFull, "The session's memory is full.", "")
            };
        }
    }
}
