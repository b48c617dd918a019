//! Text that means something, read as its target will read it. Pure functions, used by expressions and by argument
//! constraints alike.

pub mod email;
pub mod glob;
pub mod ip;
pub mod number;
pub mod path;
pub mod time;
pub mod url;
