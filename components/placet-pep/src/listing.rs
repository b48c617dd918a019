//! `tools/list`: the server's catalogue without the tools that can never be allowed.

use placet_model::{Json, Kind, Stage};

use crate::exchange::{Scene, request};
use crate::identity::Proposed;
use crate::message::INVALID_PARAMS;
use crate::permit::Permit;
use crate::reply::{Reply, response};
use crate::splice::{list, with_member};

/// A catalogue that was asked for.
#[derive(Clone, Debug)]
pub struct PendingList {
    id: String,
    call: String,
    server: Option<String>,
}

pub(crate) fn open(
    id: &str,
    params: Option<Json<'_>>,
    scene: &Scene<'_>,
) -> Result<(Permit, PendingList), Reply> {
    let known = ["cursor", "_meta"];
    if let Some((name, _)) =
        params.into_iter().flat_map(Json::members).find(|(n, _)| !known.contains(&n.as_ref()))
    {
        let message = format!("`tools/list` has no parameter `{name}`");
        return Err(Reply::error(400, Some(id), INVALID_PARAMS, &message));
    }
    let Scene { identity, now, server, .. } = *scene;
    let session = scene.session_of(params);
    let session = session.as_deref();
    let of = Proposed { stage: Stage::List, tool: "*", args: "{}", content: None, session, now };
    let pending =
        PendingList { id: id.to_owned(), call: identity.call(&of), server: server.map(str::to_owned) };
    Ok((request(Some(id), "tools/list", params), pending))
}

impl PendingList {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The call, as JSON, whose principal the catalogue is for.
    pub fn call(&self) -> &[u8] {
        self.call.as_bytes()
    }

    /// The result's text, when it is a catalogue.
    pub(crate) fn read(&self, result: Json<'_>) -> Option<String> {
        let tools = result.get("tools").filter(|tools| tools.kind() == Kind::Array)?;
        let named = |tool: Json<'_>| tool.get("name").and_then(Json::as_str).is_some();
        tools.elements().all(named).then(|| result.text().to_owned())
    }

    /// What policies call the tools of a result that [`crate::Answered::Filter`] carries, in its order.
    pub fn names(&self, result: &str) -> Vec<String> {
        tools(result).into_iter().map(|(name, _)| self.policy_name(&name)).collect()
    }

    fn policy_name(&self, name: &str) -> String {
        match &self.server {
            Some(server) => format!("{server}.{name}"),
            None => name.to_owned(),
        }
    }

    /// The response with the visible tools: for each, by the name that policies have for it, whether it is shown and
    /// what is to be said about it. A catalogue that was made for one principal is nobody else's to reuse.
    pub fn filtered(&self, result: &str, show: impl Fn(&str) -> Option<Option<String>>) -> String {
        let mut shown = Vec::new();
        for (name, tool) in tools(result) {
            match show(&self.policy_name(&name)) {
                None => {}
                Some(None) => shown.push(tool.to_owned()),
                Some(Some(guidance)) => shown.push(guided(tool, &guidance)),
            }
        }
        let text = list(shown.iter().map(String::as_str));
        let Some(json) = parsed(result) else { return response(&self.id, "result", "{}") };
        let mut result = with_member(json, "tools", &text);
        if json.get("cacheScope").is_some() {
            result = parsed(&result).map_or(String::new(), |of| with_member(of, "cacheScope", "\"private\""));
        }
        response(&self.id, "result", &result)
    }
}

fn parsed(text: &str) -> Option<Json<'_>> {
    Json::parse(text.as_bytes(), usize::MAX, usize::MAX).ok()
}

fn tools(result: &str) -> Vec<(String, &str)> {
    let tools = parsed(result).and_then(|result| result.get("tools"));
    let name = |tool: Json<'_>| tool.get("name").and_then(Json::as_str).map(|name| name.into_owned());
    let tools = tools.into_iter().flat_map(Json::elements);
    tools.filter_map(|tool| Some((name(tool)?, tool.text()))).collect()
}

/// A tool whose description also says what the policy will ask.
fn guided(tool: &str, guidance: &str) -> String {
    let Some(tool) = parsed(tool) else { return "null".to_owned() };
    let mut description = tool.get("description").and_then(Json::as_str).unwrap_or_default().into_owned();
    if !description.is_empty() {
        description.push_str("\n\n");
    }
    description.push_str("Policy: ");
    description.push_str(guidance);
    let mut text = String::new();
    placet_model::json::write_string(&mut text, &description);
    with_member(tool, "description", &text)
}
