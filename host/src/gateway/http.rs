//! The MCP endpoint.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use http_body_util::{BodyExt as _, Limited};
use placet_pep::{Decided, Forwarded, Mirror, Permit, Reply, SESSION_VERSIONS, Scene, Step, open};

use super::Gateway;
use super::enforce::now;
use super::stream;
use super::upstream::{SESSION, VERSION, causes};

pub fn router(gateway: Arc<Gateway>) -> Router {
    let mcp = post(posted).delete(ended).fallback(not_allowed);
    Router::new().route("/mcp", mcp).route("/healthz", get(health)).with_state(gateway)
}

/// No stream without a request: what the server says unasked, or says again, would pass undecided.
async fn not_allowed() -> Response {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "this endpoint takes POST and DELETE");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, DELETE"));
    response
}

async fn health(State(gateway): State<Arc<Gateway>>) -> Response {
    let policy = gateway.service.policy().get();
    let refusal = policy.refusal();
    let status = if refusal.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({ "policy": policy.describe().digest, "denies_everything": refusal });
    reply(status, body.to_string())
}

async fn ended(State(gateway): State<Arc<Gateway>>, headers: HeaderMap) -> Response {
    if let Err(response) = admitted(&gateway, &headers) {
        return *response;
    }
    let Some((id, upstream)) = session(&gateway, &headers).ok().flatten() else { return unknown_session() };
    gateway.sessions.close(&id);
    if let Some(upstream) = upstream
        && let Err(error) = gateway.upstream.end(&upstream).await
    {
        tracing::warn!(error = causes(&error), "the server's session could not be ended");
    }
    text(StatusCode::OK, "")
}

async fn posted(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(response) = admitted(&gateway, &parts.headers).and_then(|()| is_json(&parts.headers)) {
        return *response;
    }
    let body = match Limited::new(body, gateway.settings.max_request).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return text(StatusCode::PAYLOAD_TOO_LARGE, "the message is too long, or broke off"),
    };
    let session = match session(&gateway, &parts.headers) {
        Ok(session) => session,
        Err(response) => return *response,
    };
    let version = parts.headers.get(VERSION).cloned();
    // A task of its own: an agent that hangs up does not keep a result from being decided and recorded.
    let exchange = tokio::spawn(async move { exchange(gateway, &body, session, version).await });
    exchange.await.unwrap_or_else(|_| {
        text(StatusCode::INTERNAL_SERVER_ERROR, "the gateway failed; nothing is known of the call")
    })
}

type Session = Option<(String, Option<String>)>;

async fn exchange(
    gateway: Arc<Gateway>,
    body: &[u8],
    session: Session,
    version: Option<HeaderValue>,
) -> Response {
    let settings = &gateway.settings;
    let named = session.as_ref().map(|(id, _)| id.as_str());
    let id = settings.identity.session.as_deref().or(named);
    let exchange = exchange_id();
    let scene = Scene {
        identity: &settings.identity,
        session: id,
        traced: false,
        now: &now(),
        max_bytes: settings.max_request,
        server: None,
        mirror: &Mirror { version: version.as_ref().and_then(said), ..Mirror::default() },
    };
    let (permit, forwarded) = match open(body, &scene) {
        Step::Reply(Reply { status, body }) => {
            tracing::warn!(exchange, status, body, "refused");
            return reply(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), body);
        }
        Step::Decide(pending) => match gateway.decide_call(*pending, &exchange).await {
            Decided::Refuse(refusal) => return reply(StatusCode::OK, refusal.body),
            Decided::Forward(permit, forwarded) => (permit, forwarded),
        },
        Step::Forward(permit, forwarded) => (permit, forwarded),
    };
    forward(gateway.clone(), permit, forwarded, session, version, exchange).await
}

async fn forward(
    gateway: Arc<Gateway>,
    permit: Permit,
    forwarded: Forwarded,
    session: Session,
    version: Option<HeaderValue>,
    exchange: String,
) -> Response {
    let upstream = session.as_ref().and_then(|(_, upstream)| upstream.as_deref());
    let response = match gateway.upstream.send(permit, upstream, version.as_ref()).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(exchange, error = causes(&error), "the server does not answer");
            return failed(&gateway, &forwarded, &exchange, "the server does not answer");
        }
    };
    let status = response.status();
    if status == StatusCode::NOT_FOUND && session.is_some() {
        if let Some((id, _)) = &session {
            gateway.sessions.close(id);
        }
        return unknown_session();
    }
    if matches!(forwarded, Forwarded::Nothing) && status.is_success() {
        return text(StatusCode::ACCEPTED, "");
    }
    let kind =
        response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("").to_owned();
    let opened = response.headers().get(SESSION).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let opens = matches!(forwarded, Forwarded::Initialize { .. }) && status.is_success();
    let mut answer = if kind.starts_with("text/event-stream") && status.is_success() {
        let events = stream::events(gateway.clone(), forwarded, response, exchange);
        let mut answer = Response::new(Body::from_stream(events));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        answer
    } else if kind.starts_with("application/json") && !matches!(forwarded, Forwarded::Nothing) {
        match stream::one(&gateway, &forwarded, response, &exchange).await {
            Ok(body) => reply(StatusCode::OK, body),
            Err(error) => {
                tracing::error!(exchange, %status, %error, "no answer from the server");
                return failed(&gateway, &forwarded, &exchange, "the server's answer cannot be used");
            }
        }
    } else {
        tracing::error!(exchange, %status, kind, "the server refused");
        return failed(&gateway, &forwarded, &exchange, "the server refused the request");
    };
    if opens {
        let id = gateway.sessions.open(opened).and_then(|id| HeaderValue::from_str(&id).ok());
        let Some(id) = id else { return text(StatusCode::SERVICE_UNAVAILABLE, "no session can be opened") };
        answer.headers_mut().insert(SESSION, id);
    }
    answer
}

fn said(version: &HeaderValue) -> Option<String> {
    version.to_str().ok().map(str::to_owned)
}

/// No answer of the server that could be used.
fn failed(gateway: &Gateway, forwarded: &Forwarded, exchange: &str, why: &str) -> Response {
    if let Forwarded::Call(running) = forwarded {
        gateway.record_unknown(running.tool(), exchange);
    }
    match forwarded.failed(why) {
        Some(body) => reply(StatusCode::BAD_GATEWAY, body),
        None => text(StatusCode::BAD_GATEWAY, why),
    }
}

/// Requests of web pages elsewhere, and of protocol versions that are not spoken, go no further.
fn admitted(gateway: &Gateway, headers: &HeaderMap) -> Result<(), Box<Response>> {
    if let Some(origin) = headers.get(ORIGIN) {
        let origin = origin.to_str().unwrap_or("");
        let local = ["http://localhost", "http://127.0.0.1", "http://[::1]"].iter().any(|local| {
            origin.strip_prefix(local).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        });
        if !local && !gateway.settings.origins.iter().any(|known| known == origin) {
            let why = "requests of this web origin are not accepted";
            return Err(Box::new(text(StatusCode::FORBIDDEN, why)));
        }
    }
    if let Some(version) = headers.get(VERSION)
        && !version.to_str().is_ok_and(|version| SESSION_VERSIONS.contains(&version))
    {
        let why = format!("this gateway speaks protocol versions {}", SESSION_VERSIONS.join(", "));
        return Err(Box::new(json_error(StatusCode::BAD_REQUEST, &why)));
    }
    Ok(())
}

fn is_json(headers: &HeaderMap) -> Result<(), Box<Response>> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let media = kind.split(';').next().unwrap_or("").trim();
    if !media.eq_ignore_ascii_case("application/json") || headers.contains_key(CONTENT_ENCODING) {
        let why = "messages are `application/json`, without content encoding";
        return Err(Box::new(text(StatusCode::UNSUPPORTED_MEDIA_TYPE, why)));
    }
    Ok(())
}

/// The session that a request names, and the server's id for it.
fn session(gateway: &Gateway, headers: &HeaderMap) -> Result<Session, Box<Response>> {
    let mut named = headers.get_all(SESSION).iter();
    let Some(id) = named.next() else { return Ok(None) };
    let id = id.to_str().ok().filter(|_| named.next().is_none());
    match id.and_then(|id| Some((id.to_owned(), gateway.sessions.upstream(id)?))) {
        Some(session) => Ok(Some(session)),
        None => Err(Box::new(unknown_session())),
    }
}

fn unknown_session() -> Response {
    json_error(StatusCode::NOT_FOUND, "there is no such session; start one with `initialize`")
}

fn json_error(status: StatusCode, why: &str) -> Response {
    let error =
        serde_json::json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32600, "message": why } });
    reply(status, error.to_string())
}

fn reply(status: StatusCode, body: String) -> Response {
    with(status, "application/json", Body::from(body))
}

fn text(status: StatusCode, body: &str) -> Response {
    with(status, "text/plain; charset=utf-8", Body::from(body.to_owned()))
}

fn with(status: StatusCode, kind: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Joins the records of one exchange.
fn exchange_id() -> String {
    let mut bytes = [0; 8];
    // Without randomness the records can still be told apart by their time.
    let _ = getrandom::fill(&mut bytes);
    placet_bundle::hex(&bytes)
}
