//! A client on the standard streams: one message a line. The gateway is then one client's own, and its session lasts as
//! long as it does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use placet_pep::http::{Admitted, Head, HttpReply, Peer};
use placet_pep::{Identity, federate, one_line, said_again};
use serde_json::Value;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::sync::{Semaphore, mpsc};

use super::Gateway;
use super::auth::Caller;
use super::exchange::{Answer, Posted};
use super::outbox::{Item, Outbox};
use super::session::Session;
use super::telemetry::Span;
use super::upstream::{SESSION, line};

/// Requests that may be under way at once; then no more are read.
const MOST: usize = 256;
/// How long requests under way may take after the client's end.
const PATIENCE: Duration = Duration::from_secs(10);
/// Lines that wait for the client.
const QUEUE: usize = 64;

/// Serves the client until it closes its end.
///
/// # Errors
/// When the streams fail.
pub async fn serve(
    gateway: Arc<Gateway>,
    identity: Identity,
    stop: impl Future<Output = ()>,
) -> Result<(), std::io::Error> {
    let caller = Arc::new(Caller::of(identity));
    let (to, lines) = mpsc::channel(QUEUE);
    let writer = tokio::spawn(write(lines));
    let client = Arc::new(Client { gateway: gateway.clone(), caller, to, session: Mutex::default() });
    tokio::select! {
        () = read(client) => {}
        () = stop => {}
    }
    for session in gateway.sessions.drain() {
        session.end().await;
    }
    // What was answered is written before the end.
    let _ = tokio::time::timeout(Duration::from_secs(5), writer).await;
    Ok(())
}

struct Client {
    gateway: Arc<Gateway>,
    caller: Arc<Caller>,
    to: mpsc::Sender<String>,
    session: Mutex<Option<Arc<Session>>>,
}

async fn read(client: Arc<Client>) {
    let mut lines = BufReader::new(tokio::io::stdin());
    let longest = u64::try_from(client.gateway.guard.config().request_limit).unwrap_or(u64::MAX);
    let most = Arc::new(Semaphore::new(MOST));
    loop {
        let text = match line(&mut lines, longest).await {
            Ok(Some(text)) => text,
            Ok(None) => break,
            Err(why) => {
                // Where the next message begins, nobody knows.
                client.say(&error(why)).await;
                tracing::error!(why, "the client's messages cannot be read on");
                break;
            }
        };
        let Ok(turn) = most.clone().acquire_owned().await else { break };
        let posted = match client.posted(text.as_bytes()) {
            Ok(posted) => posted,
            Err(reply) => {
                client.say(&message(reply)).await;
                continue;
            }
        };
        let (client, first) = (client.clone(), client.session().is_none());
        let task = tokio::spawn(async move {
            let answer = posted.answer(text.as_bytes()).await;
            client.answer(answer, &text).await;
            drop(turn);
        });
        // Until there is a session, one thing after the other.
        if first {
            let _ = task.await;
        }
    }
    // Requests under way are answered before the end, if that does not take long and the client still reads.
    let answered = most.acquire_many(u32::try_from(MOST).unwrap_or(u32::MAX));
    tokio::select! {
        answered = tokio::time::timeout(PATIENCE, answered) => {
            if answered.is_err() {
                tracing::warn!("requests under way did not finish in time and are cut off");
            }
        }
        () = client.to.closed() => {}
    }
}

impl Client {
    fn session(&self) -> Option<Arc<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The message as if it had been posted.
    fn posted(&self, body: &[u8]) -> Result<Posted, HttpReply> {
        let session = self.session();
        let limit = self.gateway.guard.config().request_limit;
        let mut headers = said_again(body, limit);
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        if let Some(session) = &session {
            headers.push((SESSION.to_owned(), session.id().to_owned()));
        }
        let head = Head { method: "POST", path: super::ENDPOINT, headers: &headers };
        let peer = Peer { identity: Some(&self.caller.identity), ..Peer::default() };
        match self.gateway.guard.admit(&head, &peer) {
            Admitted::Guarded(exchange) => {
                let (gateway, headers) = (self.gateway.clone(), Arc::new(headers));
                let (id, caller, span) = (super::exchange_id(), self.caller.clone(), Span::default());
                let mut posted = Posted { gateway, exchange: *exchange, caller, session, headers, id, span };
                if posted.session.is_none() && posted.exchange.is_stateless() {
                    posted.session = self.opened(&posted);
                }
                Ok(posted)
            }
            Admitted::Refuse(reply) => Err(reply),
            Admitted::Pass => Err(HttpReply::bad("messages are not guarded here")),
        }
    }

    /// Lines to the servers for a client that speaks the version without sessions: they last as long as it does.
    fn opened(&self, posted: &Posted) -> Option<Arc<Session>> {
        let (session, unasked) = posted.open(None)?;
        posted.keep(&session, unasked);
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.clone());
        let (general, to) = (session.general().clone(), self.to.clone());
        tokio::spawn(async move { hand_on(&general, &to).await });
        Some(session)
    }

    async fn answer(self: &Arc<Self>, answer: Answer, to: &str) {
        match answer {
            Answer::Reply(reply) if reply.body.is_empty() => {}
            Answer::Reply(reply) => self.say(&message(reply)).await,
            Answer::Gone => {
                self.session.lock().unwrap_or_else(PoisonError::into_inner).take();
                let request: Value = serde_json::from_str(to).unwrap_or_default();
                if let Some(id) = request.get("id") {
                    let why = "the server has ended; begin again with `initialize`";
                    self.say(&federate::with_id(&error(why), &id.to_string())).await;
                }
            }
            Answer::Events(_, outbox) => hand_on(&outbox, &self.to).await,
            Answer::Begun(reply, session) => {
                let general = session.general().clone();
                *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.clone());
                self.say(&message(reply)).await;
                if let Ok(posted) = self.posted(b"{}") {
                    posted.listen(&session);
                }
                let to = self.to.clone();
                tokio::spawn(async move { hand_on(&general, &to).await });
            }
        }
    }

    async fn say(&self, message: &str) {
        say(&self.to, message).await;
    }
}

async fn hand_on(outbox: &Arc<Outbox>, to: &mpsc::Sender<String>) {
    let mut items = Box::pin(outbox.read(None));
    while let Some(item) = items.next().await {
        if let Item::Message(_, text) = item {
            say(to, &text).await;
        }
    }
}

async fn say(to: &mpsc::Sender<String>, message: &str) {
    // A client that does not read any more is gone.
    let _ = to.send(one_line(message).into_owned()).await;
}

/// A reply as a message: what is none becomes an error without an id.
fn message(reply: HttpReply) -> String {
    let body: Option<Value> = serde_json::from_str(&reply.body).ok();
    match body {
        Some(body) if body.get("jsonrpc").is_some() => reply.body,
        Some(body) => error(body.get("detail").and_then(Value::as_str).unwrap_or("the message is refused")),
        None => error("the message is refused"),
    }
}

fn error(why: &str) -> String {
    serde_json::json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32600, "message": why}}).to_string()
}

async fn write(mut lines: mpsc::Receiver<String>) {
    let mut out = tokio::io::stdout();
    while let Some(line) = lines.recv().await {
        let written = out.write_all(format!("{line}\n").as_bytes()).await;
        if written.is_err() || out.flush().await.is_err() {
            return;
        }
    }
}
