//! The endpoints: what comes in over HTTP, and what is answered.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http_body_util::{BodyExt as _, Limited};
use placet_pep::http::{Admitted, Exchange, Head, HttpReply, Peer, Purpose};
use placet_pep::one_line;

use super::auth::Caller;
use super::exchange::{Answer, Posted};
use super::front::Place;
use super::outbox::{Item, Outbox};
use super::session::Session;
use super::telemetry::Span;
use super::upstream::SESSION;
use super::{Gateway, health};

/// What is read of a body that nobody needs, in bytes, and for how long.
const UNREAD: usize = 64 << 10;
const UNREAD_TIME: Duration = Duration::from_secs(1);

pub fn router(gateway: Arc<Gateway>) -> Router {
    let [alive, ready, health] = health::PATHS;
    let router = Router::new()
        .route(alive, get(async || answer(health::lives())))
        .route(ready, get(is_ready))
        .route(health, get(is_ready));
    let router = match gateway.observed.serves_metrics() {
        true => router.route("/metrics", get(measured)),
        false => router,
    };
    router.fallback(guarded).with_state(gateway)
}

async fn is_ready(State(gateway): State<Arc<Gateway>>) -> Response {
    answer(health::ready(&gateway))
}

async fn measured(State(gateway): State<Arc<Gateway>>) -> Response {
    super::metrics::response(gateway.metrics_text())
}

/// Header names in lower case, values as text.
fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

async fn guarded(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let headers = Arc::new(pairs(&parts.headers));
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let head = Head { method: parts.method.as_str(), path, headers: &headers };
    let Some(caller) = parts.extensions.get::<Arc<Caller>>().cloned() else {
        return answer(HttpReply::problem(401, "unauthenticated", "nobody knows who calls"));
    };
    let peer = Peer { identity: Some(&caller.identity), ..Peer::default() };
    let exchange = match gateway.guard.admit(&head, &peer) {
        Admitted::Guarded(exchange) => *exchange,
        Admitted::Refuse(reply) => {
            gateway.observed.metrics.refused(reply.status);
            return early(reply, body).await;
        }
        // Nothing else is here.
        Admitted::Pass => {
            let reply = HttpReply::problem(404, "not-found", "nothing is here; MCP is at `/mcp`");
            return early(reply, body).await;
        }
    };
    let named = session(&gateway, &exchange, &head);
    let named = named.and_then(|session| Ok((session, head.one("last-event-id").map_err(Box::new)?)));
    let (session, last) = match named {
        Ok((session, last)) => (session, last.map(str::to_owned)),
        Err(reply) => return early(*reply, body).await,
    };
    let body = match Limited::new(body, exchange.limit()).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => return answer(exchange.too_large()),
        Err(_) => return answer(HttpReply::bad("the request broke off")),
    };
    let purpose = exchange.purpose();
    let (id, span) = (super::exchange_id(), Span::default());
    let posted = Posted { gateway, exchange, caller, session, headers, id, span };
    match purpose {
        Purpose::End => ended(posted).await,
        Purpose::Listen => listen(posted, last.as_deref()),
        Purpose::Message | Purpose::Api | Purpose::Decide => {
            // A task of its own: an agent that hangs up does not keep a result from being decided and recorded.
            let (place, gateway) = (parts.extensions.get::<Place>().cloned(), posted.gateway.clone());
            let task = tokio::spawn(async move {
                let made = posted.answer(&body).await;
                drop(place);
                made
            });
            match task.await {
                Ok(made) => response(&gateway, made),
                Err(_) => {
                    let why = "the gateway failed; nothing is known of the call";
                    answer(HttpReply::problem(500, "internal", why))
                }
            }
        }
    }
}

/// An answer to a request whose body nobody needs. It is read, if there is not much of it, so that the connection can go
/// on; otherwise the client learns that it ends.
async fn early(reply: HttpReply, body: Body) -> Response {
    let mut response = answer(reply);
    let rest = tokio::time::timeout(UNREAD_TIME, Limited::new(body, UNREAD).collect()).await;
    if !matches!(rest, Ok(Ok(_))) {
        response.headers_mut().insert("connection", HeaderValue::from_static("close"));
    }
    response
}

fn response(gateway: &Gateway, made: Answer) -> Response {
    match made {
        Answer::Reply(reply) => answer(reply),
        Answer::Gone => answer(unknown_session()),
        Answer::Events(number, outbox) => events(number, outbox, None, gateway),
        Answer::Begun(reply, session) => {
            let mut response = answer(reply);
            if let Ok(id) = HeaderValue::from_str(session.id()) {
                response.headers_mut().insert(HeaderName::from_static(SESSION), id);
            }
            response
        }
    }
}

/// The messages of a stream as events. Their ids say where a client that comes back goes on.
fn events(number: Option<u64>, outbox: Arc<Outbox>, from: Option<u64>, gateway: &Gateway) -> Response {
    let open = gateway.observed.metrics.stream();
    let write = move |item: Item| {
        // Counted until the client has it all, or goes.
        let _open = &open;
        let text = match (item, number) {
            (Item::Alive, _) => ":\n\n".to_owned(),
            (Item::Message(n, text), Some(number)) => {
                format!("id: {number}-{n}\ndata: {}\n\n", one_line(&text))
            }
            (Item::Message(_, text), None) => format!("data: {}\n\n", one_line(&text)),
        };
        Ok::<_, Infallible>(Bytes::from(text))
    };
    let body = Body::from_stream(outbox.read(from).map(write));
    let mut response = with(StatusCode::OK, "text/event-stream", body);
    // Proxies between must not hold events back.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
    response
}

/// The stream that a client opens: what servers say of themselves, or what it has missed of another stream.
fn listen(posted: Posted, last: Option<&str>) -> Response {
    let Some(session) = posted.session.clone() else {
        return answer(HttpReply::bad("a stream belongs to a session: name it in `Mcp-Session-Id`"));
    };
    let place = last.map(|last| {
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok());
        let (number, seen) = last.split_once('-')?;
        let (number, seen) = (digits(number)??, digits(seen)??);
        let (outbox, from) = (session.stream_of(number)?, seen.checked_add(1)?);
        // Never a gap without a word.
        outbox.has(from).then_some((number, outbox, from))
    });
    match place {
        Some(None) => {
            let why = "what comes after this `Last-Event-ID` was never here, or is no longer kept";
            answer(HttpReply::problem(404, "unknown-stream", why))
        }
        Some(Some((number, outbox, from))) => events(Some(number), outbox, Some(from), &posted.gateway),
        None => {
            posted.listen(&session);
            events(Some(0), session.general().clone(), None, &posted.gateway)
        }
    }
}

/// The session that a request names: one of its own principal.
fn session(
    gateway: &Gateway,
    exchange: &Exchange,
    head: &Head<'_>,
) -> Result<Option<Arc<Session>>, Box<HttpReply>> {
    let Some(id) = head.one(SESSION).map_err(Box::new)? else { return Ok(None) };
    match gateway.sessions.get(id, &gateway.owner(exchange.identity())) {
        Some(session) => Ok(Some(session)),
        None => Err(Box::new(unknown_session())),
    }
}

pub(super) fn unknown_session() -> HttpReply {
    let why = "there is no such session; start one with `initialize`";
    let error =
        serde_json::json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32600, "message": why } });
    HttpReply::json(404, error.to_string())
}

async fn ended(posted: Posted) -> Response {
    let Some(session) = posted.session else { return answer(unknown_session()) };
    if let Some(session) = posted.gateway.sessions.close(session.id()) {
        session.end().await;
    }
    answer(HttpReply { status: 200, headers: Vec::new(), body: String::new() })
}

/// A reply as axum has it.
pub fn answer(reply: HttpReply) -> Response {
    let HttpReply { status, headers, body } = reply;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
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
