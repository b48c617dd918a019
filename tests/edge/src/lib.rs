//! A world for the edge component: Wasmtime with `wasi:http`, and what Spin adds, in memory.
//!
//! Each request gets an instance of its own, as in Spin. What an instance keeps between requests it keeps in a
//! [`Store`], which can behave like the several stores that Spin has.

mod spin;
mod store;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Cache, CacheConfig, Config, Engine, OptLevel, Result, format_err};
use wasmtime_wasi::{HostWallClock, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::p3::bindings::{Service, ServicePre, http::types};
use wasmtime_wasi_http::p3::{Request, Response};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

pub use store::{Manner, Store};

/// The server behind the component: what it is asked, and what it answers; `None` when it is down.
pub type Upstream = Arc<dyn Fn(http::Request<Bytes>) -> Option<http::Response<Bytes>> + Send + Sync>;

/// A component, and what is around it.
pub struct Edge {
    engine: Engine,
    service: ServicePre<Instance>,
    around: Around,
    /// Nanoseconds since the epoch, where the clock is set.
    now: Option<u64>,
}

/// What is around a component.
#[derive(Clone)]
pub struct Around {
    /// Spin's variables, or the environment of a component without Spin.
    pub variables: BTreeMap<String, String>,
    /// State.
    pub store: Store,
    /// The server behind it.
    pub upstream: Upstream,
}

/// What one instance has of the world.
struct Instance {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
    around: Around,
}

struct Hooks(Upstream);

impl Edge {
    /// Compiles a component and links it to a world.
    ///
    /// # Errors
    /// When it is none, or wants what this world does not have.
    pub fn new(component: &[u8], around: Around) -> Result<Edge> {
        let mut config = Config::new();
        config.wasm_component_model_async(true);
        // Compiling takes longer than running, so it is done quickly, and kept.
        config.cranelift_opt_level(OptLevel::None).cache(Cache::new(CacheConfig::new()).ok());
        let engine = Engine::new(&config)?;
        let component = Component::new(&engine, component)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p3::add_to_linker(&mut linker)?;
        wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
        spin::add_to_linker(&mut linker)?;
        let service = ServicePre::new(linker.instantiate_pre(&component)?)?;
        Ok(Edge { engine, service, around, now: None })
    }

    /// With the clock set, to nanoseconds since the epoch.
    #[must_use]
    pub fn at(self, now: u64) -> Edge {
        Edge { now: Some(now), ..self }
    }

    /// The same component in another world.
    #[must_use]
    pub fn in_world(&self, around: Around) -> Edge {
        Edge { engine: self.engine.clone(), service: self.service.clone(), around, now: self.now }
    }

    /// Has a new instance answer one request.
    ///
    /// # Errors
    /// When it traps, or gives no answer.
    pub async fn answer(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>> {
        let mut hooks = Hooks(self.around.upstream.clone());
        let (request, sent) = Request::from_http(&mut hooks, request.map(Full::new));
        let mut wasi = WasiCtx::builder();
        self.around.variables.iter().for_each(|(name, value)| {
            wasi.env(format!("PLACET_{}", name.to_ascii_uppercase()), value);
        });
        if let Some(now) = self.now {
            wasi.wall_clock(Set(now));
        }
        let instance = Instance {
            table: ResourceTable::new(),
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            hooks,
            around: self.around.clone(),
        };
        let mut store = wasmtime::Store::new(&self.engine, instance);
        let service: Service = self.service.instantiate_async(&mut store).await?;
        let answered = store.run_concurrent(async |accessor| -> Result<http::Response<Bytes>> {
            let answer = async {
                let response: Response = service.handle(accessor, request).await??;
                let response = accessor.with(|access| response.into_http(access, async { Ok(()) }))?;
                let (head, body) = response.into_parts();
                let body = body.collect().await.map_err(|e| format_err!("the body broke off: {e:?}"))?;
                Ok(http::Response::from_parts(head, body.to_bytes()))
            };
            let (answer, _) = tokio::join!(answer, sent);
            answer
        });
        answered.await?
    }
}

/// A clock that stands still.
struct Set(u64);

impl HostWallClock for Set {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.0)
    }
}

impl WasiView for Instance {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Instance {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

/// What sending a request comes to: the response, and what becomes of the connection.
type Sent = std::result::Result<
    (http::Response<WasiBody>, Box<dyn Future<Output = std::result::Result<(), Error>> + Send>),
    Error,
>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        done: Box<dyn Future<Output = std::result::Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        drop(done);
        let upstream = self.0.clone();
        Box::new(async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let Some(response) = upstream(http::Request::from_parts(head, body)) else {
                return Err(types::ErrorCode::ConnectionRefused.into());
            };
            let body = |body| {
                Full::new(body).map_err(|never: std::convert::Infallible| match never {}).boxed_unsync()
            };
            let connection: Box<dyn Future<Output = std::result::Result<(), Error>> + Send> =
                Box::new(async { Ok(()) });
            Ok((response.map(body), connection))
        })
    }
}
