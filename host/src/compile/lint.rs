//! Warnings: rules that cannot take effect, tools that nothing speaks about.

use placet_cel::text::glob;
use placet_engine::policy::{Rule, Selector};
use placet_model::{Stage, Verdict};

use super::decode::Builder;
use super::reader::Reader;

pub fn lint(builder: &Builder, readers: &mut [&mut Reader]) {
    shadowed(builder, readers);
    powerless(builder, readers);
    evadable(builder, readers);
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
        let why = match denied_above(builder, rule) {
            Some(deny) => format!("`{deny}` denies all its calls"),
            None if !lets.iter().any(overlap) => {
                "no rule of the layer above lets these tools through".to_owned()
            }
            None => continue,
        };
        if let Some(reader) = readers.get_mut(rule.file as usize) {
            let message = format!("`{}` can never take effect: {why}", rule.id);
            let help = Some("a lower layer can narrow and never widen".to_owned());
            reader.warning("powerless-allow", &place.rule, message, help);
        }
    }
}

/// The name of a rule of a layer above that always denies what this one allows.
fn denied_above(builder: &Builder, rule: &Rule) -> Option<String> {
    let file = |rule: &Rule| builder.set.files.get(rule.file as usize);
    let own = file(rule)?.layer;
    builder.set.rules.iter().find_map(|deny| {
        let above = file(deny)?;
        let always = above.layer < own && !above.shadow && above.applies == Selector::default();
        let layer = builder.set.layers.get(above.layer as usize)?;
        (always
            && deny.outcome == Verdict::Deny
            && deny.stage == rule.stage
            && applies_always(deny)
            && covers(&deny.tools, &rule.tools))
        .then(|| format!("{layer}/{}", deny.id))
    })
}

/// Deny and escalate rules that one more argument evades, because another rule lets such a call through.
fn evadable(builder: &Builder, readers: &mut [&mut Reader]) {
    for (rule, place) in builder.set.rules.iter().zip(&builder.map.rules) {
        if rule.outcome == Verdict::Allow {
            continue;
        }
        let pass = || builder.set.rules.iter().filter(|r| lets_evade(builder, rule, r));
        let by = pass().find(|r| r.outcome == Verdict::Allow).or_else(|| pass().next());
        let (Some(by), Some(reader)) = (by, readers.get_mut(rule.file as usize)) else { continue };
        let span = match (place.args.first(), place.args.last()) {
            (Some((_, first)), Some((_, last))) => first.start..last.end,
            _ => continue,
        };
        let message = format!("one more argument evades `{}`: `{}` lets such a call through", rule.id, by.id);
        let help = Some("add `others: any` to `args`".to_owned());
        reader.warning("evadable-rule", &span, message, help);
    }
}

/// Whether a call that only has an argument too many for the first rule may pass by the second.
fn lets_evade(builder: &Builder, rule: &Rule, by: &Rule) -> bool {
    let Some(closed) = rule.args.as_ref().filter(|shape| !shape.others) else { return false };
    let file = |rule: &Rule| builder.set.files.get(rule.file as usize);
    let (Some(own), Some(other)) = (file(rule), file(by)) else { return false };
    // Where a layer denies what it does not decide, only its own rules let a call through.
    let reaches = own.layer == other.layer || !own.default_deny;
    let weaker = match rule.outcome {
        Verdict::Deny => by.outcome != Verdict::Deny,
        _ => by.outcome == Verdict::Allow,
    };
    let wider = by.args.as_ref().is_none_or(|shape| {
        shape.others || shape.fields.iter().any(|(name, _)| closed.fields.iter().all(|(n, _)| n != name))
    });
    let same_tools = rule.tools.iter().any(|a| by.tools.iter().any(|b| may_overlap(a, b)));
    reaches && weaker && wider && same_tools && rule.stage == by.stage
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
