//! The command line: what is written, what is said, and when nothing is.

use placet::artifact::GUESTS;

use crate::{json, names, placet, policies, refused, scratch};

/// All files of a whole build, in the order of their names.
fn everything() -> Vec<String> {
    let mut files: Vec<String> = GUESTS.iter().map(|guest| guest.file()).collect();
    files.push("policy.bundle".to_owned());
    files.sort();
    files
}

#[test]
fn what_is_written() {
    let policies = policies();
    let path = policies.to_str().unwrap();
    for (case, args, expected) in [
        ("everything", vec!["build", path, "-o", "dist"], everything()),
        ("the-bundle", vec!["build", path, "-o", "dist/x.bundle"], vec!["x.bundle".to_owned()]),
        (
            "only-the-bundle",
            vec!["build", path, "-o", "dist", "--only", "bundle"],
            vec!["policy.bundle".to_owned()],
        ),
        (
            "only-the-component",
            vec!["build", path, "-o", "dist", "--only", "component"],
            vec!["policy.component.wasm".to_owned()],
        ),
        (
            "two",
            vec!["build", path, "-o", "dist", "--only", "bundle,component"],
            vec!["policy.bundle".to_owned(), "policy.component.wasm".to_owned()],
        ),
        (
            "packed",
            vec!["build", path, "-o", "dist", "--only", "component", "--oci"],
            vec!["policy.component.oci".to_owned(), "policy.component.wasm".to_owned()],
        ),
    ] {
        let dir = scratch(case);
        let output = placet(&dir, &args);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{case}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(names(&dir.join("dist")), expected, "{case}");
        for name in expected.iter().filter(|name| !name.ends_with(".oci")) {
            assert!(said.contains(&format!("wrote   dist/{name} (")), "{case}: {said}");
        }
    }
}

#[test]
fn nothing_is_written_when_something_is_wrong() {
    let dir = scratch("wrong");
    let policies = policies();
    let path = policies.to_str().unwrap();
    std::fs::write(dir.join("file"), "a file").unwrap();
    std::fs::write(dir.join("broken.yaml"), "policy: p\nrules:\n  - {id: a, outcom: allow}\n").unwrap();
    std::fs::write(dir.join("broken.bundle"), b"PLACETB1\x01 not a bundle").unwrap();
    for args in [
        ["keygen", "-o", "keys"].as_slice(),
        &["build", path, "-o", "signed.bundle", "--sign", "keys/placet-key.pem"],
    ] {
        let output = placet(&dir, args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let before = names(&dir);
    for (args, code, says) in [
        (["build", "broken.yaml", "-o", "dist"].as_slice(), 1, "does not compile"),
        (&["build", "nowhere", "-o", "dist"], 2, "cannot read"),
        (&["build", "broken.bundle", "-o", "dist"], 1, "damaged"),
        (&["build", path, "-o", "file"], 2, "`file` is a file: say a folder"),
        (&["build", path, "-o", "file/dist"], 2, "cannot write `file/dist/"),
        (&["build", path, "-o", "dist", "--sign", "nowhere.pem"], 2, "cannot read `nowhere.pem`"),
        (&["build", path, "-o", "dist", "--sign", "file"], 2, "`file`: "),
        (
            &["build", path, "-o", "dist", "--only", "everything"],
            2,
            "possible values: bundle, enforcement, component",
        ),
        (&["build", path, "-o", "x.bundle", "--oci"], 2, "leave out `--oci`"),
        (&["build", path, "-o", "dist", "--verify-key", "keys/placet-key.pub.pem"], 1, "not signed"),
        (&["build", path, "-o", "x.bundle", "--verify-key", "keys/placet-key.pub.pem"], 1, "not signed"),
    ] {
        refused(&dir, args, code, says);
        assert_eq!(names(&dir), before, "{args:?}");
    }
    // The same, signed, is built: from a bundle as from its sources.
    let built = json(
        &dir,
        &[
            "build",
            "signed.bundle",
            "-o",
            "dist",
            "--only",
            "bundle",
            "--verify-key",
            "keys/placet-key.pub.pem",
        ],
    );
    assert!(built["signed_by"].is_string(), "{built}");
    assert_eq!(
        std::fs::read(dir.join("dist/policy.bundle")).unwrap(),
        std::fs::read(dir.join("signed.bundle")).unwrap()
    );
}

#[test]
fn the_same_policy_gives_the_same_bytes() {
    let (here, there) = (scratch("same-here"), scratch("same/there"));
    let (policies, copy) = (policies(), there.join("copy"));
    for dir in ["", "schemas"] {
        std::fs::create_dir_all(copy.join(dir)).unwrap();
        for name in names(&policies.join(dir)) {
            let from = policies.join(dir).join(&name);
            if from.is_file() {
                std::fs::copy(from, copy.join(dir).join(&name)).unwrap();
            }
        }
    }
    let one = json(&here, &["build", policies.to_str().unwrap(), "-o", "dist", "--oci"]);
    let other = json(&there, &["build", "copy", "-o", "elsewhere", "--oci"]);
    assert_eq!(one["policy"], other["policy"]);
    for name in everything() {
        let [a, b] =
            [here.join("dist"), there.join("elsewhere")].map(|dir| std::fs::read(dir.join(&name)).unwrap());
        assert!(a == b, "{name} differs");
        // Nothing of this machine is in it.
        let home = std::env::home_dir().unwrap_or_default().join(".cargo");
        for path in [home.as_path(), &crate::root().canonicalize().unwrap(), &here] {
            let path = path.to_str().unwrap().as_bytes();
            assert!(!a.windows(path.len()).any(|bytes| bytes == path), "{name} names {path:?}");
        }
    }
    let digests = |of: &serde_json::Value| -> Vec<String> {
        of["written"].as_array().unwrap().iter().map(|item| item["oci"]["digest"].to_string()).collect()
    };
    assert_eq!(digests(&one), digests(&other));
}

#[test]
fn what_inspect_says() {
    let dir = scratch("inspect");
    let policies = policies();
    let path = policies.to_str().unwrap();
    json(&dir, &["keygen", "-o", "keys"]);
    json(&dir, &["keygen", "-o", "others"]);
    let built = json(&dir, &["build", path, "-o", "dist", "--sign", "keys/placet-key.pem"]);
    json(&dir, &["build", path, "-o", "unsigned"]);
    let bundle = json(&dir, &["inspect", "dist/policy.bundle"]);
    let key = ["--verify-key", "keys/placet-key.pub.pem"];
    for guest in GUESTS {
        let file = format!("dist/{}", guest.file());
        let seen = json(&dir, &["inspect", &file]);
        for field in ["policy", "format", "signed_by", "layers", "tenants", "rules", "tools", "limits"] {
            assert_eq!(seen[field], bundle[field], "{file}: {field}");
        }
        assert_eq!(seen["policy"], built["policy"]);
        for (field, expected) in [
            ("kind", guest.kind),
            ("contents", "reproduced"),
            ("engine", env!("CARGO_PKG_VERSION")),
            ("signature", "valid"),
        ] {
            assert_eq!(seen[field], expected, "{file}: {field}");
        }
        let trusted = json(&dir, &[&["inspect", &file], key.as_slice()].concat());
        assert_eq!(trusted["signature"], "trusted");
        refused(
            &dir,
            &["inspect", &file, "--verify-key", "others/placet-key.pub.pem"],
            1,
            "a key that is not trusted",
        );
        let unsigned = format!("unsigned/{}", guest.file());
        assert_eq!(json(&dir, &["inspect", &unsigned])["signature"], "none");
        refused(&dir, &[&["inspect", &unsigned], key.as_slice()].concat(), 1, "it is not signed");
    }
    std::fs::write(dir.join("other.wasm"), b"\0asm\x01\0\0\0").unwrap();
    refused(&dir, &["inspect", "other.wasm"], 1, "this is not a policy binary");
}
