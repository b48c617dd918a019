//! The first look at a request: whether it is guarded, and whether its body may be read.

use super::api::Call;
use super::config::{Config, ConfigError, HttpApi, McpEndpoint, Refusals, Route, SessionSource};
use super::path::{Template, is_clear, lax, split, template};
use super::proposal::{Outgoing, Proposal};
use super::who::identify;
use super::{Head, HttpReply, Incoming, Peer};
use crate::STATELESS;
use crate::answer::Forwarded;
use crate::exchange::{Scene, Step, Who, open, trace_id};
use crate::federate::{inward_name, inward_uri};
use crate::identity::Identity;
use crate::listing;
use crate::message::{self, Message};
use crate::mirror::{Mirror, decoded, encoded};
use crate::reply::HANDLE;

/// What is guarded, ready to be asked.
#[derive(Debug)]
pub struct Guard {
    config: Config,
    /// The routes of each interface.
    routes: Vec<Vec<Template>>,
    /// Whether clients may listen to what servers say of themselves (GET).
    streams: bool,
}

/// What to do with a request.
#[derive(Debug)]
pub enum Admitted {
    /// It is not guarded: it passes untouched and unread.
    Pass,
    /// Answer this; nothing reaches the server.
    Refuse(HttpReply),
    /// Read its whole body first.
    Guarded(Box<Exchange>),
}

/// A guarded request whose body is to be read.
#[derive(Clone, Debug)]
pub struct Exchange {
    kind: Kind,
    identity: Identity,
    session: Option<String>,
    traced: bool,
    /// The session when nothing else is one.
    fallback: Option<String>,
    limit: usize,
    response_limit: usize,
    refusals: Refusals,
}

#[derive(Clone, Debug)]
enum Kind {
    /// A message.
    Mcp { server: Option<String>, mirror: Mirror },
    /// The end of a session.
    End,
    /// What the server says of itself.
    Listen { server: Option<String> },
    /// A call of a plain interface.
    Api(Box<Call>),
    /// A call to decide.
    Decide,
}

/// What a guarded request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A message to an MCP server.
    Message,
    /// What the server says of itself.
    Listen,
    /// The end of a session.
    End,
    /// A call of a plain interface.
    Api,
    /// A call to decide.
    Decide,
}

/// What the gateway asks a server itself.
#[derive(Clone, Debug)]
pub struct Question {
    /// The exchange that it belongs to.
    pub exchange: Exchange,
    /// The message.
    pub body: String,
    /// The headers that say again what it says.
    pub headers: Vec<(String, String)>,
}

/// What to do with a guarded request whose body was read.
#[derive(Debug)]
pub enum Inspected {
    /// Answer this; nothing reaches the server.
    Refuse(HttpReply),
    /// Have a call decided.
    Decide(Box<Proposal>),
    /// Send it on.
    Forward(Box<Outgoing>),
    /// Have this call (JSON) decided, and answer with [`super::decision_reply`].
    Answer(Vec<u8>),
}

/// A version that is not agreed on here, and that some clients go on naming in a session of a later one.
const EARLIER: &str = "2025-03-26";
/// Headers that make some servers take a request for another one.
const OTHER_TARGET: [&str; 3] = ["x-original-url", "x-rewrite-url", "x-override-url"];
const OTHER_METHOD: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

enum Area<'g> {
    None,
    Ambiguous,
    Mcp(&'g McpEndpoint),
    Api(&'g HttpApi, &'g [Template]),
    Decide,
}

impl Guard {
    /// # Errors
    /// What is wrong with the configuration.
    pub fn new(config: Config) -> Result<Guard, ConfigError> {
        config.check()?;
        let compile = |api: &HttpApi| api.routes.iter().map(|route| template(&route.path)).collect();
        let routes: Result<Vec<Vec<Template>>, ConfigError> = config.http.iter().map(compile).collect();
        Ok(Guard { routes: routes?, config, streams: false })
    }

    /// The same for an adapter that keeps sessions, and so can serve the streams that clients open with GET.
    pub fn with_streams(self) -> Guard {
        Guard { streams: true, ..self }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Says what to do with a request.
    pub fn admit(&self, head: &Head<'_>, peer: &Peer<'_>) -> Admitted {
        let (path, query) = split(head.path);
        let area = self.area(path);
        let elsewhere = OTHER_TARGET.iter().flat_map(|name| head.all(name));
        let mut elsewhere = elsewhere.map(|target| self.area(split(target).0));
        let admitted = match area {
            Area::None if elsewhere.all(|area| matches!(area, Area::None)) => return Admitted::Pass,
            Area::None | Area::Ambiguous => Err(HttpReply::bad(
                "the path could be read as a guarded one: write it without escapes, empty or dot segments, and \
                 without headers that name another target",
            )),
            _ if elsewhere.next().is_some() => Err(HttpReply::bad("a header names another target")),
            Area::Mcp(endpoint) => match self.mcp(endpoint, head, peer) {
                Ok(None) => return Admitted::Pass,
                Ok(Some(exchange)) => Ok(exchange),
                Err(reply) => Err(reply),
            },
            Area::Api(api, templates) => self.api(api, templates, head, peer, path, query),
            Area::Decide => self.decide(head),
        };
        match admitted {
            Ok(exchange) => Admitted::Guarded(Box::new(exchange)),
            Err(reply) => Admitted::Refuse(reply),
        }
    }

    fn area(&self, path: &str) -> Area<'_> {
        let config = &self.config;
        if let Some(endpoint) = config.mcp.iter().find(|of| of.path == path) {
            return Area::Mcp(endpoint);
        }
        if config.decide.as_deref() == Some(path) {
            return Area::Decide;
        }
        // The longest prefix that fits.
        let under = |path: &str| {
            let fits = |(api, _): &(&HttpApi, &Vec<Template>)| below(path, &api.prefix);
            config.http.iter().zip(&self.routes).filter(fits).max_by_key(|(api, _)| api.prefix.len())
        };
        let seen = under(path);
        let lax = lax(path);
        let named = config.mcp.iter().map(|of| &of.path).chain(&config.decide);
        let looks = named.into_iter().any(|guarded| self::lax(guarded) == lax);
        let hidden = config.http.iter().any(|api| below(&lax, &self::lax(&api.prefix)));
        match seen {
            Some((api, templates)) if is_clear(path) && !looks && hidden => Area::Api(api, templates),
            None if !looks && !hidden && path.starts_with('/') => Area::None,
            _ => Area::Ambiguous,
        }
    }

    fn mcp(
        &self,
        endpoint: &McpEndpoint,
        head: &Head<'_>,
        peer: &Peer<'_>,
    ) -> Result<Option<Exchange>, HttpReply> {
        origin(head, &self.config.origins)?;
        if head.method == "OPTIONS" {
            return Ok(None);
        }
        no_tricks(head)?;
        let (methods, words) = match self.streams {
            true => ("POST, GET, DELETE", "POST, GET and DELETE"),
            false => ("POST, DELETE", "POST and DELETE"),
        };
        let refused = |methods: &str, words: &str| {
            let detail = format!("this endpoint takes {words}");
            Err(HttpReply::problem(405, "method-not-allowed", &detail).with("allow", methods))
        };
        if !methods.split(", ").any(|method| method == head.method) {
            return refused(methods, words);
        }
        let mirror = mirror(head, &self.config.versions)?;
        if head.method != "POST" && mirror.is_stateless() {
            return refused("POST", "POST");
        }
        let server = endpoint.server.clone();
        let kind = match head.method {
            "DELETE" => Kind::End,
            "GET" => Kind::Listen { server },
            _ => {
                self.readable(head, "application/json")?;
                Kind::Mcp { server, mirror }
            }
        };
        self.exchange(kind, head, peer).map(Some)
    }

    fn api(
        &self,
        api: &HttpApi,
        templates: &[Template],
        head: &Head<'_>,
        peer: &Peer<'_>,
        path: &str,
        query: Option<&str>,
    ) -> Result<Exchange, HttpReply> {
        no_tricks(head)?;
        let found = api.routes.iter().zip(templates).filter_map(|(of, at)| Some((of, at.matches(path)?)));
        let mut found = found.collect::<Vec<(&Route, Vec<(String, String)>)>>();
        if found.is_empty() {
            return Err(HttpReply::problem(403, "no-route", "no route of this interface leads here"));
        }
        found.retain(|(route, _)| route.method == head.method);
        // Of several, the one that names most of the path itself.
        let Some((route, values)) = found.into_iter().min_by_key(|(_, values)| values.len()) else {
            return Err(HttpReply::problem(403, "no-route", "no route of this interface takes this method"));
        };
        let call = Call::new(route, values, path, query, head)?;
        if call.takes_body() && (has_body(head) || head.all("content-type").next().is_some()) {
            self.readable(head, call.media_type())?;
        }
        self.exchange(Kind::Api(Box::new(call)), head, peer)
    }

    fn decide(&self, head: &Head<'_>) -> Result<Exchange, HttpReply> {
        no_tricks(head)?;
        if head.method != "POST" {
            let reply = HttpReply::problem(405, "method-not-allowed", "the decision endpoint takes POST");
            return Err(reply.with("allow", "POST"));
        }
        self.readable(head, "application/json")?;
        // The call says whose it is.
        let nobody = Identity::nobody();
        Ok(self.exchange_of(Kind::Decide, nobody))
    }

    fn exchange(&self, kind: Kind, head: &Head<'_>, peer: &Peer<'_>) -> Result<Exchange, HttpReply> {
        let identity = identify(&self.config.identity, head, peer)?;
        let mut session = identity.session.clone();
        let (mut traced, mut fallback) = (false, None);
        for source in &self.config.session {
            if session.is_some() {
                break;
            }
            let found = match source {
                SessionSource::Mcp => head.one("mcp-session-id")?,
                SessionSource::Header(name) => head.one(name)?,
                SessionSource::Principal => {
                    // The message may still name a trace.
                    fallback = Some(identity.session_id(""));
                    break;
                }
                SessionSource::Trace => {
                    traced = true;
                    head.one("traceparent")?.and_then(trace_id)
                }
            };
            session = found.filter(|id| !id.is_empty()).map(|id| identity.session_id(id));
        }
        Ok(Exchange { session, traced, fallback, ..self.exchange_of(kind, identity) })
    }

    fn exchange_of(&self, kind: Kind, identity: Identity) -> Exchange {
        let Config { request_limit: limit, response_limit, refusals, .. } = self.config;
        let (session, traced, fallback) = (None, false, None);
        Exchange { kind, identity, session, traced, fallback, limit, response_limit, refusals }
    }

    /// Whether a body may be read at all: of the right type, in UTF-8, not encoded, not too long.
    fn readable(&self, head: &Head<'_>, media: &str) -> Result<(), HttpReply> {
        let kind = head.one("content-type")?.unwrap_or_default();
        let mut parts = kind.split(';').map(str::trim);
        let right = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(media));
        let utf8 = |parameter: &str| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => false,
        };
        if !right || !parts.filter(|part| !part.is_empty()).all(utf8) {
            let detail = format!("the body must be `{media}` in UTF-8, without other parameters");
            return Err(HttpReply::problem(415, "unsupported-media-type", &detail));
        }
        let plain = |coding: &str| coding.trim().is_empty() || coding.trim().eq_ignore_ascii_case("identity");
        if !head.all("content-encoding").flat_map(|value| value.split(',')).all(plain) {
            let detail = "the body must come without content encoding: nobody here could read it otherwise";
            return Err(HttpReply::problem(415, "unsupported-media-type", detail));
        }
        match head.one("content-length")?.map(str::parse::<usize>) {
            Some(Ok(length)) if length > self.config.request_limit => {
                Err(too_large(self.config.request_limit))
            }
            Some(Err(_)) => Err(HttpReply::bad("`content-length` is not a length")),
            _ => Ok(()),
        }
    }
}

/// Whether a path is the prefix or lies below it.
fn below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix.strip_suffix('/').unwrap_or(prefix))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn too_large(limit: usize) -> HttpReply {
    HttpReply::problem(413, "too-large", &format!("the body has more than {limit} bytes"))
}

fn has_body(head: &Head<'_>) -> bool {
    head.all("transfer-encoding").next().is_some() || head.all("content-length").any(|length| length != "0")
}

/// What could make of the request another one, or of the connection something that is not read.
fn no_tricks(head: &Head<'_>) -> Result<(), HttpReply> {
    if let Some(name) = OTHER_METHOD.iter().find(|name| head.all(name).next().is_some()) {
        return Err(HttpReply::bad(&format!("the header `{name}` names another method")));
    }
    let upgrades = head.all("upgrade").next().is_some()
        || head
            .all("connection")
            .flat_map(|value| value.split(','))
            .any(|option| option.trim().eq_ignore_ascii_case("upgrade"));
    if upgrades || head.method == "CONNECT" {
        return Err(HttpReply::bad("the connection cannot be taken over here"));
    }
    // Proxies join a header that stands there twice; a server behind takes one of the two.
    if head.one("host")?.is_some_and(|host| host.contains([',', '/', '@', ' '])) {
        return Err(HttpReply::bad("the host is not one host"));
    }
    Ok(())
}

/// Requests of web pages elsewhere go no further: a page must not reach a server that trusts where it listens.
fn origin(head: &Head<'_>, known: &[String]) -> Result<(), HttpReply> {
    let Some(origin) = head.one("origin")? else { return Ok(()) };
    let local = ["http://localhost", "http://127.0.0.1", "http://[::1]"]
        .iter()
        .any(|local| origin.strip_prefix(local).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')));
    if local || known.iter().any(|of| of == origin) {
        return Ok(());
    }
    let detail = "requests of this web origin are not accepted; the operator can add it to `origins`";
    Err(HttpReply::problem(403, "origin", detail))
}

fn mirror(head: &Head<'_>, versions: &[String]) -> Result<Mirror, HttpReply> {
    let one = |name: &str| match head.one(name)? {
        None => Ok(None),
        Some(value) => match decoded(value) {
            Some(value) => Ok(Some(value)),
            None => Err(HttpReply::bad(&format!("the header `{name}` is not what its Base64 says it is"))),
        },
    };
    let version = head.one("mcp-protocol-version")?;
    // In a session, the version is what `initialize` has agreed on, and the server is told that one.
    let in_session = head.one("mcp-session-id")?.is_some();
    let version = version.filter(|version| !(in_session && *version == EARLIER));
    if let Some(version) = version.filter(|version| !versions.iter().any(|of| of == version)) {
        return Err(HttpReply::unspoken(version, versions));
    }
    let mut params: Vec<(String, String)> = Vec::new();
    for (name, value) in head.headers {
        let Some(rest) = name.strip_prefix("mcp-param-") else { continue };
        let value =
            decoded(value).ok_or_else(|| HttpReply::bad(&format!("the header `{name}` is no Base64")))?;
        if params.iter().any(|(other, _)| other == rest) {
            return Err(HttpReply::bad(&format!("the header `{name}` stands there more than once")));
        }
        params.push((rest.to_owned(), value));
    }
    let version = version.map(str::to_owned);
    if version.as_deref() != Some(STATELESS) && !params.is_empty() {
        return Err(HttpReply::bad("`Mcp-Param-*` headers are not part of this protocol version"));
    }
    Ok(Mirror { version, method: one("mcp-method")?, name: one("mcp-name")?, params })
}

impl Exchange {
    /// How many bytes of body may be read; if there are more, [`Exchange::too_large`] is the answer.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The answer to a body over the limit.
    pub fn too_large(&self) -> HttpReply {
        too_large(self.limit)
    }

    /// The same exchange with one of several servers, by the name that policies know it by. A message to it names things
    /// as that server does.
    pub fn with_server(&self, name: &str) -> Exchange {
        let mut exchange = self.clone();
        match &mut exchange.kind {
            Kind::Mcp { server, mirror } => {
                *server = Some(name.to_owned());
                // The message is rewritten to the server's own names, and what says it again with it.
                let own =
                    if mirror.method.as_deref() == Some("resources/read") { inward_uri } else { inward_name };
                mirror.name = mirror.name.take().map(|named| own(name, &named).unwrap_or(named));
            }
            Kind::Listen { server } => *server = Some(name.to_owned()),
            Kind::End | Kind::Api(_) | Kind::Decide => {}
        }
        exchange
    }

    /// The question for a page of a server's tool catalogue, asked on behalf of whoever sent a message. `None` when the
    /// message cannot be read.
    pub fn catalogue(&self, body: &[u8], id: &str, cursor: Option<&str>) -> Option<Question> {
        let Ok(Message::Request { params, .. }) = message::read(body, self.limit) else { return None };
        let mut exchange = self.clone();
        let Kind::Mcp { mirror, .. } = &mut exchange.kind else { return None };
        let meta = params.and_then(|params| params.get("_meta")).filter(|_| mirror.is_stateless());
        let body = listing::question(id, cursor, meta);
        let mut headers: Vec<(String, String)> = Vec::new();
        headers.extend(mirror.version.clone().map(|version| ("mcp-protocol-version".to_owned(), version)));
        *mirror = Mirror { version: mirror.version.take(), ..Mirror::default() };
        if mirror.is_stateless() {
            mirror.method = Some(listing::METHOD.to_owned());
            headers.push(("mcp-method".to_owned(), listing::METHOD.to_owned()));
        }
        Some(Question { exchange, body, headers })
    }

    /// The same exchange in the session of this id, unless the identity fixes one.
    pub fn with_session(self, id: &str) -> Exchange {
        let fixed = self.identity.session.clone();
        let session = Some(fixed.unwrap_or_else(|| self.identity.session_id(id)));
        Exchange { session, ..self }
    }

    /// The signed state handle that a message carries in its `_meta`: the gateway that gave it out can tell whose
    /// session it is. `Some(None)` when what stands there is none.
    pub fn handle(&self, body: &[u8]) -> Option<Option<String>> {
        let Ok(Message::Request { params, .. }) = message::read(body, self.limit) else { return None };
        let handle = params?.get("_meta")?.get(HANDLE)?;
        Some(handle.as_str().map(|handle| handle.into_owned()))
    }

    /// Whether a message says what its headers say; of one that cannot be read, [`Exchange::inspect`] says so.
    ///
    /// # Errors
    /// The refusal.
    pub fn compare(&self, body: &[u8]) -> Result<(), HttpReply> {
        let Kind::Mcp { mirror, .. } = &self.kind else { return Ok(()) };
        match message::read(body, self.limit) {
            Ok(Message::Request { id, method, params }) => Ok(mirror.check(id, &method, params)?),
            _ => Ok(()),
        }
    }

    /// What the messages mean that a server sends of itself in a session, by the id that the transport has for it.
    pub fn unasked(&self, session: &str) -> Incoming {
        let server = match &self.kind {
            Kind::Mcp { server, .. } | Kind::Listen { server } => server.clone(),
            Kind::End | Kind::Api(_) | Kind::Decide => None,
        };
        let own = self.identity.session.clone();
        let session = Some(own.unwrap_or_else(|| self.identity.session_id(session)));
        let who = Who { identity: self.identity.clone(), session, server, stateless: false };
        Incoming::mcp(Forwarded::Nothing, self.response_limit, who)
    }

    /// What the request is for.
    pub fn purpose(&self) -> Purpose {
        match &self.kind {
            Kind::Mcp { .. } => Purpose::Message,
            Kind::Listen { .. } => Purpose::Listen,
            Kind::End => Purpose::End,
            Kind::Api(_) => Purpose::Api,
            Kind::Decide => Purpose::Decide,
        }
    }

    /// Who calls.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether the version without sessions is spoken.
    pub fn is_stateless(&self) -> bool {
        matches!(&self.kind, Kind::Mcp { mirror, .. } if mirror.is_stateless())
    }

    /// Says what to do with the request, whose body is empty if it has none, at a time (RFC 3339).
    pub fn inspect(self, body: &[u8], now: &str) -> Inspected {
        if body.len() > self.limit {
            return Inspected::Refuse(self.too_large());
        }
        let Exchange { identity, session, traced, fallback, limit, response_limit, refusals, .. } = self;
        match self.kind {
            Kind::Decide => Inspected::Answer(body.to_vec()),
            Kind::Listen { .. } => Inspected::Refuse(HttpReply::bad("there is nothing to send on a stream")),
            Kind::End if body.is_empty() => Inspected::Forward(Box::new(Outgoing::end())),
            Kind::End => Inspected::Refuse(HttpReply::bad("the end of a session has no body")),
            Kind::Api(call) => match call.propose(body, identity, session.or(fallback), now, limit) {
                Ok(proposal) => Inspected::Decide(Box::new(Proposal::of_api(proposal, response_limit))),
                Err(reply) => Inspected::Refuse(reply),
            },
            Kind::Mcp { server, mirror } => {
                let named = mirror.name.as_deref().filter(|_| mirror.is_stateless()).map(encoded);
                let scene = Scene {
                    identity: &identity,
                    session: session.as_deref(),
                    traced,
                    fallback: fallback.as_deref(),
                    now,
                    max_bytes: limit,
                    server: server.as_deref(),
                    mirror: &mirror,
                };
                let who = scene.who();
                match open(body, &scene) {
                    Step::Reply(reply) => Inspected::Refuse(reply.into()),
                    Step::Decide(call) => {
                        let proposal = Proposal::of_mcp(*call, refusals, response_limit, who);
                        Inspected::Decide(Box::new(proposal.naming(named)))
                    }
                    Step::Forward(permit, forwarded) => Inspected::Forward(Box::new(Outgoing::message(
                        permit,
                        forwarded,
                        response_limit,
                        who,
                    ))),
                }
            }
        }
    }
}
