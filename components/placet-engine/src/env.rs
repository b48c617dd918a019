//! The variables of conditions: what `args.amount`, `agent.roles` or `session.has(…)` mean for one call.

use std::cell::OnceCell;
use std::rc::Rc;

use placet_cel::value::{Map, Str};
use placet_cel::{Env, ErrorKind, EvalError, Function, OpenPool, Path, Root, Value};
use placet_model::{Call, Json, Kind, Principal};

use crate::policy::Tool;
use crate::session::SessionState;

/// The session as conditions see it.
#[derive(Clone, Copy)]
pub enum SessionView<'a> {
    /// The call names no session.
    None,
    /// Its state could not be read.
    Unavailable,
    /// Its state, and the time that counts.
    Known(&'a SessionState, i128),
}

/// The environment of one call.
pub struct CallEnv<'a> {
    pool: &'a OpenPool,
    call: &'a Call<'a>,
    tool: Option<&'a Tool>,
    scope: OnceCell<Option<Str<'a>>>,
    session: SessionView<'a>,
    /// Partial evaluation: `args`, `resource` and what comes later are not known yet.
    partial: bool,
    members: OnceCell<Vec<(std::borrow::Cow<'a, str>, Json<'a>)>>,
}

impl<'a> CallEnv<'a> {
    /// The environment of a call. With `partial`, what only the call itself will tell is unknown.
    pub fn new(
        pool: &'a OpenPool,
        call: &'a Call<'a>,
        tool: Option<&'a Tool>,
        session: SessionView<'a>,
        partial: bool,
    ) -> CallEnv<'a> {
        CallEnv { pool, call, tool, scope: OnceCell::new(), session, partial, members: OnceCell::new() }
    }

    /// Sets `tool.scope`, once it is known.
    pub fn set_scope(&self, scope: Option<Str<'a>>) {
        let _ = self.scope.set(scope);
    }

    fn args_member(&self, name: &str) -> Option<Json<'a>> {
        // One walk over the arguments serves every condition that reads one of them.
        let members = self.members.get_or_init(|| self.call.args.members().collect());
        members.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }

    fn path(&self, path: u32) -> Result<&'a Path, EvalError> {
        let found = self.pool.pool().paths.get(path as usize);
        found.ok_or_else(|| {
            EvalError::new(ErrorKind::Program, "the policy names a path that it does not have")
        })
    }

    fn resolve(&self, root: Root, fields: &'a [Box<str>]) -> Result<Value<'a>, EvalError> {
        let call = self.call;
        match root {
            Root::Args if self.partial => Err(unknown()),
            Root::Args => match fields.split_first() {
                Some((first, rest)) => {
                    walk(self.args_member(first).ok_or_else(|| missing("args", first))?, "args", rest)
                }
                None => Ok(Value::from_json(call.args)),
            },
            Root::Tool => self.tool_fact(fields),
            Root::Agent => principal(&call.agent, "agent", fields, false),
            Root::User => principal(call.user.as_ref().ok_or_else(|| absent("user"))?, "user", fields, true),
            Root::Chain => plain(strings(&call.chain), "chain", fields),
            Root::Tenant => plain(text(&call.tenant), "tenant", fields),
            Root::Project => {
                plain(text(call.project.as_ref().ok_or_else(|| absent("project"))?), "project", fields)
            }
            Root::Env => plain(text(call.env.as_ref().ok_or_else(|| absent("env"))?), "env", fields),
            Root::Session => {
                let id = text(call.session.as_ref().ok_or_else(|| absent("session"))?);
                record("session", vec![("id", Field::Value(id))], fields)
            }
            Root::Resource if self.partial => Err(unknown()),
            Root::Resource => {
                let resource = call.resource.as_ref().ok_or_else(|| absent("resource"))?;
                let of = vec![
                    ("type", Field::Value(text(&resource.kind))),
                    ("id", Field::Value(text(&resource.id))),
                    ("attrs", Field::Json(resource.attrs)),
                ];
                record("resource", of, fields)
            }
            Root::Now => plain(Value::Timestamp(call.now), "now", fields),
            Root::Content => walk(self.content("content")?, "content", fields),
            Root::Result if call.stage == placet_model::Stage::Result => {
                walk(self.content("result")?, "result", fields)
            }
            Root::Result => Err(absent("result")),
            Root::Intent => Err(absent("intent")),
            Root::Grant => Err(absent("grant")),
            Root::Approval => Err(absent("approval")),
            Root::Free(_) => Err(EvalError::new(ErrorKind::Program, "a policy has no free variables")),
        }
    }

    fn content(&self, name: &'static str) -> Result<Json<'a>, EvalError> {
        self.call.content.ok_or_else(|| absent(name))
    }

    fn tool_fact(&self, fields: &'a [Box<str>]) -> Result<Value<'a>, EvalError> {
        let mut of = vec![("name", Field::Value(text(&self.call.tool)))];
        if let Some(tool) = self.tool {
            let list = |of: &'a [String]| {
                Value::List(of.iter().map(|s| Value::Str(Str::Borrowed(s))).collect::<Vec<_>>().into())
            };
            let word = |s: &'a String| Value::Str(Str::Borrowed(s));
            of.extend(tool.effects.as_ref().map(|e| ("effects", Field::Value(list(e)))));
            of.extend(tool.risk.as_ref().map(|r| ("risk", Field::Value(word(r)))));
            of.extend(tool.data.as_ref().map(|d| ("data", Field::Value(list(d)))));
            of.extend(tool.cost.map(|c| ("cost", Field::Value(Value::Double(c)))));
        }
        if let Some(Some(scope)) = self.scope.get() {
            of.push(("scope", Field::Value(Value::Str(scope.clone()))));
        } else if self.partial && self.tool.is_some_and(|tool| tool.scope.is_some()) {
            of.push(("scope", Field::Unknown));
        }
        record("tool", of, fields)
    }

    fn session_state(&self) -> Result<(&'a SessionState, i128), EvalError> {
        match self.session {
            SessionView::Known(state, now) => Ok((state, now)),
            SessionView::None => Err(absent("session")),
            SessionView::Unavailable => {
                Err(EvalError::new(ErrorKind::Unavailable, "the session's state is unavailable"))
            }
        }
    }
}

impl<'a> Env<'a> for CallEnv<'a> {
    fn load(&self, path: u32) -> Result<Value<'a>, EvalError> {
        let path = self.path(path)?;
        self.resolve(path.root, &path.fields)
    }

    fn has(&self, path: u32) -> Result<bool, EvalError> {
        let path = self.path(path)?;
        let Some((last, parent)) = path.fields.split_last() else {
            return match self.resolve(path.root, &[]) {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == ErrorKind::Missing => Ok(false),
                Err(error) => Err(error),
            };
        };
        // The common case reads no value at all.
        if path.root == Root::Args && parent.is_empty() && !self.partial {
            return Ok(self.args_member(last).is_some());
        }
        match self.resolve(path.root, &path.fields) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Missing => {
                self.resolve(path.root, parent).map(|_| false)
            }
            Err(error) => Err(error),
        }
    }

    fn call(&self, function: Function, args: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
        let (state, now) = self.session_state()?;
        let wrong = || EvalError::new(ErrorKind::Type, "no such overload of a `session` function");
        let name = |value: &Value<'a>| match value {
            Value::Str(name) => Ok(name.clone()),
            _ => Err(wrong()),
        };
        match (function, args) {
            (Function::SessionHas, [of]) => {
                Ok(Value::Bool(state.events(name(of)?.as_str(), None, now).next().is_some()))
            }
            (Function::SessionHas, [of, key]) => {
                let key = memory_key(key)?;
                Ok(Value::Bool(state.events(name(of)?.as_str(), Some(&key), now).next().is_some()))
            }
            (Function::SessionCount, [of, Value::Duration(window)]) => {
                Ok(Value::Int(count(state.events(name(of)?.as_str(), None, now), now, window.nanos)))
            }
            (Function::SessionCount, [of, key, Value::Duration(window)]) => {
                let key = memory_key(key)?;
                Ok(Value::Int(count(state.events(name(of)?.as_str(), Some(&key), now), now, window.nanos)))
            }
            (Function::SessionLast, [of]) => {
                let of = name(of)?;
                let last = state.events(of.as_str(), None, now).map(|event| event.at).max();
                let last = last.ok_or_else(|| {
                    EvalError::new(ErrorKind::Missing, format!("nothing is remembered as `{}`", of.as_str()))
                })?;
                timestamp(last)
            }
            _ => Err(wrong()),
        }
    }
}

/// The canonical form of a memory's key: equal keys, equal text.
pub fn memory_key(value: &Value<'_>) -> Result<String, EvalError> {
    let key = value.canonical_key();
    key.ok_or_else(|| {
        EvalError::new(ErrorKind::Type, "a memory's key must be a string, a number or a boolean")
    })
}

fn count<'e>(events: impl Iterator<Item = &'e crate::session::Event>, now: i128, window: i128) -> i64 {
    let inside = events.filter(|event| now < event.at.saturating_add(window)).count();
    i64::try_from(inside).unwrap_or(i64::MAX)
}

fn timestamp<'a>(nanos: i128) -> Result<Value<'a>, EvalError> {
    let seconds = i64::try_from(nanos.div_euclid(1_000_000_000));
    let nanos = u32::try_from(nanos.rem_euclid(1_000_000_000));
    match (seconds, nanos) {
        (Ok(seconds), Ok(nanos)) => Ok(Value::Timestamp(placet_model::Timestamp { seconds, nanos })),
        _ => Err(EvalError::new(ErrorKind::Value, "a remembered time is out of range")),
    }
}

enum Field<'a> {
    Value(Value<'a>),
    Json(Json<'a>),
    Unknown,
}

/// Selects fields from a record of the call.
fn record<'a>(
    name: &str,
    of: Vec<(&'static str, Field<'a>)>,
    fields: &'a [Box<str>],
) -> Result<Value<'a>, EvalError> {
    let Some((first, rest)) = fields.split_first() else {
        if of.iter().any(|(_, field)| matches!(field, Field::Unknown)) {
            return Err(unknown());
        }
        let entries = of.into_iter().filter_map(|(key, field)| {
            let value = match field {
                Field::Value(value) => value,
                Field::Json(json) => Value::from_json(json),
                Field::Unknown => return None,
            };
            Some((Value::Str(Str::Borrowed(key)), value))
        });
        return Ok(Value::Map(Rc::new(Map { entries: entries.collect() })));
    };
    match of.into_iter().find(|(key, _)| **key == **first) {
        Some((_, Field::Value(value))) => plain(value, name, rest),
        Some((_, Field::Json(json))) => walk(json, name, rest),
        Some((_, Field::Unknown)) => Err(unknown()),
        None => Err(missing(name, first)),
    }
}

fn principal<'a>(
    of: &'a Principal<'a>,
    name: &str,
    fields: &'a [Box<str>],
    scopes: bool,
) -> Result<Value<'a>, EvalError> {
    // Without building the whole record: the fields that conditions read most.
    match fields.split_first() {
        Some((first, rest)) if **first == *"id" => plain(text(&of.id), name, rest),
        Some((first, rest)) if **first == *"roles" => plain(strings(&of.roles), name, rest),
        _ => {
            let mut record_of = vec![
                ("id", Field::Value(text(&of.id))),
                ("roles", Field::Value(strings(&of.roles))),
                ("attrs", Field::Json(of.attrs)),
            ];
            if scopes {
                record_of.push(("scopes", Field::Value(strings(&of.scopes))));
            }
            record(name, record_of, fields)
        }
    }
}

/// Selects fields from a JSON value.
fn walk<'a>(json: Json<'a>, name: &str, fields: &'a [Box<str>]) -> Result<Value<'a>, EvalError> {
    let mut json = json;
    for field in fields {
        if json.kind() != Kind::Object {
            return Err(no_fields(name, field));
        }
        json = json.get(field).ok_or_else(|| missing(name, field))?;
    }
    Ok(Value::from_json(json))
}

/// A value that has no fields.
fn plain<'a>(value: Value<'a>, name: &str, fields: &'a [Box<str>]) -> Result<Value<'a>, EvalError> {
    match fields.first() {
        None => Ok(value),
        Some(field) => Err(no_fields(name, field)),
    }
}

fn text<'a>(text: &'a str) -> Value<'a> {
    Value::Str(Str::Borrowed(text))
}

fn strings<'a>(of: &'a [std::borrow::Cow<'a, str>]) -> Value<'a> {
    Value::List(of.iter().map(|s| text(s)).collect::<Vec<_>>().into())
}

fn unknown() -> EvalError {
    EvalError::new(ErrorKind::Unknown, "not known before the call is made")
}

fn absent(variable: &'static str) -> EvalError {
    EvalError::new(ErrorKind::Missing, format!("the call has no `{variable}`"))
}

fn missing(of: &str, field: &str) -> EvalError {
    EvalError::new(ErrorKind::Missing, format!("`{of}` has no field `{field}`"))
}

fn no_fields(of: &str, field: &str) -> EvalError {
    EvalError::new(ErrorKind::Type, format!("a value in `{of}` has no fields, and `{field}` was asked of it"))
}
