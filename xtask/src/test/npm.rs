//! Packages in JavaScript: their tests, with Node's own test runner, on components built here.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::libtest::Counts;
use super::{Outcome, capture};
use crate::workspace::{self, BUILD_PROGRAMS, Workspace};

/// The policies that the tests are about.
const POLICY: &str = "policies/quickstart";

/// Runs the tests of a package, in a copy below the target directory, so that npm writes nothing into the sources.
///
/// Without Node or npm, or when the registry cannot be reached, nothing can be tested: on CI that is a failure,
/// elsewhere a skip.
///
/// # Errors
/// When a program that is there cannot be started, or a file not be copied.
pub fn run(workspace: &Workspace, package: &str) -> Result<Outcome> {
    let copy = workspace.scratch("npm")?.join(package.replace('/', "-"));
    // Beside its siblings, as in the sources: its tests look at them.
    let from = workspace.root.join(package);
    let name = from.file_name().context("a package has a name")?;
    sync(from.parent().context("a package is in a directory")?, &copy)?;
    let copy = copy.join(name);
    if let Err(why) = install(&copy) {
        return Ok(match std::env::var_os("CI") {
            None => Outcome::Skipped(why),
            Some(_) => failed(why),
        });
    }
    let (built, output) = capture(workspace.cargo(BUILD_PROGRAMS))?;
    if !built {
        return Ok(failed(output));
    }
    let placet = workspace.binary("placet");
    let dist = copy.join("dist");
    let mut build = workspace.command(&placet);
    build.args(["build", POLICY, "--only", "component,enforcement", "-o"]).arg(&dist);
    let mut transpile = Command::new("node");
    transpile.current_dir(&copy).arg("build.mjs");
    transpile.arg(dist.join("policy.component.wasm")).arg(dist.join("enforcement.component.wasm"));
    for step in [build, transpile] {
        let (made, output) = capture(step)?;
        if !made {
            return Ok(failed(output));
        }
    }
    let mut test = Command::new("node");
    test.current_dir(&copy).args(["--test", "--test-reporter=tap", "test/"]);
    test.env("PLACET", &placet).env("PLACET_POLICY", workspace.root.join(POLICY));
    let (success, output) = capture(test)?;
    let mut counts = Counts { passed: count(&output, "# pass "), failed: count(&output, "# fail ") };
    if (!success || counts.passed == 0) && counts.failed == 0 {
        counts.failed = 1;
    }
    Ok(Outcome::Ran(counts, output))
}

/// A folder with what its lock file says installed: in a copy below the target directory. Otherwise, why not.
///
/// # Errors
/// When a program that is there cannot be started, or a file not be copied.
pub fn installed(workspace: &Workspace, folder: &str) -> Result<Result<PathBuf, String>> {
    let copy = workspace.scratch("npm")?.join(folder.replace('/', "-"));
    sync(&workspace.root.join(folder), &copy)?;
    Ok(install(&copy).map(|()| copy))
}

fn failed(why: String) -> Outcome {
    Outcome::Ran(Counts { passed: 0, failed: 1 }, why)
}

/// The number behind the last line that begins so.
fn count(output: &str, start: &str) -> u64 {
    let mut numbers = output.lines().filter_map(|line| line.strip_prefix(start)?.trim().parse().ok());
    numbers.next_back().unwrap_or(0)
}

/// Installs what the lock file says, when that is not what is there already.
fn install(package: &Path) -> Result<(), String> {
    for program in ["node", "npm"] {
        if !workspace::installed(program) {
            return Err(format!("`{program}` is not installed: install Node 20 or later"));
        }
    }
    let lock = |path: PathBuf| std::fs::read(path).ok();
    let (wanted, done) =
        (package.join("package-lock.json"), package.join("node_modules/.installed-lock.json"));
    if lock(done.clone()).is_some_and(|done| Some(done) == lock(wanted.clone())) {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.current_dir(package).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    match capture(npm) {
        Ok((true, _)) => {
            std::fs::copy(wanted, done).map(drop).map_err(|e| format!("cannot note what is installed: {e}"))
        }
        Ok((false, output)) => Err(format!("npm cannot install the packages: {}", output.trim())),
        Err(error) => Err(format!("npm cannot install the packages: {error:#}")),
    }
}

/// Makes one directory hold the files of another; what npm and builds have put there stays.
fn sync(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("cannot make `{}`", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot list `{}`", from.display()))? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_name() == "node_modules" || entry.file_name() == "dist" {
            continue;
        }
        if path.is_dir() {
            // A file that is gone from the sources must not be tested.
            if target.is_dir() && !target.join("node_modules").is_dir() {
                std::fs::remove_dir_all(&target)
                    .with_context(|| format!("cannot empty `{}`", target.display()))?;
            }
            sync(&path, &target)?;
        } else {
            std::fs::copy(&path, &target).with_context(|| format!("cannot copy `{}`", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn counts() {
        for (output, start, expected) in [
            ("ok 1 - a\n# tests 12\n# pass 11\n# fail 1\n", "# pass ", 11),
            ("ok 1 - a\n# tests 12\n# pass 11\n# fail 1\n", "# fail ", 1),
            ("# Subtest: # pass 3\n# pass 2\n", "# pass ", 2),
            ("nothing", "# pass ", 0),
        ] {
            assert_eq!(count(output, start), expected, "{output}");
        }
    }
}
