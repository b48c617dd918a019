//! Combining: within a layer deny, then escalate, then allow, then the default; between layers the most restrictive.

use placet_cel::{ErrorKind, EvalError};
use placet_model::{Approval, Code, Obligation, Shadow, Stage, Verdict};

use crate::decide::Ruling;
use crate::matching::{Context, Match};
use crate::policy::{ApprovalSpec, PolicySet, Rule};

/// What one layer (its enforced files, or those in shadow) says of a call.
pub struct Layer<'a> {
    name: &'a str,
    /// Indexes of its files that apply.
    pub files: Vec<u32>,
    default_deny: bool,
    shadow: bool,
    /// Matched rules, by outcome: allow, escalate, deny.
    allow: Vec<Hit<'a>>,
    escalate: Vec<Hit<'a>>,
    deny: Vec<Hit<'a>>,
    /// Escalate rules that ask for state that is out of reach; they deny.
    lost: Vec<Hit<'a>>,
    /// Allow rules that could not be evaluated, and so do not count.
    lame: Vec<Hit<'a>>,
    scope: Option<Option<EvalError>>,
}

/// A rule that counts, and why.
struct Hit<'a> {
    rule: &'a Rule,
    error: Option<EvalError>,
}

/// The layers that apply, root first; the topmost enforced one denies what it does not decide.
pub fn of<'a>(set: &'a PolicySet, files: &[u32]) -> Vec<Layer<'a>> {
    let mut layers: Vec<(u32, Layer<'a>)> = Vec::new();
    for &file in files {
        let Some(policy) = set.files.get(file as usize) else { continue };
        let at = layers.iter().position(|(n, layer)| *n == policy.layer && layer.shadow == policy.shadow);
        let at = at.unwrap_or_else(|| {
            let name = set.layers.get(policy.layer as usize).map_or("", String::as_str);
            layers.push((policy.layer, Layer::new(name, policy.shadow)));
            layers.len() - 1
        });
        if let Some((_, layer)) = layers.get_mut(at) {
            layer.files.push(file);
            layer.default_deny |= policy.default_deny;
        }
    }
    layers.sort_by_key(|(number, layer)| (*number, layer.shadow));
    let mut layers: Vec<Layer<'a>> = layers.into_iter().map(|(_, layer)| layer).collect();
    if let Some(root) = layers.iter_mut().find(|layer| !layer.shadow) {
        root.default_deny = true;
    }
    layers
}

impl<'a> Layer<'a> {
    fn new(name: &'a str, shadow: bool) -> Layer<'a> {
        Layer {
            name,
            files: Vec::new(),
            default_deny: false,
            shadow,
            allow: Vec::new(),
            escalate: Vec::new(),
            deny: Vec::new(),
            lost: Vec::new(),
            lame: Vec::new(),
            scope: None,
        }
    }

    /// Whether a rule with this outcome can still change what the layer says.
    pub fn needs(&self, outcome: Verdict) -> bool {
        outcome == Verdict::Deny || (self.deny.is_empty() && self.scope.is_none())
    }

    /// Takes up what a rule says. An error falls on the safe side.
    pub fn take(&mut self, cx: &Context<'_>, rule: &'a Rule, matched: Match) {
        let error = match matched {
            Match::No => return,
            Match::Yes => None,
            Match::Error(error) => Some(error),
        };
        let lost = error.as_ref().is_some_and(|error| error.kind() == ErrorKind::Unavailable);
        let unavailable = lost && rule.allow_if_unavailable;
        if unavailable && !self.shadow {
            cx.rely_on(format!("{}/{}", self.name, rule.id));
        }
        // Partial evaluation: what is open may still be allowed, and is not denied yet.
        let open = error.as_ref().is_some_and(|error| error.kind() == ErrorKind::Unknown);
        if open && rule.outcome == Verdict::Deny {
            return;
        }
        let erred = error.is_some() && !open;
        let hit = Hit { rule, error };
        match rule.outcome {
            Verdict::Deny if !unavailable => self.deny.push(hit),
            // Nobody can be asked about state that nobody can see.
            Verdict::Escalate if lost && !unavailable => self.lost.push(hit),
            Verdict::Escalate if !unavailable => self.escalate.push(hit),
            Verdict::Deny | Verdict::Escalate => {}
            Verdict::Allow if erred && !unavailable => self.lame.push(hit),
            Verdict::Allow => self.allow.push(hit),
        }
    }

    /// The layer's roles do not permit the call's scope, or it could not be computed.
    pub fn deny_scope(&mut self, error: Option<EvalError>) {
        self.scope = Some(error);
    }

    /// What the layer says; `None` when it adds nothing.
    fn verdict(&self, stage: Stage) -> Option<Verdict> {
        if !self.deny.is_empty() || self.scope.is_some() || !self.lost.is_empty() {
            Some(Verdict::Deny)
        } else if !self.escalate.is_empty() {
            Some(Verdict::Escalate)
        } else if !self.allow.is_empty() {
            Some(Verdict::Allow)
        } else if self.default_deny && matches!(stage, Stage::Call | Stage::List) {
            // What a call may return was decided with the call: later stages only narrow.
            Some(Verdict::Deny)
        } else {
            None
        }
    }

    /// The rules behind a denial: those that deny, else those that cannot ask, else those that could not allow.
    fn denying(&self) -> &[Hit<'a>] {
        if !self.deny.is_empty() || self.scope.is_some() {
            &self.deny
        } else if !self.lost.is_empty() {
            &self.lost
        } else {
            &self.lame
        }
    }

    fn names(&self, verdict: Verdict) -> Vec<String> {
        let hits = match verdict {
            Verdict::Allow => self.allow.as_slice(),
            Verdict::Escalate => self.escalate.as_slice(),
            Verdict::Deny => self.denying(),
        };
        let mut names: Vec<String> =
            hits.iter().map(|hit| format!("{}/{}", self.name, hit.rule.id)).collect();
        if verdict == Verdict::Deny && self.scope.is_some() {
            names.push(format!("{}/roles", self.name));
        }
        names.sort();
        names
    }

    fn code(&self, verdict: Verdict) -> Code {
        let plain = |hits: &[Hit<'_>]| hits.iter().any(|hit| hit.error.is_none());
        let broken = |hits: &[Hit<'_>]| {
            let of_scope = self.scope.iter().flatten().filter(|_| verdict == Verdict::Deny);
            let mut errors = hits.iter().filter_map(|hit| hit.error.as_ref()).chain(of_scope);
            let unavailable = errors.all(|error| error.kind() == ErrorKind::Unavailable);
            if unavailable { Code::StateUnavailable } else { Code::ConditionError }
        };
        match verdict {
            Verdict::Allow => Code::Allowed,
            Verdict::Escalate if plain(&self.escalate) => Code::ApprovalRequired,
            Verdict::Escalate => broken(&self.escalate),
            Verdict::Deny if plain(&self.deny) => Code::Denied,
            Verdict::Deny if matches!(self.scope, Some(None)) => Code::ScopeDenied,
            Verdict::Deny if !self.deny.is_empty() || self.scope.is_some() => broken(&self.deny),
            Verdict::Deny if !self.lost.is_empty() => Code::StateUnavailable,
            Verdict::Deny if !self.lame.is_empty() => broken(&self.lame),
            Verdict::Deny => Code::DefaultDeny,
        }
    }

    /// Words for the agent: the rules' own, else what went wrong.
    fn reasons(&self, verdict: Verdict) -> Vec<String> {
        let hits = match verdict {
            Verdict::Allow => self.allow.as_slice(),
            Verdict::Escalate => self.escalate.as_slice(),
            Verdict::Deny => self.denying(),
        };
        let of_hit = |hit: &Hit<'_>| match (&hit.error, &hit.rule.reason) {
            (Some(error), _) if verdict != Verdict::Allow => {
                Some(format!("A condition could not be evaluated: {error}."))
            }
            (_, reason) => reason.clone(),
        };
        let mut reasons: Vec<String> = hits.iter().filter_map(of_hit).collect();
        if let (Verdict::Deny, Some(Some(error))) = (verdict, &self.scope) {
            reasons.push(format!("The tool's scope could not be evaluated: {error}."));
        }
        reasons
    }
}

/// The most restrictive verdict of the enforced layers, and what those in shadow would have said.
pub(crate) fn combine(cx: &Context<'_>, layers: &[Layer<'_>]) -> (Ruling, Vec<Shadow>) {
    let stage = cx.call.stage;
    let enforced: Vec<(&Layer<'_>, Verdict)> =
        layers.iter().filter(|l| !l.shadow).filter_map(|l| Some((l, l.verdict(stage)?))).collect();
    let shadow = layers.iter().filter(|l| l.shadow).filter_map(|layer| {
        let verdict = layer.verdict(stage)?;
        Some(Shadow {
            layer: layer.name.to_owned(),
            verdict,
            code: layer.code(verdict),
            rules: layer.names(verdict),
        })
    });
    let Some(verdict) = enforced.iter().map(|(_, verdict)| *verdict).max() else {
        // Nothing enforced speaks: everything that applies is in shadow, or the stage is a later one.
        let only_shadow = layers.iter().all(|layer| layer.shadow);
        let code = if only_shadow { Code::ShadowOnly } else { Code::Allowed };
        return (plain(code, "Allowed."), shadow.collect());
    };
    let deciding: Vec<&Layer<'_>> =
        enforced.iter().filter(|(_, v)| *v == verdict).map(|(layer, _)| *layer).collect();
    let code = deciding.iter().map(|layer| layer.code(verdict)).min_by_key(|code| weight(*code));
    let code = code.unwrap_or(Code::DefaultDeny);
    let mut reasons: Vec<String> = deciding.iter().flat_map(|layer| layer.reasons(verdict)).collect();
    reasons.sort();
    reasons.dedup();
    if reasons.is_empty() {
        reasons.push(standard(code, &cx.call.tool));
    }
    let mut ruling = Ruling {
        verdict,
        code,
        rules: deciding.iter().flat_map(|layer| layer.names(verdict)).collect(),
        reason: reasons.join(" "),
        approvals: Vec::new(),
        obligations: Vec::new(),
    };
    for layer in deciding {
        match verdict {
            Verdict::Escalate => {
                ruling.approvals.extend(layer.escalate.iter().map(|hit| {
                    approval(&format!("{}/{}", layer.name, hit.rule.id), hit.rule.approval.as_ref())
                }))
            }
            Verdict::Allow => {
                ruling.obligations.extend(layer.allow.iter().flat_map(|h| h.rule.obligations.clone()))
            }
            Verdict::Deny => {}
        }
    }
    ruling.approvals.sort();
    (ruling, shadow.collect())
}

/// Which code speaks for several layers: a rule that matched before one that erred before a default.
fn weight(code: Code) -> u8 {
    match code {
        Code::Denied | Code::ApprovalRequired | Code::Allowed => 0,
        Code::ScopeDenied => 1,
        Code::ConditionError => 2,
        Code::StateUnavailable => 3,
        _ => 4,
    }
}

fn plain(code: Code, reason: &str) -> Ruling {
    Ruling {
        verdict: Verdict::Allow,
        code,
        rules: Vec::new(),
        reason: reason.to_owned(),
        approvals: Vec::new(),
        obligations: Vec::<Obligation>::new(),
    }
}

/// What an approval requirement asks for.
pub(crate) fn approval(rule: &str, spec: Option<&ApprovalSpec>) -> Approval {
    let ApprovalSpec { approvers, quorum, timeout_ms, notify } = spec.cloned().unwrap_or_default();
    Approval { rule: rule.to_owned(), approvers, quorum, timeout_ms, notify }
}

/// Words for codes whose rules give none.
fn standard(code: Code, tool: &str) -> String {
    match code {
        Code::Allowed => "Allowed.".to_owned(),
        Code::Denied => format!("Policy denies this call of `{tool}`."),
        Code::DefaultDeny => format!("No rule of the policy allows this call of `{tool}`."),
        Code::ApprovalRequired => format!("A person must approve this call of `{tool}`."),
        Code::ScopeDenied => {
            format!("The agent, its user or an actor between them may not do this with `{tool}`.")
        }
        _ => format!("This call of `{tool}` cannot be decided safely."),
    }
}
