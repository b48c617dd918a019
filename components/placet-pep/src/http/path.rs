//! Paths: which are guarded, and which only look otherwise.

use super::config::ConfigError;

/// Whether a configured path can be compared byte for byte.
pub fn is_plain(path: &str) -> bool {
    path.starts_with('/')
        && path.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'%' | b';' | b'?' | b'#' | b'\\'))
        && !path.contains("//")
        && !path.split('/').any(|segment| matches!(segment, "." | ".."))
}

/// Path and query of a request target.
pub fn split(target: &str) -> (&str, Option<&str>) {
    match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    }
}

/// What some server might take a path for: escapes undone twice, other separators, empty and dot segments and path
/// parameters taken away, in lower case, without a slash at the end.
pub fn lax(path: &str) -> String {
    let decoded = decode_lossy(&decode_lossy(path)).to_lowercase();
    let mut segments: Vec<&str> = Vec::new();
    for segment in decoded.split(['/', '\\']) {
        let segment = segment.split(['?', '#', '\0']).next().unwrap_or_default();
        match segment.split(';').next().unwrap_or_default().trim() {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name),
        }
    }
    format!("/{}", segments.join("/"))
}

/// Whether a path can mean one thing only.
pub fn is_clear(path: &str) -> bool {
    let Some(decoded) = decode(path) else { return false };
    path.starts_with('/')
        && !path.contains("//")
        && !path.contains([';', '\\', '#'])
        && !decoded.split('/').any(|segment| matches!(segment, "." | ".."))
        && path.split('/').count() == decoded.split('/').count()
        && !decoded.contains(['\\', '%', ';'])
        && !decoded.chars().any(char::is_control)
        && path.bytes().all(|b| b.is_ascii_graphic())
}

/// Undoes escapes; `None` when one is broken or the text is not UTF-8.
pub fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high.saturating_mul(16).saturating_add(low)).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Undoes the escapes that are ones.
fn decode_lossy(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if let (b'%', [high, low, after @ ..]) = (byte, tail)
            && let (Some(high), Some(low)) = (char::from(*high).to_digit(16), char::from(*low).to_digit(16))
        {
            out.push(u8::try_from(high.saturating_mul(16).saturating_add(low)).unwrap_or(b'?'));
            rest = after;
        } else {
            out.push(*byte);
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A route's path, taken apart.
#[derive(Clone, Debug)]
pub struct Template {
    segments: Vec<Segment>,
}

#[derive(Clone, Debug)]
enum Segment {
    Literal(String),
    Name(String),
}

impl Template {
    /// # Errors
    /// What is wrong with it.
    pub fn parse(path: &str) -> Result<Template, String> {
        let bare: String = path.chars().filter(|c| !matches!(c, '{' | '}')).collect();
        if !is_plain(&bare) {
            return Err("write the path from the root, without `..`, `//`, `%`, `;`, `?` or `#`".to_owned());
        }
        let segment = |text: &str| match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(name) if !name.is_empty() && !name.contains(['{', '}']) => {
                Ok(Segment::Name(name.to_owned()))
            }
            None if !text.contains(['{', '}']) => Ok(Segment::Literal(text.to_owned())),
            _ => Err(format!("`{text}` is neither a text nor one name in braces")),
        };
        let segments: Result<Vec<Segment>, String> = path.split('/').map(segment).collect();
        let template = Template { segments: segments? };
        let mut names: Vec<&str> = template.names().collect();
        names.sort_unstable();
        names.dedup();
        if names.len() != template.names().count() {
            return Err("a name stands in it twice".to_owned());
        }
        Ok(template)
    }

    /// The names in braces.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Name(name) => Some(name.as_str()),
            Segment::Literal(_) => None,
        })
    }

    /// The values of the names, when a clear path matches.
    pub fn matches(&self, path: &str) -> Option<Vec<(String, String)>> {
        let parts: Vec<&str> = path.split('/').collect();
        if parts.len() != self.segments.len() {
            return None;
        }
        let mut values = Vec::new();
        for (segment, part) in self.segments.iter().zip(parts) {
            match segment {
                Segment::Literal(text) if text == part => {}
                Segment::Name(name) if !part.is_empty() => values.push((name.clone(), decode(part)?)),
                Segment::Literal(_) | Segment::Name(_) => return None,
            }
        }
        Some(values)
    }
}

/// Compiles a template that a configuration check has let through.
pub fn template(path: &str) -> Result<Template, ConfigError> {
    Template::parse(path).map_err(ConfigError)
}
