//! Cells for those who have to wait: what was answered so far is played back, and the next question is noted.
//!
//! A commit over cells asks one question after the other. Where an answer takes time, run the commit over a
//! [`Replay`] of all answers so far; when it has noted a question, find out the answer, and run it again.

use std::cell::Cell;

use super::{Cells, Held};
use crate::state::Unavailable;

/// A question to the cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// [`Cells::get`]
    Get {
        /// The cell.
        name: String,
    },
    /// [`Cells::swap`]
    Swap {
        /// The cell.
        name: String,
        /// The version that was read.
        seen: Option<u64>,
        /// What to write.
        bytes: Vec<u8>,
    },
}

/// The answer to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// To [`Asked::Get`].
    Get(Result<Option<Held>, Unavailable>),
    /// To [`Asked::Swap`].
    Swap(Result<bool, Unavailable>),
}

/// Plays answers back in their order, and then says that the cells are unavailable.
pub struct Replay<'a> {
    answers: &'a [Answered],
    at: Cell<usize>,
    asked: Cell<Option<Asked>>,
}

impl<'a> Replay<'a> {
    /// Plays these answers back.
    pub fn new(answers: &'a [Answered]) -> Replay<'a> {
        Replay { answers, at: Cell::new(0), asked: Cell::new(None) }
    }

    /// The first question without an answer. While there is one, what the commit returned means nothing.
    pub fn asked(self) -> Option<Asked> {
        self.asked.into_inner()
    }

    fn next(&self, ask: impl FnOnce() -> Asked) -> Option<&'a Answered> {
        let at = self.at.get();
        self.at.set(at.saturating_add(1));
        let answer = self.answers.get(at);
        if answer.is_none() {
            self.asked.set(self.asked.take().or_else(|| Some(ask())));
        }
        answer
    }
}

impl Cells for Replay<'_> {
    fn get(&self, name: &str) -> Result<Option<Held>, Unavailable> {
        match self.next(|| Asked::Get { name: name.to_owned() }) {
            Some(Answered::Get(answer)) => answer.clone(),
            _ => Err(Unavailable),
        }
    }

    fn swap(&self, name: &str, seen: Option<u64>, bytes: &[u8]) -> Result<bool, Unavailable> {
        let asked = || Asked::Swap { name: name.to_owned(), seen, bytes: bytes.to_vec() };
        match self.next(asked) {
            Some(Answered::Swap(answer)) => *answer,
            _ => Err(Unavailable),
        }
    }
}
