//! Names that could be taken for other names (Unicode Technical Standard 39).

use unicode_security::{MixedScript, skeleton};

use super::hidden::is_invisible;

/// Whether a name of its own could mislead: it hides characters, or mixes scripts.
pub(super) fn odd(name: &str) -> Option<&'static str> {
    if name.chars().any(|c| is_invisible(c) || c.is_control()) {
        return Some("the name has characters that are not seen");
    }
    if name.chars().any(|c| c.is_whitespace()) && name.trim() != name {
        return Some("the name begins or ends with a space");
    }
    (!name.is_ascii() && !name.is_single_script()).then_some("the name mixes scripts")
}

/// Whether two names differ and could be taken for one another.
pub(super) fn alike(a: &str, b: &str) -> bool {
    a != b && keys(a).iter().any(|key| keys(b).contains(key))
}

/// What a name looks like, as it is and in small letters.
pub(super) fn keys(name: &str) -> [String; 2] {
    let seen: String = name.chars().filter(|c| !is_invisible(*c)).collect();
    let key = |name: &str| skeleton(name).collect::<String>().to_lowercase();
    [key(&seen), key(&seen.to_lowercase())]
}
