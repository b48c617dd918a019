//! Stage `list`: which tools an agent should see, and what it should know before it calls one.

use placet_cel::{ErrorKind, OpenPool};
use placet_model::{Call, Decision, Facts, Stage, Verdict};

use crate::constrain;
use crate::decide::{candidates, decide, scope_of, tool_of};
use crate::env::{CallEnv, SessionView};
use crate::matching::{Context, Match};
use crate::policy::{PolicySet, Rule};
use crate::residual::residual;
use crate::select;
use crate::session::SessionState;

/// Whether a tool can be allowed at all, for this principal, now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visibility {
    /// The tool.
    pub tool: String,
    /// `false`: no arguments whatever would be allowed, so the tool is left out of the catalogue.
    pub visible: bool,
    /// What the policy will ask of the arguments, in words; `None` when nothing depends on them.
    pub guidance: Option<String>,
}

/// Decides whether to show `call.tool`, by partial evaluation: arguments, resource and limits are not known yet.
pub fn visibility(set: &PolicySet, pool: &OpenPool, call: &Call<'_>, facts: &Facts<'_>) -> Visibility {
    let call = Call { stage: Stage::List, ..call.clone() };
    let decision: Decision = decide(set, pool, &call, facts);
    let visible = decision.verdict != Verdict::Deny;
    let guidance = if visible { guidance(set, pool, &call, facts) } else { None };
    Visibility { tool: call.tool.into_owned(), visible, guidance }
}

fn guidance(set: &PolicySet, pool: &OpenPool, call: &Call<'_>, facts: &Facts<'_>) -> Option<String> {
    let files = select::files(set, call)?;
    let state = match facts.session {
        placet_model::SessionFact::Stored(bytes) => SessionState::decode(bytes),
        placet_model::SessionFact::Fresh => Some(SessionState::default()),
        placet_model::SessionFact::Unavailable => None,
    };
    let view = match (&call.session, &state) {
        (None, _) => SessionView::None,
        (_, None) => SessionView::Unavailable,
        (_, Some(state)) => SessionView::Known(state, state.clock(call.now)),
    };
    let found = set.index.find(&call.tool);
    let tool = tool_of(set, found.tools, &files);
    let cx = Context::new(set, pool, call, CallEnv::new(pool, call, tool, view, true), true);
    scope_of(&cx, tool);
    let buckets: Vec<_> = found.buckets().collect();
    let mut clauses: [Vec<String>; 3] = Default::default();
    let mut free = false;
    for rule in candidates(&cx, &files, &buckets).into_iter().filter_map(|r| set.rules.get(r as usize)) {
        if !crate::decide::enforced(set, rule.file) {
            continue;
        }
        match cx.matches(rule) {
            Match::Yes => free |= rule.outcome == Verdict::Allow,
            Match::Error(error) if error.kind() == ErrorKind::Unknown => {
                if let Some(of) = clauses.get_mut(rule.outcome as usize) {
                    of.push(clause(&cx, rule));
                }
            }
            _ => {}
        }
    }
    let [allow, escalate, deny] = clauses;
    let mut sentences = Vec::new();
    for (words, clauses, said) in
        [("Allowed when", allow, !free), ("Needs approval when", escalate, true), ("Denied when", deny, true)]
    {
        if said && !clauses.is_empty() {
            sentences.push(format!("{words} {}.", clauses.join("; or when ")));
        }
    }
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// What a rule still asks for.
fn clause<'a>(cx: &Context<'a>, rule: &'a Rule) -> String {
    let shape = rule.args.iter().flat_map(|shape| &shape.fields);
    let mut parts: Vec<String> = shape
        .filter(|(_, constraint)| *constraint != placet_model::Constraint::Any)
        .map(|(name, constraint)| format!("{name} is {}", constrain::describe(constraint)))
        .collect();
    parts.extend(rule.when.as_ref().and_then(|program| residual(cx, program)));
    if parts.is_empty() { "the arguments are the ones expected".to_owned() } else { parts.join(" and ") }
}
