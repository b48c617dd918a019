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

    /// Builds a call from pieces, with the same checks as [`Call::read`]; the greatest length holds for all pieces
    /// together.
    ///
    /// # Errors
    /// As [`Call::read`].
    pub fn from_parts(parts: &Parts<'a>, limits: &Limits) -> Result<Call<'a>, BadRequest> {
        if parts.bytes() > limits.max_bytes {
            return Err(BadRequest::new("the call is longer than allowed"));
        }
        let optional = |text: Option<&'a str>, name| text.map(|text| id(text.into(), name)).transpose();
        let agent = parts.agent.as_ref().ok_or_else(|| required("agent"))?;
        if !agent.scopes.is_empty() {
            return Err(unknown(AGENT.at("scopes")));
        }
        checked(Call {
            stage: parts.stage,
            tool: Cow::Borrowed(parts.tool),
            args: object_text(parts.args, Place::top("args"), limits)?,
            agent: agent.read(AGENT, limits)?,
            user: parts.user.as_ref().map(|user| user.read(USER, limits)).transpose()?,
            chain: borrow(parts.chain),
            tenant: optional(parts.tenant, Place::top("tenant"))?.ok_or_else(|| required("tenant"))?,
            project: optional(parts.project, Place::top("project"))?,
            env: optional(parts.env, Place::top("env"))?,
            session: optional(parts.session, SESSION.at("id"))?,
            resource: parts.resource.as_ref().map(|resource| resource.read(limits)).transpose()?,
            now: timestamp(parts.now.ok_or_else(|| required("now"))?)?,
            grants: borrow(parts.grants),
            approval: optional(parts.approval, Place::top("approval"))?,
            content: parts.content.map(|text| value_text(text, Place::top("content"), limits)).transpose()?,
        })
    }
}

impl Parts<'_> {
    fn bytes(&self) -> usize {
        let text = |of: Option<&str>| of.map_or(0, str::len);
        let list = |of: &[String]| of.iter().map(String::len).sum::<usize>();
        let principal = |of: &Option<PrincipalParts<'_>>| {
            of.as_ref().map_or(0, |of| of.id.len() + list(of.roles) + list(of.scopes) + text(of.attrs))
        };
        let resource = self.resource.as_ref().map_or(0, |of| of.kind.len() + of.id.len() + text(of.attrs));
        let one = [
            Some(self.tool),
            self.args,
            self.tenant,
            self.project,
            self.env,
            self.session,
            self.now,
            self.approval,
            self.content,
        ];
        one.into_iter().map(text).sum::<usize>()
            + principal(&self.agent)
            + principal(&self.user)
            + resource
            + list(self.chain)
            + list(self.grants)
    }
}

impl<'a> PrincipalParts<'a> {
    fn read(&self, place: Place<'_>, limits: &Limits) -> Result<Principal<'a>, BadRequest> {
        Ok(Principal {
            id: id(Cow::Borrowed(self.id), place.at("id"))?,
            roles: borrow(self.roles),
            scopes: borrow(self.scopes),
            attrs: object_text(self.attrs, place.at("attrs"), limits)?,
        })
    }
}

impl<'a> ResourceParts<'a> {
    fn read(&self, limits: &Limits) -> Result<Resource<'a>, BadRequest> {
        Ok(Resource {
            kind: id(Cow::Borrowed(self.kind), RESOURCE.at("type"))?,
            id: id(Cow::Borrowed(self.id), RESOURCE.at("id"))?,
            attrs: object_text(self.attrs, RESOURCE.at("attrs"), limits)?,
        })
    }
}

/// Where a value stands in a call: a field, or a field of a field.
#[derive(Clone, Copy)]
struct Place<'n> {
    outer: &'n str,
    inner: Option<&'n str>,
}

const AGENT: Place<'static> = Place::top("agent");
const USER: Place<'static> = Place::top("user");
const SESSION: Place<'static> = Place::top("session");
const RESOURCE: Place<'static> = Place::top("resource");

impl<'n> Place<'n> {
    const fn top(outer: &'n str) -> Place<'n> {
        Place { outer, inner: None }
    }

    fn at(self, inner: &'n str) -> Place<'n> {
        Place { inner: Some(inner), ..self }
    }

    /// How many objects a value here stands in.
    fn depth(self) -> usize {
        1 + usize::from(self.inner.is_some())
    }
}

impl std::fmt::Display for Place<'_> {
    /// Names may come from the caller: control characters are left out, and 64 characters must do.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inner = self.inner.map(|inner| [".", inner]).unwrap_or_default();
        let all = self.outer.chars().chain(inner.into_iter().flat_map(str::chars));
        all.filter(|c| !c.is_control()).take(64).try_for_each(|c| std::fmt::Write::write_char(f, c))
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
                _ => return Err(unknown(Place::top(&name))),
            };
            *field = Some(value);
        }
        Ok(fields)
    }

    fn into_call(self) -> Result<Call<'a>, BadRequest> {
        let top = Place::top;
        let optional = |json: Option<Json<'a>>, name| {
            json.map(|json| id(string(json, top(name))?, top(name))).transpose()
        };
        checked(Call {
            stage: self.stage.map_or(Ok(Stage::Call), stage)?,
            tool: self.tool.map_or(Ok(Cow::Borrowed("")), |json| string(json, top("tool")))?,
            args: self.args.map_or(Ok(Json::EMPTY_OBJECT), |json| object(json, top("args")))?,
            agent: principal(self.agent.ok_or_else(|| required("agent"))?, AGENT, false)?,
            user: self.user.map(|json| principal(json, USER, true)).transpose()?,
            chain: self.chain.map_or(Ok(Vec::new()), |json| strings(json, top("chain")))?,
            tenant: optional(self.tenant, "tenant")?.ok_or_else(|| required("tenant"))?,
            project: optional(self.project, "project")?,
            env: optional(self.env, "env")?,
            session: self.session.map(session).transpose()?,
            resource: self.resource.map(resource).transpose()?,
            now: timestamp(&string(self.now.ok_or_else(|| required("now"))?, top("now"))?)?,
            grants: self.grants.map_or(Ok(Vec::new()), |json| strings(json, top("grants")))?,
            approval: optional(self.approval, "approval")?,
            content: self.content,
        })
    }
}

/// The checks that concern more than one field.
fn checked(call: Call<'_>) -> Result<Call<'_>, BadRequest> {
    if call.tool.is_empty() && !matches!(call.stage, Stage::Prompt | Stage::List) {
        return Err(required("tool"));
    }
    if call.tool.len() > MAX_TOOL || call.tool.chars().any(char::is_control) {
        return Err(BadRequest::new(format!(
            "`tool` is longer than {MAX_TOOL} bytes or has control characters"
        )));
    }
    if call.content.is_some() && !matches!(call.stage, Stage::Result | Stage::Prompt) {
        return Err(BadRequest::new("`content` belongs to stages `result` and `prompt` only"));
    }
    if call.chain.iter().any(|actor| actor.is_empty()) {
        return Err(BadRequest::new("an actor of `chain` is empty"));
    }
    Ok(call)
}

fn stage(json: Json<'_>) -> Result<Stage, BadRequest> {
    match &*string(json, Place::top("stage"))? {
        "call" => Ok(Stage::Call),
        "result" => Ok(Stage::Result),
        "prompt" => Ok(Stage::Prompt),
        "list" => Ok(Stage::List),
        _ => Err(BadRequest::new("`stage` is not one of `call`, `result`, `prompt`, `list`")),
    }
}

fn principal<'a>(
    json: Json<'a>,
    place: Place<'_>,
    may_have_scopes: bool,
) -> Result<Principal<'a>, BadRequest> {
    let mut of =
        Principal { id: Cow::Borrowed(""), roles: vec![], scopes: vec![], attrs: Json::EMPTY_OBJECT };
    for (field, value) in object(json, place)?.members() {
        let place = place.at(&field);
        match &*field {
            "id" => of.id = string(value, place)?,
            "roles" => of.roles = strings(value, place)?,
            "scopes" if may_have_scopes => of.scopes = strings(value, place)?,
            "attrs" => of.attrs = object(value, place)?,
            _ => return Err(unknown(place)),
        }
    }
    of.id = id(of.id, place.at("id"))?;
    Ok(of)
}

fn session(json: Json<'_>) -> Result<Cow<'_, str>, BadRequest> {
    let mut found = Cow::Borrowed("");
    for (field, value) in object(json, SESSION)?.members() {
        match &*field {
            "id" => found = string(value, SESSION.at("id"))?,
            _ => return Err(unknown(SESSION.at(&field))),
        }
    }
    id(found, SESSION.at("id"))
}

fn resource(json: Json<'_>) -> Result<Resource<'_>, BadRequest> {
    let mut of = Resource { kind: Cow::Borrowed(""), id: Cow::Borrowed(""), attrs: Json::EMPTY_OBJECT };
    for (field, value) in object(json, RESOURCE)?.members() {
        let place = RESOURCE.at(&field);
        match &*field {
            "type" => of.kind = string(value, place)?,
            "id" => of.id = string(value, place)?,
            "attrs" => of.attrs = object(value, place)?,
            _ => return Err(unknown(place)),
        }
    }
    of.kind = id(of.kind, RESOURCE.at("type"))?;
    of.id = id(of.id, RESOURCE.at("id"))?;
    Ok(of)
}

fn value_text<'a>(text: &'a str, place: Place<'_>, limits: &Limits) -> Result<Json<'a>, BadRequest> {
    // The objects around it count, so that both ways of reading accept the same depth.
    Json::parse(text.as_bytes(), limits.max_bytes, limits.max_depth.saturating_sub(place.depth()))
        .map_err(|e| BadRequest::new(format!("`{place}` is not acceptable JSON: {e}")))
}

fn object_text<'a>(text: Option<&'a str>, place: Place<'_>, limits: &Limits) -> Result<Json<'a>, BadRequest> {
    match text {
        None => Ok(Json::EMPTY_OBJECT),
        Some(text) => value_text(text, place, limits).and_then(|json| object(json, place)),
    }
}

fn object<'a>(json: Json<'a>, place: Place<'_>) -> Result<Json<'a>, BadRequest> {
    if json.kind() == Kind::Object { Ok(json) } else { Err(wrong(place, "an object")) }
}

fn string<'a>(json: Json<'a>, place: Place<'_>) -> Result<Cow<'a, str>, BadRequest> {
    json.as_str().ok_or_else(|| wrong(place, "a string"))
}

fn strings<'a>(json: Json<'a>, place: Place<'_>) -> Result<Vec<Cow<'a, str>>, BadRequest> {
    let wrong = || wrong(place, "a list of strings");
    if json.kind() != Kind::Array {
        return Err(wrong());
    }
    json.elements().map(|element| element.as_str().ok_or_else(wrong)).collect()
}

fn id<'a>(text: Cow<'a, str>, place: Place<'_>) -> Result<Cow<'a, str>, BadRequest> {
    if text.is_empty() { Err(BadRequest::new(format!("`{place}` is missing or empty"))) } else { Ok(text) }
}

fn timestamp(text: &str) -> Result<Timestamp, BadRequest> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| wrong(Place::top("now"), "an RFC 3339 timestamp"))
}

fn borrow(of: &[String]) -> Vec<Cow<'_, str>> {
    of.iter().map(|s| Cow::Borrowed(s.as_str())).collect()
}

fn required(name: &str) -> BadRequest {
    BadRequest::new(format!("the call has no `{name}`"))
}

fn wrong(place: Place<'_>, expected: &str) -> BadRequest {
    BadRequest::new(format!("`{place}` is not {expected}"))
}

fn unknown(place: Place<'_>) -> BadRequest {
    BadRequest::new(format!("a call has no field `{place}`"))
}
