//! The calls that the quickstart sends, and what must be decided about each.

use serde_json::{Value, json};

/// One call of a tool.
pub struct Call {
    /// Its name.
    pub tool: &'static str,
    /// Its arguments, a JSON object.
    pub args: &'static str,
    /// `allow`, `deny` or `escalate`.
    pub verdict: &'static str,
    /// The rules that decide it.
    pub rules: &'static [&'static str],
}

/// In order: what a session remembers of earlier ones decides about later ones.
pub const CALLS: &[Call] = &[
    Call {
        tool: "payments.refund",
        args: r#"{"amount": 50, "currency": "USD", "customer": "c-1", "reason": "late"}"#,
        verdict: "allow",
        rules: &["org/finance-moves-money", "team/small-refunds"],
    },
    Call {
        tool: "payments.refund",
        args: r#"{"amount": 900, "currency": "USD", "customer": "c-1", "reason": "lost"}"#,
        verdict: "escalate",
        rules: &["team/big-refunds"],
    },
    Call {
        tool: "payments.refund",
        args: r#"{"amount": 20000, "currency": "USD", "customer": "c-1", "reason": "all of it"}"#,
        verdict: "deny",
        rules: &["org/refund-ceiling"],
    },
    Call {
        tool: "admin.drop_database",
        args: r#"{"name": "crm"}"#,
        verdict: "deny",
        rules: &["org/no-administration"],
    },
    Call {
        tool: "payments.pay",
        args: r#"{"payee": "northwind-energy", "amount": 100, "currency": "EUR"}"#,
        verdict: "deny",
        rules: &["team/pay-verified-payees-only"],
    },
    Call {
        tool: "payees.verify",
        args: r#"{"payee": "northwind-energy"}"#,
        verdict: "allow",
        rules: &["org/finance-moves-money", "team/verify-payees"],
    },
    Call {
        tool: "payments.pay",
        args: r#"{"payee": "northwind-energy", "amount": 100, "currency": "EUR"}"#,
        verdict: "allow",
        rules: &["org/finance-moves-money", "team/payments"],
    },
    Call {
        tool: "email.send",
        args: r#"{"to": ["sam@partner.example"], "subject": "Hello", "body": "Hi Sam"}"#,
        verdict: "allow",
        rules: &["org/send-mail", "team/customers-and-mail"],
    },
    Call {
        tool: "crm.read_customer",
        args: r#"{"id": "c-1"}"#,
        verdict: "allow",
        rules: &["org/read-customers", "team/customers-and-mail"],
    },
    Call {
        tool: "email.send",
        args: r#"{"to": ["sam@partner.example"], "subject": "Our customer", "body": "What I know"}"#,
        verdict: "deny",
        rules: &["org/no-customer-data-outside"],
    },
    Call {
        tool: "email.send",
        args: r#"{"to": ["lee@acme.com"], "subject": "Our customer", "body": "What I know"}"#,
        verdict: "allow",
        rules: &["org/send-mail", "team/customers-and-mail"],
    },
];

/// Tools that the agent must not be shown, since no arguments whatever are allowed.
pub const HIDDEN: &[&str] = &["admin.drop_database"];

/// The body of a request to send by hand: the first of the calls.
pub fn to_try() -> Value {
    let Some(first) = CALLS.first() else { return Value::Null };
    let arguments: Value = serde_json::from_str(first.args).unwrap_or_default();
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": first.tool, "arguments": arguments}})
}
