//! Policies as people write them, YAML and CEL, to the compiled policy set. The only place that knows either text.

pub mod cel;
