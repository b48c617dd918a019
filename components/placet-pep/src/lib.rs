//! Enforcement without I/O: MCP exchanges in, steps out.
