//! A program that serves until it is stopped, and says on standard output where it listens.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// What a server prints before its address.
const LISTENING: &str = "listening on ";

/// Compiling the component to machine code is most of it.
const TIME_TO_START: Duration = Duration::from_secs(60);

/// From the request to stop until it is ended by force.
const TIME_TO_STOP: Duration = Duration::from_secs(5);

/// A server; stopped when dropped.
pub struct Server {
    /// Where it listens.
    pub url: String,
    child: Child,
    shown: Arc<AtomicBool>,
}

impl Server {
    /// Starts it, and waits until it listens. What it prints goes to a file.
    ///
    /// # Errors
    /// When it ends instead, or takes too long.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Server> {
        let file = File::create(log).with_context(|| format!("cannot write `{}`", log.display()))?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let (sender, receiver) = channel();
        let shown = Arc::new(AtomicBool::new(false));
        let lines = Lines { file: Arc::new(Mutex::new(file)), shown: shown.clone() };
        // The sender goes with standard output: when that ends before saying where, so does the waiting.
        if let Some(out) = child.stdout.take() {
            lines.clone().follow(out, Some(sender));
        }
        if let Some(err) = child.stderr.take() {
            lines.follow(err, None);
        }
        let mut server = Server { url: String::new(), child, shown };
        match receiver.recv_timeout(TIME_TO_START) {
            Ok(url) => server.url = url,
            Err(_) => {
                server.stop();
                let said = std::fs::read_to_string(log).unwrap_or_default();
                bail!("{name} does not start; it said:\n{said}");
            }
        }
        Ok(server)
    }

    /// From now on, what it logs is shown here as well.
    pub fn show_log(&self) {
        self.shown.store(true, Ordering::Relaxed);
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks it to stop, and ends it when it does not.
    pub fn stop(&mut self) {
        if self.ended().is_none() && cfg!(unix) {
            let id = self.child.id().to_string();
            // Without this command it is ended by force below.
            let _ = Command::new("kill").args(["-TERM", &id]).status();
            let deadline = Instant::now() + TIME_TO_STOP;
            while self.ended().is_none() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        if self.ended().is_none() {
            // These fail only when the process has ended meanwhile.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Where a server's lines go.
#[derive(Clone)]
struct Lines {
    file: Arc<Mutex<File>>,
    shown: Arc<AtomicBool>,
}

impl Lines {
    /// Copies lines until the pipe ends; sends the address when a line has it.
    fn follow(self, pipe: impl Read + Send + 'static, mut address: Option<Sender<String>>) {
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                if let (Some(url), Some(sender)) = (line.strip_prefix(LISTENING), &address) {
                    // Whoever waited may have given up.
                    let _ = sender.send(url.trim().to_owned());
                    address = None;
                }
                if self.shown.load(Ordering::Relaxed) {
                    eprintln!("{line}");
                }
                let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
                // A log that cannot be written must not stop what it logs.
                let _ = writeln!(file, "{line}");
            }
        });
    }
}
