//! The repository as the checks see it: Rust sources without their comments, manifests, and the other files' names.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::lexer::{code, is_word};

/// The repository.
pub struct Tree {
    /// Every `.rs` file.
    pub sources: Vec<Source>,
    /// Every `Cargo.toml` but the workspace's.
    pub manifests: Vec<Manifest>,
    /// Every file, from the root, with `/`.
    pub files: Vec<String>,
    /// What the top level holds.
    pub top: Vec<String>,
    root: std::path::PathBuf,
}

/// A Rust source file.
pub struct Source {
    /// From the root, with `/`.
    pub path: String,
    /// The text without comments and the contents of literals, line by line.
    pub lines: Vec<Line>,
}

/// A line of code.
pub struct Line {
    /// What is left of it.
    pub code: String,
    /// Whether it is only built for tests.
    pub test: bool,
}

/// A package's `Cargo.toml`.
pub struct Manifest {
    /// From the root, with `/`.
    pub path: String,
    /// The package's name.
    pub package: String,
    /// What it says.
    pub table: toml::Table,
}

impl Tree {
    /// Reads all of it.
    ///
    /// # Errors
    /// When a file cannot be read or is not what its name says.
    pub fn read(root: &Path) -> Result<Tree> {
        let ignored = ignored(root)?;
        let mut files = Vec::new();
        let top = list(root, "", &ignored, &mut files)?;
        let mut tree =
            Tree { sources: Vec::new(), manifests: Vec::new(), files, top, root: root.to_path_buf() };
        for path in &tree.files {
            if path.ends_with(".rs") {
                tree.sources.push(Source::new(path, &tree.text(path)?));
            } else if path.ends_with("/Cargo.toml") {
                tree.manifests.push(Manifest::new(path, &tree.text(path)?)?);
            }
        }
        Ok(tree)
    }

    /// A file's text.
    ///
    /// # Errors
    /// When it cannot be read or is not UTF-8.
    pub fn text(&self, path: &str) -> Result<String> {
        std::fs::read_to_string(self.root.join(path)).with_context(|| format!("cannot read `{path}`"))
    }

    /// The repository's root.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        let code = code(text);
        let in_tests = path.split('/').any(|part| part == "tests" || part == "tests.rs" || part == "benches");
        let test = if in_tests { vec![true; code.lines().count()] } else { test_lines(&code) };
        let lines = code.lines().zip(test).map(|(line, test)| Line { code: line.to_owned(), test }).collect();
        Source { path: path.to_owned(), lines }
    }

    /// Whether it lies in a directory.
    pub fn is_in(&self, dir: &str) -> bool {
        self.path.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The lines that ship, with their numbers from 1.
    pub fn shipped(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines.iter().enumerate().filter(|(_, l)| !l.test).map(|(at, l)| (at + 1, l.code.as_str()))
    }
}

impl Manifest {
    fn new(path: &str, text: &str) -> Result<Manifest> {
        let table: toml::Table = text.parse().with_context(|| format!("`{path}` is not TOML"))?;
        let package = table.get("package").and_then(|package| package.get("name"));
        let package = package.and_then(toml::Value::as_str).unwrap_or_default().to_owned();
        Ok(Manifest { path: path.to_owned(), package, table })
    }

    /// The names in one of its tables of dependencies.
    pub fn dependencies(&self, table: &str) -> impl Iterator<Item = &str> {
        let table = self.table.get(table).and_then(toml::Value::as_table);
        table.into_iter().flat_map(|table| table.keys().map(String::as_str))
    }
}

/// Which lines belong to items under `#[cfg(test)]`.
fn test_lines(code: &str) -> Vec<bool> {
    const ATTRIBUTE: &str = "#[cfg(test)]";
    let mut test = vec![false; code.lines().count()];
    let mut from = 0;
    while let Some(found) = code[from..].find(ATTRIBUTE) {
        let start = from + found;
        let end = start + ATTRIBUTE.len() + item(&code[start + ATTRIBUTE.len()..]);
        let (first, last) = (code[..start].matches('\n').count(), code[..end].matches('\n').count());
        for line in test.iter_mut().take(last + 1).skip(first) {
            *line = true;
        }
        from = end;
    }
    test
}

/// The length of an item: up to its semicolon, or to the brace that closes its body.
fn item(code: &str) -> usize {
    let braces_are_names = code.trim_start().starts_with("use ");
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            ';' if depth == 0 => return at,
            '{' => depth += 1,
            '}' if depth <= 1 && !braces_are_names => return at,
            '}' if depth == 0 => return at,
            '}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// Where a word begins in a line of code: not in the middle of a longer one.
pub fn find_word(line: &str, word: &str) -> Option<usize> {
    let mut hits = line.match_indices(word);
    hits.find(|(at, _)| !line[..*at].ends_with(is_word)).map(|(at, _)| at)
}

/// Whether a word stands by itself in a line of code.
pub fn has_word(line: &str, word: &str) -> bool {
    let mut hits = line.match_indices(word);
    hits.any(|(at, _)| !line[..at].ends_with(is_word) && !line[at + word.len()..].starts_with(is_word))
}

/// What `.gitignore` says.
fn ignored(root: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(root.join(".gitignore")).context("cannot read `.gitignore`")?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(|line| line.trim_matches('/').to_owned()).collect())
}

/// Adds the files below a directory, sorted, and returns what the directory itself holds.
fn list(root: &Path, dir: &str, ignored: &[String], files: &mut Vec<String>) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root.join(dir)).with_context(|| format!("cannot list `{dir}`"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let skip = |pattern: &String| {
            name == *pattern || pattern.strip_prefix('*').is_some_and(|suffix| name.ends_with(suffix))
        };
        if name != ".git" && !ignored.iter().any(skip) {
            names.push(name);
        }
    }
    names.sort();
    for name in &names {
        let path = if dir.is_empty() { name.clone() } else { format!("{dir}/{name}") };
        if root.join(&path).is_dir() {
            list(root, &path, ignored, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::{find_word, has_word, test_lines};

    #[test]
    fn items_under_test() {
        for (code, expected) in [
            ("fn a() {}\n#[cfg(test)]\nmod tests;\nfn b() {}", "-tt-"),
            ("#[cfg(test)]\nmod tests {\n  fn a() { }\n}\nfn b() {}", "tttt-"),
            ("#[cfg(test)]\nuse a::{b, c};\nfn b() {}", "tt-"),
            ("fn a() {}", "-"),
        ] {
            let found: String = test_lines(code).iter().map(|test| if *test { 't' } else { '-' }).collect();
            assert_eq!(found, expected, "{code}");
        }
    }

    #[test]
    fn words() {
        assert!(has_word("use std::fs;", "std::fs"));
        assert!(!has_word("let my_std::fsx", "std::fs"));
        assert!(has_word("rand rands", "rand") && !has_word("rands", "rand"));
        assert_eq!(find_word("a placet_cel::x, cel::y", "cel::"), Some(17));
    }
}
