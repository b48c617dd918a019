use std::collections::BTreeMap;

use super::{Tape, compare, generate};
use crate::case::Case;
use crate::check::CameOut;
use crate::policy::Policy;
use crate::target::{Engine, Target};

/// The reference, but for one code.
struct Wrong(Engine);

impl Target for Wrong {
    fn name(&self) -> &str {
        "wrong"
    }

    fn takes(&self, _: &Case) -> bool {
        true
    }

    fn run(&self, policy: &Policy, case: &Case) -> Result<Vec<CameOut>, String> {
        let mut out = self.0.run(policy, case)?;
        for it in &mut out {
            it.decision = it.decision.replace("limit-exceeded", "denied");
        }
        Ok(out)
    }
}

#[test]
fn what_is_generated_compiles_and_comes_out_in_every_way() {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let native = Engine::native();
    for number in 0..1_000 {
        let found = generate(&mut Tape::new(&Tape::words(number))).unwrap_or_else(|e| panic!("{e}"));
        for out in native.run(&found.policy, &found.case).expect("it runs") {
            let decision: serde_json::Value = serde_json::from_str(&out.decision).unwrap_or_default();
            *seen.entry(decision["code"].to_string()).or_default() += 1;
        }
    }
    for code in [
        "allowed",
        "denied",
        "default-deny",
        "approval-required",
        "condition-error",
        "scope-denied",
        "limit-exceeded",
        "quarantined",
        "no-policy",
        "bad-request",
        "state-unavailable",
        "shadow-only",
    ] {
        let times = seen.get(&format!("\"{code}\"")).copied().unwrap_or(0);
        assert!(times >= 5, "`{code}` came up {times} times: {seen:?}");
    }
}

#[test]
fn a_difference_is_dumped_as_a_case() {
    let (native, wrong) = (Engine::native(), Wrong(Engine::native()));
    let mut dumped = 0;
    for number in 0..300 {
        let found = generate(&mut Tape::new(&Tape::words(number))).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(compare(&found, &native, &native), Ok(()));
        let Err(text) = compare(&found, &native, &wrong) else { continue };
        dumped += 1;
        let (_, table) = text.split_once("[[table]]").expect("there is a table");
        let file = format!(
            "about = \"x\"\nsections = [1]\n[[table]]{}",
            table.replace("why = \"…\"", "why = \"It is as the semantics say it is.\"")
        );
        let folder = std::env::temp_dir().join(format!("placet-conformance-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("there is a place for temporary files");
        std::fs::write(folder.join("found.toml"), file).expect("it can be written to");
        let suite = crate::table::Suite::load(&folder);
        std::fs::remove_dir_all(&folder).expect("it can be removed");
        assert_eq!(suite.problems, Vec::<String>::new(), "{text}");
        let (_, case) = suite.cases().next().expect("there is a case");
        let out = native.run(&found.policy, case).expect("it runs");
        for (step, out) in case.steps.iter().zip(&out) {
            assert_eq!(crate::check::differences(&step.expect, out), None, "{text}");
        }
    }
    assert!(dumped > 0);
}
