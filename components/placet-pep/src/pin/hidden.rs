//! What a catalogue's entry should not hold: text that people do not see and models read, and text that tells models what
//! to do.
//!
//! The tables are short on purpose. A description may say when its tool is to be used, and with what; it has no reason to
//! speak of earlier instructions, of what the user must not learn, or of keys in somebody's home folder. What is found has
//! to be accepted by a person once, nothing more.

use placet_model::{Json, Kind as JsonKind};
use unicode_security::MixedScript;

use super::{Kind, quoted};

/// Marks that chat templates use, in small letters.
const TEMPLATE: [&str; 9] = [
    "<|im_start|>",
    "<|im_end|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|endoftext|>",
    "[inst]",
    "<<sys>>",
    "<|eot_id|>",
];

/// Elements that give a text a weight or a speaker: on their own, or only as a pair (some are honest placeholders).
const ELEMENTS: [(&str, bool); 12] = [
    ("important", false),
    ("system", true),
    ("secret", true),
    ("hidden", true),
    ("instructions", true),
    ("instruction", true),
    ("assistant", true),
    ("critical", true),
    ("override", true),
    ("sudo", true),
    ("system_prompt", true),
    ("system-reminder", false),
];

/// Longest run of Base64 that passes, in characters; a digest of 64 bytes has 88.
const BASE64: usize = 160;
/// Longest run of white space that passes, in characters: more pushes what follows out of sight.
const SPACES: usize = 200;

/// A step of a phrase.
enum Step {
    /// One of these words.
    One(&'static [&'static str]),
    /// At most so many words.
    Gap(usize),
}
use Step::{Gap, One};

/// Sentences that address the model, as words in small letters.
const PHRASES: [&[Step]; 10] = [
    &[One(IGNORE), Gap(3), One(&["previous", "prior", "above", "earlier", "preceding"]), Gap(2), One(ORDERS)],
    &[One(IGNORE), Gap(1), One(&["your"]), Gap(2), One(ORDERS)],
    &[One(&["do", "must", "should"]), One(&["not"]), One(SAY), Gap(6), One(PEOPLE)],
    &[One(&["don", "never"]), Gap(1), One(SAY), Gap(6), One(PEOPLE)],
    &[One(&["without"]), One(&["telling", "informing"]), Gap(1), One(PEOPLE)],
    &[One(&["hide", "conceal"]), Gap(4), One(&["from"]), Gap(1), One(PEOPLE)],
    &[One(&["before"]), One(USING), One(&["this"]), One(&["tool"]), Gap(5), One(&["read", "open", "access"])],
    &[One(&["read", "open", "cat", "include", "send", "attach", "upload"]), Gap(8), One(SECRETS)],
    &[One(TELL), Gap(4), One(&["your"]), One(&["system"]), One(&["prompt", "instructions"])],
    &[One(&["you"]), One(&["are"]), One(&["now"]), Gap(3), One(&["mode", "unrestricted", "jailbroken"])],
];
const IGNORE: &[&str] = &["ignore", "disregard", "forget"];
const ORDERS: &[&str] =
    &["instruction", "instructions", "prompt", "prompts", "rules", "directions", "guidelines"];
const SAY: &[&str] = &["tell", "inform", "mention", "reveal", "disclose"];
const PEOPLE: &[&str] = &["user", "users", "human"];
const USING: &[&str] = &["using", "calling", "invoking", "running", "executing"];
const TELL: &[&str] = &["print", "reveal", "repeat", "output", "send", "include", "append"];
/// What nobody's tool has to be told to read.
const SECRETS: &[&str] = &["id_rsa", "id_ed25519", ".ssh", "passwd", "mcp.json", ".netrc", ".aws"];

/// Whether a character is not seen but read.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}')
}

/// What is found in an entry, where, and what of it. Pictures are not looked at, and the name is compared with others.
pub(super) fn search(tool: Json<'_>) -> Vec<(Kind, String)> {
    let mut found = Vec::new();
    for (name, value) in tool.members().filter(|(name, _)| name != "icons" && name != "name") {
        walk(&name, value, &mut found);
    }
    found.sort();
    found.dedup_by(|a, b| a.0 == b.0);
    found
}

fn walk(path: &str, value: Json<'_>, found: &mut Vec<(Kind, String)>) {
    match value.kind() {
        JsonKind::String => {
            let text = value.as_str().unwrap_or_default();
            found.extend(of_text(&text).map(|(kind, what)| (kind, format!("{what} in {}", quoted(path)))));
        }
        JsonKind::Array => value.elements().for_each(|element| walk(path, element, found)),
        JsonKind::Object => {
            for (name, value) in value.members() {
                if let Some((kind, what)) = of_text(&name) {
                    found.push((kind, format!("{what} in a name below {}", quoted(path))));
                }
                walk(&format!("{path}.{name}"), value, found);
            }
        }
        _ => {}
    }
}

/// What is wrong with one text.
fn of_text(text: &str) -> Option<(Kind, String)> {
    let hidden = unseen(text).or_else(|| markup(text)).or_else(|| encoded(text)).or_else(|| disguised(text));
    hidden.map(|what| (Kind::HiddenText, what)).or_else(|| Some((Kind::Instructions, phrase(text)?)))
}

/// Characters that are not seen. Joiners between letters that need them, marks of direction, soft hyphens, single
/// variation selectors and flags are honest.
fn unseen(text: &str) -> Option<String> {
    let text = without_flags(text);
    let chars: Vec<char> = text.chars().collect();
    let at = |i: Option<usize>| i.and_then(|i| chars.get(i)).copied();
    for (i, c) in chars.iter().copied().enumerate() {
        let (before, after) = (at(i.checked_sub(1)), at(i.checked_add(1)));
        let plain = |c: Option<char>| c.is_none_or(|c| c.is_ascii() || is_invisible(c));
        let selects = |c: char| matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}');
        let bad = match c {
            '\t' | '\n' | '\r' | '\u{ad}' | '\u{61c}' | '\u{200e}' | '\u{200f}' => false,
            '\u{feff}' => i > 0,
            '\u{200b}'..='\u{200d}' => plain(before) && plain(after),
            c if selects(c) => before.is_none_or(selects),
            c => c.is_control() || is_invisible(c),
        };
        if bad {
            return Some(format!("the unseen character U+{:04X}", u32::from(c)));
        }
    }
    let mut run = 0_usize;
    for c in chars {
        run = if c.is_whitespace() { run.saturating_add(1) } else { 0 };
        if run > SPACES {
            return Some("white space that pushes text out of sight".to_owned());
        }
    }
    None
}

/// The text without flags of regions: a black flag, up to six tag characters, and the tag that ends them.
fn without_flags(text: &str) -> String {
    let mut parts = text.split('\u{1f3f4}');
    let mut left = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let tags: Vec<char> = part.chars().take_while(|c| matches!(c, '\u{e0061}'..='\u{e007a}')).collect();
        let rest = part.get(tags.iter().map(|c| c.len_utf8()).sum::<usize>()..).unwrap_or_default();
        match rest.strip_prefix('\u{e007f}') {
            Some(rest) if (4..=6).contains(&tags.len()) => left.push_str(rest),
            _ => left.push_str(part),
        }
    }
    left
}

fn markup(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    if lower.contains("<!--") {
        return Some("an HTML comment".to_owned());
    }
    if let Some(mark) = TEMPLATE.iter().find(|mark| lower.contains(**mark)) {
        return Some(format!("the mark `{mark}` of chat templates"));
    }
    let opens = |name: &str| {
        let mut after = lower.match_indices('<').filter_map(|(at, _)| lower.get(at.saturating_add(1)..));
        let ends = |rest: &str| {
            rest.trim_start().starts_with(['>', '/'])
                || rest.starts_with(char::is_whitespace) && rest.contains('>')
        };
        after.any(|after| after.trim_start().strip_prefix(name).is_some_and(ends))
    };
    let closes = |name: &str| lower.contains(&format!("</{name}"));
    let found = ELEMENTS.iter().find(|(name, pair)| opens(name) && (!pair || closes(name)));
    found.map(|(name, _)| format!("the element `<{name}>`"))
}

fn encoded(text: &str) -> Option<String> {
    let code = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '_' | '-');
    let long = |run: &&str| {
        run.len() > BASE64
            && run.contains(|c: char| c.is_ascii_uppercase())
            && run.contains(|c: char| c.is_ascii_lowercase())
            && run.contains(|c: char| c.is_ascii_digit())
    };
    let run = text.split(|c| !code(c)).find(long)?;
    Some(format!("{} characters of what may be Base64", run.len()))
}

/// A word that mixes Latin and Cyrillic letters reads as another one. (Greek letters stand in honest units.)
fn disguised(text: &str) -> Option<String> {
    let cyrillic = |c: char| matches!(c, '\u{400}'..='\u{52f}');
    let words = text.split(|c: char| !c.is_alphabetic());
    let mixed = |word: &&str| {
        word.contains(cyrillic)
            && word.contains(|c: char| c.is_ascii_alphabetic())
            && !word.is_single_script()
    };
    words
        .filter(|word| word.chars().count() >= 4)
        .find(mixed)
        .map(|word| format!("the mixed word {}", quoted(word)))
}

fn phrase(text: &str) -> Option<String> {
    let lower = text.to_lowercase().replace(['\u{2019}', '\u{ad}'], "'");
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let words = lower.split(|c| !part(c)).map(|word| word.trim_end_matches('.'));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    for start in 0..words.len() {
        let rest = words.get(start..).unwrap_or_default();
        for phrase in PHRASES {
            if let Some(length) = matched(phrase, rest) {
                return Some(format!(
                    "the words {}",
                    quoted(&rest.iter().take(length).copied().collect::<Vec<_>>().join(" "))
                ));
            }
        }
    }
    None
}

/// How many words the phrase takes, if the words begin with it.
fn matched(phrase: &[Step], words: &[&str]) -> Option<usize> {
    let Some((step, rest)) = phrase.split_first() else { return Some(0) };
    match step {
        One(of) => {
            let (word, after) = words.split_first()?;
            let rest = of.contains(word).then(|| matched(rest, after))??;
            rest.checked_add(1)
        }
        Gap(most) => (0..=*most).find_map(|skip| matched(rest, words.get(skip..)?)?.checked_add(skip)),
    }
}
