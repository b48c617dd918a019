//! What an evaluation may cost.

use crate::error::EvalError;

/// Steps that an evaluation may take and bytes that it may build. Shared by successive evaluations if the caller
/// passes it on.
#[derive(Clone, Debug)]
pub struct Budget {
    steps: u64,
    bytes: u64,
}

impl Budget {
    /// Default number of steps: about one per node evaluated, and one per element or sixteen bytes worked on.
    pub const STEPS: u64 = 100_000;
    /// Default size in bytes of all that is built: texts, lists, maps.
    pub const BYTES: u64 = 1 << 20;

    /// A budget of so many steps and bytes.
    pub fn new(steps: u64, bytes: u64) -> Budget {
        Budget { steps, bytes }
    }

    /// Steps that are left.
    pub fn steps_left(&self) -> u64 {
        self.steps
    }

    /// Pays for work on `n` elements or nodes.
    ///
    /// # Errors
    /// `Budget` when less is left; nothing is left then.
    pub fn step(&mut self, n: usize) -> Result<(), EvalError> {
        match self.steps.checked_sub(n as u64) {
            Some(left) => {
                self.steps = left;
                Ok(())
            }
            None => Err(self.exhausted()),
        }
    }

    /// Pays for reading `bytes` of text once.
    ///
    /// # Errors
    /// As [`Budget::step`].
    pub fn read(&mut self, bytes: usize) -> Result<(), EvalError> {
        self.step(bytes / 16)
    }

    /// Pays for building something of this size, and for the work of it.
    ///
    /// # Errors
    /// `Budget` when less is left.
    pub fn build(&mut self, bytes: usize) -> Result<(), EvalError> {
        self.read(bytes)?;
        match self.bytes.checked_sub(bytes as u64) {
            Some(left) => {
                self.bytes = left;
                Ok(())
            }
            None => Err(EvalError::budget("the expression builds more data than its size budget allows")),
        }
    }

    /// Pays for a list or map of `n` elements.
    ///
    /// # Errors
    /// As [`Budget::build`].
    pub fn build_list(&mut self, n: usize) -> Result<(), EvalError> {
        self.build(n.saturating_mul(size_of::<crate::Value<'_>>()))
    }

    #[cold]
    fn exhausted(&mut self) -> EvalError {
        self.steps = 0;
        EvalError::budget("the expression takes more steps than its budget allows")
    }
}

impl Default for Budget {
    fn default() -> Budget {
        Budget::new(Budget::STEPS, Budget::BYTES)
    }
}
