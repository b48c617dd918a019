//! How what concerns a call is found without looking at what cannot: by the tool's name, then by constants.
//!
//! Everything with a `tools` list (rules, limits, what to remember, results) is filed under each distinct pattern, in
//! a [`Bucket`]. A tool name that the policy knows leads to its buckets by one hash lookup; any other name walks the
//! glob tries. Within a bucket, rules that a constant tells apart (`tenant`, `args.account == "…"`) are filed under
//! that constant, so that ten thousand of them cost as much as one.

mod build;
mod globs;
mod keyed;
mod names;

use placet_model::Stage;
use serde::{Deserialize, Serialize};

pub use globs::GlobTries;
pub use keyed::{Key, KeySource, Keyed};
pub use names::NameTable;

use crate::policy::PolicySet;

/// Made by [`PolicySet::seal`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Index {
    names: NameTable,
    globs: GlobTries,
    buckets: Vec<Bucket>,
    tenants: NameTable,
    /// Files that name no tenant.
    any_tenant: Vec<u32>,
}

/// What is filed under one tool pattern.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Rules by stage.
    pub rules: Vec<(Stage, RuleGroup)>,
    /// Indexes of limits.
    pub limits: Vec<u32>,
    /// Indexes of what to remember.
    pub remember: Vec<u32>,
    /// Indexes of obligations on results.
    pub results: Vec<u32>,
}

/// Rules of one bucket and stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleGroup {
    /// Rules that no constant tells apart.
    pub plain: Vec<u32>,
    /// Rules filed under constants, one table for each value they look at.
    pub keyed: Vec<Keyed>,
}

impl Index {
    /// Builds the index. The same policy gives the same index.
    pub fn build(set: &PolicySet) -> Index {
        build::build(set)
    }

    /// The buckets that concern a tool, and the tool's catalogue entries (indexes into [`PolicySet::tools`]).
    pub fn find(&self, tool: &str) -> Found<'_> {
        if let Some(entry) = self.names.get(tool) {
            return Found {
                buckets: std::borrow::Cow::Borrowed(&entry.buckets),
                tools: &entry.tools,
                index: self,
            };
        }
        Found { buckets: self.globs.matching(tool).into(), tools: &[], index: self }
    }

    /// Indexes of the files that may apply to a tenant: its own, and those that name none. Sorted.
    pub fn files(&self, tenant: &str) -> impl Iterator<Item = u32> {
        let own = self.tenants.get(tenant).map_or(&[][..], |entry| &entry.buckets);
        merge(own, &self.any_tenant)
    }
}

/// Two sorted, disjoint lists as one.
fn merge(a: &[u32], b: &[u32]) -> impl Iterator<Item = u32> {
    let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
    std::iter::from_fn(move || match (a.peek(), b.peek()) {
        (Some(x), Some(y)) if x <= y => a.next(),
        (Some(_), None) => a.next(),
        _ => b.next(),
    })
}

/// What [`Index::find`] found.
pub struct Found<'i> {
    buckets: std::borrow::Cow<'i, [u32]>,
    /// Indexes into [`PolicySet::tools`].
    pub tools: &'i [u32],
    index: &'i Index,
}

impl<'i> Found<'i> {
    /// The buckets, in the order of their patterns.
    pub fn buckets(&self) -> impl Iterator<Item = &'i Bucket> {
        let index = self.index;
        self.buckets.iter().filter_map(move |&b| index.buckets.get(b as usize))
    }
}

#[cfg(test)]
mod tests;
