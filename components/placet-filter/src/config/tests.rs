use super::*;

const GUARD: &str = r#""guard":{"mcp":[{"path":"/mcp"}],"identity":{"header":"x-id"}}"#;
const HOST: &str = r#""host":{"cluster":"c","authority":"a"}"#;

fn read(rest: &str) -> Result<Setup, String> {
    Setup::read(format!("{{{GUARD}{rest}}}").as_bytes())
}

fn bundle() -> String {
    let set = placet_pdp::PolicySet { layers: vec!["org".to_owned()], ..placet_pdp::PolicySet::default() };
    STANDARD.encode(placet_bundle::encode(&set).unwrap())
}

#[test]
fn defaults() {
    let setup = read("").unwrap_or_else(|why| panic!("{why}"));
    assert_eq!((setup.phase, setup.log, setup.name.as_str()), (Phase::Auto, Log::All, "placet-filter"));
    assert_eq!(setup.bounds, Some(Bounds::default()));
    assert!(setup.host.is_none() && setup.pdp.is_none() && setup.records.is_none());
    assert_eq!(setup.jwt, Jwt { namespace: "envoy.filters.http.jwt_authn".into(), key: "payload".into() });
    // Without a policy in the module or the configuration, everything is denied.
    assert!(setup.with(|pdp| pdp.refusal().is_some()));
}

#[test]
fn what_can_be_set() {
    for rest in [
        r#","phase":"headers""#.to_owned(),
        r#","state":{"in":"shared-data","slots":16,"slot_bytes":4096,"share_bytes":4096}"#.to_owned(),
        format!(r#","state":{{"in":"host"}},{HOST}"#),
        format!(r#","records":{{"path":"/v1/records"}},{HOST}"#),
        r#","log":"refused","name":"edge-1","jwt":{"key":"claims"}"#.to_owned(),
        r#","state":{"in":"host"},"host":{"cluster":"c","authority":"a","approvals":"/v1/approve"}"#
            .to_owned(),
        format!(r#","policy":{{"bundle":"{}"}}"#, bundle()),
    ] {
        if let Err(why) = read(&rest) {
            panic!("{rest}: {why}");
        }
    }
    let setup =
        read(&format!(r#","policy":{{"bundle":"{}"}}"#, bundle())).unwrap_or_else(|why| panic!("{why}"));
    assert!(setup.with(|pdp| pdp.refusal().is_none()));
    // The policy of one plugin is not that of another in the same module.
    assert!(placet_embed::with(|pdp| pdp.refusal().is_some()));
}

#[test]
fn what_is_wrong_is_said() {
    let (bundle, key) = (bundle(), "ab".repeat(32));
    for (rest, why) in [
        (r#","phase":"later""#.to_owned(), "unknown variant `later`"),
        (r#","colour":1"#.to_owned(), "unknown field `colour`"),
        (format!(",{GUARD}"), "duplicate field `guard`"),
        (r#","state":{"in":"redis"}"#.to_owned(), "unknown variant `redis`"),
        (r#","state":{"in":"shared-data","slots":0}"#.to_owned(), "`state.slots` must be from 1 to 65536"),
        (
            r#","state":{"in":"shared-data","share_bytes":9999999}"#.to_owned(),
            "`share_bytes` <= `slot_bytes`",
        ),
        (r#","state":{"in":"host"}"#.to_owned(), "say in `host` where that is"),
        (r#","records":{"path":"/r"}"#.to_owned(), "say in `host` where that is"),
        (format!(r#","records":{{"path":"/r","every_ms":1}},{HOST}"#), "at least 100 ms apart"),
        (r#","host":{"cluster":"","authority":"a"}"#.to_owned(), "must not be empty"),
        (r#","host":{"cluster":"c","authority":"a","path":"v1"}"#.to_owned(), "are paths"),
        (r#","host":{"cluster":"c","authority":"a","timeout_ms":0}"#.to_owned(), "wait at least 1 ms"),
        (
            r#","host":{"cluster":"c","authority":"a","approvals":"/a"}"#.to_owned(),
            "needs `state` to be in the host",
        ),
        (r#","policy":{"bundle":"***"}"#.to_owned(), "`policy.bundle` is not Base64"),
        (r#","policy":{"bundle":"bm90IGEgYnVuZGxl"}"#.to_owned(), "does not begin like a policy bundle"),
        (format!(r#","policy":{{"bundle":"{bundle}","keys":["{key}"]}}"#), "is not signed"),
        (format!(r#","policy":{{"bundle":"{bundle}","keys":["xyz"]}}"#), "is not a public key"),
        (format!(r#","policy":{{"bundle":"{bundle}","keys":["{key}0"]}}"#), "is not a public key"),
    ] {
        match read(&rest) {
            Ok(_) => panic!("accepted: {rest}"),
            Err(said) => assert!(said.contains(why), "{rest}: {said}"),
        }
    }
    for (text, why) in [
        ("", "there is no configuration"),
        ("[]", "not acceptable"),
        ("{}", "missing field `guard`"),
        (r#"{"guard":{"mcp":[{"path":"mcp"}],"identity":{"header":"x"}}}"#, "`guard`: `mcp` is not a path"),
        (r#"{"guard":{"mcp":[{"path":"/mcp"}],"identity":{}}}"#, "`guard`: `identity`"),
    ] {
        match Setup::read(text.as_bytes()) {
            Ok(_) => panic!("accepted: {text}"),
            Err(said) => assert!(said.contains(why), "{text}: {said}"),
        }
    }
}
