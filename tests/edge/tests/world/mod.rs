//! The quickstart's policy in the component for Spin, in front of a server that notes what reaches it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};

use bytes::Bytes;
use placet_edge_world::{Around, Edge, Manner, Store};

/// A component, and what has reached the server behind it.
pub struct World {
    edge: Edge,
    reached: Arc<Mutex<Vec<String>>>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer(String);

/// The component with the policy inside, as `placet build` makes it, in a world without anything.
static EDGE: LazyLock<Edge> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the workspace is above");
    let test = std::env::current_exe().expect("this test is a program");
    let release: PathBuf = test.ancestors().nth(2).expect("it lies in `deps`").to_owned();
    let out = release.join("edge-policies");
    let mut build = Command::new(release.join("placet"));
    build.arg("build").arg(root.join("policies/quickstart")).arg("-o").arg(&out);
    let built =
        build.output().unwrap_or_else(|e| panic!("`placet` is to be built first, it cannot be run: {e}"));
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let component =
        std::fs::read(out.join("policy.spin.wasm")).expect("`placet build` writes `policy.spin.wasm`");
    let nothing =
        Around { variables: BTreeMap::new(), store: Store::new(Manner::Down), upstream: Arc::new(|_| None) };
    Edge::new(&component, nothing).expect("the component links")
});

impl World {
    pub fn new(store: Store) -> World {
        World::with(store, &[])
    }

    /// A world with some more variables.
    pub fn with(store: Store, variables: &[(&str, &str)]) -> World {
        let guard = r#"{
            "mcp": [{"path": "/mcp"}],
            "decide": "/v1/decide",
            "identity": {"fixed": {
                "tenant": "acme", "env": "production", "agent": {"id": "support-bot", "roles": ["finance"]}
            }}
        }"#;
        let set = [("guard", guard.to_owned()), ("upstream", "http://tools.example".to_owned())];
        let more = variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let variables = set.into_iter().chain(more).map(|(name, value)| (name.to_owned(), value)).collect();
        let reached = Arc::new(Mutex::new(Vec::new()));
        let noted = reached.clone();
        let upstream = Arc::new(move |request: http::Request<Bytes>| {
            let message = std::str::from_utf8(request.body()).ok()?;
            noted.lock().ok()?.push(text_of(message, "name")?);
            let result = r#"{"content":[],"structuredContent":{"verified":true}}"#;
            let body = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
            let response = http::Response::builder().header("content-type", "application/json");
            response.body(Bytes::from(body)).ok()
        });
        let edge = EDGE.in_world(Around { variables, store, upstream });
        World { edge, reached }
    }

    /// A call through MCP.
    pub fn call(&self, tool: &str, args: &str, session: &str) -> Answer {
        let params = format!(r#"{{"name":"{tool}","arguments":{args}}}"#);
        let message = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        Answer(self.post("/mcp", &message, session))
    }

    /// A call for the decision endpoint.
    pub fn decide(&self, call: &str) -> Answer {
        Answer(self.post("/v1/decide", call, ""))
    }

    /// The tools that were called at the server, in order.
    pub fn reached(&self) -> Vec<String> {
        self.reached.lock().expect("nobody panicked").clone()
    }

    fn post(&self, path: &str, body: &str, session: &str) -> String {
        let request = http::Request::post(format!("http://edge.example{path}"))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-session-id", session)
            .body(Bytes::from(body.to_owned()))
            .expect("a request");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let response = runtime.block_on(self.edge.answer(request)).expect("an answer");
        String::from_utf8(response.body().to_vec()).expect("answers are text")
    }
}

/// The value of the first member of that name, which is a plain string.
fn text_of(json: &str, name: &str) -> Option<String> {
    let (_, value) = json.split_once(&format!("\"{name}\":\""))?;
    Some(value.split_once('"')?.0.to_owned())
}

impl Answer {
    pub fn verdict(&self) -> String {
        text_of(&self.0, "verdict").unwrap_or_default()
    }

    pub fn verdict_and_code(&self) -> (String, String) {
        (self.verdict(), text_of(&self.0, "code").unwrap_or_default())
    }
}
