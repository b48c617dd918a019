//! Configurations that would let in somebody whom nobody meant, or nobody at all.

use placet::gateway::ServeError;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::issuer::{ISSUER, RESOURCE};
use crate::world::{Reached, folder, front, gateway};

/// What serving at an address says, when it does not serve.
async fn refusal(listen: &str, config: &Value) -> Option<String> {
    let folder = folder();
    std::fs::write(folder.join("keys.yaml"), "keys: []").expect("written");
    std::fs::write(
        folder.join("bad.yaml"),
        "keys: [{name: a, digest: ab, identity: {tenant: t, agent: {id: a}}}]",
    )
    .expect("written");
    let listener = TcpListener::bind(listen).await.expect("a port");
    let serving = gateway(&folder, config, listener, Reached::default(), std::future::ready(())).await;
    let said = match serving.await {
        Ok(()) => None,
        Err(ServeError::Front(why)) => Some(why),
        Err(other) => panic!("{other}"),
    };
    let _ = std::fs::remove_dir_all(&folder);
    said
}

#[tokio::test]
async fn nobody_is_let_in_from_elsewhere_without_so_many_words() {
    let anonymous = json!({"auth": {"anonymous": {"tenant": "t", "agent": {"id": "a"}}}});
    for (listen, config, served) in [
        ("127.0.0.1:0", json!({}), true),
        ("0.0.0.0:0", json!({}), false),
        ("[::]:0", json!({}), false),
        ("0.0.0.0:0", json!({"auth": {}}), false),
        ("127.0.0.1:0", json!({"auth": {}}), false),
        ("0.0.0.0:0", anonymous.clone(), true),
        ("0.0.0.0:0", json!({"auth": {"api_keys": "$DIR/keys.yaml"}}), true),
    ] {
        let said = refusal(listen, &config).await;
        assert_eq!(said.is_none(), served, "{listen} {config}: {said:?}");
        assert!(said.is_none_or(|said| said.contains("anonymous")), "{listen} {config}");
    }
}

#[tokio::test]
async fn configurations_that_are_refused() {
    let issuer = |other: Value| {
        let mut issuer =
            json!({"issuer": ISSUER, "jwks": {"url": "https://idp.example/keys"}, "fixed": {"tenant": "t"}});
        other.as_object().expect("an object").iter().for_each(|(name, value)| issuer[name] = value.clone());
        json!({"auth": {"oauth": {"resource": RESOURCE, "issuers": [issuer]}}})
    };
    let oauth = |other: Value| {
        let mut config = issuer(json!({}));
        other
            .as_object()
            .expect("an object")
            .iter()
            .for_each(|(n, v)| config["auth"]["oauth"][n] = v.clone());
        config
    };
    assert_eq!(refusal("127.0.0.1:0", &issuer(json!({}))).await, None);
    let mtls = |of: Value| json!({"auth": {"mtls": of}});
    for (config, why) in [
        (oauth(json!({"issuers": []})), "at least one of `issuers`"),
        (oauth(json!({"leeway": 301})), "300 seconds"),
        (oauth(json!({"scopes": ["a b"]})), "is not a scope"),
        (oauth(json!({"scopes": ["a\"b"]})), "is not a scope"),
        (oauth(json!({"resource": "gateway"})), "`resource`"),
        (oauth(json!({"resource": "https://gateway.example/mcp#a"})), "fragment"),
        (issuer(json!({"jwks": {"url": "http://idp.example/keys"}})), "https://"),
        (issuer(json!({"jwks": {"url": "file:///etc/passwd"}})), "https://"),
        (issuer(json!({"jwks": {}})), "one of `file` and `url`"),
        (issuer(json!({"jwks": {"file": "a", "url": "https://b"}})), "one of `file` and `url`"),
        (issuer(json!({"jwks": {"file": "$DIR/missing.json"}})), "missing.json"),
        (issuer(json!({"jwks": {"file": "$DIR/keys.yaml"}})), "JSON Web Key Set"),
        (issuer(json!({"algorithms": []})), "`algorithms` is empty"),
        (issuer(json!({"fixed": {}})), "who the tenant is"),
        (issuer(json!({"claims": {"tenant": "tid"}})), "`tenant` is fixed and comes with the request"),
        (json!({"auth": {"api_keys": "$DIR/missing.yaml"}}), "missing.yaml"),
        (json!({"auth": {"api_keys": "$DIR/bad.yaml"}}), "SHA-256"),
        (mtls(json!({"agent": "uri", "fixed": {"tenant": "t"}})), "client_ca"),
        (mtls(json!({"agent": "uri"})), "whose tenant"),
        (
            mtls(json!({"agent": "uri", "fixed": {"tenant": "t"}, "agents": {"a": {"tenant": "t"}}})),
            "choose one",
        ),
        (
            mtls(json!({"agent": "uri", "fixed": {"tenant": "t", "agent": {"id": "a"}}})),
            "comes from the certificate",
        ),
        (json!({"tls": {"cert": "$DIR/missing.pem", "key": "$DIR/missing.pem"}}), "missing.pem"),
        (json!({"tls": {"cert": "$DIR/keys.yaml", "key": "$DIR/keys.yaml"}}), "no certificate"),
        (json!({"tls": {"cert": "a", "key": "b", "client": "required"}}), "client_ca"),
        (json!({"limits": {"requests": 0}}), "nothing could pass"),
        (json!({"limits": {"header_bytes": 10}}), "header_bytes"),
        (json!({"hosts": ["https://gateway.example"]}), "is not a host's name"),
    ] {
        let said = refusal("127.0.0.1:0", &config).await;
        let said = said.unwrap_or_else(|| panic!("served: {config}"));
        assert!(said.contains(why), "{config}: {said}");
    }
}

#[test]
fn what_is_unknown_or_unsafe_does_not_parse() {
    for config in [
        json!({"auth": {"oauth2": {}}}),
        json!({"auth": {"anonymous": true}}),
        json!({"auth": {"anonymous": {"tenant": "t"}}}),
        json!({"auth": {"oauth": {"resource": RESOURCE, "issuers": [{"issuer": ISSUER, "jwks": {}, "algorithms": ["none"]}]}}}),
        json!({"auth": {"oauth": {"resource": RESOURCE, "issuers": [{"issuer": ISSUER, "jwks": {}, "algorithms": ["HS256"]}]}}}),
        json!({"auth": {"mtls": {"agent": "serial"}}}),
        json!({"tls": {"cert": "a"}}),
        json!({"tls": {"cert": "a", "key": "b", "client": "maybe"}}),
        json!({"limits": {"requests": -1}}),
        json!({"limit": {}}),
    ] {
        let text = config.to_string();
        let read = serde_json::from_str::<placet::gateway::FrontConfig>(&text);
        assert!(read.is_err(), "{text}");
    }
    // The helper of the other tests reads what is right.
    front(std::path::Path::new("/"), &json!({"limits": {"requests": 1}}));
}
