//! What stands before every request, whatever it is about: health, hosts, limits, and who calls.

mod hosts;
mod limits;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use placet_pep::Identity;
use placet_pep::http::HttpReply;
use serde::Deserialize;

use super::auth::{AuthConfig, Authenticator, ENFORCEMENT_POINT};
use super::health::{self, Draining};
use super::http::answer;
use super::metrics::Refusals;

pub use limits::LimitsConfig;
pub(super) use limits::{Admission, Place, Refused};
pub use tls::{ClientCertificates, TlsConfig};
pub(super) use tls::{PeerCertificate, Tls};

/// Where calls of others are decided.
pub(super) const DECIDE: &str = "/v1/decide";

/// How callers reach the gateway, and how it knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FrontConfig {
    /// How callers are authenticated. Left out: everybody is the same agent, on this machine only.
    pub auth: Option<AuthConfig>,
    /// TLS; left out: plain HTTP.
    pub tls: Option<TlsConfig>,
    /// What one caller may use up.
    pub limits: LimitsConfig,
    /// Names that clients know this gateway by, such as `gateway.example.com` or `*.internal`; `*` is any. Addresses,
    /// `localhost`, and the host of the OAuth resource always count.
    pub hosts: Vec<String>,
}

/// Stands before the router.
pub(super) struct Front {
    pub authenticator: Authenticator,
    pub admission: Admission,
    pub limits: LimitsConfig,
    pub tls: Option<Arc<Tls>>,
    hosts: hosts::Hosts,
    draining: Draining,
    refusals: Refusals,
}

impl Front {
    /// # Errors
    /// What is wrong with the configuration, or that nothing says who may call from other machines.
    pub fn new(
        config: FrontConfig,
        identity: Identity,
        address: SocketAddr,
        draining: Draining,
    ) -> Result<Front, String> {
        let FrontConfig { auth, tls, limits, hosts } = config;
        limits.check()?;
        let authenticator = match auth {
            Some(auth) => Authenticator::new(auth)?,
            None if address.ip().is_loopback() => Authenticator::everybody(identity),
            None => {
                return Err(format!(
                    "`{address}` can be reached from other machines, and nothing says who may call: add `auth` to the \
                     configuration (`oauth`, `api_keys`, `mtls`, or `anonymous` in so many words), or listen on 127.0.0.1"
                ));
            }
        };
        authenticator.check()?;
        let tls = tls.map(Tls::open).transpose()?.map(Arc::new);
        if authenticator.wants_certificates() && !tls.as_ref().is_some_and(|tls| tls.asks_for_certificates())
        {
            return Err(
                "`auth.mtls` needs `tls` with `client_ca`: nobody else verifies certificates".to_owned()
            );
        }
        let hosts = hosts::Hosts::new(hosts, authenticator.host())?;
        let admission = Admission::new(&limits);
        Ok(Front { authenticator, admission, limits, tls, hosts, draining, refusals: Refusals::default() })
    }

    /// Counts what is refused here.
    pub fn counting(self, refusals: Refusals) -> Front {
        Front { refusals, ..self }
    }

    fn refuse(&self, reply: HttpReply) -> Response {
        self.refusals.count(reply.status);
        answer(reply)
    }

    /// The router behind all this.
    pub fn before(self: &Arc<Self>, router: Router) -> Router {
        router.layer(from_fn_with_state(self.clone(), enter))
    }

    /// From now on only health is answered.
    pub fn drain(&self) {
        self.draining.begin();
    }

    /// What to answer before anybody is asked who they are.
    fn early(&self, request: &Request) -> Result<(), HttpReply> {
        if self.draining.has_begun() {
            let reply = HttpReply::problem(503, "draining", "the gateway is stopping: try again elsewhere");
            return Err(reply.with("retry-after", "1").with("connection", "close"));
        }
        self.hosts.check(request.headers(), request.uri())
    }
}

async fn enter(State(front): State<Arc<Front>>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if health::PATHS.contains(&path) {
        return next.run(request).await;
    }
    if let Err(reply) = front.early(&request) {
        return front.refuse(reply);
    }
    if let Some(reply) = front.authenticator.metadata(path) {
        return answer(reply);
    }
    let place = match front.admission.admit(request.method()) {
        Ok(place) => place,
        Err(Refused) => return front.refuse(Refused::reply()),
    };
    let certificate = request.extensions().get::<PeerCertificate>().and_then(PeerCertificate::der);
    let caller = match front.authenticator.authenticate(request.headers(), certificate).await {
        Ok(caller) => caller,
        Err(reply) => {
            tracing::warn!(status = reply.status, body = reply.body, "not let in");
            return front.refuse(reply);
        }
    };
    let Identity { tenant, agent, .. } = &caller.identity;
    tracing::debug!(by = caller.by, tenant, agent = agent.id, "let in");
    // Whoever posts there acts for everybody.
    let trusted = || caller.identity.agent.roles.iter().any(|role| role == ENFORCEMENT_POINT);
    if path == DECIDE && front.authenticator.tells_apart() && !trusted() {
        let why = format!("only agents with the role `{ENFORCEMENT_POINT}` may have calls of others decided");
        return front.refuse(HttpReply::problem(403, "not-an-enforcement-point", &why));
    }
    // What is held open ends with the token; what was begun with it is brought to an end.
    let until = caller.until().filter(|_| request.method() == Method::GET);
    request.extensions_mut().insert(Arc::new(caller));
    request.extensions_mut().insert(place.clone());
    let request = request.map(|body| limits::timed(body, front.limits.body_time()));
    next.run(request).await.map(|body| limits::held(body, place, until))
}
