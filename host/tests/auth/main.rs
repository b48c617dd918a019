//! Who is let in, as whom, and how: tokens, keys, certificates, limits, and what the gateway itself shows to servers.

mod certificates;
mod configurations;
mod credentials;
mod issuer;
mod keys;
mod limits;
mod process;
mod tokens;
mod world;
