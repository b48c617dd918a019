//! The variables of conditions, straight from the call's text.

use placet_cel::{Env, ErrorKind, EvalError, Function, Root, Value};
use placet_model::Stage;

use super::Reference;

impl<'a> Env<'a> for Reference<'a> {
    fn load(&self, path: u32) -> Result<Value<'a>, EvalError> {
        let path = &self.pool.pool().paths[path as usize];
        let missing = || EvalError::new(ErrorKind::Missing, "missing");
        let mut value = self.variable(path.root).ok_or_else(missing)?;
        for field in &path.fields {
            let Value::Map(map) = value else { return Err(EvalError::new(ErrorKind::Type, "no fields")) };
            let found = map.entries.iter().find(|(key, _)| key.as_str() == Some(field));
            value = found.ok_or_else(missing)?.1.clone();
        }
        Ok(value)
    }

    fn has(&self, path: u32) -> Result<bool, EvalError> {
        match self.load(path) {
            // All generated paths have one field, of a variable that is there.
            Err(e) if e.kind() == ErrorKind::Missing => Ok(false),
            other => other.map(|_| true),
        }
    }

    fn call(&self, function: Function, args: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
        let session =
            self.session.as_ref().ok_or_else(|| EvalError::new(ErrorKind::Missing, "no session"))?;
        if self.outage.session {
            return Err(EvalError::new(ErrorKind::Unavailable, "out of reach"));
        }
        let window = match args.last() {
            Some(Value::Duration(window)) => Some(window.nanos),
            _ => None,
        };
        let name = args[0].as_str();
        let wants_key = args.len() - usize::from(window.is_some()) == 2;
        let key = if wants_key { args[1].canonical_key() } else { None };
        if wants_key && key.is_none() {
            return Err(EvalError::new(ErrorKind::Type, "not a key"));
        }
        let found = self.world.memory.iter().filter(|(s, n, k, at, until)| {
            s == session
                && Some(n.as_str()) == name
                && (!wants_key || *k == key)
                && self.now < *until
                && window.is_none_or(|window| self.now < at + window)
        });
        Ok(match function {
            Function::SessionCount => Value::Int(found.count() as i64),
            _ => Value::Bool(found.count() > 0),
        })
    }
}

impl<'a> Reference<'a> {
    fn variable(&self, root: Root) -> Option<Value<'a>> {
        let member = |name| self.text.get(name).map(Value::from_json);
        match root {
            Root::Args => member("args"),
            Root::Agent => member("agent"),
            Root::User => member("user"),
            Root::Env => member("env"),
            Root::Project => member("project"),
            Root::Resource => member("resource"),
            Root::Result if self.call.stage == Stage::Result => member("content"),
            Root::Tool => {
                let texts = |of: &Vec<String>| {
                    Value::list(of.iter().map(|s| Value::string(s.as_str())).collect::<Vec<_>>())
                };
                let tool = self.tool;
                let facts = [
                    ("name", member("tool")),
                    ("effects", tool.and_then(|t| t.effects.as_ref()).map(texts)),
                    ("cost", tool.and_then(|t| t.cost).map(Value::Double)),
                    ("scope", self.scope.as_deref().map(Value::string)),
                ];
                let facts = facts.into_iter().filter_map(|(name, fact)| Some((Value::str(name), fact?)));
                Some(Value::map(facts.collect()))
            }
            _ => None,
        }
    }
}
