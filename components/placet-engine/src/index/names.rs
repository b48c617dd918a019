//! An immutable hash table from names to lists of indexes: open addressing at half load, FNV-1a.

use serde::{Deserialize, Serialize};

/// What is known of one name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NameEntry {
    /// The name.
    pub name: String,
    /// Bucket indexes (of tool names) or file indexes (of tenants), sorted.
    pub buckets: Vec<u32>,
    /// Catalogue entries, sorted.
    pub tools: Vec<u32>,
}

/// The table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NameTable {
    entries: Vec<NameEntry>,
    /// `entry index + 1`, or 0 for an empty slot; a power of two long.
    slots: Vec<u32>,
}

/// FNV-1a, 64 bits.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

impl NameTable {
    /// A table of these entries, whose names are distinct.
    pub fn new(entries: Vec<NameEntry>) -> NameTable {
        let mut slots = vec![0_u32; (entries.len().max(1) * 2).next_power_of_two()];
        let mask = slots.len() - 1;
        for (number, entry) in (1_u32..).zip(&entries) {
            let mut at = hash(entry.name.as_bytes()) as usize & mask;
            while slots.get(at).is_some_and(|&slot| slot != 0) {
                at = (at + 1) & mask;
            }
            if let Some(slot) = slots.get_mut(at) {
                *slot = number;
            }
        }
        NameTable { entries, slots }
    }

    /// The entry of this name.
    pub fn get(&self, name: &str) -> Option<&NameEntry> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash(name.as_bytes()) as usize & mask;
        // A table from a damaged bundle may have no empty slot: never probe more often than there are slots.
        for _ in 0..self.slots.len() {
            let number = *self.slots.get(at)?;
            let entry = self.entries.get((number as usize).checked_sub(1)?)?;
            if entry.name == name {
                return Some(entry);
            }
            at = (at + 1) & mask;
        }
        None
    }
}
