//! Tools that change behind the gateway, and what is told of it: pins, locks, imports, metrics and traces.

mod commands;
mod observed;
mod pins;
mod world;
