//! The decision function: pure, total, indexed.
