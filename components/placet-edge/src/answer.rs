//! To the server and back: what passes untouched, and what is understood on its way to the agent.

use futures_util::{SinkExt as _, StreamExt as _};
use placet_pep::http::{Event, HttpReply, Incoming, Plan};
use placet_pep::{Answered, Outcome};
use spin_sdk::http::body::IncomingBodyExt as _;
use spin_sdk::http::{BoxBody, Request, Response, box_body, send};
use spin_sdk::wasip3::spawn;

use crate::decide::{self, now};
use crate::settings::Settings;
use crate::wire::{
    Unreadable, bodiless, length, names_and_values, read, reply, respond, rewrite, strip, whole,
};

/// What is not guarded.
pub async fn pass(
    settings: &Settings,
    request: Request<()>,
    path: &str,
    body: Option<BoxBody>,
) -> Response<BoxBody> {
    match ask(settings, request, path, body).await {
        Ok(response) => {
            let (parts, body) = response.into_parts();
            respond(parts.status.as_u16(), parts.headers, box_body(body))
        }
        Err(why) => {
            decide::log(&why).await;
            reply(HttpReply::problem(502, "unreachable", "the server cannot be reached"))
        }
    }
}

/// What is guarded, and may go on: the answer as the agent may see it.
pub async fn understood(
    settings: Settings,
    request: Request<()>,
    path: &str,
    body: Option<BoxBody>,
    mut incoming: Incoming,
) -> Response<BoxBody> {
    let response = match ask(&settings, request, path, body).await {
        Ok(response) => response,
        Err(why) => {
            decide::unknown(&settings, &incoming, &why).await;
            return reply(incoming.failed("the server cannot be reached"));
        }
    };
    let (mut parts, body) = response.into_parts();
    let status = parts.status.as_u16();
    match incoming.head(status, &names_and_values(&parts.headers)) {
        Plan::Pass => respond(status, parts.headers, box_body(body)),
        Plan::Replace(replaced) => {
            if !parts.status.is_success() {
                decide::unknown(&settings, &incoming, "the server refused").await;
            }
            reply(replaced)
        }
        Plan::Whole { limit } => {
            let length = length(&parts.headers);
            let read = read(body, limit).await.map_err(|error| match error {
                Unreadable::TooLong => "the server's answer is too long",
                Unreadable::Broken => "the server's answer broke off",
            });
            let answer = match read {
                // Not every host says when a body breaks off.
                Ok(body) if length.is_some_and(|length| length != body.len()) => {
                    Err("the server's answer broke off")
                }
                Ok(body) => answer(&settings, &incoming, &body).await,
                Err(why) => Err(why),
            };
            match answer {
                Ok((body, other)) => {
                    rewrite(&mut parts.headers, &[], &[]);
                    whole(other.unwrap_or(status), parts.headers, body)
                }
                Err(why) => {
                    decide::unknown(&settings, &incoming, why).await;
                    reply(incoming.failed(why))
                }
            }
        }
        Plan::Events => {
            rewrite(&mut parts.headers, &[], &[]);
            let (mut agent, stream) = spin_sdk::http::body::stream::<String>();
            spawn(async move {
                let mut events = incoming.events();
                let mut body = body.stream();
                // Read to the end even when the agent no longer listens: what the call did is to be decided.
                while let Some(chunk) = body.next().await {
                    let Ok(whole) = chunk.map_err(|_| "it broke off").and_then(|chunk| events.push(&chunk))
                    else {
                        break;
                    };
                    for event in whole {
                        let text = written(&settings, &incoming, &event).await;
                        let _ = agent.send(text).await;
                    }
                }
            });
            respond(status, parts.headers, box_body(stream))
        }
    }
}

/// One event for the agent.
async fn written(settings: &Settings, incoming: &Incoming, event: &Event) -> String {
    let data = event.data.as_deref().filter(|data| !data.trim().is_empty());
    let Some(data) = data else { return Event::SILENT.to_owned() };
    match answer(settings, incoming, data.as_bytes()).await {
        Ok((body, _)) => event.write(&body),
        Err(why) => {
            decide::log(why).await;
            Event::SILENT.to_owned()
        }
    }
}

/// A message for the agent, and its HTTP status when that is another one.
async fn answer(
    settings: &Settings,
    incoming: &Incoming,
    message: &[u8],
) -> Result<(String, Option<u16>), &'static str> {
    match incoming.whole(message) {
        Answered::Pass(body) => Ok((body, None)),
        Answered::Filter(filter) => {
            let shown = decide::list(settings, filter.call(), &filter.names());
            let body = filter.filtered(|name| {
                let found = shown.iter().find(|tool| tool.tool == name)?;
                found.visible.then(|| found.guidance.clone())
            });
            Ok((body, None))
        }
        Answered::Decide(pending) => {
            let outcome = if pending.ok() { Outcome::Ran } else { Outcome::Failed };
            let call = pending.call(&now());
            let enforceable = |decision| pending.enforceable(decision);
            let decision = decide::decide(settings, call.as_bytes(), Some(outcome), enforceable).await;
            let status = pending.status(&decision);
            Ok((pending.decided(&decision), status))
        }
        Answered::Drop(why) => Err(why),
    }
}

/// Sends a request to the server.
async fn ask(
    settings: &Settings,
    mut request: Request<()>,
    path: &str,
    body: Option<BoxBody>,
) -> Result<Response, String> {
    let upstream = settings.upstream.as_ref().ok_or("no `upstream` is configured")?;
    let (Some(scheme), Some(authority)) = (upstream.scheme_str(), upstream.authority()) else {
        return Err("`upstream` is no address".to_owned());
    };
    *request.uri_mut() =
        format!("{scheme}://{authority}{path}").parse().map_err(|e| format!("`{path}`: {e}"))?;
    strip(request.headers_mut());
    let sent = match body {
        Some(body) => send(request.map(|()| body)).await,
        None => send(bodiless(request)?).await,
    };
    let mut response = sent.map_err(|e| format!("the server cannot be reached: {e}"))?;
    strip(response.headers_mut());
    Ok(response)
}
