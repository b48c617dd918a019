//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};

/// What `--help` prints.
pub const USAGE: &str = "\
usage: quickstart-server [--listen 127.0.0.1:PORT] [--record FILE] [--sessions]

  --listen    where to listen; port 0 takes a free one (default 127.0.0.1:0)
  --record    append a JSON line {\"tool\",\"args\"} for every tool call that arrives
  --sessions  keep MCP sessions and answer with event streams, not with plain JSON";

/// What was asked for.
#[derive(Debug, PartialEq)]
pub struct Flags {
    /// A loopback address.
    pub listen: SocketAddr,
    /// Where calls are recorded.
    pub record: Option<PathBuf>,
    /// Whether to keep MCP sessions.
    pub sessions: bool,
}

impl Flags {
    /// Reads the arguments after the program's name. `None`: help was asked for.
    ///
    /// # Errors
    /// What is wrong with which flag.
    pub fn parse(mut args: impl Iterator<Item = String>) -> anyhow::Result<Option<Flags>> {
        let mut flags =
            Flags { listen: SocketAddr::from(([127, 0, 0, 1], 0)), record: None, sessions: false };
        while let Some(flag) = args.next() {
            let mut value = || args.next().with_context(|| format!("`{flag}` needs a value"));
            match flag.as_str() {
                "--help" | "-h" => return Ok(None),
                "--listen" => {
                    let text = value()?;
                    flags.listen =
                        text.parse().with_context(|| format!("`{text}` is not an address and a port"))?;
                }
                "--record" => flags.record = Some(PathBuf::from(value()?)),
                "--sessions" => flags.sessions = true,
                _ => bail!("there is no flag `{flag}`\n{USAGE}"),
            }
        }
        let listen = flags.listen;
        ensure!(
            listen.ip().is_loopback(),
            "`{listen}` is not a loopback address, and this server asks nobody who they are"
        );
        Ok(Some(flags))
    }
}

#[cfg(test)]
mod tests {
    use super::Flags;

    fn check(line: &str) -> Result<Option<Flags>, String> {
        Flags::parse(line.split_whitespace().map(str::to_owned)).map_err(|e| e.to_string())
    }

    #[test]
    fn flags() {
        let of = |line| check(line).unwrap().unwrap();
        assert_eq!(of("").listen.to_string(), "127.0.0.1:0");
        assert_eq!(of("--listen [::1]:8080").listen.port(), 8080);
        assert_eq!(of("--record a/b").record.unwrap().to_str(), Some("a/b"));
        assert!(of("--sessions").sessions && !of("").sessions);
        assert_eq!(check("--listen 127.0.0.1:1 --help"), Ok(None));
        for (line, expected) in [
            ("--listen", "`--listen` needs a value"),
            ("--record", "`--record` needs a value"),
            ("--listen localhost", "`localhost` is not an address"),
            ("--listen 127.0.0.1:99999", "`127.0.0.1:99999` is not an address"),
            ("--listen 0.0.0.0:80", "`0.0.0.0:80` is not a loopback address"),
            ("--listen=127.0.0.1:1", "there is no flag `--listen=127.0.0.1:1`"),
            ("serve", "there is no flag `serve`"),
        ] {
            let error = check(line).unwrap_err();
            assert!(error.starts_with(expected), "{line}: {error}");
        }
    }
}
