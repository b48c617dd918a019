//! A gateway with a front, and a server behind it that records headers and messages.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::post;
use placet::audit::DecisionLog;
use placet::gateway::auth::CredentialsConfig;
use placet::gateway::{FrontConfig, Observe, ServeError, ServerConfig, Settings, serve};
use placet::policy::load;
use placet::runtime::{DecisionService, PolicyHandle, Target, Trust};
use placet::store::MemoryStore;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const POLICY: &str = "
policy: auth-tests
rules:
  - {id: open, tools: [whoami, slow, 'bank.*'], outcome: allow}
";

/// What reached the server.
pub type Reached = Arc<Mutex<Vec<(HeaderMap, Value)>>>;

pub struct World {
    pub address: SocketAddr,
    pub reached: Reached,
    pub folder: PathBuf,
    pub client: reqwest::Client,
    pub stop: Option<oneshot::Sender<()>>,
    pub served: Option<JoinHandle<Result<(), ServeError>>>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }
}

static WORLDS: AtomicUsize = AtomicUsize::new(0);

/// An empty folder for one test.
pub fn folder() -> PathBuf {
    let n = WORLDS.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("placet-auth-{}-{n}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

/// A front as the configuration file has it; `$DIR` is the folder.
pub fn front(folder: &std::path::Path, config: &Value) -> FrontConfig {
    let text = config.to_string().replace("$DIR", folder.to_str().expect("UTF-8"));
    serde_json::from_str(&text).expect("a front")
}

impl World {
    /// A gateway whose files are in the folder already.
    pub async fn start(folder: PathBuf, config: Value) -> World {
        let (stop, stopped) = oneshot::channel::<()>();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let reached = Reached::default();
        let serving =
            gateway(&folder, &config, listener, reached.clone(), async move { drop(stopped.await) }).await;
        let served = Some(tokio::spawn(serving));
        World { address, reached, folder, client: client(), stop: Some(stop), served }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Posts a message with these headers.
    pub async fn post(&self, headers: &[(&str, &str)], body: &Value) -> Answer {
        let request = self.client.post(self.url("/mcp"));
        send(request.header("content-type", "application/json").body(body.to_string()), headers).await
    }

    /// Calls a tool.
    pub async fn call(&self, headers: &[(&str, &str)], tool: &str) -> Answer {
        self.post(headers, &call(tool)).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        send(self.client.get(self.url(path)), &[]).await
    }

    /// How many messages reached the server.
    pub fn count(&self) -> usize {
        self.reached.lock().expect("no panic").len()
    }

    /// The call of the last record.
    pub fn last(&self) -> Value {
        let text = std::fs::read_to_string(self.folder.join("decisions.jsonl")).expect("the log");
        let last = text.lines().next_back().expect("a record");
        serde_json::from_str::<Value>(last).expect("JSON")["call"].clone()
    }

    /// Tells the gateway to stop, and gives what it says when it has.
    pub async fn stopped(&mut self) -> Result<(), ServeError> {
        drop(self.stop.take());
        self.served.take().expect("it serves").await.expect("no panic")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub fn call(tool: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": {}}})
}

pub async fn send(request: reqwest::RequestBuilder, headers: &[(&str, &str)]) -> Answer {
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let response = request.send().await.expect("the gateway answers");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: response.text().await.expect("the body is read") }
}

/// A gateway on a listener; ready when it has stopped.
pub async fn gateway(
    folder: &std::path::Path,
    config: &Value,
    listener: TcpListener,
    reached: Reached,
    stop: impl Future<Output = ()> + Send + 'static,
) -> impl Future<Output = Result<(), ServeError>> + Send + 'static {
    let path = folder.join("policies");
    std::fs::create_dir_all(&path).expect("a folder");
    std::fs::write(path.join("policy.yaml"), POLICY).expect("the policy is written");
    let bundle = load(&path).expect("the policy compiles").bundle;
    let handle = PolicyHandle::new(Target::Native.open(&bundle, &Trust::default()));
    let service = DecisionService::new(handle, Arc::new(MemoryStore::default()));
    let (mut config, mut credentials) = (config.clone(), None);
    // For the server, not the front.
    if let Some(of) = config.as_object_mut().and_then(|config| config.remove("credentials")) {
        let text = of.to_string().replace("$DIR", folder.to_str().expect("UTF-8"));
        credentials = Some(serde_json::from_str::<CredentialsConfig>(&text).expect("credentials"));
    }
    let identity = json!({"tenant": "local", "agent": {"id": "everybody"}});
    let settings = Settings {
        upstreams: vec![ServerConfig { credentials, ..ServerConfig::at(&server(reached).await) }],
        identity: serde_json::from_value(identity).expect("an identity"),
        origins: Vec::new(),
        max_request: 1 << 20,
        max_response: 1 << 20,
        decisions: true,
        stdio: false,
        session_key: None,
        front: front(folder, &config),
        observe: Observe::default(),
    };
    let log = Arc::new(DecisionLog::open(&folder.join("decisions.jsonl")).expect("a log"));
    serve(listener, settings, service, log, stop)
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
    // What the gateway itself asks is not what a client sent.
    if !message["id"].as_str().is_some_and(|id| id.starts_with("placet-")) {
        reached.lock().expect("no panic").push((headers, message.clone()));
    }
    if message["params"]["name"] == "slow" {
        tokio::time::sleep(Duration::from_millis(1500)).await;
    }
    let result = match message["method"].as_str() {
        Some("initialize") => {
            let version = &message["params"]["protocolVersion"];
            json!({"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}})
        }
        Some("tools/list") => {
            let tool = |name: &str| json!({"name": name, "inputSchema": {}});
            let tools = ["whoami", "mine", "slow", "bank.pay"].map(tool);
            json!({"tools": tools})
        }
        Some("tools/call") => json!({"content": [{"type": "text", "text": "done"}]}),
        _ => json!({}),
    };
    let body = json!({"jsonrpc": "2.0", "id": message["id"], "result": result}).to_string();
    Response::builder().header("content-type", "application/json").body(Body::from(body)).expect("a response")
}
