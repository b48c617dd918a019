//! Tables of expressions in a small prefix notation, evaluated by the machine.
//!
//! `(f a b)` calls a function by the name of the function table; `(and a b)`, `(select a 'f')`, `(all $x list p)` and
//! so on are nodes; `[a ?b]` and `{k v ?k v}` are literals, `#[..]` a constant list; `$x` is a local, `@name` a
//! variable of [`TestEnv`]. Results are shown as text, errors as `!` and their kind.

mod functions;
mod notation;
mod semantics;
mod text;

use crate::budget::Budget;
use crate::env::Env;
use crate::error::{ErrorKind, EvalError};
use crate::eval::eval;
use crate::function::Function;
use crate::pool::OpenPool;
use crate::program::Pool;
use crate::value::Value;

struct TestEnv<'a> {
    pool: &'a Pool,
}

impl TestEnv<'_> {
    fn path(&self, path: u32) -> String {
        self.pool.paths[path as usize].fields.join(".")
    }
}

impl<'a> Env<'a> for TestEnv<'a> {
    fn load(&self, path: u32) -> Result<Value<'a>, EvalError> {
        match self.path(path).as_str() {
            "unknown" => Err(EvalError::new(ErrorKind::Unknown, "not known yet")),
            "error" => Err(EvalError::value("wrong")),
            "name" => Ok(Value::str("alice")),
            "ints" => Ok(Value::list(vec![Value::Int(1), Value::Uint(2), Value::list(vec![Value::Int(3)])])),
            _ => Err(EvalError::missing("not there")),
        }
    }

    fn has(&self, path: u32) -> Result<bool, EvalError> {
        Ok(self.path(path) == "name")
    }

    fn call(&self, function: Function, args: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
        Ok(Value::string(format!("{} of {}", function.name(), args.len())))
    }
}

/// Evaluates every left side and compares with the right.
fn check(rows: &[(&str, &str)]) {
    let shown = |text: &str| show(text, &mut Budget::default());
    let wrong: Vec<String> = rows
        .iter()
        .map(|(text, expected)| (text, expected, shown(text)))
        .filter(|(_, expected, got)| *expected != got)
        .map(|(text, expected, got)| format!("{text}\n  expected {expected}\n  got      {got}"))
        .collect();
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

fn show(text: &str, budget: &mut Budget) -> String {
    let (program, pool) = notation::read(text);
    assert!(program.is_well_formed(&pool), "{text}");
    let pool = OpenPool::open(pool).unwrap();
    let env = TestEnv { pool: pool.pool() };
    match eval(&program, &pool, &env, budget) {
        Ok(value) => notation::write(&value),
        Err(error) => format!("!{:?}", error.kind()).to_lowercase(),
    }
}
