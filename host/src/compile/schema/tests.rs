use serde_json::Value;

use super::schema_of_policies;
use crate::compile::head::{FIELDS, LATER};
use crate::compile::{Severity, Source, compile_sources};

fn properties(schema: &Value, of: &str) -> Vec<String> {
    let object = if of.is_empty() { schema } else { &schema["$defs"][of] };
    object["properties"].as_object().expect(of).keys().cloned().collect()
}

#[test]
fn the_file_has_the_fields_that_the_compiler_reads() {
    let mut expected: Vec<String> =
        FIELDS.iter().filter(|f| !LATER.contains(f)).map(|f| (*f).to_owned()).collect();
    expected.sort();
    let mut found = properties(&schema_of_policies(), "");
    found.sort();
    assert_eq!(found, expected);
}

/// Every field of every block is one that the compiler knows: it has no `unknown-field` to report.
#[test]
fn the_compiler_knows_every_field_of_every_block() {
    let schema = schema_of_policies();
    let block = |of: &str, keep: &[&str]| {
        let fields = properties(&schema, of);
        let lines: Vec<String> =
            fields.iter().filter(|f| !keep.contains(&f.as_str())).map(|f| format!("{f}: null")).collect();
        format!("{{{}}}", lines.join(", "))
    };
    let cases = [
        ("Rule", "rules: [BLOCK]"),
        ("Remember", "remember: [BLOCK]"),
        ("Limit", "limits: [BLOCK]"),
        ("ResultRule", "results: [BLOCK]"),
        ("Applies", "applies: BLOCK"),
        ("Bounds", "bounds: BLOCK"),
        ("Role", "roles: {r: BLOCK}"),
        ("Tool", "tools: {t: BLOCK}"),
        ("Approval", "rules: [{id: a, tools: t, outcome: escalate, approval: BLOCK}]"),
        ("Obligations", "rules: [{id: a, tools: t, outcome: allow, obligations: BLOCK}]"),
        ("Kinds", "rules: [{id: a, tools: t, outcome: allow, args: {x: BLOCK}}]"),
        ("Url", "rules: [{id: a, tools: t, outcome: allow, args: {x: {url: BLOCK}}}]"),
        ("On", "remember: [{as: n, on: BLOCK}]"),
    ];
    for (of, place) in cases {
        let text = format!("policy: p\n{}\n", place.replace("BLOCK", &block(of, &[])));
        let outcome = compile_sources(vec![Source { name: "p.yaml".to_owned(), text: text.clone() }]);
        for diagnostic in outcome.diagnostics {
            let unknown = matches!(diagnostic.code, "unknown-field" | "unknown-constraint" | "bad-yaml");
            assert!(
                !unknown || diagnostic.severity != Severity::Error,
                "{of}: {}\n{text}",
                diagnostic.message
            );
        }
    }
}

/// `policies/schema.json` is what the compiler says; `UPDATE_EXPECT=1` writes it.
#[test]
fn the_published_schema_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../policies/placet-policy.schema.json");
    let now = format!("{:#}\n", schema_of_policies());
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, &now).expect("policies/ can be written");
    }
    let published = std::fs::read_to_string(path).expect("policies/placet-policy.schema.json exists");
    assert!(published == now, "policies/placet-policy.schema.json is out of date: run with UPDATE_EXPECT=1");
}
