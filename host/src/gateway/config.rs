//! The configuration file of `placet serve`: what its flags say in the simple case, and what they cannot say.

use std::net::SocketAddr;
use std::path::PathBuf;

use placet_pep::Identity;
use serde::Deserialize;

use super::auth::AuthConfig;
use super::{LimitsConfig, MetricsConfig, ServerConfig, TelemetryConfig, TlsConfig, ToolsConfig};

/// A configuration file (YAML or JSON). Unknown fields are errors; what is left out is as without the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServeConfig {
    /// Where to listen.
    pub listen: Option<SocketAddr>,
    /// The servers.
    pub upstreams: Vec<ServerConfig>,
    /// Whose calls these are, whoever sends them: for local use.
    pub identity: Option<Identity>,
    /// How callers are authenticated.
    pub auth: Option<AuthConfig>,
    /// TLS; left out: plain HTTP.
    pub tls: Option<TlsConfig>,
    /// What one caller may use up.
    pub limits: LimitsConfig,
    /// Names that clients know this gateway by, besides `localhost`.
    pub hosts: Vec<String>,
    /// Origins of web pages that may send requests, such as `https://app.example.com`.
    pub origins: Vec<String>,
    /// What keeps tools as they were accepted.
    pub tools: ToolsConfig,
    /// Where metrics are served; without it, nowhere.
    pub metrics: Option<MetricsConfig>,
    /// Where traces go; without it, nowhere.
    pub telemetry: Option<TelemetryConfig>,
    /// The key of state handles.
    pub session_key: Option<PathBuf>,
    /// Largest message of a client, in bytes.
    pub max_request: Option<usize>,
    /// Largest message of a server, in bytes.
    pub max_response: Option<usize>,
}

impl ServeConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn from_yaml(text: &str) -> Result<ServeConfig, String> {
        crate::compile::yaml_as(text)
    }
}
