//! Constraints in words.

use placet_model::{Constraint, Literal, Number};

/// What a constraint asks for, in words that fit after a name: `amount` *at most 500*.
pub fn describe(constraint: &Constraint) -> String {
    match constraint {
        Constraint::Any => "any value".to_owned(),
        Constraint::Absent => "left out".to_owned(),
        Constraint::Equals(l) => literal(l),
        Constraint::OneOf(of) => format!("one of {}", literals(of)),
        Constraint::NotOneOf(of) => format!("none of {}", literals(of)),
        Constraint::Min(n) => format!("at least {}", number(*n)),
        Constraint::Max(n) => format!("at most {}", number(*n)),
        Constraint::MinLength(n) => format!("at least {n} long"),
        Constraint::MaxLength(n) => format!("at most {n} long"),
        Constraint::Prefix(s) => format!("beginning with {s}"),
        Constraint::Suffix(s) => format!("ending in {s}"),
        Constraint::Glob(s) => format!("matching {s}"),
        Constraint::Regex { pattern, automaton: _ } => format!("matching /{pattern}/"),
        Constraint::Contains(l) => format!("containing {}", literal(l)),
        Constraint::SubsetOf(of) => format!("a list of {}", literals(of)),
        Constraint::Each(each) => format!("a list, each {}", describe(each)),
        Constraint::Cidr(of) => format!("an address in {}", of.join(", ")),
        Constraint::Email { domains } if domains.is_empty() => "an e-mail address".to_owned(),
        Constraint::Email { domains } => format!("an e-mail address at {}", domains.join(", ")),
        Constraint::Url { schemes, hosts, ports } => {
            let mut out = "a URL".to_owned();
            let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
            for (what, of) in [("scheme", schemes), ("host", hosts), ("port", &ports)] {
                if !of.is_empty() {
                    out.push_str(&format!(" with {what} {}", of.join(" or ")));
                }
            }
            out
        }
        Constraint::Path { under } => format!("a path under {}", under.join(" or ")),
        Constraint::Shape(shape) => {
            let fields: Vec<String> =
                shape.fields.iter().map(|(n, c)| format!("{n} {}", describe(c))).collect();
            format!("an object with {}", fields.join(", "))
        }
        Constraint::All(all) => all.iter().map(describe).collect::<Vec<_>>().join(" and "),
        Constraint::One(one) => one.iter().map(describe).collect::<Vec<_>>().join(" or "),
        Constraint::None(none) => {
            format!("not {}", none.iter().map(describe).collect::<Vec<_>>().join(", not "))
        }
    }
}

fn literals(of: &[Literal]) -> String {
    of.iter().map(literal).collect::<Vec<_>>().join(", ")
}

fn literal(of: &Literal) -> String {
    match of {
        Literal::Null => "null".to_owned(),
        Literal::Bool(b) => b.to_string(),
        Literal::Number(n) => number(*n),
        Literal::String(s) => s.clone(),
        Literal::List(l) => format!("[{}]", literals(l)),
        Literal::Map(m) => {
            let members: Vec<String> = m.iter().map(|(k, v)| format!("{k}: {}", literal(v))).collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

fn number(n: Number) -> String {
    match n {
        Number::Int(i) => i.to_string(),
        Number::Uint(u) => u.to_string(),
        Number::Double(d) => d.to_string(),
    }
}
