//! Generated policies and calls: the same rules are candidates for a call, however many others there are.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// A generated policy and where things about it lie.
pub struct Generated {
    /// How many rules it has.
    pub rules: usize,
    /// The policy file.
    pub source: PathBuf,
    /// Where `placet build` writes.
    pub output: PathBuf,
}

/// A kind of call.
pub struct Kind {
    /// What it shows.
    pub name: &'static str,
    file: &'static str,
    tool: &'static str,
    args: &'static str,
}

/// Calls that are decided in different ways; each meets the rules with number 0 or 1, which every policy has.
pub const KINDS: &[Kind] = &[
    Kind {
        name: "allowed by tool and args",
        file: "exact",
        tool: "svc0.op0",
        args: r#"{"amount": 120.5, "region": "eu", "note": "order 1"}"#,
    },
    Kind {
        name: "denied by a glob",
        file: "glob",
        tool: "pack1.remove",
        args: r#"{"amount": 120.5, "region": "closed", "note": "order 1"}"#,
    },
    Kind { name: "no rule matches", file: "none", tool: "unheard.of", args: r#"{"amount": 1}"# },
];

impl Generated {
    /// Files with N and 2 N lines of one kind of call.
    pub fn calls(&self, dir: &Path, kind: &Kind) -> [PathBuf; 2] {
        ["once", "twice"].map(|run| dir.join(format!("{}-{run}.jsonl", kind.file)))
    }
}

/// Writes a policy with so many rules, and the calls.
///
/// # Errors
/// When they cannot be written.
pub fn write(dir: &Path, rules: usize, calls: usize) -> Result<Generated> {
    let source = dir.join(format!("rules-{rules}.yaml"));
    save(&source, &policy(rules))?;
    let generated = Generated { rules, source, output: dir.join(format!("dist-{rules}")) };
    for kind in KINDS {
        let [once, twice] = generated.calls(dir, kind);
        save(&once, &call(kind).repeat(calls))?;
        save(&twice, &call(kind).repeat(2 * calls))?;
    }
    Ok(generated)
}

fn save(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))
}

/// Six of ten rules name one tool, two a glob, two any tool in one environment only.
fn policy(rules: usize) -> String {
    let mut text = String::from("policy: generated\nlayer: org\nrules:\n");
    for n in 0..rules {
        let (of_ten, number) = (n % 10, n / 10);
        let (tools, rest) = match of_ten {
            0..=5 => {
                let args = "    args: {amount: {max: 500}, region: {one_of: [eu, us]}, note: any}\n";
                (format!("svc{number}.op{of_ten}"), format!("{args}    outcome: allow\n"))
            }
            6 | 7 => {
                let tools = format!("pack{}.*", 2 * number + of_ten - 6);
                (tools, "    when: args.region == 'closed'\n    outcome: deny\n".to_owned())
            }
            _ => {
                let env = format!("env{}", 2 * number + of_ten - 8);
                (
                    "*".to_owned(),
                    format!("    when: env == '{env}' && args.amount > 3.0\n    outcome: deny\n"),
                )
            }
        };
        let _ = write!(text, "  - id: r{n}\n    tools: [\"{tools}\"]\n{rest}");
    }
    text
}

fn call(kind: &Kind) -> String {
    format!(
        "{{\"tool\": \"{}\", \"args\": {}, \"agent\": {{\"id\": \"bot\", \"roles\": [\"worker\"]}}, \
         \"tenant\": \"acme\", \"env\": \"production\", \"now\": \"2026-01-01T00:00:00Z\"}}\n",
        kind.tool, kind.args
    )
}
