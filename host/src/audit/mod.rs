//! The decision log: one record for each decision, one JSON object on a line, in the order in which they were made.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

pub use placet_pep::{Outcome, Record};

/// Where records go. Appending is the last thing before a call is forwarded: a call whose record cannot be written is
/// not made.
#[derive(Debug)]
pub struct DecisionLog {
    sink: Mutex<Sink>,
    host: String,
}

#[derive(Debug)]
enum Sink {
    File(File),
    StandardOutput,
}

/// The record could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the decision log cannot be written: {0}")]
pub struct LogError(#[from] std::io::Error);

impl DecisionLog {
    /// A log that is appended to a file; `-` is standard output.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path) -> Result<DecisionLog, LogError> {
        let sink = if path.as_os_str() == "-" {
            Sink::StandardOutput
        } else {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                std::fs::create_dir_all(folder)?;
            }
            let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
            if is_torn(&mut file)? {
                tracing::warn!(log = %path.display(), "the last record is torn: it is left as it is, and ended");
                file.write_all(b"\n")?;
            }
            Sink::File(file)
        };
        let host = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
        Ok(DecisionLog { sink: Mutex::new(sink), host: host.unwrap_or_else(|| "localhost".to_owned()) })
    }

    /// Appends a record, in one write.
    ///
    /// # Errors
    /// When it could not be written; then the call must not be made.
    pub fn append(&self, record: &Record<'_>) -> Result<(), LogError> {
        let mut line = record.to_json(&self.host);
        line.push('\n');
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *sink {
            Sink::File(file) => file.write_all(line.as_bytes())?,
            Sink::StandardOutput => {
                let mut out = std::io::stdout().lock();
                out.write_all(line.as_bytes())?;
                out.flush()?;
            }
        }
        Ok(())
    }

    /// Waits until everything written has reached the disk.
    ///
    /// # Errors
    /// When the system says that it has not.
    pub fn sync(&self) -> Result<(), LogError> {
        match &*self.sink.lock().unwrap_or_else(PoisonError::into_inner) {
            Sink::File(file) => Ok(file.sync_data()?),
            Sink::StandardOutput => Ok(()),
        }
    }
}

/// Whether the last line has no end: a machine stopped while it was written.
fn is_torn(file: &mut File) -> Result<bool, std::io::Error> {
    if !file.metadata()?.is_file() || file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests;
