//! Who calls, out of what the proxy shows.

use serde_json::Value;

use super::config::{ClaimNames, Fixed, HeaderNames, IdentitySource, XfccPart, no_attrs};
use super::{Head, HttpReply, Peer};
use crate::identity::{Identity, Principal};

/// # Errors
/// 401 when the request does not say who calls, 400 when it says so in two ways.
pub fn identify(source: &IdentitySource, head: &Head<'_>, peer: &Peer<'_>) -> Result<Identity, HttpReply> {
    if source.authenticated {
        return peer.identity.cloned().ok_or_else(|| unknown("the adapter does not say"));
    }
    if let Some(name) = &source.header {
        let text = head.one(name)?.ok_or_else(|| unknown(&format!("the header `{name}` is missing")))?;
        let identity = serde_json::from_str::<Identity>(text);
        return identity.map_err(|e| unknown(&format!("the header `{name}` is no identity: {e}")));
    }
    let found = if let Some(names) = &source.headers {
        from_headers(names, head)?
    } else if let Some(names) = &source.claims {
        let claims = peer.claims.ok_or_else(|| unknown("there is no verified token"))?;
        let claims = serde_json::from_str(claims).map_err(|_| unknown("the token's claims are no JSON"))?;
        from_claims(names, &claims)?
    } else if let Some(xfcc) = &source.xfcc {
        let agent = certificate(xfcc.agent, head)?;
        Found { agent: Some(principal(agent, Vec::new(), Vec::new())), ..Found::default() }
    } else {
        Found::default()
    };
    found.over(&source.fixed)
}

fn unknown(detail: &str) -> HttpReply {
    HttpReply::problem(401, "unauthenticated", &format!("nobody knows who calls: {detail}"))
        .with("www-authenticate", "Bearer")
}

/// What a request says.
#[derive(Default)]
struct Found {
    tenant: Option<String>,
    agent: Option<Principal>,
    user: Option<Principal>,
    chain: Vec<String>,
    project: Option<String>,
    env: Option<String>,
}

impl Found {
    fn over(self, fixed: &Fixed) -> Result<Identity, HttpReply> {
        let missing = |what: &str| unknown(&format!("the {what} is missing"));
        let fixed = fixed.clone();
        Ok(Identity {
            tenant: self.tenant.or(fixed.tenant).ok_or_else(|| missing("tenant"))?,
            agent: self.agent.or(fixed.agent).ok_or_else(|| missing("agent"))?,
            user: self.user.or(fixed.user),
            chain: if self.chain.is_empty() { fixed.chain } else { self.chain },
            project: self.project.or(fixed.project),
            env: self.env.or(fixed.env),
            session: fixed.session,
        })
    }
}

fn principal(id: String, roles: Vec<String>, scopes: Vec<String>) -> Principal {
    Principal { id, roles, scopes, attrs: no_attrs() }
}

fn from_headers(names: &HeaderNames, head: &Head<'_>) -> Result<Found, HttpReply> {
    let one = |name: &Option<String>| -> Result<Option<String>, HttpReply> {
        let Some(name) = name else { return Ok(None) };
        let value = head.one(name)?.map(str::trim).filter(|value| !value.is_empty());
        if value.is_some_and(|value| value.contains(char::REPLACEMENT_CHARACTER)) {
            return Err(HttpReply::bad(&format!("the header `{name}` is not UTF-8")));
        }
        Ok(value.map(str::to_owned))
    };
    let list = |name: &Option<String>| -> Result<Vec<String>, HttpReply> {
        let value = one(name)?.unwrap_or_default();
        Ok(value.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
    };
    let agent = one(&names.agent)?;
    let user = one(&names.user)?;
    let (agent_roles, user_roles) = (list(&names.agent_roles)?, list(&names.user_roles)?);
    let scopes = list(&names.user_scopes)?;
    Ok(Found {
        tenant: one(&names.tenant)?,
        agent: agent.map(|id| principal(id, agent_roles, Vec::new())),
        user: user.map(|id| principal(id, user_roles, scopes)),
        chain: list(&names.chain)?,
        project: one(&names.project)?,
        env: one(&names.env)?,
    })
}

fn from_claims(names: &ClaimNames, claims: &Value) -> Result<Found, HttpReply> {
    let of = |name: &Option<String>| name.as_deref().and_then(|name| claim(claims, name));
    let one = |name: &Option<String>| match of(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => {
            Err(unknown(&format!("the claim `{}` is not a text", name.as_deref().unwrap_or_default())))
        }
    };
    let list = |name: &Option<String>| match of(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(text.split_ascii_whitespace().map(str::to_owned).collect()),
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
            Ok(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        }
        Some(_) => {
            Err(unknown(&format!("the claim `{}` is not a list", name.as_deref().unwrap_or_default())))
        }
    };
    let agent = one(&names.agent)?;
    let user = one(&names.user)?;
    let (agent_roles, user_roles) = (list(&names.agent_roles)?, list(&names.user_roles)?);
    let scopes = list(&names.user_scopes)?;
    Ok(Found {
        tenant: one(&names.tenant)?,
        agent: agent.map(|id| principal(id, agent_roles, Vec::new())),
        user: user.map(|id| principal(id, user_roles, scopes)),
        chain: of(&names.chain).map(actors).transpose()?.unwrap_or_default(),
        project: one(&names.project)?,
        env: one(&names.env)?,
    })
}

/// A claim by its name, or by a path of names.
fn claim<'v>(claims: &'v Value, name: &str) -> Option<&'v Value> {
    claims.get(name).or_else(|| name.split('.').try_fold(claims, |at, part| at.get(part)))
}

/// RFC 8693: the current actor outermost, earlier ones inside it; here, outermost last.
fn actors(act: &Value) -> Result<Vec<String>, HttpReply> {
    let mut chain = Vec::new();
    let mut next = Some(act);
    while let Some(actor) = next {
        let id = actor.get("sub").and_then(Value::as_str);
        chain.push(id.ok_or_else(|| unknown("an actor of the delegation has no `sub`"))?.to_owned());
        next = actor.get("act");
    }
    chain.reverse();
    Ok(chain)
}

/// The nearest client's certificate: the last element, which this very proxy has added.
fn certificate(part: XfccPart, head: &Head<'_>) -> Result<String, HttpReply> {
    let name = "x-forwarded-client-cert";
    let text = head.one(name)?.ok_or_else(|| unknown("there is no client certificate"))?;
    let key = match part {
        XfccPart::Uri => "URI",
        XfccPart::Dns => "DNS",
        XfccPart::Subject => "Subject",
        XfccPart::Hash => "Hash",
    };
    let element = quoted_split(text, ',').pop().unwrap_or_default();
    let mut values = quoted_split(&element, ';').into_iter().filter_map(|pair| {
        let (of, value) = pair.split_once('=')?;
        of.trim().eq_ignore_ascii_case(key).then(|| unquote(value.trim()))
    });
    match (values.next(), values.next()) {
        (Some(value), None) if !value.is_empty() => Ok(value),
        (Some(_), Some(_)) => Err(unknown(&format!("the client certificate has several {key}s"))),
        _ => Err(unknown(&format!("the client certificate has no {key}"))),
    }
}

/// Splits where the separator does not stand in quotes.
fn quoted_split(text: &str, at: char) -> Vec<String> {
    let (mut parts, mut part, mut quoted, mut escaped) = (Vec::new(), String::new(), false, false);
    for c in text.chars() {
        if c == at && !quoted {
            parts.push(std::mem::take(&mut part));
            continue;
        }
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        part.push(c);
    }
    parts.push(part);
    parts
}

fn unquote(text: &str) -> String {
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(inner) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => text.to_owned(),
    }
}
