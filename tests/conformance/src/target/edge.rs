//! The component for Spin, in the world of `tests/edge`, which is a program of its own because asynchronous components
//! need other features of Wasmtime than the host has.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use placet::artifact::Guest;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Target;
use super::wire::{LIST, Wired, catalogue, effect, guard, names, wired};
use crate::case::{Bundle, Case, Step};
use crate::check::CameOut;
use crate::policy::Policy;

/// The component, with policies inside or given by its variables.
pub struct Edge {
    name: String,
    guest: &'static Guest,
    /// What is inside when policies are given.
    given: Option<Policy>,
    folder: PathBuf,
    world: Mutex<World>,
}

struct World {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    status: u16,
    body: String,
    reached: Vec<String>,
}

impl Edge {
    /// Starts the world.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(
        name: &str,
        guest: &'static Guest,
        given: Option<Policy>,
        program: &Path,
    ) -> Result<Edge, String> {
        let mut command = Command::new(program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let cannot = |error: std::io::Error| format!("cannot run `{}`: {error}", program.display());
        let mut child = command.spawn().map_err(cannot)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("it has no pipes".to_owned());
        };
        let folder = std::env::temp_dir().join(format!("placet-conformance-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(cannot)?;
        let world = Mutex::new(World { child, input, output: BufReader::new(output) });
        Ok(Edge { name: name.to_owned(), guest, given, folder, world })
    }

    /// The artifact for a policy, as a file.
    fn component(&self, policy: &Policy) -> Result<PathBuf, String> {
        let inside = self.given.as_ref().unwrap_or(policy);
        let path = self.folder.join(format!("{}.wasm", inside.name.replace(['/', '.', ' '], "-")));
        if !path.exists() {
            let artifact = self.guest.build(&inside.bundle).map_err(|error| error.to_string())?;
            std::fs::write(&path, artifact.wasm).map_err(|error| error.to_string())?;
        }
        Ok(path)
    }

    fn variables(&self, policy: &Policy) -> Value {
        let mut variables = json!({"guard": guard().to_string(), "upstream": "http://tools.example"});
        if self.given.is_some() {
            let hex = |key: &[u8; 32]| key.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            let keys: Vec<String> = policy.trust.keys.iter().map(hex).collect();
            variables["policy_bundle"] = STANDARD.encode(&policy.bundle).into();
            variables["policy_keys"] = keys.join(",").into();
        }
        variables
    }
}

impl Target for Edge {
    fn name(&self) -> &str {
        &self.name
    }

    fn takes(&self, case: &Case) -> bool {
        let can_list = |step: &Step| step.list.is_none() || wired(&step.call, true).is_some();
        let opens = matches!(case.bundle, Bundle::Plain | Bundle::Signed);
        opens && case.is_stateful() && case.steps.iter().all(can_list)
    }

    fn takes_generated(&self) -> bool {
        self.given.is_some()
    }

    fn run(&self, policy: &Policy, case: &Case) -> Result<Vec<CameOut>, String> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let component = self.component(policy)?;
        world.ask(&json!({"open": {"component": component, "variables": self.variables(policy)}}))?;
        let decide = |(n, step): (usize, &Step)| world.step(step).map_err(|why| at(n, &why));
        let out = case.steps.iter().enumerate().map(decide).collect::<Result<Vec<_>, _>>()?;
        let wired: Option<Vec<Wired>> = case.steps.iter().map(|step| wired(&step.call, false)).collect();
        let Some(wired) = wired.filter(|_| case.wire && case.steps.iter().all(|step| step.list.is_none()))
        else {
            return Ok(out);
        };
        world.ask(&json!({"fresh": {}}))?;
        for (n, ((step, out), wired)) in case.steps.iter().zip(&out).zip(&wired).enumerate() {
            let answer = world.send("/mcp", Some(wired), &wired.call(), step.store_down, None)?;
            let reached = answer.reached.first().map(String::as_bytes);
            effect(reached, answer.status, answer.body.as_bytes(), wired, &out.decision)
                .map_err(|why| at(n, &why))?;
        }
        Ok(out)
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = world.child.kill();
        let _ = world.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl World {
    fn ask(&mut self, what: &Value) -> Result<Answer, String> {
        let sent = writeln!(self.input, "{what}").and_then(|()| self.input.flush());
        sent.map_err(|error| format!("the world takes no request: {error}"))?;
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(1..) => serde_json::from_str(&line).map_err(|error| format!("no answer: {error}: {line}")),
            Ok(0) => Err("the world has ended".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn send(
        &mut self,
        path: &str,
        wired: Option<&Wired>,
        body: &str,
        down: bool,
        answer: Option<String>,
    ) -> Result<Answer, String> {
        let mut headers = vec![("content-type", "application/json")];
        if let Some(wired) = wired {
            headers.push(("accept", "application/json, text/event-stream"));
            headers.push(("mcp-protocol-version", "2025-06-18"));
            headers.push(("x-placet-identity", &wired.identity));
        }
        let now = wired.map_or(1, |wired| wired.now);
        self.ask(&json!({"send": {
            "path": path, "headers": headers, "body": body, "now": now, "down": down, "answer": answer,
        }}))
    }

    fn step(&mut self, step: &Step) -> Result<CameOut, String> {
        if let Some(tools) = &step.list {
            let wired = wired(&step.call, true).ok_or("MCP cannot say it")?;
            let answer = self.send("/mcp", Some(&wired), LIST, step.store_down, Some(catalogue(tools)))?;
            let visible = names(answer.body.as_bytes());
            let visible =
                visible.ok_or_else(|| format!("no catalogue: {} {}", answer.status, answer.body))?;
            return Ok(CameOut { visible: Some(visible), ..CameOut::default() });
        }
        // The call says its own time, and the clock another.
        let answer = self.send("/v1/decide", None, &step.call, step.store_down, None)?;
        if answer.status != 200 || !answer.reached.is_empty() {
            return Err(format!(
                "answered {} {}, and the server got {:?}",
                answer.status, answer.body, answer.reached
            ));
        }
        Ok(CameOut { decision: answer.body, ..CameOut::default() })
    }
}

fn at(n: usize, why: &str) -> String {
    format!("step {}: {why}", n + 1)
}
