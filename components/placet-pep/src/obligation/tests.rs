use placet_model::Obligation;
use serde_json::{Value, json};

use super::meet;

fn names(of: &[&str]) -> Vec<String> {
    of.iter().map(|name| (*name).to_owned()).collect()
}

fn redact(fields: &[&str]) -> Obligation {
    Obligation::Redact { fields: names(fields) }
}

fn mask(fields: &[&str], keep: u32) -> Obligation {
    Obligation::Mask { fields: names(fields), keep }
}

/// Both kinds of content come out alike; `None`: the result must be withheld.
fn check(json: &Value, obligations: &[Obligation], expected: &Value) {
    let result = json!({
        "content": [{"type": "text", "text": json.to_string()}],
        "structuredContent": json,
        "isError": false,
    });
    let met = meet(&result.to_string(), obligations).expect("it can be met");
    let met: Value = serde_json::from_str(&met).expect("JSON");
    assert_eq!(met["structuredContent"], *expected, "{json} {obligations:?}");
    let text = met["content"][0]["text"].as_str().expect("text");
    assert_eq!(serde_json::from_str::<Value>(text).expect("JSON"), *expected, "{json} {obligations:?}");
    assert_eq!(met["isError"], false);
}

#[test]
fn fields_are_taken_out() {
    let person = json!({"name": "Ada", "ssn": "1", "cards": [{"no": "2", "ok": true}, {"no": "3"}]});
    check(
        &person,
        &[redact(&["ssn"])],
        &json!({"name": "Ada", "cards": [{"no": "2", "ok": true}, {"no": "3"}]}),
    );
    let bare = json!({"name": "Ada", "ssn": "1", "cards": [{"ok": true}, {}]});
    check(&person, &[redact(&["cards.*.no"])], &bare);
    check(&person, &[redact(&["cards.no"])], &bare);
    check(&person, &[redact(&["*"])], &json!({}));
    check(&person, &[redact(&["cards.*"])], &json!({"name": "Ada", "ssn": "1", "cards": []}));
    check(&person, &[redact(&["absent", "name.deeper", "cards.*.no.deeper"])], &person);
    check(&json!([{"ssn": 1}, {"ssn": 2}]), &[redact(&["ssn"])], &json!([{}, {}]));
    check(&json!("plain"), &[redact(&["ssn"])], &json!("plain"));
}

#[test]
fn values_are_masked() {
    let card = |no: Value| json!({"card": {"no": no}});
    check(&card(json!("12345678")), &[mask(&["card.no"], 4)], &card(json!("****5678")));
    check(&card(json!("1234")), &[mask(&["card.no"], 4)], &card(json!("****")));
    check(&card(json!("")), &[mask(&["card.no"], 4)], &card(json!("")));
    check(&card(json!(12345)), &[mask(&["card.no"], 1)], &card(json!("****5")));
    check(&card(json!(null)), &[mask(&["card.no"], 1)], &card(json!(null)));
    check(&card(json!("äöü")), &[mask(&["card.no"], 1)], &card(json!("**ü")));
    check(&card(json!("123")), &[mask(&["card"], 0)], &json!({"card": "*".repeat(12)}));
    check(&json!([["ab"], ["cd"]]), &[mask(&["*.*"], 1)], &json!([["*b"], ["*d"]]));
}

#[test]
fn rows_are_cut_off_the_outermost_list() {
    let cap = |max| [Obligation::CapRows { max }];
    check(&json!([1, 2, 3]), &cap(2), &json!([1, 2]));
    check(&json!([1, 2, 3]), &cap(0), &json!([]));
    check(&json!([1]), &cap(9), &json!([1]));
    check(
        &json!({"a": {"b": [1, 2]}, "rows": [1, 2, 3]}),
        &cap(1),
        &json!({"a": {"b": [1, 2]}, "rows": [1]}),
    );
    check(&json!({"rows": [[1, 2], [3, 4]]}), &cap(1), &json!({"rows": [[1, 2]]}));
    check(&json!({"n": 1}), &cap(1), &json!({"n": 1}));
    check(&json!("plain"), &cap(1), &json!("plain"));
}

#[test]
fn what_cannot_be_read_is_withheld() {
    for content in [
        json!([{"type": "text", "text": "1, 2, 3"}]),
        json!([{"type": "text", "text": "[1]"}, {"type": "image", "data": "aGk=", "mimeType": "image/png"}]),
        json!("text"),
    ] {
        let result = json!({"content": content}).to_string();
        assert_eq!(meet(&result, &[Obligation::CapRows { max: 1 }]), None, "{result}");
        assert_eq!(meet(&result, &[]).as_deref(), Some(result.as_str()));
    }
    assert_eq!(meet("{", &[redact(&["a"])]), None);
}
