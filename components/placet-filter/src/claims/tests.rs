use super::*;

fn pairs(items: &[&[u8]]) -> Vec<u8> {
    let length = |item: &&[u8]| [u32::try_from(item.len()).unwrap().to_le_bytes(), [0; 4]].concat();
    let mut bytes = u32::try_from(items.len()).unwrap().to_le_bytes().to_vec();
    bytes.extend(items.iter().flat_map(length));
    items.iter().for_each(|item| bytes.extend([*item, &[0, 0]].concat()));
    bytes
}

/// What an Envoy gives of a token with these claims.
fn read(path: &[&str]) -> Option<Vec<u8>> {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    match path {
        ["azp"] => text("fin-bot"),
        ["sub"] => text("ann\u{e9}"),
        ["https://acme.example/tenant"] => text("acme"),
        ["realm", "roles"] => Some(pairs(&[b"finance", b"ops"])),
        ["none"] => Some(pairs(&[])),
        ["scope"] => text("a:read b:write"),
        ["exp"] => Some(1.7e9_f64.to_le_bytes().to_vec()),
        ["admin"] => Some(vec![1]),
        ["mixed"] => Some(pairs(&[b"a", &1.0_f64.to_le_bytes()])),
        ["map"] => Some([pairs(&[b"a"]), b"more".to_vec()].concat()),
        ["act"] | ["act", "act"] => Some(vec![2, 0, 0, 0]),
        ["act", "sub"] => text("planner"),
        ["act", "act", "sub"] => text("orchestrator"),
        ["anonymous"] => Some(vec![0, 0, 0, 0]),
        ["endless", ..] => text("x"),
        _ => None,
    }
}

fn check(names: serde_json::Value, expected: Result<serde_json::Value, &str>) {
    let of: ClaimNames = serde_json::from_value(names.clone()).unwrap();
    match (claims(&of, read), expected) {
        (Ok(text), Ok(expected)) => {
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected, "{names}");
        }
        (Err(said), Err(why)) => assert!(said.contains(why), "{names}: {said}"),
        (found, _) => panic!("{names}: {found:?}"),
    }
}

#[test]
fn what_a_token_says() {
    check(json!({"agent": "azp", "user": "sub"}), Ok(json!({"azp": "fin-bot", "sub": "ann\u{e9}"})));
    check(
        json!({"tenant": "https://acme.example/tenant", "agent_roles": "realm.roles", "user_scopes": "scope"}),
        Ok(json!({
            "https://acme.example/tenant": "acme",
            "realm.roles": ["finance", "ops"],
            "scope": "a:read b:write"
        })),
    );
    check(json!({"user_roles": "none", "project": "absent"}), Ok(json!({"none": []})));
    check(json!({"chain": "act"}), Ok(json!({"act": {"sub": "planner", "act": {"sub": "orchestrator"}}})));
    check(json!({"chain": "absent"}), Ok(json!({})));
}

#[test]
fn what_is_no_text_is_refused() {
    for name in ["exp", "admin", "mixed", "map"] {
        check(json!({"agent": name}), Err("is no text and no list of texts"));
    }
    check(json!({"chain": "anonymous"}), Err("has no `sub`"));
    check(json!({"chain": "endless"}), Err("more than 16 actors"));
}

#[test]
fn any_bytes_are_a_value_or_none() {
    let good = pairs(&[b"ab", b"c"]);
    for end in 0..good.len() {
        assert_eq!(list(&good[..end]), None, "{end}");
    }
    for at in 0..good.len() {
        for flip in [1, 0x80, 0xff] {
            let mut bytes = good.clone();
            bytes[at] ^= flip;
            let _ = value(&bytes);
        }
    }
    assert_eq!(list(&[0xff; 64]), None);
}
