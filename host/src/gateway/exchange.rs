//! One message of a client, whatever brought it: routed to its server or servers, decided, sent, and answered.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use placet_pep::federate::{self, List, Route};
use placet_pep::http::{Exchange, HttpReply, Incoming, Inspected, Outgoing, Plan, decision_reply};
use placet_pep::{with_handle, without_handle};
use serde_json::Value;
use tokio::sync::mpsc;

use super::Gateway;
use super::auth::Caller;
use super::enforce::now;
use super::outbox::Outbox;
use super::relay::Relay;
use super::session::Session;
use super::telemetry::Span;
use super::upstream::{Body, Link, Received, SESSION};

/// What a client is answered.
pub enum Answer {
    /// As HTTP has it; the body is a JSON-RPC message, a problem document, or nothing.
    Reply(HttpReply),
    /// Messages as they come, and the number of the stream that a client can come back to.
    Events(Option<u64>, Arc<Outbox>),
    /// A session has begun.
    Begun(HttpReply, Arc<Session>),
    /// The session is no more: the client has to begin again.
    Gone,
}

/// A message under way.
#[derive(Clone)]
pub struct Posted {
    pub gateway: Arc<Gateway>,
    pub exchange: Exchange,
    /// Who sent it.
    pub caller: Arc<Caller>,
    pub session: Option<Arc<Session>>,
    /// The agent's headers.
    pub headers: Arc<Vec<(String, String)>>,
    /// For the log and the record.
    pub id: String,
    /// For traces.
    pub span: Span,
}

/// What each server says without being asked.
pub type Unasked = Vec<(usize, mpsc::Receiver<String>)>;

/// Unasked messages of a program that wait for a reader.
const QUEUE: usize = 256;

impl Posted {
    /// Decides the message and answers it, in the session that its state handle names, or else in its own.
    pub async fn answer(mut self, body: &[u8]) -> Answer {
        self.span = self.gateway.observed.telemetry.exchange(&self.headers, body);
        self.span.set("placet.exchange", self.id.clone());
        if let Some(session) = &self.session {
            self.span.set("mcp.session.id", session.id().to_owned());
        }
        let carried = match self.exchange.handle(body) {
            None => None,
            Some(handle) => {
                let owner = self.gateway.owner(self.exchange.identity());
                let handles = &self.gateway.handles;
                let Some(state) = handle.and_then(|handle| handles.take(&owner, &handle)) else {
                    let why = "the state handle in `_meta` is not one of yours, or has ended: leave it out";
                    return Answer::Reply(HttpReply::problem(403, "bad-handle", why));
                };
                Some((state, without_handle(&String::from_utf8_lossy(body))))
            }
        };
        let state = match (&carried, &self.session) {
            (Some((state, _)), _) => Some(state.clone()),
            (None, Some(session)) => Some(session.state().to_owned()),
            (None, None) => None,
        };
        if let Some(state) = &state {
            self.exchange = self.exchange.with_session(state);
        }
        match carried {
            Some((state, body)) => self.routed(body.as_bytes(), Some(state)).await,
            None => self.routed(body, None).await,
        }
    }

    async fn routed(self, body: &[u8], state: Option<String>) -> Answer {
        if self.session.as_ref().is_some_and(|session| session.is_broken()) {
            return self.gone();
        }
        if let Some(id) = federate::answers(body, self.exchange.limit()) {
            return self.answered(body, &id).await;
        }
        if is_initialize(body) && !self.exchange.is_stateless() {
            return self.begin(body, state).await;
        }
        let names = self.gateway.visible_names();
        if names.is_empty() {
            return self.one(0, body).await;
        }
        if let Err(reply) = self.exchange.compare(body) {
            return Answer::Reply(reply);
        }
        match federate::route(body, self.exchange.limit(), &names) {
            Route::One { server, body } => self.one(server, body.as_bytes()).await,
            Route::Servers => {
                let answers = self.each((0..names.len()).map(|server| (server, body.to_vec()))).await;
                Answer::Reply(merged(body, &names, answers))
            }
            Route::Lists { id, list, pages } => self.lists(&id, list, pages, &names).await,
            Route::Every { answer } => {
                let made = self.each((0..names.len()).map(|server| (server, body.to_vec()))).await;
                let refused = |of: &HttpReply| (400..500).contains(&of.status);
                Answer::Reply(match (answer, made.into_iter().filter_map(Result::err).find(refused)) {
                    (Some(answer), _) => HttpReply::json(200, answer),
                    (None, Some(refused)) => refused,
                    (None, None) => HttpReply { status: 202, headers: Vec::new(), body: String::new() },
                })
            }
            Route::Answered(answer) => Answer::Reply(HttpReply::json(200, answer)),
            Route::Refused(reply) => Answer::Reply(reply.into()),
            Route::Answer { .. } | Route::Unreadable => self.one(0, body).await,
        }
    }

    /// The client's answer to what a server has asked: to that server, once.
    async fn answered(self, body: &[u8], id: &str) -> Answer {
        let asked = self.session.as_ref().and_then(|session| session.answered(id));
        let Some((server, own)) = asked else {
            tracing::warn!(exchange = self.id, "the client answered what no server has asked");
            return Answer::Reply(HttpReply::bad("no server has asked what this answers"));
        };
        let body = federate::with_id(&String::from_utf8_lossy(body), &own);
        self.one(server, body.as_bytes()).await
    }

    /// A message to one server.
    async fn one(self, server: usize, body: &[u8]) -> Answer {
        match self.inspect(server, body).await {
            Ok(outgoing) => self.forward(server, outgoing).await,
            Err(reply) => Answer::Reply(reply),
        }
    }

    /// What goes on to a server.
    async fn inspect(&self, server: usize, body: &[u8]) -> Result<Outgoing, HttpReply> {
        let exchange = match self.gateway.servers.get(server).and_then(|of| of.name()) {
            Some(name) => self.exchange.with_server(name),
            None => self.exchange.clone(),
        };
        match exchange.inspect(body, &now()) {
            Inspected::Refuse(reply) => {
                tracing::warn!(exchange = self.id, status = reply.status, body = reply.body, "refused");
                self.gateway.observed.metrics.refused(reply.status);
                self.span.failed("refused");
                Err(reply)
            }
            Inspected::Decide(proposal) => {
                self.caller.suffices(proposal.tool())?;
                self.know(server, &proposal, body).await?;
                self.gateway.decide_call(*proposal, &self.id, self.span.inside("decide")).await
            }
            Inspected::Forward(outgoing) => Ok(*outgoing),
            Inspected::Answer(call) => {
                Err(decision_reply(&self.gateway.decide_for_others(call, &self.id).await))
            }
        }
    }

    /// The session's line to a server; without a session, one of its own.
    fn link(&self, server: usize) -> Result<Arc<Link>, &'static str> {
        match &self.session {
            Some(session) => session.link(server).cloned().ok_or("this server did not answer `initialize`"),
            None => match self.gateway.servers.get(server) {
                Some(of) if of.is_http() => of
                    .link(&self.caller, mpsc::channel(1).0)
                    .map(Arc::new)
                    .map_err(|_| "the server cannot be reached"),
                _ => Err("this server needs a session: begin with `initialize`"),
            },
        }
    }

    async fn send(&self, server: usize, outgoing: Outgoing) -> Result<(Relay, Received), (Incoming, String)> {
        let Outgoing { permit, incoming, set_headers, .. } = outgoing;
        let Some(permit) = permit else { return Err((incoming, "a message needs a body".to_owned())) };
        let link = match self.link(server) {
            Ok(link) => link,
            Err(why) => return Err((incoming, why.to_owned())),
        };
        let mut headers = (*self.headers).clone();
        headers.retain(|(name, _)| !set_headers.iter().any(|(set, _)| set == name));
        headers.extend(set_headers);
        let (label, began, metrics) =
            (self.gateway.label(server), Instant::now(), &self.gateway.observed.metrics);
        let span = self.span.towards(label);
        let permit = match span.traceparent() {
            Some(parent) => {
                headers.retain(|(name, _)| name != "traceparent");
                headers.push(("traceparent".to_owned(), parent.clone()));
                permit.traced(&parent, !link.is_http())
            }
            None => permit,
        };
        match link.send(permit, &headers, Some(&self.caller)).await {
            Ok(received) => {
                metrics.answered(label, began);
                span.set("http.response.status_code", i64::from(received.status));
                let (gateway, session, exchange) =
                    (self.gateway.clone(), self.session.clone(), self.id.clone());
                Ok((Relay { gateway, server, link, session, incoming, exchange, span }, received))
            }
            Err(error) => {
                tracing::error!(exchange = self.id, %error, "the server does not answer");
                metrics.failed(label);
                span.failed("no-answer");
                Err((incoming, error.why()))
            }
        }
    }

    async fn forward(self, server: usize, outgoing: Outgoing) -> Answer {
        let (mut relay, received) = match self.send(server, outgoing).await {
            Ok(sent) => sent,
            Err((incoming, why)) => return self.failed(&incoming, &why),
        };
        let Received { status, headers, body } = received;
        if status == 404 && self.session.is_some() {
            return self.gone();
        }
        match relay.incoming.head(status, &headers) {
            Plan::Replace(mut reply) => {
                if !(200..300).contains(&status) || relay.incoming.running().is_some() {
                    tracing::error!(exchange = self.id, status, "the server gives no answer to this request");
                    relay.record_unknown();
                }
                // The server's ids of sessions are not the gateway's.
                reply.headers.retain(|(name, _)| name != SESSION);
                Answer::Reply(reply)
            }
            Plan::Events => {
                let (number, to) = match &self.session {
                    Some(session) => {
                        let (number, to) = session.stream();
                        (Some(number), to)
                    }
                    None => (None, Arc::new(Outbox::default())),
                };
                tokio::spawn(relay.stream(body, to.clone()));
                Answer::Events(number, to)
            }
            Plan::Whole { limit } => match relay.one(body, limit).await {
                // What is wrong with a message stands in the message.
                Ok(body) => Answer::Reply(HttpReply::json(200, body)),
                Err(error) => {
                    tracing::error!(exchange = self.id, status, %error, "no answer from the server");
                    self.failed(&relay.incoming, "the server's answer cannot be used")
                }
            },
            Plan::Pass => self.failed(&relay.incoming, "the server's answer cannot be read"),
        }
    }

    pub(super) fn gone(&self) -> Answer {
        if let Some(session) = &self.session
            && let Some(session) = self.gateway.sessions.close(session.id())
        {
            tokio::spawn(async move { session.end().await });
        }
        Answer::Gone
    }

    fn failed(&self, incoming: &Incoming, why: &str) -> Answer {
        if let Some(running) = incoming.running() {
            self.gateway.record_unknown(running.tool(), &self.id);
        }
        Answer::Reply(incoming.failed(why))
    }

    /// One answer from each of several servers, or what stands for it.
    async fn each(&self, messages: impl Iterator<Item = (usize, Vec<u8>)>) -> Vec<Result<String, HttpReply>> {
        join_all(messages.map(|(server, body)| self.collect(server, body))).await
    }

    pub(super) async fn collect(&self, server: usize, body: Vec<u8>) -> Result<String, HttpReply> {
        let outgoing = self.inspect(server, &body).await?;
        let sent = self.send(server, outgoing).await;
        let (mut relay, received) = sent.map_err(|(incoming, why)| incoming.failed(&why))?;
        let Received { status, headers, body } = received;
        let session = headers.iter().find(|(name, _)| name == SESSION).map(|(_, id)| id.clone());
        let answer = match relay.incoming.head(status, &headers) {
            Plan::Replace(mut reply) => {
                reply.headers.retain(|(name, _)| name != SESSION);
                return Err(reply);
            }
            Plan::Events => relay.answer(body).await,
            Plan::Whole { limit } => relay.one(body, limit).await,
            Plan::Pass => return Err(relay.incoming.failed("the server's answer cannot be read")),
        };
        match answer {
            Ok(answer) => {
                if relay.incoming.opens_session() {
                    relay.link.begun(session, version(&answer));
                }
                Ok(answer)
            }
            Err(error) => {
                tracing::error!(exchange = self.id, server, %error, "no answer from the server");
                Err(relay.incoming.failed("the server's answer cannot be used"))
            }
        }
    }

    async fn lists(&self, id: &str, list: List, pages: Vec<(usize, String)>, names: &[&str]) -> Answer {
        let asked: Vec<&str> = pages.iter().filter_map(|(server, _)| names.get(*server).copied()).collect();
        let answers = self.each(pages.into_iter().map(|(server, body)| (server, body.into_bytes()))).await;
        let answers = answers.into_iter().map(|of| Some(of.unwrap_or_else(|reply| reply.body)));
        let answers: Vec<(&str, Option<String>)> = asked.into_iter().zip(answers).collect();
        let (body, failed) = federate::merge_lists(id, list, &answers);
        if !failed.is_empty() {
            tracing::error!(exchange = self.id, servers = failed.join(","), "servers are left out of a list");
        }
        Answer::Reply(HttpReply::json(200, body))
    }

    /// `initialize`: a line to each server, and a session over them.
    async fn begin(mut self, body: &[u8], state: Option<String>) -> Answer {
        let Some((session, unasked)) = self.open(state) else {
            return Answer::Reply(HttpReply::problem(503, "no-session", "no session can be opened"));
        };
        self.session = Some(session.clone());
        let names = self.gateway.visible_names();
        let count = self.gateway.servers.len();
        let answers = self.each((0..count).map(|server| (server, body.to_vec()))).await;
        let reply = match names.is_empty() {
            false => merged(body, &names, answers),
            true => match answers.into_iter().next() {
                Some(Ok(answer)) => HttpReply::json(200, answer),
                Some(Err(reply)) => reply,
                None => HttpReply::problem(502, "bad-answer", "there is no server"),
            },
        };
        if !has_result(&reply.body) {
            tokio::spawn(async move { session.end().await });
            return Answer::Reply(reply);
        }
        self.keep(&session, unasked);
        let owner = self.gateway.owner(self.exchange.identity());
        let reply = match self.gateway.handles.give(&owner, session.state()) {
            Some(handle) => HttpReply { body: with_handle(&reply.body, &handle), ..reply },
            None => reply,
        };
        Answer::Begun(reply, session)
    }

    /// Makes a session known, and hands on what its programs say.
    pub fn keep(&self, session: &Arc<Session>, unasked: Unasked) {
        for (place, from) in unasked {
            self.hear(place, from, session);
        }
        for gone in self.gateway.sessions.add(session.clone()) {
            tokio::spawn(async move { gone.end().await });
        }
    }

    /// A line to each server, and a session over them that goes on where `state` was.
    pub fn open(&self, state: Option<String>) -> Option<(Arc<Session>, Unasked)> {
        let (mut links, mut unasked) = (Vec::new(), Vec::new());
        for (place, server) in self.gateway.servers.iter().enumerate() {
            let (to, from) = mpsc::channel(QUEUE);
            match server.link(&self.caller, to) {
                Ok(link) => links.push(Some(Arc::new(link))),
                Err(error) => {
                    tracing::error!(exchange = self.id, %error, "a server cannot be reached");
                    links.push(None);
                }
            }
            unasked.push((place, from));
        }
        let owner = self.gateway.owner(self.exchange.identity());
        let session = Session::new(owner, links, state).map(Arc::new)?;
        Some((session, unasked))
    }

    /// Hands on what a program says without being asked.
    fn hear(&self, server: usize, from: mpsc::Receiver<String>, session: &Arc<Session>) {
        let Some(link) = session.link(server).cloned() else { return };
        if matches!(*link, Link::Stdio(_)) {
            self.relay_unasked(server, &link, Body::Lines(from), session);
        }
    }

    /// Has what HTTP servers say of themselves handed on, once somebody listens.
    pub fn listen(&self, session: &Arc<Session>) {
        if !session.listens_first() {
            return;
        }
        for server in 0..self.gateway.servers.len() {
            let Some(link) = session.link(server).cloned() else { continue };
            let (posted, session) = (self.clone(), session.clone());
            tokio::spawn(async move {
                if let Some(body) = link.listen().await {
                    posted.relay_unasked(server, &link, body, &session);
                }
            });
        }
    }

    fn relay_unasked(&self, server: usize, link: &Arc<Link>, body: Body, session: &Arc<Session>) {
        let exchange = match self.gateway.servers.get(server).and_then(|of| of.name()) {
            Some(name) => self.exchange.with_server(name),
            None => self.exchange.clone(),
        };
        let incoming = exchange.unasked(session.id());
        let messages = link.messages(body, incoming.events());
        let (gateway, link, exchange) = (self.gateway.clone(), link.clone(), self.id.clone());
        let to = session.general().clone();
        let session = Some(session.clone());
        let relay = Relay { gateway, server, link, session, incoming, exchange, span: Span::default() };
        tokio::spawn(relay.unasked(messages, to));
    }
}

/// The answers of all servers to `initialize` or `server/discover`, as one.
fn merged(body: &[u8], names: &[&str], answers: Vec<Result<String, HttpReply>>) -> HttpReply {
    let id = serde_json::from_slice::<Value>(body).ok().and_then(|body| body.get("id").cloned());
    let id = id.unwrap_or_default().to_string();
    let answers = answers.into_iter().map(|of| of.unwrap_or_else(|reply| reply.body));
    let answers: Vec<(&str, String)> = names.iter().copied().zip(answers).collect();
    match federate::merge_servers(&id, &answers) {
        Ok(body) => HttpReply::json(200, body),
        Err(body) => HttpReply::json(200, body),
    }
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Head {
    method: Option<String>,
    result: Option<Value>,
}

fn is_initialize(body: &[u8]) -> bool {
    serde_json::from_slice::<Head>(body).is_ok_and(|head| head.method.as_deref() == Some("initialize"))
}

fn has_result(body: &str) -> bool {
    serde_json::from_str::<Head>(body).is_ok_and(|head| head.result.is_some())
}

/// The version that an answer to `initialize` agrees on.
fn version(answer: &str) -> Option<String> {
    let head: Head = serde_json::from_str(answer).ok()?;
    Some(head.result?.get("protocolVersion")?.as_str()?.to_owned())
}
