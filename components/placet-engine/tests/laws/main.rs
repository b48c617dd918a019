//! The laws of the decision function, on generated policies and calls.
//!
//! `reference` decides slowly and plainly; `differential` holds the engine against it over whole sessions; `laws`
//! states what must hold whatever the policy is.

mod calls;
mod conditions;
mod differential;
mod laws;
mod policies;
mod reference;
mod tape;
