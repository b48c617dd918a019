//! Decisions, and the line of log that each leaves.

use placet_model::json::write_string;
use placet_model::{Answer, Code, Decision, Facts, Json, Timestamp};
use placet_pdp::Visibility;
use placet_pdp::state::{Outcome, Place, Round, StateStore as _, session_fact};
use placet_pep::http::{HttpReply, Incoming};
use spin_sdk::wasip3::cli::stderr::write_via_stream;
use spin_sdk::wasip3::clocks::system_clock;
use spin_sdk::wasip3::wit_stream;

use crate::settings::Settings;
use crate::state::store;

/// The time, RFC 3339.
pub fn now() -> String {
    let system_clock::Instant { seconds, nanoseconds } = system_clock::now();
    Timestamp { seconds, nanos: nanoseconds / 1_000 * 1_000 }.to_string()
}

/// Decides a call on the state that there is. A decision that cannot be recorded is a denial.
pub async fn decide(
    settings: &Settings,
    call: &[u8],
    enforceable: impl Fn(Decision) -> Decision,
) -> Decision {
    let Outcome { decision, state_version } = placet_embed::with(|pdp| {
        Round::start(call, false, |call, facts| pdp.decide_json(call, facts)).run(&store(settings), || {})
    });
    let decision = enforceable(decision);
    let mut line = format!("{{\"v\":1,\"time\":\"{}\",\"host\":\"placet-edge\",\"decision\":", now());
    decision.write_json(&mut line);
    if let Some(version) = state_version {
        line.push_str(&format!(",\"state_version\":{version}"));
    }
    line.push_str(",\"call\":");
    match (std::str::from_utf8(call), Json::parse(call, usize::MAX, 128)) {
        (Ok(text), Ok(_)) => line.push_str(&text.replace(['\n', '\r'], " ")),
        _ => write_string(&mut line, &String::from_utf8_lossy(call)),
    }
    line.push('}');
    if log(&line).await {
        return decision;
    }
    Decision::deny(Code::StateUnavailable, "The decision could not be recorded.", decision.policy)
}

/// Which of these tools to show to the principal of a call.
pub fn list(settings: &Settings, call: &[u8], tools: &[String]) -> Vec<Visibility> {
    let read = match Place::of(call) {
        Some(Place { tenant, session: Some(id) }) => store(settings).read_session(&tenant, &id),
        _ => Ok(None),
    };
    let facts = Facts { session: session_fact(&read), answer: Answer::NotAsked };
    placet_embed::with(|pdp| pdp.list_tools(call, &facts, tools))
}

/// What this component decides by; status 503 when it denies everything.
pub fn description() -> HttpReply {
    placet_embed::with(|pdp| {
        let of = pdp.describe();
        let mut body = String::from("{\"policy\":");
        write_string(&mut body, &of.digest);
        body.push_str(",\"engine\":");
        write_string(&mut body, &of.engine);
        body.push_str(&format!(",\"rules\":{},\"tools\":{}", of.rules, of.tools));
        if let Some(why) = pdp.refusal() {
            body.push_str(",\"refusal\":");
            write_string(&mut body, why);
        }
        body.push('}');
        HttpReply::json(if pdp.refusal().is_none() { 200 } else { 503 }, body)
    })
}

/// Records that nobody knows what became of a call that was let through.
pub async fn unknown(incoming: &Incoming, why: &str) {
    if let Some(running) = incoming.running() {
        let mut line =
            format!("{{\"v\":1,\"time\":\"{}\",\"host\":\"placet-edge\",\"outcome\":\"unknown\"", now());
        for (name, value) in [("why", why), ("tool", running.tool())] {
            line.push_str(&format!(",\"{name}\":"));
            write_string(&mut line, value);
        }
        line.push('}');
        log(&line).await;
    }
}

/// Writes a line to standard error, and says whether it could.
pub async fn log(line: &str) -> bool {
    let (mut writer, reader) = wit_stream::new();
    let written = write_via_stream(reader);
    let rest = writer.write_all(format!("{line}\n").into_bytes()).await;
    drop(writer);
    rest.is_empty() && written.await.is_ok()
}
