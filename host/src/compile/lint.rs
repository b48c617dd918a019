//! Warnings: rules that cannot take effect, tools that nothing speaks about.

use placet_cel::text::glob;
use placet_engine::policy::{Rule, Selector};
use placet_model::{Stage, Verdict};

use super::decode::Builder;
use super::reader::Reader;

pub fn lint(builder: &Builder, readers: &mut [&mut Reader]) {
    shadowed(builder, readers);
    powerless(builder, readers);
    unmentioned(builder, readers);
    if !builder.set.files.is_empty() && builder.set.files.iter().all(|f| f.shadow) {
        for reader in readers {
            reader.warning(
                "all-shadow",
                &(0..1),
                "every policy is in shadow mode: nothing is enforced",
                None,
            );
        }
    }
}

fn applies_always(rule: &Rule) -> bool {
    rule.args.is_none() && rule.when.is_none() && rule.applies == Selector::default()
}

/// Whether every tool of one list is covered by a pattern of the other.
fn covers(wide: &[String], narrow: &[String]) -> bool {
    let is_glob = |p: &str| p.contains(['*', '?', '\\']);
    narrow.iter().all(|n| {
        wide.iter().any(|w| w == n || w == "*" || (!is_glob(n) && glob::matches(n, w).unwrap_or(false)))
    })
}

/// Rules that an unconditional deny of the same file always overrules.
fn shadowed(builder: &Builder, readers: &mut [&mut Reader]) {
    let denies: Vec<&Rule> =
        builder.set.rules.iter().filter(|r| r.outcome == Verdict::Deny && applies_always(r)).collect();
    for (rule, place) in builder.set.rules.iter().zip(&builder.map.rules) {
        let by = denies.iter().find(|deny| {
            deny.file == rule.file
                && deny.stage == rule.stage
                && deny.id != rule.id
                && covers(&deny.tools, &rule.tools)
        });
        if let (Some(by), Some(reader)) = (by, readers.get_mut(rule.file as usize)) {
            let message = format!("`{}` decides nothing: `{}` denies all its calls", rule.id, by.id);
            reader.warning("shadowed-rule", &place.rule, message, None);
        }
    }
}

/// Allow rules of lower layers that no layer above can let through.
fn powerless(builder: &Builder, readers: &mut [&mut Reader]) {
    let layer = |rule: &Rule| builder.set.files.get(rule.file as usize).map_or(0, |f| f.layer);
    let root = builder.set.files.iter().map(|f| f.layer).min().unwrap_or(0);
    let lets: Vec<&Rule> = builder
        .set
        .rules
        .iter()
        .filter(|r| layer(r) == root && r.outcome != Verdict::Deny && r.stage == Stage::Call)
        .collect();
    for (rule, place) in builder.set.rules.iter().zip(&builder.map.rules) {
        if layer(rule) == root || rule.outcome != Verdict::Allow || rule.stage != Stage::Call {
            continue;
        }
        let overlap =
            |other: &&Rule| other.tools.iter().any(|a| rule.tools.iter().any(|b| may_overlap(a, b)));
        if !lets.iter().any(|r| overlap(&r)) {
            if let Some(reader) = readers.get_mut(rule.file as usize) {
                let message = format!(
                    "`{}` can never take effect: no rule of the layer above lets these tools through",
                    rule.id
                );
                let help = Some("a lower layer can narrow and never widen".to_owned());
                reader.warning("powerless-allow", &place.rule, message, help);
            }
        }
    }
}

/// Whether some name may match both patterns. `true` when in doubt.
fn may_overlap(a: &str, b: &str) -> bool {
    let is_glob = |p: &str| p.contains(['*', '?', '\\']);
    match (is_glob(a), is_glob(b)) {
        (false, false) => a == b,
        (false, true) => glob::matches(a, b).unwrap_or(true),
        (true, false) => glob::matches(b, a).unwrap_or(true),
        (true, true) => {
            let prefix = |p: &str| p.split(['*', '?', '\\']).next().unwrap_or("").to_owned();
            let (a, b) = (prefix(a), prefix(b));
            a.starts_with(&b) || b.starts_with(&a)
        }
    }
}

/// Tools that no rule mentions: every call of them is denied by default.
fn unmentioned(builder: &Builder, readers: &mut [&mut Reader]) {
    for (file, decl) in &builder.catalogue {
        let spoken = builder.set.rules.iter().flat_map(|r| &r.tools).any(|p| may_overlap(&decl.name, p));
        if let (false, Some(reader)) = (spoken, readers.get_mut(*file as usize)) {
            let message = format!("no rule mentions the tool `{}`: every call of it is denied", decl.name);
            reader.warning("unmentioned-tool", &decl.span.clone(), message, None);
        }
    }
}
