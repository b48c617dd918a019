//! The reader against `serde_json`: what it accepts must mean the same, and what it refuses beyond that must be
//! refused for one of the stricter rules.

use proptest::prelude::*;
use serde_json::Value;

use crate::json::{Json, Kind, Number};

fn same(json: Json<'_>, value: &Value) -> bool {
    match (json.kind(), value) {
        (Kind::Null, Value::Null) => true,
        (Kind::Bool, Value::Bool(b)) => json.as_bool() == Some(*b),
        (Kind::String, Value::String(s)) => json.as_str().as_deref() == Some(s),
        (Kind::Number, Value::Number(n)) => match json.as_number() {
            Some(Number::Int(i)) => n.as_i64() == Some(i),
            Some(Number::Uint(u)) => n.as_u64() == Some(u),
            Some(Number::Double(d)) => {
                // serde_json's own parser may be one unit off in the last place.
                n.as_f64().is_some_and(|v| v == d || (v - d).abs() <= d.abs() * 1e-15)
            }
            None => false,
        },
        (Kind::Array, Value::Array(a)) => {
            json.len() == a.len() && json.elements().zip(a).all(|(x, y)| same(x, y))
        }
        (Kind::Object, Value::Object(o)) => {
            json.len() == o.len()
                && json.members().all(|(name, x)| o.get(&*name).is_some_and(|y| same(x, y)))
                && o.iter().all(|(name, y)| json.get(name).is_some_and(|x| same(x, y)))
        }
        _ => false,
    }
}

fn check(text: &[u8]) {
    let ours = Json::parse(text, usize::MAX, 128);
    let theirs = serde_json::from_slice::<Value>(text);
    match (ours, theirs) {
        (Ok(json), Ok(value)) => assert!(same(json, &value), "{}", String::from_utf8_lossy(text)),
        (Ok(_), Err(e)) => panic!("accepted, but serde_json says {e}: {}", String::from_utf8_lossy(text)),
        (Err(e), Ok(_)) => {
            let stricter = ["twice", "number", "deeply"];
            assert!(
                stricter.iter().any(|why| e.message().contains(why)),
                "{e}: {}",
                String::from_utf8_lossy(text)
            );
        }
        (Err(_), Err(_)) => {}
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e6..1e6_f64).prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "[\\x00-\\x7f]{0,20}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 24, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[a-c\"\\\\é]{0,3}", inner), 0..24)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn what_is_written_is_read(value in value()) {
        check(serde_json::to_string(&value).unwrap().as_bytes());
        check(serde_json::to_string_pretty(&value).unwrap().as_bytes());
    }

    #[test]
    fn damaged_texts(value in value(), at in any::<prop::sample::Index>(), byte in prop::sample::select(
        b"{}[]\",:\\ 0123456789-+.eEu\x00\x1f\x7f\x80\xc3\xff\ntrfalsn/".to_vec()), how in 0..3,
    ) {
        let mut text = serde_json::to_vec(&value).unwrap();
        let at = at.index(text.len());
        match how {
            0 => text[at] = byte,
            1 => text.insert(at, byte),
            _ => { text.remove(at); }
        }
        check(&text);
    }

    #[test]
    fn soup(text in "[\\[\\]{}\",:\\\\ua-f0-9.eE+\\- tn]{0,24}") {
        check(text.as_bytes());
    }

    #[test]
    fn bytes(text in prop::collection::vec(any::<u8>(), 0..24)) {
        check(&text);
    }

    /// The canonical form means the same, is its own canonical form, and does not depend on order or white space.
    #[test]
    fn canonical(value in value()) {
        let canonical = |text: &str| {
            let mut out = String::new();
            Json::parse(text.as_bytes(), usize::MAX, 128).unwrap().write_canonical(&mut out);
            out
        };
        let out = canonical(&serde_json::to_string(&value).unwrap());
        prop_assert_eq!(&canonical(&serde_json::to_string_pretty(&value).unwrap()), &out);
        // Doubles beyond 64 bits are written like integers, which the reader then refuses.
        if let Ok(json) = Json::parse(out.as_bytes(), usize::MAX, 128) {
            prop_assert_eq!(canonical(json.text()), out);
        }
    }
}
