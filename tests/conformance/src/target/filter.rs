//! The module for proxies, on the suite's own proxy: each step is decided through the decision endpoint, alternately by
//! two workers that share their data; and where MCP can say a call, it is made, and what reaches the server is looked
//! at.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use placet::artifact::Guest;
use serde_json::json;

use super::Target;
use super::wire::{self, LIST, Wired, catalogue, names, wired};
use crate::case::{Bundle, Case, Step};
use crate::check::CameOut;
use crate::policy::Policy;
use crate::proxy::exchange::Exchange;
use crate::proxy::{Kind, Module, Request, Sent, Shared, Worker};

/// Plugins that one worker serves.
const MOST: usize = 100;

/// The filter in a proxy of one kind.
pub struct Filter {
    name: String,
    modules: Arc<Modules>,
    kind: Kind,
    /// Proxies that wait for a case, by what their module is called.
    idle: Mutex<HashMap<String, Vec<Proxy>>>,
}

/// The filter, compiled.
pub struct Modules {
    source: Source,
    compiled: Mutex<HashMap<String, Arc<Module>>>,
}

enum Source {
    /// One module, which gets each policy by its configuration.
    Configured(Vec<u8>),
    /// A module for each policy, which has it inside.
    Built(&'static Guest),
}

/// Two workers, and what they share.
struct Proxy {
    workers: [Worker; 2],
    shared: Arc<Mutex<Shared>>,
}

impl Modules {
    /// One module, which gets each policy by its configuration.
    pub fn configured(wasm: Vec<u8>) -> Arc<Modules> {
        Arc::new(Modules { source: Source::Configured(wasm), compiled: Mutex::default() })
    }

    /// A module for each policy, as `placet build` makes it.
    pub fn built(guest: &'static Guest) -> Arc<Modules> {
        Arc::new(Modules { source: Source::Built(guest), compiled: Mutex::default() })
    }

    /// What the module for a policy is called.
    fn key<'p>(&self, policy: &'p Policy) -> &'p str {
        match self.source {
            Source::Configured(_) => "",
            Source::Built(_) => &policy.name,
        }
    }

    fn get(&self, policy: &Policy) -> wasmtime::Result<Arc<Module>> {
        // One at a time: each uses every core.
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = compiled.get(self.key(policy)) {
            return Ok(module.clone());
        }
        let module = Arc::new(match &self.source {
            Source::Configured(wasm) => Module::new(wasm)?,
            Source::Built(guest) => {
                let artifact = guest.build(&policy.bundle);
                Module::new(&artifact.map_err(|error| wasmtime::Error::msg(error.to_string()))?.wasm)?
            }
        });
        compiled.insert(self.key(policy).to_owned(), module.clone());
        Ok(module)
    }

    /// The plugin's configuration.
    fn configuration(&self, policy: &Policy) -> String {
        let mut configuration = json!({"guard": wire::guard(), "log": "none"});
        if matches!(self.source, Source::Configured(_)) {
            let hex = |key: &[u8; 32]| key.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            let keys: Vec<String> = policy.trust.keys.iter().map(hex).collect();
            configuration["policy"] = json!({"bundle": STANDARD.encode(&policy.bundle), "keys": keys});
        }
        configuration.to_string()
    }
}

impl Filter {
    /// The filter in a proxy.
    pub fn new(name: &str, modules: &Arc<Modules>, kind: Kind) -> Filter {
        Filter { name: name.to_owned(), modules: modules.clone(), kind, idle: Mutex::default() }
    }

    fn proxy(&self, policy: &Policy) -> wasmtime::Result<Proxy> {
        let module = self.modules.get(policy)?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(proxy) = idle.get_mut(self.modules.key(policy)).and_then(Vec::pop) {
            return Ok(proxy);
        }
        let shared = Arc::new(Mutex::new(Shared::default()));
        let start = || Worker::start(&module, self.kind, &shared);
        Ok(Proxy { workers: [start()?, start()?], shared: shared.clone() })
    }
}

impl Target for Filter {
    fn name(&self) -> &str {
        &self.name
    }

    fn takes(&self, case: &Case) -> bool {
        let can_list = |step: &Step| step.list.is_none() || wired(&step.call, true).is_some();
        let opens = matches!(case.bundle, Bundle::Plain | Bundle::Signed);
        opens && case.is_stateful() && case.steps.iter().all(can_list)
    }

    fn takes_generated(&self) -> bool {
        matches!(self.modules.source, Source::Configured(_))
    }

    fn run(&self, policy: &Policy, case: &Case) -> Result<Vec<CameOut>, String> {
        let text = |error: wasmtime::Error| format!("{error:#}");
        let mut proxy = self.proxy(policy).map_err(text)?;
        for worker in &mut proxy.workers {
            worker.root(&policy.name, || self.modules.configuration(policy)).map_err(text)?;
        }
        // A proxy in which something went wrong is not used again.
        let out = proxy.decide(policy, case).map_err(text)?;
        proxy.enforce(policy, case, &out).map_err(text)?;
        if proxy.workers.iter().all(|worker| worker.plugins() < MOST) {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.entry(self.modules.key(policy).to_owned()).or_default().push(proxy);
        }
        Ok(out)
    }
}

impl Proxy {
    /// Fresh state.
    fn reset(&mut self) {
        *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = Shared::default();
    }

    /// The worker for a step, with its time, and the plugin for a policy.
    fn worker(
        &mut self,
        n: usize,
        step: &Step,
        policy: &Policy,
        now: u64,
    ) -> wasmtime::Result<(&mut Worker, u32)> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).down = step.store_down;
        let worker = &mut self.workers[n % 2];
        worker.memory().now = now;
        let root = worker.root(&policy.name, String::new)?;
        Ok((worker, root))
    }

    /// Has every step decided.
    fn decide(&mut self, policy: &Policy, case: &Case) -> wasmtime::Result<Vec<CameOut>> {
        self.reset();
        let mut out = Vec::new();
        for (n, step) in case.steps.iter().enumerate() {
            if let Some(tools) = &step.list {
                out.push(self.list(policy, n, step, tools)?);
                continue;
            }
            // The call says its own time, and the proxy's clock another.
            let (worker, root) = self.worker(n, step, policy, 1)?;
            let request = request("/v1/decide", None, &step.call, n);
            let mut exchange = Exchange::begin(worker, root, &|_| None)?;
            let sent = exchange.request(&request)?;
            exchange.end()?;
            let Sent::Answered { local, seen: false } = sent else {
                return Err(wrong(n, &format!("the server saw a call that is to be decided only: {sent:?}")));
            };
            let text = String::from_utf8_lossy(&local.body).into_owned();
            if local.status != 200 {
                return Err(wrong(n, &format!("answered {} {text}", local.status)));
            }
            out.push(CameOut { decision: text, ..CameOut::default() });
        }
        Ok(out)
    }

    /// Asks a server for its catalogue.
    fn list(
        &mut self,
        policy: &Policy,
        n: usize,
        step: &Step,
        tools: &[String],
    ) -> wasmtime::Result<CameOut> {
        let Some(wired) = wired(&step.call, true) else { return Err(wrong(n, "MCP cannot say it")) };
        let (worker, root) = self.worker(n, step, policy, wired.now)?;
        let request = request("/mcp", Some(&wired), LIST, n);
        let mut exchange = Exchange::begin(worker, root, &|_| None)?;
        let sent = exchange.request(&request)?;
        if !matches!(sent, Sent::Forwarded { .. }) {
            return Err(wrong(n, &format!("the server was not asked for its tools: {sent:?}")));
        }
        let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        let headers = vec![header(":status", "200"), header("content-type", "application/json")];
        let answered = exchange.respond(headers, &pieces(catalogue(tools).as_bytes(), n))?;
        exchange.end()?;
        let visible = names(&answered.body);
        let body = || format!("no catalogue: {}", String::from_utf8_lossy(&answered.body));
        Ok(CameOut { visible: Some(visible.ok_or_else(|| wrong(n, &body()))?), ..CameOut::default() })
    }

    /// Makes every call, and looks at what becomes of it: forwarded as it was when it is allowed, else refused for the
    /// same reason, and the server has seen nothing of it.
    fn enforce(&mut self, policy: &Policy, case: &Case, decided: &[CameOut]) -> wasmtime::Result<()> {
        let wired: Option<Vec<Wired>> = case.steps.iter().map(|step| wired(&step.call, false)).collect();
        let Some(wired) = wired.filter(|_| case.wire && case.steps.iter().all(|step| step.list.is_none()))
        else {
            return Ok(());
        };
        self.reset();
        for (n, ((step, out), wired)) in case.steps.iter().zip(decided).zip(&wired).enumerate() {
            let (worker, root) = self.worker(n, step, policy, wired.now)?;
            let request = request("/mcp", Some(wired), &wired.call(), n);
            let mut exchange = Exchange::begin(worker, root, &|_| None)?;
            let sent = exchange.request(&request)?;
            exchange.end()?;
            effect(&sent, wired, &out.decision).map_err(|why| wrong(n, &why))?;
        }
        Ok(())
    }
}

/// Whether what became of a call is what its decision says.
fn effect(sent: &Sent, wired: &Wired, decision: &str) -> Result<(), String> {
    match sent {
        Sent::Forwarded { headers, body } => {
            let length = headers.iter().find(|(name, _)| name == "content-length");
            if length.is_some_and(|(_, value)| value != body.len().to_string().as_bytes()) {
                return Err(format!("`content-length` is not the length of {} bytes", body.len()));
            }
            wire::effect(Some(body), 0, b"", wired, decision)
        }
        Sent::Answered { seen: true, .. } => Err("refused, and the server has seen the headers".to_owned()),
        Sent::Answered { local, .. } => wire::effect(None, local.status, &local.body, wired, decision),
    }
}

fn wrong(n: usize, why: &str) -> wasmtime::Error {
    wasmtime::Error::msg(format!("step {}: {why}", n + 1))
}

fn request(path: &str, wired: Option<&Wired>, body: &str, n: usize) -> Request {
    let length = body.len().to_string();
    let mut headers = vec![
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "tools.example"),
        (":path", path),
        ("content-type", "application/json"),
        ("content-length", &length),
    ];
    if let Some(wired) = wired {
        headers.push(("accept", "application/json, text/event-stream"));
        headers.push(("mcp-protocol-version", "2025-06-18"));
        headers.push(("x-placet-identity", &wired.identity));
    }
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Request { headers, chunks: pieces(body.as_bytes(), n) }
}

/// A body in one piece, in two, or in three.
fn pieces(body: &[u8], n: usize) -> Vec<Vec<u8>> {
    let size = body.len().div_ceil(n % 3 + 1).max(1);
    body.chunks(size).map(<[u8]>::to_vec).collect()
}
