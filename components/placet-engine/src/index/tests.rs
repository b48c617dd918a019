use placet_cel::program::Constant;
use placet_cel::{Function, Node, OpenPool, Path, Program, Root};
use placet_model::{Call, Limits, Stage, Verdict};

use super::*;
use crate::decide::candidates;
use crate::env::{CallEnv, SessionView};
use crate::matching::{Context, Match};
use crate::policy::{PolicyFile, Rule, RuleKey, Selector, Tool};

fn rule(id: &str, tools: &[&str]) -> Rule {
    Rule {
        file: 0,
        id: id.to_owned(),
        stage: Stage::Call,
        tools: tools.iter().map(|t| (*t).to_owned()).collect(),
        applies: Selector::default(),
        args: None,
        when: None,
        outcome: Verdict::Deny,
        approval: None,
        obligations: Vec::new(),
        reason: None,
        allow_if_unavailable: false,
        keys: Vec::new(),
    }
}

fn policy(rules: Vec<Rule>) -> PolicySet {
    let applies = Selector::default();
    let file = PolicyFile { name: "f".into(), layer: 0, applies, default_deny: true, shadow: false };
    PolicySet { layers: vec!["org".into()], files: vec![file], rules, ..PolicySet::default() }
}

/// The ids of the rules that the index finds for a call, and of those that a scan of all rules would match.
fn found_and_matching(set: &PolicySet, call: &str) -> (Vec<String>, Vec<String>) {
    let pool = OpenPool::open(set.pool.clone()).unwrap();
    let call = Call::read(call.as_bytes(), &Limits::default()).unwrap_or_else(|e| panic!("{e}: {call}"));
    let env = CallEnv::new(&pool, &call, None, SessionView::None, false);
    let cx = Context::new(set, &pool, &call, env, false);
    let files: Vec<u32> = (0..set.files.len() as u32).collect();
    let buckets = set.index.find(&call.tool);
    let buckets: Vec<&Bucket> = buckets.buckets().collect();
    let found = candidates(&cx, &files, &buckets);
    let concerns = |rule: &Rule| {
        rule.tools.iter().any(|p| placet_cel::text::glob::matches(&call.tool, p).unwrap_or(false))
    };
    let matching = set.rules.iter().filter(|rule| concerns(rule) && cx.matches(rule) != Match::No);
    (
        found.into_iter().map(|r| set.rules[r as usize].id.clone()).collect(),
        matching.map(|rule| rule.id.clone()).collect(),
    )
}

fn call(tool: &str, tenant: &str, args: &str) -> String {
    format!(
        r#"{{"tool":"{}","tenant":"{tenant}","args":{args},"agent":{{"id":"a"}},"now":"2026-11-21T12:00:00Z"}}"#,
        tool.replace('\\', "\\\\")
    )
}

/// With one rule for each pattern, a tool finds exactly these patterns, whether the catalogue knows it or not.
#[track_caller]
fn finds(patterns: &[&str], tool: &str, wanted: &[&str]) {
    let set = policy(patterns.iter().map(|p| rule(p, &[p])).collect());
    let entry = Tool {
        file: 0,
        name: tool.to_owned(),
        effects: None,
        risk: None,
        data: None,
        cost: None,
        scope: None,
    };
    let known = PolicySet { tools: vec![entry], ..set.clone() };
    for set in [set.seal(), known.seal()] {
        let (mut found, mut matching) = found_and_matching(&set, &call(tool, "t", "{}"));
        found.sort();
        matching.sort();
        let mut wanted = wanted.to_vec();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{tool}");
        assert_eq!(matching, wanted, "{tool}, all rules scanned");
    }
}

#[test]
fn tools_by_name_and_glob() {
    let patterns = [
        "pay.send",
        "pay.*",
        "*.send",
        "*",
        "?",
        "p?y.send",
        "pay.send*",
        "*pay.send",
        "pay.sen",
        "*send",
        "p*d",
        "*.*.*",
        "crm.*",
        "a*b*c",
        "**",
        "?*",
        "*?",
    ];
    finds(
        &patterns,
        "pay.send",
        &[
            "pay.send",
            "pay.*",
            "*.send",
            "*",
            "p?y.send",
            "pay.send*",
            "*pay.send",
            "*send",
            "p*d",
            "**",
            "?*",
            "*?",
        ],
    );
    finds(&patterns, "pay.sender", &["pay.*", "*", "pay.send*", "**", "?*", "*?"]);
    finds(&patterns, "x", &["*", "?", "**", "?*", "*?"]);
    finds(&patterns, "send", &["*", "*send", "**", "?*", "*?"]);
    finds(&patterns, "crm.a.b", &["*", "*.*.*", "crm.*", "**", "?*", "*?"]);
    finds(&patterns, "abc", &["*", "a*b*c", "**", "?*", "*?"]);
    finds(&["pay.send"], "pay.sen", &[]);
    finds(&["pay.send"], "PAY.SEND", &[]);
    finds(&[], "pay.send", &[]);
}

#[test]
fn escapes_make_wildcards_literal() {
    let patterns = ["\\*", "*", "a\\*", "\\*a", "*\\*", "a\\?b", "a?b", "\\a", "a\\\\b", "a\\*b*", "*\\a"];
    finds(&patterns, "*", &["\\*", "*", "*\\*"]);
    finds(&patterns, "a*", &["*", "a\\*", "*\\*"]);
    finds(&patterns, "*a", &["*", "\\*a", "*\\a"]);
    finds(&patterns, "a?b", &["*", "a\\?b", "a?b"]);
    finds(&patterns, "axb", &["*", "a?b"]);
    finds(&patterns, "a", &["*", "\\a", "*\\a"]);
    finds(&patterns, "a\\b", &["*", "a?b", "a\\\\b"]);
    finds(&patterns, "a*bc", &["*", "a\\*b*"]);
    // A pattern that is no glob matches nothing.
    finds(&["a\\", "*\\", "\\"], "a\\", &[]);
}

#[test]
fn names_beyond_ascii() {
    let patterns = ["é.send", "é.*", "*é", "?", "??", "e\u{301}", "日*語", "*語"];
    finds(&patterns, "é.send", &["é.send", "é.*"]);
    finds(&patterns, "é", &["*é", "?"]);
    // Two spellings of one letter are two tool names.
    finds(&patterns, "e\u{301}", &["??", "e\u{301}"]);
    finds(&patterns, "日本語", &["日*語", "*語"]);
    // A byte of a character is not a character.
    finds(&["*\u{a9}", "Ã*"], "é", &[]);
}

#[test]
fn many_names_share_a_table() {
    let names: Vec<String> = (0..1000).map(|n| format!("tool{n}")).collect();
    let set = policy(names.iter().map(|n| rule(n, &[n])).collect()).seal();
    for name in &names {
        assert_eq!(found_and_matching(&set, &call(name, "t", "{}")).0, std::slice::from_ref(name));
    }
    assert!(found_and_matching(&set, &call("tool1000", "t", "{}")).0.is_empty());
}

/// `args.k == constant`
fn keyed(set: &mut PolicySet, id: &str, constant: Constant) -> Rule {
    let (path, at) = (0, set.pool.constants.len() as u32);
    set.pool.paths = vec![Path { root: Root::Args, fields: vec!["k".into()] }];
    set.pool.constants.push(constant);
    let nodes =
        vec![Node::Load(path), Node::Const(at), Node::Call { function: Function::Eq, args: vec![0, 1] }];
    let when = Some(Program { nodes, root: 2, locals: 0 });
    Rule { when, keys: vec![RuleKey { path, equals: vec![at] }], ..rule(id, &["t"]) }
}

fn by_constant() -> PolicySet {
    let mut set = policy(Vec::new());
    for (id, constant) in [
        ("one", Constant::Int(1)),
        ("two", Constant::Int(2)),
        ("big", Constant::Int(i64::MAX)),
        ("a", Constant::String("a".into())),
        ("K", Constant::String("K".into())),
        ("é", Constant::String("é".into())),
        ("text-1", Constant::String("1".into())),
        ("true", Constant::Bool(true)),
        ("false", Constant::Bool(false)),
    ] {
        let rule = keyed(&mut set, id, constant);
        set.rules.push(rule);
    }
    set.rules.push(rule("plain", &["t"]));
    set.seal()
}

#[test]
fn constants_tell_rules_apart() {
    let set = by_constant();
    let all: Vec<String> = set.rules.iter().map(|r| r.id.clone()).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    for (args, wanted) in [
        (r#"{"k":1}"#, &["one", "plain"][..]),
        (r#"{"k":1.0}"#, &["one", "plain"]),
        (r#"{"k":10e-1}"#, &["one", "plain"]),
        (r#"{"k":1.5}"#, &["plain"]),
        (r#"{"k":-1}"#, &["plain"]),
        (r#"{"k":9223372036854775807}"#, &["big", "plain"]),
        (r#"{"k":18446744073709551615}"#, &["plain"]),
        (r#"{"k":1e300}"#, &["plain"]),
        (r#"{"k":"1"}"#, &["text-1", "plain"]),
        (r#"{"k":"a"}"#, &["a", "plain"]),
        (r#"{"k":"\u0061"}"#, &["a", "plain"]),
        (r#"{"k":"A"}"#, &["plain"]),
        (r#"{"k":"é"}"#, &["é", "plain"]),
        (r#"{"k":true}"#, &["true", "plain"]),
        (r#"{"k":false}"#, &["false", "plain"]),
        (r#"{"k":null}"#, &["plain"]),
        (r#"{"k":["a"]}"#, &["plain"]),
        (r#"{"k":{"k":1}}"#, &["plain"]),
        // What is not there makes each of them err.
        ("{}", &all),
        (r#"{"j":1}"#, &all),
    ] {
        let (found, matching) = found_and_matching(&set, &call("t", "t", args));
        assert_eq!(found, wanted, "{args}");
        assert_eq!(matching, wanted, "{args}, all rules scanned");
    }
}

#[test]
fn a_double_that_equals_several_ints_finds_them_all() {
    let set = by_constant();
    let (found, matching) = found_and_matching(&set, &call("t", "t", r#"{"k":9223372036854775808.0}"#));
    assert_eq!((found.len(), matching), (set.rules.len(), vec!["big".to_owned(), "plain".to_owned()]));
}

/// Conditions compare text as it is, constraints in NFC: what either could match must be found.
#[test]
fn text_that_is_not_in_normal_form_is_found_under_it() {
    let mut set = by_constant();
    for rule in &mut set.rules {
        rule.when = None;
    }
    let set = set.seal();
    for (text, wanted) in
        [("\u{212a}", &["K", "plain"]), ("e\u{301}", &["é", "plain"]), ("é", &["é", "plain"])]
    {
        let found = found_and_matching(&set, &call("t", "t", &format!(r#"{{"k":"{text}"}}"#))).0;
        assert_eq!(found, wanted, "{text}");
    }
}

#[test]
fn tenants_tell_rules_apart() {
    let mut rules: Vec<Rule> = (0..20)
        .map(|n| {
            let tenants = vec![format!("t{n}"), "shared".to_owned()];
            Rule { applies: Selector { tenants, ..Selector::default() }, ..rule(&format!("r{n:02}"), &["*"]) }
        })
        .collect();
    rules.push(rule("everybody", &["*"]));
    let set = policy(rules).seal();
    for (tenant, wanted) in [("t7", 2), ("shared", 21), ("t20", 1), ("", 1), ("T7", 1)] {
        let text = call("x", if tenant.is_empty() { "none" } else { tenant }, "{}");
        let (found, matching) = found_and_matching(&set, &text);
        assert_eq!((found.len(), found == matching), (wanted, true), "{tenant}");
    }
}

#[test]
fn a_stage_finds_its_own_rules_and_a_list_those_of_calls() {
    let on_result = Rule { stage: Stage::Result, ..rule("result", &["t"]) };
    let set = policy(vec![rule("call", &["t"]), on_result]).seal();
    for (stage, wanted) in [("call", vec!["call"]), ("list", vec!["call"]), ("result", vec!["result"])] {
        let text = call("t", "t", "{}").replacen('{', &format!(r#"{{"stage":"{stage}","#), 1);
        assert_eq!(found_and_matching(&set, &text).0, wanted, "{stage}");
    }
    let prompt = call("t", "t", "{}").replacen('{', r#"{"stage":"prompt","content":"x","#, 1);
    assert!(found_and_matching(&set, &prompt).0.is_empty());
}

#[test]
fn files_of_a_tenant() {
    let file = |tenants: &[&str]| {
        let tenants = tenants.iter().map(|t| (*t).to_owned()).collect();
        let applies = Selector { tenants, ..Selector::default() };
        PolicyFile { name: "f".into(), layer: 0, applies, default_deny: false, shadow: false }
    };
    let files = vec![file(&["a"]), file(&[]), file(&["a", "b"]), file(&[]), file(&["c"])];
    let set = PolicySet { files, ..PolicySet::default() }.seal();
    for (tenant, wanted) in
        [("a", vec![0, 1, 2, 3]), ("b", vec![1, 2, 3]), ("c", vec![1, 3, 4]), ("d", vec![1, 3])]
    {
        assert_eq!(set.index.files(tenant).collect::<Vec<_>>(), wanted, "{tenant}");
    }
}

/// The index of a damaged bundle finds nothing, and ends.
#[test]
fn damaged_tables_end() {
    let table: NameTable = postcard::from_bytes(&[0, 2, 1, 1]).unwrap();
    assert!(table.get("x").is_none());
    let table: NameTable = postcard::from_bytes(&[1, 1, b'y', 0, 0, 2, 1, 1]).unwrap();
    assert!(table.get("x").is_none() && table.get("y").is_some());
    assert!(Index::default().find("x").buckets().next().is_none());
}
