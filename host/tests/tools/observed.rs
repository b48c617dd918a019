//! Metrics as Prometheus reads them, and traces as a collector does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Attribute;
use opentelemetry_proto::tonic::trace::v1::Span;
use placet::gateway::{MetricsConfig, Observe, TelemetryConfig};
use prost::Message as _;
use serde_json::json;
use tokio::net::TcpListener;

use super::world::{World, folder, tool};

/// A line of the text: its name with labels, and its value.
fn samples(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with("# EOF\n"), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        assert!(name.starts_with("placet_"), "{line}");
        (name.to_owned(), value.parse().expect("a number"))
    };
    lines.map(sample).collect()
}

#[tokio::test]
async fn what_happens_is_counted() {
    let observe = Observe { metrics: Some(MetricsConfig::default()), ..Observe::default() };
    let world = World::with(json!([tool("find", "Finds."), tool("drop", "Drops.")]), folder(), observe).await;
    let session = world.session().await;
    world.list(&session).await;
    assert_eq!(world.call(&session, "find").await, "allowed");
    assert_eq!(world.call(&session, "find").await, "allowed");
    assert_eq!(world.call(&session, "drop").await, "denied");
    world.change(vec![json!([tool("find", "Finds more.")])]);
    world.list(&session).await;
    assert_eq!(world.call(&session, "find").await, "tool-unavailable");
    world.post(&[("mcp-session-id", &session)], &json!({"jsonrpc": "2.0"})).await;
    world.post(&[("origin", "https://elsewhere.example")], &json!({})).await;
    let (status, text) = world.get("/metrics").await;
    assert_eq!(status, 200);
    let found = samples(&text);
    for (name, value) in [
        (r#"placet_decisions_total{verdict="allow",code="allowed",stage="call"}"#, 2.0),
        (r#"placet_decisions_total{verdict="allow",code="allowed",stage="result"}"#, 2.0),
        (r#"placet_decisions_total{verdict="deny",code="denied",stage="call"}"#, 1.0),
        (r#"placet_decisions_total{verdict="deny",code="tool-unavailable",stage="call"}"#, 1.0),
        (r#"placet_refusals_total{status="400"}"#, 1.0),
        (r#"placet_refusals_total{status="403"}"#, 1.0),
        (r#"placet_decide_seconds_count{stage="call"}"#, 4.0),
        (r#"placet_tool_findings_total{server="default",finding="changed-description"}"#, 1.0),
        ("placet_tools_unavailable", 1.0),
        ("placet_sessions", 1.0),
        ("placet_streams", 0.0),
    ] {
        assert_eq!(found.get(name), Some(&value), "{name} in\n{text}");
    }
    // `initialize`, two lists and two calls.
    assert_eq!(found.get(r#"placet_upstream_seconds_count{server="default"}"#), Some(&5.0), "{text}");
    for name in ["find", "drop", "bot", "acme"] {
        assert!(!text.contains(&format!("\"{name}\"")), "{name} is no label");
    }
}

#[tokio::test]
async fn metrics_are_served_where_the_configuration_says() {
    let world = World::start(json!([])).await;
    assert_eq!(world.get("/metrics").await.0, 404, "not unless it is configured");
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let metrics = Some(MetricsConfig { listen: Some(free) });
    let world = World::with(json!([]), folder(), Observe { metrics, ..Observe::default() }).await;
    assert_eq!(world.get("/metrics").await.0, 404, "on its own listener only");
    world.session().await;
    let text = reqwest::get(format!("http://{free}/metrics")).await.expect("an answer").text().await;
    assert_eq!(samples(&text.expect("a text")).get("placet_sessions"), Some(&1.0));
}

type Spans = Arc<Mutex<Vec<Span>>>;

/// A collector that keeps what it is sent.
async fn collector() -> (String, Spans) {
    let spans = Spans::default();
    let kept = spans.clone();
    let take = move |body: Bytes| {
        let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
        let scopes = request.resource_spans.into_iter().flat_map(|of| of.scope_spans);
        kept.lock().expect("no panic").extend(scopes.flat_map(|of| of.spans));
        std::future::ready(())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let router = Router::new().route("/v1/traces", post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, spans)
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|of| of.key == key)?;
    match found.value.clone()?.value? {
        Attribute::StringValue(text) => Some(text),
        Attribute::IntValue(number) => Some(number.to_string()),
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    placet_bundle::hex(bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_join_the_clients_and_go_on_to_the_server() {
    let (otlp, spans) = collector().await;
    let telemetry = Some(TelemetryConfig { otlp, service: "gateway".to_owned() });
    let observe = Observe { telemetry, ..Observe::default() };
    let mut world =
        World::with(json!([tool("find", "Finds."), tool("drop", "Drops.")]), folder(), observe).await;
    let session = world.session().await;
    world.list(&session).await;
    let (one, two) = ("0af7651916cd43dd8448eb211c80319c", "4bf92f3577b34da6a3ce929d0e0e4736");
    let call = |tool: &str, meta: serde_json::Value| {
        let params = json!({"name": tool, "arguments": {"q": "never in a span"}, "_meta": meta});
        json!({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": params})
    };
    let header = format!("00-{one}-b7ad6b7169203331-01");
    world.post(&[("mcp-session-id", &session), ("traceparent", &header)], &call("find", json!({}))).await;
    let meta = json!({"traceparent": format!("00-{two}-00f067aa0ba902b7-01"), "other": 1});
    world.post(&[("mcp-session-id", &session)], &call("find", meta)).await;
    let broken = call("drop", json!({"traceparent": "nonsense"}));
    world.post(&[("mcp-session-id", &session)], &broken).await;
    world.stop().await;

    let spans = spans.lock().expect("no panic").clone();
    let reached = world.reached("tools/call");
    for (trace, parent, place) in [(one, "b7ad6b7169203331", 0), (two, "00f067aa0ba902b7", 1)] {
        let of: Vec<&Span> = spans.iter().filter(|span| hex(&span.trace_id) == trace).collect();
        let exchange = of.iter().find(|span| span.name == "tools/call find").expect("the exchange");
        assert_eq!(hex(&exchange.parent_span_id), parent);
        assert_eq!(attribute(exchange, "mcp.method.name").as_deref(), Some("tools/call"));
        assert_eq!(attribute(exchange, "gen_ai.tool.name").as_deref(), Some("find"));
        assert_eq!(attribute(exchange, "mcp.session.id").as_deref(), Some(session.as_str()));
        let below = |name: &str| {
            let found = of.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name}"));
            assert_eq!(found.parent_span_id, exchange.span_id, "{name}");
            *found
        };
        assert_eq!(attribute(below("decide"), "placet.code").as_deref(), Some("allowed"));
        let upstream = below("upstream");
        assert_eq!(attribute(upstream, "http.response.status_code").as_deref(), Some("200"));
        let expected = format!("00-{trace}-{}-01", hex(&upstream.span_id));
        let (headers, message) = &reached[place];
        assert_eq!(headers.get("traceparent").and_then(|of| of.to_str().ok()), Some(expected.as_str()));
        let meta = &message["params"]["_meta"];
        let expected = if place == 1 { json!({"other": 1, "traceparent": expected}) } else { json!({}) };
        assert_eq!(*meta, expected);
    }
    let denied = spans.iter().find(|span| span.name == "tools/call drop").expect("the denied call");
    assert!(denied.parent_span_id.is_empty(), "a trace of its own");
    assert!(spans.iter().all(|span| !format!("{span:?}").contains("never in a span")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_keeps_nobody_waiting() {
    let telemetry = Some(TelemetryConfig { otlp: "http://127.0.0.1:9".to_owned(), service: "g".to_owned() });
    let observe = Observe { telemetry, ..Observe::default() };
    let mut world = World::with(json!([tool("find", "Finds.")]), folder(), observe).await;
    let session = world.session().await;
    assert_eq!(world.call(&session, "find").await, "allowed");
    let stopped = tokio::time::timeout(std::time::Duration::from_secs(15), world.stop()).await;
    assert!(stopped.is_ok(), "the gateway does not end");
}
