//! The compiled policy as bytes: read, verify, digest.
