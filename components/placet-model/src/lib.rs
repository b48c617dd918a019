//! The vocabulary of Placet: the proposed call, the decision about it, the facts it was decided on, the state
//! change it asks for, and the argument constraints that rules, grants and intents share.
//!
//! Plain data and the strict readers for it. No I/O, no clock, no globals; every function here is total.
//!
//! ```
//! use placet_model::{Call, Limits};
//!
//! let text = br#"{"tool":"pay","args":{"amount":1e3},"agent":{"id":"bot"},"tenant":"acme","now":"2026-11-21T09:00:00Z"}"#;
//! let call = Call::read(text, &Limits::default()).expect("a call");
//! let mut canonical = String::new();
//! call.args.write_canonical(&mut canonical);
//! assert_eq!(canonical, r#"{"amount":1000}"#);
//!
//! let twice = br#"{"tool":"pay","tool":"drop","agent":{"id":"bot"},"tenant":"acme","now":"2026-11-21T09:00:00Z"}"#;
//! assert!(Call::read(twice, &Limits::default()).is_err());
//! ```
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
mod reread;
pub mod time;

pub use call::{BadRequest, Call, Limits, Principal, Resource, Stage};
pub use constraint::{Constraint, Literal};
pub use decision::{Approval, Code, Decision, Obligation, Shadow, Verdict};
pub use facts::{Amount, Answer, Charge, Delta, Exceeded, Facts, SessionFact, Settlement};
pub use json::{Json, JsonError, Kind, Number};
pub use time::Timestamp;
