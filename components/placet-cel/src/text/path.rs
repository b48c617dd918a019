//! File and URL paths as a server will resolve them.

use crate::error::EvalError;

/// Percent-encoding may be nested so often.
const MAX_DECODINGS: usize = 8;

/// The absolute path that a path means: percent-decoded until nothing changes, `.`, `..` and empty segments resolved,
/// no slash at the end. `/a//b/./c/../%2e%2e/d` is `/a/d`.
///
/// # Errors
/// When the path is relative, leads above the root, has a NUL or another control character, has a `\` (some systems
/// take it for a separator, some do not), or is not UTF-8 after decoding.
pub fn normalise(path: &str) -> Result<String, EvalError> {
    let decoded = decode_fully(path)?;
    if decoded.chars().any(|c| c.is_control()) {
        return Err(EvalError::value("the path has a control character"));
    }
    if decoded.contains('\\') {
        return Err(EvalError::value("the path has a `\\`, which not every system reads in the same way"));
    }
    let Some(rest) = decoded.strip_prefix('/') else {
        return Err(EvalError::value("the path is not absolute"));
    };
    let mut segments: Vec<&str> = Vec::new();
    for segment in rest.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                if segments.pop().is_none() {
                    return Err(EvalError::value("the path leads above the root"));
                }
            }
            name => segments.push(name),
        }
    }
    Ok(format!("/{}", segments.join("/")))
}

fn decode_fully(path: &str) -> Result<String, EvalError> {
    let mut text = path.to_owned();
    for _ in 0..MAX_DECODINGS {
        match decode(&text)? {
            Some(decoded) => text = decoded,
            None => return Ok(text),
        }
    }
    Err(EvalError::value("the path is percent-encoded too many times over"))
}

/// One round of percent-decoding; nothing when there is nothing to decode.
fn decode(text: &str) -> Result<Option<String>, EvalError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        match (first, after) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(nibble(*high) << 4 | nibble(*low));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    if bytes.len() == text.len() {
        return Ok(None);
    }
    match String::from_utf8(bytes) {
        Ok(decoded) => Ok(Some(decoded)),
        Err(_) => Err(EvalError::value("the path is not UTF-8 after percent-decoding")),
    }
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.saturating_sub(b'A') + 10,
    }
}
