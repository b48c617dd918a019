//! The decision function once more, slowly: written from sections 2 to 4 and 6 of the semantics, without an index,
//! without encoded state, scanning everything. Of the engine it uses the constraints, of CEL the evaluator; both
//! have their own tests.

mod state;
mod variables;

use std::collections::BTreeMap;

use placet_cel::{Budget, ErrorKind, EvalError, OpenPool, Program, Value, eval};
use placet_engine::PolicySet;
use placet_engine::constrain;
use placet_engine::policy::{PrincipalSelector, Role, Rule, Selector, Tool};
use placet_model::{Call, Code, Json, Principal, Stage, Verdict};

/// What is compared.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub verdict: Verdict,
    pub code: Code,
    /// Sorted.
    pub rules: Vec<String>,
}

/// What is out of reach at this call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outage {
    pub session: bool,
    pub store: bool,
}

/// Everything that happened before, kept as it happened.
#[derive(Default)]
pub struct World {
    /// `(session, name, key, at, until)`
    memory: Vec<(String, String, Option<String>, i128, i128)>,
    /// `(session or store, limit and key, at, amount)`
    counted: Vec<(String, String, i128, u64)>,
    /// Quarantined sessions, and by what.
    quarantined: BTreeMap<String, String>,
}

/// Whether a part holds; an error never says no.
type Holds = Result<bool, EvalError>;
/// Why a layer or limit stands in the way, the strongest first.
type Reasons = Vec<(Code, String)>;

struct Reference<'a> {
    set: &'a PolicySet,
    pool: &'a OpenPool,
    call: &'a Call<'a>,
    text: Json<'a>,
    tool: Option<&'a Tool>,
    scope: Option<String>,
    world: &'a World,
    outage: Outage,
    session: Option<String>,
    now: i128,
}

impl World {
    /// Decides a call, and keeps what comes of it.
    pub fn decide(&mut self, set: &PolicySet, pool: &OpenPool, text: &str, outage: Outage) -> Answer {
        let call = crate::calls::read(text);
        let session = call.session.as_ref().map(|id| format!("{}/{id}", call.tenant));
        let known = set.tenants.as_ref().is_none_or(|tenants| tenants.iter().any(|t| *t == call.tenant));
        let files: Vec<u32> =
            (0..set.files.len() as u32).filter(|f| selects(&set.files[*f as usize].applies, &call)).collect();
        if !known || files.is_empty() {
            return Answer { verdict: Verdict::Deny, code: Code::NoPolicy, rules: Vec::new() };
        }
        let tool = set.tools.iter().find(|t| t.name == call.tool && files.contains(&t.file));
        let text = Json::parse(text.as_bytes(), 1 << 20, 128).unwrap();
        let now = call.now.nanos_since_epoch();
        let world = &*self;
        let mut of =
            Reference { set, pool, call: &call, text, tool, scope: None, world, outage, session, now };
        let (answer, effects) = of.all(&files);
        self.memory.extend(effects.memory);
        self.counted.extend(effects.counted);
        for (session, by) in effects.quarantined {
            self.quarantined.entry(session).or_insert(by);
        }
        answer
    }
}

#[derive(Default)]
struct Effects {
    memory: Vec<(String, String, Option<String>, i128, i128)>,
    counted: Vec<(String, String, i128, u64)>,
    quarantined: Vec<(String, String)>,
}

impl<'a> Reference<'a> {
    fn all(&mut self, files: &[u32]) -> (Answer, Effects) {
        let set = self.set;
        let active: Vec<u32> = files.iter().copied().filter(|f| !set.files[*f as usize].shadow).collect();
        let scope = self.tool.and_then(|t| t.scope.as_ref()).map(|p| match self.eval(p)? {
            Value::Str(s) => Ok(s.as_str().to_owned()),
            _ => Err(EvalError::new(ErrorKind::Type, "not a string")),
        });
        self.scope = scope.clone().and_then(Result::ok);
        let mut answer = self.rules(&active, &scope);
        let mut effects = Effects::default();
        self.quarantine(&active, &mut answer);
        let at_call = self.call.stage == Stage::Call;
        let mut charges = Vec::new();
        if answer.verdict == Verdict::Allow && at_call {
            self.counters(&active, &mut answer, &mut effects);
        }
        if answer.verdict == Verdict::Allow && at_call {
            charges = self.charges(&active, &mut answer);
        }
        if answer.verdict == Verdict::Allow {
            self.remember(files, &mut answer, &mut effects);
        }
        // The store is asked last, and only for what nothing else stands in the way of.
        if answer.verdict == Verdict::Allow {
            self.take(charges, &mut answer, &mut effects);
        }
        if answer.verdict != Verdict::Allow {
            // What may not run consumes nothing; what it earned by exceeding a limit stays.
            effects.memory.clear();
            effects.counted.clear();
        }
        if answer.verdict == Verdict::Deny && self.call.stage == Stage::Call {
            self.denied(&active, &mut effects);
        }
        answer.rules.sort();
        (answer, effects)
    }

    /// Sections 3 and 4.
    fn rules(&self, active: &[u32], scope: &Option<Result<String, EvalError>>) -> Answer {
        let mut said: Vec<(Verdict, Reasons)> = Vec::new();
        let root = active.iter().map(|f| self.set.files[*f as usize].layer).min();
        for layer in 0..self.set.layers.len() as u32 {
            let files: Vec<u32> =
                active.iter().copied().filter(|f| self.set.files[*f as usize].layer == layer).collect();
            if !files.is_empty() {
                said.extend(self.layer(&files, Some(layer) == root, scope));
            }
        }
        let Some(verdict) = said.iter().map(|(verdict, _)| *verdict).max() else {
            let code = if active.is_empty() { Code::ShadowOnly } else { Code::Allowed };
            return Answer { verdict: Verdict::Allow, code, rules: Vec::new() };
        };
        let reasons = said.into_iter().filter(|(v, _)| *v == verdict).flat_map(|(_, reasons)| reasons);
        conclude(verdict, reasons.collect())
    }

    fn layer(
        &self,
        files: &[u32],
        is_root: bool,
        scope: &Option<Result<String, EvalError>>,
    ) -> Option<(Verdict, Reasons)> {
        let mut of: BTreeMap<Verdict, Reasons> = BTreeMap::new();
        let (mut lame, mut lost) = (Reasons::new(), Reasons::new());
        for rule in self.set.rules.iter().filter(|r| files.contains(&r.file)) {
            if rule.stage != self.call.stage || !concerns(&rule.tools, &self.call.tool) {
                continue;
            }
            let name = self.set.qualified(rule.file, &rule.id);
            let plain = match rule.outcome {
                Verdict::Allow => Code::Allowed,
                Verdict::Escalate => Code::ApprovalRequired,
                Verdict::Deny => Code::Denied,
            };
            match self.matches(rule) {
                Ok(false) => {}
                Ok(true) => of.entry(rule.outcome).or_default().push((plain, name)),
                // `on_unavailable: allow`: the rule stands in nobody's way.
                Err(e) if e.kind() == ErrorKind::Unavailable && rule.allow_if_unavailable => {
                    if rule.outcome == Verdict::Allow {
                        of.entry(Verdict::Allow).or_default().push((plain, name));
                    }
                }
                Err(e) if rule.outcome == Verdict::Allow => lame.push((code_of(&e), name)),
                // Section 6: without state the call is denied, unless the rule says otherwise.
                Err(e) if rule.outcome == Verdict::Escalate && e.kind() == ErrorKind::Unavailable => {
                    lost.push((Code::StateUnavailable, name));
                }
                Err(e) => of.entry(rule.outcome).or_default().push((code_of(&e), name)),
            }
        }
        let roles: Vec<&Role> = self.set.roles.iter().filter(|r| files.contains(&r.file)).collect();
        if let (Some(scope), false, Stage::Call) = (scope, roles.is_empty(), self.call.stage) {
            let code = match scope {
                Ok(scope) if self.may_all(&roles, files, scope) => None,
                Ok(_) => Some(Code::ScopeDenied),
                Err(e) => Some(code_of(e)),
            };
            let name = self.set.qualified(files[0], "roles");
            of.entry(Verdict::Deny).or_default().extend(code.map(|code| (code, name)));
            of.retain(|_, reasons| !reasons.is_empty());
        }
        if !lost.is_empty() {
            of.entry(Verdict::Deny).or_insert(lost);
        }
        if let Some(strictest) = of.pop_last() {
            return Some(strictest);
        }
        let default_deny = is_root || files.iter().any(|f| self.set.files[*f as usize].default_deny);
        if !default_deny || self.call.stage != Stage::Call {
            return None;
        }
        Some((Verdict::Deny, if lame.is_empty() { vec![(Code::DefaultDeny, String::new())] } else { lame }))
    }

    fn matches(&self, rule: &'a Rule) -> Holds {
        let mut parts = vec![Ok(selects(&rule.applies, self.call))];
        if let Some(shape) = &rule.args {
            let args: Vec<(String, Json<'_>)> =
                self.call.args.members().map(|(name, value)| (name.into_owned(), value)).collect();
            let named = |name: &str| shape.fields.iter().any(|(field, _)| field == name);
            parts.push(Ok(shape.others || args.iter().all(|(name, _)| named(name))));
            for (field, constraint) in &shape.fields {
                let value = args.iter().find(|(name, _)| name == field).map(|(_, value)| *value);
                parts.push(constrain::matches(constraint, value, self.pool));
            }
        }
        // The first error speaks, and the condition comes last.
        parts.extend(rule.when.as_ref().map(|when| self.holds(when)));
        if parts.iter().any(|part| matches!(part, Ok(false))) {
            Ok(false)
        } else {
            parts.into_iter().collect::<Result<Vec<_>, _>>().map(|_| true)
        }
    }

    fn eval(&self, program: &'a Program) -> Result<Value<'a>, EvalError> {
        eval(program, self.pool, self, &mut Budget::new(100_000, 1 << 20))
    }

    fn holds(&self, condition: &'a Program) -> Holds {
        match self.eval(condition)? {
            Value::Bool(holds) => Ok(holds),
            _ => Err(EvalError::new(ErrorKind::Type, "not a boolean")),
        }
    }

    /// The agent, its user and every actor between them.
    fn may_all(&self, roles: &[&Role], files: &[u32], scope: &str) -> bool {
        let owned = |of: &[std::borrow::Cow<'_, str>]| of.iter().map(|s| s.to_string()).collect::<Vec<_>>();
        let user = self.call.user.as_ref().map(|u| (owned(&u.roles), owned(&u.scopes)));
        let chain = self.call.chain.iter().map(|actor| {
            let known = self.set.actors.iter().filter(|a| files.contains(&a.file) && a.id == *actor);
            (known.flat_map(|a| a.roles.clone()).collect(), Vec::new())
        });
        let agent = (owned(&self.call.agent.roles), Vec::new());
        user.into_iter().chain(chain).chain([agent]).all(|(held, scopes): (Vec<String>, Vec<String>)| {
            let covers = |globs: &[String]| globs.iter().any(|g| glob(g, scope));
            let mine = || roles.iter().filter(|r| held.contains(&r.name));
            let spoken_of = roles.iter().any(|r| covers(&r.allow) || covers(&r.deny));
            let stranger = mine().count() == 0 && scopes.is_empty() && !spoken_of;
            !mine().any(|r| covers(&r.deny))
                && (mine().any(|r| covers(&r.allow)) || covers(&scopes) || stranger)
        })
    }
}

/// The verdict with the strongest of its reasons for a code, and all names.
fn conclude(verdict: Verdict, mut reasons: Reasons) -> Answer {
    let rank = |code: Code| {
        use Code::{ApprovalRequired, ConditionError, Denied, ScopeDenied, StateUnavailable};
        [Denied, ApprovalRequired, ScopeDenied, ConditionError, StateUnavailable]
            .iter()
            .position(|c| *c == code)
            .unwrap_or(if code == Code::DefaultDeny { 9 } else { 0 })
    };
    reasons.sort_by_key(|(code, _)| rank(*code));
    let code = reasons.first().map_or(Code::DefaultDeny, |(code, _)| *code);
    let rules = reasons.into_iter().map(|(_, name)| name).filter(|name| !name.is_empty()).collect();
    Answer { verdict, code, rules }
}

fn code_of(error: &EvalError) -> Code {
    if error.kind() == ErrorKind::Unavailable { Code::StateUnavailable } else { Code::ConditionError }
}

fn concerns(patterns: &[String], tool: &str) -> bool {
    patterns.iter().any(|pattern| glob(pattern, tool))
}

fn glob(pattern: &str, text: &str) -> bool {
    fn fits(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|n| fits(rest, &text[n..])),
            ['?', rest @ ..] => !text.is_empty() && fits(rest, &text[1..]),
            ['\\', c, rest @ ..] | [c, rest @ ..] => text.first() == Some(c) && fits(rest, &text[1..]),
        }
    }
    fits(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>())
}

fn selects(of: &Selector, call: &Call<'_>) -> bool {
    let fits = |globs: &[String], text: Option<&str>| {
        globs.is_empty() || text.is_some_and(|text| globs.iter().any(|g| glob(g, text)))
    };
    let who = |of: &PrincipalSelector, who: Option<&Principal<'_>>| {
        let holds = |p: &Principal<'_>| of.roles.iter().any(|role| p.roles.iter().any(|r| r == role));
        fits(&of.ids, who.map(|p| &*p.id)) && (of.roles.is_empty() || who.is_some_and(holds))
    };
    (of.tenants.is_empty() || of.tenants.iter().any(|t| *t == call.tenant))
        && fits(&of.projects, call.project.as_deref())
        && fits(&of.envs, call.env.as_deref())
        && who(&of.agents, Some(&call.agent))
        && who(&of.users, call.user.as_ref())
}
