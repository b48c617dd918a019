//! Finding sources.

use std::path::{Path, PathBuf};

use super::diagnostic::Source;

/// Largest policy or schema file in bytes.
const MAX_BYTES: u64 = 16 << 20;

/// Reads a policy file, or every `*.yaml` and `*.yml` below a folder but those in folders named `tests`.
///
/// # Errors
/// What cannot be read, and why.
pub fn load(path: &Path) -> Result<Vec<Source>, String> {
    let mut files = Vec::new();
    if path.is_dir() {
        walk(path, &mut files, 0)?;
        files.sort();
        if files.is_empty() {
            return Err(format!("`{}` holds no *.yaml or *.yml file", path.display()));
        }
    } else {
        files.push(path.to_owned());
    }
    files.iter().map(|file| Ok(Source { name: file.display().to_string(), text: text(file)? })).collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>, depth: usize) -> Result<(), String> {
    if depth > 16 {
        return Err(format!("`{}` is nested too deeply", folder.display()));
    }
    let entries =
        std::fs::read_dir(folder).map_err(|e| format!("`{}` cannot be read: {e}", folder.display()))?;
    for entry in entries {
        let path = entry.map_err(|e| format!("`{}` cannot be read: {e}", folder.display()))?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
        let is_yaml = matches!(path.extension().and_then(|e| e.to_str()), Some("yaml" | "yml"));
        if path.is_dir() && name != "tests" && !name.starts_with('.') {
            walk(&path, files, depth + 1)?;
        } else if is_yaml && path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

/// The text of a file.
///
/// # Errors
/// When it cannot be read, is too large, or is not UTF-8.
pub fn text(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let size = std::fs::metadata(path).map_err(|e| format!("`{shown}` cannot be read: {e}"))?.len();
    if size > MAX_BYTES {
        return Err(format!("`{shown}` is larger than {MAX_BYTES} bytes"));
    }
    let bytes = std::fs::read(path).map_err(|e| format!("`{shown}` cannot be read: {e}"))?;
    String::from_utf8(bytes)
        .map_err(|e| format!("`{shown}` is not valid UTF-8 at byte {}", e.utf8_error().valid_up_to()))
}
