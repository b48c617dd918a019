//! What the gateway shows to the server behind it.

use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, StatusCode};
use axum::{Router, routing::post};
use placet::gateway::auth::{Credentials, CredentialsConfig};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::issuer::{ISSUER, RESOURCE, Signer, claims_with, set};
use crate::world::{World, folder};

const KEYS: &str = r#"keys:
  - {name: a, digest: DIGEST, identity: {tenant: acme, agent: {id: bot}}}
"#;

/// A folder with an API key of tenant `acme`, and secrets.
fn keys() -> (std::path::PathBuf, String) {
    let folder = folder();
    let key = "plk_for-these-tests".to_owned();
    let digest = placet_bundle::digest(key.as_bytes());
    std::fs::write(folder.join("keys.yaml"), KEYS.replace("DIGEST", &digest)).expect("written");
    std::fs::write(folder.join("secret"), "s3cret\n").expect("written");
    std::fs::write(folder.join("other"), "0ther").expect("written");
    (folder, key)
}

/// The header of the last message that reached the server.
fn shown(world: &World, name: &str) -> Option<String> {
    let reached = world.reached.lock().expect("no panic");
    let (headers, _) = reached.last()?;
    Some(headers.get(name)?.to_str().expect("text").to_owned())
}

#[tokio::test]
async fn the_servers_secret_is_the_gateways() {
    for (credentials, header, value) in [
        (json!({"header": {"file": "$DIR/secret"}}), "authorization", Some("Bearer s3cret")),
        (json!({"header": {"name": "x-key", "file": "$DIR/secret"}}), "x-key", Some("s3cret")),
        (
            json!({"header": {"prefix": "Token ", "file": "$DIR/secret"}}),
            "authorization",
            Some("Token s3cret"),
        ),
        (
            json!({"tenants": {"acme": {"file": "$DIR/other"}, "globex": {"file": "$DIR/secret"}}}),
            "authorization",
            Some("Bearer 0ther"),
        ),
        (json!({}), "authorization", None),
    ] {
        let (folder, key) = keys();
        let world =
            World::start(folder, json!({"auth": {"api_keys": "$DIR/keys.yaml"}, "credentials": credentials}))
                .await;
        let answer = world.call(&[("x-api-key", &key), ("x-key", "mine")], "whoami").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(shown(&world, header).as_deref(), value, "{credentials}");
        assert_eq!(shown(&world, "x-api-key"), None);
        assert!(!answer.body.contains("s3cret") && !answer.body.contains("0ther"));
    }
}

#[tokio::test]
async fn a_tenant_without_credentials_reaches_nobody() {
    let (folder, key) = keys();
    let credentials = json!({"tenants": {"globex": {"file": "$DIR/secret"}}});
    let world =
        World::start(folder, json!({"auth": {"api_keys": "$DIR/keys.yaml"}, "credentials": credentials}))
            .await;
    let answer = world.call(&[("x-api-key", &key)], "whoami").await;
    assert!(answer.body.contains("cannot authenticate to the server"), "{answer:?}");
    assert!(!answer.body.contains("globex"), "{answer:?}");
    assert_eq!(world.count(), 0);
}

#[tokio::test]
async fn a_secret_in_a_file_may_change() {
    let (folder, key) = keys();
    let credentials = json!({"header": {"file": "$DIR/secret"}});
    let world =
        World::start(folder, json!({"auth": {"api_keys": "$DIR/keys.yaml"}, "credentials": credentials}))
            .await;
    for (secret, value) in [("new", "Bearer new"), ("two\nlines", "Bearer new"), ("newer", "Bearer newer")] {
        std::fs::write(world.folder.join("secret"), secret).expect("written");
        tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
        assert_eq!(world.call(&[("x-api-key", &key)], "whoami").await.status, 200);
        assert_eq!(shown(&world, "authorization").as_deref(), Some(value), "{secret}");
    }
}

/// What the token endpoint was asked.
type Asked = Arc<Mutex<Vec<(HeaderMap, String)>>>;

/// A token endpoint that gives out numbered tokens, refuses `eve`, and says how long they count.
async fn exchange(lasts: u64) -> (String, Asked) {
    let asked = Asked::default();
    let noted = asked.clone();
    let answer = move |headers: HeaderMap, body: String| {
        let mut noted = noted.lock().expect("no panic");
        noted.push((headers, body));
        let token = format!("upstream-{}", noted.len());
        let answer = json!({"access_token": token, "token_type": "Bearer", "expires_in": lasts,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"});
        let status = if noted.len() == 3 { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        async move { (status, answer.to_string()) }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/token", listener.local_addr().expect("an address"));
    let router = Router::new().route("/token", post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, asked)
}

fn with_exchange(url: &str) -> Value {
    let issuer = json!({"issuer": ISSUER, "jwks": {"file": "$DIR/keys.json"}, "fixed": {"tenant": "acme"}});
    json!({
        "auth": {"oauth": {"resource": RESOURCE, "issuers": [issuer]}, "api_keys": "$DIR/keys.yaml"},
        "credentials": {"exchange": {"endpoint": url, "client_id": "gate way", "client_secret": {"file": "$DIR/secret"},
            "audience": "https://crm.example", "scopes": ["crm:read", "crm:write"]}},
    })
}

#[tokio::test]
async fn the_callers_token_is_exchanged_and_kept_as_long_as_it_counts() {
    let signer = Signer::new("a", "ES256");
    let (folder, key) = keys();
    std::fs::write(folder.join("keys.json"), set(&[&signer]).to_string()).expect("written");
    let (url, asked) = exchange(300).await;
    let world = World::start(folder, with_exchange(&url)).await;
    let [ann, bob, eve] = ["ann", "bob", "eve"].map(|sub| signer.token(&claims_with(&json!({"sub": sub}))));
    for (token, value) in
        [(&ann, "upstream-1"), (&ann, "upstream-1"), (&bob, "upstream-2"), (&ann, "upstream-1")]
    {
        let bearer = format!("Bearer {token}");
        assert_eq!(world.call(&[("authorization", &bearer)], "whoami").await.status, 200);
        assert_eq!(shown(&world, "authorization"), Some(format!("Bearer {value}")));
    }
    {
        let asked = asked.lock().expect("no panic");
        let (headers, form) = asked.first().expect("it was asked");
        // `gate+way:s3cret`
        assert_eq!(headers["authorization"], "Basic Z2F0ZSt3YXk6czNjcmV0");
        assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
        for field in [
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange",
            "subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token",
            "audience=https%3A%2F%2Fcrm.example",
            "scope=crm%3Aread+crm%3Awrite",
        ] {
            assert!(form.split('&').any(|of| of == field), "{field}: {form}");
        }
        assert!(form.split('&').any(|of| of == format!("subject_token={ann}")), "{form}");
    }
    // Neither one that is refused nor one that has no token gets through.
    let before = world.count();
    let bearer = format!("Bearer {eve}");
    for headers in [("authorization", bearer.as_str()), ("x-api-key", key.as_str())] {
        let answer = world.call(&[headers], "whoami").await;
        assert!(answer.body.contains("cannot authenticate to the server"), "{answer:?}");
    }
    assert_eq!(world.count(), before);
}

#[tokio::test]
async fn a_token_that_has_ended_is_not_used_again() {
    let (folder, _) = keys();
    let (url, asked) = exchange(5).await;
    let text =
        with_exchange(&url)["credentials"].to_string().replace("$DIR", folder.to_str().expect("UTF-8"));
    let credentials =
        Credentials::new(serde_json::from_str(&text).expect("a configuration")).expect("credentials");
    let identity = serde_json::from_value(json!({"tenant": "t", "agent": {"id": "a"}})).expect("an identity");
    for n in 1..3 {
        let headers = credentials.headers(&identity, Some("mine")).await.expect("a token");
        assert_eq!(headers["authorization"], format!("Bearer upstream-{n}"));
        assert!(headers["authorization"].is_sensitive());
    }
    assert_eq!(asked.lock().expect("no panic").len(), 2);
    assert!(credentials.headers(&identity, None).await.is_err());
    assert!(!format!("{credentials:?}").contains("s3cret"), "secrets are not printed");
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn credentials_that_are_refused() {
    let (folder, _) = keys();
    std::fs::write(folder.join("empty"), "\n").expect("written");
    std::fs::write(folder.join("odd"), "a\u{7f}b").expect("written");
    for (config, why) in [
        (json!({"header": {"file": "$DIR/secret"}, "tenants": {"a": {"file": "$DIR/secret"}}}), "choose one"),
        (json!({"header": {}}), "one of `env` and `file`"),
        (json!({"header": {"env": "A", "file": "b"}}), "one of `env` and `file`"),
        (json!({"header": {"env": "PLACET_TESTS_HAVE_NO_SUCH_VARIABLE"}}), "has no value"),
        (json!({"header": {"file": "$DIR/missing"}}), "missing"),
        (json!({"header": {"file": "$DIR/empty"}}), "not one line"),
        (json!({"header": {"file": "$DIR/odd"}}), "cannot stand in a header"),
        (json!({"header": {"name": "a b", "file": "$DIR/secret"}}), "not a header's name"),
        (json!({"header": {"name": "Mcp-Session-Id", "file": "$DIR/secret"}}), "another meaning"),
        (json!({"header": {"name": "content-length", "file": "$DIR/secret"}}), "another meaning"),
        (
            json!({"exchange": {"endpoint": "https://a.example", "client_id": "a", "client_secret": {"file": "$DIR/secret"}}}),
            "which server the token is for",
        ),
        (
            json!({"exchange": {"endpoint": "http://a.example", "client_id": "a", "client_secret": {"file": "$DIR/secret"},
            "audience": "b"}}),
            "https://",
        ),
    ] {
        let text = config.to_string().replace("$DIR", folder.to_str().expect("UTF-8"));
        let config: CredentialsConfig = serde_json::from_str(&text).expect("a configuration");
        let error = Credentials::new(config).expect_err(&text);
        assert!(error.contains(why), "{text}: {error}");
    }
    let _ = std::fs::remove_dir_all(&folder);
    // What is a secret does not stand in the configuration.
    assert!(serde_json::from_value::<CredentialsConfig>(json!({"header": {"value": "s3cret"}})).is_err());
}
