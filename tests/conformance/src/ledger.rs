//! The ledger of expected failures: exact in both directions. Whatever is in it must fail, whatever fails must be in it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

/// Trials that are known to fail.
#[derive(Clone, Debug, Default)]
pub struct Ledger(BTreeMap<String, String>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    expected: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// `target/group/case`
    trial: String,
    /// What has to happen for it to pass.
    why: String,
}

impl Ledger {
    /// Reads a ledger.
    ///
    /// # Errors
    /// When it is not one, or an entry stands twice or without a reason.
    pub fn load(path: &Path) -> Result<Ledger, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
        Ledger::read(&text).map_err(|error| format!("`{}`: {error}", path.display()))
    }

    fn read(text: &str) -> Result<Ledger, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut ledger = BTreeMap::new();
        for Entry { trial, why } in file.expected {
            if why.trim().is_empty() {
                return Err(format!("`{trial}` has no `why`"));
            }
            if ledger.insert(trial.clone(), why).is_some() {
                return Err(format!("`{trial}` stands twice"));
            }
        }
        Ok(Ledger(ledger))
    }

    /// What a trial's end is, given how it ended: a failure that is expected is a success, and the other way round.
    ///
    /// # Errors
    /// What is wrong.
    pub fn judge(&self, trial: &str, ended: Result<(), String>) -> Result<(), String> {
        match (self.0.get(trial), ended) {
            (None, ended) => ended,
            (Some(_), Err(_)) => Ok(()),
            (Some(why), Ok(())) => {
                Err(format!("it passes, and expected-failures.toml says that it fails ({why}): take it out"))
            }
        }
    }

    /// Entries of a target that are no trial of it.
    pub fn strangers<'a>(&'a self, target: &str, trials: &[String]) -> Vec<&'a str> {
        let of_target = |name: &&String| name.split('/').next() == Some(target);
        let is_strange = |name: &&String| !trials.contains(name);
        self.0.keys().filter(of_target).filter(is_strange).map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Ledger;

    #[test]
    fn exact_in_both_directions() {
        let ledger =
            Ledger::read("[[expected]]\ntrial = \"a/b/c\"\nwhy = \"the proxy has no clock\"").unwrap();
        let failed = || Err("no".to_owned());
        for (trial, ended, good) in [
            ("a/b/c", failed(), true),
            ("a/b/c", Ok(()), false),
            ("a/b/d", Ok(()), true),
            ("a/b/d", failed(), false),
        ] {
            assert_eq!(ledger.judge(trial, ended.clone()).is_ok(), good, "{trial} {ended:?}");
        }
        assert_eq!(ledger.strangers("a", &[]), ["a/b/c"]);
        assert_eq!(ledger.strangers("a", &["a/b/c".to_owned()]), Vec::<&str>::new());
        assert_eq!(ledger.strangers("b", &[]), Vec::<&str>::new());
    }

    #[test]
    fn what_is_no_ledger() {
        for text in [
            "[[expected]]\ntrial = \"a/b/c\"",
            "[[expected]]\ntrial = \"a/b/c\"\nwhy = \" \"",
            "[[expected]]\ntrial = \"a\"\nwhy = \"x\"\n[[expected]]\ntrial = \"a\"\nwhy = \"y\"",
            "[[expected]]\ntrial = \"a\"\nwhy = \"x\"\nuntil = \"never\"",
            "nonsense",
        ] {
            assert!(Ledger::read(text).is_err(), "{text}");
        }
    }
}
