//! Which hosts a request may be for. A web page whose name was made to lead here (DNS rebinding) sends its own name, and
//! so only names that the operator knows count. An address cannot be made to lead elsewhere.

use std::net::IpAddr;

use axum::http::header::HOST;
use axum::http::{HeaderMap, Uri};
use placet_pep::http::HttpReply;

/// Names that count.
#[derive(Debug)]
pub struct Hosts {
    any: bool,
    /// Lower case, without a dot at the end.
    names: Vec<String>,
    /// Ends of names, with the dot at the beginning.
    ends: Vec<String>,
}

impl Hosts {
    /// # Errors
    /// When something is not a name.
    pub fn new(configured: Vec<String>, own: Option<&str>) -> Result<Hosts, String> {
        let mut hosts = Hosts { any: false, names: Vec::new(), ends: vec![".localhost".to_owned()] };
        hosts.names.push("localhost".to_owned());
        hosts.names.extend(own.map(str::to_ascii_lowercase));
        for name in configured {
            let plain = |text: &str| {
                !text.is_empty()
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
            };
            match name.strip_prefix("*.") {
                _ if name == "*" => hosts.any = true,
                Some(end) if plain(end) => hosts.ends.push(format!(".{}", end.to_ascii_lowercase())),
                None if plain(&name) => hosts.names.push(name.to_ascii_lowercase()),
                _ => {
                    let how = "write a name without port, such as `gateway.example.com` or `*.internal`";
                    return Err(format!("`hosts`: `{name}` is not a host's name: {how}"));
                }
            }
        }
        Ok(hosts)
    }

    /// # Errors
    /// 400 when the request does not say which host it is for, 403 when it is not for this one.
    pub fn check(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), HttpReply> {
        let mut given = headers.get_all(HOST).iter();
        let (Some(host), None) = (given.next(), given.next()) else {
            return Err(HttpReply::bad("the request must name one host"));
        };
        let host = host.to_str().map_err(|_| HttpReply::bad("the host is no text"))?;
        // A target with a host of its own must not say something else.
        let target = uri.authority().map(|authority| authority.as_str());
        match self.knows(host) && target.is_none_or(|target| self.knows(target)) {
            true => Ok(()),
            false => {
                let why = "requests for this host are not accepted; the operator can add its name to `hosts`";
                Err(HttpReply::problem(403, "host", why))
            }
        }
    }

    fn knows(&self, authority: &str) -> bool {
        let Some(host) = without_port(authority) else { return false };
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
        self.any
            || address.parse::<IpAddr>().is_ok()
            || self.names.contains(&host)
            || self.ends.iter().any(|end| host.len() > end.len() && host.ends_with(end))
    }
}

/// The host of `host`, `host:port`, `[address]` or `[address]:port`; `None` for anything else.
fn without_port(authority: &str) -> Option<&str> {
    let (host, port) = match authority.rfind(']') {
        Some(end) => authority.split_at(end + 1),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let digits = |port: &str| port.is_empty() || port.bytes().all(|byte| byte.is_ascii_digit());
    let good = port.is_empty() || port.strip_prefix(':').is_some_and(digits);
    (good && !host.is_empty() && !host.contains(['@', '/', ',', ' '])).then_some(host)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, Uri};

    use super::Hosts;

    #[test]
    fn which_hosts_count() {
        let names = ["gateway.example.com", "*.internal"].map(str::to_owned).to_vec();
        let hosts = Hosts::new(names, Some("Resource.example")).expect("names");
        for (host, known) in [
            ("localhost", true),
            ("LOCALHOST:8080", true),
            ("a.localhost", true),
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("[::1]", true),
            ("192.0.2.7", true),
            ("gateway.example.com", true),
            ("Gateway.Example.com.:443", true),
            ("resource.example", true),
            ("a.b.internal", true),
            (".internal", false),
            ("internal", false),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("evil.example:80@localhost", false),
            ("localhost:80:80", false),
            ("localhost, evil.example", false),
            ("[::1]evil", false),
            ("", false),
        ] {
            assert_eq!(hosts.knows(host), known, "{host}");
        }
        let check = |hosts: &Hosts, of: &[&str], uri: &'static str| {
            let mut headers = HeaderMap::new();
            for host in of {
                headers.append("host", host.parse().expect("a value"));
            }
            hosts.check(&headers, &Uri::from_static(uri)).map_err(|reply| reply.status)
        };
        assert_eq!(check(&hosts, &["localhost"], "/mcp"), Ok(()));
        assert_eq!(check(&hosts, &[], "/mcp"), Err(400));
        assert_eq!(check(&hosts, &["localhost", "localhost"], "/mcp"), Err(400));
        assert_eq!(check(&hosts, &["localhost"], "http://evil.example/mcp"), Err(403));
        let any = Hosts::new(vec!["*".to_owned()], None).expect("any");
        assert_eq!(check(&any, &["evil.example"], "/mcp"), Ok(()));
        for wrong in ["a:80", "http://a", "", "*.", "a b", "*a"] {
            assert!(Hosts::new(vec![wrong.to_owned()], None).is_err(), "{wrong}");
        }
    }
}
