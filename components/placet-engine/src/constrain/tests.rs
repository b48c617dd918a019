use placet_cel::Pool;
use placet_cel::program::Automaton;
use placet_model::{Json, Number};
use regex_automata::dfa::dense;

use super::*;

mod implication;
mod laws;

/// What a row expects: it holds, it does not, it cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    Err,
}
use Answer::{Err as Unclear, No, Yes};

/// `X`: nothing there.
const ABSENT: &str = "X";

const PATTERNS: &[&str] = &["^[a-z]{2}[0-9]+$", "é"];

fn pool() -> OpenPool {
    let automaton = |pattern: &&str| Automaton {
        pattern: (*pattern).into(),
        dfa: dense::Builder::new()
            .build(pattern)
            .unwrap()
            .to_sparse()
            .unwrap()
            .to_bytes_little_endian()
            .into(),
    };
    OpenPool::open(Pool { automata: PATTERNS.iter().map(automaton).collect(), ..Pool::default() }).unwrap()
}

fn value(text: &str) -> Option<Json<'_>> {
    (text != ABSENT)
        .then(|| Json::parse(text.as_bytes(), 1 << 20, 128).unwrap_or_else(|e| panic!("{text}: {e}")))
}

fn check(constraint: &Constraint, rows: &[(&str, Answer)]) {
    let pool = pool();
    for (text, expected) in rows {
        let got = match matches(constraint, value(text), &pool) {
            Ok(true) => Yes,
            Ok(false) => No,
            Err(_) => Unclear,
        };
        assert_eq!(got, *expected, "{constraint:?} of {text}");
    }
}

fn int(i: i64) -> Number {
    Number::Int(i)
}

fn text(s: &str) -> Literal {
    Literal::String(s.to_owned())
}

fn texts(of: &[&str]) -> Vec<Literal> {
    of.iter().map(|s| text(s)).collect()
}

fn strings(of: &[&str]) -> Vec<String> {
    of.iter().map(|s| (*s).to_owned()).collect()
}

fn shape(others: bool, fields: &[(&str, Constraint)]) -> Constraint {
    let mut fields: Vec<_> = fields.iter().map(|(name, c)| ((*name).to_owned(), c.clone())).collect();
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    Constraint::Shape(Shape { fields, others })
}

fn url(schemes: &[&str], hosts: &[&str], ports: &[u16]) -> Constraint {
    Constraint::Url { schemes: strings(schemes), hosts: strings(hosts), ports: ports.to_vec() }
}

#[test]
fn presence() {
    check(&Constraint::Any, &[("1", Yes), ("null", Yes), ("{}", Yes), (ABSENT, No)]);
    check(&Constraint::Absent, &[("null", No), ("\"\"", No), (ABSENT, Yes)]);
    let not_x = Constraint::NotOneOf(texts(&["x"]));
    check(&not_x, &[("\"y\"", Yes), ("\"x\"", No), ("1", Yes), ("null", Yes), (ABSENT, No)]);
    check(&Constraint::None(vec![Constraint::Equals(text("x"))]), &[("1", Yes), ("\"x\"", No), (ABSENT, No)]);
    check(&Constraint::None(vec![]), &[("1", Yes), (ABSENT, No)]);
    check(&Constraint::All(vec![]), &[("1", Yes), (ABSENT, Yes)]);
    check(&Constraint::One(vec![]), &[("1", No), (ABSENT, No)]);
    let optional = Constraint::One(vec![Constraint::Absent, Constraint::Max(int(5))]);
    check(&optional, &[(ABSENT, Yes), ("5", Yes), ("6", No), ("null", No)]);
    check(&Constraint::All(vec![Constraint::Absent, Constraint::Any]), &[(ABSENT, No), ("1", No)]);
}

#[test]
fn numbers() {
    let max = Constraint::Max(int(1000));
    check(
        &max,
        &[("1000", Yes), ("1e3", Yes), ("1000.0", Yes), ("10e2", Yes), ("1001", No), ("1000.0000001", No)],
    );
    check(
        &max,
        &[("-1e308", Yes), ("18446744073709551615", No), ("1.0e3", Yes), ("1.001e3", No), ("-0", Yes)],
    );
    check(&max, &[("\"1\"", No), ("null", No), ("true", No), ("[1]", No), ("{}", No), (ABSENT, No)]);
    let min = Constraint::Min(Number::Double(0.5));
    check(
        &min,
        &[("0.5", Yes), ("5e-1", Yes), ("1", Yes), ("0", No), ("0.4999999999999999", No), ("-1", No)],
    );
    let huge = Constraint::Max(int(9_007_199_254_740_992));
    check(&huge, &[("9007199254740992", Yes), ("9007199254740993", No), ("9007199254740992.0", Yes)]);
    let unsigned = Constraint::Min(Number::Uint(u64::MAX));
    check(
        &unsigned,
        &[("18446744073709551615", Yes), ("18446744073709551614", No), ("18446744073709551616.0", Yes)],
    );
    check(&unsigned, &[("9223372036854775807", No), ("-1", No), ("1e300", Yes)]);
    let five = Constraint::Equals(Literal::Number(int(5)));
    check(
        &five,
        &[
            ("5", Yes),
            ("5.0", Yes),
            ("50e-1", Yes),
            ("0.5e1", Yes),
            ("5.000001", No),
            ("\"5\"", No),
            ("-5", No),
        ],
    );
    let zero = Constraint::Equals(Literal::Number(int(0)));
    check(
        &zero,
        &[
            ("0", Yes),
            ("-0", Yes),
            ("0.0", Yes),
            ("0e5", Yes),
            ("1e-400", Yes),
            ("5e-324", No),
            ("false", No),
        ],
    );
    let double = Constraint::OneOf(vec![Literal::Number(Number::Double(2.0))]);
    check(&double, &[("2", Yes), ("2.0", Yes), ("20e-1", Yes), ("2.5", No)]);
}

#[test]
fn constants() {
    let null = Constraint::Equals(Literal::Null);
    check(&null, &[("null", Yes), ("false", No), ("\"\"", No), ("0", No), (ABSENT, No)]);
    check(
        &Constraint::Equals(Literal::Bool(true)),
        &[("true", Yes), ("false", No), ("1", No), ("\"true\"", No)],
    );
    let currency = Constraint::OneOf(texts(&["USD", "EUR"]));
    check(
        &currency,
        &[("\"USD\"", Yes), ("\"\\u0055SD\"", Yes), ("\"usd\"", No), ("\"USD \"", No), ("[\"USD\"]", No)],
    );
    // Full-width letters are other letters.
    check(
        &currency,
        &[("\"ＵＳＤ\"", No), ("\"U\\u0000SD\"", No), ("\"USD\\n\"", No), ("\"\"", No), ("null", No)],
    );
    check(&Constraint::OneOf(vec![]), &[("1", No), (ABSENT, No)]);
    let list = Constraint::Equals(Literal::List(vec![Literal::Number(int(1)), text("a")]));
    check(
        &list,
        &[
            ("[1,\"a\"]", Yes),
            ("[1.0,\"a\"]", Yes),
            ("[\"a\",1]", No),
            ("[1]", No),
            ("[1,\"a\",1]", No),
            ("{}", No),
        ],
    );
    let map = Literal::Map(vec![("a".into(), Literal::Number(int(1))), ("b".into(), Literal::List(vec![]))]);
    let map = Constraint::Equals(map);
    check(
        &map,
        &[("{\"b\":[],\"a\":1}", Yes), ("{\"a\":1}", No), ("{\"a\":1,\"b\":[],\"c\":0}", No), ("[1]", No)],
    );
    check(&map, &[("{\"a\":2,\"b\":[]}", No), ("{\"\\u0061\":1e0,\"b\":[]}", Yes)]);
}

#[test]
fn unicode() {
    // é: one character, or e and an accent.
    let cafe = Constraint::Equals(text("café"));
    check(
        &cafe,
        &[("\"café\"", Yes), ("\"cafe\u{301}\"", Yes), ("\"caf\\u00e9\"", Yes), ("\"cafe\\u0301\"", Yes)],
    );
    check(&cafe, &[("\"cafe\"", No), ("\"CAFÉ\"", No), ("\"cafе́\"", No)]);
    check(&Constraint::NotOneOf(texts(&["café"])), &[("\"cafe\u{301}\"", No), ("\"cafe\"", Yes)]);
    // The Kelvin sign is K in NFC; the ligature ﬁ and full-width digits stay what they are.
    check(&Constraint::Equals(text("K")), &[("\"\u{212a}\"", Yes), ("\"\u{ff2b}\"", No)]);
    check(&Constraint::Prefix("fi".into()), &[("\"fish\"", Yes), ("\"\u{fb01}sh\"", No)]);
    check(&Constraint::Prefix("caf".into()), &[("\"cafe\u{301}\"", Yes)]);
    check(&Constraint::Prefix("cafe".into()), &[("\"cafe\u{301}\"", No), ("\"cafe\"", Yes)]);
    check(&Constraint::MaxLength(4), &[("\"cafe\u{301}\"", Yes), ("\"😀😀😀😀\"", Yes), ("\"12345\"", No)]);
    check(&Constraint::MinLength(5), &[("\"cafe\u{301}\"", No), ("\"12345\"", Yes)]);
    check(
        &Constraint::Glob("caf?".into()),
        &[("\"cafe\u{301}\"", Yes), ("\"café\"", Yes), ("\"cafee\"", No)],
    );
    check(&Constraint::Contains(text("é")), &[("\"e\u{301}\"", Yes), ("[\"e\u{301}\"]", Yes), ("\"e\"", No)]);
    check(&Constraint::SubsetOf(texts(&["é"])), &[("[\"e\u{301}\",\"é\"]", Yes), ("[\"e\"]", No)]);
    let regex = Constraint::Regex { pattern: PATTERNS[1].into(), automaton: 1 };
    check(&regex, &[("\"e\u{301}\"", Yes), ("\"é\"", Yes), ("\"e\"", No)]);
    assert_eq!(normal_text("e\u{301}\u{212a}"), "éK");
}

#[test]
fn strings_and_lists() {
    check(
        &Constraint::MinLength(2),
        &[("\"ab\"", Yes), ("\"a\"", No), ("[1,2]", Yes), ("[1]", No), ("12", No), ("{}", No)],
    );
    check(
        &Constraint::MaxLength(2),
        &[("\"ab\"", Yes), ("\"abc\"", No), ("[]", Yes), ("[1,2,3]", No), ("null", No)],
    );
    check(
        &Constraint::Prefix("ab".into()),
        &[("\"abc\"", Yes), ("\"ab\"", Yes), ("\"a\"", No), ("[\"ab\"]", No)],
    );
    check(
        &Constraint::Suffix(".pdf".into()),
        &[("\"x.pdf\"", Yes), ("\"x.pdf.exe\"", No), ("\"x.pdf\\u0000\"", No)],
    );
    let glob = Constraint::Glob("a*b?\\*".into());
    check(
        &glob,
        &[
            ("\"axxbx*\"", Yes),
            ("\"abx*\"", Yes),
            ("\"abx\"", No),
            ("\"xabx*\"", No),
            ("\"abxx\"", No),
            ("1", No),
        ],
    );
    check(&Constraint::Glob("*".into()), &[("\"\"", Yes), ("\"a/b\\nc\"", Yes), ("[]", No)]);
    check(&Constraint::Glob("a\\".into()), &[("\"a\"", Unclear), ("1", No)]);
    let regex = Constraint::Regex { pattern: PATTERNS[0].into(), automaton: 0 };
    check(&regex, &[("\"ab12\"", Yes), ("\"AB12\"", No), ("\"ab12\\n\"", No), ("\"xab12\"", No), ("12", No)]);
    check(
        &Constraint::Regex { pattern: "x".into(), automaton: 99 },
        &[("\"x\"", Unclear), ("1", No), (ABSENT, No)],
    );
    check(
        &Constraint::Contains(text("b")),
        &[("\"abc\"", Yes), ("[\"b\"]", Yes), ("[\"abc\"]", No), ("\"\"", No), ("[]", No)],
    );
    let one = Constraint::Contains(Literal::Number(int(1)));
    check(&one, &[("[0,1.0]", Yes), ("[\"1\"]", No), ("\"1\"", No), ("1", No)]);
    let subset = Constraint::SubsetOf(texts(&["a", "b"]));
    check(
        &subset,
        &[
            ("[]", Yes),
            ("[\"a\",\"a\"]", Yes),
            ("[\"b\",\"a\"]", Yes),
            ("[\"a\",\"c\"]", No),
            ("\"a\"", No),
            ("[1]", No),
        ],
    );
    let each = Constraint::Each(Box::new(Constraint::Max(int(5))));
    check(&each, &[("[]", Yes), ("[1,5.0]", Yes), ("[1,6]", No), ("[\"1\"]", No), ("1", No), (ABSENT, No)]);
}

#[test]
fn long_lists_against_many_constants() {
    let names: Vec<String> = (0..100).map(|n| format!("n{n}")).collect();
    let mut literals: Vec<Literal> = names.iter().rev().map(|s| text(s)).collect();
    literals.push(Literal::Number(int(7)));
    let quoted: Vec<String> = names.iter().map(|s| format!("{s:?}")).collect();
    let all = quoted.join(",");
    check(
        &Constraint::SubsetOf(literals),
        &[(&format!("[{all},7.0]"), Yes), (&format!("[{all},8]"), No), (&format!("[{all},\"n100\"]"), No)],
    );
}

#[test]
fn networks() {
    let cidr = Constraint::Cidr(strings(&["10.0.0.0/8", "2001:db8::/32", "192.168.1.7/32"]));
    check(
        &cidr,
        &[("\"10.1.2.3\"", Yes), ("\"10.255.255.255\"", Yes), ("\"11.0.0.0\"", No), ("\"192.168.1.7\"", Yes)],
    );
    check(
        &cidr,
        &[
            ("\"2001:db8::1\"", Yes),
            ("\"2001:DB8:0:0:0:0:0:1\"", Yes),
            ("\"2001:db9::1\"", No),
            ("\"::\"", No),
        ],
    );
    // An IPv4 address written as IPv6 is that address, unless it is written in the mixed way.
    check(
        &cidr,
        &[("\"::ffff:a01:203\"", Yes), ("\"::ffff:10.1.2.3\"", Unclear), ("\"::ffff:b01:203\"", No)],
    );
    // What is no address cannot be told.
    for bad in [
        "0x0a.1.2.3",
        "0x7f.1",
        "012.1.2.3",
        "10.1.2",
        "10.1.2.3 ",
        "１０.1.2.3",
        "10.1.2.3/8",
        "167772161",
        "localhost",
        "",
    ] {
        check(&cidr, &[(&format!("{bad:?}"), Unclear)]);
    }
    check(
        &cidr,
        &[("\"10.1.2.3%eth0\"", Unclear), ("\"fe80::1%1\"", Unclear), ("10", No), ("null", No), (ABSENT, No)],
    );
    check(&Constraint::Cidr(strings(&["10.0.0.0/33"])), &[("\"10.0.0.1\"", Unclear)]);
    check(&Constraint::Cidr(vec![]), &[("\"10.0.0.1\"", No)]);
}

#[test]
fn mailboxes() {
    let acme = Constraint::Email { domains: strings(&["acme.com", "*.acme.org", "xn--bcher-kva.example"]) };
    check(&acme, &[("\"ann@acme.com\"", Yes), ("\"Ann.Lee+x@ACME.com\"", Yes), ("\"ann@eu.acme.org\"", Yes)]);
    check(
        &acme,
        &[("\"ann@acme.org\"", No), ("\"ann@acme.com.evil.example\"", No), ("\"ann@notacme.com\"", No)],
    );
    check(
        &acme,
        &[
            ("\"ann@bücher.example\"", Yes),
            ("\"ann@bu\u{308}cher.example\"", Yes),
            ("\"ann@BÜCHER.example\"", Yes),
        ],
    );
    // Look-alikes: Cyrillic а, a zero-width joiner that IDNA drops or refuses, a full-width dot that it maps.
    check(&acme, &[("\"ann@аcme.com\"", No), ("\"ann@acme．com\"", Yes), ("\"ann@acme.co\u{3fe}\"", No)]);
    for bad in [
        "ann",
        "@acme.com",
        "ann@",
        "ann@@acme.com",
        "ann@evil.com@acme.com",
        "\"ann@evil.com\"@acme.com",
        "ann@[10.0.0.1]",
        "Ann <ann@acme.com>",
        "ann@acme.com, eve@evil.com",
        "ann@acme.com;eve@evil.com",
        "ann@acme.com\neve@evil.com",
        "ann@acme.com\r\nBcc: eve@evil.com",
        "eve%evil.com@acme.com",
        "evil.com!eve@acme.com",
        "ann@acme.com\u{0}",
        "ann(x)@acme.com",
        " ann@acme.com",
        "ann@acme.com ",
        "ann@acme..com",
        ".ann@acme.com",
        "ann..lee@acme.com",
        "ann@-acme.com",
        "ann@10.0.0.1",
        "mailto:ann@acme.com",
        "",
    ] {
        let mut json = String::new();
        placet_model::json::write_string(&mut json, bad);
        check(&acme, &[(&json, Unclear)]);
    }
    check(&acme, &[("1", No), ("[\"ann@acme.com\"]", No), (ABSENT, No)]);
    let any = Constraint::Email { domains: vec![] };
    check(&any, &[("\"ann@acme.com\"", Yes), ("\"eve@evil.com\"", Yes), ("\"ann\"", Unclear)]);
}

#[test]
fn urls() {
    let good = url(&["https"], &["good.com", "*.good.org"], &[]);
    check(
        &good,
        &[
            ("\"https://good.com\"", Yes),
            ("\"https://good.com/a?b#c\"", Yes),
            ("\"HTTPS://GOOD.com:443/\"", Yes),
        ],
    );
    check(
        &good,
        &[("\"http://good.com\"", No), ("\"https://www.good.com\"", No), ("\"https://a.b.good.org\"", Yes)],
    );
    check(
        &good,
        &[
            ("\"https://good.org\"", No),
            ("\"https://good.com.evil.com\"", No),
            ("\"https://evilgood.org\"", No),
        ],
    );
    check(
        &good,
        &[
            ("\"https://good.com./\"", Yes),
            ("\"https://evil.com/https://good.com\"", No),
            ("\"https://evil.com#@good.com\"", No),
        ],
    );
    check(
        &good,
        &[
            ("\"https://evil.com?@good.com\"", No),
            ("\"https://good.com#@evil.com\"", Yes),
            ("\"https://ɢood.com\"", No),
        ],
    );
    check(
        &good,
        &[
            ("\"https://ｇｏｏｄ.com\"", Yes),
            ("\"https://good。com\"", Yes),
            ("\"https://gооd.com\"", No),
            ("\"javascript:alert(1)\"", No),
        ],
    );
    for bad in [
        "https://good.com@evil.com",
        "https://evil.com@good.com",
        "https://user:pw@good.com",
        "https://:pw@good.com",
        "https://@good.com",
        "http://evil.com\\@good.com",
        "https:\\\\good.com",
        "https://good.com\\.evil.com",
        "https:good.com",
        "https:/good.com",
        "https:///good.com",
        "https://good.com%2eevil.com",
        "https://evil.com%2f@good.com",
        "https://good.com\t.evil.com",
        "ht\ntps://good.com",
        " https://good.com",
        "https://good.com\u{0}.evil.com",
        "https://go od.com",
        "https://good.com\u{2028}",
        "good.com",
        "//good.com",
        "/good",
        "",
        "https://",
        "https://good.com:99999",
        "https://[::1",
        "https://good.com／@evil.com",
        "https://a@b@good.com",
        "https://good.com:80:80/",
    ] {
        let mut json = String::new();
        placet_model::json::write_string(&mut json, bad);
        check(&good, &[(&json, Unclear)]);
    }
    check(&good, &[("5", No), ("null", No), ("{\"url\":\"https://good.com\"}", No), (ABSENT, No)]);
    let ports = url(&[], &[], &[443, 8443]);
    check(
        &ports,
        &[
            ("\"https://x\"", Yes),
            ("\"http://x\"", No),
            ("\"http://x:443\"", Yes),
            ("\"https://x:8443\"", Yes),
        ],
    );
    check(&ports, &[("\"https://x:80\"", No), ("\"mailto:a@b\"", No)]);
    let local = url(&[], &["127.0.0.1", "[::1]"], &[]);
    check(
        &local,
        &[("\"http://127.0.0.1/\"", Yes), ("\"http://[::1]/\"", Yes), ("\"http://[0:0:0:0:0:0:0:1]/\"", Yes)],
    );
    check(
        &local,
        &[("\"http://[::ffff:7f00:1]/\"", Yes), ("\"http://localhost/\"", No), ("\"http://127.0.0.2\"", No)],
    );
    // Other forms of the same address are not denied silently: they cannot be told.
    check(
        &local,
        &[
            ("\"http://0x7f.1/\"", Unclear),
            ("\"http://2130706433/\"", Unclear),
            ("\"http://0177.0.0.1/\"", Unclear),
        ],
    );
    check(
        &local,
        &[
            ("\"http://127.1/\"", Unclear),
            ("\"http://１２７.0.0.1/\"", Unclear),
            ("\"http://127.0.0.1./\"", Unclear),
        ],
    );
}

#[test]
fn paths() {
    let data = Constraint::Path { under: strings(&["/srv/data", "/tmp/"]) };
    check(
        &data,
        &[
            ("\"/srv/data\"", Yes),
            ("\"/srv/data/\"", Yes),
            ("\"/srv/data/x/y.txt\"", Yes),
            ("\"/tmp/x\"", Yes),
            ("\"/tmp\"", Yes),
        ],
    );
    check(
        &data,
        &[
            ("\"/srv/database\"", No),
            ("\"/srv\"", No),
            ("\"/\"", No),
            ("\"/srv/data/../x\"", No),
            ("\"/tmpx\"", No),
        ],
    );
    check(
        &data,
        &[
            ("\"/srv/./data//x\"", Yes),
            ("\"/srv/data/x/../y\"", Yes),
            ("\"/srv/data/a/../../secret\"", No),
            ("\"//srv/data\"", Yes),
        ],
    );
    check(
        &data,
        &[
            ("\"/srv/data/%2e%2e/x\"", No),
            ("\"/srv/data/%2E%2E%2fx\"", No),
            ("\"/srv/data/%252e%252e/x\"", No),
        ],
    );
    check(
        &data,
        &[
            ("\"/srv/%64ata/x\"", Yes),
            ("\"/srv/data%2f..%2f..%2fetc\"", No),
            ("\"/srv/data/..\"", No),
            ("\"/srv/data/...\"", Yes),
        ],
    );
    // Normalising before decoding would hide this slash in an accented letter.
    check(
        &data,
        &[("\"/srv/data/%2e%2e%2f\u{307}\"", No), ("\"/srv/data/．．/x\"", Yes), ("\"/SRV/data/x\"", No)],
    );
    for bad in [
        "srv/data",
        "./x",
        "../x",
        "",
        "x",
        "~",
        "~/x",
        "/..",
        "/../srv/data",
        "/srv/../../etc",
        "/%2e%2e/etc",
        "\\srv\\data",
        "/srv/data\\..\\x",
        "/srv/data/\u{0}",
        "/srv/data/x\n",
        "/srv/data/%00",
        "/srv/data/%0a",
        "/srv/data/%5c..",
        "/srv/data/%ff",
        "C:\\x",
        "file:///srv/data",
        "/srv/data/%25252525252525252525252e",
        "\u{2215}srv",
    ] {
        let mut json = String::new();
        placet_model::json::write_string(&mut json, bad);
        check(&data, &[(&json, Unclear)]);
    }
    check(&data, &[("1", No), ("[\"/srv/data\"]", No), (ABSENT, No)]);
    check(
        &Constraint::Path { under: strings(&["/"]) },
        &[("\"/\"", Yes), ("\"/etc\"", Yes), ("\"/..\"", Unclear)],
    );
    check(
        &Constraint::Path { under: strings(&["/café"]) },
        &[("\"/cafe\u{301}/x\"", Yes), ("\"/caf%C3%A9/x\"", Yes), ("\"/cafe%CC%81\"", Yes)],
    );
    check(&Constraint::Path { under: vec![] }, &[("\"/x\"", No), ("\"x\"", Unclear)]);
}

#[test]
fn shapes() {
    let amount = ("amount", Constraint::Max(int(500)));
    let note = ("note", Constraint::One(vec![Constraint::Absent, Constraint::MaxLength(3)]));
    let closed = shape(false, &[amount.clone(), note.clone()]);
    check(
        &closed,
        &[("{\"amount\":5}", Yes), ("{\"note\":\"abc\",\"amount\":5}", Yes), ("{\"amount\":5,\"x\":0}", No)],
    );
    check(
        &closed,
        &[
            ("{\"amount\":501}", No),
            ("{}", No),
            ("{\"note\":\"a\"}", No),
            ("{\"amount\":5,\"note\":\"abcd\"}", No),
        ],
    );
    check(
        &closed,
        &[
            ("{\"\\u0061mount\":5}", Yes),
            ("{\"Amount\":5}", No),
            ("{\"amount \":5}", No),
            ("[]", No),
            ("null", No),
            (ABSENT, No),
        ],
    );
    // Names are not normalised: the target does not do it either.
    let named = shape(false, &[("é", Constraint::Any)]);
    check(&named, &[("{\"é\":1}", Yes), ("{\"e\u{301}\":1}", No), ("{\"é\":1,\"e\u{301}\":1}", No)]);
    let open = shape(true, &[amount, note]);
    check(
        &open,
        &[("{\"amount\":5,\"x\":{\"y\":[]}}", Yes), ("{\"amount\":501,\"x\":0}", No), ("{\"x\":0}", No)],
    );
    check(&shape(false, &[]), &[("{}", Yes), ("{\"a\":1}", No)]);
    check(&shape(true, &[]), &[("{}", Yes), ("{\"a\":1}", Yes), ("1", No)]);
    check(&shape(true, &[("gone", Constraint::Absent)]), &[("{}", Yes), ("{\"gone\":null}", No)]);
    let wide: Vec<String> = (0..40).map(|n| format!("f{n:02}")).collect();
    let fields: Vec<(&str, Constraint)> =
        wide.iter().map(|name| (name.as_str(), Constraint::Max(int(9)))).collect();
    let of = |last: &str| {
        format!(
            "{{{},\"f39\":{last}}}",
            wide[..39].iter().map(|n| format!("{n:?}:1")).collect::<Vec<_>>().join(",")
        )
    };
    check(&shape(false, &fields), &[(&of("9"), Yes), (&of("10"), No)]);
    let damaged = Constraint::Shape(Shape {
        fields: vec![("b".into(), Constraint::Any), ("a".into(), Constraint::Any)],
        others: false,
    });
    check(&damaged, &[("{\"a\":1,\"b\":1}", Unclear)]);
    let top = Shape { fields: vec![("a".into(), Constraint::Any)], others: false };
    assert_eq!(shape_matches(&top, value("{\"a\":1}").unwrap(), &pool()), Ok(true));
    assert_eq!(shape_matches(&top, value("{\"b\":1}").unwrap(), &pool()), Ok(false));
    assert_eq!(shape_matches(&top, value("[]").unwrap(), &pool()), Ok(false));
}

#[test]
fn errors_lose_against_certainty() {
    let path = || Constraint::Path { under: strings(&["/a"]) };
    let short = || Constraint::MaxLength(4);
    check(
        &Constraint::All(vec![path(), short()]),
        &[("\"rel\"", Unclear), ("\"relative\"", No), ("\"/a/b\"", Yes)],
    );
    check(
        &Constraint::One(vec![path(), short()]),
        &[("\"rel\"", Yes), ("\"relative\"", Unclear), ("\"/b/long\"", No)],
    );
    check(
        &Constraint::None(vec![path()]),
        &[("\"rel\"", Unclear), ("\"/b\"", Yes), ("\"/a\"", No), ("1", Yes)],
    );
    check(&Constraint::None(vec![path(), short()]), &[("\"rel\"", No), ("\"relative\"", Unclear)]);
    check(
        &Constraint::Each(Box::new(path())),
        &[("[\"/a\",\"rel\"]", Unclear), ("[\"rel\",\"/b\"]", No), ("[\"rel\",1]", No)],
    );
    let two = shape(false, &[("p", path()), ("q", Constraint::Max(int(1)))]);
    check(
        &two,
        &[
            ("{\"p\":\"rel\",\"q\":1}", Unclear),
            ("{\"p\":\"rel\",\"q\":2}", No),
            ("{\"p\":\"rel\",\"q\":1,\"r\":1}", No),
        ],
    );
}

#[test]
fn nesting_has_an_end() {
    let nested = |depth: usize| (0..depth).fold(Constraint::Any, |c, _| Constraint::All(vec![c]));
    check(&nested(63), &[("1", Yes)]);
    check(&nested(64), &[("1", Unclear)]);
    assert!(is_narrower(&nested(63), &nested(63), &pool()));
    assert!(!is_narrower(&nested(64), &nested(64), &pool()));
}

#[test]
fn words() {
    for (constraint, words) in [
        (Constraint::Max(int(500)), "at most 500"),
        (Constraint::Min(Number::Double(0.5)), "at least 0.5"),
        (Constraint::OneOf(texts(&["USD", "EUR"])), "one of USD, EUR"),
        (Constraint::Path { under: strings(&["/srv/data"]) }, "a path under /srv/data"),
        (
            url(&["https"], &["a.com", "*.b.com"], &[443]),
            "a URL with scheme https with host a.com or *.b.com with port 443",
        ),
        (Constraint::Email { domains: strings(&["acme.com"]) }, "an e-mail address at acme.com"),
        (Constraint::Absent, "left out"),
        (Constraint::All(vec![Constraint::Min(int(1)), Constraint::Max(int(5))]), "at least 1 and at most 5"),
        (Constraint::None(vec![Constraint::Prefix("x".into())]), "not beginning with x"),
        (Constraint::Each(Box::new(Constraint::MaxLength(3))), "a list, each at most 3 long"),
        (
            shape(false, &[("a", Constraint::Any), ("b", Constraint::Max(int(1)))]),
            "an object with a any value, b at most 1",
        ),
    ] {
        assert_eq!(describe(&constraint), words);
    }
}
