//! Text as its target reads it; keys; JSON; zones.

use placet_model::json::Json;

use crate::pool::OpenPool;
use crate::program::Pool;
use crate::text::{email, glob, path, url};
use crate::value::Value;

#[test]
fn emails() {
    for (text, local, domain) in [
        ("a@acme.com", "a", "acme.com"),
        ("a.b+c@Mail.ACME.com", "a.b+c", "mail.acme.com"),
        ("o'neil@bücher.example", "o'neil", "xn--bcher-kva.example"),
        ("a@ACME\u{3002}com", "a", "acme.com"),
    ] {
        let email = email::parse_email(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!((email.local.as_str(), email.domain.as_str()), (local, domain), "{text}");
    }
    for text in [
        "",
        "a",
        "@acme.com",
        "a@",
        "a@b@acme.com",
        "a@evil.com@acme.com",
        "\"a b\"@acme.com",
        "a b@acme.com",
        "Bob <a@acme.com>",
        "a@acme.com ",
        " a@acme.com",
        "a@acme.com\n",
        "a@acme..com",
        "a@.acme.com",
        "a@acme.com.",
        "a..b@acme.com",
        ".a@acme.com",
        "a.@acme.com",
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        "a@0x7f.1",
        "a@ac%6de.com",
        "evil.com!a@acme.com",
        "a%evil.com@acme.com",
        "a@acme.com,b@evil.com",
        "a(x)@acme.com",
        "a@acme.com/evil",
        "a@acme.com#x",
        "a@-acme.com",
        "a@ac_me.com",
        "a\\@evil.com@acme.com",
        "a@acme.com\u{0}",
    ] {
        assert!(email::parse_email(text).is_err(), "{text:?}");
    }
}

#[test]
fn urls() {
    for (text, host, port, path) in [
        ("https://acme.com", "acme.com", Some(443), "/"),
        ("http://ACME.com.:8080/a/./b/../c", "acme.com", Some(8080), "/a/c"),
        ("https://bücher.example/%7Ea", "xn--bcher-kva.example", Some(443), "/%7Ea"),
        ("https://[2001:DB8::1]/", "2001:db8::1", Some(443), "/"),
        ("https://[::ffff:7f00:1]/", "127.0.0.1", Some(443), "/"),
        ("http://127.0.0.1:80/", "127.0.0.1", Some(80), "/"),
        ("https://user@acme.com/", "acme.com", Some(443), "/"),
        ("postgres://u:p@DB.internal:5432/x", "db.internal", Some(5432), "/x"),
        ("file:///etc/passwd", "", None, "/etc/passwd"),
    ] {
        let url = url::parse_url(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!((url.host.as_str(), url.port, url.path.as_str()), (host, port, path), "{text}");
    }
    for text in [
        "",
        "acme.com",
        "/a",
        "//acme.com/",
        "https://",
        "https:acme.com",
        "https:/acme.com",
        "https:///acme.com",
        "https://acme.com\\@evil.com",
        "https:\\\\acme.com",
        "https://acme.com/a\\b",
        " https://acme.com",
        "https://acme.com/a b",
        "https://ac\tme.com",
        "https://ac\nme.com/",
        "https://acme.com@evil.com@x.com",
        "https://a%40acme.com@evil.com",
        "https://acme%2ecom/",
        "http://0x7f.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://acme.com:99999/",
        "http://a:b:c/",
        "http://[::1/",
        "https://acme.com/\u{0}",
        "https://\u{a0}acme.com/",
    ] {
        assert!(url::parse_url(text).is_err(), "{text:?} is {:?}", url::parse_url(text));
    }
}

#[test]
fn paths() {
    for (text, normal) in [
        ("/", "/"),
        ("/a/b/", "/a/b"),
        ("//a//b", "/a/b"),
        ("/a/./b/../c", "/a/c"),
        ("/a/%2e%2e/b", "/b"),
        ("/a/%252e%252e/b", "/b"),
        ("/a%2f..%2fb", "/b"),
        ("/100%", "/100%"),
        ("/a/...", "/a/..."),
        ("/%C3%BC", "/ü"),
    ] {
        assert_eq!(path::normalise(text).as_deref(), Ok(normal), "{text}");
    }
    let nested = format!("/a%25{}2e", "25".repeat(20));
    for text in [
        "",
        "a",
        "./a",
        "../a",
        "/..",
        "/a/../..",
        "/a/%2e%2e/..",
        "/a%00b",
        "/a\0b",
        "/a\\..\\b",
        "/a%5c..",
        "~/a",
        "C:\\a",
        "/%ff",
        "/a\nb",
        "/a%0ab",
        nested.as_str(),
    ] {
        assert!(path::normalise(text).is_err(), "{text:?} is {:?}", path::normalise(text));
    }
}

#[test]
fn globs() {
    for (text, pattern, expected) in [
        ("", "", true),
        ("", "*", true),
        ("a", "", false),
        ("a", "?", true),
        ("é", "?", true),
        ("ab", "?", false),
        ("abc", "a*c", true),
        ("abcd", "a*c", false),
        ("abcbc", "a*bc", true),
        ("a/b/c", "a/*", true),
        ("a*c", "a\\*c", true),
        ("abc", "a\\*c", false),
        ("a\\", "a\\\\", true),
        ("mississippi", "m*iss*i?pi", true),
        ("mississippi", "m*iss*x*", false),
        ("abc", "***c", true),
    ] {
        assert_eq!(glob::matches(text, pattern), Ok(expected), "{text} {pattern}");
    }
    assert!(glob::matches("a", "a\\").is_err());
    let hostile = "a".repeat(2_000);
    assert_eq!(glob::matches(&hostile, &("a*".repeat(100) + "b")), Ok(false));
}

#[test]
fn keys() {
    for (json, text) in [
        ("true", Some("true")),
        ("1", Some("1")),
        ("1.0", Some("1")),
        ("1e3", Some("1000")),
        ("-0.0", Some("0")),
        ("1.5", Some("1.5e0")),
        ("1e18", Some("1000000000000000000")),
        ("18446744073709551615", Some("18446744073709551615")),
        ("\"a\\u0062\\\"\"", Some("\"ab\\\"\"")),
        ("\"1\"", Some("\"1\"")),
        ("null", None),
        ("[1]", None),
        ("{}", None),
    ] {
        let value = Value::from_json(Json::parse(json.as_bytes(), 1 << 10, 10).unwrap());
        assert_eq!(value.canonical_key().as_deref(), text, "{json}");
    }
    assert_eq!(Value::Uint(1).canonical_key(), Value::Double(1.0).canonical_key());
    assert_eq!(Value::Double(f64::NAN).canonical_key(), None);
    assert_eq!(Value::Double(f64::INFINITY).canonical_key(), None);
}

#[test]
fn json() {
    let text = r#"{"a": [null, true, -1, 18446744073709551615, 1.0, "x\u00e9"], "b": {}}"#;
    let value = Value::from_json(Json::parse(text.as_bytes(), 1 << 10, 10).unwrap());
    let shown = super::notation::write(&value);
    assert_eq!(shown, "{'a' [null true -1 18446744073709551615u 1.0 'x\u{e9}'] 'b' {}}");
}

#[test]
fn damaged_pools_do_not_open() {
    use crate::program::{Automaton, Constant};
    let automaton = Automaton { pattern: "a".into(), dfa: [1, 2, 3].into() };
    assert!(OpenPool::open(Pool { automata: vec![automaton], ..Pool::default() }).is_err());
    assert!(
        OpenPool::open(Pool { zones: vec![("Mars/Base".into(), [0; 8].into())], ..Pool::default() }).is_err()
    );
    let deep = (0..200).fold(Constant::Null, |inner, _| Constant::List(vec![inner]));
    assert!(OpenPool::open(Pool { constants: vec![deep], ..Pool::default() }).is_err());
}

/// A zone without transitions but for the rule at the end (RFC 8536, version 2).
fn tzif(offset: i32, rule: &str) -> Box<[u8]> {
    let counts: Vec<u8> = [0, 0, 0, 0, 1, 4].into_iter().flat_map(u32::to_be_bytes).collect();
    let block = [b"TZif2".as_slice(), &[0; 15], &counts, &offset.to_be_bytes(), &[0, 0], b"XST\0"].concat();
    [&block, &block, b"\n".as_slice(), rule.as_bytes(), b"\n"].concat().into()
}

#[test]
fn zones_of_the_policy() {
    let zones = vec![
        ("Test/West".into(), tzif(-18_000, "XST5XDT,M3.2.0,M11.1.0")),
        ("Test/East".into(), tzif(20_700, "<+0545>-5:45")),
    ];
    let pool = OpenPool::open(Pool { zones, ..Pool::default() }).unwrap();
    let hour = |time: &str, zone: &str| {
        let time = Value::Timestamp(placet_model::Timestamp::parse_rfc3339(time).unwrap());
        let part = |function| {
            let args = [time.clone(), Value::string(zone)];
            match crate::functions::call(function, &args, &pool, &mut crate::Budget::default()) {
                Ok(Value::Int(part)) => part,
                other => panic!("{other:?}"),
            }
        };
        (part(crate::Function::GetHours), part(crate::Function::GetMinutes))
    };
    assert_eq!(hour("2024-01-15T12:00:00Z", "Test/West"), (7, 0));
    assert_eq!(hour("2024-07-15T12:00:00Z", "Test/West"), (8, 0));
    assert_eq!(hour("2009-02-13T23:31:30Z", "Test/East"), (5, 16));
}
