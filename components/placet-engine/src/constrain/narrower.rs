//! "Is narrower than": shown, or not shown. Not shown counts as wider.
//!
//! The proof takes combinations apart, evaluates constants against the other side, and knows for each pair of kinds
//! when one implies the other. Absence is evaluated by itself, so that everything else need only think of values.

mod glob;
mod pairs;

use std::cell::Cell;

use placet_cel::OpenPool;
use placet_model::constraint::Shape;
use placet_model::{Constraint, Json, Literal, Number};

use super::{MAX_DEPTH, matches};

/// A proof may take so many steps; a grant from elsewhere must not make it run for long.
const STEPS: u32 = 100_000;

/// Whether it is shown that whatever satisfies `a` (a value or its absence) satisfies `b`. Decidable and sound:
/// `false` means "not shown", never "shown to be wider".
pub fn is_narrower(a: &Constraint, b: &Constraint, pool: &OpenPool) -> bool {
    let prover = Prover { pool, steps: Cell::new(STEPS) };
    prover.is_shallow(a, MAX_DEPTH) && prover.is_shallow(b, MAX_DEPTH) && prover.narrower(a, b)
}

struct Prover<'p> {
    pool: &'p OpenPool,
    steps: Cell<u32>,
}

impl Prover<'_> {
    /// Counts a step; `false` when there are none left.
    fn step(&self) -> bool {
        let left = self.steps.get().checked_sub(1);
        self.steps.set(left.unwrap_or(0));
        left.is_some()
    }

    /// What nests too deeply cannot be matched, and is not reasoned about.
    fn is_shallow(&self, of: &Constraint, depth: u32) -> bool {
        let Some(depth) = depth.checked_sub(1).filter(|_| self.step()) else { return false };
        match of {
            Constraint::Each(each) => self.is_shallow(each, depth),
            Constraint::Shape(shape) => shape.fields.iter().all(|(_, c)| self.is_shallow(c, depth)),
            Constraint::All(of) | Constraint::One(of) | Constraint::None(of) => {
                of.iter().all(|c| self.is_shallow(c, depth))
            }
            _ => true,
        }
    }

    /// Of values and of absence.
    fn narrower(&self, a: &Constraint, b: &Constraint) -> bool {
        let accepts_absence = |c| matches(c, None, self.pool) == Ok(true);
        (!accepts_absence(a) || accepts_absence(b)) && self.implies(a, b)
    }

    /// Every value that satisfies `a` satisfies `b`.
    fn implies(&self, a: &Constraint, b: &Constraint) -> bool {
        use Constraint as C;
        if !self.step() {
            return false;
        }
        if a == b {
            return true;
        }
        match (a, b) {
            (C::Absent, _) | (_, C::Any) => true,
            (a, C::All(all)) => all.iter().all(|b| self.implies(a, b)),
            (C::One(one), b) => one.iter().all(|a| self.implies(a, b)),
            (C::Equals(literal), b) => self.gives(literal, b, Ok(true)),
            (C::OneOf(literals), b) => literals.iter().all(|l| self.gives(l, b, Ok(true))),
            (a, C::One(one)) if one.iter().any(|b| self.implies(a, b)) => true,
            (C::All(all), b) if all.iter().any(|a| self.implies(a, b)) => true,
            (a, C::None(none)) => none.iter().all(|b| self.excludes(a, b)),
            (a, C::NotOneOf(literals)) => literals.iter().all(|l| self.excludes(a, &C::Equals(l.clone()))),
            // `subset_of` is `each: one_of`.
            (C::SubsetOf(a), C::SubsetOf(b)) => {
                let among = C::OneOf(b.clone());
                a.iter().all(|l| self.gives(l, &among, Ok(true)))
            }
            (C::SubsetOf(a), C::Each(b)) => a.iter().all(|l| self.gives(l, b, Ok(true))),
            (C::Each(a), C::SubsetOf(b)) => self.implies(a, &C::OneOf(b.clone())),
            (C::Each(a), C::Each(b)) => self.implies(a, b),
            (C::Shape(a), C::Shape(b)) => self.shape_implies(a, b),
            (a, b) => pairs::implies(a, b),
        }
    }

    /// For every value that satisfies `a`, `b` is false: not true, and not an error either.
    fn excludes(&self, a: &Constraint, b: &Constraint) -> bool {
        use Constraint as C;
        if !self.step() {
            return false;
        }
        match (a, b) {
            (C::Absent, _) | (_, C::Absent) => true,
            (C::One(one), b) => one.iter().all(|a| self.excludes(a, b)),
            (C::Equals(literal), b) => self.gives(literal, b, Ok(false)),
            (C::OneOf(literals), b) => literals.iter().all(|l| self.gives(l, b, Ok(false))),
            (a, C::One(one)) => one.iter().all(|b| self.excludes(a, b)),
            (a, C::All(all)) if all.iter().any(|b| self.excludes(a, b)) => true,
            (C::All(all), b) if all.iter().any(|a| self.excludes(a, b)) => true,
            (a, C::Equals(literal)) => self.gives_not_true(literal, a),
            (a, C::OneOf(literals)) => literals.iter().all(|l| self.gives_not_true(l, a)),
            (a, C::None(none)) => none.iter().any(|b| self.implies(a, b)),
            (a, C::NotOneOf(literals)) => self.implies(a, &C::OneOf(literals.clone())),
            (C::None(none), b) => none.iter().any(|n| n == b || (pairs::never_errs(b) && self.implies(b, n))),
            (C::NotOneOf(literals), b) => {
                pairs::never_errs(b) && self.implies(b, &C::OneOf(literals.clone()))
            }
            (a, b) => pairs::excludes(a, b),
        }
    }

    /// Every member that either names, and all that neither does.
    fn shape_implies(&self, a: &Shape, b: &Shape) -> bool {
        let names = a.fields.iter().chain(&b.fields).map(|(name, _)| name.as_str());
        let (rest_a, rest_b) = (unnamed(a), unnamed(b));
        let of = |shape: &'_ Shape, name: &str| {
            let place = shape.fields.binary_search_by(|(field, _)| field.as_str().cmp(name)).ok()?;
            shape.fields.get(place).map(|(_, constraint)| constraint.clone())
        };
        let sorted = |shape: &Shape| shape.fields.is_sorted_by(|(a, _), (b, _)| a < b);
        (b.others || !a.others)
            && sorted(a)
            && sorted(b)
            && names.into_iter().all(|name| {
                let in_a = of(a, name).unwrap_or_else(|| rest_a.clone());
                let in_b = of(b, name).unwrap_or_else(|| rest_b.clone());
                self.narrower(&in_a, &in_b)
            })
    }

    /// Whether every value that equals this constant gives this answer.
    fn gives(&self, literal: &Literal, constraint: &Constraint, answer: Result<bool, ()>) -> bool {
        self.evaluate(literal, constraint) == Some(answer)
    }

    /// Whether no value that equals this constant satisfies the constraint.
    fn gives_not_true(&self, literal: &Literal, constraint: &Constraint) -> bool {
        self.evaluate(literal, constraint).is_some_and(|answer| answer != Ok(true))
    }

    /// What every value that equals the constant gives; nothing when they may differ.
    fn evaluate(&self, literal: &Literal, constraint: &Constraint) -> Option<Result<bool, ()>> {
        // Readers see the string before it is normalised, and other spellings of it might read differently.
        if !self.step() || (pairs::has_reader(constraint) && !has_one_spelling(literal)) {
            return None;
        }
        let mut text = String::new();
        write(literal, &mut text);
        let value = Json::parse(text.as_bytes(), usize::MAX, usize::MAX).ok()?;
        Some(matches(constraint, Some(value), self.pool).map_err(|_| ()))
    }
}

/// What a shape asks of a member that it does not name.
fn unnamed(shape: &Shape) -> Constraint {
    if shape.others { Constraint::One(vec![Constraint::Any, Constraint::Absent]) } else { Constraint::Absent }
}

/// Whether the constant's strings are the NFC of themselves only: ASCII without the three characters that others
/// (U+212A, U+1FEF, U+037E) normalise to.
fn has_one_spelling(literal: &Literal) -> bool {
    match literal {
        Literal::String(s) => s.is_ascii() && !s.contains(['K', '`', ';']),
        Literal::List(items) => items.iter().all(has_one_spelling),
        Literal::Map(members) => members.iter().all(|(_, item)| has_one_spelling(item)),
        Literal::Null | Literal::Bool(_) | Literal::Number(_) => true,
    }
}

/// The constant as JSON.
fn write(literal: &Literal, out: &mut String) {
    use std::fmt::Write as _;
    let _ = match literal {
        Literal::Null => write!(out, "null"),
        Literal::Bool(b) => write!(out, "{b}"),
        Literal::Number(Number::Int(i)) => write!(out, "{i}"),
        Literal::Number(Number::Uint(u)) => write!(out, "{u}"),
        Literal::Number(Number::Double(d)) => write!(out, "{d:e}"),
        Literal::String(s) => {
            placet_model::json::write_string(out, s);
            Ok(())
        }
        Literal::List(items) => {
            for (n, item) in items.iter().enumerate() {
                out.push(if n == 0 { '[' } else { ',' });
                write(item, out);
            }
            write!(out, "{}", if items.is_empty() { "[]" } else { "]" })
        }
        Literal::Map(members) => {
            for (n, (name, item)) in members.iter().enumerate() {
                out.push(if n == 0 { '{' } else { ',' });
                placet_model::json::write_string(out, name);
                out.push(':');
                write(item, out);
            }
            write!(out, "{}", if members.is_empty() { "{}" } else { "}" })
        }
    };
}
