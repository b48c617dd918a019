//! What libtest prints, read back.

use std::ops::AddAssign;

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tests that held.
    pub passed: u64,
    /// Tests that did not.
    pub failed: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// The sum over all `test result` lines.
pub fn counts(output: &str) -> Counts {
    let mut sum = Counts::default();
    for found in output.lines().filter_map(result) {
        sum += found;
    }
    sum
}

/// Whether a line says that all is as it should be: it is not shown when a suite fails.
pub fn is_noise(line: &str) -> bool {
    let line = line.trim_start();
    let cargo = ["Compiling ", "Downloaded ", "Downloading ", "Fresh ", "Running "];
    (line.starts_with("test ") && (line.ends_with("... ok") || line.ends_with("... ignored")))
        || cargo.iter().any(|word| line.starts_with(word))
        || line.is_empty()
}

/// `test result: ok. 12 passed; 0 failed; 1 ignored; …`
fn result(line: &str) -> Option<Counts> {
    let (_, rest) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
    let count = |what: &str| {
        let field = rest.split("; ").find_map(|field| field.strip_suffix(what))?;
        field.trim().parse().ok()
    };
    Some(Counts { passed: count("passed")?, failed: count("failed")? })
}

#[cfg(test)]
mod tests {
    use super::{Counts, counts, is_noise};

    #[test]
    fn results() {
        let ok =
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        let failed = "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        for (output, passed, failed) in [
            (String::new(), 0, 0),
            ("nothing of the kind\n12 passed; 3 failed".to_owned(), 0, 0),
            (ok.to_owned(), 12, 0),
            (format!("running 5 tests\n{failed}\n\n{ok}\n"), 15, 2),
            ("test result: ok. many passed; 0 failed".to_owned(), 0, 0),
        ] {
            assert_eq!(counts(&output), Counts { passed, failed }, "{output:?}");
        }
    }

    #[test]
    fn noise() {
        assert!(is_noise("test a::b ... ok") && is_noise("   Compiling serde v1.0.0") && is_noise(""));
        assert!(!is_noise("test a::b ... FAILED") && !is_noise("error: it does not build"));
    }
}
