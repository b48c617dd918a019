use super::*;

mod differential;

fn parse(text: &[u8]) -> Result<Json<'_>, JsonError> {
    Json::parse(text, 1 << 20, 128)
}

#[rustfmt::skip]
const ACCEPTED: &[&str] = &[
    "null", "true", "false", " null", "null ", "\t1\r\n", "\"\"", "\"a\"", "[]", "{}", " [ ] ", "{ }", "\n{\n}\n",
    "0", "-0", "1", "-1", "10", "1.5", "0.0", "-0.0", "1e2", "1E2", "1E+2", "1e-2", "-1.5e10", "0e0", "0e+1", "0E-9",
    "1e308", "1.7976931348623157e308", "-1e308", "5e-324", "1e-400", "123456789012345678901.0", "1e00", "1e01",
    "9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551615",
    "0.000000000000000000000000000000000000000000000000000000000000000000000000000000001", "100000000000000000.5",
    "[1,2]", "[ 1 , 2 ]", "[[[[]]]]", "[null,true,false,0,\"\",[],{}]", "[\"a\",\"a\"]", "[{\"a\":1},{\"a\":1}]",
    "{\"a\":1}", "{ \"a\" : 1 , \"b\" : [ ] }", "{\"\":0}", "{\"a\":{\"a\":1}}", "{\"a\":1,\"A\":2}",
    "{\"e\u{301}\":1,\"\u{e9}\":2}", "{\"a\":[],\"b\":{},\"c\":\"\"}", "{\"\\u0000\":1,\"\":2}",
    "\"\\n\"", "\"\\/\"", "\"\\\\\"", "\"\\\"\"", "\"\\b\\f\\n\\r\\t\"", "\"\\u0041\"", "\"\\u0000\"", "\"\\uFFFF\"",
    "\"\\ud83d\\ude00\"", "\"\\uD83D\\uDE00\"", "\"\\ud7ff\"", "\"\\ue000\"", "\"é\"", "\"\u{7f}\"", "\"\u{80}\"",
    "\"\u{2028}\u{2029}\"", "\"\u{10ffff}\"", "\"\u{feff}\"", "\"[\"", "\"}\"", "\"//\"",
    "\"12345678\"", "\"1234567\\n\"", "\"12345678\\\"\"", "\"日本語日本語日本語\"",
];

#[rustfmt::skip]
const REFUSED: &[&str] = &[
    "", " ", "\n", "nul", "nulll", "Null", "True", "TRUE", "tru", "fals", "nil", "undefined", "null x", "null,", "x",
    "00", "01", "-01", "-00", "-", "--1", "+1", ".5", "-.5", "1.", "1.e1", "1e", "1e+", "1E-", "1e1.5", "1ee2", "1.2.3",
    "1-", "1+1", "0x10", "0x", "1_0", "1,0", "1a", "1f", "0b1", "0o7", "1e+-2", "1 000", "٣", "１", "½",
    "NaN", "Infinity", "-Infinity", "nan", "inf", "-inf", "1e309", "-1e999", "1e400", "1e99999999999999999999",
    "18446744073709551616", "-9223372036854775809", "100000000000000000000", "-18446744073709551615",
    "'a'", "\"", "\"a", "\"\\", "\"\\\"", "\"\\x\"", "\"\\'\"", "\"\\0\"", "\"\\a\"", "\"\\U0041\"", "\"\\u\"", "\"\\u1\"",
    "\"\\u12\"", "\"\\u123\"", "\"\\u12g4\"", "\"\\u+123\"", "\"\\u 123\"", "\"\\u-123\"", "\"\\u00\u{e9}\"", "\"\\u{41}\"",
    "\"\\ud800\"", "\"\\uDBFF\"", "\"\\udc00\"", "\"\\udfff\"", "\"\\ud800\\u0041\"", "\"\\ud800\\ud800\"", "\"\\ud800x\"",
    "\"\\ud800\\\"", "\"\\ud800\\u\"", "\"\\ud800\\udc0\"", "\"\\ud800\\n\"", "\"\\udc00\\ud800\"",
    "\"\n\"", "\"\t\"", "\"\r\"", "\"\u{0}\"", "\"\u{1f}\"", "\"1234567\u{1}\"", "\"12345678\u{1}\"", "\"a\"b", "\"a\"\"b\"",
    "[", "]", "[1", "[1,", "[1,]", "[,1]", "[,]", "[1 2]", "[1,,2]", "[1]]", "[1}", "[\"a\":1]", "[true,fals]", "[\"a\",\n4\n,1,",
    "[1;2]", "(1)", "[1:2]", "[\"\"", "[-]", "[.]", "[+]",
    "{", "}", "{]", "{\"a\"", "{\"a\"}", "{\"a\":", "{\"a\":}", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}", "{a:1}", "{'a':1}",
    "{\"a\" 1}", "{\"a\"::1}", "{\"a\":1 \"b\":2}", "{\"a\":1,,\"b\":2}", "{\"a\":1;\"b\":2}", "{1:1}", "{null:1}", "{[]:1}",
    "{\"a\",\"b\"}", "{\"a\"=1}", "{\"a\":1}}", "{\"a\":1]", "{}{}", "{} {}", "{},", "1 1", "[][]", "\"a\" \"b\"",
    "{\"a\":1,\"a\":1}", "{\"a\":1,\"\\u0061\":1}", "{\"\\u0061\":1,\"a\":1}", "{\"a\":{\"b\":1,\"b\":2}}", "{\"\":1,\"\":2}",
    "[{\"x\":1,\"y\":2,\"x\":3}]", "{\"/\":1,\"\\/\":2}", "{\"\u{1f600}\":1,\"\\ud83d\\ude00\":2}",
    "\u{feff}1", "\u{feff}{}", "1\u{feff}", "\u{a0}1", "\u{c}1", "1\u{b}", "[1,\u{b}2]", "\u{2028}1", "\u{3000}1", "1\u{0}", "\u{0}1", "\u{85}1",
    "//c\n1", "1//c", "/**/1", "[1,/*c*/2]", "#c\n1", "<!-- -->1", "`a`", "\\u0031", "\u{201c}a\u{201d}",
];

#[test]
fn accepts() {
    for text in ACCEPTED {
        let got = parse(text.as_bytes());
        assert!(got.is_ok(), "{text:?}: {got:?}");
    }
}

#[test]
fn refuses() {
    for text in REFUSED {
        let error = parse(text.as_bytes()).expect_err(text);
        assert!(error.offset() <= text.len() && !error.message().is_empty(), "{text:?}: {error}");
    }
    for bytes in [
        &b"\"\xff\""[..],
        b"\xef\xbb\xbf1",
        b"\xff\xfe1\x00",
        b"\"\xc0\x80\"",
        b"\"\xed\xa0\x80\"",
        b"1\x00",
        b"\"\xf4\x90\x80\x80\"",
        b"\"\xe2\x82\"",
        b"\x80",
        b"1\x00\x00\x00",
    ] {
        assert!(parse(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn every_truncation_is_refused() {
    let text = r#"{"a":[1,"x\u0041é",{"b":null,"c":-1.5e3}],"d":"}]"}"#;
    assert!(parse(text.as_bytes()).is_ok());
    for end in 0..text.len() {
        assert!(parse(&text.as_bytes()[..end]).is_err(), "{end}");
    }
}

#[test]
fn depth_and_length_have_ends() {
    let nested =
        |depth: usize, open: &str, close: &str| format!("{}{}", open.repeat(depth), close.repeat(depth));
    assert!(parse(nested(128, "[", "]").as_bytes()).is_ok());
    assert!(parse(nested(129, "[", "]").as_bytes()).is_err());
    let object = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert!(parse(object(128).as_bytes()).is_ok());
    assert!(parse(object(129).as_bytes()).is_err());
    // Never overflows the stack, whatever the caller allows.
    assert!(Json::parse("[".repeat(1 << 20).as_bytes(), usize::MAX, usize::MAX).is_err());
    assert!(Json::parse(nested(512, "[", "]").as_bytes(), usize::MAX, usize::MAX).is_ok());
    assert!(Json::parse(b"[1]", 3, 1).is_ok());
    assert!(Json::parse(b"[1]", 2, 1).is_err());
    assert!(Json::parse(b"[1]", 3, 0).is_err());
    assert!(Json::parse(b"1", 3, 0).is_ok());
}

#[test]
fn many_members_are_checked_for_duplicates() {
    let object = |count: usize, last: &str| {
        let members: Vec<String> = (0..count).map(|n| format!("\"k{n}\":{{\"k\":{n}}}")).collect();
        format!("{{{},{last}:0}}", members.join(","))
    };
    for count in [1, 15, 16, 17, 18, 1000] {
        assert!(parse(object(count, "\"x\"").as_bytes()).is_ok(), "{count}");
        for twin in [0, count / 2, count - 1] {
            assert!(parse(object(count, &format!("\"k{twin}\"")).as_bytes()).is_err(), "{count} {twin}");
            assert!(
                parse(object(count, &format!("\"\\u006b{twin}\"")).as_bytes()).is_err(),
                "{count} {twin}"
            );
        }
    }
}

#[test]
fn reads_lazily() {
    let text = r#" { "a" : [ 1 , "x\u0041\n" , { "b" : null } ] , "c\"d" : "}]" , "e":-2.5 , "f":true} "#;
    let json = parse(text.as_bytes()).unwrap();
    let names: Vec<_> =
        json.members().map(|(name, value)| (name.into_owned(), value.text().to_owned())).collect();
    assert_eq!(
        names,
        [
            ("a".into(), r#"[ 1 , "x\u0041\n" , { "b" : null } ]"#.to_owned()),
            ("c\"d".into(), r#""}]""#.to_owned()),
            ("e".into(), "-2.5".to_owned()),
            ("f".into(), "true".to_owned()),
        ]
    );
    let elements: Vec<_> = json.get("a").unwrap().elements().collect();
    assert_eq!(elements[1].as_str().unwrap(), "xA\n");
    assert_eq!(elements[2].get("b").unwrap().kind(), Kind::Null);
    assert_eq!(json.get("e").unwrap().as_number(), Some(Number::Double(-2.5)));
    assert_eq!(json.get("c\"d").unwrap().as_str().unwrap(), "}]");
    assert_eq!(json.get("f").unwrap().as_bool(), Some(true));
    assert!(json.get("z").is_none());
    assert!(matches!(json.get("c\"d").unwrap().as_str(), Some(Cow::Borrowed(_))));
    assert_eq!((json.len(), json.get("a").unwrap().len(), json.get("e").unwrap().len()), (4, 3, 0));
    assert!(Json::EMPTY_OBJECT.is_empty() && Json::NULL.kind() == Kind::Null);
    // Readers of other kinds give nothing.
    let number = json.get("e").unwrap();
    assert!(number.elements().next().is_none() && number.members().next().is_none());
    assert!(number.as_str().is_none() && number.as_bool().is_none() && json.as_number().is_none());
}

#[test]
fn unescapes() {
    for (text, expected) in [
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""\u0041\u00e9\ud83d\ude00""#, "Aé😀"),
        (r#""a\u0000b""#, "a\0b"),
        (r#""\\u0041""#, "\\u0041"),
        (r#""\\\\""#, "\\\\"),
        (r#""plain""#, "plain"),
        (r#""\uD83D\uDE00x\uffff""#, "😀x\u{ffff}"),
    ] {
        assert_eq!(parse(text.as_bytes()).unwrap().as_str().unwrap(), expected);
    }
}

#[test]
fn canonical_form() {
    for (text, expected) in [
        // The examples of RFC 8785, sections 3.2.2 and 3.2.3.
        (
            r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#,
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}",
        ),
        (
            r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#,
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}",
        ),
        (r#"{"b":1,"a":[true,null,"\u00e9\/"]}"#, r#"{"a":[true,null,"é/"],"b":1}"#),
        (" [ 1 , { \"z\" : { } , \"a\" : [ ] } ] ", r#"[1,{"a":[],"z":{}}]"#),
        (
            r#"{"c":{"y":1,"x":2},"b":[{"n":1,"m":2}],"a":0}"#,
            r#"{"a":0,"b":[{"m":2,"n":1}],"c":{"x":2,"y":1}}"#,
        ),
        (
            "[1.0,1e3,1e21,1e20,0.000001,1e-7,-0,-0.0,4.50]",
            "[1,1000,1e+21,100000000000000000000,0.000001,1e-7,0,0,4.5]",
        ),
        (r#""\u0001\u0008\t\"\\\u007f""#, "\"\\u0001\\b\\t\\\"\\\\\u{7f}\""),
        // Appendix B of RFC 8785.
        ("[5e-324,-5e-324,1.7976931348623157e308]", "[5e-324,-5e-324,1.7976931348623157e+308]"),
        (
            "[9007199254740992.0,-9007199254740992.0,295147905179352830000.0]",
            "[9007199254740992,-9007199254740992,295147905179352830000]",
        ),
        (
            "[9.999999999999997e22,1e23,1.0000000000000001e23]",
            "[9.999999999999997e+22,1e+23,1.0000000000000001e+23]",
        ),
        (
            "[999999999999999700000.0,999999999999999900000.0]",
            "[999999999999999700000,999999999999999900000]",
        ),
        (
            "[9.999999999999997e-7,0.000001,-0.0000033333333333333333]",
            "[9.999999999999997e-7,0.000001,-0.0000033333333333333333]",
        ),
        (
            "[333333333.3333332,333333333.33333325,333333333.3333334,1424953923781206.2]",
            "[333333333.3333332,333333333.33333325,333333333.3333334,1424953923781206.2]",
        ),
        // Whole numbers within 64 bits keep all their digits.
        ("[9007199254740993,18446744073709551615]", "[9007199254740993,18446744073709551615]"),
        ("[9223372036854775808.0,9223372036854776000]", "[9223372036854775808,9223372036854776000]"),
        ("[-9223372036854775808.0,18446744073709551616.0]", "[-9223372036854775808,18446744073709552000]"),
    ] {
        let mut out = String::new();
        parse(text.as_bytes()).unwrap().write_canonical(&mut out);
        assert_eq!(out, expected);
        let mut again = String::new();
        parse(out.as_bytes()).unwrap_or(Json::NULL).write_canonical(&mut again);
        // A double beyond 64 bits is written like an integer that is out of range, as ECMAScript does.
        assert!(again == out || again == "null", "{out}");
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
        ("9007199254740991", "9007199254740992.0", Less),
        ("18446744073709551615", "18446744073709551616.0", Less),
        ("9223372036854775808", "9223372036854775808.0", Equal),
        ("9223372036854775807", "9223372036854775808.0", Less),
        ("-9223372036854775808", "-9223372036854775808.0", Equal),
        ("-1", "-0.5", Less),
        ("-1", "18446744073709551615", Less),
        ("0", "-0.0", Equal),
        ("0", "5e-324", Less),
        ("2", "2.5", Less),
        ("-2", "-2.5", Greater),
        ("9223372036854775807", "1e300", Less),
        ("-9223372036854775808", "-1e300", Greater),
        ("0.1", "0.10", Equal),
    ] {
        assert_eq!(n(a).cmp_value(n(b)), order, "{a} {b}");
        assert_eq!(n(b).cmp_value(n(a)), order.reverse(), "{b} {a}");
    }
}

#[test]
fn numbers_are_read_exactly() {
    for (text, number) in [
        ("0", Some(Number::Int(0))),
        ("999999999999999999", Some(Number::Int(999_999_999_999_999_999))),
        ("-999999999999999999", Some(Number::Int(-999_999_999_999_999_999))),
        ("9223372036854775807", Some(Number::Int(i64::MAX))),
        ("-9223372036854775808", Some(Number::Int(i64::MIN))),
        ("9223372036854775808", Some(Number::Uint(1 << 63))),
        ("18446744073709551615", Some(Number::Uint(u64::MAX))),
        ("1.0", Some(Number::Double(1.0))),
        ("1e0", Some(Number::Double(1.0))),
        ("1e-999", Some(Number::Double(0.0))),
        ("18446744073709551616", None),
        ("1e999", None),
        ("+1", None),
        (" 1", None),
        ("1 ", None),
        ("", None),
        ("-", None),
        ("1,", None),
        ("0123456789", None),
    ] {
        assert_eq!(Number::parse(text), number, "{text}");
    }
}
