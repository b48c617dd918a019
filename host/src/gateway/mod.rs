//! Enforcement over the wire: MCP over streamable HTTP.
