//! JSON as values, and values as keys.

use std::borrow::Cow;

use placet_model::json::write_string;
use placet_model::{Json, Kind, Number};

use crate::value::{Str, Value};

const TWO_64: f64 = 18_446_744_073_709_551_616.0;

impl<'a> Value<'a> {
    /// A JSON value: integers as int or uint, other numbers as double, objects as maps.
    pub fn from_json(json: Json<'a>) -> Value<'a> {
        match json.kind() {
            Kind::Null => Value::Null,
            Kind::Bool => Value::Bool(json.as_bool().unwrap_or(false)),
            Kind::Number => match json.as_number() {
                Some(Number::Int(i)) => Value::Int(i),
                Some(Number::Uint(u)) => Value::Uint(u),
                Some(Number::Double(d)) => Value::Double(d),
                None => Value::Null,
            },
            Kind::String => Value::Str(text(json.as_str().unwrap_or(Cow::Borrowed("")))),
            Kind::Array => Value::list(json.elements().map(Value::from_json).collect::<Vec<_>>()),
            Kind::Object => {
                let entries =
                    json.members().map(|(key, value)| (Value::Str(text(key)), Value::from_json(value)));
                Value::map(entries.collect())
            }
        }
    }

    /// A text that is the same for equal scalars and different for others; `None` for what cannot be a key.
    /// Numbers are written by value: `1`, `1u` and `1.0` are one key.
    pub fn canonical_key(&self) -> Option<String> {
        let mut out = String::new();
        match self {
            Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Value::Int(i) => out = i.to_string(),
            Value::Uint(u) => out = u.to_string(),
            // Whole doubles up to there may equal an integer, and are exact.
            Value::Double(d) if d.fract() == 0.0 && d.abs() <= TWO_64 => out = (*d as i128).to_string(),
            Value::Double(d) if d.is_finite() => out = format!("{d:e}"),
            Value::Str(s) => write_string(&mut out, s.as_str()),
            _ => return None,
        }
        Some(out)
    }
}

fn text(text: Cow<'_, str>) -> Str<'_> {
    match text {
        Cow::Borrowed(text) => Str::Borrowed(text),
        Cow::Owned(text) => Str::Shared(text.into()),
    }
}
