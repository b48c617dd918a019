//! A gateway before a server whose catalogue can be changed while it runs, and which records what reaches it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use placet::audit::DecisionLog;
use placet::gateway::{FrontConfig, Observe, ServerConfig, Settings, serve};
use placet::policy::load;
use placet::runtime::{DecisionService, PolicyHandle, Target, Trust};
use placet::store::MemoryStore;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const POLICY: &str = "
policy: tools
rules:
  - {id: open, tools: ['*'], outcome: allow}
  - {id: never, tools: [drop], outcome: deny, reason: Never.}
";

/// What the server is.
#[derive(Debug)]
pub struct Upstream {
    /// Pages of its catalogue.
    pub pages: Mutex<Vec<Value>>,
    /// Whether its last page leads to its first.
    pub circle: Mutex<bool>,
    /// Whether calls say that the catalogue has changed.
    pub says_changed: Mutex<bool>,
    /// What reached it: headers and messages.
    pub reached: Mutex<Vec<(HeaderMap, Value)>>,
}

pub struct World {
    pub url: String,
    pub server: Arc<Upstream>,
    pub folder: PathBuf,
    client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<tokio::task::JoinHandle<()>>,
}

static WORLDS: AtomicUsize = AtomicUsize::new(0);

/// A tool of a catalogue.
pub fn tool(name: &str, description: &str) -> Value {
    let schema =
        json!({"type": "object", "properties": {"q": {"type": "string"}}, "additionalProperties": false});
    json!({"name": name, "description": description, "inputSchema": schema})
}

/// A folder for one test.
pub fn folder() -> PathBuf {
    let n = WORLDS.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("placet-tools-{}-{n}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// A server with this catalogue, and its address.
pub async fn server(tools: Value) -> (Arc<Upstream>, String) {
    let server = Arc::new(Upstream {
        pages: Mutex::new(vec![tools]),
        circle: Mutex::new(false),
        says_changed: Mutex::new(false),
        reached: Mutex::default(),
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
    let router = Router::new().route("/mcp", post(answer)).with_state(server.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (server, url)
}

impl World {
    pub async fn start(tools: Value) -> World {
        World::with(tools, folder(), Observe::default()).await
    }

    pub async fn with(tools: Value, folder: PathBuf, observe: Observe) -> World {
        let (server, server_url) = server(tools).await;
        std::fs::write(folder.join("policy.yaml"), POLICY).expect("the policy is written");
        let bundle = load(&folder.join("policy.yaml")).expect("the policy compiles").bundle;
        let handle = PolicyHandle::new(Target::Native.open(&bundle, &Trust::default()));
        let service = DecisionService::new(handle, Arc::new(MemoryStore::default()));
        let identity = json!({"tenant": "acme", "agent": {"id": "bot"}});
        let settings = Settings {
            upstreams: vec![ServerConfig::at(&server_url)],
            identity: serde_json::from_value(identity).expect("an identity"),
            origins: Vec::new(),
            max_request: 1 << 20,
            max_response: 1 << 20,
            decisions: false,
            stdio: false,
            session_key: None,
            front: FrontConfig::default(),
            observe,
        };
        let log = Arc::new(DecisionLog::open(&folder.join("decisions.jsonl")).expect("a log"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            serve(listener, settings, service, log, stopped).await.expect("the gateway serves");
        });
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let (stop, serving) = (Some(stop), Some(serving));
        World { url, server, folder, client, stop, serving }
    }

    /// Changes the server's catalogue.
    pub fn change(&self, pages: Vec<Value>) {
        *self.server.pages.lock().expect("no panic") = pages;
    }

    pub async fn post(&self, headers: &[(&str, &str)], body: &Value) -> (Option<String>, Value) {
        let mut request = self.client.post(&self.url).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.body(body.to_string()).send().await.expect("the gateway answers");
        let session = response.headers().get("mcp-session-id").and_then(|id| id.to_str().ok());
        let session = session.map(str::to_owned);
        let text = response.text().await.expect("the body is read");
        let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let messages: Vec<Value> = events.filter_map(|data| serde_json::from_str(data).ok()).collect();
        let answer = messages.into_iter().rfind(|of| of.get("method").is_none());
        (session, answer.unwrap_or_else(|| serde_json::from_str(&text).unwrap_or_default()))
    }

    pub async fn session(&self) -> String {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let body = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        self.post(&[], &body).await.0.expect("a session")
    }

    /// The names that a client sees.
    pub async fn list(&self, session: &str) -> Vec<String> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
        let (_, answer) = self.post(&[("mcp-session-id", session)], &body).await;
        let tools = answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("no tools: {answer}"));
        tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
    }

    /// Calls a tool, and gives the code of the decision.
    pub async fn call(&self, session: &str, tool: &str) -> String {
        let body = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": tool, "arguments": {}}});
        let (_, answer) = self.post(&[("mcp-session-id", session)], &body).await;
        answer["result"]["_meta"]["dev.placet/decision"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// What reached the server of a method.
    pub fn reached(&self, method: &str) -> Vec<(HeaderMap, Value)> {
        let reached = self.server.reached.lock().expect("no panic");
        reached.iter().filter(|(_, of)| of["method"] == method).cloned().collect()
    }

    /// The tools that were called at the server.
    pub fn calls(&self) -> Vec<String> {
        let calls = self.reached("tools/call");
        calls.iter().map(|(_, of)| of["params"]["name"].as_str().unwrap_or("").to_owned()).collect()
    }

    /// The decision log.
    pub fn records(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.join("decisions.jsonl")).expect("the log");
        text.lines().map(|line| serde_json::from_str(line).expect("a record is JSON")).collect()
    }

    pub async fn get(&self, path: &str) -> (u16, String) {
        let url = self.url.replace("/mcp", path);
        let response = self.client.get(url).send().await.expect("the gateway answers");
        (response.status().as_u16(), response.text().await.expect("the body is read"))
    }

    /// Stops the gateway as a signal would.
    pub async fn stop(&mut self) {
        if let (Some(stop), Some(serving)) = (self.stop.take(), self.serving.take()) {
            let _ = stop.send(());
            serving.await.expect("the gateway ends");
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn answer(State(server): State<Arc<Upstream>>, headers: HeaderMap, body: String) -> Response {
    let message: Value = serde_json::from_str(&body).expect("JSON");
    server.reached.lock().expect("no panic").push((headers, message.clone()));
    let id = message["id"].clone();
    let result = |of: Value| json!({"jsonrpc": "2.0", "id": id, "result": of});
    let json = match message["method"].as_str() {
        Some("initialize") => {
            let version = message["params"]["protocolVersion"].clone();
            let info = json!({"name": "s", "version": "1"});
            result(
                json!({"protocolVersion": version, "capabilities": {"tools": {"listChanged": true}}, "serverInfo": info}),
            )
        }
        Some("tools/list") => match page(&server, &message) {
            Some(page) => result(page),
            None => json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32603, "message": "no"}}),
        },
        Some("tools/call") => {
            let called = result(json!({"content": [{"type": "text", "text": "done"}]}));
            if *server.says_changed.lock().expect("no panic") {
                let changed = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
                return with(200, "text/event-stream", format!("data: {changed}\n\ndata: {called}\n\n"));
            }
            called
        }
        Some(_) if !id.is_null() => result(json!({})),
        _ => return with(202, "text/plain", String::new()),
    };
    with(200, "application/json", json.to_string())
}

/// A page of the catalogue; `None` when there is none.
fn page(server: &Upstream, message: &Value) -> Option<Value> {
    let pages = server.pages.lock().expect("no panic");
    let at = message["params"]["cursor"].as_str().map_or(0, |cursor| cursor.parse().expect("our own cursor"));
    let tools = pages.get(at)?;
    let next = if at + 1 < pages.len() { Some(at + 1) } else { None };
    let next = if *server.circle.lock().expect("no panic") { Some(next.unwrap_or(0)) } else { next };
    let mut page = json!({"tools": tools});
    if let Some(next) = next {
        page["nextCursor"] = next.to_string().into();
    }
    Some(page)
}

fn with(status: u16, kind: &str, body: String) -> Response {
    let response = Response::builder().status(status).header("content-type", kind);
    response.body(Body::from(body)).expect("a response")
}
