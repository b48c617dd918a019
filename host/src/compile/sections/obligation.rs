//! What must be done for a verdict to stand.

use placet_model::Obligation;

use crate::compile::reader::{Fields, Reader, get};
use crate::compile::yaml::Node;

const OBLIGATIONS: [&str; 5] = ["redact", "mask", "cap_rows", "notify", "sign_memory"];

pub(super) fn obligations(reader: &mut Reader, node: &Node) -> Vec<Obligation> {
    match reader.fields(node, "`obligations`", &OBLIGATIONS) {
        Some(of) => fields(reader, of),
        None => Vec::new(),
    }
}

/// Those that are fields of something else, too.
pub(super) fn fields(reader: &mut Reader, fields: Fields<'_>) -> Vec<Obligation> {
    let mut of = Vec::new();
    if let Some(n) = get(fields, "redact") {
        for (path, span) in reader.strings(n, "a field") {
            if path.starts_with("pii.") || path.starts_with("secrets.") {
                let help = Some("name fields of the result, such as `rows.*.ssn`".to_owned());
                reader.error(
                    "unsupported",
                    &span,
                    "redaction by detector is not supported by this version",
                    help,
                );
            }
        }
        reader.not_empty(n);
        of.push(Obligation::Redact { fields: reader.names(n, "a field") });
    }
    if let Some(n) = get(fields, "mask") {
        of.extend(mask(reader, n));
    }
    if let Some(max) = get(fields, "cap_rows").and_then(|n| reader.whole(n, "`cap_rows`")) {
        of.push(Obligation::CapRows { max });
    }
    if let Some(n) = get(fields, "notify") {
        of.push(Obligation::Notify { channels: reader.names(n, "a channel") });
    }
    if get(fields, "sign_memory").is_some_and(|n| reader.flag(n, "`sign_memory`")) {
        of.push(Obligation::SignMemory);
    }
    of.sort();
    of
}

fn mask(reader: &mut Reader, node: &Node) -> Option<Obligation> {
    let fields = reader.fields(node, "`mask`", &["fields", "keep"])?;
    let masked =
        reader.required(fields, node, "fields", "`mask`", "name what to mask: `fields: [rows.*.card]`")?;
    reader.not_empty(masked);
    let keep = get(fields, "keep").and_then(|n| reader.whole(n, "`keep`"));
    let keep = keep.and_then(|k| u32::try_from(k).ok()).unwrap_or(0);
    Some(Obligation::Mask { fields: reader.names(masked, "a field"), keep })
}
