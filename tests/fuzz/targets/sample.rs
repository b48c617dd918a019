//! A policy with something of everything.

use placet_cel::function::Style;
use placet_cel::program::Constant;
use placet_cel::{Function, Node, Path, Program, Root};
use placet_engine::PolicySet;
use placet_engine::policy::{
    Count, Limit, Per, PolicyFile, PrincipalSelector, Remember, Role, Rule, RuleKey, Selector, Tool,
};
use placet_model::constraint::Shape;
use placet_model::{Amount, Constraint, Exceeded, Literal, Number, Obligation, Stage, Verdict};

const ROOTS: [Root; 5] = [Root::Args, Root::Content, Root::User, Root::Tool, Root::Resource];

/// The policy, sealed; with every function, or with a few for those who open it over and over.
pub fn policy(functions: &[(Function, Style, &'static str, usize, usize)]) -> PolicySet {
    let mut set = PolicySet { layers: vec!["org".into(), "team".into()], ..PolicySet::default() };
    // A depth that serde_json reads, too.
    set.bounds.call_depth = 100;
    let users = PrincipalSelector { ids: vec!["u*".into()], roles: Vec::new() };
    for (name, layer, applies) in [
        ("base", 0, Selector::default()),
        ("own", 1, Selector { tenants: vec!["acme".into()], ..Selector::default() }),
        ("users", 1, Selector { envs: vec!["p*".into()], users, ..Selector::default() }),
    ] {
        set.files.push(PolicyFile { name: name.into(), layer, applies, default_deny: false, shadow: false });
    }
    for root in ROOTS {
        set.pool.paths.push(Path { root, fields: vec!["a".into()] });
    }
    for constant in [
        Constant::String("a".into()),
        Constant::Int(7),
        Constant::Double(1.5),
        Constant::String("*a?".into()),
        Constant::List((0..9).map(|n| Constant::String(format!("s{n}").into())).collect()),
        Constant::Duration(60_000_000_000),
    ] {
        set.pool.constants.push(constant);
    }
    constraints(&mut set);
    conditions(&mut set, functions);
    state(&mut set);
    set.seal()
}

fn rule(id: String, tool: &str, outcome: Verdict) -> Rule {
    Rule {
        file: 0,
        id,
        stage: Stage::Call,
        tools: vec![tool.into()],
        applies: Selector::default(),
        args: None,
        when: None,
        outcome,
        approval: None,
        obligations: Vec::new(),
        reason: None,
        allow_if_unavailable: false,
        keys: Vec::new(),
    }
}

/// Tools `c.0`, `c.1`, …: each allows its own constraint on `args.a`.
fn constraints(set: &mut PolicySet) {
    let text = |s: &str| Literal::String(s.into());
    let of = [
        Constraint::Equals(Literal::Map(vec![("k".into(), Literal::List(vec![Literal::Null]))])),
        Constraint::OneOf(vec![text("a"), Literal::Number(Number::Double(1.5)), text("é")]),
        Constraint::NotOneOf(vec![text("a"), Literal::Bool(true)]),
        Constraint::All(vec![Constraint::Min(Number::Int(-3)), Constraint::Max(Number::Uint(u64::MAX))]),
        Constraint::All(vec![Constraint::MinLength(2), Constraint::MaxLength(5)]),
        Constraint::All(vec![Constraint::Prefix("é".into()), Constraint::Suffix("z".into())]),
        Constraint::Glob("a*b?c*".into()),
        Constraint::Contains(text("x")),
        Constraint::SubsetOf((0..20).map(|n| Literal::Number(Number::Int(n))).collect()),
        Constraint::Each(Box::new(Constraint::One(vec![Constraint::Absent, Constraint::Equals(text("a"))]))),
        Constraint::Cidr(vec!["10.0.0.0/8".into(), "2001:db8::/32".into()]),
        Constraint::Email { domains: vec!["a.com".into(), "*.b.org".into()] },
        Constraint::Url { schemes: vec!["https".into()], hosts: vec!["*.a.com".into()], ports: vec![443] },
        Constraint::Path { under: vec!["/srv/data".into()] },
        Constraint::None(vec![Constraint::Shape(Shape {
            fields: vec![("k".into(), Constraint::Any)],
            others: true,
        })]),
    ];
    for (n, constraint) in of.into_iter().enumerate() {
        let shape = Shape { fields: vec![("a".into(), constraint)], others: n % 2 == 0 };
        let rule = rule(format!("c{n}"), &format!("c.{n}"), Verdict::Allow);
        set.rules.push(Rule { args: Some(shape), obligations: vec![Obligation::SignMemory], ..rule });
    }
}

/// Tools `f.NAME`: a function on `args.a` and a constant must not be null for the call to be allowed.
fn conditions(set: &mut PolicySet, functions: &[(Function, Style, &'static str, usize, usize)]) {
    for &(function, _, name, least, _) in functions {
        // Automata are the compiler's business.
        if function == Function::Matches || least > 3 {
            continue;
        }
        for (n, constant) in (0..5).enumerate() {
            let mut nodes = vec![Node::Load(0), Node::Const(constant), Node::Const(1)];
            nodes.push(Node::Call { function, args: (0..least as u32).collect() });
            nodes.push(Node::Call { function: Function::TypeOf, args: vec![3] });
            nodes.push(Node::Call { function: Function::Ne, args: vec![4, 1] });
            let when = Some(Program { nodes, root: 5, locals: 0 });
            let name = name.trim_matches(['_', '@']);
            let rule = rule(format!("{name}-{n}"), &format!("f.{name}"), Verdict::Allow);
            set.rules.push(Rule { when, ..rule });
        }
    }
    for n in 0..8_u32 {
        let nodes =
            vec![Node::Load(0), Node::Const(n % 2), Node::Call { function: Function::Eq, args: vec![0, 1] }];
        let when = Some(Program { nodes, root: 2, locals: 0 });
        let keys = vec![RuleKey { path: 0, equals: vec![n % 2] }];
        let outcome = if n < 4 { Verdict::Deny } else { Verdict::Escalate };
        set.rules.push(Rule { when, keys, file: 1, ..rule(format!("k{n}"), "*", outcome) });
    }
    for (n, stage) in [Stage::Result, Stage::Prompt].into_iter().enumerate() {
        let nodes =
            vec![Node::Load(1), Node::Const(0), Node::Call { function: Function::In, args: vec![1, 0] }];
        let when = Some(Program { nodes, root: 2, locals: 0 });
        set.rules.push(Rule { when, stage, ..rule(format!("late{n}"), "*", Verdict::Deny) });
    }
    set.rules.push(rule("mail".into(), "m*l\\.s?nd", Verdict::Allow));
}

/// A scope, a role, limits and memory.
fn state(set: &mut PolicySet) {
    let load = |path| Program { nodes: vec![Node::Load(path)], root: 0, locals: 0 };
    set.tools.push(Tool {
        file: 0,
        name: "mail.send".into(),
        effects: Some(vec!["write".into()]),
        risk: None,
        data: None,
        cost: Some(0.25),
        scope: Some(load(0)),
    });
    let (allow, deny) = (vec!["s*".to_owned()], vec!["s1".to_owned()]);
    set.roles.push(Role { file: 1, name: "rep".into(), allow, deny });
    for (counted, tools) in [(false, "mail.*"), (true, "c.*")] {
        set.remember.push(Remember {
            file: 0,
            tools: vec![tools.into()],
            stage: Stage::Call,
            when: None,
            name: "seen".into(),
            key: Some(load(0)),
            for_ms: Some(60_000),
            counted,
            allow_if_unavailable: false,
        });
    }
    for (n, count) in [Count::Charges { cost: Some(load(0)), settle: None }, Count::Denied, Count::Identical]
        .into_iter()
        .enumerate()
    {
        set.limits.push(Limit {
            file: 0,
            id: format!("limit{n}"),
            tools: vec!["c.*".into()],
            count,
            per: vec![Per::Agent, Per::Expr(load(0))],
            max: Amount(2_000_000),
            window_ms: u64::MAX,
            exceeded: Exceeded::Quarantine,
            approval: None,
            reason: None,
            allow_if_unavailable: n == 1,
        });
    }
}
