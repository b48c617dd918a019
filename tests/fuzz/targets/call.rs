//! Any bytes as a call, and as a session's state.
#![no_main]

mod sample;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use placet_model::{Answer, Code, Facts, SessionFact, Verdict};
use placet_pdp::{Pdp, Trust};

static PDP: LazyLock<Pdp> = LazyLock::new(|| {
    let bytes = placet_bundle::encode(&sample::policy(placet_cel::Function::TABLE)).unwrap();
    let pdp = Pdp::open(&bytes, &Trust::default());
    assert_eq!(pdp.refusal(), None);
    pdp
});

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |b| *b == 0xff);
    let call = parts.next().unwrap_or_default();
    let session = parts.next().map_or(SessionFact::Fresh, SessionFact::Stored);
    let facts = Facts { session, answer: Answer::NotAsked };
    let decision = PDP.decide_json(call, &facts);
    let mut text = String::new();
    decision.write_json(&mut text);
    decision.delta.write_json(&mut text);
    let mut again = String::new();
    let second = PDP.decide_json(call, &facts);
    second.write_json(&mut again);
    second.delta.write_json(&mut again);
    assert_eq!(text, again);
    let values: Vec<_> = serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>().collect();
    assert!(values.len() == 2 && values.iter().all(Result::is_ok), "{text}");
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(call) else {
        assert_eq!((decision.verdict, decision.code), (Verdict::Deny, Code::BadRequest));
        return;
    };
    if decision.code == Code::BadRequest {
        assert_eq!(decision.verdict, Verdict::Deny);
        return;
    }
    for limit in ["org/limit0", "org/nothing"] {
        let facts = Facts { session, answer: Answer::Exceeded(vec![limit.to_owned()]) };
        let concluded = PDP.decide_json(call, &facts);
        assert!(concluded.verdict >= decision.verdict);
    }
    let _ = PDP.explain_json(call, &facts);
    let stage = json.get("stage").and_then(|stage| stage.as_str()).unwrap_or("call");
    let tool = json.get("tool").and_then(|tool| tool.as_str()).unwrap_or_default().to_owned();
    let shown = PDP.list_tools(call, &facts, &[tool]);
    assert!(shown.len() == 1 && (shown[0].visible || stage != "call" || decision.verdict == Verdict::Deny));
});
