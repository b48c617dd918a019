//! Mutual TLS: the agent is who its certificate says, which the TLS handshake has verified.

use std::collections::BTreeMap;

use placet_pep::http::{Fixed, XfccPart};
use placet_pep::{Identity, Principal};
use serde::Deserialize;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// How a certificate becomes an identity.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MtlsConfig {
    /// The part that is the agent's id.
    pub agent: XfccPart,
    /// What is the same for every certificate; the tenant has to be here, or with each agent.
    #[serde(default)]
    pub fixed: Fixed,
    /// The agents, by id. When there are any, no others are let in.
    #[serde(default)]
    pub agents: BTreeMap<String, KnownAgent>,
}

/// What is known of an agent beyond its certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KnownAgent {
    /// Its tenant, when `fixed` has none.
    pub tenant: Option<String>,
    /// Its roles.
    pub roles: Vec<String>,
}

impl MtlsConfig {
    /// # Errors
    /// When some agent would have no tenant, or two.
    pub fn check(&self) -> Result<(), String> {
        if self.fixed.agent.is_some() {
            return Err("`mtls`: the agent comes from the certificate: leave `fixed.agent` out".to_owned());
        }
        let fixed = self.fixed.tenant.is_some();
        if !fixed && self.agents.is_empty() {
            return Err("`mtls`: nothing says whose tenant: add `fixed: {tenant: …}`, or `agents`".to_owned());
        }
        match self.agents.iter().find(|(_, known)| known.tenant.is_some() == fixed) {
            Some((id, _)) if fixed => {
                Err(format!("`mtls`: the tenant is fixed and given for `{id}`: choose one"))
            }
            Some((id, _)) => Err(format!("`mtls`: nothing says whose tenant `{id}` is: add `tenant`")),
            None => Ok(()),
        }
    }

    /// Who a certificate (DER) is, that the handshake has verified.
    ///
    /// # Errors
    /// When it does not say so, or is not of a known agent.
    pub fn identify(&self, certificate: &[u8]) -> Result<Identity, String> {
        let id = part(self.agent, certificate)?;
        let known = match self.agents.get(&id) {
            Some(known) => known.clone(),
            None if self.agents.is_empty() => KnownAgent::default(),
            None => return Err("the client certificate is not of a known agent".to_owned()),
        };
        let Fixed { tenant, agent: _, user, chain, project, env, session } = self.fixed.clone();
        let tenant = tenant.or(known.tenant).ok_or("the agent's tenant is not known")?;
        let agent = Principal { id, roles: known.roles, scopes: Vec::new(), attrs: serde_json::Map::new() };
        Ok(Identity { tenant, agent, user, chain, project, env, session })
    }
}

/// A part of a certificate. One that is there twice could be read in two ways, and counts as missing.
fn part(part: XfccPart, der: &[u8]) -> Result<String, String> {
    if part == XfccPart::Hash {
        return Ok(placet_bundle::digest(der));
    }
    let unreadable = |_| "the client certificate cannot be read".to_owned();
    let certificate = Certificate::from_der(der).map_err(unreadable)?;
    let certificate = certificate.tbs_certificate();
    if part == XfccPart::Subject {
        let subject = certificate.subject().to_string();
        return match subject.is_empty() {
            true => Err("the client certificate has no subject".to_owned()),
            false => Ok(subject),
        };
    }
    let names = certificate.get_extension::<SubjectAltName>().map_err(unreadable)?;
    let names = names.map(|(_, names)| names.0).unwrap_or_default();
    let mut found = names.iter().filter_map(|name| match (part, name) {
        (XfccPart::Uri, GeneralName::UniformResourceIdentifier(uri)) => Some(uri.as_str()),
        (XfccPart::Dns, GeneralName::DnsName(name)) => Some(name.as_str()),
        _ => None,
    });
    let kind = if part == XfccPart::Uri { "URI" } else { "DNS name" };
    match (found.next(), found.next()) {
        (Some(one), None) if !one.is_empty() => Ok(one.to_owned()),
        (Some(_), Some(_)) => Err(format!("the client certificate has more than one {kind}")),
        _ => Err(format!("the client certificate has no {kind}")),
    }
}
