//! What a client without a sufficient token is told: protected-resource metadata (RFC 9728), and challenges (RFC 6750,
//! section 3) that lead there.

use placet_pep::http::HttpReply;
use reqwest::Url;
use serde_json::json;

/// Where the metadata of the whole host would be.
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// What is said of a resource.
#[derive(Debug)]
pub struct Challenge {
    /// JSON.
    metadata: String,
    /// The address of the metadata.
    address: String,
    /// The path that the metadata is at, besides [`WELL_KNOWN`].
    path: String,
    /// The host that clients know the resource by.
    host: String,
}

impl Challenge {
    /// # Errors
    /// When the resource is not an address that can stand in a challenge.
    pub fn new(resource: &str, servers: Vec<String>, scopes: Vec<String>) -> Result<Challenge, String> {
        let fault = |why: &str| format!("`oauth`: `resource`: `{resource}` {why}");
        let url = Url::parse(resource).map_err(|error| fault(&format!("is not an address: {error}")))?;
        let host = url.host_str().ok_or_else(|| fault("has no host"))?.to_owned();
        if !matches!(url.scheme(), "https" | "http") || url.fragment().is_some() || url.query().is_some() {
            return Err(fault("must be an `https://` address without query and fragment"));
        }
        let below = url.path().trim_end_matches('/');
        let path = format!("{WELL_KNOWN}{below}");
        let address = format!("{}{path}", url.origin().ascii_serialization());
        let metadata = json!({
            "resource": resource,
            "authorization_servers": servers,
            "scopes_supported": scopes,
            "bearer_methods_supported": ["header"],
            "resource_name": "MCP behind Placet",
        });
        Ok(Challenge { metadata: metadata.to_string(), address, path, host })
    }

    /// The host that clients know the resource by.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The metadata, when this is a path that it is at.
    pub fn metadata(&self, path: &str) -> Option<HttpReply> {
        // Public, and asked for by pages that run MCP clients in a browser.
        (path == WELL_KNOWN || path == self.path)
            .then(|| HttpReply::json(200, self.metadata.clone()).with("access-control-allow-origin", "*"))
    }

    /// No token: 401, without an error code (RFC 6750, section 3.1).
    pub fn missing(&self, scopes: &[String]) -> HttpReply {
        let reply =
            HttpReply::problem(401, "unauthenticated", "nobody knows who calls: send an access token");
        reply.with("www-authenticate", &self.bearer(None, scopes))
    }

    /// A token that does not count: 401.
    pub fn invalid(&self, why: &str, scopes: &[String]) -> HttpReply {
        let reply = HttpReply::problem(401, "invalid-token", why);
        reply.with("www-authenticate", &self.bearer(Some(("invalid_token", why)), scopes))
    }

    /// A token that does not suffice: 403, and the scopes to come back with.
    pub fn insufficient(&self, scopes: &[String]) -> HttpReply {
        let why = "the token does not have the scopes that this needs";
        let reply = HttpReply::problem(403, "insufficient-scope", why);
        reply.with("www-authenticate", &self.bearer(Some(("insufficient_scope", why)), scopes))
    }

    /// Texts that stand in it have no quotes: they are scopes, and this program's own.
    fn bearer(&self, error: Option<(&str, &str)>, scopes: &[String]) -> String {
        let mut challenge = "Bearer ".to_owned();
        if let Some((code, why)) = error {
            challenge.push_str(&format!("error=\"{code}\", error_description=\"{why}\", "));
        }
        if !scopes.is_empty() {
            challenge.push_str(&format!("scope=\"{}\", ", scopes.join(" ")));
        }
        challenge.push_str(&format!("resource_metadata=\"{}\"", self.address));
        challenge
    }
}
