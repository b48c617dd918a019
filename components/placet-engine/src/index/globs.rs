//! Glob patterns by their literal beginning, or, when they begin with a wildcard, by their literal end.

use placet_cel::text::glob;
use serde::{Deserialize, Serialize};

/// Two byte tries over patterns with wildcards.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GlobTries {
    patterns: Vec<(String, u32)>,
    /// By literal prefix; also holds patterns that have neither.
    forward: Trie,
    /// By literal suffix, read backwards: patterns that begin with a wildcard.
    backward: Trie,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Trie {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Node {
    /// Sorted by byte.
    children: Vec<(u8, u32)>,
    /// Patterns whose literal part ends here.
    here: Vec<u32>,
}

impl Trie {
    fn insert(&mut self, bytes: impl Iterator<Item = u8>, pattern: u32) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let mut at = 0_usize;
        for byte in bytes {
            let next = self.nodes.len() as u32;
            let Some(node) = self.nodes.get_mut(at) else { return };
            at = match node.children.binary_search_by_key(&byte, |c| c.0) {
                Ok(i) => node.children.get(i).map_or(0, |c| c.1 as usize),
                Err(i) => {
                    node.children.insert(i, (byte, next));
                    self.nodes.push(Node::default());
                    next as usize
                }
            };
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.here.push(pattern);
        }
    }

    fn collect(&self, bytes: impl Iterator<Item = u8>, out: &mut Vec<u32>) {
        let Some(mut node) = self.nodes.first() else { return };
        out.extend_from_slice(&node.here);
        for byte in bytes {
            let Ok(i) = node.children.binary_search_by_key(&byte, |c| c.0) else { return };
            let Some(next) = node.children.get(i).and_then(|c| self.nodes.get(c.1 as usize)) else { return };
            node = next;
            out.extend_from_slice(&node.here);
        }
    }
}

impl GlobTries {
    /// Tries over `(pattern, bucket)` pairs.
    pub fn new(patterns: Vec<(String, u32)>) -> GlobTries {
        let mut tries = GlobTries { patterns, ..GlobTries::default() };
        for (number, (pattern, _)) in (0_u32..).zip(&tries.patterns) {
            let is_special = |c: char| matches!(c, '*' | '?' | '\\');
            let prefix = pattern.find(is_special).unwrap_or(pattern.len());
            let suffix = pattern.rfind(is_special).map_or(0, |i| i + 1);
            // An escape at the end could belong to the suffix's first character: such a pattern goes forward.
            if prefix == 0 && suffix < pattern.len() && !pattern.contains('\\') {
                tries.backward.insert(pattern.bytes().skip(suffix).rev(), number);
            } else {
                tries.forward.insert(pattern.bytes().take(prefix), number);
            }
        }
        tries
    }

    /// The buckets of the patterns that match, sorted.
    pub fn matching(&self, name: &str) -> Vec<u32> {
        let mut candidates = Vec::new();
        self.forward.collect(name.bytes(), &mut candidates);
        self.backward.collect(name.bytes().rev(), &mut candidates);
        let mut buckets: Vec<u32> = candidates
            .iter()
            .filter_map(|&c| self.patterns.get(c as usize))
            // The compiler refuses patterns that are not globs; one in a damaged bundle matches nothing.
            .filter(|(pattern, _)| glob::matches(name, pattern).unwrap_or(false))
            .map(|&(_, bucket)| bucket)
            .collect();
        buckets.sort_unstable();
        buckets
    }
}
