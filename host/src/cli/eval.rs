//! `placet eval`: tries expressions.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use placet_cel::value::{Duration, Map, Str, Type};
use placet_cel::{Budget, Env, ErrorKind, EvalError, Function, OpenPool, Path, Root, Value, eval};
use placet_model::Timestamp;
use serde_json::{Value as Json, json};

use super::{Exit, Output};
use crate::compile::cel::{Names, PoolBuilder, compile};

/// Evaluate expressions: JSON lines {"expr","vars"} in, {"value"} or {"error"} out
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Tag values with their types, in and out, so that nothing is lost in JSON
    #[arg(long)]
    typed: bool,
}

/// Reads standard input, writes standard output.
pub fn run(args: &Args, out: &Output) -> Exit {
    match answer(args.typed, std::io::stdin().lock(), std::io::stdout().lock()) {
        Ok(()) => Exit::Done,
        Err(error) => out.fail(Exit::Usage, error),
    }
}

/// Reads `{"expr", "vars"}` lines and writes a `{"value"}` or `{"error"}` line for each.
///
/// # Errors
/// When input or output fails; a line that cannot be read is answered with an error.
pub fn answer(typed: bool, input: impl BufRead, mut output: impl Write) -> std::io::Result<()> {
    for line in input.split(b'\n') {
        let line = line?;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let answer = match one(&line, typed) {
            Ok(value) => json!({ "value": value }),
            Err(error) => json!({ "error": error }),
        };
        writeln!(output, "{answer}")?;
    }
    output.flush()
}

fn one(line: &[u8], typed: bool) -> Result<Json, String> {
    let row: Json = serde_json::from_slice(line).map_err(|e| format!("the line is not JSON: {e}"))?;
    let expr = row.get("expr").and_then(Json::as_str).ok_or("the line has no string `expr`")?;
    let empty = serde_json::Map::new();
    let vars = match row.get("vars") {
        None | Some(Json::Null) => &empty,
        Some(Json::Object(vars)) => vars,
        Some(_) => return Err("`vars` is not an object".to_owned()),
    };
    let mut names = BTreeMap::new();
    let mut values = Vec::new();
    for (name, value) in vars {
        names.insert(name.clone(), values.len() as u32);
        values.push(if typed { from_typed(value)? } else { from_plain(value) });
    }
    let mut builder = PoolBuilder::default();
    for value in vars.values() {
        // A zone that arrives in a variable is known to `placet eval`, which has them all.
        if let Some(name) = value.get("v").unwrap_or(value).as_str() {
            builder.zone(name);
        }
    }
    let compiled = compile(expr, &Names::Free(names), &mut builder).map_err(|errors| {
        let messages: Vec<String> =
            errors.iter().map(|e| format!("{} (at {})", e.message, e.span.start)).collect();
        messages.join("; ")
    })?;
    let pool = builder.finish();
    let env = Vars { values, paths: pool.paths.clone() };
    let pool = OpenPool::open(pool).map_err(|e| e.to_string())?;
    let value = eval(&compiled.program, &pool, &env, &mut Budget::default()).map_err(|e| e.to_string())?;
    if typed { to_typed(&value) } else { to_plain(&value) }
}

struct Vars {
    values: Vec<Value<'static>>,
    paths: Vec<Path>,
}

impl<'a> Env<'a> for Vars {
    fn load(&self, path: u32) -> Result<Value<'a>, EvalError> {
        let path = self.paths.get(path as usize);
        let (root, fields) = path.map(|p| (p.root, &p.fields[..])).unwrap_or((Root::Now, &[]));
        let Root::Free(index) = root else {
            return Err(EvalError::new(ErrorKind::Missing, "there is no such variable"));
        };
        let mut value = self.values.get(index as usize).cloned().ok_or_else(|| {
            EvalError::new(
                ErrorKind::Missing,
                "a variable or function that the expression names does not exist",
            )
        })?;
        for field in fields {
            value = match &value {
                Value::Map(map) => map.field(field).cloned().ok_or_else(|| {
                    EvalError::new(ErrorKind::Missing, format!("there is no field `{field}`"))
                })?,
                _ => return Err(EvalError::new(ErrorKind::Type, format!("`{field}` is asked of no map"))),
            };
        }
        Ok(value)
    }

    fn has(&self, path: u32) -> Result<bool, EvalError> {
        match self.load(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Missing => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn call(&self, _: Function, _: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
        Err(EvalError::new(ErrorKind::Missing, "there is no session in `placet eval`"))
    }
}

fn text(text: &str) -> Value<'static> {
    Value::Str(Str::Shared(text.into()))
}

fn from_plain(json: &Json) -> Value<'static> {
    match json {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => match (n.as_i64(), n.as_u64(), n.as_f64()) {
            (Some(i), ..) => Value::Int(i),
            (_, Some(u), _) => Value::Uint(u),
            (.., d) => Value::Double(d.unwrap_or(f64::NAN)),
        },
        Json::String(s) => text(s),
        Json::Array(list) => Value::list(list.iter().map(from_plain).collect::<Vec<_>>()),
        Json::Object(map) => Value::map(map.iter().map(|(k, v)| (text(k), from_plain(v))).collect()),
    }
}

fn from_typed(json: &Json) -> Result<Value<'static>, String> {
    let kind = json.get("t").and_then(Json::as_str).ok_or("a typed value has no `t`")?;
    let v = json.get("v").unwrap_or(&Json::Null);
    let bad = || format!("a typed value of kind `{kind}` cannot be read");
    let string = || v.as_str().ok_or_else(bad);
    let number = |name: &str| match json.get(name) {
        None => Some(0),
        Some(Json::String(s)) => s.parse::<i64>().ok(),
        Some(n) => n.as_i64(),
    };
    Ok(match kind {
        "null" => Value::Null,
        "bool" => Value::Bool(v.as_bool().ok_or_else(bad)?),
        "int" => Value::Int(string()?.parse().map_err(|_| bad())?),
        "uint" => Value::Uint(string()?.parse().map_err(|_| bad())?),
        "double" => Value::Double(string()?.parse().map_err(|_| bad())?),
        "string" => text(string()?),
        "bytes" => Value::Bytes(STANDARD.decode(string()?).map_err(|_| bad())?.into()),
        "list" => {
            let list = v.as_array().ok_or_else(bad)?;
            Value::list(list.iter().map(from_typed).collect::<Result<Vec<_>, _>>()?)
        }
        "map" => {
            let mut entries = Vec::new();
            for pair in v.as_array().ok_or_else(bad)? {
                let (key, value) = (pair.get(0).ok_or_else(bad)?, pair.get(1).ok_or_else(bad)?);
                entries.push((from_typed(key)?, from_typed(value)?));
            }
            Value::Map(Rc::new(Map { entries }))
        }
        "timestamp" => {
            let nanos = number("nanos").and_then(|n| u32::try_from(n).ok()).ok_or_else(bad)?;
            Value::Timestamp(Timestamp { seconds: number("seconds").ok_or_else(bad)?, nanos })
        }
        "duration" => {
            let (seconds, nanos) = (number("seconds").ok_or_else(bad)?, number("nanos").ok_or_else(bad)?);
            Value::Duration(Duration { nanos: i128::from(seconds) * 1_000_000_000 + i128::from(nanos) })
        }
        "type" => Value::Type(Type::from_name(string()?).ok_or_else(bad)?),
        _ => return Err(format!("there is no kind `{kind}` of typed values")),
    })
}

fn double_text(d: f64) -> String {
    match d {
        d if d.is_nan() => "NaN".to_owned(),
        d if d.is_infinite() => if d > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
        d => format!("{d:?}"),
    }
}

fn to_typed(value: &Value<'_>) -> Result<Json, String> {
    let of = |t: &str, v: String| json!({ "t": t, "v": v });
    Ok(match value {
        Value::Null => json!({ "t": "null" }),
        Value::Bool(b) => json!({ "t": "bool", "v": b }),
        Value::Int(i) => of("int", i.to_string()),
        Value::Uint(u) => of("uint", u.to_string()),
        Value::Double(d) => of("double", double_text(*d)),
        Value::Str(s) => of("string", s.as_str().to_owned()),
        Value::Bytes(b) => of("bytes", STANDARD.encode(b)),
        Value::List(list) => {
            let values: Result<Vec<Json>, String> = list.iter().map(to_typed).collect();
            json!({ "t": "list", "v": values? })
        }
        Value::Map(map) => {
            let mut pairs = Vec::new();
            for (key, value) in &map.entries {
                pairs.push(json!([to_typed(key)?, to_typed(value)?]));
            }
            json!({ "t": "map", "v": pairs })
        }
        Value::Timestamp(t) => {
            json!({ "t": "timestamp", "seconds": t.seconds.to_string(), "nanos": t.nanos })
        }
        Value::Duration(d) => json!({
            "t": "duration",
            "seconds": (d.nanos / 1_000_000_000).to_string(),
            "nanos": (d.nanos % 1_000_000_000) as i64,
        }),
        Value::Type(t) => of("type", t.name().to_owned()),
        Value::Optional(_) | Value::Ip(_) | Value::Cidr(_) => {
            return Err(format!(
                "a value of type `{}` cannot be written; convert it first",
                value.type_of().name()
            ));
        }
    })
}

fn to_plain(value: &Value<'_>) -> Result<Json, String> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(b) => json!(b),
        Value::Int(i) => json!(i),
        Value::Uint(u) => json!(u),
        Value::Double(d) if d.is_finite() => json!(d),
        Value::Double(d) => json!(double_text(*d)),
        Value::Str(s) => json!(s.as_str()),
        Value::Bytes(b) => json!(STANDARD.encode(b)),
        Value::List(list) => Json::Array(list.iter().map(to_plain).collect::<Result<_, _>>()?),
        Value::Map(map) => {
            let mut object = serde_json::Map::new();
            for (key, value) in &map.entries {
                let key = match key {
                    Value::Str(s) => s.as_str().to_owned(),
                    key => to_plain(key)?.to_string(),
                };
                object.insert(key, to_plain(value)?);
            }
            Json::Object(object)
        }
        Value::Timestamp(t) => json!(t.to_string()),
        Value::Duration(d) => json!(placet_cel::text::time::format_duration(d.nanos)),
        Value::Type(t) => json!(t.name()),
        Value::Optional(Some(value)) => to_plain(value)?,
        Value::Optional(None) => Json::Null,
        Value::Ip(ip) => json!(ip.to_string()),
        Value::Cidr(cidr) => json!(placet_cel::text::ip::format_cidr(cidr)),
    })
}
