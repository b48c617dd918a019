//! The configuration: Spin's variables, or the environment that `wasmtime serve` gives.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use placet_pdp::{Pdp, Trust};
use placet_pep::http::{Config, Guard};
use spin_sdk::http::Uri;

/// What a component decides when it is not told what to guard.
const DECIDE_ONLY: &str = r#"{"decide":"/v1/decide","identity":{"header":"x-placet-identity"}}"#;

/// What the operator has set.
pub struct Settings {
    /// What is guarded.
    pub guard: Guard,
    /// The server behind; `None`: there is none.
    pub upstream: Option<Uri>,
    /// The label of the key-value store.
    #[cfg(feature = "spin")]
    pub store: String,
    /// Joins the records of this request.
    pub exchange: String,
}

impl Settings {
    /// Reads them, and puts the policy in force if they have one.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub async fn read() -> Result<Settings, String> {
        let guard = variable("guard").await?;
        let config = Config::from_json(guard.as_deref().unwrap_or(DECIDE_ONLY)).map_err(|e| e.to_string())?;
        if let Some(bundle) = variable("policy_bundle").await? {
            let bundle =
                STANDARD.decode(bundle.trim()).map_err(|e| format!("`policy_bundle` is no Base64: {e}"))?;
            let keys = variable("policy_keys").await?.unwrap_or_default();
            let keys = keys.split(',').map(str::trim).filter(|key| !key.is_empty()).map(key);
            placet_embed::replace(Pdp::open(&bundle, &Trust { keys: keys.collect::<Result<_, _>>()? }));
        }
        Ok(Settings {
            guard: Guard::new(config).map_err(|e| e.to_string())?,
            upstream: variable("upstream").await?.map(|url| upstream(&url)).transpose()?,
            exchange: crate::decide::exchange(),
            #[cfg(feature = "spin")]
            store: variable("state_store").await?.unwrap_or_else(|| "default".to_owned()),
        })
    }
}

fn upstream(url: &str) -> Result<Uri, String> {
    let uri: Option<Uri> = url.trim().parse().ok();
    let fits = |uri: &Uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.path() == "/" && uri.query().is_none()
    };
    uri.filter(fits)
        .ok_or_else(|| format!("`upstream` is `{url}`: write `http://HOST:PORT` or `https://HOST`"))
}

fn key(hex: &str) -> Result<[u8; 32], String> {
    let wrong = || format!("`policy_keys` has `{hex}`: a key has 64 hexadecimal digits");
    let mut key = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return Err(wrong());
    }
    for (n, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).map_err(|_| wrong())?;
    }
    Ok(key)
}

/// One variable; an empty one is not set.
#[cfg(feature = "spin")]
async fn variable(name: &str) -> Result<Option<String>, String> {
    use spin_sdk::variables::{Error, get};
    match get(name).await {
        Ok(value) => Ok(Some(value).filter(|value| !value.trim().is_empty())),
        Err(Error::Undefined(_)) => Ok(None),
        Err(error) => Err(format!("the variable `{name}` cannot be read: {error}")),
    }
}

/// One variable, such as `PLACET_GUARD`; an empty one is not set.
#[cfg(not(feature = "spin"))]
async fn variable(name: &str) -> Result<Option<String>, String> {
    let name = format!("PLACET_{}", name.to_ascii_uppercase());
    let all = spin_sdk::wasip3::cli::environment::get_environment();
    let found = all.into_iter().find(|(of, _)| *of == name).map(|(_, value)| value);
    Ok(found.filter(|value| !value.trim().is_empty()))
}
