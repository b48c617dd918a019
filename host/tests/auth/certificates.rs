//! TLS: who the client's certificate says it is, and certificates that are replaced.

use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use crate::issuer::{ISSUER, RESOURCE, Signer, base64, claims_with, set};
use crate::world::{Answer, World, call, folder, send};

/// Signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
}

/// A certificate and its key.
struct Pair {
    der: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "tests");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let (pem, der) = (certificate.pem(), certificate.der().clone());
        Authority { issuer: Issuer::new(params, key), pem, der }
    }

    fn sign(&self, usage: ExtendedKeyUsagePurpose, change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.extended_key_usages.push(usage);
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Pair { der: certificate.der().clone(), pem: certificate.pem(), key }
    }

    /// For the gateway, which is on this machine.
    fn server(&self) -> Pair {
        let local = SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into());
        self.sign(ExtendedKeyUsagePurpose::ServerAuth, |params| params.subject_alt_names = vec![local])
    }

    /// For an agent with these names.
    fn agent(&self, names: Vec<SanType>, common: Option<&str>) -> Pair {
        self.sign(ExtendedKeyUsagePurpose::ClientAuth, |params| {
            params.subject_alt_names = names;
            if let Some(name) = common {
                params
                    .distinguished_name
                    .push(DnType::OrganizationName, DnValue::Utf8String("Acme, Inc.".to_owned()));
                params.distinguished_name.push(DnType::CommonName, DnValue::Utf8String(name.to_owned()));
            }
        })
    }
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().expect("ASCII"))
}

fn dns(text: &str) -> SanType {
    SanType::DnsName(text.try_into().expect("ASCII"))
}

/// The gateway's files; the key first, so that there is a moment when they do not belong together.
fn write(folder: &Path, pair: &Pair) {
    std::fs::write(folder.join("key.pem"), pair.key.serialize_pem()).expect("written");
    std::fs::write(folder.join("cert.pem"), &pair.pem).expect("written");
}

fn client(authority: &Authority, pair: Option<&Pair>) -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.der.clone()).expect("a root");
    let config = rustls::ClientConfig::builder().with_root_certificates(Arc::new(roots));
    let config = match pair {
        None => config.with_no_client_auth(),
        Some(pair) => {
            let key = PrivateKeyDer::try_from(pair.key.serialize_der()).expect("a key");
            config.with_client_auth_cert(vec![pair.der.clone()], key).expect("a pair")
        }
    };
    reqwest::Client::builder().no_proxy().tls_backend_preconfigured(config).build().expect("a client")
}

/// Calls over TLS; `None`: there was no connection.
async fn over_tls(world: &World, client: &reqwest::Client, headers: &[(&str, &str)]) -> Option<Answer> {
    let request = client.post(format!("https://{}/mcp", world.address));
    let request = request.header("content-type", "application/json").body(call("whoami").to_string());
    request.try_clone().expect("a body").send().await.ok()?;
    Some(send(request, headers).await)
}

async fn world(authority: &Authority, mut config: Value) -> World {
    let folder = folder();
    write(&folder, &authority.server());
    std::fs::write(folder.join("ca.pem"), &authority.pem).expect("written");
    config["tls"]["cert"] = json!("$DIR/cert.pem");
    config["tls"]["key"] = json!("$DIR/key.pem");
    World::start(folder, config).await
}

fn mtls(of: &Value) -> Value {
    json!({"auth": {"mtls": of}, "tls": {"client_ca": "$DIR/ca.pem"}})
}

#[tokio::test]
async fn certificates_say_who_calls() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let spiffe = "spiffe://acme.example/agent/bot";
    let whole = authority.agent(vec![uri(spiffe), dns("bot.acme.example")], Some("bot"));
    let (two, none) =
        (authority.agent(vec![uri("a:b"), uri("c:d")], None), authority.agent(vec![dns("x")], None));
    let old = authority.sign(ExtendedKeyUsagePurpose::ClientAuth, |params| {
        params.subject_alt_names = vec![uri(spiffe)];
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    let for_servers =
        authority.sign(ExtendedKeyUsagePurpose::ServerAuth, |p| p.subject_alt_names = vec![uri(spiffe)]);
    let foreign = stranger.agent(vec![uri(spiffe)], None);
    let fixed = json!({"tenant": "acme"});
    let hash = placet_bundle::digest(&whole.der);
    for (part, id) in [
        ("uri", spiffe),
        ("dns", "bot.acme.example"),
        ("subject", "CN=bot,O=Acme\\, Inc."),
        ("hash", hash.as_str()),
    ] {
        let world = world(&authority, mtls(&json!({"agent": part, "fixed": fixed}))).await;
        let answer = over_tls(&world, &client(&authority, Some(&whole)), &[]).await.expect("a connection");
        assert_eq!(answer.status, 200, "{part}: {answer:?}");
        let call = world.last();
        assert_eq!((&call["tenant"], &call["agent"]["id"]), (&json!("acme"), &json!(id)));
    }
    let world = world(&authority, mtls(&json!({"agent": "uri", "fixed": fixed}))).await;
    for (name, pair, status) in [
        ("two names", Some(&two), Some(401)),
        ("no such name", Some(&none), Some(401)),
        ("nothing", None, None),
        ("a stranger's", Some(&foreign), None),
        ("an old one", Some(&old), None),
        ("a server's", Some(&for_servers), None),
    ] {
        let answer = over_tls(&world, &client(&authority, pair), &[]).await;
        assert_eq!(answer.map(|answer| answer.status), status, "{name}");
    }
    assert_eq!(world.count(), 0);
    // Plain HTTP is no way around it.
    assert!(world.client.post(world.url("/mcp")).send().await.is_err());
}

#[tokio::test]
async fn only_known_agents_are_let_in_where_they_are_named() {
    let authority = Authority::new();
    let agents = json!({"a:bot": {"tenant": "acme", "roles": ["support"]}, "a:desk": {"tenant": "globex"}});
    let world = world(&authority, mtls(&json!({"agent": "uri", "agents": agents}))).await;
    for (id, who) in [
        ("a:bot", Some(json!(["acme", ["support"]]))),
        ("a:desk", Some(json!(["globex", null]))),
        ("a:eve", None),
    ] {
        let pair = authority.agent(vec![uri(id)], None);
        let answer = over_tls(&world, &client(&authority, Some(&pair)), &[]).await.expect("a connection");
        assert_eq!(answer.status, if who.is_some() { 200 } else { 401 }, "{id}");
        if let Some(who) = who {
            let call = world.last();
            assert_eq!(json!([call["tenant"], call["agent"]["roles"]]), who);
        }
    }
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_certificate_counts_with_it_alone() {
    let (authority, signer) = (Authority::new(), Signer::new("a", "ES256"));
    let (bot, eve) = (authority.agent(vec![uri("a:bot")], None), authority.agent(vec![uri("a:eve")], None));
    let issuer = json!({"issuer": ISSUER, "jwks": {"file": "$DIR/keys.json"}, "fixed": {"tenant": "acme"}});
    let folder = folder();
    write(&folder, &authority.server());
    std::fs::write(folder.join("ca.pem"), &authority.pem).expect("written");
    std::fs::write(folder.join("keys.json"), set(&[&signer]).to_string()).expect("written");
    let tls = json!({"cert": "$DIR/cert.pem", "key": "$DIR/key.pem", "client_ca": "$DIR/ca.pem", "client": "optional"});
    let auth = json!({"oauth": {"resource": RESOURCE, "issuers": [issuer]},
        "anonymous": {"tenant": "open", "agent": {"id": "anybody"}}});
    let world = World::start(folder, json!({"auth": auth, "tls": tls})).await;
    let thumbprint = base64(placet_bundle::digest_bytes(&bot.der));
    let bound = signer.token(&claims_with(&json!({"cnf": {"x5t#S256": thumbprint}})));
    let (bound, unbound) =
        (format!("Bearer {bound}"), format!("Bearer {}", signer.token(&claims_with(&json!({})))));
    for (pair, token, status, agent) in [
        (Some(&bot), Some(&bound), 200, "bot"),
        (Some(&eve), Some(&bound), 401, ""),
        (None, Some(&bound), 401, ""),
        (None, Some(&unbound), 200, "bot"),
        // Nobody has said that certificates count for themselves; `anonymous` is said.
        (None, None, 200, "anybody"),
        (Some(&eve), None, 200, "anybody"),
    ] {
        let headers: Vec<(&str, &str)> =
            token.map(|token| ("authorization", token.as_str())).into_iter().collect();
        let answer = over_tls(&world, &client(&authority, pair), &headers).await.expect("a connection");
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 200 {
            assert_eq!(world.last()["agent"]["id"], agent);
        }
    }
}

#[tokio::test]
async fn certificates_are_replaced_while_it_serves() {
    let (first, second) = (Authority::new(), Authority::new());
    let anonymous = json!({"auth": {"anonymous": {"tenant": "t", "agent": {"id": "a"}}}, "tls": {}});
    let world = world(&first, anonymous).await;
    let reaches =
        async |authority: &Authority| over_tls(&world, &client(authority, None), &[]).await.is_some();
    assert_eq!((reaches(&first).await, reaches(&second).await), (true, false));
    // What cannot be used leaves the old one: no certificate, and a key of another one.
    for (file, text) in
        [("cert.pem", "no certificate".to_owned()), ("key.pem", second.server().key.serialize_pem())]
    {
        std::fs::write(world.folder.join(file), text).expect("written");
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        assert!(reaches(&first).await, "{file}");
    }
    write(&world.folder, &second.server());
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!((reaches(&first).await, reaches(&second).await), (false, true));
}
