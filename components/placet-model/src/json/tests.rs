use super::*;

fn parse(text: &[u8]) -> Result<Json<'_>, JsonError> {
    Json::parse(text, 1 << 20, 128)
}

#[test]
fn accepts() {
    for text in [
        "null", "true", "false", "0", "-0", "1", "-1", "10", "1.5", "-1.5e10", "1E+2", "1e-2", "0.0", "\"\"", "\"a\"",
        "[]", "{}", " [ ] ", "[1,2]", "[ 1 , 2 ]", "{\"a\":1}", "{ \"a\" : 1 , \"b\" : [ ] }", "[[[[]]]]", "\"\\n\"",
        "\"\\u0041\"", "\"\\ud83d\\ude00\"", "\"\\/\"", "\"é\"", "\"\u{7f}\"", "9223372036854775807",
        "-9223372036854775808", "18446744073709551615", "1e308", "1e-400", "{\"\":0}", "{\"a\":{\"a\":1}}", "\t1\r\n",
        "{\"a\":1,\"A\":2}", "[{\"a\":1},{\"a\":1}]", "123456789012345678901.0", "\"\\\\\"", "\"\\\"\"",
    ] {
        assert!(parse(text.as_bytes()).is_ok(), "{text}: {:?}", parse(text.as_bytes()));
    }
}

#[test]
fn refuses() {
    for text in [
        "", " ", "nul", "nulll", "True", "00", "01", "-", "-01", "+1", ".5", "1.", "1.e1", "1e", "1e+", "0x10", "1_0",
        "NaN", "Infinity", "-Infinity", "'a'", "\"", "\"a", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\u+123\"",
        "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\\ud800\\ud800\"", "\"\n\"", "\"\t\"", "\"\u{0}\"", "[", "]",
        "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{", "}", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}",
        "{a:1}", "{'a':1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{1:1}", "[1]]", "1 1", "{} {}", "null x", "\u{feff}1",
        "//c\n1", "1//c", "/**/1", "1e309", "-1e999", "18446744073709551616", "-9223372036854775809",
        "{\"a\":1,\"a\":1}", "{\"a\":1,\"\\u0061\":1}", "{\"a\":{\"b\":1,\"b\":2}}", "\u{a0}1", "[1,\u{b}2]", "\u{c}1",
        "tru", "fals", "[true,fals]", "\"\\U0041\"", "\"\\'\"", "[\"a\",\n4\n,1,", "{\"\":1,\"\":2}", "--1", "1-", "1.2.3",
    ] {
        assert!(parse(text.as_bytes()).is_err(), "{text}");
    }
    for bytes in [&b"\"\xff\""[..], b"\xef\xbb\xbf1", b"\xff\xfe1\x00", b"\"\xc0\x80\"", b"\"\xed\xa0\x80\"", b"1\x00"] {
        assert!(parse(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn many_members_are_checked_for_duplicates() {
    let object = |last: &str| {
        let members: Vec<String> = (0..5000).map(|n| format!("\"k{n}\":{n}")).collect();
        format!("{{{},{last}:0}}", members.join(","))
    };
    assert!(parse(object("\"x\"").as_bytes()).is_ok());
    assert!(parse(object("\"k77\"").as_bytes()).is_err());
    assert!(parse(object("\"\\u006b77\"").as_bytes()).is_err());
}

#[test]
fn reads_lazily() {
    let text = r#" { "a" : [ 1 , "x\u0041\n" , { "b" : null } ] , "c\"d" : "}]" , "e":-2.5 } "#;
    let json = parse(text.as_bytes()).unwrap();
    let names: Vec<_> = json.members().map(|(name, value)| (name.into_owned(), value.text().to_owned())).collect();
    assert_eq!(
        names,
        [
            ("a".into(), r#"[ 1 , "x\u0041\n" , { "b" : null } ]"#.to_owned()),
            ("c\"d".into(), r#""}]""#.to_owned()),
            ("e".into(), "-2.5".to_owned()),
        ]
    );
    let elements: Vec<_> = json.get("a").unwrap().elements().collect();
    assert_eq!(elements[1].as_str().unwrap(), "xA\n");
    assert_eq!(elements[2].get("b").unwrap().kind(), Kind::Null);
    assert_eq!(json.get("e").unwrap().as_number(), Some(Number::Double(-2.5)));
    assert!(json.get("z").is_none());
}

#[test]
fn canonical_form() {
    for (text, expected) in [
        (r#"{"b":1,"a":[true,null,"\u00e9\/"]}"#, r#"{"a":[true,null,"é/"],"b":1}"#),
        ("[1.0,1e3,1e21,1e20,0.000001,1e-7,-0,4.50,333333333.33333329]", "[1,1000,1e+21,100000000000000000000,0.000001,1e-7,0,4.5,333333333.3333333]"),
        (r#""\u0001\u0008\t\"\\""#, r#""\u0001\b\t\"\\""#),
        ("9007199254740993", "9007199254740993"),
        ("[5e-324,1.7976931348623157e308]", "[5e-324,1.7976931348623157e+308]"),
        ("{\"\u{10000}\":1,\"\u{ffff}\":2}", "{\"\u{10000}\":1,\"\u{ffff}\":2}"),
    ] {
        let mut out = String::new();
        parse(text.as_bytes()).unwrap().write_canonical(&mut out);
        assert_eq!(out, expected);
    }
}

#[test]
fn numbers_compare_by_value() {
    use std::cmp::Ordering::*;
    let n = |text: &str| Number::parse(text).unwrap();
    for (a, b, order) in [
        ("1000", "1e3", Equal),
        ("5", "5.0", Equal),
        ("9007199254740993", "9007199254740992.0", Greater),
        ("18446744073709551615", "18446744073709551616.0", Less),
        ("-1", "-0.5", Less),
        ("0", "-0.0", Equal),
        ("2", "2.5", Less),
        ("-2", "-2.5", Greater),
        ("9223372036854775807", "1e300", Less),
    ] {
        assert_eq!(n(a).cmp_value(n(b)), order, "{a} {b}");
        assert_eq!(n(b).cmp_value(n(a)), order.reverse(), "{b} {a}");
    }
}
