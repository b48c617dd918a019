//! Section 6: what sessions remember, and what limits count.

use std::collections::BTreeMap;

use placet_cel::{ErrorKind, EvalError, Value};
use placet_engine::policy::{Count, Limit, Per};
use placet_model::{Amount, Code, Exceeded, Number, Verdict};

use super::{Answer, Effects, Reasons, Reference, concerns, conclude};

/// A limit by name, the counter, and how much.
pub(super) type Charge<'a> = (String, &'a Limit, String, Amount);

/// Where counters live that sessions share.
const STATE: &str = "state";

impl<'a> Reference<'a> {
    /// The limits that concern the call, by name.
    pub(super) fn limits(&self, files: &[u32]) -> BTreeMap<String, &'a Limit> {
        let concern = |l: &&Limit| files.contains(&l.file) && concerns(&l.tools, &self.call.tool);
        let named = |l: &'a Limit| (self.set.qualified(l.file, &l.id), l);
        self.set.limits.iter().filter(concern).map(named).collect()
    }

    pub(super) fn quarantine(&self, active: &[u32], answer: &mut Answer) {
        let Some(session) = &self.session else { return };
        if self.outage.session {
            let may = |l: &&Limit| {
                active.contains(&l.file) && l.exceeded == Exceeded::Quarantine && !l.allow_if_unavailable
            };
            let blind = self.set.limits.iter().filter(may).map(|l| self.set.qualified(l.file, &l.id)).min();
            // What the rules deny is denied by them.
            if let (Some(by), true) = (blind, answer.verdict != Verdict::Deny) {
                stand_in_the_way(answer, Verdict::Deny, vec![(Code::StateUnavailable, by)]);
            }
        } else if let Some(by) = self.world.quarantined.get(session) {
            *answer = conclude(Verdict::Deny, vec![(Code::Quarantined, by.clone())]);
        }
    }

    /// Counters of the session: denials, and the same call again.
    pub(super) fn counters(&self, active: &[u32], answer: &mut Answer, effects: &mut Effects) {
        for (name, limit) in self.limits(active) {
            if matches!(limit.count, Count::Charges { .. }) {
                continue;
            }
            if self.session.is_some() && self.outage.session {
                if !limit.allow_if_unavailable {
                    stand_in_the_way(answer, Verdict::Deny, vec![(Code::StateUnavailable, name)]);
                }
                continue;
            }
            let (Some(session), Ok(key)) = (&self.session, self.key(limit, &name)) else {
                stand_in_the_way(answer, Verdict::Deny, vec![(Code::ConditionError, name)]);
                continue;
            };
            let one = u64::from(limit.count == Count::Identical);
            if self.sum(session, &key, limit) + one * Amount::ONE.0 > limit.max.0 {
                self.exceed(limit, &name, answer, effects);
            } else if one == 1 {
                effects.counted.push((session.clone(), key, self.now, Amount::ONE.0));
            }
        }
    }

    pub(super) fn charges(&self, active: &[u32], answer: &mut Answer) -> Vec<Charge<'a>> {
        let mut charges = Vec::new();
        for (name, limit) in self.limits(active) {
            let Count::Charges { cost, .. } = &limit.count else { continue };
            let amount = match cost.as_ref().map(|cost| self.eval(cost)) {
                None => Some(Amount::ONE),
                Some(Ok(Value::Int(i))) => Amount::from_number(Number::Int(i)),
                Some(Ok(Value::Double(d))) => Amount::from_number(Number::Double(d)),
                Some(_) => None,
            };
            match (amount, self.key(limit, &name)) {
                (Some(amount), Ok(key)) => charges.push((name, limit, key, amount)),
                _ => stand_in_the_way(answer, Verdict::Deny, vec![(Code::ConditionError, name)]),
            }
        }
        charges
    }

    pub(super) fn take(&self, charges: Vec<Charge<'a>>, answer: &mut Answer, effects: &mut Effects) {
        if charges.iter().all(|(.., amount)| amount.0 == 0) {
            return;
        }
        for (name, limit, key, amount) in charges {
            if self.outage.store {
                if !limit.allow_if_unavailable {
                    stand_in_the_way(answer, Verdict::Deny, vec![(Code::StateUnavailable, name)]);
                }
            } else if amount.0 > 0 && self.sum(STATE, &key, limit) + amount.0 > limit.max.0 {
                self.exceed(limit, &name, answer, effects);
            } else {
                effects.counted.push((STATE.to_owned(), key, self.now, amount.0));
            }
        }
    }

    fn exceed(&self, limit: &Limit, name: &str, answer: &mut Answer, effects: &mut Effects) {
        let verdict = if limit.exceeded == Exceeded::Escalate { Verdict::Escalate } else { Verdict::Deny };
        stand_in_the_way(answer, verdict, vec![(Code::LimitExceeded, name.to_owned())]);
        if let (Exceeded::Quarantine, Some(session), false) =
            (limit.exceeded, &self.session, self.outage.session)
        {
            effects.quarantined.push((session.clone(), name.to_owned()));
        }
    }

    pub(super) fn remember(&self, files: &[u32], answer: &mut Answer, effects: &mut Effects) {
        let Some(session) = &self.session else { return };
        let mut failed = Reasons::new();
        for of in self.set.remember.iter().filter(|r| r.stage == self.call.stage && files.contains(&r.file)) {
            if !concerns(&of.tools, &self.call.tool) {
                continue;
            }
            let name = self.set.qualified(of.file, &format!("remember:{}", of.name));
            let enforced = !self.set.files[of.file as usize].shadow;
            if self.outage.session {
                failed
                    .extend((enforced && !of.allow_if_unavailable).then_some((Code::StateUnavailable, name)));
                continue;
            }
            let when = of.when.as_ref().map_or(Ok(true), |when| self.holds(when));
            let key = of.key.as_ref().map(|key| self.eval(key).map(|v| v.canonical_key()));
            match (when, key) {
                (Ok(false), _) => {}
                (Ok(true), None | Some(Ok(Some(_)))) => {
                    let until = of.for_ms.map_or(i128::MAX, |ms| self.now + i128::from(ms) * 1_000_000);
                    let key = key_of(of.key.as_ref().map(|key| self.eval(key)));
                    effects.memory.push((session.clone(), of.name.clone(), key, self.now, until));
                }
                _ => failed.extend(enforced.then_some((Code::ConditionError, name))),
            }
        }
        if !failed.is_empty() {
            stand_in_the_way(answer, Verdict::Deny, failed);
        }
    }

    /// A denied call consumes nothing but its own denial counters.
    pub(super) fn denied(&self, active: &[u32], effects: &mut Effects) {
        let Some(session) = self.session.as_ref().filter(|_| !self.outage.session) else { return };
        if self.world.quarantined.contains_key(session) || !effects.quarantined.is_empty() {
            return;
        }
        for (name, limit) in self.limits(active).into_iter().filter(|(_, l)| l.count == Count::Denied) {
            let Ok(key) = self.key(limit, &name) else { continue };
            if limit.exceeded == Exceeded::Quarantine
                && self.sum(session, &key, limit) + Amount::ONE.0 > limit.max.0
            {
                effects.quarantined.push((session.clone(), name));
            }
            effects.counted.push((session.clone(), key, self.now, Amount::ONE.0));
        }
    }

    fn sum(&self, place: &str, key: &str, limit: &Limit) -> u64 {
        let counts = |at: i128| self.now < at + i128::from(limit.window_ms) * 1_000_000;
        let of = self.world.counted.iter().filter(|(p, k, at, _)| p == place && k == key && counts(*at));
        of.map(|(.., amount)| amount).sum()
    }

    fn key(&self, limit: &'a Limit, name: &str) -> Result<String, EvalError> {
        let absent = || EvalError::new(ErrorKind::Missing, "absent");
        let mut key = vec![name.to_owned(), self.call.tenant.to_string()];
        for per in &limit.per {
            key.push(match per {
                Per::Tenant => self.call.tenant.to_string(),
                Per::Agent => self.call.agent.id.to_string(),
                Per::User => self.call.user.as_ref().ok_or_else(absent)?.id.to_string(),
                Per::Session => self.call.session.as_ref().ok_or_else(absent)?.to_string(),
                Per::Tool => self.call.tool.to_string(),
                Per::Expr(program) => self.eval(program)?.canonical_key().ok_or_else(absent)?,
            });
        }
        if limit.count == Count::Identical {
            let mut args = String::new();
            self.call.args.write_canonical(&mut args);
            key.extend([self.call.tool.to_string(), args]);
        }
        Ok(format!("{key:?}"))
    }
}

fn key_of(value: Option<Result<Value<'_>, EvalError>>) -> Option<String> {
    value.and_then(Result::ok).and_then(|value| value.canonical_key())
}

/// A limit or a memory adds its word: a stricter one replaces, an equal one joins, a milder one is not heard.
fn stand_in_the_way(answer: &mut Answer, verdict: Verdict, reasons: Reasons) {
    if verdict > answer.verdict {
        let first = reasons.iter().min_by(|a, b| a.1.cmp(&b.1)).map_or(Code::Denied, |(code, _)| *code);
        *answer = Answer { verdict, code: first, rules: Vec::new() };
    }
    if verdict == answer.verdict {
        answer.rules.extend(reasons.into_iter().map(|(_, name)| name));
        answer.rules.sort();
        answer.rules.dedup();
    }
}
