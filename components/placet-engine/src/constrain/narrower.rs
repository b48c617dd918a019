//! "Is narrower than": shown, or not shown. Not shown counts as wider.

use placet_cel::OpenPool;
use placet_cel::text::ip;
use placet_model::constraint::Shape;
use placet_model::{Constraint, Json, Literal};

use super::{is_one_of, is_under, matches};

/// Whether it is shown that whatever satisfies `a` (a value or its absence) satisfies `b`. Decidable and sound:
/// `false` means "not shown", never "shown to be wider".
pub fn is_narrower(a: &Constraint, b: &Constraint, pool: &OpenPool) -> bool {
    if a == b || nothing_satisfies(a) {
        return true;
    }
    let narrower = |a: &Constraint, b: &Constraint| is_narrower(a, b, pool);
    match (a, b) {
        // Take `b` apart where all of it must be shown, then `a` where each of its cases must be.
        (a, Constraint::All(all)) => all.iter().all(|b| narrower(a, b)),
        (Constraint::One(one), b) => one.iter().all(|a| narrower(a, b)),
        (Constraint::Equals(literal), b) => satisfies(literal, b, pool),
        (Constraint::OneOf(literals), b) => literals.iter().all(|l| satisfies(l, b, pool)),
        (Constraint::All(all), b) => all.iter().any(|a| narrower(a, b)) || of_one(a, b, pool),
        (a, Constraint::One(_)) => of_one(a, b, pool),
        (Constraint::Absent, _) => false,
        (_, Constraint::Any) => true,
        (a, Constraint::None(none)) => none.iter().all(|b| excludes(a, b)),
        (a, b) => same_kind(a, b, pool),
    }
}

fn of_one(a: &Constraint, b: &Constraint, pool: &OpenPool) -> bool {
    matches!(b, Constraint::One(one) if one.iter().any(|b| is_narrower(a, b, pool)))
}

/// Constraints of one kind, or of kinds that speak of the same order.
fn same_kind(a: &Constraint, b: &Constraint, pool: &OpenPool) -> bool {
    use Constraint as C;
    match (a, b) {
        (C::Min(a), C::Min(b)) => a.cmp_value(*b).is_ge(),
        (C::Max(a), C::Max(b)) => a.cmp_value(*b).is_le(),
        (C::MinLength(a), C::MinLength(b)) => a >= b,
        (C::MaxLength(a), C::MaxLength(b)) => a <= b,
        (C::Prefix(a), C::Prefix(b)) => a.starts_with(b.as_str()),
        (C::Suffix(a), C::Suffix(b)) => a.ends_with(b.as_str()),
        (C::Prefix(a) | C::Suffix(a), C::Contains(Literal::String(b))) => a.contains(b.as_str()),
        (C::Prefix(a), C::Glob(b)) => is_literal(a) && b.strip_suffix('*') == Some(a.as_str()) && is_literal(a),
        (C::Glob(a), C::Prefix(b)) => literal_prefix(a).starts_with(b.as_str()),
        (C::Glob(_), C::Glob(b)) => b == "*",
        (C::Contains(Literal::String(_)), C::Contains(Literal::String(_))) => false,
        (C::SubsetOf(a), C::SubsetOf(b)) => a.iter().all(|x| b.iter().any(|y| same_literal(x, y))),
        (C::SubsetOf(a), C::Each(b)) => a.iter().all(|x| satisfies(x, b, pool)),
        (C::Each(a), C::Each(b)) => is_narrower(a, b, pool),
        (C::NotOneOf(a), C::NotOneOf(b)) => b.iter().all(|x| a.iter().any(|y| same_literal(x, y))),
        (C::Cidr(a), C::Cidr(b)) => a.iter().all(|x| {
            let inside = |y: &String| Some(ip::cidr_includes(&ip::parse_cidr(y).ok()?, &ip::parse_cidr(x).ok()?));
            b.iter().any(|y| inside(y) == Some(true))
        }),
        (C::Email { domains: a }, C::Email { domains: b }) => hosts(a, b),
        (
            C::Url { schemes: sa, hosts: ha, ports: pa },
            C::Url { schemes: sb, hosts: hb, ports: pb },
        ) => listed(sa, sb) && hosts(ha, hb) && listed(pa, pb),
        (C::Path { under: a }, C::Path { under: b }) => a.iter().all(|x| b.iter().any(|y| is_under(x, y))),
        (C::Shape(a), C::Shape(b)) => shapes(a, b, pool),
        _ => false,
    }
}

fn shapes(a: &Shape, b: &Shape, pool: &OpenPool) -> bool {
    let of = |shape: &Shape, name: &str| shape.fields.iter().find(|(n, _)| n == name).map(|(_, c)| c.clone());
    let unnamed = |shape: &Shape| {
        if shape.others { Constraint::One(vec![Constraint::Any, Constraint::Absent]) } else { Constraint::Absent }
    };
    // Every member that either names, and all that neither does.
    let names = a.fields.iter().chain(&b.fields).map(|(name, _)| name.as_str());
    let named = names.into_iter().all(|name| {
        let in_a = of(a, name).unwrap_or_else(|| unnamed(a));
        let in_b = of(b, name).unwrap_or_else(|| unnamed(b));
        is_narrower(&in_a, &in_b, pool)
    });
    named && (b.others || !a.others)
}

/// Whether it is shown that nothing satisfies both.
fn excludes(a: &Constraint, b: &Constraint) -> bool {
    match (a, b) {
        (Constraint::Absent, _) | (_, Constraint::Absent) => a != b,
        (Constraint::NotOneOf(a), Constraint::OneOf(b)) => b.iter().all(|x| a.iter().any(|y| same_literal(x, y))),
        (Constraint::NotOneOf(a), Constraint::Equals(b)) => a.iter().any(|x| same_literal(x, b)),
        (Constraint::Min(a), Constraint::Max(b)) | (Constraint::Max(b), Constraint::Min(a)) => a.cmp_value(*b).is_gt(),
        (Constraint::All(all), b) => all.iter().any(|a| excludes(a, b)),
        _ => false,
    }
}

/// Constraints that hold for nothing at all.
fn nothing_satisfies(a: &Constraint) -> bool {
    match a {
        Constraint::OneOf(of) => of.is_empty(),
        Constraint::One(of) => of.iter().all(nothing_satisfies),
        _ => false,
    }
}

/// Whether a constant satisfies a constraint, for certain.
fn satisfies(literal: &Literal, constraint: &Constraint, pool: &OpenPool) -> bool {
    let mut text = String::new();
    write(literal, &mut text);
    match Json::parse(text.as_bytes(), usize::MAX, 512) {
        Ok(json) => matches(constraint, Some(json), pool).unwrap_or(false),
        Err(_) => false,
    }
}

fn same_literal(a: &Literal, b: &Literal) -> bool {
    match (a, b) {
        (Literal::Number(a), Literal::Number(b)) => a.cmp_value(*b).is_eq(),
        (a, b) => a == b,
    }
}

fn write(literal: &Literal, out: &mut String) {
    use placet_model::json::write_string;
    use std::fmt::Write as _;
    match literal {
        Literal::Null => out.push_str("null"),
        Literal::Bool(b) => {
            let _ = write!(out, "{b}");
        }
        Literal::Number(placet_model::Number::Int(i)) => {
            let _ = write!(out, "{i}");
        }
        Literal::Number(placet_model::Number::Uint(u)) => {
            let _ = write!(out, "{u}");
        }
        Literal::Number(placet_model::Number::Double(d)) => {
            let _ = write!(out, "{d:e}");
        }
        Literal::String(s) => write_string(out, s),
        Literal::List(of) => {
            out.push('[');
            for (n, item) in of.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Literal::Map(of) => {
            out.push('{');
            for (n, (name, item)) in of.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write_string(out, name);
                out.push(':');
                write(item, out);
            }
            out.push('}');
        }
    }
}

fn is_literal(text: &str) -> bool {
    !text.contains(['*', '?', '\\'])
}

fn literal_prefix(pattern: &str) -> &str {
    pattern.split(['*', '?', '\\']).next().unwrap_or("")
}

/// Lists in which nothing stands for everything.
fn listed<T: PartialEq>(a: &[T], b: &[T]) -> bool {
    b.is_empty() || (!a.is_empty() && a.iter().all(|x| b.contains(x)))
}

fn hosts(a: &[String], b: &[String]) -> bool {
    let patterns = || b.iter().map(String::as_str);
    let inside = |x: &String| match x.strip_prefix('*') {
        // `*.a.example` is within `*.example`, and within itself.
        Some(suffix) => patterns().any(|y| y.strip_prefix('*').is_some_and(|wider| suffix.ends_with(wider))),
        None => is_one_of(x, patterns()),
    };
    b.is_empty() || (!a.is_empty() && a.iter().all(inside))
}
