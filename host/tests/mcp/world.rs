//! A gateway, a server behind it that records every message and answers strangely when asked to, and a client.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use placet::audit::DecisionLog;
use placet::gateway::{FrontConfig, Observe, ServerConfig, Settings, WatchedPolicy, serve, watch};
use placet::policy::load;
use placet::runtime::{DecisionService, PolicyHandle, Target, Trust};
use placet::store::MemoryStore;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub const POLICY: &str = "
policy: gateway-tests
rules:
  - {id: open, tools: ['sse', 'json', 'odd.*', 'rows'], outcome: allow}
  - {id: capped, tools: [capped], outcome: allow, obligations: {cap_rows: 2, redact: [rows.secret]}}
  - {id: notified, tools: [notified], outcome: allow, obligations: {notify: [slack:x]}}
  - {id: small, tools: [pay], args: {amount: {max: 10}}, outcome: allow}
  - {id: big, tools: [pay], when: args.amount > 10, outcome: escalate, reason: Ask somebody.}
  - {id: never, tools: [drop], outcome: deny, reason: Never.}
  - {id: no-secrets, tools: [json], stage: result, when: \"result.text.contains('secret')\", outcome: deny, reason: No secrets.}
  - {id: once, tools: [rows], when: session.has('did'), outcome: deny}
remember:
  - {on: {tools: [rows], stage: result, when: result.ok}, as: did}
";

/// What reached the server.
type Reached = Arc<Mutex<Vec<Value>>>;

pub struct World {
    pub url: String,
    pub reached: Reached,
    pub folder: PathBuf,
    pub client: reqwest::Client,
    _watcher: Mutex<Box<dyn Send>>,
}

static WORLDS: AtomicUsize = AtomicUsize::new(0);

impl World {
    pub async fn start() -> World {
        World::with(POLICY, None).await
    }

    /// A world with another server, such as one that is not there.
    pub async fn with(policy: &str, upstream: Option<String>) -> World {
        let reached = Reached::default();
        let upstream = match upstream {
            Some(upstream) => upstream,
            None => server(reached.clone()).await,
        };
        World::before(policy, vec![ServerConfig::at(&upstream)], reached).await
    }

    /// A world with two servers, `crm` and `files`.
    pub async fn of_two(policy: &str) -> World {
        let reached = Reached::default();
        let mut servers = Vec::new();
        for name in ["crm", "files"] {
            let url = server(reached.clone()).await;
            servers.push(ServerConfig { name: Some(name.to_owned()), ..ServerConfig::at(&url) });
        }
        World::before(policy, servers, reached).await
    }

    /// The same, and nobody is where `files` should be.
    pub async fn with_dead_server(policy: &str) -> World {
        let reached = Reached::default();
        let crm =
            ServerConfig { name: Some("crm".to_owned()), ..ServerConfig::at(&server(reached.clone()).await) };
        let files =
            ServerConfig { name: Some("files".to_owned()), ..ServerConfig::at("http://127.0.0.1:9/mcp") };
        World::before(policy, vec![crm, files], reached).await
    }

    async fn before(policy: &str, upstreams: Vec<ServerConfig>, reached: Reached) -> World {
        let n = WORLDS.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("placet-mcp-{}-{n}", std::process::id()));
        std::fs::create_dir_all(folder.join("policies")).expect("a folder");
        std::fs::write(folder.join("policies/policy.yaml"), policy).expect("the policy is written");
        let path = folder.join("policies");
        let bundle = load(&path).expect("the policy compiles").bundle;
        let handle = PolicyHandle::new(Target::Native.open(&bundle, &Trust::default()));
        let service = DecisionService::new(handle.clone(), Arc::new(MemoryStore::default()));
        let watched = WatchedPolicy { path, trust: Trust::default(), target: Target::Native };
        let watcher = watch(watched, handle).expect("the policy can be watched");
        let identity = json!({"tenant": "acme", "agent": {"id": "bot", "roles": ["support"]}});
        let settings = Settings {
            upstreams,
            identity: serde_json::from_value(identity).expect("an identity"),
            origins: vec!["https://app.example.com".to_owned()],
            max_request: 1 << 20,
            max_response: 1 << 20,
            decisions: true,
            stdio: false,
            session_key: None,
            front: FrontConfig::default(),
            observe: Observe::default(),
        };
        let log = Arc::new(DecisionLog::open(&folder.join("decisions.jsonl")).expect("a log"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
        tokio::spawn(async move { serve(listener, settings, service, log, std::future::pending()).await });
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        World { url, reached, folder, client, _watcher: Mutex::new(Box::new(watcher)) }
    }

    /// Posts a body and gives status and body.
    pub async fn post(&self, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut request = self.client.post(&self.url).body(body.to_owned());
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("the gateway answers");
        (response.status().as_u16(), response.text().await.expect("the body is read"))
    }

    /// Starts a session and gives its id.
    pub async fn session(&self) -> String {
        let body = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
        let request = self.client.post(&self.url).header("content-type", "application/json").body(body);
        let response = request.send().await.expect("the gateway answers");
        let id = response.headers().get("mcp-session-id").expect("a session");
        id.to_str().expect("text").to_owned()
    }

    /// Calls a tool and gives the message that answers, out of a JSON body or a stream of events.
    pub async fn call(&self, session: Option<&str>, tool: &str, args: Value) -> Value {
        let params = json!({"name": tool, "arguments": args});
        let body = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}).to_string();
        let headers: Vec<(&str, &str)> = session.map(|id| ("mcp-session-id", id)).into_iter().collect();
        let (_, text) = self.post(&headers, &body).await;
        let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let mut messages = events.filter_map(|data| serde_json::from_str::<Value>(data).ok());
        let last = messages.rfind(|m| m.get("method").is_none());
        last.unwrap_or_else(|| serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Names of the tools that reached the server, in order.
    pub fn calls(&self) -> Vec<String> {
        let reached = self.reached.lock().expect("no panic");
        let calls = reached.iter().filter(|message| message["method"] == "tools/call");
        calls.map(|message| message["params"]["name"].as_str().unwrap_or("").to_owned()).collect()
    }

    /// How many messages reached the server.
    pub fn count(&self) -> usize {
        self.reached.lock().expect("no panic").len()
    }

    /// The decision log.
    pub fn records(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.join("decisions.jsonl")).expect("the log");
        text.lines().map(|line| serde_json::from_str(line).expect("a record is JSON")).collect()
    }

    pub fn write_policy(&self, text: &str) {
        // As editors do: another file, renamed over the old one.
        let (new, old) = (self.folder.join("policies/.new"), self.folder.join("policies/policy.yaml"));
        std::fs::write(&new, text).expect("written");
        std::fs::rename(new, old).expect("renamed");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn server(reached: Reached) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
    let router = Router::new().route("/mcp", post(answer)).with_state(reached);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn answer(State(reached): State<Reached>, headers: HeaderMap, body: String) -> Response {
    let message: Value = serde_json::from_str(&body).expect("the gateway forwards JSON");
    assert!(!headers.contains_key("origin"), "headers of the client do not go on");
    // What the gateway itself asks is not what a client sent.
    if !message["id"].as_str().is_some_and(|id| id.starts_with("placet-")) {
        reached.lock().expect("no panic").push(message.clone());
    }
    let id = message["id"].clone();
    let result = |result: Value| json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string();
    match message["method"].as_str() {
        Some("initialize") => {
            let version = message["params"]["protocolVersion"].clone();
            let capabilities = json!({"tools": {}, "resources": {}, "prompts": {}});
            let info = json!({"name": "s", "version": "1"});
            json_body(result(
                json!({"protocolVersion": version, "capabilities": capabilities, "serverInfo": info}),
            ))
        }
        Some("tools/list") => {
            let tool =
                |name: &str| json!({"name": name, "description": "does", "inputSchema": {"type": "object"}});
            let names = ["sse", "json", "pay", "drop", "unknown", "rows", "ask"];
            let tools = names.map(tool).to_vec();
            match message["params"]["cursor"] == "more" {
                false => json_body(result(json!({"tools": tools, "nextCursor": "more"}))),
                true => {
                    let tools = [tools, OTHERS.map(tool).to_vec()].concat();
                    json_body(result(json!({"tools": tools})))
                }
            }
        }
        Some("tools/call") if message["params"]["name"] == "ask" => asking(&message, &id, reached),
        Some("tools/call") => called(&message, &id),
        Some(_) if id.is_null() => with(StatusCode::ACCEPTED, "text/plain", String::new()),
        Some(_) => json_body(result(json!({}))),
        None => with(StatusCode::ACCEPTED, "text/plain", String::new()),
    }
}

/// Tools of the catalogue's second page.
const OTHERS: [&str; 11] = [
    "capped",
    "notified",
    "odd.wrong-id",
    "odd.not-json",
    "odd.duplicate",
    "odd.html",
    "odd.error",
    "odd.500",
    "odd.redirect",
    "odd.long",
    "odd.cut",
];

/// A tool that asks the client for something, and says what it was answered.
fn asking(message: &Value, id: &Value, reached: Reached) -> Response {
    let method = message["params"]["arguments"]["method"].clone();
    let ask = json!({"jsonrpc": "2.0", "id": "q", "method": method, "params": {"message": "name?"}});
    let id = id.clone();
    let answered = move || {
        let reached = reached.lock().expect("no panic");
        reached.iter().find(|of| of["id"] == "q" && of.get("method").is_none()).cloned()
    };
    let then = async move {
        for _ in 0..200 {
            if let Some(answer) = answered() {
                let text = if answer.get("error").is_some() { "refused" } else { "answered" };
                let result = json!({"content": [{"type": "text", "text": text}]});
                let message = json!({"jsonrpc": "2.0", "id": id, "result": result});
                return Ok::<_, std::convert::Infallible>(format!("data: {message}\n\n"));
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        Ok(String::new())
    };
    let first = futures_util::stream::once(async move { Ok(format!("id: 1\ndata: {ask}\n\n")) });
    let stream = futures_util::StreamExt::chain(first, futures_util::stream::once(then));
    let response = Response::builder().status(200).header("content-type", "text/event-stream");
    response.body(Body::from_stream(stream)).expect("a response")
}

fn called(message: &Value, id: &Value) -> Response {
    let text = |text: &str| json!({"content": [{"type": "text", "text": text}]});
    let result = |result: Value| json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string();
    let said = message["params"]["arguments"]["say"].as_str().unwrap_or("done");
    match message["params"]["name"].as_str().unwrap_or("") {
        "sse" => {
            let progress =
                json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}});
            let other = json!({"jsonrpc": "2.0", "id": 999, "result": text("not asked for")});
            let events = format!(
                ": hello\n\nid: 1\ndata: {progress}\n\ndata: {other}\n\ndata: {}\n\n",
                result(text(said))
            );
            with(StatusCode::OK, "text/event-stream", events)
        }
        "capped" | "rows" => {
            let rows =
                json!({"rows": [{"n": 1, "secret": "a"}, {"n": 2, "secret": "b"}, {"n": 3, "secret": "c"}]});
            let mut whole = text(&rows.to_string());
            if message["params"]["arguments"]["plain"] == true {
                whole = text("1 a, 2 b, 3 c");
            }
            json_body(result(whole))
        }
        "odd.wrong-id" => {
            json_body(json!({"jsonrpc": "2.0", "id": "other", "result": text("x")}).to_string())
        }
        "odd.not-json" => json_body("{".to_owned()),
        "odd.duplicate" => json_body(r#"{"jsonrpc":"2.0","id":7,"result":{},"result":{}}"#.to_owned()),
        "odd.html" => with(StatusCode::OK, "text/html", "<p>hello</p>".to_owned()),
        "odd.error" => {
            json_body(json!({"jsonrpc": "2.0", "id": id, "error": {"code": 1, "message": "no"}}).to_string())
        }
        "odd.500" => with(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "oops".to_owned()),
        "odd.redirect" => with(StatusCode::TEMPORARY_REDIRECT, "text/plain", String::new()),
        "odd.long" => json_body(result(text(&"x".repeat(2 << 20)))),
        "odd.cut" => with(StatusCode::OK, "text/event-stream", "data: {\"jsonrpc\":".to_owned()),
        _ => json_body(result(text(said))),
    }
}

fn json_body(body: String) -> Response {
    with(StatusCode::OK, "application/json", body)
}

fn with(status: StatusCode, kind: &str, body: String) -> Response {
    let response = Response::builder().status(status).header("content-type", kind);
    response.body(Body::from(body)).expect("a response")
}
