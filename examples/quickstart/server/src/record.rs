//! The record of every tool call that reached this server: tests read it to see that nothing else did.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;

/// Where calls are recorded, if anywhere.
pub struct Record(Option<Mutex<File>>);

#[derive(Serialize)]
struct Line<'a> {
    tool: &'a str,
    args: &'a Value,
}

impl Record {
    /// Opens the file for appending, and makes it when it is not there. No path: nothing is recorded.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: Option<&Path>) -> anyhow::Result<Record> {
        let Some(path) = path else { return Ok(Record(None)) };
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.with_context(|| format!("cannot append to `{}`", path.display()))?;
        Ok(Record(Some(Mutex::new(file))))
    }

    /// Appends one call as a JSON line.
    ///
    /// # Errors
    /// When it cannot be written; the call must not run then.
    pub fn append(&self, tool: &str, args: &Value) -> std::io::Result<()> {
        let Some(file) = &self.0 else { return Ok(()) };
        let mut line = serde_json::to_vec(&Line { tool, args })?;
        line.push(b'\n');
        // One write for each line, so that lines never mix, and a panic elsewhere leaves whole lines only.
        file.lock().unwrap_or_else(std::sync::PoisonError::into_inner).write_all(&line)
    }
}
