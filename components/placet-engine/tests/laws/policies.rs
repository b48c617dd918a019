//! Generated policies.

use placet_cel::{Function, Program, Root};
use placet_engine::PolicySet;
use placet_engine::policy::{
    Actor, Count, Limit, Per, PolicyFile, PrincipalSelector, Remember, Role, Rule, Selector, Tool,
};
use placet_model::{Amount, Exceeded, Obligation, Stage, Verdict};

use crate::calls::TOOLS;
use crate::conditions::{Assembler, MEMORIES, shape};
use crate::tape::Tape;

const PATTERNS: &[&str] = &[
    "pay.send",
    "*",
    "pay.*",
    "*.send",
    "pay.refund",
    "crm.read",
    "?",
    "p*d",
    "é.*",
    "é.send",
    "?.send",
    "pay\\.send",
    "\\*",
    "x",
    "nothing",
    "*\\.read",
    "crm.read*",
];
const LAYERS: &[&str] = &["org", "team", "agent"];

/// A policy that is not sealed yet: laws change it first.
pub fn policy(tape: &mut Tape<'_>) -> PolicySet {
    let mut set =
        PolicySet { layers: LAYERS.iter().map(|l| (*l).to_owned()).collect(), ..PolicySet::default() };
    if tape.one_in(6) {
        set.tenants = Some(vec!["acme".to_owned(), "globex".to_owned()]);
    }
    for number in 0..1 + tape.below(4) {
        let file = PolicyFile {
            name: format!("f{number}"),
            layer: if number == 0 { 0 } else { tape.below(3) as u32 },
            applies: if number == 0 && !tape.one_in(4) { Selector::default() } else { selector(tape) },
            default_deny: tape.one_in(3),
            shadow: tape.one_in(if number == 0 { 12 } else { 6 }),
        };
        set.files.push(file);
    }
    if tape.one_in(2) {
        set.rules.push(allow_all());
    }
    for number in 0..1 + tape.below(16) {
        let file = file(tape, &set);
        let rule = rule(tape, &mut set, file, &format!("r{number}"));
        set.rules.push(rule);
    }
    for name in TOOLS {
        if tape.one_in(2) {
            let tool = tool(tape, &mut set, name);
            set.tools.push(tool);
        }
    }
    for number in 0..tape.below(4) {
        let limit = limit(tape, &mut set, &format!("limit{number}"));
        set.limits.push(limit);
    }
    for _ in 0..tape.below(4) {
        let remember = remember(tape, &mut set);
        set.remember.push(remember);
    }
    for name in ["finance", "rep"] {
        if tape.one_in(3) {
            let file = file(tape, &set);
            let (allow, deny) = (tape.few(3, &["pay:*", "crm:*", "*:a"]), tape.few(2, &["pay:b", "*:K"]));
            set.roles.push(Role { file, name: name.to_owned(), allow, deny });
        }
    }
    if tape.one_in(3) {
        let actor = Actor { file: file(tape, &set), id: "svc1".to_owned(), roles: vec!["rep".to_owned()] };
        set.actors.push(actor);
    }
    set
}

fn file(tape: &mut Tape<'_>, set: &PolicySet) -> u32 {
    tape.below(set.files.len()) as u32
}

fn principals(tape: &mut Tape<'_>, ids: &[&str]) -> PrincipalSelector {
    PrincipalSelector { ids: tape.few(3, ids), roles: tape.few(2, &["finance", "rep"]) }
}

fn selector(tape: &mut Tape<'_>) -> Selector {
    if !tape.one_in(3) {
        return Selector::default();
    }
    Selector {
        tenants: tape.few(3, &["acme", "globex"]),
        projects: tape.few(2, &["p?", "q"]),
        envs: tape.few(2, &["prod", "d*"]),
        agents: principals(tape, &["a*", "a1"]),
        users: if tape.one_in(4) { principals(tape, &["u*", "u2"]) } else { PrincipalSelector::default() },
    }
}

fn tools(tape: &mut Tape<'_>) -> Vec<String> {
    let mut tools: Vec<String> = (0..1 + tape.below(2)).map(|_| tape.text(PATTERNS)).collect();
    tools.sort();
    tools.dedup();
    tools
}

/// With it, more than denials happens.
fn allow_all() -> Rule {
    Rule {
        file: 0,
        id: "all".to_owned(),
        stage: Stage::Call,
        tools: vec!["*".to_owned()],
        applies: Selector::default(),
        args: None,
        when: None,
        outcome: Verdict::Allow,
        approval: None,
        obligations: Vec::new(),
        reason: None,
        allow_if_unavailable: false,
        keys: Vec::new(),
    }
}

/// A rule of this file.
pub fn rule(tape: &mut Tape<'_>, set: &mut PolicySet, file: u32, id: &str) -> Rule {
    let outcome = tape.pick(&[Verdict::Allow, Verdict::Allow, Verdict::Deny, Verdict::Escalate]);
    let stage = if tape.one_in(8) { Stage::Result } else { Stage::Call };
    let (tools, applies) = (tools(tape), selector(tape));
    let mut keys = Vec::new();
    let args = tape.one_in(3).then(|| {
        let (shape, found) = shape(tape, &mut set.pool);
        keys.extend(found);
        shape
    });
    let when = tape.one_in(2).then(|| {
        let mut assembler = Assembler::new(&mut set.pool);
        let (root, found) = assembler.condition(tape, 3);
        keys.extend(found);
        assembler.finish(root)
    });
    let obligations = match outcome {
        Verdict::Allow if tape.one_in(4) => vec![Obligation::CapRows { max: tape.below(9) as u64 }],
        _ => Vec::new(),
    };
    Rule {
        file,
        id: id.to_owned(),
        stage,
        tools,
        applies,
        args,
        when,
        outcome,
        approval: None,
        obligations,
        reason: tape.one_in(3).then(|| format!("because of {id}")),
        allow_if_unavailable: tape.one_in(8),
        keys,
    }
}

fn tool(tape: &mut Tape<'_>, set: &mut PolicySet, name: &str) -> Tool {
    let file = file(tape, set);
    let scope = tape.one_in(2).then(|| {
        let mut assembler = Assembler::new(&mut set.pool);
        let prefix = assembler.string(if name.starts_with("pay") { "pay:" } else { "crm:" });
        let root = match tape.below(3) {
            0 => prefix,
            1 => assembler.load(Root::Args, "s"),
            _ => {
                let argument = assembler.load(Root::Args, "s");
                assembler.call(Function::Add, &[prefix, argument])
            }
        };
        assembler.finish(root)
    });
    Tool {
        file,
        name: name.to_owned(),
        effects: tape.one_in(2).then(|| vec!["write".to_owned()]),
        risk: None,
        data: None,
        cost: tape.one_in(2).then_some(0.5),
        scope,
    }
}

fn argument(set: &mut PolicySet, name: &str) -> Program {
    let mut assembler = Assembler::new(&mut set.pool);
    let root = assembler.load(Root::Args, name);
    assembler.finish(root)
}

fn limit(tape: &mut Tape<'_>, set: &mut PolicySet, id: &str) -> Limit {
    let count = match tape.below(5) {
        0 | 1 => Count::Charges { cost: None, settle: None },
        2 => Count::Charges { cost: Some(argument(set, "n")), settle: None },
        3 => Count::Denied,
        _ => Count::Identical,
    };
    let per = match tape.below(7) {
        0 => Vec::new(),
        1 => vec![Per::Agent],
        2 => vec![Per::Session],
        3 => vec![Per::Tool, Per::Tenant],
        4 => vec![Per::User],
        5 => vec![Per::Expr(argument(set, "s"))],
        _ => vec![Per::Agent, Per::Tool],
    };
    Limit {
        file: file(tape, set),
        id: id.to_owned(),
        tools: if tape.one_in(2) { tools(tape) } else { vec!["*".to_owned()] },
        count,
        per,
        max: Amount(tape.below(4) as u64 * 1_000_000),
        window_ms: tape.pick(&[60_000, 180_000]),
        exceeded: tape.pick(&[Exceeded::Deny, Exceeded::Escalate, Exceeded::Quarantine]),
        approval: None,
        reason: None,
        allow_if_unavailable: tape.one_in(3),
    }
}

fn remember(tape: &mut Tape<'_>, set: &mut PolicySet) -> Remember {
    let name = tape.text(MEMORIES);
    let when = tape.one_in(3).then(|| {
        let mut assembler = Assembler::new(&mut set.pool);
        let (root, _) = assembler.condition(tape, 1);
        assembler.finish(root)
    });
    let key = tape.one_in(2).then(|| argument(set, "s"));
    Remember {
        file: file(tape, set),
        tools: if tape.one_in(2) { tools(tape) } else { vec!["*".to_owned()] },
        stage: if tape.one_in(4) { Stage::Result } else { Stage::Call },
        when,
        counted: name == "often",
        name,
        key,
        for_ms: tape.pick(&[None, Some(60_000), Some(180_000)]),
        allow_if_unavailable: tape.one_in(3),
    }
}
