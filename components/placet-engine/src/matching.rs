//! Whether one rule matches: its selector, its argument constraints and its condition.

use std::cell::RefCell;

use placet_cel::{Budget, ErrorKind, EvalError, OpenPool, Program, Value, eval};
use placet_model::Call;

use crate::constrain;
use crate::env::CallEnv;
use crate::policy::{PolicySet, Rule};
use crate::select;

/// How many bytes of values one condition may build.
pub(crate) const BUILT_BYTES: u64 = 1 << 20;

/// What a rule says of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Match {
    /// It does not match.
    No,
    /// It matches.
    Yes,
    /// A part of it cannot be evaluated, and no other part says no.
    Error(EvalError),
}

/// Everything a rule is held against.
pub struct Context<'a> {
    /// The policy.
    pub set: &'a PolicySet,
    /// Its pool, ready for evaluation.
    pub pool: &'a OpenPool,
    /// The call.
    pub call: &'a Call<'a>,
    /// The call's variables.
    pub env: CallEnv<'a>,
    /// Partial evaluation: the arguments are not known.
    pub partial: bool,
    /// What went on without state that was out of reach, because the policy says so (`on_unavailable: allow`).
    relied: RefCell<Vec<String>>,
}

impl<'a> Context<'a> {
    /// What a call is decided in.
    pub fn new(
        set: &'a PolicySet,
        pool: &'a OpenPool,
        call: &'a Call<'a>,
        env: CallEnv<'a>,
        partial: bool,
    ) -> Context<'a> {
        Context { set, pool, call, env, partial, relied: RefCell::default() }
    }

    /// Notes that the call goes on without state, because this rule or limit allows it.
    pub fn rely_on(&self, name: String) {
        self.relied.borrow_mut().push(name);
    }

    /// Everything that allowed the call to go on without state, sorted.
    pub fn relied_on(&self) -> Vec<String> {
        let mut names = self.relied.borrow().clone();
        names.sort();
        names.dedup();
        names
    }

    /// Evaluates a program.
    ///
    /// # Errors
    /// As CEL has them.
    pub fn eval(&self, program: &'a Program) -> Result<Value<'a>, EvalError> {
        let mut budget = Budget::new(u64::from(self.set.bounds.steps), BUILT_BYTES);
        let outcome = eval(program, self.pool, &self.env, &mut budget);
        match outcome {
            // Partial evaluation goes where the call itself may never go: that it is costly there decides nothing.
            Err(error) if self.partial && error.kind() == ErrorKind::Budget => Err(EvalError::new(
                ErrorKind::Unknown,
                "the condition is too costly to judge before the call",
            )),
            outcome => outcome,
        }
    }

    /// Evaluates a condition.
    ///
    /// # Errors
    /// Also when its value is not a bool.
    pub fn holds(&self, condition: Option<&'a Program>) -> Result<bool, EvalError> {
        match condition.map(|program| self.eval(program)) {
            None => Ok(true),
            Some(Ok(Value::Bool(holds))) => Ok(holds),
            Some(Ok(_)) => Err(EvalError::new(ErrorKind::Type, "a condition's value is not a boolean")),
            Some(Err(error)) => Err(error),
        }
    }

    /// Whether the arguments fit a rule's constraints.
    ///
    /// # Errors
    /// When a string that must be read cannot be, or the arguments are not known.
    pub fn args_fit(&self, rule: &Rule) -> Result<bool, EvalError> {
        match &rule.args {
            None => Ok(true),
            Some(_) if self.partial => {
                Err(EvalError::new(ErrorKind::Unknown, "the arguments are not known before the call is made"))
            }
            Some(shape) => constrain::shape_matches(shape, self.call.args, self.pool),
        }
    }

    /// Whether a rule matches. A part that says no decides, whatever is wrong with the others.
    pub fn matches(&self, rule: &'a Rule) -> Match {
        if !select::selects(&rule.applies, self.call) {
            return Match::No;
        }
        let args = self.args_fit(rule);
        if args == Ok(false) {
            return Match::No;
        }
        match (args, self.holds(rule.when.as_ref())) {
            (_, Ok(false)) => Match::No,
            (Ok(_), Ok(true)) => Match::Yes,
            (Err(a), Err(b)) if b.kind() == ErrorKind::Unknown => {
                Match::Error(if a.kind() == b.kind() { a } else { b })
            }
            (Err(error), _) | (Ok(_), Err(error)) => Match::Error(error),
        }
    }
}
