//! Filling the index.

use std::collections::BTreeMap;

use placet_model::Stage;

use super::keyed::{Key, KeySource, Keyed};
use super::names::{NameEntry, NameTable};
use super::{Bucket, GlobTries, Index, RuleGroup};
use crate::policy::{PolicySet, Rule};

/// With fewer rules than this in a bucket, looking a constant up costs more than it saves.
const WORTH_KEYING: usize = 5;

#[derive(Default)]
struct Draft {
    rules: BTreeMap<Stage, Vec<u32>>,
    limits: Vec<u32>,
    remember: Vec<u32>,
    results: Vec<u32>,
}

pub(super) fn build(set: &PolicySet) -> Index {
    let drafts = drafts(set);
    let numbers: BTreeMap<&str, u32> = drafts.keys().copied().zip(0..).collect();
    let is_glob = |name: &str| name.contains(['*', '?', '\\']);
    let globs = GlobTries::new(
        numbers.iter().filter(|(name, _)| is_glob(name)).map(|(name, &n)| ((*name).to_owned(), n)).collect(),
    );
    let mut names: BTreeMap<&str, NameEntry> = BTreeMap::new();
    let exact = numbers.keys().copied().filter(|name| !is_glob(name));
    for name in exact.chain(set.tools.iter().map(|tool| tool.name.as_str())) {
        names.entry(name).or_insert_with(|| {
            let mut buckets = globs.matching(name);
            buckets.extend(numbers.get(name).filter(|_| !is_glob(name)));
            buckets.sort_unstable();
            NameEntry { name: name.to_owned(), buckets, tools: Vec::new() }
        });
    }
    for (number, tool) in (0_u32..).zip(&set.tools) {
        if let Some(entry) = names.get_mut(tool.name.as_str()) {
            entry.tools.push(number);
        }
    }
    let buckets = drafts.into_values().map(|draft| bucket(set, draft)).collect();
    let (tenants, any_tenant) = tenants(set);
    Index { names: NameTable::new(names.into_values().collect()), globs, buckets, tenants, any_tenant }
}

fn drafts(set: &PolicySet) -> BTreeMap<&str, Draft> {
    let mut drafts: BTreeMap<&str, Draft> = BTreeMap::new();
    for (number, rule) in (0_u32..).zip(&set.rules) {
        for tool in &rule.tools {
            drafts.entry(tool).or_default().rules.entry(rule.stage).or_default().push(number);
        }
    }
    for (number, limit) in (0_u32..).zip(&set.limits) {
        limit.tools.iter().for_each(|tool| drafts.entry(tool).or_default().limits.push(number));
    }
    for (number, remember) in (0_u32..).zip(&set.remember) {
        remember.tools.iter().for_each(|tool| drafts.entry(tool).or_default().remember.push(number));
    }
    for (number, result) in (0_u32..).zip(&set.results) {
        result.tools.iter().for_each(|tool| drafts.entry(tool).or_default().results.push(number));
    }
    drafts
}

fn tenants(set: &PolicySet) -> (NameTable, Vec<u32>) {
    let mut any = Vec::new();
    let mut own: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (number, file) in (0_u32..).zip(&set.files) {
        if file.applies.tenants.is_empty() {
            any.push(number);
        }
        for tenant in &file.applies.tenants {
            own.entry(tenant).or_default().push(number);
        }
    }
    let entries = own.into_iter().map(|(name, buckets)| NameEntry {
        name: name.to_owned(),
        buckets,
        tools: Vec::new(),
    });
    (NameTable::new(entries.collect()), any)
}

fn bucket(set: &PolicySet, draft: Draft) -> Bucket {
    let rules = draft.rules.into_iter().map(|(stage, rules)| (stage, group(set, rules))).collect();
    Bucket { rules, limits: draft.limits, remember: draft.remember, results: draft.results }
}

/// The values that a rule can be filed under, each with the constants it would be filed at.
type Keys<'s> = Vec<(KeySource, Vec<Key<'s>>)>;

fn keys<'s>(set: &'s PolicySet, rule: &'s Rule) -> Keys<'s> {
    let mut keys = Vec::new();
    let file_tenants = set.files.get(rule.file as usize).map(|file| &file.applies.tenants);
    for tenants in file_tenants.into_iter().chain([&rule.applies.tenants]).filter(|t| !t.is_empty()) {
        keys.push((KeySource::Tenant, tenants.iter().map(|t| Key::Str(t)).collect()));
    }
    for key in &rule.keys {
        let constants = key.equals.iter().map(|&c| set.pool.constants.get(c as usize));
        let constants: Option<Vec<Key<'_>>> = constants.map(|c| c.and_then(Key::of_constant)).collect();
        if let Some(constants) = constants.filter(|c| !c.is_empty()) {
            keys.push((KeySource::Path(key.path), constants));
        }
    }
    keys
}

/// Files each rule under the source that tells most rules of the group apart.
fn group(set: &PolicySet, rules: Vec<u32>) -> RuleGroup {
    if rules.len() < WORTH_KEYING {
        return RuleGroup { plain: rules, keyed: Vec::new() };
    }
    let keys: Vec<(u32, Keys<'_>)> = rules
        .iter()
        .map(|&r| (r, set.rules.get(r as usize).map_or_else(Vec::new, |rule| keys(set, rule))))
        .collect();
    let mut distinct: BTreeMap<KeySource, std::collections::BTreeSet<&Key<'_>>> = BTreeMap::new();
    for (source, constants) in keys.iter().flat_map(|(_, keys)| keys) {
        distinct.entry(*source).or_default().extend(constants);
    }
    let worth = |source: &KeySource| distinct.get(source).map_or(0, |keys| keys.len());
    let mut plain = Vec::new();
    let mut filed: BTreeMap<KeySource, Vec<(Key<'_>, u32)>> = BTreeMap::new();
    for (rule, keys) in &keys {
        match keys.iter().filter(|(s, _)| worth(s) > 1).max_by_key(|(s, _)| (worth(s), std::cmp::Reverse(*s)))
        {
            Some((source, constants)) => {
                filed.entry(*source).or_default().extend(constants.iter().map(|k| (k.clone(), *rule)));
            }
            None => plain.push(*rule),
        }
    }
    let keyed = filed.into_iter().map(|(source, pairs)| Keyed::new(source, pairs.into_iter())).collect();
    RuleGroup { plain, keyed }
}
