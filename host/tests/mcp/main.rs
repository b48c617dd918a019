//! The gateway between a client and a server that records what reached it.

mod exchanges;
mod reload;
mod world;
