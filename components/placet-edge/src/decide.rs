//! Decisions, and the line of log that each leaves.

use placet_model::json::write_string;
use placet_model::{Answer, Code, Decision, Facts, Timestamp};
use placet_pdp::Visibility;
use placet_pdp::state::{Place, Round, session_fact};
use placet_pep::http::{HttpReply, Incoming};
use placet_pep::{Outcome, Record};
use spin_sdk::wasip3::cli::stderr::write_via_stream;
use spin_sdk::wasip3::clocks::system_clock;
use spin_sdk::wasip3::random::random::get_random_u64;
use spin_sdk::wasip3::wit_stream;

use crate::settings::Settings;
use crate::state::store;

/// Who makes the records.
const HOST: &str = "placet-edge";

/// The time, RFC 3339.
pub fn now() -> String {
    let system_clock::Instant { seconds, nanoseconds } = system_clock::now();
    Timestamp { seconds, nanos: nanoseconds / 1_000 * 1_000 }.to_string()
}

/// Joins the records of one exchange.
pub fn exchange() -> String {
    format!("{:016x}", get_random_u64())
}

/// Decides a call on the state that there is; a result with what became of its call. A decision that cannot be
/// recorded is a denial.
pub async fn decide(
    settings: &Settings,
    call: &[u8],
    outcome: Option<Outcome>,
    enforceable: impl Fn(Decision) -> Decision,
) -> Decision {
    let made = placet_embed::with(|pdp| {
        let ask = |call: &[u8], facts: &Facts<'_>| pdp.decide_json(call, facts);
        store(settings).run(Round::start(call, false, ask))
    });
    let decision = enforceable(made.decision);
    let record = Record {
        time: &now(),
        exchange: &settings.exchange,
        call: &String::from_utf8_lossy(call),
        decision: Some(&decision),
        state_version: made.state_version,
        outcome,
    };
    if log(&record.to_json(HOST)).await {
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
pub async fn unknown(settings: &Settings, incoming: &Incoming, why: &str) {
    log(&format!("{}: {why}", settings.exchange)).await;
    if let Some(running) = incoming.running() {
        let mut call = String::from("{\"tool\":");
        write_string(&mut call, running.tool());
        call.push('}');
        let outcome = Some(Outcome::Unknown);
        let exchange = &settings.exchange;
        let record =
            Record { time: &now(), exchange, call: &call, decision: None, state_version: None, outcome };
        log(&record.to_json(HOST)).await;
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
