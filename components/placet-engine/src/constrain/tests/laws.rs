//! What must hold of any constraints and values.

use proptest::prelude::*;

use proptest::arbitrary::any;

use super::*;

const TEXTS: &[&str] = &[
    "",
    "a",
    "ab",
    "abc",
    "b",
    "ba",
    "K",
    "\u{212a}",
    "é",
    "e\u{301}",
    "aé",
    "*",
    "a*",
    "/",
    "/a",
    "/a/",
    "/a/b",
    "/a/../b",
    "/b/%2e%2e/a",
    "/é",
    "/e\u{301}",
    "rel",
    "10.0.0.1",
    "10.1.2.3",
    "11.0.0.1",
    "::ffff:a00:1",
    "::1",
    "0x7f.1",
    "x@a.com",
    "x@b.a.com",
    "x@c.b.a.com",
    "x@b.com",
    "https://a.com",
    "https://b.a.com:8443/x",
    "http://c.b.a.com",
    "https://u@a.com",
    "K://a",
    "\u{212a}://a",
    "https://[::1]/",
    "https://b.com",
    "mailto:x@a.com",
    ";",
    "\u{37e}",
    "/a\\b",
    "ab\u{0}",
];
const PARTS: &[&str] = &["", "a", "b", "ab", "/a", "é", "K", "*", "https://", "x@"];
const GLOBS: &[&str] = &[
    "", "*", "?", "a*", "*b", "a?", "?*", "*?", "a*b*", "\\*", "*a*", "ab", "??", "a\\*", "/a*", "*é",
    "a*?c", "b\\",
];
const HOSTS: &[&str] = &["a.com", "*.a.com", "b.a.com", "*.b.a.com", "b.com", "::1", "[::1]"];
const NETWORKS: &[&str] = &[
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.0.0.1/32",
    "0.0.0.0/0",
    "::/0",
    "11.0.0.0/8",
    "::ffff:a00:0/104",
    "bad",
];
const DIRECTORIES: &[&str] = &["/", "/a", "/a/", "/a/b", "/b", "/é"];

fn some(of: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop::sample::select(of).prop_map(str::to_owned), 0..3)
}

fn number() -> impl Strategy<Value = Number> {
    prop::sample::select(vec![
        Number::Int(0),
        Number::Int(1),
        Number::Int(5),
        Number::Double(5.0),
        Number::Double(4.5),
        Number::Double(-0.0),
        Number::Int(i64::MAX),
        Number::Uint(u64::MAX),
        Number::Double(9_223_372_036_854_775_808.0),
        Number::Double(1e300),
        Number::Int(-3),
    ])
}

fn literal() -> impl Strategy<Value = Literal> {
    let leaf = prop_oneof![
        1 => Just(Literal::Null),
        1 => any::<bool>().prop_map(Literal::Bool),
        3 => number().prop_map(Literal::Number),
        6 => prop::sample::select(TEXTS).prop_map(|s| Literal::String(normal_text(s))),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Literal::List),
            prop::collection::btree_map(
                prop::sample::select(vec!["a".to_owned(), "b".to_owned()]),
                inner,
                0..3
            )
            .prop_map(|m| Literal::Map(m.into_iter().collect())),
        ]
    })
}

fn constraint() -> impl Strategy<Value = Constraint> {
    let literals = || prop::collection::vec(literal(), 0..4);
    let part = || prop::sample::select(PARTS).prop_map(str::to_owned);
    let schemes =
        prop::collection::vec(prop::sample::select(vec!["https".to_owned(), "http".to_owned()]), 0..2);
    let ports = prop::collection::vec(prop::sample::select(vec![443_u16, 8443]), 0..2);
    let leaf = prop_oneof![
        Just(Constraint::Any),
        Just(Constraint::Absent),
        literal().prop_map(Constraint::Equals),
        literals().prop_map(Constraint::OneOf),
        literals().prop_map(Constraint::NotOneOf),
        number().prop_map(Constraint::Min),
        number().prop_map(Constraint::Max),
        (0..4_u64).prop_map(Constraint::MinLength),
        (0..4_u64).prop_map(Constraint::MaxLength),
        part().prop_map(Constraint::Prefix),
        part().prop_map(Constraint::Suffix),
        prop::sample::select(GLOBS).prop_map(|g| Constraint::Glob(g.to_owned())),
        (0..3_u32).prop_map(|automaton| Constraint::Regex { pattern: String::new(), automaton }),
        literal().prop_map(Constraint::Contains),
        literals().prop_map(Constraint::SubsetOf),
        some(NETWORKS).prop_map(Constraint::Cidr),
        some(HOSTS).prop_map(|domains| Constraint::Email { domains }),
        (schemes, some(HOSTS), ports).prop_map(|(schemes, hosts, ports)| Constraint::Url {
            schemes,
            hosts,
            ports
        }),
        some(DIRECTORIES).prop_map(|under| Constraint::Path { under }),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let some = || prop::collection::vec(inner.clone(), 0..3);
        let fields = prop::collection::btree_map(
            prop::sample::select(vec!["a".to_owned(), "b".to_owned()]),
            inner.clone(),
            0..3,
        );
        prop_oneof![
            inner.clone().prop_map(|c| Constraint::Each(Box::new(c))),
            (fields, any::<bool>()).prop_map(|(fields, others)| Constraint::Shape(Shape {
                fields: fields.into_iter().collect(),
                others
            })),
            some().prop_map(Constraint::All),
            some().prop_map(Constraint::One),
            some().prop_map(Constraint::None),
        ]
    })
}

/// A constraint and one near it, so that implications are not too rare.
fn neighbours() -> impl Strategy<Value = (Constraint, Constraint)> {
    (constraint(), constraint(), 0..12).prop_map(|(a, b, how)| match how {
        0 => (Constraint::All(vec![a.clone(), b]), a),
        1 => (a.clone(), Constraint::One(vec![b, a])),
        2 => (Constraint::None(vec![a.clone(), b]), Constraint::None(vec![a])),
        3 => (Constraint::Each(Box::new(a)), Constraint::Each(Box::new(b))),
        4 => (a, Constraint::None(vec![b])),
        5 => (Constraint::None(vec![a]), b),
        6 => (Constraint::None(vec![a]), Constraint::None(vec![b])),
        _ => (a, b),
    })
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        1 => prop::sample::select(vec!["null", "true", "false"]).prop_map(str::to_owned),
        3 => prop::sample::select(vec![
            "0", "-0", "1", "5", "5.0", "4.5", "50e-1", "-3", "9223372036854775807", "9223372036854775808", "18446744073709551615", "1e300", "1.0",
        ]).prop_map(str::to_owned),
        8 => prop::sample::select(TEXTS).prop_map(|s| {
            let mut out = String::new();
            placet_model::json::write_string(&mut out, s);
            out
        }),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let members =
            prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c"]), inner.clone(), 0..3);
        prop_oneof![
            prop::collection::vec(inner, 0..3).prop_map(|items| format!("[{}]", items.join(","))),
            members.prop_map(|m| {
                format!("{{{}}}", m.iter().map(|(k, v)| format!("{k:?}:{v}")).collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

fn values() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(json(), 24)
}

fn cases(n: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(n) }
}

proptest! {
    #![proptest_config(cases(20_000))]

    /// What is shown to be narrower is.
    #[test]
    fn narrower_is_sound((a, b) in neighbours(), values in values()) {
        let pool = pool_once();
        if is_narrower(&a, &b, pool) {
            let all = values.iter().map(String::as_str).chain([ABSENT]);
            let texts: Vec<String> = TEXTS.iter().map(|s| {
                let mut out = String::new();
                placet_model::json::write_string(&mut out, s);
                out
            }).collect();
            for text in all.chain(texts.iter().map(String::as_str)) {
                if matches(&a, value(text), pool) == Ok(true) {
                    prop_assert_eq!(matches(&b, value(text), pool), Ok(true), "{:?} {:?} {}", a, b, text);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn narrower_is_reflexive(a in constraint()) {
        prop_assert!(is_narrower(&a, &a.clone(), pool_once()));
    }

    #[test]
    fn narrower_is_transitive_on_globs(
        a in prop::sample::select(GLOBS), b in prop::sample::select(GLOBS), c in prop::sample::select(GLOBS)
    ) {
        let [a, b, c] = [a, b, c].map(|g| Constraint::Glob(g.to_owned()));
        let narrower = |a, b| is_narrower(a, b, pool_once());
        if narrower(&a, &b) && narrower(&b, &c) {
            prop_assert!(narrower(&a, &c));
        }
    }

    /// `none` is the negation of `one`, `not_one_of` that of `one_of`, of what is there.
    #[test]
    fn negations(of in prop::collection::vec(constraint(), 0..3), literals in prop::collection::vec(literal(), 0..4), text in json()) {
        let pool = pool_once();
        let value = value(&text);
        let one = matches(&Constraint::One(of.clone()), value, pool);
        prop_assert_eq!(matches(&Constraint::None(of), value, pool), one.map(|b| !b));
        let one_of = matches(&Constraint::OneOf(literals.clone()), value, pool);
        prop_assert_eq!(matches(&Constraint::NotOneOf(literals), value, pool), one_of.map(|b| !b));
    }

    /// White space, the order of members and how numbers are spelled do not matter.
    #[test]
    fn spelling_does_not_matter(a in constraint(), text in json()) {
        let pool = pool_once();
        let mut canonical = String::new();
        value(&text).unwrap().write_canonical(&mut canonical);
        if let Ok(again) = Json::parse(canonical.as_bytes(), 1 << 20, 128) {
            prop_assert_eq!(matches(&a, Some(again), pool), matches(&a, value(&text), pool));
        }
    }
}

fn pool_once() -> &'static OpenPool {
    thread_local!(static POOL: &'static OpenPool = Box::leak(Box::new(pool())));
    POOL.with(|pool| *pool)
}
