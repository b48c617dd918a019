//! The policy in force, which can be replaced between decisions.

use std::sync::{Arc, PoisonError, RwLock};

use super::DecisionPoint;

/// The policy in force. A decision takes it once and runs on it to the end.
#[derive(Clone)]
pub struct PolicyHandle {
    current: Arc<RwLock<Arc<dyn DecisionPoint>>>,
}

impl PolicyHandle {
    /// A handle on a first policy.
    pub fn new(first: Arc<dyn DecisionPoint>) -> PolicyHandle {
        PolicyHandle { current: Arc::new(RwLock::new(first)) }
    }

    /// The policy in force now.
    pub fn get(&self) -> Arc<dyn DecisionPoint> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another policy in force, unless it denies everything.
    ///
    /// # Errors
    /// Why it denies everything; then the old one stays in force.
    pub fn replace(&self, next: Arc<dyn DecisionPoint>) -> Result<(), String> {
        match next.refusal() {
            Some(refusal) => Err(refusal),
            None => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
                Ok(())
            }
        }
    }
}
