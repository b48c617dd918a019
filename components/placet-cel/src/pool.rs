//! A pool made ready for evaluation: automata and time zones are read once, when the policy is opened.

use std::fmt;

use jiff::tz::TimeZone;
use regex_automata::Input;
use regex_automata::dfa::Automaton as _;
use regex_automata::dfa::sparse::DFA;

use crate::error::EvalError;
use crate::program::{Constant, Pool};

/// A [`Pool`] with its automata and zones read and checked. Owns everything.
#[derive(Clone)]
pub struct OpenPool {
    pool: Pool,
    automata: Vec<DFA<Vec<u8>>>,
    zones: Vec<(Box<str>, TimeZone)>,
    /// For every constant that is a long list of strings: its strings' positions in sorted order.
    sets: Vec<Option<Box<[u32]>>>,
}

/// Lists at least this long get an index.
const INDEXED: usize = 8;
/// Constants may not nest deeper.
const MAX_CONSTANT_DEPTH: usize = 100;

impl OpenPool {
    /// Reads automata and zones. The bytes of automata and zones are moved out of the pool.
    ///
    /// # Errors
    /// `Program` when an automaton or zone is damaged or a constant nests too deeply.
    pub fn open(mut pool: Pool) -> Result<OpenPool, EvalError> {
        if !pool.constants.iter().all(|c| is_shallow(c, MAX_CONSTANT_DEPTH)) {
            return Err(EvalError::program("a constant is nested too deeply"));
        }
        let automata = pool.automata.iter_mut().map(|a| read_automaton(&std::mem::take(&mut a.dfa)));
        let automata = automata.collect::<Result<_, _>>()?;
        let mut zones = pool
            .zones
            .iter_mut()
            .map(|(name, tzif)| match TimeZone::tzif(name, &std::mem::take(tzif)) {
                Ok(zone) => Ok((name.clone(), zone)),
                Err(_) => Err(EvalError::program(format!("the rules of time zone `{name}` are damaged"))),
            })
            .collect::<Result<Vec<_>, _>>()?;
        zones.sort_by(|a, b| a.0.cmp(&b.0));
        let sets = pool.constants.iter().map(index).collect();
        Ok(OpenPool { pool, automata, zones, sets })
    }

    /// The pool; its automata's and zones' bytes are empty.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The constant with this index.
    ///
    /// # Errors
    /// `Program` when there is none.
    pub fn constant(&self, index: u32) -> Result<&Constant, EvalError> {
        let found = self.pool.constants.get(index as usize);
        found.ok_or_else(|| EvalError::program("the program names a constant that is not there"))
    }

    /// Whether the automaton with this index finds a match anywhere in the text.
    ///
    /// # Errors
    /// `Program` when there is none, `Value` when the automaton gives up on the text.
    pub fn is_match(&self, index: u32, text: &str) -> Result<bool, EvalError> {
        let Some(dfa) = self.automata.get(index as usize) else {
            return Err(EvalError::program("the program names an automaton that is not there"));
        };
        match dfa.try_search_fwd(&Input::new(text).earliest(true)) {
            Ok(found) => Ok(found.is_some()),
            Err(_) => Err(EvalError::value("the regular expression cannot decide this text")),
        }
    }

    /// The time zone with this IANA name, if the policy names it.
    pub(crate) fn zone(&self, name: &str) -> Option<&TimeZone> {
        let at = self.zones.binary_search_by(|(n, _)| (**n).cmp(name)).ok()?;
        self.zones.get(at).map(|(_, zone)| zone)
    }

    /// Whether the indexed string list holds the text; nothing when that constant has no index.
    pub(crate) fn set_contains(&self, constant: u32, text: &str) -> Option<bool> {
        let order = self.sets.get(constant as usize)?.as_ref()?;
        let Some(Constant::List(items)) = self.pool.constants.get(constant as usize) else { return None };
        Some(order.binary_search_by(|&at| text_at(items, at).cmp(text)).is_ok())
    }
}

impl fmt::Debug for OpenPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenPool").field("pool", &self.pool).finish_non_exhaustive()
    }
}

fn read_automaton(bytes: &[u8]) -> Result<DFA<Vec<u8>>, EvalError> {
    match DFA::from_bytes(bytes) {
        Ok((dfa, _)) => Ok(dfa.to_owned()),
        Err(_) => Err(EvalError::program("the automaton of a regular expression is damaged")),
    }
}

fn index(constant: &Constant) -> Option<Box<[u32]>> {
    let Constant::List(items) = constant else { return None };
    if items.len() < INDEXED || !items.iter().all(|item| matches!(item, Constant::String(_))) {
        return None;
    }
    let mut order: Vec<u32> = (0..u32::try_from(items.len()).ok()?).collect();
    order.sort_by(|a, b| text_at(items, *a).cmp(text_at(items, *b)));
    Some(order.into_boxed_slice())
}

fn text_at(items: &[Constant], at: u32) -> &str {
    match items.get(at as usize) {
        Some(Constant::String(text)) => text,
        _ => "",
    }
}

fn is_shallow(constant: &Constant, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    match constant {
        Constant::List(items) => items.iter().all(|item| is_shallow(item, depth)),
        Constant::Map(entries) => entries.iter().all(|(k, v)| is_shallow(k, depth) && is_shallow(v, depth)),
        _ => true,
    }
}
