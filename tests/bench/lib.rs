//! Nothing: the benches are in `benches/`, run by `cargo xtask bench`.
