//! The gateway between a client and a server that records what reached it.

mod asks;
mod concurrency;
mod exchanges;
mod reload;
mod several;
mod stateless;
mod world;
