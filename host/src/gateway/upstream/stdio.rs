//! A server that is a program: one message a line on its standard streams. Each session has a process of its own, so that
//! what a server keeps of one principal is never another's.

use std::collections::{BTreeMap, HashMap};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use placet_pep::{Permit, one_line};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::{Notify, mpsc};

use super::{Body, Received, UpstreamError};

/// Longest line of a program, in bytes.
const LONGEST: u64 = 16 << 20;
/// Messages that wait for a reader; then the program waits.
const QUEUE: usize = 64;
/// How long a program may take to end after its input has.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);

/// What is started.
#[derive(Clone, Debug)]
pub struct Program {
    command: Vec<String>,
    env: BTreeMap<String, String>,
}

/// A process, and who waits for what it says.
#[derive(Debug)]
pub struct Line {
    input: mpsc::Sender<String>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<HashMap<String, Waiting>>,
    dead: AtomicBool,
    stop: Notify,
}

/// Who waits for the answer to a request.
#[derive(Debug)]
struct Waiting {
    messages: mpsc::Sender<String>,
    /// The request's progress token.
    token: Option<Value>,
    /// The order of requests.
    number: usize,
}

/// What of a message says where it goes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Head {
    id: Option<Value>,
    method: Option<String>,
    params: Option<Params>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Params {
    #[serde(rename = "progressToken")]
    token: Option<Value>,
    #[serde(rename = "_meta")]
    meta: Option<Meta>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Meta {
    #[serde(rename = "progressToken")]
    token: Option<Value>,
}

impl Program {
    pub fn new(command: &[String], env: &BTreeMap<String, String>) -> Program {
        Program { command: command.to_vec(), env: env.clone() }
    }

    /// Starts a process.
    pub fn start(&self, name: Option<&str>, unasked: mpsc::Sender<String>) -> Result<Line, UpstreamError> {
        let started = |error| UpstreamError::Start(self.command.join(" "), error);
        let (program, args) = self.command.split_first().ok_or(UpstreamError::Ended)?;
        let mut command = Command::new(program);
        command.args(args).envs(&self.env).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(started)?;
        let (input, lines) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared::default());
        let called = name.unwrap_or(program).to_owned();
        if let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        {
            tokio::spawn(write(stdin, lines));
            tokio::spawn(complain(stderr, called.clone()));
            tokio::spawn(live(child, stdout, shared.clone(), unasked, called));
        }
        Ok(Line { input, shared })
    }
}

/// A process's life: what it says is handed out until it ends, or its line does.
async fn live(
    mut child: Child,
    stdout: ChildStdout,
    shared: Arc<Shared>,
    unasked: mpsc::Sender<String>,
    name: String,
) {
    let why = tokio::select! {
        why = read(stdout, &shared, &unasked) => why,
        () = shared.stop.notified() => "its session has ended",
    };
    shared.dead.store(true, Ordering::Release);
    shared.lock().clear();
    drop(unasked);
    if tokio::time::timeout(PATIENCE, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
    tracing::info!(server = name, why, "the server's program has ended");
}

/// Reads lines until the end, and says why it is one.
async fn read(stdout: ChildStdout, shared: &Shared, unasked: &mpsc::Sender<String>) -> &'static str {
    let mut lines = BufReader::new(stdout);
    loop {
        let line = match line(&mut lines, LONGEST).await {
            Ok(Some(line)) => line,
            Ok(None) => return "it has closed its output",
            Err(why) => return why,
        };
        let head: Head = match serde_json::from_str(&line) {
            Ok(head) => head,
            Err(error) => {
                tracing::warn!(%error, "the server's program wrote a line that is no message");
                continue;
            }
        };
        match shared.reader(&head) {
            Some(to) => {
                // Whoever waited may have gone.
                let _ = to.send(line).await;
            }
            None if head.method.is_none() => {
                tracing::warn!(id = ?head.id, "the server answered a request that is not under way");
            }
            None => {
                let _ = unasked.send(line).await;
            }
        }
    }
}

/// One line without its end, up to a number of bytes.
///
/// # Errors
/// Why there is none.
pub async fn line(
    from: &mut (impl AsyncBufRead + Unpin),
    longest: u64,
) -> Result<Option<String>, &'static str> {
    loop {
        let mut bytes = Vec::new();
        let read = from.take(longest.saturating_add(1)).read_until(b'\n', &mut bytes).await;
        match read {
            Err(_) => return Err("it cannot be read"),
            Ok(0) => return Ok(None),
            Ok(_) => {}
        }
        if bytes.last() != Some(&b'\n') {
            return match u64::try_from(bytes.len()).unwrap_or(u64::MAX) > longest {
                true => Err("a line is too long"),
                // What has no end may have been cut.
                false => Err("it broke off in the middle of a line"),
            };
        }
        let text = String::from_utf8(bytes).map_err(|_| "a line is not UTF-8")?;
        let text = text.trim_end_matches(['\n', '\r']);
        if !text.trim().is_empty() {
            return Ok(Some(text.to_owned()));
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who waits for a message: for an answer, who asked; for anything else, the request that it names or else the
    /// oldest that is under way.
    fn reader(&self, head: &Head) -> Option<mpsc::Sender<String>> {
        let mut waiting = self.lock();
        match (&head.method, &head.id) {
            (None, Some(id)) => waiting.remove(&id.to_string()).map(|of| of.messages),
            (None, None) => None,
            (Some(_), _) => {
                let token = head.params.as_ref().and_then(|params| params.token.as_ref());
                let named = waiting.values().find(|of| token.is_some() && of.token.as_ref() == token);
                let oldest = || waiting.values().min_by_key(|of| of.number);
                named.or_else(oldest).map(|of| of.messages.clone())
            }
        }
    }
}

impl Line {
    /// Writes a message; the answers to a request come as they do.
    pub async fn send(&self, permit: Permit) -> Result<Received, UpstreamError> {
        let body = permit.into_body();
        let head: Head = serde_json::from_str(&body).unwrap_or_default();
        let nothing = Received { status: 202, headers: Vec::new(), body: Body::Nothing };
        let mut received = nothing;
        if let (Some(id), Some(_)) = (&head.id, &head.method) {
            let (messages, lines) = mpsc::channel(QUEUE);
            let mut waiting = self.shared.lock();
            if waiting.contains_key(&id.to_string()) {
                return Err(UpstreamError::InUse(id.to_string()));
            }
            let number = waiting.values().map(|of| of.number).max().map_or(0, |of| of.wrapping_add(1));
            let token = head.params.and_then(|params| params.meta).and_then(|meta| meta.token);
            waiting.insert(id.to_string(), Waiting { messages, token, number });
            let headers = vec![("content-type".to_owned(), "text/event-stream".to_owned())];
            received = Received { status: 200, headers, body: Body::Lines(lines) };
        }
        if !self.is_alive() || self.input.send(one_line(&body).into_owned()).await.is_err() {
            self.shared.lock().clear();
            return Err(UpstreamError::Ended);
        }
        Ok(received)
    }

    pub fn is_alive(&self) -> bool {
        !self.shared.dead.load(Ordering::Acquire)
    }

    /// Ends the process.
    pub fn end(&self) {
        self.shared.stop.notify_one();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.end();
    }
}

async fn write(mut stdin: ChildStdin, mut lines: mpsc::Receiver<String>) {
    while let Some(line) = lines.recv().await {
        let written = stdin.write_all(format!("{line}\n").as_bytes()).await;
        if written.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}

/// What a program complains about goes to the log.
async fn complain(stderr: ChildStderr, server: String) {
    let mut lines = BufReader::new(stderr);
    let mut bytes = Vec::new();
    while let Ok(1..) = (&mut lines).take(8192).read_until(b'\n', &mut bytes).await {
        tracing::info!(server, "{}", String::from_utf8_lossy(&bytes).trim_end());
        bytes.clear();
    }
}
