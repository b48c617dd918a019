//! The decision point: open a bundle, decide calls.
