//! Why a call gets its verdict: every candidate rule and how each part of it came out. Data; the host draws it.

use placet_cel::{EvalError, OpenPool};
use placet_model::{Call, Facts, SessionFact, Stage, Verdict};

use crate::constrain;
use crate::decide::{candidates, scope_of, tool_of};
use crate::env::{CallEnv, SessionView};
use crate::matching::{Context, Match};
use crate::policy::PolicySet;
use crate::select;
use crate::session::SessionState;

/// What came out of one part of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// It holds.
    Holds,
    /// It does not hold.
    Fails,
    /// It could not be evaluated.
    Errs(String),
}

/// One candidate rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleTrace {
    /// Index into [`PolicySet::rules`].
    pub rule: u32,
    /// `layer/id`
    pub name: String,
    /// What a match means.
    pub outcome: Verdict,
    /// The rule's own selector.
    pub applies: bool,
    /// Each named argument, and `others` when arguments are there that the rule does not name.
    pub args: Vec<(String, Part)>,
    /// The condition, when there is one.
    pub when: Option<Part>,
    /// The rule as a whole.
    pub matched: Part,
}

/// Why a call gets its verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Every policy file that may concern the tenant: index into [`PolicySet::files`], and whether it applies.
    pub files: Vec<(u32, bool)>,
    /// Rules that the index found, sorted as the policy has them.
    pub rules: Vec<RuleTrace>,
    /// How many rules the policy has.
    pub total: usize,
}

/// Explains a call.
pub fn explain(set: &PolicySet, pool: &OpenPool, call: &Call<'_>, facts: &Facts<'_>) -> Explanation {
    let files = select::files(set, call).unwrap_or_default();
    let state = match facts.session {
        SessionFact::Fresh => Some(SessionState::default()),
        SessionFact::Stored(bytes) => SessionState::decode(bytes),
        SessionFact::Unavailable => None,
    };
    let view = match (&call.session, &state) {
        (None, _) => SessionView::None,
        (_, None) => SessionView::Unavailable,
        (_, Some(state)) => SessionView::Known(state, state.clock(call.now)),
    };
    let found = set.index.find(&call.tool);
    let partial = call.stage == Stage::List;
    let tool = tool_of(set, found.tools, &files);
    let cx = Context::new(set, pool, call, CallEnv::new(pool, call, tool, view, partial), partial);
    scope_of(&cx, tool);
    let buckets: Vec<_> = found.buckets().collect();
    let rules = candidates(&cx, &files, &buckets).into_iter().filter_map(|r| trace(&cx, r)).collect();
    let concerned = set.index.files(&call.tenant).map(|file| (file, files.contains(&file)));
    Explanation { files: concerned.collect(), rules, total: set.rules.len() }
}

fn trace(cx: &Context<'_>, index: u32) -> Option<RuleTrace> {
    let rule = cx.set.rules.get(index as usize)?;
    let mut args = Vec::new();
    for (name, constraint) in rule.args.iter().flat_map(|shape| &shape.fields) {
        let value = cx.call.args.get(name);
        args.push((name.clone(), part(constrain::matches(constraint, value, cx.pool))));
    }
    if let Some(shape) = rule.args.as_ref().filter(|shape| !shape.others) {
        let unnamed = |name: &str| !shape.fields.iter().any(|(field, _)| field == name);
        let stray: Vec<String> =
            cx.call.args.members().map(|(name, _)| name.into_owned()).filter(|n| unnamed(n)).collect();
        args.extend(stray.into_iter().map(|name| (name, Part::Fails)));
    }
    Some(RuleTrace {
        rule: index,
        name: cx.set.qualified(rule.file, &rule.id),
        outcome: rule.outcome,
        applies: select::selects(&rule.applies, cx.call),
        args,
        when: rule.when.as_ref().map(|when| part(cx.holds(Some(when)))),
        matched: match cx.matches(rule) {
            Match::No => Part::Fails,
            Match::Yes => Part::Holds,
            Match::Error(error) => Part::Errs(error.to_string()),
        },
    })
}

fn part(result: Result<bool, EvalError>) -> Part {
    match result {
        Ok(true) => Part::Holds,
        Ok(false) => Part::Fails,
        Err(error) => Part::Errs(error.to_string()),
    }
}
