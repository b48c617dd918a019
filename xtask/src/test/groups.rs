//! What `cargo xtask test` runs, as data: groups in order, cheap and telling ones first.

use clap::builder::PossibleValuesParser;

use super::e2e::{self, Script};

/// Steps that belong together.
pub struct Group {
    /// What `--only` calls it.
    pub name: &'static str,
    /// What it shows, in a few words.
    pub about: &'static str,
    /// In order.
    pub steps: &'static [Work],
}

/// One step.
pub enum Work {
    /// Cargo with these arguments: suites that close with libtest's `test result` line.
    Cargo(&'static [&'static str]),
    /// An integration test of the host.
    Host(&'static str),
    /// A command of this program; counts as one.
    Xtask(&'static str),
    /// A Python script with a real client, or a real proxy.
    EndToEnd(&'static Script),
    /// The tests of a package in JavaScript.
    Npm(&'static str),
}

/// Every group.
pub const GROUPS: &[Group] = &[
    Group { name: "tidy", about: "invariants and sizes of the sources", steps: &[Work::Xtask("tidy")] },
    Group { name: "lint", about: "format, clippy, licences", steps: &[Work::Xtask("lint")] },
    Group { name: "wasm", about: "what the guests import, and their sizes", steps: &[Work::Xtask("wasm")] },
    Group {
        name: "unit",
        about: "unit tests of every crate but the engine, and examples in the documentation",
        steps: &[
            // What the pure crates' tests need would choose other features for Wasmtime, and build it again.
            Work::Cargo(&[
                "test",
                "--release",
                "--no-fail-fast",
                "-p",
                "placet",
                "-p",
                "quickstart-server",
                "-p",
                "placet-conformance",
                "--lib",
                "--bins",
            ]),
            Work::Cargo(&[
                "test",
                "--release",
                "--no-fail-fast",
                "-p",
                "placet-model",
                "-p",
                "placet-cel",
                "-p",
                "placet-bundle",
                "-p",
                "placet-pdp",
                "-p",
                "placet-embed",
                "-p",
                "placet-filter",
                "-p",
                "placet-pep",
                "--tests",
            ]),
            Work::Cargo(&["test", "--release", "-p", "xtask"]),
            Work::Cargo(&[
                "test",
                "--release",
                "--no-fail-fast",
                "--doc",
                "-p",
                "placet-model",
                "-p",
                "placet-cel",
                "-p",
                "placet-engine",
                "-p",
                "placet-bundle",
                "-p",
                "placet-pdp",
                "-p",
                "placet-embed",
                "-p",
                "placet-pep",
            ]),
        ],
    },
    Group {
        name: "engine",
        about: "the engine: its tables, laws, and reference evaluator",
        steps: &[Work::Cargo(&["test", "--release", "--no-fail-fast", "-p", "placet-engine", "--tests"])],
    },
    Group {
        name: "compile",
        about: "policies that must not compile, and what is said about them",
        steps: &[Work::Host("compile")],
    },
    Group {
        name: "edge",
        about: "the policy in `wasmtime serve`, and in Wasmtime with what Spin adds",
        steps: &[
            // It also builds `placet`, which the other step starts; that builds the world, which the suite starts.
            Work::EndToEnd(&e2e::EDGE),
            Work::Cargo(&["test", "--release", "--no-fail-fast", "-p", "placet-edge-world", "--tests"]),
        ],
    },
    Group {
        name: "conformance",
        about: "one table of cases, every target",
        steps: &[Work::Cargo(&[
            "test",
            "--release",
            "-p",
            "placet",
            "-p",
            "quickstart-server",
            "-p",
            "placet-conformance",
            "--test",
            "suite",
        ])],
    },
    Group {
        name: "build",
        about: "policy binaries: what they decide, what proves them, how they are packed",
        steps: &[Work::Host("build")],
    },
    Group { name: "mcp", about: "the gateway, exchange by exchange", steps: &[Work::Host("mcp")] },
    Group {
        name: "auth",
        about: "who is let in by the gateway, as whom, and within which limits",
        steps: &[Work::Host("auth"), Work::EndToEnd(&e2e::OAUTH)],
    },
    Group {
        name: "tools",
        about: "tools that change behind the gateway, locks, imports, metrics, traces",
        steps: &[Work::Host("tools")],
    },
    Group {
        name: "kong",
        about: "Kong's plugin in its plugin server, and the configurations for Kong",
        steps: &[Work::Npm("examples/kong/plugin")],
    },
    Group {
        name: "e2e",
        about: "a real MCP client, the gateway, and a real MCP server",
        steps: &[Work::EndToEnd(&e2e::QUICKSTART)],
    },
    Group {
        name: "peers",
        about: "real MCP servers and clients of others on both sides of the gateway, and the public conformance suite",
        steps: &[Work::EndToEnd(&e2e::PEERS), Work::EndToEnd(&e2e::CONFORMANCE)],
    },
    Group {
        name: "gateway",
        about: "the gateway under attack and under stress: evasion, chaos, hundreds of sessions",
        steps: &[Work::EndToEnd(&e2e::EVASION), Work::EndToEnd(&e2e::CHAOS), Work::EndToEnd(&e2e::SESSIONS)],
    },
    Group {
        name: "envoy",
        about: "the filter in a real Envoy, in front of real servers",
        steps: &[Work::EndToEnd(&e2e::IN_ENVOY), Work::EndToEnd(&e2e::SMUGGLING), Work::EndToEnd(&e2e::LOAD)],
    },
];

/// Arguments for cargo to run an integration test of the host. With the quickstart's server, for the sake of the same
/// features as everywhere: see `Workspace::build_programs`.
pub fn host_test(name: &str) -> [&str; 8] {
    ["test", "--release", "-p", "placet", "-p", "quickstart-server", "--test", name]
}

/// What `--only` takes.
pub fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(GROUPS.iter().map(|group| group.name))
}

/// Whether a group runs the integration test of a package.
pub fn runs_target(package: &str, test: &str) -> bool {
    let runs = |work: &Work| match work {
        Work::Cargo(args) => {
            let has = |pair: [&str; 2]| args.windows(2).any(|it| it == pair);
            has(["-p", package]) && (args.contains(&"--tests") || has(["--test", test]))
        }
        Work::Host(name) => package == "placet" && *name == test,
        Work::Xtask(_) | Work::EndToEnd(_) | Work::Npm(_) => false,
    };
    GROUPS.iter().flat_map(|group| group.steps).any(runs)
}

#[cfg(test)]
mod tests {
    use super::runs_target;

    #[test]
    fn targets() {
        for (package, test, expected) in [
            ("placet", "compile", true),
            ("placet-conformance", "suite", true),
            ("placet-conformance", "nothing-runs-this", false),
            ("placet", "nothing-runs-this", false),
            ("placet-engine", "whatever", true),
            ("placet-model", "whatever", true),
            ("placet-component", "whatever", false),
        ] {
            assert_eq!(runs_target(package, test), expected, "{package} {test}");
        }
    }
}
