//! The crates that decide do nothing but compute: no I/O, clock, randomness, globals, threads, async, hash order.

use anyhow::Result;

use super::tree::{Source, Tree, has_word};
use super::{Problem, lexer::is_word};

/// The crates that decide, and what linkage alone makes of them.
const CRATES: &[&str] = &[
    "components/placet-model",
    "components/placet-cel",
    "components/placet-engine",
    "components/placet-bundle",
    "components/placet-pdp",
    "components/placet-pep",
    "components/placet-embed",
    "components/placet-component",
    "components/placet-enforcement",
];

/// The one crate with state: the policy that a guest carries. It is the guest's own, and so are the names of the
/// exports with which `placet build` puts it there.
const STATEFUL: &str = "components/placet-embed";
/// How an export says its name, which is not what `unsafe` stands for elsewhere.
const EXPORT: &str = "#[unsafe(no_mangle)]";

/// Modules of `std`, and what to do instead.
const MODULES: &[(&str, &str)] = &[
    ("env", "the environment is not an input: take it as an argument"),
    ("fs", "files are the host's: take bytes"),
    ("io", "input and output are the host's: take and return bytes"),
    ("net", "sockets are the host's; addresses are in `core::net`"),
    ("process", "processes are the host's"),
    ("thread", "the host decides what runs at the same time"),
    ("time", "the only clock is the call's `now`"),
];

/// Words, and what to do instead.
const WORDS: &[(&str, &str)] = &[
    ("HashMap", "its order differs from run to run: use `BTreeMap` or a sorted `Vec`"),
    ("HashSet", "its order differs from run to run: use `BTreeSet` or a sorted `Vec`"),
    ("Instant", "the only clock is the call's `now`"),
    ("SystemTime", "the only clock is the call's `now`"),
    ("LazyLock", "it makes a global: compute at load time and pass a reference"),
    ("OnceLock", "it makes a global: compute at load time and pass a reference"),
    ("Mutex", "nothing is shared between threads here"),
    ("RwLock", "nothing is shared between threads here"),
    ("async", "these crates never wait: the host does"),
    ("await", "these crates never wait: the host does"),
    ("getrandom", "randomness is an input"),
    ("rand", "randomness is an input"),
    ("eprintln", "return what is to be said"),
    ("println", "return what is to be said"),
    ("unsafe", "these crates are safe code"),
];

/// None of them appears outside tests.
pub fn check(tree: &Tree) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for name in CRATES {
        let sources: Vec<_> = tree.sources.iter().filter(|s| s.is_in(&format!("{name}/src"))).collect();
        if sources.is_empty() {
            problems.push(Problem::new(*name, 0, "a pure crate without sources: mend `CRATES` in xtask"));
        }
        for source in sources {
            find(source, *name == STATEFUL, &mut problems);
        }
    }
    Ok(problems)
}

fn find(source: &Source, stateful: bool, problems: &mut Vec<Problem>) {
    let mut add = |line: usize, what: &str, instead: &str| {
        let message = format!("`{what}` in a pure crate: {instead}");
        problems.push(Problem::new(&source.path, line, message));
    };
    for (number, line) in source.shipped() {
        if stateful && line.trim() == EXPORT {
            continue;
        }
        for (word, instead) in WORDS {
            if has_word(line, word) {
                add(number, word, instead);
            }
        }
        if line.contains("static mut ") {
            add(number, "static mut", "pass state as an argument");
        }
        if !stateful && has_word(line, "thread_local") {
            add(number, "thread_local!", "pass state as an argument");
        }
        if line.contains("Atomic") {
            add(number, "Atomic…", "nothing is shared between threads here");
        }
    }
    for (number, module) in modules_of_std(source) {
        if let Some((name, instead)) = MODULES.iter().find(|(name, _)| *name == module) {
            add(number, &format!("std::{name}"), instead);
        }
    }
}

/// The modules of `std` that a source names, alone (`std::fs`) or in a list (`std::{fs, net}`).
fn modules_of_std(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut list: Option<usize> = None;
    for (number, line) in source.shipped() {
        let mut rest = line;
        loop {
            if let Some(depth) = &mut list {
                let name_ends = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                let (name, after) = rest.split_at(name_ends);
                if *depth == 1 && !name.is_empty() {
                    found.push((number, name.to_owned()));
                }
                match after.chars().next() {
                    None => break,
                    Some('{') => *depth += 1,
                    Some('}') if *depth == 1 => list = None,
                    Some('}') => *depth -= 1,
                    // What follows a name in the list belongs to that name.
                    Some(':') if *depth == 1 => {
                        let end = after.find([',', '{', '}']).unwrap_or(after.len());
                        rest = &after[end..];
                        continue;
                    }
                    Some(_) => {}
                }
                rest = after.split_at(after.chars().next().map_or(0, char::len_utf8)).1;
            } else {
                let Some(at) = super::tree::find_word(rest, "std::") else { break };
                rest = &rest[at + "std::".len()..];
                if let Some(after) = rest.strip_prefix('{') {
                    list = Some(1);
                    rest = after;
                } else {
                    let name: String = rest.chars().take_while(|c| is_word(*c)).collect();
                    found.push((number, name));
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tree::{Line, Source};
    use super::modules_of_std;

    #[test]
    fn modules() {
        for (code, expected) in [
            ("use std::fs;", vec!["fs"]),
            ("use std::{fs, net::{self, env}, str};", vec!["fs", "net", "str"]),
            ("use std::{\nfs,\nio::Write,\n};\nlet a = std::env::var();", vec!["fs", "io", "env"]),
            ("use placet_std::fs; core::net::IpAddr", vec![]),
        ] {
            let lines = code.lines().map(|l| Line { code: l.to_owned(), test: false }).collect();
            let found = modules_of_std(&Source { path: String::new(), lines });
            let found: Vec<_> = found.iter().map(|(_, name)| name.as_str()).collect();
            assert_eq!(found, expected, "{code}");
        }
    }
}
