//! Whether the process lives, and whether it should be sent requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use placet_pep::http::HttpReply;
use serde_json::json;

use super::Gateway;

/// Whether the gateway is about to stop; shared by those who say so and those who tell.
#[derive(Clone, Debug, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// From now on it is.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it is.
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Where these are; anybody may ask, even when nothing else is answered.
pub const PATHS: [&str; 3] = ["/livez", "/readyz", "/healthz"];

/// The process lives.
pub fn lives() -> HttpReply {
    HttpReply::json(200, json!({ "alive": true }).to_string())
}

/// Ready: it decides, and it is not about to stop. A policy that denies everything is not ready.
pub fn ready(gateway: &Gateway) -> HttpReply {
    let policy = gateway.service.policy().get();
    let refusal = policy.refusal();
    let draining = gateway.draining.has_begun();
    let status = if draining || refusal.is_some() { 503 } else { 200 };
    let state = match (draining, &refusal) {
        (true, _) => "draining",
        (false, Some(_)) => "denying",
        (false, None) => "ready",
    };
    let body = json!({
        "status": state,
        "policy": policy.describe().digest,
        "denies_everything": refusal,
        "sessions": gateway.sessions.len(),
    });
    HttpReply::json(status, body.to_string())
}
