//! The endpoints: what comes in over HTTP, and what is answered.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use axum::routing::get;
use http_body_util::{BodyExt as _, Limited};
use placet_pep::http::{
    Admitted, Exchange, Head, HttpReply, Incoming, Inspected, Outgoing, Peer, Plan, decision_reply,
};

use super::Gateway;
use super::enforce::now;
use super::stream;
use super::upstream::{SESSION, causes};

pub fn router(gateway: Arc<Gateway>) -> Router {
    Router::new().route("/healthz", get(health)).fallback(guarded).with_state(gateway)
}

async fn health(State(gateway): State<Arc<Gateway>>) -> Response {
    let policy = gateway.service.policy().get();
    let refusal = policy.refusal();
    let status = if refusal.is_none() { 200 } else { 503 };
    let body = serde_json::json!({ "policy": policy.describe().digest, "denies_everything": refusal });
    answer(HttpReply::json(status, body.to_string()))
}

/// Header names in lower case, values as text.
pub fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

async fn guarded(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let headers = pairs(&parts.headers);
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let head = Head { method: parts.method.as_str(), path, headers: &headers };
    let exchange = match gateway.guard.admit(&head, &Peer::default()) {
        Admitted::Guarded(exchange) => exchange,
        Admitted::Refuse(reply) => return answer(reply),
        // Nothing else is here.
        Admitted::Pass => {
            return answer(HttpReply::problem(404, "not-found", "nothing is here; MCP is at `/mcp`"));
        }
    };
    let session = match session(&gateway, &parts.headers) {
        Ok(session) => session,
        Err(reply) => return answer(*reply),
    };
    let body = match Limited::new(body, exchange.limit()).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => return answer(exchange.too_large()),
        Err(_) => return answer(HttpReply::bad("the request broke off")),
    };
    if parts.method == Method::DELETE {
        return ended(&gateway, session).await;
    }
    // A task of its own: an agent that hangs up does not keep a result from being decided and recorded.
    let task = tokio::spawn(async move { run(gateway, *exchange, &body, session, parts).await });
    task.await.unwrap_or_else(|_| {
        answer(HttpReply::problem(500, "internal", "the gateway failed; nothing is known of the call"))
    })
}

/// The gateway's id of a session, and the server's.
type Session = Option<(String, Option<String>)>;

async fn run(
    gateway: Arc<Gateway>,
    exchange: Exchange,
    body: &[u8],
    session: Session,
    parts: Parts,
) -> Response {
    let id = exchange_id();
    let outgoing = match exchange.inspect(body, &now()) {
        Inspected::Refuse(reply) => {
            tracing::warn!(exchange = id, status = reply.status, body = reply.body, "refused");
            return answer(reply);
        }
        Inspected::Decide(proposal) => match gateway.decide_call(*proposal, &id).await {
            Ok(outgoing) => outgoing,
            Err(reply) => return answer(reply),
        },
        Inspected::Forward(outgoing) => *outgoing,
        Inspected::Answer(call) => {
            return answer(decision_reply(&gateway.decide_for_others(call, &id).await));
        }
    };
    forward(gateway, outgoing, session, &parts.headers, id).await
}

async fn forward(
    gateway: Arc<Gateway>,
    outgoing: Outgoing,
    session: Session,
    headers: &HeaderMap,
    exchange: String,
) -> Response {
    let Outgoing { permit, mut incoming, .. } = outgoing;
    let Some(permit) = permit else { return answer(HttpReply::bad("a message needs a body")) };
    let upstream = session.as_ref().and_then(|(_, upstream)| upstream.as_deref());
    let response = match gateway.upstream.send(permit, upstream, headers).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(exchange, error = causes(&error), "the server does not answer");
            return failed(&gateway, &incoming, &exchange, "the server does not answer");
        }
    };
    let status = response.status();
    if status == StatusCode::NOT_FOUND
        && let Some((id, _)) = &session
    {
        gateway.sessions.close(id);
        return answer(unknown_session());
    }
    let opened = response.headers().get(SESSION).and_then(|id| id.to_str().ok()).map(str::to_owned);
    let opens = incoming.opens_session() && status.is_success();
    let mut answer = match incoming.head(status.as_u16(), &pairs(response.headers())) {
        Plan::Replace(reply) => {
            if !status.is_success() || incoming.running().is_some() {
                tracing::error!(exchange, %status, "the server gives no answer to this request");
                record_unknown(&gateway, &incoming, &exchange);
            }
            self::answer(without_session(reply))
        }
        Plan::Events => {
            let events = stream::events(gateway.clone(), incoming, response, exchange);
            with(StatusCode::OK, "text/event-stream", Body::from_stream(events))
        }
        Plan::Whole { limit } => match stream::one(&gateway, &incoming, response, limit, &exchange).await {
            // What is wrong with a message stands in the message.
            Ok(body) => with(StatusCode::OK, "application/json", Body::from(body)),
            Err(error) => {
                tracing::error!(exchange, %status, %error, "no answer from the server");
                return failed(&gateway, &incoming, &exchange, "the server's answer cannot be used");
            }
        },
        Plan::Pass => return failed(&gateway, &incoming, &exchange, "the server's answer cannot be read"),
    };
    if opens {
        let id = gateway.sessions.open(opened).and_then(|id| HeaderValue::from_str(&id).ok());
        let Some(id) = id else {
            return self::answer(HttpReply::problem(503, "no-session", "no session can be opened"));
        };
        answer.headers_mut().insert(SESSION, id);
    }
    answer
}

/// The server's ids of sessions are not the gateway's.
fn without_session(mut reply: HttpReply) -> HttpReply {
    reply.headers.retain(|(name, _)| name != SESSION.as_str());
    reply
}

/// No answer of the server that could be used.
fn failed(gateway: &Gateway, incoming: &Incoming, exchange: &str, why: &str) -> Response {
    record_unknown(gateway, incoming, exchange);
    answer(incoming.failed(why))
}

fn record_unknown(gateway: &Gateway, incoming: &Incoming, exchange: &str) {
    if let Some(running) = incoming.running() {
        gateway.record_unknown(running.tool(), exchange);
    }
}

/// The session that a request names, and the server's id for it.
fn session(gateway: &Gateway, headers: &HeaderMap) -> Result<Session, Box<HttpReply>> {
    let mut named = headers.get_all(SESSION).iter();
    let Some(id) = named.next() else { return Ok(None) };
    let id = id.to_str().ok().filter(|_| named.next().is_none());
    match id.and_then(|id| Some((id.to_owned(), gateway.sessions.upstream(id)?))) {
        Some(session) => Ok(Some(session)),
        None => Err(Box::new(unknown_session())),
    }
}

fn unknown_session() -> HttpReply {
    let why = "there is no such session; start one with `initialize`";
    let error =
        serde_json::json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32600, "message": why } });
    HttpReply::json(404, error.to_string())
}

async fn ended(gateway: &Gateway, session: Session) -> Response {
    let Some((id, upstream)) = session else { return answer(unknown_session()) };
    gateway.sessions.close(&id);
    if let Some(upstream) = upstream
        && let Err(error) = gateway.upstream.end(&upstream).await
    {
        tracing::warn!(error = causes(&error), "the server's session could not be ended");
    }
    answer(HttpReply { status: 200, headers: Vec::new(), body: String::new() })
}

fn answer(reply: HttpReply) -> Response {
    let HttpReply { status, headers, body } = reply;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (axum::http::HeaderName::try_from(name), HeaderValue::try_from(value))
        {
            response.headers_mut().insert(name, value);
        }
    }
    response
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
