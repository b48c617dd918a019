//! Decisions out of the JSON text that [`Decision::write_json`] wrote, for those who had one made elsewhere.

use crate::decision::{Approval, Code, Decision, Obligation, Shadow, Verdict};
use crate::facts::Delta;
use crate::json::{Json, Kind};

/// How deep a decision nests, with room to spare.
const MAX_DEPTH: usize = 16;

impl Decision {
    /// Reads a decision, whose delta is not part of the text. `None` when it is anything else, has an unknown verdict,
    /// code or obligation: what is not understood must not be enforced as something else.
    pub fn read_json(text: &[u8]) -> Option<Decision> {
        let json = Json::parse(text, text.len(), MAX_DEPTH).ok()?;
        Some(Decision {
            verdict: verdict(json.get("verdict")?)?,
            code: Code::parse(&json.get("code")?.as_str()?)?,
            rules: strings(json.get("rules")?)?,
            reason: json.get("reason")?.as_str()?.into_owned(),
            obligations: list(json.get("obligations")?, obligation)?,
            approvals: json.get("approval").map_or(Some(Vec::new()), |all| list(all, approval))?,
            shadow: json.get("shadow").map_or(Some(Vec::new()), |all| list(all, shadow))?,
            policy: json.get("policy")?.as_str()?.into_owned(),
            delta: Delta::default(),
        })
    }
}

fn list<T>(json: Json<'_>, read: impl Fn(Json<'_>) -> Option<T>) -> Option<Vec<T>> {
    if json.kind() != Kind::Array {
        return None;
    }
    json.elements().map(read).collect()
}

fn strings(json: Json<'_>) -> Option<Vec<String>> {
    list(json, |text| Some(text.as_str()?.into_owned()))
}

fn number(json: Json<'_>) -> Option<u64> {
    json.text().parse().ok()
}

fn verdict(json: Json<'_>) -> Option<Verdict> {
    let text = json.as_str()?;
    [Verdict::Allow, Verdict::Escalate, Verdict::Deny].into_iter().find(|verdict| verdict.as_str() == text)
}

fn obligation(json: Json<'_>) -> Option<Obligation> {
    let fields = || strings(json.get("fields")?);
    Some(match &*json.get("kind")?.as_str()? {
        "redact" => Obligation::Redact { fields: fields()? },
        "mask" => {
            Obligation::Mask { fields: fields()?, keep: u32::try_from(number(json.get("keep")?)?).ok()? }
        }
        "cap_rows" => Obligation::CapRows { max: number(json.get("max")?)? },
        "notify" => Obligation::Notify { channels: strings(json.get("channels")?)? },
        "sign_memory" => Obligation::SignMemory,
        _ => return None,
    })
}

fn approval(json: Json<'_>) -> Option<Approval> {
    Some(Approval {
        rule: json.get("rule")?.as_str()?.into_owned(),
        approvers: strings(json.get("approvers")?)?,
        quorum: u32::try_from(number(json.get("quorum")?)?).ok()?,
        timeout_ms: number(json.get("timeout_ms")?)?,
        notify: strings(json.get("notify")?)?,
    })
}

fn shadow(json: Json<'_>) -> Option<Shadow> {
    Some(Shadow {
        layer: json.get("layer")?.as_str()?.into_owned(),
        verdict: verdict(json.get("verdict")?)?,
        code: Code::parse(&json.get("code")?.as_str()?)?,
        rules: strings(json.get("rules")?)?,
    })
}

#[cfg(test)]
mod tests;
