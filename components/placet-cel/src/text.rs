//! Text that means something, read as its target will read it. Pure functions, used by expressions and by argument
//! constraints alike.

pub mod ip;
pub mod number;
pub mod time;
