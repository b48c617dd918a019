//! Policies as text.

use std::fmt::Write as _;

use super::Tape;

const PATTERNS: &[&str] =
    &["pay.send", "pay.*", "*", "*.send", "pay.refund", "crm.read", "é.*", "p*d", "?.send", "x", "nothing"];
const OUTCOMES: &[&str] = &["allow", "allow", "deny", "escalate"];
const ARGS: &[&str] = &[
    "{s: any}",
    "{s: any, others: any}",
    "{n: {min: 0, max: 2}, others: any}",
    "{n: {equals: 1}, others: any}",
    "{s: {one_of: [a, K, é]}, others: any}",
    "{s: {equals: K}, others: any}",
    "{s: {prefix: a}, n: any, others: any}",
    "{l: {each: {max_length: 1}}, others: any}",
    "{l: {contains: a}, others: any}",
    "{s: {path: {under: /srv}}, others: any}",
    "{s: {cidr: 10.0.0.0/8}, others: any}",
    "{s: {email: {domains: [acme.com]}}, others: any}",
    "{s: {url: {hosts: [a.example]}}, others: any}",
    "{s: {regex: '^[a-z]+$'}, t: {not_one_of: [b]}, others: any}",
    "{t: {one: [absent, {equals: true}]}, others: any}",
    "{s: {none: [{glob: 'a*'}]}, others: any}",
    "{}",
];
const CONDITIONS: &[&str] = &[
    "args.s == 'a'",
    "args.s == 'K'",
    "args.n == 1",
    "args.n > 1",
    "args.n <= 1",
    "has(args.t)",
    "args.t",
    "'a' in args.l",
    "args.n in [1, 2]",
    "args.l.all(x, x != 'b')",
    "args.s.size() < 2",
    "args.s.startsWith('a')",
    "args.n + 1 > 2",
    "session.has('seen')",
    "session.has('seen', args.s)",
    "session.count('often', duration('1m')) > 1",
    "session.count('often', args.s, duration('3m')) > 0",
    "env == 'prod'",
    "user.id == 'u1'",
    "agent.id == 'a1'",
    "'finance' in agent.roles",
    "user.roles.size() < 1",
    "project == 'p1'",
    "size(chain) == 0",
    "now.getMinutes() < 2",
    "tool.risk == 'low'",
    "has(tool.effects) && 'write' in tool.effects",
    "path(args.s) == '/srv/a'",
];
const APPLIES: &[&str] = &[
    "{env: prod}",
    "{tenants: [acme, globex]}",
    "{agents: {roles: [finance]}}",
    "{agents: {ids: ['a*']}}",
    "{users: {ids: [u1]}}",
    "{project: 'p?'}",
];

/// A policy of one file.
pub fn source(tape: &mut Tape<'_>) -> String {
    let mut text = String::from("policy: generated\n");
    if tape.one_in(3) {
        text.push_str("tenants: [acme, globex]\n");
    }
    if tape.one_in(8) {
        let _ = writeln!(text, "applies: {}", tape.pick(APPLIES));
    }
    if tape.one_in(12) {
        text.push_str("mode: shadow\n");
    }
    if tape.one_in(4) {
        text.push_str(
            "tools:\n  pay.send: {scope: \"'pay:send'\", effects: [write], risk: high, cost: 0.5}\n  crm.read: \
             {scope: \"'crm:' + args.s\", effects: [read], risk: low}\n",
        );
        text.push_str(
            "roles:\n  finance: {allow: ['pay:*', 'crm:a'], deny: ['crm:b']}\n  rep: {allow: 'crm:*'}\n",
        );
        text.push_str("actors:\n  svc1: [rep]\n");
    }
    text.push_str("rules:\n");
    if tape.one_in(2) {
        text.push_str("  - {id: all, tools: ['*'], outcome: allow}\n");
    }
    for number in 0..1 + tape.below(8) {
        rule(tape, number, &mut text);
    }
    // Both always: what a condition asks for must be remembered by somebody.
    text.push_str("remember:\n");
    for name in ["seen", "often"] {
        remember(tape, name, &mut text);
    }
    let limits = tape.below(3);
    if limits > 0 {
        text.push_str("limits:\n");
    }
    for number in 0..limits {
        limit(tape, number, &mut text);
    }
    if tape.one_in(6) {
        text.push_str("results:\n  - {tools: ['pay.*'], cap_rows: 5}\n");
    }
    text
}

fn condition(tape: &mut Tape<'_>) -> String {
    let one = tape.pick(CONDITIONS);
    match tape.below(6) {
        0 => format!("{one} && {}", tape.pick(CONDITIONS)),
        1 => format!("{one} || {}", tape.pick(CONDITIONS)),
        2 => format!("!({one})"),
        3 => format!("({one}) ? {} : {}", tape.pick(CONDITIONS), tape.pick(CONDITIONS)),
        _ => one.to_owned(),
    }
}

fn tools(tape: &mut Tape<'_>) -> String {
    let (first, second) = (tape.pick(PATTERNS), tape.pick(PATTERNS));
    if tape.one_in(3) && first != second {
        format!("['{first}', '{second}']")
    } else {
        format!("['{first}']")
    }
}

fn rule(tape: &mut Tape<'_>, number: usize, text: &mut String) {
    let outcome = tape.pick(OUTCOMES);
    let _ = write!(text, "  - {{id: r{number}, tools: {}", tools(tape));
    let result = tape.one_in(8);
    if result {
        text.push_str(", stage: result");
    }
    if tape.one_in(3) {
        let _ = write!(text, ", args: {}", tape.pick(ARGS));
    }
    if tape.one_in(2) {
        let _ = write!(text, ", when: \"{}\"", condition(tape));
    }
    if tape.one_in(6) {
        let _ = write!(text, ", applies: {}", tape.pick(APPLIES));
    }
    if tape.one_in(3) {
        let _ = write!(text, ", reason: Because of r{number}.");
    }
    if outcome == "allow" && tape.one_in(5) {
        text.push_str(", obligations: {redact: [ssn]}");
    }
    if outcome == "escalate" && tape.one_in(2) {
        text.push_str(", approval: {approvers: ['role:lead'], quorum: 2, timeout: 1h}");
    }
    let _ = writeln!(text, ", outcome: {outcome}}}");
}

fn remember(tape: &mut Tape<'_>, name: &str, text: &mut String) {
    let _ = write!(text, "  - {{on: {{tools: {}", tools(tape));
    if tape.one_in(4) {
        text.push_str(", stage: result");
    }
    if tape.one_in(4) {
        let _ = write!(text, ", when: \"{}\"", tape.pick(&["args.n > 1", "has(args.t)", "args.s == 'a'"]));
    }
    let _ = write!(text, "}}, as: {name}");
    if tape.one_in(2) {
        text.push_str(", key: args.s");
    }
    if tape.one_in(2) {
        let _ = write!(text, ", for: {}", tape.pick(&["1m", "3m"]));
    }
    text.push_str("}\n");
}

fn limit(tape: &mut Tape<'_>, number: usize, text: &mut String) {
    let count = tape.pick(&["calls", "calls", "denied", "identical"]);
    let exceeded = tape.pick(&["deny", "escalate", "quarantine"]);
    let _ = write!(text, "  - {{id: l{number}, tools: {}, count: {count}", tools(tape));
    let per =
        if count == "calls" { tape.pick(&["agent", "tool", "user", "session", "args.s"]) } else { "session" };
    let _ = write!(text, ", per: [{per}]");
    if count == "calls" && tape.one_in(3) {
        text.push_str(", cost: args.n");
    }
    let (max, window) = (tape.below(4), tape.pick(&["1m", "3m"]));
    let _ = writeln!(text, ", max: {max}, window: {window}, exceeded: {exceeded}}}");
}
