//! The functions on values. Overloads are chosen by the types of the arguments; each module holds one library.

mod convert;
pub(crate) mod lists;
mod operators;

use crate::budget::Budget;
use crate::error::EvalError;
use crate::function::Function;
use crate::pool::OpenPool;
use crate::value::Value;

type Outcome<'a> = Result<Value<'a>, EvalError>;

/// Applies a function to its arguments, the receiver first.
pub(crate) fn call<'a>(
    function: Function,
    args: &[Value<'a>],
    _pool: &'a OpenPool,
    budget: &mut Budget,
) -> Outcome<'a> {
    use Function as F;
    match function {
        F::Add | F::Sub | F::Mul | F::Div | F::Mod | F::Neg | F::Not => operators::arithmetic(function, args, budget),
        F::Eq | F::Ne | F::Lt | F::Le | F::Gt | F::Ge | F::In => operators::relation(function, args, budget),
        F::ToBool | F::ToBytes | F::ToDouble | F::ToDuration | F::ToDyn | F::ToInt | F::ToString => {
            convert::call(function, args, budget)
        }
        F::ToTimestamp | F::TypeOf | F::ToUint => convert::call(function, args, budget),
        F::SessionHas | F::SessionCount | F::SessionLast => {
            Err(EvalError::program("the program asks for the session where there is none"))
        }
        F::Range | F::Distinct | F::First | F::Flatten | F::Last | F::Slice | F::Sort | F::Reverse => {
            lists::call(function, args, budget)
        }
        _ => Err(no_overload(function, args)),
    }
}

/// The error of a function that does not take such arguments.
#[cold]
fn no_overload(function: Function, args: &[Value<'_>]) -> EvalError {
    let types: Vec<&str> = args.iter().map(|arg| arg.type_of().name()).collect();
    let (name, types) = (function.name(), types.join(", "));
    EvalError::mistyped(format!("`{name}` does not take ({types})"))
}
