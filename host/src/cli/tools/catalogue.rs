//! A live server's whole catalogue, read as any client reads it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use rmcp::ServiceExt as _;
use rmcp::model::PaginatedRequestParams;
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use serde_json::Value;

/// Which server is asked.
#[derive(Debug, clap::Args)]
pub struct From {
    /// The MCP server's address, such as `http://127.0.0.1:9000/mcp`
    #[arg(long, value_name = "URL", conflicts_with = "command")]
    upstream: Option<String>,
    /// A header for the server, such as `Authorization: Bearer …`; may be repeated
    #[arg(long = "header", value_name = "NAME: VALUE", requires = "upstream")]
    headers: Vec<String>,
    /// A file with the server's `tools/list` result (JSON), instead of a live server
    #[arg(long, value_name = "FILE", conflicts_with_all = ["upstream", "command"])]
    file: Option<PathBuf>,
    /// The MCP server as a command that speaks on its standard streams, after `--`
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// How long the server may take for everything.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most pages of a catalogue.
const PAGES: usize = 1000;

impl From {
    /// The tools of the server, each as JSON has it.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub fn read(&self) -> Result<Vec<Value>, String> {
        if let Some(path) = &self.file {
            let text = crate::cli::policy::read_text(path)?;
            let json: Value =
                serde_json::from_str(&text).map_err(|error| format!("`{}`: {error}", path.display()))?;
            return listed(&json).ok_or_else(|| format!("`{}` holds no list of tools", path.display()));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        runtime.block_on(async {
            match tokio::time::timeout(PATIENCE, self.ask()).await {
                Ok(tools) => tools,
                Err(_) => Err(format!("the server did not give its tools within {} s", PATIENCE.as_secs())),
            }
        })
    }

    /// For people.
    pub fn name(&self) -> String {
        match (&self.upstream, &self.file) {
            (Some(url), _) => url.clone(),
            (None, Some(file)) => file.display().to_string(),
            (None, None) => self.command.join(" "),
        }
    }

    async fn ask(&self) -> Result<Vec<Value>, String> {
        let fault = |error: &dyn std::fmt::Display| format!("no session with `{}`: {error}", self.name());
        let client = match (&self.upstream, self.command.split_first()) {
            (Some(url), _) => {
                // A second install only says that there is one.
                let _ = rustls::crypto::ring::default_provider().install_default();
                let client =
                    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
                let client = client.build().map_err(|error| error.to_string())?;
                let config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
                let config = config.custom_headers(self.headers()?);
                let transport = StreamableHttpClientTransport::with_client(client, config);
                ().serve(transport).await.map_err(|error| fault(&error))?
            }
            (None, Some((program, arguments))) => {
                let mut command = tokio::process::Command::new(program);
                command.args(arguments);
                let started = TokioChildProcess::builder(command).stderr(Stdio::inherit()).spawn();
                let (process, _) = started.map_err(|error| format!("cannot start `{program}`: {error}"))?;
                ().serve(process).await.map_err(|error| fault(&error))?
            }
            (None, None) => {
                return Err("there is no server: name one with `--upstream URL` or `-- COMMAND`".to_owned());
            }
        };
        let tools = all(&client).await;
        let _ = client.cancel().await;
        tools
    }

    fn headers(&self) -> Result<HashMap<HeaderName, HeaderValue>, String> {
        let header = |text: &String| {
            let (name, value) = text.split_once(':')?;
            let name = HeaderName::try_from(name.trim()).ok()?;
            Some((name, HeaderValue::try_from(value.trim()).ok()?))
        };
        let fault = |text: &String| {
            format!("`{}` is not a header: write `NAME: VALUE`", text.split(':').next().unwrap_or_default())
        };
        self.headers.iter().map(|text| header(text).ok_or_else(|| fault(text))).collect()
    }
}

async fn all(client: &RunningService<RoleClient, ()>) -> Result<Vec<Value>, String> {
    let (mut tools, mut cursors) = (Vec::new(), vec![None]);
    while let Some(cursor) = cursors.last().cloned() {
        let params = PaginatedRequestParams::default().with_cursor(cursor);
        let page = client.list_tools(Some(params)).await;
        let page = page.map_err(|error| format!("the server does not list its tools: {error}"))?;
        for tool in page.tools {
            tools.push(serde_json::to_value(tool).map_err(|error| error.to_string())?);
        }
        let Some(next) = page.next_cursor else { return Ok(tools) };
        if cursors.len() >= PAGES || cursors.contains(&Some(next.clone())) {
            return Err("the server's catalogue has no end: its pages come again".to_owned());
        }
        cursors.push(Some(next));
    }
    Ok(tools)
}

/// The list in a `tools/list` result, a response with one, or by itself.
fn listed(json: &Value) -> Option<Vec<Value>> {
    let result = json.get("result").unwrap_or(json);
    result.get("tools").unwrap_or(result).as_array().cloned()
}
