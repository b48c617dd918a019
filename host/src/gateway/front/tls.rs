//! TLS, with certificates that may be replaced while the gateway runs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde::Deserialize;
use tokio_rustls::TlsAcceptor;

use crate::gateway::auth::Stamp;
use crate::gateway::metrics::reloaded;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The gateway's certificate, and whose certificates clients may show. All files are PEM.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate, and those between it and one that clients know.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Who signs the certificates of clients.
    pub client_ca: Option<PathBuf>,
    /// Whether clients must show one.
    pub client: Option<ClientCertificates>,
}

/// Whether clients must show a certificate; one that is shown must be good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificates {
    /// No connection without one.
    Required,
    /// They may use another way to say who they are.
    Optional,
}

/// TLS for the listener.
#[derive(Debug)]
pub struct Tls {
    config: TlsConfig,
    current: RwLock<Arc<ServerConfig>>,
}

/// The verified certificate (DER) of a connection's client.
#[derive(Clone, Debug, Default)]
pub struct PeerCertificate(Option<Arc<[u8]>>);

impl PeerCertificate {
    /// Of the certificate that the handshake has verified.
    pub fn of(certificate: Option<&CertificateDer<'_>>) -> PeerCertificate {
        PeerCertificate(certificate.map(|der| Arc::from(der.as_ref())))
    }

    /// As DER.
    pub fn der(&self) -> Option<&[u8]> {
        self.0.as_deref()
    }
}

impl Tls {
    /// # Errors
    /// When a file cannot be read, or certificate and key do not belong together.
    pub fn open(config: TlsConfig) -> Result<Tls, String> {
        if config.client.is_some() && config.client_ca.is_none() {
            return Err("`tls`: `client` needs `client_ca`: who signs the certificates of clients".to_owned());
        }
        let current = RwLock::new(Arc::new(read(&config)?));
        Ok(Tls { config, current })
    }

    /// Whether clients are asked for certificates.
    pub fn asks_for_certificates(&self) -> bool {
        self.config.client_ca.is_some()
    }

    /// For the next connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Looks at the files from now on, and reads them again when they change or on SIGHUP. When they are not good, or
    /// not yet, the old ones stay in force.
    pub async fn watch(self: Arc<Self>) {
        let mut stamps = self.stamps();
        let mut hangup = Hangup::new();
        loop {
            let asked = tokio::select! {
                () = tokio::time::sleep(LOOK) => false,
                () = hangup.next() => true,
            };
            let now = self.stamps();
            if now == stamps && !asked {
                continue;
            }
            stamps = now;
            match read(&self.config) {
                Ok(config) => {
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                    reloaded("certificate", true);
                    tracing::info!(cert = %self.config.cert.display(), "certificates read again");
                }
                Err(error) => {
                    reloaded("certificate", false);
                    tracing::error!(error, "CERTIFICATES NOT RELOADED: the old ones stay in force");
                }
            }
        }
    }

    fn stamps(&self) -> [Option<Stamp>; 3] {
        let TlsConfig { cert, key, client_ca, .. } = &self.config;
        [Stamp::of(cert), Stamp::of(key), client_ca.as_deref().and_then(Stamp::of)]
    }
}

/// SIGHUP, where there is such a thing.
struct Hangup {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangup {
    fn new() -> Hangup {
        Hangup {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

fn read(config: &TlsConfig) -> Result<ServerConfig, String> {
    let TlsConfig { cert, key, client_ca, client } = config;
    let chain = certificates(cert)?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| fault(key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| format!("`tls`: {error}"))?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| fault(path, &error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match client {
                Some(ClientCertificates::Optional) => verifier.allow_unauthenticated(),
                Some(ClientCertificates::Required) | None => verifier,
            };
            builder.with_client_cert_verifier(verifier.build().map_err(|error| fault(path, &error))?)
        }
    };
    let mut config = builder.with_single_cert(chain, secret).map_err(|error| fault(cert, &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_file_iter(path).map_err(|error| fault(path, &error))?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| fault(path, &error))?;
    match found.is_empty() {
        true => Err(fault(path, &"no certificate in it")),
        false => Ok(found),
    }
}

fn fault(path: &Path, why: &dyn std::fmt::Display) -> String {
    format!("`tls`: `{}`: {why}", path.display())
}
