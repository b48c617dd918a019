//! `placet explain`: why a call got its verdict.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use placet_engine::explain::{Explanation, Part, RuleTrace};
use placet_model::{Answer, Call, Decision, Facts, Limits, SessionFact};
use placet_pdp::Pdp;
use serde_json::{Value, json};

use super::decide::calls;
use super::policy::{PolicyArgs, read_bytes};
use super::{Exit, Format, Output};
use crate::compile::{Diagnostic, RuleSource, SourceMap};
use crate::runtime::{DecisionService, PolicyHandle};
use crate::store::{MemoryStore, StateStore, StoredSession};

/// Explain why a call gets its verdict; of several calls, the last one, after those before it
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    policy: PolicyArgs,
    /// The call, or calls on lines; `-` is standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    call: PathBuf,
}

/// Decides the calls and explains the last.
pub fn run(args: &Args, out: &Output) -> Exit {
    let (loaded, trust) = match args.policy.load(out) {
        Ok(read) => read,
        Err(exit) => return exit,
    };
    let input = match read_bytes(&args.call) {
        Ok(input) => input,
        Err(error) => return out.fail(Exit::Usage, error),
    };
    let calls = calls(&input);
    let Some((last, earlier)) = calls.split_last() else {
        return out.fail(Exit::Usage, "there is no call to explain");
    };
    let pdp = Arc::new(Pdp::open(&loaded.bundle, &trust));
    let store = Arc::new(MemoryStore::default());
    let service = DecisionService::new(PolicyHandle::new(pdp.clone()), store.clone());
    for call in earlier {
        service.decide(call, false);
    }
    let stored = stored_session(&store, last);
    let decision = service.decide(last, false);
    let session = stored.as_ref().map_or(SessionFact::Fresh, |stored| SessionFact::Stored(&stored.state));
    // A call that cannot be read has no candidates; its decision says what is wrong with it.
    let explanation =
        pdp.explain_json(last, &Facts { session, answer: Answer::NotAsked }).unwrap_or_default();
    let told = Told { pdp: &pdp, map: loaded.map.as_ref(), explanation: &explanation, decision: &decision };
    match out.format {
        Format::Json => println!("{}", told.json()),
        Format::Text => print!("{}", told.text()),
    }
    Exit::Done
}

fn stored_session(store: &MemoryStore, call: &[u8]) -> Option<StoredSession> {
    let call = Call::read(call, &Limits { max_bytes: usize::MAX, max_depth: usize::MAX }).ok()?;
    store.read_session(&call.tenant, call.session.as_deref()?).ok().flatten()
}

/// Everything there is to tell.
struct Told<'a> {
    pdp: &'a Pdp,
    map: Option<&'a SourceMap>,
    explanation: &'a Explanation,
    decision: &'a Decision,
}

impl Told<'_> {
    fn source(&self, rule: &RuleTrace) -> Option<&RuleSource> {
        self.map?.rules.get(rule.rule as usize)
    }

    /// Policy files that may concern the tenant, as `layer/name`.
    fn files(&self) -> Vec<(String, bool)> {
        let Some(set) = self.pdp.policy() else { return Vec::new() };
        let named = |(file, applies): &(u32, bool)| {
            let file = set.files.get(*file as usize)?;
            let layer = set.layers.get(file.layer as usize)?;
            Some((format!("{layer}/{}", file.name), *applies))
        };
        self.explanation.files.iter().filter_map(named).collect()
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let decision = self.decision;
        let rules = if decision.rules.is_empty() { "no rule".to_owned() } else { decision.rules.join(", ") };
        let _ = writeln!(text, "{} ({}) by {rules}", decision.verdict.as_str(), decision.code.as_str());
        let _ = writeln!(text, "  {}", decision.reason);
        for (file, applies) in self.files() {
            let _ = writeln!(text, "policy {file} {}", if applies { "applies" } else { "does not apply" });
        }
        let (considered, total) = (self.explanation.rules.len(), self.explanation.total);
        let _ = writeln!(text, "{considered} of {total} rules could match this tool and these arguments");
        for rule in &self.explanation.rules {
            self.rule(rule, &mut text);
        }
        text
    }

    fn rule(&self, rule: &RuleTrace, text: &mut String) {
        let source = self.source(rule);
        let place = source.map(|s| format!("  {}", at(s, s.rule.start))).unwrap_or_default();
        let matched = match &rule.matched {
            Part::Holds => "matches".to_owned(),
            Part::Fails => "does not match".to_owned(),
            Part::Errs(error) => format!("cannot be evaluated: {error}"),
        };
        let _ = writeln!(text, "\n{} ({}) {matched}{place}", rule.name, rule.outcome.as_str());
        if !rule.applies {
            let _ = writeln!(text, "  no     `applies` does not select this call");
        }
        for (name, part) in &rule.args {
            let span = source.and_then(|s| s.args.iter().find(|(arg, _)| arg == name));
            let shown = match span {
                Some((_, span)) => excerpt(source, span),
                None => format!("`{name}` is not named by the rule, which therefore does not match"),
            };
            let _ = writeln!(text, "  {}{shown}", word(part));
        }
        if let Some(part) = &rule.when {
            let shown = source.and_then(|s| s.when.as_ref()).map(|span| excerpt(source, span));
            let _ = writeln!(text, "  {}when: {}", word(part), shown.unwrap_or_default());
        }
    }

    fn json(&self) -> Value {
        let part = |part: &Part| match part {
            Part::Holds => json!(true),
            Part::Fails => json!(false),
            Part::Errs(error) => json!({ "error": error }),
        };
        let rules: Vec<Value> = self
            .explanation
            .rules
            .iter()
            .map(|rule| {
                let args: serde_json::Map<String, Value> =
                    rule.args.iter().map(|(name, of)| (name.clone(), part(of))).collect();
                json!({
                    "rule": rule.name,
                    "outcome": rule.outcome.as_str(),
                    "applies": rule.applies,
                    "args": args,
                    "when": rule.when.as_ref().map(part),
                    "matched": part(&rule.matched),
                    "source": self.source(rule).map(|s| at(s, s.rule.start)),
                })
            })
            .collect();
        let mut decision = String::new();
        self.decision.write_json(&mut decision);
        let files: Vec<Value> = self
            .files()
            .into_iter()
            .map(|(name, applies)| json!({ "policy": name, "applies": applies }))
            .collect();
        json!({
            "decision": serde_json::from_str::<Value>(&decision).unwrap_or_default(),
            "policies": files,
            "considered": self.explanation.rules.len(),
            "rules_in_policy": self.explanation.total,
            "rules": rules,
        })
    }
}

fn word(part: &Part) -> String {
    match part {
        Part::Holds => "yes    ".to_owned(),
        Part::Fails => "no     ".to_owned(),
        Part::Errs(error) => format!("error  ({error}) "),
    }
}

/// The source's own words, on one line.
fn excerpt(source: Option<&RuleSource>, span: &std::ops::Range<usize>) -> String {
    let Some(source) = source else { return String::new() };
    let words = source.source.text.get(span.clone()).unwrap_or("");
    let line: Vec<&str> = words.split_whitespace().collect();
    format!("{}  {}", line.join(" "), at(source, span.start))
}

fn at(source: &RuleSource, byte: usize) -> String {
    let (line, _) = Diagnostic::place_in(&source.source, byte);
    format!("[{}:{line}]", source.source.name)
}
