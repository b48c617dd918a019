//! How the rules for a call are found without looking at those that cannot match.

use serde::{Deserialize, Serialize};

use crate::policy::PolicySet;

/// Made by [`PolicySet::seal`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Index {}

impl Index {
    /// Builds the index.
    pub fn build(_set: &PolicySet) -> Index {
        Index {}
    }
}
