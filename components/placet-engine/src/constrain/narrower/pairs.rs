//! When a constraint of one kind implies, or excludes, one of another; combinations have been taken apart before.

use placet_cel::text::ip;
use placet_cel::value::Cidr;
use placet_model::{Constraint, Kind, Literal};

use super::super::text::{is_one_of, is_sub_domain, is_under, network, unbracketed};
use super::glob::Glob;

/// Every value that satisfies `a` satisfies `b`.
pub(super) fn implies(a: &Constraint, b: &Constraint) -> bool {
    use Constraint as C;
    match (a, b) {
        (C::Min(a), C::Min(b)) => a.cmp_value(*b).is_ge(),
        (C::Max(a), C::Max(b)) => a.cmp_value(*b).is_le(),
        (C::MinLength(a), C::MinLength(b)) => a >= b,
        (C::MaxLength(a), C::MaxLength(b)) => a <= b,
        (C::MaxLength(_) | C::Each(_) | C::SubsetOf(_), C::MinLength(0)) => true,
        (C::Contains(a), C::Contains(b)) => same(a, b),
        (C::Cidr(a), C::Cidr(b)) => networks(a, b, ip::cidr_includes),
        (C::Email { domains: a }, C::Email { domains: b }) => hosts_within(a, b),
        (
            C::Url { schemes: schemes_a, hosts: hosts_a, ports: ports_a },
            C::Url { schemes: schemes_b, hosts: hosts_b, ports: ports_b },
        ) => listed(schemes_a, schemes_b) && hosts_within(hosts_a, hosts_b) && listed(ports_a, ports_b),
        (C::Path { under: a }, C::Path { under: b }) => a.iter().all(|x| b.iter().any(|y| is_under(x, y))),
        (a, b) => string_implies(a, b),
    }
}

/// `a` is about strings.
fn string_implies(a: &Constraint, b: &Constraint) -> bool {
    use Constraint as C;
    let glob = Glob::of(a);
    match (glob, b) {
        (Some(glob), C::MinLength(least)) => glob.least() >= *least,
        (Some(glob), C::MaxLength(most)) => glob.most().is_some_and(|n| n <= *most),
        (Some(glob), C::Contains(Literal::String(part))) => glob.is_within(&Glob::containing(part)),
        (Some(glob), b) => Glob::of(b).is_some_and(|wider| glob.is_within(&wider)),
        // Of strings of which nothing is known but that they are strings.
        (None, C::MinLength(0)) => kinds(a) == Kinds::STRING,
        (None, b) => kinds(a) == Kinds::STRING && Glob::of(b).is_some_and(|wider| wider.is_everything()),
    }
}

/// For every value that satisfies `a`, `b` is false (and no error).
pub(super) fn excludes(a: &Constraint, b: &Constraint) -> bool {
    use Constraint as C;
    if kinds(a).is_apart_from(kinds(b)) {
        return true;
    }
    match (a, b) {
        (C::Min(low), C::Max(high)) | (C::Max(high), C::Min(low)) => low.cmp_value(*high).is_gt(),
        (C::MinLength(low), C::MaxLength(high)) | (C::MaxLength(high), C::MinLength(low)) => low > high,
        (C::Cidr(a), C::Cidr(b)) => {
            a.iter().all(|x| b.iter().all(|y| networks_apart(x, y))) && b.iter().all(|y| network(y).is_ok())
        }
        (C::Email { domains: a }, C::Email { domains: b }) => hosts_apart(a, b),
        (
            C::Url { schemes: schemes_a, hosts: hosts_a, ports: ports_a },
            C::Url { schemes: schemes_b, hosts: hosts_b, ports: ports_b },
        ) => unlisted(schemes_a, schemes_b) || hosts_apart(hosts_a, hosts_b) || unlisted(ports_a, ports_b),
        (C::Path { under: a }, C::Path { under: b }) => {
            a.iter().all(|x| b.iter().all(|y| !is_under(x, y) && !is_under(y, x)))
        }
        (a, b) => match (Glob::of(a), Glob::of(b)) {
            (Some(a), Some(b)) => a.is_apart_from(&b),
            _ => false,
        },
    }
}

/// Whether the constraint can give no error, whatever the value.
pub(super) fn never_errs(constraint: &Constraint) -> bool {
    use Constraint as C;
    match constraint {
        C::Cidr(_) | C::Email { .. } | C::Url { .. } | C::Path { .. } | C::Regex { .. } => false,
        C::Glob(_) => Glob::of(constraint).is_some(),
        // Shapes err when they are damaged; nothing is lost by not looking.
        C::Shape(_) => false,
        C::Each(each) => never_errs(each),
        C::All(of) | C::One(of) | C::None(of) => of.iter().all(never_errs),
        _ => true,
    }
}

/// Whether a reader of addresses, URLs or paths is in it.
pub(super) fn has_reader(constraint: &Constraint) -> bool {
    use Constraint as C;
    match constraint {
        C::Cidr(_) | C::Email { .. } | C::Url { .. } | C::Path { .. } => true,
        C::Each(each) => has_reader(each),
        C::Shape(shape) => shape.fields.iter().any(|(_, c)| has_reader(c)),
        C::All(of) | C::One(of) | C::None(of) => of.iter().any(has_reader),
        _ => false,
    }
}

/// A set of JSON types.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kinds(u8);

impl Kinds {
    const STRING: Kinds = Kinds::of(Kind::String);
    const ARRAY: Kinds = Kinds::of(Kind::Array);
    const ALL: Kinds = Kinds(0xff);

    const fn of(kind: Kind) -> Kinds {
        Kinds(1 << kind as u8)
    }

    fn or(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }

    fn is_apart_from(self, other: Kinds) -> bool {
        self.0 & other.0 == 0
    }
}

/// Types outside of these give `false`.
fn kinds(constraint: &Constraint) -> Kinds {
    use Constraint as C;
    match constraint {
        C::Min(_) | C::Max(_) => Kinds::of(Kind::Number),
        C::MinLength(_) | C::MaxLength(_) | C::Contains(Literal::String(_)) => Kinds::STRING.or(Kinds::ARRAY),
        C::Prefix(_) | C::Suffix(_) | C::Glob(_) | C::Regex { .. } => Kinds::STRING,
        C::Cidr(_) | C::Email { .. } | C::Url { .. } | C::Path { .. } => Kinds::STRING,
        C::Contains(_) | C::SubsetOf(_) | C::Each(_) => Kinds::ARRAY,
        C::Shape(_) => Kinds::of(Kind::Object),
        C::Equals(literal) => Kinds::of(literal_kind(literal)),
        C::OneOf(literals) => literals.iter().fold(Kinds(0), |all, l| all.or(Kinds::of(literal_kind(l)))),
        C::Any | C::Absent | C::NotOneOf(_) | C::All(_) | C::One(_) | C::None(_) => Kinds::ALL,
    }
}

fn literal_kind(literal: &Literal) -> Kind {
    match literal {
        Literal::Null => Kind::Null,
        Literal::Bool(_) => Kind::Bool,
        Literal::Number(_) => Kind::Number,
        Literal::String(_) => Kind::String,
        Literal::List(_) => Kind::Array,
        Literal::Map(_) => Kind::Object,
    }
}

fn same(a: &Literal, b: &Literal) -> bool {
    match (a, b) {
        (Literal::Number(a), Literal::Number(b)) => a.cmp_value(*b).is_eq(),
        (a, b) => a == b,
    }
}

/// Every network of `a` stands in this relation to one of `b`; none of `b` may be damaged.
fn networks(a: &[String], b: &[String], related: impl Fn(&Cidr, &Cidr) -> bool) -> bool {
    let Ok(b) = b.iter().map(|written| network(written)).collect::<Result<Vec<_>, _>>() else { return false };
    a.iter().all(|written| network(written).is_ok_and(|inner| b.iter().any(|outer| related(outer, &inner))))
}

fn networks_apart(a: &str, b: &str) -> bool {
    match (network(a), network(b)) {
        (Ok(a), Ok(b)) => !ip::cidr_includes(&a, &b) && !ip::cidr_includes(&b, &a),
        _ => false,
    }
}

/// Lists in which nothing stands for everything.
fn listed<T: PartialEq>(a: &[T], b: &[T]) -> bool {
    b.is_empty() || (!a.is_empty() && a.iter().all(|x| b.contains(x)))
}

fn unlisted<T: PartialEq>(a: &[T], b: &[T]) -> bool {
    !a.is_empty() && !b.is_empty() && !a.iter().any(|x| b.contains(x))
}

fn hosts_within(a: &[String], b: &[String]) -> bool {
    let within = |x: &String| match x.strip_prefix("*.") {
        Some(inner) => b
            .iter()
            .filter_map(|y| y.strip_prefix("*."))
            .any(|outer| inner == outer && !outer.is_empty() || is_sub_domain(inner, outer)),
        None => is_one_of(unbracketed(x), b),
    };
    b.is_empty() || (!a.is_empty() && a.iter().all(within))
}

fn hosts_apart(a: &[String], b: &[String]) -> bool {
    let covers =
        |pattern: &String, other: &String| match (pattern.strip_prefix("*."), other.strip_prefix("*.")) {
            (Some(domain), Some(inner)) => inner == domain || is_sub_domain(inner, domain),
            (Some(domain), None) => is_sub_domain(unbracketed(other), domain),
            (None, Some(_)) => false,
            (None, None) => unbracketed(other) == unbracketed(pattern),
        };
    !a.is_empty() && !b.is_empty() && a.iter().all(|x| b.iter().all(|y| !covers(x, y) && !covers(y, x)))
}
