//! Functions of Placet: text read as its target will read it.

use super::{Outcome, no_overload};
use crate::budget::Budget;
use crate::function::Function;
use crate::text::{email, glob, path, url};
use crate::value::Value;

pub(super) fn call<'a>(function: Function, args: &[Value<'a>], budget: &mut Budget) -> Outcome<'a> {
    // Reading such text walks it a few times and copies its parts.
    if let Some(text) = args.first().and_then(Value::as_str) {
        budget.build(text.len().saturating_mul(2))?;
        budget.step(text.len() / 4)?;
    }
    match (function, args) {
        (Function::Email, [Value::Str(text)]) => {
            let email = email::parse_email(text.as_str())?;
            budget.build_list(4)?;
            Ok(record([("local", Value::string(email.local)), ("domain", Value::string(email.domain))]))
        }
        (Function::Url, [Value::Str(text)]) => {
            let url = url::parse_url(text.as_str())?;
            budget.build_list(12)?;
            Ok(record([
                ("scheme", Value::string(url.scheme)),
                ("user", Value::string(url.user)),
                ("host", Value::string(url.host)),
                ("port", url.port.map_or(Value::Null, |port| Value::Int(port.into()))),
                ("path", Value::string(url.path)),
                ("query", Value::string(url.query)),
            ]))
        }
        (Function::NormalPath, [Value::Str(text)]) => Ok(Value::string(path::normalise(text.as_str())?)),
        (Function::Glob, [Value::Str(text), Value::Str(pattern)]) => {
            glob::matches_counted(text.as_str(), pattern.as_str(), &mut |steps| budget.read(steps))
                .map(Value::Bool)
        }
        _ => Err(no_overload(function, args)),
    }
}

fn record<'a, const N: usize>(fields: [(&'static str, Value<'a>); N]) -> Value<'a> {
    Value::map(fields.into_iter().map(|(name, value)| (Value::str(name), value)).collect())
}
