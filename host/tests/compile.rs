//! What the compiler says about policies that are wrong: each file of `tests/compile` against the rendering beside it.
//! `UPDATE_EXPECT=1` writes the renderings; they are to be read before they are committed.

use std::path::{Path, PathBuf};

use placet::compile::{Severity, compile_path};

fn check(folder: &str, severity: Severity, least: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/compile").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read").path())
        // A folder is one case: policies that only together say something.
        .filter(|path| path.is_dir() || path.extension().is_some_and(|e| e == "yaml"))
        .filter(|path| !path.ends_with("schemas"))
        .collect();
    files.sort();
    assert!(
        files.len() >= least,
        "{} has {} cases, and {least} are asked for",
        folder.display(),
        files.len()
    );
    let mut wrong = Vec::new();
    for file in &files {
        let name = file.file_name().and_then(|n| n.to_str()).expect("a name").to_owned();
        let outcome = compile_path(file).expect("it can be read");
        let mut text = String::new();
        for diagnostic in &outcome.diagnostics {
            let shown = diagnostic.source.text.get(diagnostic.span.clone());
            assert!(shown.is_some(), "{name}: a span outside the source, or within a character");
            text.push_str(&diagnostic.render(false));
            text.push_str("\n\n");
        }
        // Paths as everybody sees them.
        let text = text.trim_end().replace(&format!("{}/", folder.display()), "") + "\n";
        if outcome.diagnostics.first().map(|d| d.severity) != Some(severity)
            || outcome.policy.is_some() != (severity == Severity::Warning)
        {
            wrong.push(format!("{name}: should have {severity:?}s only, and says:\n{text}"));
            continue;
        }
        let expected_file = file.with_extension("expected");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&expected_file, &text).expect("it can be written");
        }
        let expected = std::fs::read_to_string(&expected_file).unwrap_or_default();
        if expected != text {
            wrong.push(format!("{name}: expected\n{expected}\nbut the compiler says\n{text}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} are not as expected:\n{}",
        wrong.len(),
        files.len(),
        wrong.join("\n")
    );
}

#[test]
fn errors_name_the_place_and_the_way_out() {
    check("errors", Severity::Error, 150);
}

#[test]
fn warnings_name_rules_that_do_nothing() {
    check("warnings", Severity::Warning, 11);
}

/// Whatever order the files are read in, the policy is the same, byte for byte.
#[test]
fn the_same_sources_give_the_same_bytes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/quickstart");
    let bundle = || placet::policy::load(&folder).expect("it compiles").bundle;
    assert_eq!(bundle(), bundle());
}
