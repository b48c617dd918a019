//! Adapters that authenticate by themselves: their word counts where they said so, and nowhere else.

use placet_pep::Identity;
use placet_pep::http::{Admitted, ClaimNames, Config, Fixed, Guard, Head, IdentitySource, Peer};

const FIXED: &str =
    r#"{"mcp": [{"path": "/mcp"}], "identity": {"fixed": {"tenant": "acme", "agent": {"id": "fixed"}}}}"#;

fn identity(agent: &str) -> Identity {
    serde_json::from_str(&format!(r#"{{"tenant": "acme", "agent": {{"id": "{agent}"}}}}"#))
        .expect("an identity")
}

/// Whose request it is, or the status of the refusal.
fn admitted(guard: &Guard, peer: &Peer<'_>) -> Result<String, u16> {
    let headers = [("content-type", "application/json"), ("x-agent", "eve")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    match guard.admit(&Head { method: "POST", path: "/mcp", headers: &headers }, peer) {
        Admitted::Guarded(exchange) => Ok(exchange.identity().agent.id.clone()),
        Admitted::Refuse(reply) => Err(reply.status),
        Admitted::Pass => panic!("it is guarded"),
    }
}

#[test]
fn the_adapter_says_who_calls_where_it_authenticates() {
    let fixed = Config::from_json(FIXED).expect("a configuration");
    let own =
        Guard::new(Config { identity: IdentitySource::by_adapter(), ..fixed.clone() }).expect("a guard");
    let fixed = Guard::new(fixed).expect("a guard");
    let bot = identity("bot");
    let (shown, nobody) = (Peer { identity: Some(&bot), claims: None }, Peer::default());
    let claims = Peer { identity: None, claims: Some(r#"{"sub": "eve"}"#) };
    for (guard, peer, who) in [
        (&own, &shown, Ok("bot")),
        (&own, &nobody, Err(401)),
        (&own, &claims, Err(401)),
        (&fixed, &shown, Ok("fixed")),
        (&fixed, &nobody, Ok("fixed")),
    ] {
        assert_eq!(admitted(guard, peer), who.map(str::to_owned));
    }
}

#[test]
fn a_configuration_cannot_say_that_the_adapter_authenticates() {
    let text = FIXED.replace(r#""fixed": {"#, r#""authenticated": true, "fixed": {"#);
    assert!(Config::from_json(&text).is_err());
}

#[test]
fn verified_claims_become_an_identity() {
    let names = ClaimNames {
        agent: Some("client_id".to_owned()),
        user: Some("sub".to_owned()),
        chain: Some("act".to_owned()),
        ..ClaimNames::default()
    };
    let fixed = Fixed { tenant: Some("acme".to_owned()), ..Fixed::default() };
    let source = IdentitySource { fixed, claims: Some(names), ..IdentitySource::default() };
    for (claims, who) in [
        (r#"{"client_id": "bot", "sub": "ann"}"#, Ok(("bot", vec![]))),
        (r#"{"client_id": "bot", "act": {"sub": "b", "act": {"sub": "a"}}}"#, Ok(("bot", vec!["a", "b"]))),
        (r#"{"sub": "ann"}"#, Err(401)),
        (r#"{"client_id": ["bot"]}"#, Err(401)),
        (r#"{"client_id": ""}"#, Err(401)),
        (r#"{"client_id": "bot", "act": "a"}"#, Err(401)),
        ("[", Err(401)),
    ] {
        let found = source.of_claims(claims).map_err(|reply| reply.status);
        let found = found.map(|identity| (identity.agent.id, identity.chain));
        let who =
            who.map(|(agent, chain)| (agent.to_owned(), chain.into_iter().map(str::to_owned).collect()));
        assert_eq!(found, who, "{claims}");
    }
}
