//! The gateway between a client and a server that records what reached it.

mod concurrency;
mod exchanges;
mod reload;
mod stateless;
mod world;
