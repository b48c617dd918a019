//! Reading a call, strictly: from one JSON text, or from pieces that a typed interface hands over.

use std::borrow::Cow;

use super::{BadRequest, Call, Limits, Principal, Resource, Stage};
use crate::json::{Json, Kind};
use crate::time::Timestamp;

/// Longest tool name in bytes.
const MAX_TOOL: usize = 512;

/// A call in pieces, as typed interfaces carry it. JSON values are texts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts<'a> {
    /// Where in the exchange.
    pub stage: Stage,
    /// Canonical tool name.
    pub tool: &'a str,
    /// A JSON object; absent: `{}`.
    pub args: Option<&'a str>,
    /// The acting agent; required.
    pub agent: Option<PrincipalParts<'a>>,
    /// The person it acts for.
    pub user: Option<PrincipalParts<'a>>,
    /// Actor ids.
    pub chain: &'a [String],
    /// Required.
    pub tenant: Option<&'a str>,
    /// Optional.
    pub project: Option<&'a str>,
    /// Optional.
    pub env: Option<&'a str>,
    /// Session id.
    pub session: Option<&'a str>,
    /// What it acts on.
    pub resource: Option<ResourceParts<'a>>,
    /// RFC 3339; required.
    pub now: Option<&'a str>,
    /// Tokens.
    pub grants: &'a [String],
    /// Token.
    pub approval: Option<&'a str>,
    /// JSON text.
    pub content: Option<&'a str>,
}

/// A principal in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub struct PrincipalParts<'a> {
    /// Stable id.
    pub id: &'a str,
    /// Role names.
    pub roles: &'a [String],
    /// Capability scopes; users only.
    pub scopes: &'a [String],
    /// A JSON object; absent: `{}`.
    pub attrs: Option<&'a str>,
}

/// A resource in pieces.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResourceParts<'a> {
    /// Kind of thing.
    pub kind: &'a str,
    /// Stable id.
    pub id: &'a str,
    /// A JSON object; absent: `{}`.
    pub attrs: Option<&'a str>,
}

impl<'a> Call<'a> {
    /// Reads a call from one JSON object. Unknown fields, wrong types and missing required fields are refused.
    ///
    /// # Errors
    /// What is wrong, in words that name fields and never values.
    pub fn read(text: &'a [u8], limits: &Limits) -> Result<Call<'a>, BadRequest> {
        let json = Json::parse(text, limits.max_bytes, limits.max_depth)
            .map_err(|e| BadRequest::new(format!("the call is not acceptable JSON: {e}")))?;
        if json.kind() != Kind::Object {
            return Err(BadRequest::new("the call is not a JSON object"));
        }
        Fields::collect(json)?.into_call()
    }

    /// Builds a call from pieces, with the same checks as [`Call::read`].
    ///
    /// # Errors
    /// As [`Call::read`].
    pub fn from_parts(parts: &Parts<'a>, limits: &Limits) -> Result<Call<'a>, BadRequest> {
        let object = |text: Option<&'a str>, name: &str| match text {
            None => Ok(Json::EMPTY_OBJECT),
            Some(text) => value_text(text, name, limits).and_then(|json| object(json, name)),
        };
        let principal = |of: &PrincipalParts<'a>, name: &str| {
            Ok(Principal {
                id: id(Cow::Borrowed(of.id), &format!("{name}.id"))?,
                roles: borrow(of.roles),
                scopes: borrow(of.scopes),
                attrs: object(of.attrs, &format!("{name}.attrs"))?,
            })
        };
        let optional = |text: Option<&'a str>, name: &str| match text {
            None => Ok(None),
            Some(text) => id(Cow::Borrowed(text), name).map(Some),
        };
        let agent = parts.agent.as_ref().ok_or_else(|| required("agent"))?;
        let resource = match &parts.resource {
            None => None,
            Some(of) => Some(Resource {
                kind: id(Cow::Borrowed(of.kind), "resource.type")?,
                id: id(Cow::Borrowed(of.id), "resource.id")?,
                attrs: object(of.attrs, "resource.attrs")?,
            }),
        };
        let call = Call {
            stage: parts.stage,
            tool: Cow::Borrowed(parts.tool),
            args: object(parts.args, "args")?,
            agent: principal(agent, "agent")?,
            user: parts.user.as_ref().map(|user| principal(user, "user")).transpose()?,
            chain: borrow(parts.chain),
            tenant: id(Cow::Borrowed(parts.tenant.ok_or_else(|| required("tenant"))?), "tenant")?,
            project: optional(parts.project, "project")?,
            env: optional(parts.env, "env")?,
            session: optional(parts.session, "session.id")?,
            resource,
            now: timestamp(parts.now.ok_or_else(|| required("now"))?)?,
            grants: borrow(parts.grants),
            approval: optional(parts.approval, "approval")?,
            content: parts.content.map(|text| value_text(text, "content", limits)).transpose()?,
        };
        checked(call)
    }
}

/// The top-level fields as they stand in the text.
#[derive(Default)]
struct Fields<'a> {
    stage: Option<Json<'a>>,
    tool: Option<Json<'a>>,
    args: Option<Json<'a>>,
    agent: Option<Json<'a>>,
    user: Option<Json<'a>>,
    chain: Option<Json<'a>>,
    tenant: Option<Json<'a>>,
    project: Option<Json<'a>>,
    env: Option<Json<'a>>,
    session: Option<Json<'a>>,
    resource: Option<Json<'a>>,
    now: Option<Json<'a>>,
    grants: Option<Json<'a>>,
    approval: Option<Json<'a>>,
    content: Option<Json<'a>>,
}

impl<'a> Fields<'a> {
    fn collect(json: Json<'a>) -> Result<Fields<'a>, BadRequest> {
        let mut fields = Fields::default();
        for (name, value) in json.members() {
            let field = match &*name {
                "stage" => &mut fields.stage,
                "tool" => &mut fields.tool,
                "args" => &mut fields.args,
                "agent" => &mut fields.agent,
                "user" => &mut fields.user,
                "chain" => &mut fields.chain,
                "tenant" => &mut fields.tenant,
                "project" => &mut fields.project,
                "env" => &mut fields.env,
                "session" => &mut fields.session,
                "resource" => &mut fields.resource,
                "now" => &mut fields.now,
                "grants" => &mut fields.grants,
                "approval" => &mut fields.approval,
                "content" => &mut fields.content,
                _ => return Err(unknown(&name)),
            };
            *field = Some(value);
        }
        Ok(fields)
    }

    fn into_call(self) -> Result<Call<'a>, BadRequest> {
        let stage = match self.stage {
            None => Stage::Call,
            Some(json) => match &*string(json, "stage")? {
                "call" => Stage::Call,
                "result" => Stage::Result,
                "prompt" => Stage::Prompt,
                "list" => Stage::List,
                _ => return Err(BadRequest::new("`stage` is not one of `call`, `result`, `prompt`, `list`")),
            },
        };
        let optional_id = |json: Option<Json<'a>>, name| json.map(|json| id(string(json, name)?, name)).transpose();
        let call = Call {
            stage,
            tool: self.tool.map_or(Ok(Cow::Borrowed("")), |json| string(json, "tool"))?,
            args: self.args.map_or(Ok(Json::EMPTY_OBJECT), |json| object(json, "args"))?,
            agent: principal(self.agent.ok_or_else(|| required("agent"))?, "agent", false)?,
            user: self.user.map(|json| principal(json, "user", true)).transpose()?,
            chain: self.chain.map_or(Ok(Vec::new()), |json| strings(json, "chain"))?,
            tenant: optional_id(self.tenant, "tenant")?.ok_or_else(|| required("tenant"))?,
            project: optional_id(self.project, "project")?,
            env: optional_id(self.env, "env")?,
            session: self.session.map(session).transpose()?,
            resource: self.resource.map(resource).transpose()?,
            now: timestamp(&string(self.now.ok_or_else(|| required("now"))?, "now")?)?,
            grants: self.grants.map_or(Ok(Vec::new()), |json| strings(json, "grants"))?,
            approval: optional_id(self.approval, "approval")?,
            content: self.content,
        };
        checked(call)
    }
}

/// The checks that concern more than one field.
fn checked(call: Call<'_>) -> Result<Call<'_>, BadRequest> {
    if call.tool.is_empty() && call.stage != Stage::Prompt {
        return Err(required("tool"));
    }
    if call.tool.len() > MAX_TOOL || call.tool.chars().any(char::is_control) {
        return Err(BadRequest::new(format!("`tool` is longer than {MAX_TOOL} bytes or has control characters")));
    }
    if call.content.is_some() && !matches!(call.stage, Stage::Result | Stage::Prompt) {
        return Err(BadRequest::new("`content` belongs to stages `result` and `prompt` only"));
    }
    if call.chain.iter().any(|actor| actor.is_empty()) {
        return Err(BadRequest::new("an actor of `chain` is empty"));
    }
    Ok(call)
}

fn principal<'a>(json: Json<'a>, name: &str, may_have_scopes: bool) -> Result<Principal<'a>, BadRequest> {
    let mut of = Principal { id: Cow::Borrowed(""), roles: vec![], scopes: vec![], attrs: Json::EMPTY_OBJECT };
    for (field, value) in object(json, name)?.members() {
        let full = format!("{name}.{field}");
        match &*field {
            "id" => of.id = string(value, &full)?,
            "roles" => of.roles = strings(value, &full)?,
            "scopes" if may_have_scopes => of.scopes = strings(value, &full)?,
            "attrs" => of.attrs = object(value, &full)?,
            _ => return Err(unknown(&full)),
        }
    }
    of.id = id(of.id, &format!("{name}.id"))?;
    Ok(of)
}

fn session(json: Json<'_>) -> Result<Cow<'_, str>, BadRequest> {
    let mut found = Cow::Borrowed("");
    for (field, value) in object(json, "session")?.members() {
        match &*field {
            "id" => found = string(value, "session.id")?,
            _ => return Err(unknown(&format!("session.{field}"))),
        }
    }
    id(found, "session.id")
}

fn resource(json: Json<'_>) -> Result<Resource<'_>, BadRequest> {
    let mut of = Resource { kind: Cow::Borrowed(""), id: Cow::Borrowed(""), attrs: Json::EMPTY_OBJECT };
    for (field, value) in object(json, "resource")?.members() {
        let full = format!("resource.{field}");
        match &*field {
            "type" => of.kind = string(value, &full)?,
            "id" => of.id = string(value, &full)?,
            "attrs" => of.attrs = object(value, &full)?,
            _ => return Err(unknown(&full)),
        }
    }
    of.kind = id(of.kind, "resource.type")?;
    of.id = id(of.id, "resource.id")?;
    Ok(of)
}

fn value_text<'a>(text: &'a str, name: &str, limits: &Limits) -> Result<Json<'a>, BadRequest> {
    // The call's own object counts as one level, so that both ways of reading accept the same depth.
    Json::parse(text.as_bytes(), limits.max_bytes, limits.max_depth.saturating_sub(1))
        .map_err(|e| BadRequest::new(format!("`{name}` is not acceptable JSON: {e}")))
}

fn object<'a>(json: Json<'a>, name: &str) -> Result<Json<'a>, BadRequest> {
    if json.kind() == Kind::Object { Ok(json) } else { Err(wrong(name, "an object")) }
}

fn string<'a>(json: Json<'a>, name: &str) -> Result<Cow<'a, str>, BadRequest> {
    json.as_str().ok_or_else(|| wrong(name, "a string"))
}

fn strings<'a>(json: Json<'a>, name: &str) -> Result<Vec<Cow<'a, str>>, BadRequest> {
    if json.kind() != Kind::Array {
        return Err(wrong(name, "a list of strings"));
    }
    json.elements().map(|e| e.as_str().ok_or_else(|| wrong(name, "a list of strings"))).collect()
}

fn id<'a>(text: Cow<'a, str>, name: &str) -> Result<Cow<'a, str>, BadRequest> {
    if text.is_empty() { Err(BadRequest::new(format!("`{name}` is missing or empty"))) } else { Ok(text) }
}

fn timestamp(text: &str) -> Result<Timestamp, BadRequest> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| wrong("now", "an RFC 3339 timestamp"))
}

fn borrow(of: &[String]) -> Vec<Cow<'_, str>> {
    of.iter().map(|s| Cow::Borrowed(s.as_str())).collect()
}

fn required(name: &str) -> BadRequest {
    BadRequest::new(format!("the call has no `{name}`"))
}

fn wrong(name: &str, expected: &str) -> BadRequest {
    BadRequest::new(format!("`{name}` is not {expected}"))
}

fn unknown(name: &str) -> BadRequest {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    BadRequest::new(format!("a call has no field `{shown}`"))
}
