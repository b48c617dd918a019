//! Small exchanges with authorization servers: bounded in size and time, never redirected, never in the clear.

use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Url};

/// Longest answer, in bytes.
const LONGEST: usize = 1 << 20;
const TIME: Duration = Duration::from_secs(5);

/// # Errors
/// When the system's TLS settings cannot be used.
pub fn client() -> Result<Client, String> {
    // A second install only says that there is one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().redirect(Policy::none()).no_proxy().connect_timeout(TIME).timeout(TIME);
    client.build().map_err(|error| format!("no HTTP client: {error}"))
}

/// An address that keys or tokens may come from: HTTPS, or HTTP on this machine.
///
/// # Errors
/// When it is not one.
pub fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("`{text}` is not an address: {error}"))?;
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" => Ok(url),
        "http" if local => Ok(url),
        _ => Err(format!("`{text}` must be an `https://` address: what comes from there is trusted")),
    }
}

/// The body of a successful answer.
///
/// # Errors
/// What went wrong, without the answer's text.
pub async fn fetch(request: RequestBuilder) -> Result<String, String> {
    let response = request.send().await.map_err(|error| crate::gateway::upstream::causes(&error))?;
    let status = response.status();
    if status.as_u16() != 200 {
        return Err(format!("the server answers {status}"));
    }
    let body = Limited::new(reqwest::Body::from(response), LONGEST).collect().await;
    let body = body.map_err(|error| format!("the answer cannot be read: {error}"))?.to_bytes();
    String::from_utf8(body.to_vec()).map_err(|_| "the answer is not UTF-8".to_owned())
}

/// A form, as bodies have it (`application/x-www-form-urlencoded`).
pub fn form(fields: &[(&str, &str)]) -> String {
    // The URL standard's serializer is the form's.
    let mut url = match Url::parse("form:") {
        Ok(url) => url,
        Err(_) => return String::new(),
    };
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().to_owned()
}
