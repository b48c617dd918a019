//! Constant folding: what depends on nothing is evaluated now, by the engine's own machine.

use placet_cel::program::Constant;
use placet_cel::{Budget, Env, ErrorKind, EvalError, Function, Node, OpenPool, Pool, Program, Value, eval};

struct Nothing;

impl Env<'_> for Nothing {
    fn load(&self, _: u32) -> Result<Value<'static>, EvalError> {
        Err(EvalError::new(ErrorKind::Unknown, "not constant"))
    }

    fn has(&self, _: u32) -> Result<bool, EvalError> {
        Err(EvalError::new(ErrorKind::Unknown, "not constant"))
    }

    fn call(&self, _: Function, _: &[Value<'_>]) -> Result<Value<'static>, EvalError> {
        Err(EvalError::new(ErrorKind::Unknown, "not constant"))
    }
}

/// The value of a node over constant operands; `None` when it is not known yet or cannot be written down.
///
/// # Errors
/// When it errs whatever the call is.
pub fn fold(operands: &[Constant], node: Node) -> Result<Option<Constant>, EvalError> {
    match value(operands, node) {
        Some(Err(error)) => match error.kind() {
            ErrorKind::Missing | ErrorKind::Type | ErrorKind::Value => Err(error),
            ErrorKind::Unknown | ErrorKind::Unavailable | ErrorKind::Budget | ErrorKind::Program => Ok(None),
        },
        Some(Ok(constant)) => Ok(constant),
        None => Ok(None),
    }
}

fn value(operands: &[Constant], node: Node) -> Option<Result<Option<Constant>, EvalError>> {
    let pool = Pool { constants: operands.to_vec(), ..Pool::default() };
    let count = u32::try_from(operands.len()).ok()?;
    let nodes: Vec<Node> = (0..count).map(Node::Const).chain([node]).collect();
    let program = Program { nodes, root: count, locals: 0 };
    let pool = OpenPool::open(pool).ok()?;
    let value = eval(&program, &pool, &Nothing, &mut Budget::new(10_000, 1 << 16));
    Some(value.map(|value| constant(&value)))
}

/// A value as a constant, when it can be one.
pub fn constant(value: &Value<'_>) -> Option<Constant> {
    Some(match value {
        Value::Null => Constant::Null,
        Value::Bool(b) => Constant::Bool(*b),
        Value::Int(i) => Constant::Int(*i),
        Value::Uint(u) => Constant::Uint(*u),
        Value::Double(d) => Constant::Double(*d),
        Value::Str(s) => Constant::String(s.as_str().into()),
        Value::Bytes(b) => Constant::Bytes((**b).into()),
        Value::List(list) => Constant::List(list.iter().map(constant).collect::<Option<_>>()?),
        Value::Map(map) => {
            let entry = |(k, v): &(Value<'_>, Value<'_>)| Some((constant(k)?, constant(v)?));
            Constant::Map(map.entries.iter().map(entry).collect::<Option<_>>()?)
        }
        Value::Timestamp(t) => Constant::Timestamp(*t),
        Value::Duration(d) => Constant::Duration(d.nanos),
        Value::Type(t) => Constant::Type(*t),
        Value::Optional(_) | Value::Ip(_) | Value::Cidr(_) => return None,
    })
}
