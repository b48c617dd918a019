//! A small policy with a bit of everything, calls for it, and a component that traps.

use placet_engine::policy::{Count, Limit, Per, PolicyFile, PolicySet, Remember, Rule, Selector};
use placet_model::constraint::Shape;
use placet_model::{Amount, Constraint, Exceeded, Stage, Verdict};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};

use crate::compile::cel::types::Ty;
use crate::compile::cel::{Names, PoolBuilder, compile};

pub fn bundle() -> Vec<u8> {
    let mut pool = PoolBuilder::default();
    let mut when = |source: &str| {
        Some(compile(source, &Names::Policy { args: Ty::Dyn }, &mut pool).expect("compiles").program)
    };
    let mut rules = vec![
        Rule { id: "after".into(), when: when("session.has('mark')"), ..rule("b.after", Verdict::Allow) },
        Rule {
            when: when("has(args.amount) && args.amount > 10.5 || has(args.to) && args.to.startsWith('x')"),
            ..rule("b.*", Verdict::Escalate)
        },
        Rule {
            id: "big".into(),
            when: when("has(args.amount) && args.amount >= 100"),
            ..rule("a.read", Verdict::Deny)
        },
        Rule { args: Some(Shape { fields: fields(), others: false }), ..rule("b.secret", Verdict::Allow) },
        rule("a.*", Verdict::Allow),
    ];
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    let limits = vec![
        Limit {
            id: "lenient".into(),
            tools: vec!["a.lenient".into()],
            allow_if_unavailable: true,
            ..limit()
        },
        limit(),
    ];
    let mark = Remember {
        file: 0,
        tools: vec!["a.mark".into()],
        stage: Stage::Call,
        when: None,
        name: "mark".into(),
        key: None,
        for_ms: Some(60_000),
        counted: false,
        allow_if_unavailable: false,
    };
    let set = PolicySet { rules, limits, remember: vec![mark], pool: pool.finish(), ..skeleton() };
    placet_bundle::encode(&set.seal()).expect("encodes")
}

/// A policy that allows nothing.
pub fn other_bundle() -> Vec<u8> {
    placet_bundle::encode(&skeleton().seal()).expect("encodes")
}

fn skeleton() -> PolicySet {
    let file = PolicyFile {
        name: "sample".into(),
        layer: 0,
        applies: Selector::default(),
        default_deny: true,
        shadow: false,
    };
    PolicySet { layers: vec!["org".into()], files: vec![file], ..PolicySet::default() }
}

fn rule(tool: &str, outcome: Verdict) -> Rule {
    Rule {
        file: 0,
        id: format!("{}-{tool}", outcome.as_str()),
        stage: Stage::Call,
        tools: vec![tool.to_owned()],
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

fn fields() -> Vec<(String, Constraint)> {
    vec![("amount".into(), Constraint::Any), ("to".into(), Constraint::Any)]
}

/// Three calls a minute for each tenant.
fn limit() -> Limit {
    Limit {
        file: 0,
        id: "rate".into(),
        tools: vec!["a.limited".into()],
        count: Count::Charges { cost: None, settle: None },
        per: vec![Per::Tenant],
        max: Amount(3_000_000),
        window_ms: 60_000,
        exceeded: Exceeded::Deny,
        approval: None,
        reason: None,
        allow_if_unavailable: false,
    }
}

pub fn call(tool: &str, args: &str) -> Vec<u8> {
    format!(
        "{{\"tool\":\"{tool}\",\"args\":{args},\"agent\":{{\"id\":\"bot\"}},\"tenant\":\"acme\",\
         \"session\":{{\"id\":\"s\"}},\"now\":\"2026-11-21T12:00:00Z\"}}"
    )
    .into_bytes()
}

/// Numbers that are the same in every run (xorshift).
pub struct Random(pub u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.next(from.len())]
    }
}

/// Well-formed calls and, now and then, something else.
pub fn random_call(random: &mut Random) -> Vec<u8> {
    let tool = random.pick(&[
        "a.read",
        "a.limited",
        "a.lenient",
        "a.mark",
        "b.after",
        "b.secret",
        "b.x",
        "none",
        "",
    ]);
    let amount = random.pick(&["1", "10.5", "1e3", "-7", "99999999999999999999", "\"12\"", "null", "[1,{}]"]);
    let to = random.pick(&["\"x\"", "\"y\\u00e9\"", "17", "{\"a\":[1,2,3]}", "\"\\ud83e\\udd80\""]);
    let args = match random.next(4) {
        0 => "{}".to_owned(),
        1 => format!("{{\"amount\":{amount}}}"),
        2 => format!("{{\"to\":{to}, \"amount\": {amount} }}"),
        _ => format!("{{\"amount\":{amount},\"to\":{to},\"more\":true}}"),
    };
    let mut call = call(tool, &args);
    match random.next(12) {
        0 => call.truncate(random.next(call.len())),
        1 => {
            let at = random.next(call.len());
            call[at] = random.next(256) as u8;
        }
        _ => {}
    }
    call
}

/// A component of the same world whose every function traps.
pub fn trapping_component() -> Vec<u8> {
    let wit = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit");
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(wit).expect("the WIT parses");
    let world = resolve.select_world(&[package], Some("policy")).expect("the world is there");
    let mut module = dummy_module(&resolve, world, wit_parser::ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("embeds");
    ComponentEncoder::default().module(&module).expect("takes it").encode().expect("encodes")
}
