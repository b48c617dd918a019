//! The plugin's configuration: read, checked, and made into what requests are served with.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use placet_pdp::state::cells::Bounds;
use placet_pdp::{Pdp, Trust};
use placet_pep::http::Guard;
use serde::Deserialize;

/// What stands in the configuration. Unknown fields are errors.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    guard: placet_pep::http::Config,
    policy: Option<Policy>,
    #[serde(default)]
    phase: Phase,
    #[serde(default)]
    state: State,
    host: Option<Host>,
    #[serde(default)]
    jwt: Jwt,
    #[serde(default)]
    log: Log,
    records: Option<Records>,
    #[serde(default = "name")]
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    bundle: String,
    #[serde(default)]
    keys: Vec<String>,
}

/// Where a request waits for its decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// In the headers in Envoy, in the body elsewhere.
    #[default]
    Auto,
    /// In the headers: nothing reaches the server before the decision.
    Headers,
    /// In the body, whose end the proxy waits for before it asks the server.
    Body,
}

/// Where state is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "in", rename_all = "kebab-case", deny_unknown_fields)]
pub enum State {
    /// In the proxy's shared data.
    SharedData {
        /// See [`Bounds`].
        #[serde(default = "slots")]
        slots: u32,
        /// See [`Bounds`].
        #[serde(default = "slot_bytes")]
        slot_bytes: usize,
        /// See [`Bounds`].
        #[serde(default = "share_bytes")]
        share_bytes: usize,
    },
    /// At a Placet host, which decides every call.
    Host {},
}

/// A Placet host.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Envoy: the cluster; Kong: `address:port`.
    pub cluster: String,
    /// What `host` is set to.
    pub authority: String,
    /// The decision endpoint.
    #[serde(default = "decide_path")]
    pub path: String,
    /// How long to wait for a decision.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
    /// Where an escalated call is asked about again, when it is not simply refused.
    #[serde(default)]
    pub approvals: Option<String>,
    /// How long to wait for people.
    #[serde(default = "approval_timeout_ms")]
    pub approval_timeout_ms: u64,
}

/// Where Envoy's `jwt_authn` puts verified claims.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Jwt {
    /// The filter's name, which is the metadata's namespace.
    pub namespace: String,
    /// `payload_in_metadata` of the provider.
    pub key: String,
}

impl Default for Jwt {
    fn default() -> Jwt {
        Jwt { namespace: "envoy.filters.http.jwt_authn".to_owned(), key: "payload".to_owned() }
    }
}

/// Which records are written to the proxy's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Log {
    /// Every one.
    #[default]
    All,
    /// Those of calls that were not allowed.
    Refused,
    /// None.
    None,
}

/// Records on their way to the host, several at once.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Records {
    /// Where they are posted, one on each line.
    pub path: String,
    /// At most so many wait; what is more is counted and left to the log.
    #[serde(default = "waiting")]
    pub waiting: usize,
    /// How often they are sent.
    #[serde(default = "every_ms")]
    pub every_ms: u64,
}

/// What requests are served with.
pub struct Setup {
    /// What is guarded.
    pub guard: Guard,
    /// The policy of the configuration; `None`: the one in the module.
    pub pdp: Option<Pdp>,
    /// Where a request waits.
    pub phase: Phase,
    /// `None`: state is at the host.
    pub bounds: Option<Bounds>,
    /// The Placet host.
    pub host: Option<Host>,
    /// Where claims are.
    pub jwt: Jwt,
    /// What is logged.
    pub log: Log,
    /// What is sent to the host.
    pub records: Option<Records>,
    /// Who writes the records.
    pub name: String,
}

impl Setup {
    /// Reads a configuration.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    pub fn read(text: &[u8]) -> Result<Setup, String> {
        let text = std::str::from_utf8(text).map_err(|_| "the configuration is not UTF-8".to_owned())?;
        if text.is_empty() {
            return Err("there is no configuration: give the plugin one, as a JSON object".to_owned());
        }
        let Wire { guard, policy, phase, state, host, jwt, log, records, name } =
            serde_json::from_str(text).map_err(|e| format!("the configuration is not acceptable: {e}"))?;
        let guard = Guard::new(guard).map_err(|e| format!("`guard`: {e}"))?;
        let pdp = policy.as_ref().map(open).transpose()?;
        let bounds = bounds(state)?;
        match &host {
            Some(host) => host.check()?,
            None if bounds.is_none() => {
                return Err("`state` is at the host: say in `host` where that is".to_owned());
            }
            None if records.is_some() => {
                return Err("`records` go to the host: say in `host` where that is".to_owned());
            }
            None => {}
        }
        if host.as_ref().is_some_and(|host| host.approvals.is_some()) && bounds.is_some() {
            let why =
                "limits and memory are checked again when people have approved, by whoever has the state";
            return Err(format!("`host.approvals` needs `state` to be in the host: {why}"));
        }
        if records.as_ref().is_some_and(|records| records.every_ms < 100 || records.waiting > 100_000) {
            return Err("`records`: at least 100 ms apart, and at most 100000 waiting".to_owned());
        }
        Ok(Setup { guard, pdp, phase, bounds, host, jwt, log, records, name })
    }

    /// Lends the policy in force.
    pub fn with<R>(&self, f: impl FnOnce(&Pdp) -> R) -> R {
        match &self.pdp {
            Some(pdp) => f(pdp),
            None => placet_embed::with(f),
        }
    }
}

fn open(policy: &Policy) -> Result<Pdp, String> {
    let bytes = STANDARD.decode(&policy.bundle).map_err(|e| format!("`policy.bundle` is not Base64: {e}"))?;
    let keys: Result<Vec<[u8; 32]>, String> = policy.keys.iter().map(|key| read_key(key)).collect();
    let pdp = Pdp::open(&bytes, &Trust { keys: keys? });
    match pdp.refusal() {
        Some(why) => Err(format!("`policy`: {why}")),
        None => Ok(pdp),
    }
}

fn read_key(text: &str) -> Result<[u8; 32], String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> = pairs.iter().map(|[a, b]| Some(digit(*a)? << 4 | digit(*b)?)).collect();
    let key = bytes.filter(|_| rest.is_empty()).and_then(|bytes| bytes.try_into().ok());
    key.ok_or_else(|| format!("`policy.keys`: `{text}` is not a public key: 64 hexadecimal digits"))
}

fn bounds(state: State) -> Result<Option<Bounds>, String> {
    let State::SharedData { slots, slot_bytes, share_bytes } = state else { return Ok(None) };
    if !(1..=65_536).contains(&slots) {
        return Err("`state.slots` must be from 1 to 65536".to_owned());
    }
    if share_bytes > slot_bytes || share_bytes < 1_024 || slot_bytes > 16 << 20 {
        return Err("`state`: 1024 <= `share_bytes` <= `slot_bytes` <= 16777216".to_owned());
    }
    Ok(Some(Bounds { slots, slot: slot_bytes, share: share_bytes, ..Bounds::default() }))
}

impl Host {
    fn check(&self) -> Result<(), String> {
        let is_path = |path: &str| path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic());
        if self.cluster.is_empty() || self.authority.is_empty() {
            return Err("`host.cluster` and `host.authority` must not be empty".to_owned());
        }
        if !is_path(&self.path) || self.approvals.as_deref().is_some_and(|path| !is_path(path)) {
            return Err("`host.path` and `host.approvals` are paths, such as `/v1/decide`".to_owned());
        }
        if !(1..=60_000).contains(&self.timeout_ms) || !(1..=3_600_000).contains(&self.approval_timeout_ms) {
            let most = "60000 for a decision, 3600000 for people";
            return Err(format!("`host`: wait at least 1 ms and at most {most}"));
        }
        Ok(())
    }

    /// How long to wait for a decision.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

impl Default for State {
    fn default() -> State {
        State::SharedData { slots: slots(), slot_bytes: slot_bytes(), share_bytes: share_bytes() }
    }
}

fn slots() -> u32 {
    Bounds::default().slots
}

fn slot_bytes() -> usize {
    Bounds::default().slot
}

fn share_bytes() -> usize {
    Bounds::default().share
}

fn name() -> String {
    "placet-filter".to_owned()
}

fn decide_path() -> String {
    "/v1/decide".to_owned()
}

fn timeout_ms() -> u64 {
    500
}

fn approval_timeout_ms() -> u64 {
    60_000
}

fn waiting() -> usize {
    1_000
}

fn every_ms() -> u64 {
    1_000
}

#[cfg(test)]
mod tests;
