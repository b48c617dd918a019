//! "Is narrower than", row by row.

use super::*;

fn all(of: &[Constraint]) -> Constraint {
    Constraint::All(of.to_vec())
}

fn one(of: &[Constraint]) -> Constraint {
    Constraint::One(of.to_vec())
}

fn none(of: &[Constraint]) -> Constraint {
    Constraint::None(of.to_vec())
}

fn each(of: Constraint) -> Constraint {
    Constraint::Each(Box::new(of))
}

fn min(n: i64) -> Constraint {
    Constraint::Min(int(n))
}

fn max(n: i64) -> Constraint {
    Constraint::Max(int(n))
}

fn one_of(of: &[&str]) -> Constraint {
    Constraint::OneOf(texts(of))
}

fn not_one_of(of: &[&str]) -> Constraint {
    Constraint::NotOneOf(texts(of))
}

fn is(s: &str) -> Constraint {
    Constraint::Equals(text(s))
}

fn glob(s: &str) -> Constraint {
    Constraint::Glob(s.into())
}

fn prefix(s: &str) -> Constraint {
    Constraint::Prefix(s.into())
}

fn suffix(s: &str) -> Constraint {
    Constraint::Suffix(s.into())
}

fn has(s: &str) -> Constraint {
    Constraint::Contains(text(s))
}

fn cidr(of: &[&str]) -> Constraint {
    Constraint::Cidr(strings(of))
}

fn email(of: &[&str]) -> Constraint {
    Constraint::Email { domains: strings(of) }
}

fn path(of: &[&str]) -> Constraint {
    Constraint::Path { under: strings(of) }
}

const ANY: Constraint = Constraint::Any;
const GONE: Constraint = Constraint::Absent;

fn check_pairs(shown: bool, rows: &[(Constraint, Constraint)]) {
    let pool = pool();
    for (a, b) in rows {
        assert_eq!(is_narrower(a, b, &pool), shown, "{a:?} narrower than {b:?}");
        assert!(is_narrower(a, a, &pool) && is_narrower(b, b, &pool), "reflexive: {a:?} {b:?}");
    }
}

#[test]
fn shown() {
    check_pairs(
        true,
        &[
            (max(5), ANY),
            (max(5), max(5)),
            (max(4), max(5)),
            (min(6), min(5)),
            (Constraint::Max(Number::Double(5.0)), max(5)),
            (max(5), Constraint::Max(Number::Double(5.5))),
            (is("a"), one_of(&["b", "a"])),
            (one_of(&["a"]), is("a")),
            (one_of(&["a", "b"]), one_of(&["c", "b", "a"])),
            (one_of(&[]), GONE),
            (one(&[]), is("x")),
            (is("abc"), prefix("ab")),
            (is("abc"), glob("a?c")),
            (is("abc"), Constraint::MaxLength(3)),
            (is("/a/b"), path(&["/a"])),
            (is("https://x.a.com"), url(&["https"], &["*.a.com"], &[])),
            (is("10.1.1.1"), cidr(&["10.0.0.0/8"])),
            (Constraint::Equals(Literal::Number(int(5))), all(&[min(1), max(5)])),
            (is("a"), not_one_of(&["b"])),
            (is("a"), none(&[prefix("b")])),
            (Constraint::MinLength(3), Constraint::MinLength(2)),
            (Constraint::MaxLength(2), Constraint::MaxLength(3)),
            (prefix("abc"), prefix("ab")),
            (suffix("abc"), suffix("bc")),
            (prefix("abc"), has("b")),
            (suffix("abc"), has("bc")),
            (prefix("abc"), Constraint::MinLength(3)),
            (prefix("a"), glob("a*")),
            (glob("a*"), prefix("a")),
            (glob("ab*"), glob("a*")),
            (glob("a?c"), glob("a*")),
            (glob("a?c"), glob("???")),
            (glob("*?"), glob("?*")),
            (glob("a*b*c"), glob("a*c")),
            (glob("a*b"), suffix("b")),
            (glob("a\\*"), glob("a?")),
            (glob("ab"), Constraint::MaxLength(2)),
            (glob("a*b*"), has("a")),
            (email(&[]), glob("*")),
            (path(&["/a"]), prefix("")),
            (cidr(&["10.1.0.0/16"]), cidr(&["10.0.0.0/8"])),
            (cidr(&["10.0.0.1/32", "2001:db8:1::/48"]), cidr(&["2001:db8::/32", "10.0.0.0/8"])),
            (email(&["a.com"]), email(&[])),
            (email(&["x.a.com"]), email(&["*.a.com"])),
            (email(&["*.x.a.com"]), email(&["*.a.com"])),
            (url(&["https"], &["a.com"], &[443]), url(&["http", "https"], &["a.com"], &[])),
            (url(&["https"], &[], &[]), url(&[], &[], &[])),
            (path(&["/a/b"]), path(&["/a"])),
            (path(&["/a/b", "/c"]), path(&["/c", "/a"])),
            (path(&["/a"]), path(&["/"])),
            (each(max(4)), each(max(5))),
            (Constraint::SubsetOf(texts(&["a"])), Constraint::SubsetOf(texts(&["b", "a"]))),
            (Constraint::SubsetOf(texts(&["ab"])), each(prefix("a"))),
            (each(one_of(&["a"])), Constraint::SubsetOf(texts(&["a", "b"]))),
            (all(&[min(1), max(5)]), max(5)),
            (all(&[min(1), max(5)]), all(&[max(6), min(0)])),
            (max(5), one(&[min(9), max(6)])),
            (one(&[max(1), max(2)]), max(2)),
            (one(&[is("a"), GONE]), one(&[GONE, one_of(&["a", "b"])])),
            (GONE, one(&[GONE, max(5)])),
            (not_one_of(&["a", "b"]), not_one_of(&["b"])),
            (not_one_of(&["a"]), none(&[is("a")])),
            (none(&[is("a")]), not_one_of(&["a"])),
            (none(&[prefix("a")]), none(&[prefix("ab")])),
            (none(&[prefix("a")]), not_one_of(&["ab"])),
            (max(5), none(&[min(6)])),
            (prefix("a"), none(&[prefix("b")])),
            (suffix("a"), none(&[suffix("b")])),
            (max(5), not_one_of(&["a"])),
            (max(5), none(&[glob("*")])),
            (path(&["/a"]), none(&[path(&["/b"])])),
            (cidr(&["10.0.0.0/8"]), none(&[cidr(&["11.0.0.0/8"])])),
            (url(&[], &["a.com"], &[]), none(&[url(&[], &["b.com", "*.a.com"], &[])])),
            (all(&[prefix("a"), none(&[is("ab")])]), none(&[is("ab")])),
            (each(all(&[min(0), max(3)])), each(max(5))),
            (Constraint::MinLength(5), none(&[Constraint::MaxLength(4)])),
        ],
    );
}

#[test]
fn not_shown() {
    check_pairs(
        false,
        &[
            (ANY, max(5)),
            (max(6), max(5)),
            (min(4), min(5)),
            (max(5), min(5)),
            (max(5), GONE),
            (GONE, ANY),
            (GONE, max(5)),
            (one(&[GONE, max(5)]), max(5)),
            (all(&[]), ANY),
            (one_of(&["a", "c"]), one_of(&["a", "b"])),
            (one_of(&["a"]), GONE),
            (is("ab"), prefix("b")),
            (is("a"), not_one_of(&["a"])),
            (is("rel"), path(&["/a"])),
            (is("rel"), none(&[path(&["/a"])])),
            (is("https://u@a.com"), url(&[], &["a.com"], &[])),
            (prefix("ab"), prefix("abc")),
            (prefix("a"), suffix("a")),
            (prefix("a"), Constraint::MinLength(2)),
            (prefix("a"), Constraint::MaxLength(9)),
            (has("ab"), has("a")),
            (has("a"), glob("*a*")),
            (glob("a*"), glob("a?")),
            (glob("a*"), glob("ab*")),
            (glob("*"), glob("?*")),
            (glob("a\\*"), glob("ab")),
            (glob("a"), glob("a\\")),
            (glob("a?"), prefix("ab")),
            (Constraint::MinLength(2), Constraint::MinLength(3)),
            (Constraint::MinLength(1), glob("*")),
            (cidr(&["10.0.0.0/8"]), cidr(&["10.1.0.0/16"])),
            (cidr(&["10.0.0.0/8", "1.1.1.1/32"]), cidr(&["10.0.0.0/8"])),
            (cidr(&["10.0.0.0/8"]), cidr(&["10.0.0.0/8", "x"])),
            (email(&[]), email(&["a.com"])),
            (email(&["a.com"]), email(&["*.a.com"])),
            (email(&["*.a.com"]), email(&["a.com"])),
            (email(&["xa.com"]), email(&["*.a.com"])),
            (url(&[], &["a.com"], &[]), url(&["https"], &["a.com"], &[])),
            (url(&[], &["a.com"], &[]), url(&[], &["a.com"], &[443])),
            (url(&[], &["*.com"], &[]), url(&[], &["*.a.com"], &[])),
            (path(&["/a"]), path(&["/a/b"])),
            (path(&["/ab"]), path(&["/a"])),
            (path(&["/a", "/c"]), path(&["/a"])),
            (each(max(6)), each(max(5))),
            (each(max(1)), Constraint::SubsetOf(texts(&["a"]))),
            (Constraint::SubsetOf(texts(&["a", "c"])), Constraint::SubsetOf(texts(&["a"]))),
            (max(5), all(&[max(5), min(0)])),
            (one(&[max(5), min(9)]), max(5)),
            (max(7), one(&[max(5), min(9)])),
            (none(&[prefix("ab")]), none(&[prefix("a")])),
            (not_one_of(&["b"]), not_one_of(&["a", "b"])),
            (ANY, not_one_of(&["a"])),
            (max(5), none(&[max(6)])),
            (max(5), none(&[min(5)])),
            // Text that cannot be read is an error there, not a `no`.
            (prefix("/b"), none(&[path(&["/a"])])),
            (glob("*"), none(&[url(&[], &["a.com"], &[])])),
            // Not `a path outside of /a`, but `no readable path outside of /a`.
            (none(&[path(&["/a"])]), none(&[path(&["/a/b"])])),
            // The Kelvin sign equals K, and is not what a URL may begin with.
            (is("K://x"), url(&[], &[], &[])),
            (is("/K"), none(&[cidr(&["10.0.0.0/8"])])),
            (is("/é"), path(&["/"])),
            (url(&[], &["*.a.com"], &[]), none(&[url(&[], &["x.a.com"], &[])])),
            (path(&["/a/b"]), none(&[path(&["/a"])])),
        ],
    );
}

#[test]
fn shapes() {
    let of = |fields: &[(&str, Constraint)]| shape(false, fields);
    let open = |fields: &[(&str, Constraint)]| shape(true, fields);
    let maybe = |c: Constraint| one(&[GONE, c]);
    check_pairs(
        true,
        &[
            (of(&[("a", max(4))]), of(&[("a", max(5))])),
            (of(&[("a", max(4))]), of(&[("a", max(5)), ("b", maybe(ANY))])),
            (of(&[("a", max(4)), ("b", GONE)]), of(&[("a", max(5))])),
            (of(&[("a", max(4)), ("b", ANY)]), open(&[("a", max(5))])),
            (open(&[("a", max(4))]), open(&[("a", max(5))])),
            (open(&[("a", max(4)), ("b", is("x"))]), open(&[("a", max(5))])),
            (open(&[]), open(&[("a", maybe(ANY))])),
            (of(&[("a", of(&[("b", max(1))]))]), of(&[("a", of(&[("b", max(2))]))])),
            (of(&[]), of(&[("a", maybe(max(3)))])),
        ],
    );
    check_pairs(
        false,
        &[
            (of(&[("a", max(6))]), of(&[("a", max(5))])),
            (of(&[("a", max(4)), ("b", ANY)]), of(&[("a", max(5))])),
            (of(&[]), of(&[("a", max(3))])),
            (of(&[("a", maybe(max(3)))]), of(&[("a", max(3))])),
            (open(&[("a", max(4))]), of(&[("a", max(5))])),
            (open(&[]), open(&[("a", max(5))])),
            (open(&[]), open(&[("a", maybe(max(5)))])),
            (open(&[("a", max(4))]), open(&[("a", max(4)), ("b", GONE)])),
            (of(&[("a", ANY)]), is("x")),
        ],
    );
}

#[test]
fn a_proof_ends() {
    // Alternating combinations that could be taken apart in very many ways.
    let mut a = prefix("a");
    let mut b = suffix("b");
    for _ in 0..20 {
        a = all(&[a.clone(), glob("x*y"), a]);
        b = one(&[b.clone(), glob("z*"), b]);
        if serde_size(&a) > 5_000 {
            break;
        }
    }
    assert!(!is_narrower(&a, &b, &pool()));
}

fn serde_size(c: &Constraint) -> usize {
    match c {
        Constraint::All(of) | Constraint::One(of) => 1 + of.iter().map(serde_size).sum::<usize>(),
        _ => 1,
    }
}
