//! Decisions as JSON text, the same bytes on every host.

use std::fmt::Write as _;

use crate::decision::{Approval, Decision, Obligation, Shadow, Verdict};
use crate::facts::{Amount, Charge, Delta, Exceeded, Settlement};
use crate::json::{Number, write_string};

impl Decision {
    /// Appends the decision as one line of JSON: verdict, code, rules, reason, obligations, then approvals when it
    /// escalates and shadow verdicts when there are any, then the policy digest.
    pub fn write_json(&self, out: &mut String) {
        let _ = write!(
            out,
            "{{\"verdict\":\"{}\",\"code\":\"{}\",\"rules\":",
            self.verdict.as_str(),
            self.code.as_str()
        );
        list(out, &self.rules, |out, rule| write_string(out, rule));
        out.push_str(",\"reason\":");
        write_string(out, &self.reason);
        out.push_str(",\"obligations\":");
        list(out, &self.obligations, obligation);
        if self.verdict == Verdict::Escalate {
            out.push_str(",\"approval\":");
            list(out, &self.approvals, approval);
        }
        if !self.shadow.is_empty() {
            out.push_str(",\"shadow\":");
            list(out, &self.shadow, shadow);
        }
        out.push_str(",\"policy\":");
        write_string(out, &self.policy);
        out.push('}');
    }
}

impl Delta {
    /// Appends the delta as one line of JSON: amounts as decimal strings, times in milliseconds, and of the session's
    /// state only its length in bytes (`null`: unchanged).
    pub fn write_json(&self, out: &mut String) {
        out.push_str("{\"charges\":");
        list(out, &self.charges, charge);
        out.push_str(",\"settlements\":");
        list(out, &self.settlements, settlement);
        out.push_str(",\"session_bytes\":");
        match &self.session {
            Some(bytes) => {
                let _ = write!(out, "{}", bytes.len());
            }
            None => out.push_str("null"),
        }
        let _ = write!(out, ",\"at\":\"{}\"}}", self.at);
    }
}

fn list<T>(out: &mut String, of: &[T], write: impl Fn(&mut String, &T)) {
    out.push('[');
    for (n, item) in of.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

fn strings(out: &mut String, name: &str, of: &[String]) {
    let _ = write!(out, ",\"{name}\":");
    list(out, of, |out, text| write_string(out, text));
}

fn obligation(out: &mut String, obligation: &Obligation) {
    let _ = write!(out, "{{\"kind\":\"{}\"", obligation.kind());
    match obligation {
        Obligation::Redact { fields } => strings(out, "fields", fields),
        Obligation::Mask { fields, keep } => {
            strings(out, "fields", fields);
            let _ = write!(out, ",\"keep\":{keep}");
        }
        Obligation::CapRows { max } => {
            let _ = write!(out, ",\"max\":{max}");
        }
        Obligation::Notify { channels } => strings(out, "channels", channels),
        Obligation::SignMemory => {}
    }
    out.push('}');
}

fn approval(out: &mut String, approval: &Approval) {
    out.push_str("{\"rule\":");
    write_string(out, &approval.rule);
    strings(out, "approvers", &approval.approvers);
    let _ = write!(out, ",\"quorum\":{},\"timeout_ms\":{}", approval.quorum, approval.timeout_ms);
    strings(out, "notify", &approval.notify);
    out.push('}');
}

fn shadow(out: &mut String, shadow: &Shadow) {
    out.push_str("{\"layer\":");
    write_string(out, &shadow.layer);
    let _ = write!(out, ",\"verdict\":\"{}\",\"code\":\"{}\"", shadow.verdict.as_str(), shadow.code.as_str());
    strings(out, "rules", &shadow.rules);
    out.push('}');
}

fn charge(out: &mut String, charge: &Charge) {
    counter(out, &charge.limit, &charge.key);
    let exceeded = match charge.exceeded {
        Exceeded::Deny => "deny",
        Exceeded::Escalate => "escalate",
        Exceeded::Quarantine => "quarantine",
    };
    let _ = write!(
        out,
        ",\"amount\":\"{}\",\"ceiling\":\"{}\",\"window_ms\":{},\"exceeded\":\"{exceeded}\"",
        charge.amount, charge.ceiling, charge.window_ms
    );
    if charge.allow_if_unavailable {
        out.push_str(",\"on_unavailable\":\"allow\"");
    }
    out.push('}');
}

fn settlement(out: &mut String, settlement: &Settlement) {
    counter(out, &settlement.limit, &settlement.key);
    let _ = write!(
        out,
        ",\"reserved\":\"{}\",\"actual\":\"{}\",\"window_ms\":{}}}",
        settlement.reserved, settlement.actual, settlement.window_ms
    );
}

fn counter(out: &mut String, limit: &str, key: &str) {
    out.push_str("{\"limit\":");
    write_string(out, limit);
    out.push_str(",\"key\":");
    write_string(out, key);
}

impl std::fmt::Display for Amount {
    /// A decimal without superfluous zeros.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0 / 1_000_000)?;
        match self.0 % 1_000_000 {
            0 => Ok(()),
            millionths => {
                let digits = format!("{millionths:06}");
                write!(f, ".{}", digits.trim_end_matches('0'))
            }
        }
    }
}

impl Amount {
    /// The amount that a number stands for in decimal, rounded up to millionths. `None` when it is negative or too
    /// large to count.
    pub fn from_number(number: Number) -> Option<Amount> {
        let double = match number {
            Number::Int(i) => return u64::try_from(i).ok()?.checked_mul(1_000_000).map(Amount),
            Number::Uint(u) => return u.checked_mul(1_000_000).map(Amount),
            Number::Double(d) => d,
        };
        if !(0.0..1.9e13).contains(&double) {
            return None;
        }
        // The shortest decimal that reads back as this double is the one that people mean: 0.1 is one tenth.
        let decimal = format!("{}", double.abs());
        let (whole, fraction) = decimal.split_once('.').unwrap_or((&decimal, ""));
        let kept: String = fraction.chars().chain(std::iter::repeat('0')).take(6).collect();
        let lost = fraction.chars().skip(6).any(|c| c != '0');
        let whole: u64 = whole.parse().ok()?;
        let millionths: u64 = kept.parse().ok()?;
        whole.checked_mul(1_000_000)?.checked_add(millionths)?.checked_add(u64::from(lost)).map(Amount)
    }
}

#[cfg(test)]
mod tests;
