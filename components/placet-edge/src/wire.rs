//! HTTP in the types of wasi:http and in those of `placet-pep`.

use futures_util::StreamExt as _;
use placet_pep::http::HttpReply;
use spin_sdk::http::body::IncomingBodyExt as _;
use spin_sdk::http::{
    BoxBody, FullBody, HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, box_body,
};
use spin_sdk::wasip3::http::types;
use spin_sdk::wasip3::http_compat::{IncomingBody, IncomingMessage};
use spin_sdk::wasip3::wit_future;

/// Headers of one connection, not of the message.
const HOP_BY_HOP: [&str; 11] = [
    "connection",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Headers that say something of a body that is written anew.
const OF_BODY: [&str; 6] =
    ["accept-ranges", "content-digest", "content-length", "content-md5", "digest", "etag"];

/// Why a body cannot be used.
pub enum Unreadable {
    TooLong,
    Broken,
}

/// A whole body of at most so many bytes.
pub async fn read<T: IncomingMessage>(body: IncomingBody<T>, limit: usize) -> Result<Vec<u8>, Unreadable> {
    let mut stream = body.stream();
    let mut whole = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Unreadable::Broken)?;
        if chunk.len() > limit.saturating_sub(whole.len()) {
            return Err(Unreadable::TooLong);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole)
}

/// An answer of this component.
pub fn reply(reply: HttpReply) -> Response<BoxBody> {
    let mut headers = HeaderMap::new();
    rewrite(&mut headers, &[], &reply.headers);
    whole(reply.status, headers, reply.body)
}

/// An answer whose body is known.
pub fn whole(status: u16, mut headers: HeaderMap, body: String) -> Response<BoxBody> {
    headers.insert("content-length", body.len().into());
    respond(status, headers, box_body(FullBody::new(body.into())))
}

/// An answer; its headers are of this connection from now on.
pub fn respond(status: u16, headers: HeaderMap, body: BoxBody) -> Response<BoxBody> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = headers;
    response
}

/// Names in lower case, and values, of which what is no UTF-8 is replaced.
pub fn names_and_values(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

pub fn path_and_query(uri: &Uri) -> String {
    uri.path_and_query().map_or("/", |path| path.as_str()).to_owned()
}

/// Takes away what is of the connection.
pub fn strip(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// The headers of a message whose body is written anew.
pub fn rewrite(headers: &mut HeaderMap, remove: &[String], with: &[(String, String)]) {
    for name in OF_BODY.into_iter().chain(remove.iter().map(String::as_str)) {
        headers.remove(name);
    }
    for (name, value) in with {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        {
            headers.insert(name, value);
        }
    }
}

/// How long a body is said to be.
pub fn length(headers: &HeaderMap) -> Option<usize> {
    headers.get("content-length")?.to_str().ok()?.parse().ok()
}

/// Whether a request has a body to send on. Whether one comes in chunks is not said here, and with these methods none
/// is meant.
pub fn has_body(request: &Request<()>) -> bool {
    let without = ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE"].contains(&request.method().as_str());
    length(request.headers()).map_or(!without, |length| length > 0)
}

/// A request without a body, not even an empty one in chunks.
pub fn bodiless(request: Request<()>) -> Result<types::Request, String> {
    let (parts, ()) = request.into_parts();
    let fault = |what: &str| format!("the {what} cannot be sent");
    let headers = parts.headers.try_into().map_err(|_| fault("headers"))?;
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (request, _) = types::Request::new(headers, None, trailers, None);
    request.set_method(&parts.method.into()).map_err(|()| fault("method"))?;
    request.set_scheme(parts.uri.scheme().map(Into::into).as_ref()).map_err(|()| fault("scheme"))?;
    request.set_authority(parts.uri.authority().map(|of| of.as_str())).map_err(|()| fault("host"))?;
    request.set_path_with_query(Some(&path_and_query(&parts.uri))).map_err(|()| fault("path"))?;
    Ok(request)
}
