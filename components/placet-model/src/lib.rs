//! The vocabulary of Placet: the proposed call, the decision about it, the facts it was decided on, the state
//! change it asks for, and the argument constraints that rules, grants and intents share.
//!
//! Plain data and the strict readers for it. No I/O, no clock, no globals; every function here is total.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod call;
pub mod constraint;
pub mod decision;
pub mod facts;
pub mod json;
mod render;
pub mod time;

pub use call::{BadRequest, Call, Limits, Principal, Resource, Stage};
pub use constraint::{Constraint, Literal};
pub use decision::{Approval, Code, Decision, Obligation, Shadow, Verdict};
pub use facts::{Amount, Answer, Charge, Delta, Exceeded, Facts, SessionFact, Settlement};
pub use json::{Json, JsonError, Kind, Number};
pub use time::Timestamp;
