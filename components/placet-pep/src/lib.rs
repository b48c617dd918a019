//! Enforcement without I/O: MCP exchanges in, steps out.
//!
//! A gateway gives [`open`] the body that a client posted and does what the [`Step`] says: answer, ask for a decision,
//! or forward. What is forwarded is a [`Permit`], and only this crate can make one: for a tool call out of an `allow`
//! whose obligations can be met, for the protocol's own messages out of a short list. Answers of the server come back
//! through [`Forwarded`], so that catalogues are filtered and results decided before the agent sees them.
//!
//! Messages are those of MCP 2026-07-28, 2025-11-25 and 2025-06-18. What is forwarded is written anew from the parts that were
//! understood, so that no reader behind the gateway can find another call in it.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod answer;
mod call;
mod exchange;
pub mod federate;
pub mod http;
mod identity;
mod listing;
mod message;
mod mirror;
mod obligation;
mod permit;
pub mod pin;
mod record;
mod reply;
mod result;
mod splice;

pub use answer::{Answered, Forwarded};
pub use call::{Decided, PendingCall};
pub use exchange::{Scene, Step, Who, open};
pub use identity::{Identity, Principal};
pub use listing::{Asked, Filter};
pub use mirror::{Mirror, STATELESS, said_again};
pub use permit::Permit;
pub use record::{Outcome, Record};
pub use reply::{APPROVAL, HANDLE, META, Reply, refused_ask, with_handle, without_handle};
pub use result::{PendingResult, Running};
pub use splice::one_line;

/// Protocol versions that this enforcement point speaks, newest first.
pub const VERSIONS: [&str; 3] = [STATELESS, "2025-11-25", "2025-06-18"];

/// Those of them that have sessions and are agreed on by `initialize`, newest first.
pub const SESSION_VERSIONS: [&str; 2] = ["2025-11-25", "2025-06-18"];
