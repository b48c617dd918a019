//! The policy as a wasi:http component: a decision endpoint, and a proxy in front of an MCP server or an HTTP
//! interface. Converts and waits; what a request means is for `placet-pep`, what is allowed for `placet-pdp`.
#![cfg(target_arch = "wasm32")]

mod answer;
mod decide;
mod settings;
mod state;
mod wire;

use placet_pep::Permit;
use placet_pep::http::{Admitted, Head, HttpReply, Inspected, Peer, decision_reply};
use spin_sdk::http::{BoxBody, FullBody, Method, Request, Response, box_body};
use spin_sdk::http_service;

use decide::now;
use settings::Settings;
use wire::{Unreadable, names_and_values, path_and_query, read, reply};

#[http_service]
async fn handle(request: Request) -> Response<BoxBody> {
    match Settings::read().await {
        Ok(settings) => guarded(settings, request).await,
        Err(why) => {
            decide::log(&format!("the configuration cannot be used: {why}")).await;
            reply(HttpReply::problem(
                503,
                "misconfigured",
                "the enforcement point's configuration cannot be used",
            ))
        }
    }
}

async fn guarded(settings: Settings, request: Request) -> Response<BoxBody> {
    let (parts, body) = request.into_parts();
    let mut request = Request::from_parts(parts, ());
    let path = path_and_query(request.uri());
    let headers = names_and_values(request.headers());
    let head = Head { method: request.method().as_str(), path: &path, headers: &headers };
    if request.method() == Method::GET && settings.guard.config().decide.as_deref() == Some(path.as_str()) {
        return reply(decide::description());
    }
    let exchange = match settings.guard.admit(&head, &Peer::default()) {
        Admitted::Pass => {
            let body = wire::has_body(&request).then(|| box_body(body));
            return answer::pass(&settings, request, &path, body).await;
        }
        Admitted::Refuse(refusal) => return reply(refusal),
        Admitted::Guarded(exchange) => exchange,
    };
    let body = match read(body, exchange.limit()).await {
        Ok(body) => body,
        Err(Unreadable::TooLong) => return reply(exchange.too_large()),
        Err(Unreadable::Broken) => return reply(HttpReply::bad("the body broke off")),
    };
    let outgoing = match exchange.inspect(&body, &now()) {
        Inspected::Refuse(refusal) => return reply(refusal),
        Inspected::Answer(call) => {
            let decision = decide::decide(&settings, &call, None, |decision| decision).await;
            return reply(decision_reply(&decision));
        }
        Inspected::Forward(outgoing) => outgoing,
        Inspected::Decide(proposal) => {
            let enforceable = |decision| proposal.enforceable(decision);
            let decision = decide::decide(&settings, proposal.call(), None, enforceable).await;
            match proposal.decided(&decision) {
                Ok(outgoing) => Box::new(outgoing),
                Err(refusal) => return reply(refusal),
            }
        }
    };
    let target = outgoing.path.unwrap_or(path);
    wire::rewrite(request.headers_mut(), &outgoing.remove_headers, &outgoing.set_headers);
    let body = outgoing.permit.map(Permit::into_body).map(|body| {
        request.headers_mut().insert("content-length", body.len().into());
        box_body(FullBody::new(body.into()))
    });
    answer::understood(settings, request, &target, body, outgoing.incoming).await
}
