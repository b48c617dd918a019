//! The world as a program, for tests of other packages: requests on standard input, answers on standard output, a line
//! of JSON each. One component at a time, with a store that begins empty.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use placet_edge_world::{Around, Edge, Manner, Store};
use serde::{Deserialize, Serialize};

/// What is asked.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Ask {
    /// Run this component from now on, with these variables, and an empty store.
    Open { component: PathBuf, variables: BTreeMap<String, String> },
    /// Empty the store.
    Fresh {},
    /// Send a request.
    Send(Request),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    /// Nanoseconds since the epoch.
    now: u64,
    /// The store cannot be reached.
    down: bool,
    /// What the server behind answers; absent: it is down.
    answer: Option<String>,
}

/// What is answered.
#[derive(Default, Serialize)]
struct Answer {
    status: u16,
    body: String,
    /// The bodies that reached the server behind.
    reached: Vec<String>,
}

fn main() -> Result<()> {
    let mut world = World::default();
    let mut output = std::io::stdout().lock();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for line in std::io::stdin().lock().lines() {
        let answer = match serde_json::from_str(&line?)? {
            Ask::Open { component, variables } => world.open(component, variables)?,
            Ask::Fresh {} => {
                world.store = Store::new(Manner::Exact);
                Answer::default()
            }
            Ask::Send(request) => runtime.block_on(world.send(request))?,
        };
        writeln!(output, "{}", serde_json::to_string(&answer)?)?;
        output.flush()?;
    }
    Ok(())
}

struct World {
    components: BTreeMap<PathBuf, Edge>,
    component: PathBuf,
    variables: BTreeMap<String, String>,
    store: Store,
}

impl Default for World {
    fn default() -> World {
        let (components, component, variables) = Default::default();
        World { components, component, variables, store: Store::new(Manner::Exact) }
    }
}

impl World {
    fn open(&mut self, component: PathBuf, variables: BTreeMap<String, String>) -> Result<Answer> {
        if !self.components.contains_key(&component) {
            let wasm = std::fs::read(&component).with_context(|| component.display().to_string())?;
            let around = around(BTreeMap::new(), self.store.clone(), Arc::new(|_| None));
            self.components
                .insert(component.clone(), Edge::new(&wasm, around).map_err(|e| anyhow::anyhow!("{e:#}"))?);
        }
        (self.component, self.variables) = (component, variables);
        self.store = Store::new(Manner::Exact);
        Ok(Answer::default())
    }

    async fn send(&self, request: Request) -> Result<Answer> {
        let edge = self.components.get(&self.component).context("no component is open")?;
        let reached = Arc::new(Mutex::new(Vec::new()));
        let (noted, answer) = (reached.clone(), request.answer);
        let upstream = Arc::new(move |request: http::Request<Bytes>| {
            let body = String::from_utf8_lossy(request.body()).into_owned();
            noted.lock().unwrap_or_else(PoisonError::into_inner).push(body);
            let response = http::Response::builder().header("content-type", "application/json");
            response.body(Bytes::from(answer.clone()?)).ok()
        });
        let manner = if request.down { Manner::Down } else { Manner::Exact };
        let around = around(self.variables.clone(), self.store.in_manner(manner), upstream);
        let mut sent = http::Request::post(format!("http://edge.example{}", request.path));
        for (name, value) in request.headers {
            sent = sent.header(name, value);
        }
        let response =
            edge.in_world(around).at(request.now).answer(sent.body(Bytes::from(request.body))?).await;
        let response = response.map_err(|e| anyhow::anyhow!("{e:#}"))?;
        let body = String::from_utf8_lossy(response.body()).into_owned();
        let reached = reached.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Answer { status: response.status().as_u16(), body, reached })
    }
}

fn around(
    variables: BTreeMap<String, String>,
    store: Store,
    upstream: placet_edge_world::Upstream,
) -> Around {
    Around { variables, store, upstream }
}
