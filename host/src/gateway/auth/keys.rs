//! Where an issuer's keys come from: a file, or an address that is asked again when keys change.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use reqwest::{Client, Url};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::file::Reloaded;
use super::http::{self, fetch};
use super::jwk::{KeySet, PublicKey};
use super::jws::Algorithm;

/// Where a key set is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysConfig {
    /// A JSON Web Key Set on disk; read again when it changes.
    pub file: Option<PathBuf>,
    /// Its address: HTTPS, or HTTP on this machine.
    pub url: Option<String>,
    /// How old a fetched set may get before it is fetched again, in seconds.
    #[serde(default = "refresh")]
    pub refresh: u64,
    /// Least time between two attempts, in seconds; bounds what tokens with made-up key ids can cause.
    #[serde(default = "retry")]
    pub retry: u64,
    /// How long a set counts when it cannot be fetched again, in seconds.
    #[serde(default = "stale")]
    pub stale: u64,
}

fn refresh() -> u64 {
    300
}

fn retry() -> u64 {
    15
}

fn stale() -> u64 {
    3600
}

/// An issuer's keys.
#[derive(Debug)]
pub enum Keys {
    /// On disk.
    File(Reloaded<KeySet>),
    /// Fetched.
    Remote(Box<Remote>),
}

/// A key set at an address.
#[derive(Debug)]
pub struct Remote {
    client: Client,
    url: Url,
    refresh: Duration,
    retry: Duration,
    stale: Duration,
    cached: RwLock<Option<Cached>>,
    /// When it was asked last; held while it is asked, so that one request asks for all.
    asked: Mutex<Option<Instant>>,
}

#[derive(Clone, Debug)]
struct Cached {
    set: Arc<KeySet>,
    fetched: Instant,
}

/// Why there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKey {
    /// The issuer has no such key.
    Unknown,
    /// The issuer's keys cannot be had now.
    Unavailable,
}

impl Keys {
    /// # Errors
    /// When the configuration names no source or two, the file cannot be read, or the address is not a safe one.
    pub fn open(config: &KeysConfig) -> Result<Keys, String> {
        match (&config.file, &config.url) {
            (Some(file), None) => Ok(Keys::File(Reloaded::open(file, KeySet::read)?)),
            (None, Some(url)) => {
                let url = http::address(url)?;
                let client = http::client()?;
                let [refresh, retry, stale] =
                    [config.refresh, config.retry, config.stale].map(Duration::from_secs);
                let (cached, asked) = (RwLock::new(None), Mutex::new(None));
                Ok(Keys::Remote(Box::new(Remote { client, url, refresh, retry, stale, cached, asked })))
            }
            _ => Err("`jwks` needs one of `file` and `url`".to_owned()),
        }
    }

    /// The key that a token names.
    ///
    /// # Errors
    /// When there is none, or nobody can say.
    pub async fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<PublicKey, NoKey> {
        match self {
            Keys::File(file) => file.get().find(id, algorithm).cloned().ok_or(NoKey::Unknown),
            Keys::Remote(remote) => remote.find(id, algorithm).await,
        }
    }
}

impl Remote {
    async fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<PublicKey, NoKey> {
        let look = || {
            let cached = self.cached()?;
            let key = cached.set.find(id, algorithm).cloned();
            Some((cached.fetched.elapsed(), key))
        };
        match look() {
            Some((age, Some(key))) if age < self.refresh => return Ok(key),
            // Old, and somebody is asking already: the old one will do.
            Some((age, Some(key))) if age < self.stale && self.asked.try_lock().is_err() => return Ok(key),
            _ => {}
        }
        self.ask().await;
        match look() {
            Some((age, Some(key))) if age < self.stale => Ok(key),
            Some((age, None)) if age < self.stale => Err(NoKey::Unknown),
            _ => Err(NoKey::Unavailable),
        }
    }

    fn cached(&self) -> Option<Cached> {
        self.cached.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fetches the set, unless that was tried a moment ago.
    async fn ask(&self) {
        let before = self.cached().map(|cached| cached.fetched);
        let mut asked = self.asked.lock().await;
        // Somebody else has fetched it meanwhile.
        if self.cached().map(|cached| cached.fetched) != before {
            return;
        }
        if asked.is_some_and(|at| at.elapsed() < self.retry) {
            return;
        }
        *asked = Some(Instant::now());
        let text = fetch(self.client.get(self.url.clone())).await;
        match text.and_then(|text| KeySet::read(&text)) {
            Ok(set) => {
                let cached = Cached { set: Arc::new(set), fetched: Instant::now() };
                *self.cached.write().unwrap_or_else(PoisonError::into_inner) = Some(cached);
                tracing::info!(url = %self.url, "keys fetched");
            }
            Err(error) => tracing::error!(url = %self.url, error, "keys cannot be fetched"),
        }
    }
}
