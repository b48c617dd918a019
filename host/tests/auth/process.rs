//! `placet serve` as a process: what its configuration file says, and how it starts and stops.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use placet::gateway::{FrontConfig, ServeConfig};

use crate::world::{client, folder};

const POLICY: &str = "policy: p\nrules: [{id: open, tools: ['*'], outcome: allow}]\n";

fn serve(folder: &Path, config: &str, more: &[&str]) -> Child {
    std::fs::write(folder.join("policy.yaml"), POLICY).expect("written");
    std::fs::write(folder.join("gateway.yaml"), config).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_placet"));
    command.args(["serve", "--policy", "policy.yaml", "--config", "gateway.yaml", "--target", "native"]);
    command.args(more).current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("it starts")
}

/// What it says when it ends by itself.
fn ended(mut child: Child) -> (Option<i32>, String, String) {
    let (mut out, mut error) = (String::new(), String::new());
    child.stdout.take().expect("piped").read_to_string(&mut out).expect("text");
    child.stderr.take().expect("piped").read_to_string(&mut error).expect("text");
    (child.wait().expect("it ends").code(), out, error)
}

#[test]
fn it_does_not_start_with_a_configuration_that_lets_in_anybody() {
    for (config, said) in [
        ("listen: 0.0.0.0:0\n", "nothing says who may call"),
        ("listen: 0.0.0.0:0\nidentity: {tenant: t, agent: {id: a}}\n", "nothing says who may call"),
        ("listen: 127.0.0.1:0\nauth: {}\n", "names no way to authenticate"),
        ("listen: 127.0.0.1:0\nauth: {api_keys: missing.yaml}\n", "missing.yaml"),
        (
            "listen: 127.0.0.1:0\nidentity: {tenant: t, agent: {id: a}}\nauth: {anonymous: {tenant: t, agent: {id: a}}}\n",
            "choose one",
        ),
        (
            "listen: 127.0.0.1:0\nauth: {oauth: {resource: 'https://a.example', issuers: [], more: 1}}\n",
            "more",
        ),
    ] {
        let folder = folder();
        let config = format!("{config}upstreams: [{{url: 'http://127.0.0.1:9/mcp'}}]\n");
        let (code, out, error) = ended(serve(&folder, &config, &[]));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{config}: {error}");
        assert!(error.contains(said), "{config}: {error}");
        let _ = std::fs::remove_dir_all(&folder);
    }
}

#[test]
fn on_standard_streams_nobody_is_asked_who_they_are() {
    let folder = folder();
    let config = "auth: {anonymous: {tenant: t, agent: {id: a}}}\n";
    let (code, _, error) = ended(serve(&folder, config, &["--", "cat"]));
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("one caller"), "{error}");
    let _ = std::fs::remove_dir_all(&folder);
}

#[tokio::test]
async fn it_says_where_it_is_and_ends_when_told_to() {
    let folder = folder();
    let config = "
listen: 127.0.0.1:0
upstreams: [{url: 'http://127.0.0.1:9/mcp'}]
auth: {anonymous: {tenant: t, agent: {id: a}}}
limits: {requests: 10}
";
    let mut child = serve(&folder, config, &[]);
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let url = line.trim().strip_prefix("listening on ").expect("where it is").to_owned();
    let ready = client().get(url.replace("/mcp", "/readyz")).send().await.expect("an answer");
    assert_eq!(ready.status().as_u16(), 200);
    let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("it runs");
    assert!(told.success());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    let _ = std::fs::remove_dir_all(&folder);
}

/// Every example of the documentation is a configuration, as it stands there.
#[test]
fn what_the_documentation_shows_can_be_used() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join("docs/identity.md")).expect("the page");
    let mut examples = 0;
    for example in text.split("```yaml\n").skip(1) {
        let (example, _) = example.split_once("```").expect("an end");
        if example.starts_with("keys:") {
            continue;
        }
        let config = ServeConfig::from_yaml(example).unwrap_or_else(|error| panic!("{error}\n{example}"));
        let front = FrontConfig { auth: config.auth, tls: config.tls, ..FrontConfig::default() };
        let said =
            front != FrontConfig::default() || config.upstreams.iter().any(|of| of.credentials.is_some());
        assert!(said || !config.hosts.is_empty() || config.limits != Default::default(), "{example}");
        examples += 1;
    }
    assert_eq!(examples, 6);
}
