//! Access tokens, good and bad.

use std::path::Path;

use serde_json::{Value, json};

use crate::issuer::{ISSUER, KeyServer, RESOURCE, Signer, base64, claims, claims_with, now, set};
use crate::world::{World, folder};

/// Accepts tokens of one issuer, whose keys are in the folder, or at an address.
fn front(jwks: &Value) -> Value {
    let issuer = json!({"issuer": ISSUER, "jwks": jwks, "fixed": {"tenant": "acme"},
        "algorithms": ["RS256", "ES256", "ES384", "EdDSA"], "claims": {"agent_roles": "roles"}});
    json!({"auth": {"oauth": {
        "resource": RESOURCE, "issuers": [issuer], "scopes": ["mcp:tools"], "leeway": 5,
        "tools": [{"tools": ["bank.*"], "scopes": ["bank:write"]}],
    }}})
}

fn write(folder: &Path, set: &Value) {
    std::fs::write(folder.join("keys.json.new"), set.to_string()).expect("written");
    std::fs::rename(folder.join("keys.json.new"), folder.join("keys.json")).expect("renamed");
}

async fn world(signers: &[&Signer]) -> World {
    let folder = folder();
    write(&folder, &set(signers));
    World::start(folder, front(&json!({"file": "$DIR/keys.json"}))).await
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// What the decision log says of who called.
fn caller(call: &Value) -> Value {
    json!([call["tenant"], call["agent"]["id"], call["user"]["id"], call["chain"]])
}

#[tokio::test]
async fn good_tokens_say_who_calls() {
    let signers = ["RS256", "ES256", "ES384", "EdDSA"].map(|algorithm| Signer::new(algorithm, algorithm));
    let world = world(&signers.each_ref()).await;
    let [rsa, ec, ec384, ed] = &signers;
    let cases = [
        (rsa.token(&claims()), json!(["acme", "bot", "ann", null])),
        (ec.token(&claims()), json!(["acme", "bot", "ann", null])),
        (ec384.token(&claims()), json!(["acme", "bot", "ann", null])),
        (ed.token(&claims()), json!(["acme", "bot", "ann", null])),
        // Without a type, or with that of RFC 7519.
        (
            ec.token_with(&json!({"alg": "ES256", "kid": "ES256"}), &claims()),
            json!(["acme", "bot", "ann", null]),
        ),
        (
            ec.token_with(&json!({"typ": "JWT", "alg": "ES256", "kid": "ES256"}), &claims()),
            json!(["acme", "bot", "ann", null]),
        ),
        // Without a key's id there is one that it can be.
        (ec.token_with(&json!({"alg": "ES256"}), &claims()), json!(["acme", "bot", "ann", null])),
        (
            ec.token(&claims_with(&json!({"aud": ["https://other.example", RESOURCE]}))),
            json!(["acme", "bot", "ann", null]),
        ),
        (
            ec.token(&claims_with(&json!({"client_id": null, "azp": "app"}))),
            json!(["acme", "app", "ann", null]),
        ),
        // A client for itself.
        (ec.token(&claims_with(&json!({"sub": "bot"}))), json!(["acme", "bot", null, null])),
        (ec.token(&claims_with(&json!({"sub": null}))), json!(["acme", "bot", null, null])),
        // RFC 8693: the present actor outermost; here it is last.
        (
            ec.token(&claims_with(&json!({"act": {"sub": "planner", "act": {"sub": "desk"}}}))),
            json!(["acme", "bot", "ann", ["desk", "planner"]]),
        ),
        // Clocks differ a little.
        (ec.token(&claims_with(&json!({"exp": now() - 2}))), json!(["acme", "bot", "ann", null])),
        (ec.token(&claims_with(&json!({"nbf": now() + 3}))), json!(["acme", "bot", "ann", null])),
        (
            ec.token(&claims_with(&json!({"scope": null, "scp": ["mcp:tools"]}))),
            json!(["acme", "bot", "ann", null]),
        ),
    ];
    for (at, (token, expected)) in cases.iter().enumerate() {
        let answer = world.call(&[("authorization", &bearer(token))], "whoami").await;
        assert_eq!(answer.status, 200, "case {at}: {answer:?}");
        assert_eq!(&caller(&world.last()), expected, "case {at}");
    }
    assert_eq!(world.count(), cases.len());
    // What is fixed is not the token's to say.
    let other = ec.token(&claims_with(&json!({"tenant": "other", "roles": ["support", "lead"]})));
    assert_eq!(world.call(&[("authorization", &bearer(&other))], "whoami").await.status, 200);
    let call = world.last();
    assert_eq!((&call["tenant"], &call["agent"]["roles"]), (&json!("acme"), &json!(["support", "lead"])));
}

#[tokio::test]
async fn the_token_stays_here() {
    let signer = Signer::new("a", "ES256");
    let world = world(&[&signer]).await;
    let token = bearer(&signer.token(&claims()));
    let headers =
        [("authorization", token.as_str()), ("cookie", "session=1"), ("x-forwarded-for", "192.0.2.1")];
    assert_eq!(world.call(&headers, "whoami").await.status, 200);
    let reached = world.reached.lock().expect("no panic");
    let (headers, message) = reached.first().expect("a message");
    for name in ["authorization", "cookie", "x-api-key", "x-forwarded-for"] {
        assert!(!headers.contains_key(name), "{name}");
    }
    let all = format!("{headers:?} {message}");
    assert!(!all.contains(token.split('.').next_back().expect("a signature")), "{all}");
}

/// Nothing of this may reach the server.
#[tokio::test]
async fn bad_tokens_are_refused() {
    let (rsa, ec) = (Signer::new("rsa", "RS256"), Signer::new("ec", "ES256"));
    let stranger = Signer::new("ec", "ES256");
    let world = world(&[&rsa, &ec]).await;
    let good = ec.token(&claims());
    let (head, rest) = good.split_once('.').expect("two parts");
    let (body, signature) = rest.split_once('.').expect("three parts");
    let of = |other: Value| ec.token(&claims_with(&other));
    let headed = |header: Value| ec.token_with(&header, &claims());
    let none = |alg: &str| format!("{}.{body}.", base64(json!({"alg": alg, "kid": "ec"}).to_string()));
    let text = |claims: &str| ec.sign(&format!("{head}.{}", base64(claims)));
    let flipped = match signature.starts_with('A') {
        true => format!("{head}.{body}.B{}", &signature[1..]),
        false => format!("{head}.{body}.A{}", &signature[1..]),
    };
    let twice = claims().to_string().replacen('{', &format!(r#"{{"aud":"{RESOURCE}","#), 1);
    let mut cases: Vec<(&str, String, &str)> = vec![
        ("another audience", of(json!({"aud": "https://other.example/mcp"})), "not made for this resource"),
        ("no audience", of(json!({"aud": null})), "not made for this resource"),
        ("a longer audience", of(json!({"aud": format!("{RESOURCE}/")})), "not made for this resource"),
        ("an audience that is a number", of(json!({"aud": 1})), "audience"),
        ("another issuer", of(json!({"iss": "https://evil.example"})), "issuer is not accepted"),
        (
            "an issuer that is nearly right",
            of(json!({"iss": format!("{ISSUER}/")})),
            "issuer is not accepted",
        ),
        ("no issuer", of(json!({"iss": null})), "issuer is not accepted"),
        ("an issuer that is a list", of(json!({"iss": [ISSUER]})), "not of its type"),
        ("expired", of(json!({"exp": now() - 60})), "expired"),
        ("no end", of(json!({"exp": null})), "no end"),
        ("an end that is a text", of(json!({"exp": "tomorrow"})), "not of its type"),
        ("not yet", of(json!({"nbf": now() + 60})), "does not count yet"),
        ("issued tomorrow", of(json!({"iat": now() + 86400})), "in the future"),
        ("no client", of(json!({"client_id": null})), "does not say who calls"),
        ("an actor without a name", of(json!({"act": {"act": {"sub": "x"}}})), "does not say who calls"),
        ("bound to a key", of(json!({"cnf": {"jkt": "abc"}})), "possession"),
        ("bound to a certificate", of(json!({"cnf": {"x5t#S256": "abc"}})), "another client certificate"),
        ("scopes twice", of(json!({"scp": "mcp:tools"})), "both"),
        ("none", none("none"), "algorithm is not accepted"),
        ("None", none("None"), "algorithm is not accepted"),
        ("no algorithm", none(""), "algorithm is not accepted"),
        (
            "an algorithm that is not pinned",
            headed(json!({"alg": "PS256", "kid": "rsa"})),
            "algorithm is not accepted",
        ),
        (
            "an algorithm of another key",
            headed(json!({"alg": "ES256", "kid": "rsa"})),
            "key is not one of its issuer",
        ),
        ("an unknown key", headed(json!({"alg": "ES256", "kid": "other"})), "key is not one of its issuer"),
        ("critical extensions", headed(json!({"alg": "ES256", "kid": "ec", "crit": ["exp"]})), "extensions"),
        ("an id token's type", headed(json!({"alg": "ES256", "kid": "ec", "typ": "logout+jwt"})), "type"),
        (
            "a key in the header is no key",
            stranger.token_with(&json!({"alg": "ES256", "jwk": stranger.jwk()}), &claims()),
            "signature is wrong",
        ),
        ("a stranger's signature", stranger.token(&claims()), "signature is wrong"),
        (
            "another's signature",
            format!("{head}.{}.{signature}", base64(claims_with(&json!({"sub": "eve"})).to_string())),
            "signature is wrong",
        ),
        ("a bit of the signature", flipped, "signature is wrong"),
        ("no signature", format!("{head}.{body}."), "signature is wrong"),
        ("half a signature", format!("{head}.{body}.{}", &signature[..40]), "signature is wrong"),
        ("nothing signed", format!("{head}.{body}"), "not a signed JWT"),
        ("five parts", format!("{good}.a.b"), ""),
        ("padding", format!("{good}=="), "no Base64"),
        ("a claim twice", text(&twice), "no proper JSON"),
        ("claims that are a list", text("[]"), "not a JSON object"),
        ("claims that are none", text("{"), "no proper JSON"),
        ("text", "hello".to_owned(), "not a signed JWT"),
        ("nothing", String::new(), "not a signed JWT"),
        ("long", format!("{head}.{}.{signature}", "A".repeat(17 << 10)), "too long"),
    ];
    let confused: Vec<String> =
        [&rsa, &ec].iter().flat_map(|of| of.public().map(|key| of.confused(&claims(), &key))).collect();
    cases.extend(
        confused.into_iter().map(|token| ("a MAC with the public key", token, "algorithm is not accepted")),
    );
    for (name, token, why) in cases {
        let answer = world.call(&[("authorization", &bearer(&token))], "whoami").await;
        assert_eq!(answer.status, 401, "{name}: {answer:?}");
        assert!(answer.body.contains(why), "{name}: {answer:?}");
        let challenge = answer.header("www-authenticate");
        assert!(challenge.starts_with("Bearer error=\"invalid_token\""), "{name}: {challenge}");
        assert!(
            challenge.contains("resource_metadata=\"https://gateway.example/.well-known/"),
            "{name}: {challenge}"
        );
    }
    assert_eq!(world.count(), 0);
    assert_eq!(world.call(&[("authorization", &bearer(&good))], "whoami").await.status, 200);
}

#[tokio::test]
async fn a_token_with_any_other_character_is_another_token() {
    let signer = Signer::new("a", "ES256");
    let world = world(&[&signer]).await;
    let good = signer.token(&claims());
    for at in 0..good.len() {
        let other = if good.as_bytes()[at] == b'A' { "B" } else { "A" };
        let token = format!("{}{other}{}", &good[..at], &good[at + 1..]);
        let answer = world.call(&[("authorization", &bearer(&token))], "whoami").await;
        assert_eq!(answer.status, 401, "character {at}: {answer:?}");
    }
    assert_eq!(world.count(), 0);
    assert_eq!(world.call(&[("authorization", &bearer(&good))], "whoami").await.status, 200);
}

#[tokio::test]
async fn requests_without_one_token_are_led_to_the_metadata() {
    let signer = Signer::new("a", "ES256");
    let world = world(&[&signer]).await;
    let address = "https://gateway.example/.well-known/oauth-protected-resource/mcp";
    let answer = world.call(&[], "whoami").await;
    let challenge = format!("Bearer scope=\"mcp:tools\", resource_metadata=\"{address}\"");
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, challenge.as_str()));
    let token = bearer(&signer.token(&claims()));
    for (headers, status) in [
        (vec![("authorization", "Basic dXNlcjpwYXNz")], 401),
        (vec![("authorization", token.as_str()), ("authorization", token.as_str())], 400),
        (vec![("authorization", token.as_str()), ("x-api-key", "plk_x")], 400),
        (vec![("x-api-key", "plk_x")], 401),
        (vec![("authorization", "Bearer plk_x")], 401),
        (vec![("authorization", &token["Bearer ".len()..])], 401),
    ] {
        assert_eq!(world.call(&headers, "whoami").await.status, status, "{headers:?}");
    }
    assert_eq!(world.count(), 0);
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"] {
        let answer = world.get(path).await;
        let metadata: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(metadata["resource"], RESOURCE);
        assert_eq!(metadata["authorization_servers"], json!([ISSUER]));
        assert_eq!(metadata["scopes_supported"], json!(["bank:write", "mcp:tools"]));
        assert_eq!(metadata["bearer_methods_supported"], json!(["header"]));
        assert_eq!(answer.header("access-control-allow-origin"), "*");
    }
    assert_eq!(world.get("/.well-known/oauth-protected-resource/other").await.status, 401);
}

#[tokio::test]
async fn scopes_that_are_missing_are_asked_for() {
    let signer = Signer::new("a", "ES256");
    let world = world(&[&signer]).await;
    for (scope, tool, status, asked) in [
        (json!("mcp:tools"), "whoami", 200, ""),
        (json!("other"), "whoami", 403, "mcp:tools"),
        (json!(null), "whoami", 403, "mcp:tools"),
        (json!("mcp:tools:more"), "whoami", 403, "mcp:tools"),
        (json!("mcp:tools"), "bank.pay", 403, "mcp:tools bank:write"),
        (json!("mcp:tools bank:write"), "bank.pay", 200, ""),
        (json!("bank:write"), "bank.pay", 403, "mcp:tools"),
    ] {
        let token = bearer(&signer.token(&claims_with(&json!({"scope": scope}))));
        let before = world.count();
        let answer = world.call(&[("authorization", &token)], tool).await;
        assert_eq!(answer.status, status, "{scope} {tool}: {answer:?}");
        assert_eq!(world.count() - before, usize::from(status == 200), "{scope} {tool}");
        let challenge = answer.header("www-authenticate");
        if status == 403 {
            assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
            assert!(challenge.contains(&format!("scope=\"{asked}\"")), "{scope} {tool}: {challenge}");
        }
    }
}

#[tokio::test]
async fn keys_in_a_file_are_rotated() {
    let (old, new) = (Signer::new("old", "ES256"), Signer::new("new", "ES256"));
    let world = world(&[&old]).await;
    let [of_old, of_new] = [&old, &new].map(|signer| bearer(&signer.token(&claims())));
    assert_eq!(world.call(&[("authorization", &of_old)], "whoami").await.status, 200);
    assert_eq!(world.call(&[("authorization", &of_new)], "whoami").await.status, 401);
    // A file that makes no sense leaves the old keys in force.
    std::fs::write(world.folder.join("keys.json"), "{").expect("written");
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    assert_eq!(world.call(&[("authorization", &of_old)], "whoami").await.status, 200);
    write(&world.folder, &set(&[&new]));
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    assert_eq!(world.call(&[("authorization", &of_new)], "whoami").await.status, 200);
    assert_eq!(world.call(&[("authorization", &of_old)], "whoami").await.status, 401);
}

#[tokio::test]
async fn keys_at_an_address_are_fetched_when_needed_and_not_more_often() {
    let (old, new) = (Signer::new("old", "ES256"), Signer::new("new", "ES256"));
    let keys = KeyServer::start(Some(set(&[&old]))).await;
    let jwks = json!({"url": keys.url, "retry": 1});
    let world = World::start(folder(), front(&jwks)).await;
    let [of_old, of_new] = [&old, &new].map(|signer| bearer(&signer.token(&claims())));
    let status = async |token: &str| world.call(&[("authorization", token)], "whoami").await.status;
    assert_eq!((status(&of_old).await, keys.count()), (200, 1));
    assert_eq!((status(&of_old).await, keys.count()), (200, 1));
    keys.serve(Some(set(&[&old, &new])));
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!((status(&of_new).await, keys.count()), (200, 2), "an unknown key is asked for");
    // Made-up keys do not have it asked for each time.
    let before = keys.count();
    for n in 0..50 {
        let header = json!({"alg": "ES256", "kid": format!("made-up-{n}")});
        assert_eq!(status(&bearer(&new.token_with(&header, &claims()))).await, 401);
    }
    assert!(keys.count() - before <= 3, "{}", keys.count() - before);
    assert_eq!(status(&of_new).await, 200);
}

#[tokio::test]
async fn without_keys_nobody_is_let_in() {
    let signer = Signer::new("a", "ES256");
    let keys = KeyServer::start(None).await;
    let jwks = json!({"url": keys.url, "retry": 0, "refresh": 0, "stale": 2});
    let world = World::start(folder(), front(&jwks)).await;
    let token = bearer(&signer.token(&claims()));
    let status = async || world.call(&[("authorization", &token)], "whoami").await.status;
    assert_eq!(status().await, 503);
    keys.serve(Some(json!({"keys": []})));
    assert_eq!(status().await, 503);
    keys.serve(Some(set(&[&signer])));
    assert_eq!(status().await, 200);
    // They may be gone for a while, not for ever.
    keys.serve(None);
    assert_eq!(status().await, 200);
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    assert_eq!(status().await, 503);
}

#[tokio::test]
async fn a_session_belongs_to_who_opened_it() {
    let signer = Signer::new("a", "ES256");
    let world = world(&[&signer]).await;
    let token = |other: Value| bearer(&signer.token(&claims_with(&other)));
    let ann = token(json!({}));
    let opened = world
        .post(
            &[("authorization", &ann)],
            &json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
                "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}),
        )
        .await;
    let id = opened.header("mcp-session-id").to_owned();
    assert!(!id.is_empty(), "{opened:?}");
    for (token, status) in [
        (ann.clone(), 200),
        (token(json!({"jti": "another token of hers"})), 200),
        (token(json!({"sub": "bob"})), 404),
        (token(json!({"client_id": "app"})), 404),
        (token(json!({"sub": null})), 404),
    ] {
        let answer = world.call(&[("authorization", &token), ("mcp-session-id", &id)], "whoami").await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    let delete = world.client.delete(world.url("/mcp"));
    let bob = token(json!({"sub": "bob"}));
    let answer = crate::world::send(delete, &[("authorization", &bob), ("mcp-session-id", &id)]).await;
    assert_eq!(answer.status, 404);
    assert_eq!(world.call(&[("authorization", &ann), ("mcp-session-id", &id)], "whoami").await.status, 200);
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let signer = Signer::new("a", "ES256");
    let world = world(&[&signer]).await;
    let opened = world
        .post(
            &[("authorization", &bearer(&signer.token(&claims())))],
            &json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
                "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}),
        )
        .await;
    let listen = async |ends: i64| {
        let token = bearer(&signer.token(&claims_with(&json!({"exp": ends}))));
        let request = world.client.get(world.url("/mcp")).header("accept", "text/event-stream");
        let request =
            request.header("authorization", token).header("mcp-session-id", opened.header("mcp-session-id"));
        let mut stream = request.send().await.expect("an answer");
        assert_eq!(stream.status().as_u16(), 200);
        let all = async { while let Ok(Some(_)) = stream.chunk().await {} };
        tokio::time::timeout(std::time::Duration::from_secs(4), all).await.is_ok()
    };
    // Five seconds are allowed for clocks that differ.
    assert!(listen(now() - 3).await, "it ends");
    assert!(!listen(now() + 60).await, "it goes on");
}

#[tokio::test]
async fn calls_of_others_are_decided_for_enforcement_points_only() {
    let signer = Signer::new("a", "ES256");
    let world = world(&[&signer]).await;
    let call = json!({"tenant": "acme", "agent": {"id": "x"}, "tool": "whoami", "args": {}, "stage": "call",
        "now": "2026-01-01T00:00:00Z"});
    for (roles, status) in
        [(json!([]), 403), (json!(["support"]), 403), (json!(["placet:enforcement-point"]), 200)]
    {
        let token = bearer(&signer.token(&claims_with(&json!({"roles": roles}))));
        let request = world.client.post(world.url("/v1/decide")).header("content-type", "application/json");
        let answer = crate::world::send(request.body(call.to_string()), &[("authorization", &token)]).await;
        assert_eq!(answer.status, status, "{roles}: {answer:?}");
        assert_eq!(answer.body.contains("\"verdict\":\"allow\""), status == 200, "{answer:?}");
    }
}

/// Tokens that `openssl dgst -sign` has signed (until the year 2100), with `rsa-for-tests.pem`.
#[tokio::test]
async fn tokens_of_another_implementation_are_accepted_as_the_algorithms_are_pinned() {
    let tokens = include_str!("openssl-tokens.txt");
    let folder = folder();
    write(&folder, &set(&[&Signer::new("RS256", "RS256")]));
    let mut config = front(&json!({"file": "$DIR/keys.json"}));
    let pinned = ["RS256", "RS512", "PS256", "PS384", "PS512"];
    config["auth"]["oauth"]["issuers"][0]["algorithms"] = json!(pinned);
    let world = World::start(folder, config).await;
    assert_eq!(tokens.lines().count(), 6);
    for line in tokens.lines() {
        let (algorithm, token) = line.split_once(' ').expect("two words");
        let answer = world.call(&[("authorization", &bearer(token))], "whoami").await;
        let status = if pinned.contains(&algorithm) { 200 } else { 401 };
        assert_eq!(answer.status, status, "{algorithm}: {answer:?}");
    }
}
