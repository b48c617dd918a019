//! Runs the table. `cargo test -p placet-conformance --test suite -- native/limits` runs a part of it;
//! `PLACET_CONFORMANCE_COMMAND="my-engine --flag"` puts every case to a command as well.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use placet::policytest;
use placet::runtime::Target as Runtime;
use placet_conformance::ledger::Ledger;
use placet_conformance::policy::Policies;
use placet_conformance::root;
use placet_conformance::run::{Context, run, undecided};
use placet_conformance::table::Suite;
use placet_conformance::target::{self, Command, Engine, Target};

/// Fewer cases are a mistake.
const LEAST: usize = 1_230;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let suite = Suite::load(&root().join("cases"));
    let (ledger, ledger_problem) = match Ledger::load(&root().join("expected-failures.toml")) {
        Ok(ledger) => (ledger, None),
        Err(error) => (Ledger::default(), Some(error)),
    };
    let policies = Policies::new(&root().join("policies"));
    let context = Context { policies, reference: Engine::native(), ledger };
    let mut trials = vec![Trial::test("suite/files", {
        let problems: Vec<String> = suite.problems.iter().cloned().chain(ledger_problem).collect();
        move || if problems.is_empty() { Ok(()) } else { Err(Failed::from(problems.join("\n"))) }
    })];
    trials.push(Trial::test("suite/count", {
        let count = suite.cases().count();
        move || if count >= LEAST { Ok(()) } else { Err(format!("{count} cases, at least {LEAST}").into()) }
    }));
    trials.extend(packs().into_iter().flat_map(|pack| pack_trials(&pack, &suite)));
    let mut targets: Vec<Arc<dyn Target>> = vec![Arc::new(Engine::native())];
    let responder = [env!("CARGO_BIN_EXE_placet-conformance-responder").to_owned()];
    for (name, started) in [
        ("given", target::given()),
        ("built", target::built()),
        ("command", command("command", &responder)),
        ("edge", edges()),
        ("yours", yours()),
    ] {
        match started {
            Ok(started) => targets.extend(started.into_iter().map(Arc::from)),
            // A target that does not start is a trial that fails.
            Err(error) => {
                trials.push(Trial::test(format!("suite/targets/{name}"), move || Err(error.into())))
            }
        }
    }
    run(&arguments, &suite, targets, context, trials)
}

/// A command as a target.
fn command(name: &str, words: &[String]) -> Result<Vec<Box<dyn Target>>, String> {
    Ok(vec![Box::new(Command::start(name, words)?)])
}

/// The component for Spin, where the program that it runs in was built. On CI it must be.
fn edges() -> Result<Vec<Box<dyn Target>>, String> {
    let missing = "`placet-edge-world` is not built: `cargo build --release -p placet-edge-world`";
    match target::edge_world() {
        Some(world) => target::edges(&world),
        None if std::env::var_os("CI").is_some() => Err(missing.to_owned()),
        None => {
            println!("SKIPPED, counted neither as passed nor as failed: edge: {missing}");
            Ok(Vec::new())
        }
    }
}

/// The command that was asked for, if one was.
fn yours() -> Result<Vec<Box<dyn Target>>, String> {
    let Ok(words) = std::env::var("PLACET_CONFORMANCE_COMMAND") else { return Ok(Vec::new()) };
    command("yours", &words.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
}

/// The packs in `policies/`, which people use as they are. When there are none, a trial for no pack fails.
fn packs() -> Vec<PathBuf> {
    let policies = root().join("../../policies");
    let entries = std::fs::read_dir(&policies).into_iter().flatten();
    let mut packs: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    packs.retain(|path| path.is_dir());
    packs.sort();
    if packs.is_empty() { vec![policies.join("no-pack")] } else { packs }
}

/// Each rule of a pack must decide some case of the table, and some case of the tests beside it.
fn pack_trials(pack: &Path, suite: &Suite) -> [Trial; 2] {
    let name = pack.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (suite, pack) = (suite.clone(), pack.to_owned());
    let title = format!("suite/pack/{name}");
    let table = Trial::test(format!("{title}: every rule decides a case of the table"), move || {
        let policies = Policies::new(&root().join("policies"));
        let context = Context { policies, reference: Engine::native(), ledger: Ledger::default() };
        complete(undecided(&context, &suite, &format!("../../../policies/{name}"))?)
    });
    let own = Trial::test(format!("{title}: its own tests"), move || {
        let files = policytest::find(&pack)?;
        let results = policytest::run(&files, None, &Runtime::Native).map_err(|error| error.to_string())?;
        if let Some(failure) = results.failures.first() {
            let (case, step) = (&failure.case, failure.step);
            return Err(format!("{case}, step {step}:\n{}{}", failure.expected, failure.actual).into());
        }
        if results.passed == 0 {
            return Err("it has no tests".into());
        }
        complete(results.coverage.uncovered)
    });
    [table, own]
}

fn complete(undecided: Vec<String>) -> Result<(), Failed> {
    if undecided.is_empty() {
        return Ok(());
    }
    Err(format!("no case is decided by {}", undecided.join(", ")).into())
}
