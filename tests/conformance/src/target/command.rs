//! Somebody else's implementation, as a program that reads requests and writes answers, a line of JSON each.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use placet::runtime::{DecisionPoint, Description, Visibility};
use placet_model::{Code, Decision, Facts};

use super::Target;
use crate::case::Case;
use crate::check::CameOut;
use crate::policy::Policy;
use crate::wire::{Request, Response, decision_of};

/// A program that decides. The suite keeps the state; the program is given facts.
pub struct Command {
    name: String,
    shared: Arc<Mutex<Process>>,
}

struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// The policy that was loaded last.
    loaded: Option<String>,
    /// The first thing that went wrong since it was last asked for.
    wrong: Option<String>,
}

impl Command {
    /// Starts a program, given as words.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(name: &str, words: &[String]) -> Result<Command, String> {
        let Some((program, arguments)) = words.split_first() else {
            return Err("no command is given".to_owned());
        };
        let mut command = std::process::Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot run `{program}`: {error}"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(format!("`{program}` has no pipes"));
        };
        let process = Process { child, input, output: BufReader::new(output), loaded: None, wrong: None };
        Ok(Command { name: name.to_owned(), shared: Arc::new(Mutex::new(process)) })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Process> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target for Command {
    fn name(&self) -> &str {
        &self.name
    }

    fn takes(&self, _: &Case) -> bool {
        true
    }

    fn run(&self, policy: &Policy, case: &Case) -> Result<Vec<CameOut>, String> {
        let point: Arc<dyn DecisionPoint> =
            Arc::new(Point { policy: policy.clone(), shared: self.shared.clone() });
        let out = super::engine::run(&point, case);
        match self.lock().wrong.take() {
            None => Ok(out),
            Some(wrong) => Err(wrong),
        }
    }
}

impl Drop for Command {
    fn drop(&mut self) {
        let mut process = self.lock();
        let _ = process.child.kill();
        let _ = process.child.wait();
    }
}

/// The program with a policy.
struct Point {
    policy: Policy,
    shared: Arc<Mutex<Process>>,
}

impl Point {
    /// Asks, after loading the policy where another one was loaded last.
    fn ask(&self, request: &Request<'_>) -> Result<Response, String> {
        let mut process = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = process.load(&self.policy).and_then(|()| process.ask(request));
        if let Err(wrong) = &answer {
            process.wrong.get_or_insert_with(|| wrong.clone());
        }
        answer
    }

    fn wrong(&self, text: String) {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).wrong.get_or_insert(text);
    }
}

impl Process {
    fn load(&mut self, policy: &Policy) -> Result<(), String> {
        if self.loaded.as_ref() == Some(&policy.name) {
            return Ok(());
        }
        match self.ask(&Request::load(policy))? {
            Response::Loaded { .. } | Response::Refused(_) => {
                self.loaded = Some(policy.name.clone());
                Ok(())
            }
            other => Err(format!("`loaded` or `refused` is expected, and it answered {other:?}")),
        }
    }

    fn ask(&mut self, request: &Request<'_>) -> Result<Response, String> {
        let line = serde_json::to_string(request).map_err(|error| error.to_string())?;
        let sent = writeln!(self.input, "{line}").and_then(|()| self.input.flush());
        sent.map_err(|error| format!("the command takes no request: {error}"))?;
        let mut answer = String::new();
        let read = self.output.read_line(&mut answer).map_err(|error| error.to_string())?;
        if read == 0 {
            return Err("the command has ended".to_owned());
        }
        serde_json::from_str(&answer).map_err(|error| format!("no answer: {error}: {answer}"))
    }
}

impl DecisionPoint for Point {
    fn decide(&self, call: &[u8], facts: &Facts<'_>) -> Decision {
        let failed = |wrong: String| {
            self.wrong(wrong);
            Decision::deny(Code::EngineTrap, "The command failed.", "")
        };
        match self.ask(&Request::decide(call, facts)) {
            Ok(Response::Decided { decision, delta }) => decision_of(&decision, delta).unwrap_or_else(failed),
            Ok(other) => failed(format!("`decided` is expected, and it answered {other:?}")),
            Err(wrong) => failed(wrong),
        }
    }

    fn list_tools(&self, call: &[u8], facts: &Facts<'_>, tools: &[String]) -> Vec<Visibility> {
        match self.ask(&Request::list(call, facts, tools)) {
            Ok(Response::Listed(visible)) => {
                let show = |tool: String| Visibility { tool, visible: true, guidance: None };
                visible.into_iter().map(show).collect()
            }
            Ok(other) => {
                self.wrong(format!("`listed` is expected, and it answered {other:?}"));
                Vec::new()
            }
            Err(_) => Vec::new(),
        }
    }

    fn describe(&self) -> Description {
        Description::default()
    }

    fn refusal(&self) -> Option<String> {
        None
    }
}
