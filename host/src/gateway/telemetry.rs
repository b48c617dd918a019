//! Traces: a span for each exchange, below the client's, and one for each thing that it waits for. Attributes follow
//! OpenTelemetry's conventions for MCP (status: development) where there are any; arguments and results never stand in spans.
//!
//! Spans are sent in batches by a thread of their own. When the collector is slow or away they are lost; nothing waits.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use serde::Deserialize;

/// Where traces go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// The collector's OTLP endpoint (HTTP with Protocol Buffers), such as `http://127.0.0.1:4318`.
    pub otlp: String,
    /// What the gateway is called in traces.
    #[serde(default = "service_name")]
    pub service: String,
}

fn service_name() -> String {
    "placet".to_owned()
}

/// How long the collector may take, for a batch and at the end.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest name that is kept in a span, in characters.
const NAME: usize = 128;

/// Traces cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("traces cannot be sent to `{endpoint}`: {why}")]
pub struct TelemetryError {
    endpoint: String,
    why: String,
}

/// Makes spans, or without a collector none.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    tracer: Option<SdkTracer>,
    provider: Option<SdkTracerProvider>,
}

/// Something that takes time; ends when it, its clones, and what is below it are gone.
#[derive(Clone, Debug, Default)]
pub struct Span(Option<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    tracer: SdkTracer,
    context: Context,
    /// Whatever is above lasts as long.
    _above: Context,
}

impl Telemetry {
    /// Sends spans to a collector; to be called where Tokio runs.
    ///
    /// # Errors
    /// When the endpoint is not an address.
    pub fn new(config: &TelemetryConfig) -> Result<Telemetry, TelemetryError> {
        let fail = |why: String| TelemetryError { endpoint: config.otlp.clone(), why };
        let url = reqwest::Url::parse(&config.otlp).map_err(|error| fail(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(fail("write `http://HOST:PORT` or `https://…`".to_owned()));
        }
        // A second install only says that there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
        let client = client.map_err(|error| fail(error.to_string()))?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client { client, runtime: tokio::runtime::Handle::current() })
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint(&config.otlp))
            .with_timeout(PATIENCE)
            .build()
            .map_err(|error| fail(error.to_string()))?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder().with_service_name(config.service.clone()).with_attribute(version);
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        Ok(Telemetry { tracer: Some(provider.tracer("placet")), provider: Some(provider) })
    }

    /// The span of an exchange: below the client's, when the client says which that is, in a header or in `_meta`.
    pub fn exchange(&self, headers: &[(String, String)], body: &[u8]) -> Span {
        let Some(tracer) = &self.tracer else { return Span(None) };
        let message: Message = serde_json::from_slice(body).unwrap_or_default();
        let params = message.params.unwrap_or_default();
        let meta = params.meta.unwrap_or_default();
        let header = |name: &str| headers.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str());
        let parent = match header("traceparent") {
            Some(parent) => context(parent, header("tracestate")),
            None => meta.traceparent.as_deref().and_then(|of| context(of, meta.tracestate.as_deref())),
        };
        let parent = parent.map_or_else(Context::new, |of| Context::new().with_remote_span_context(of));
        let method = message.method.unwrap_or_else(|| "response".to_owned());
        let target = params.name.filter(|_| matches!(method.as_str(), "tools/call" | "prompts/get"));
        let name = match &target {
            Some(target) => format!("{} {}", short(&method), short(target)),
            None => short(&method),
        };
        let span = Span::begin(tracer, name, SpanKind::Server, &parent);
        span.set("mcp.method.name", short(&method));
        if let Some(id) = message.id {
            span.set("jsonrpc.request.id", short(id.to_string().trim_matches('"')));
        }
        match (method.as_str(), target) {
            ("tools/call", Some(tool)) => {
                span.set("gen_ai.operation.name", "execute_tool");
                span.set("gen_ai.tool.name", short(&tool));
            }
            (_, Some(prompt)) => span.set("gen_ai.prompt.name", short(&prompt)),
            _ => {}
        }
        if let Some(version) = header("mcp-protocol-version") {
            span.set("mcp.protocol.version", short(version));
        }
        span
    }

    /// Sends what has not been sent yet. Waits for the collector, up to five seconds.
    pub async fn stop(&self) {
        let Some(provider) = self.provider.clone() else { return };
        let done = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(PATIENCE)).await;
        if let Ok(Err(error)) = done {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

impl Span {
    fn begin(tracer: &SdkTracer, name: String, kind: SpanKind, parent: &Context) -> Span {
        let span = tracer.build_with_context(tracer.span_builder(name).with_kind(kind), parent);
        let context = parent.with_span(span);
        Span(Some(Inner { tracer: tracer.clone(), context, _above: parent.clone() }))
    }

    /// A span below this one: of something that the gateway does itself.
    pub fn inside(&self, name: &'static str) -> Span {
        self.below(name.to_owned(), SpanKind::Internal)
    }

    /// A span below this one: of what is asked of a server.
    pub fn towards(&self, server: &str) -> Span {
        let span = self.below("upstream".to_owned(), SpanKind::Client);
        span.set("placet.server", server.to_owned());
        span
    }

    fn below(&self, name: String, kind: SpanKind) -> Span {
        let Some(of) = &self.0 else { return Span(None) };
        Span::begin(&of.tracer, name, kind, &of.context)
    }

    /// Says something about it.
    pub fn set(&self, key: &'static str, value: impl Into<Value>) {
        if let Some(Inner { context, .. }) = &self.0 {
            context.span().set_attribute(KeyValue::new(key, value));
        }
    }

    /// It did not end well: the kind of error, in few words.
    pub fn failed(&self, kind: &'static str) {
        if let Some(Inner { context, .. }) = &self.0 {
            context.span().set_attribute(KeyValue::new("error.type", kind));
            context.span().set_status(Status::Error { description: Cow::Borrowed(kind) });
        }
    }

    /// What the server is told, so that its spans come below this one; `None` without a collector.
    pub fn traceparent(&self) -> Option<String> {
        let span = self.0.as_ref()?.context.span();
        let of = span.span_context();
        let flags = of.trace_flags().to_u8();
        of.is_valid().then(|| format!("00-{}-{}-{flags:02x}", of.trace_id(), of.span_id()))
    }
}

/// What of a message is said in its span.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Message {
    id: Option<serde_json::Value>,
    method: Option<String>,
    params: Option<Params>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Params {
    name: Option<String>,
    #[serde(rename = "_meta")]
    meta: Option<Meta>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta {
    traceparent: Option<String>,
    tracestate: Option<String>,
}

fn short(text: &str) -> String {
    text.chars().take(NAME).collect()
}

/// W3C Trace Context, level 1: `00-TRACE-SPAN-FLAGS`.
fn context(parent: &str, state: Option<&str>) -> Option<SpanContext> {
    let mut parts = parent.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let digits = |text: &str, length| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let form = digits(version, 2) && digits(trace, 32) && digits(span, 16) && digits(flags, 2);
    // Later versions may say more, this one may not.
    if !form || version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()? & TraceFlags::SAMPLED.to_u8());
    let state = state.and_then(|state| state.parse::<TraceState>().ok()).unwrap_or_default();
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let context = SpanContext::new(trace, span, flags, true, state);
    context.is_valid().then_some(context)
}

/// The address for traces: the endpoint's, and the path that the specification appends.
fn endpoint(of: &str) -> String {
    const PATH: &str = "/v1/traces";
    if of.ends_with(PATH) { of.to_owned() } else { format!("{}{PATH}", of.trim_end_matches('/')) }
}

/// The gateway's HTTP client, for the thread that sends batches and runs no Tokio.
#[derive(Debug)]
struct Client {
    client: reqwest::Client,
    runtime: tokio::runtime::Handle,
}

impl HttpClient for Client {
    fn send_bytes<'life, 'made>(
        &'life self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'made>>
    where
        'life: 'made,
        Self: 'made,
    {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let response = client.execute(request.try_into()?).await?;
            let mut answer = Response::builder().status(response.status());
            for (name, value) in response.headers() {
                answer = answer.header(name, value);
            }
            Ok::<_, HttpError>(answer.body(response.bytes().await?)?)
        });
        Box::pin(async move { sent.await? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_read_as_the_standard_has_them() {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        for (text, good) in [
            (format!("00-{trace}-b7ad6b7169203331-01"), true),
            (format!("00-{trace}-b7ad6b7169203331-00"), true),
            (format!("cc-{trace}-b7ad6b7169203331-01-what-follows"), true),
            (format!("00-{trace}-b7ad6b7169203331-01-more"), false),
            (format!("ff-{trace}-b7ad6b7169203331-01"), false),
            (format!("00-{trace}-0000000000000000-01"), false),
            ("00-00000000000000000000000000000000-b7ad6b7169203331-01".to_owned(), false),
            (format!("00-{}-b7ad6b7169203331-01", trace.to_uppercase()), false),
            (format!("00-{trace}-b7ad6b716920333-01"), false),
            (format!("00-{trace}-b7ad6b7169203331"), false),
            (format!("00-+{}-b7ad6b7169203331-01", &trace[1..]), false),
            (String::new(), false),
        ] {
            let read = context(&text, Some("a=b"));
            assert_eq!(read.is_some(), good, "{text}");
            assert!(read.is_none_or(|of| of.trace_id().to_string() == trace), "{text}");
        }
    }

    #[test]
    fn without_a_collector_there_are_no_spans() {
        let span = Telemetry::default().exchange(&[], b"{}");
        span.failed("timeout");
        assert_eq!((span.traceparent(), span.inside("decide").traceparent()), (None, None));
    }

    #[test]
    fn endpoints() {
        for (of, expected) in [
            ("http://a:4318", "http://a:4318/v1/traces"),
            ("http://a:4318/", "http://a:4318/v1/traces"),
            ("http://a/otlp", "http://a/otlp/v1/traces"),
            ("http://a/v1/traces", "http://a/v1/traces"),
        ] {
            assert_eq!(endpoint(of), expected);
        }
    }
}
