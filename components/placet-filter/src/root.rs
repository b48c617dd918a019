//! The plugin itself: its configuration, and records on their way to the host.

use std::rc::Rc;
use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType, LogLevel, MapType};

use crate::abi;
use crate::config::Setup;
use crate::head::headers;
use crate::plugin::Plugin;
use crate::report::{Report, say};
use crate::stream::Stream;

/// One plugin; without a plugin, its configuration cannot be used.
#[derive(Default)]
pub struct Root {
    plugin: Option<Rc<Plugin>>,
    /// How many records the host has not yet said it took.
    sent: usize,
}

impl Context for Root {
    fn on_http_call_response(&mut self, _: u32, _: usize, _: usize, _: usize) {
        let headers = headers(MapType::HttpCallResponseHeaders);
        let taken = headers.iter().any(|(name, value)| name == ":status" && value.starts_with('2'));
        let sent = std::mem::take(&mut self.sent);
        if let (false, Some(plugin)) = (taken, &self.plugin) {
            plugin.report.lost(sent);
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        let text = abi::buffer(BufferType::PluginConfiguration, size).unwrap_or_default();
        self.plugin = match Setup::read(&text) {
            Ok(setup) => {
                setup.with(|pdp| match pdp.refusal() {
                    Some(why) => say(LogLevel::Error, &format!("{why} Every guarded call is denied.")),
                    None => {
                        let about = pdp.describe();
                        say(LogLevel::Info, &format!("policy {}, engine {}", about.digest, about.engine));
                    }
                });
                if let Some(records) = &setup.records {
                    let _ = hostcalls::set_tick_period(Duration::from_millis(records.every_ms));
                }
                let report = Report::new(&setup);
                Some(Rc::new(Plugin { setup, report }))
            }
            Err(why) => {
                say(LogLevel::Error, &format!("{why}. Every request is refused until this is mended."));
                None
            }
        };
        // With `false` Envoy would answer by itself, and could not say why.
        true
    }

    fn on_tick(&mut self) {
        let Some(plugin) = &self.plugin else { return };
        let Some(records) = &plugin.setup.records else { return };
        if self.sent > 0 {
            return;
        }
        let lines = plugin.report.take();
        if lines.is_empty() {
            return;
        }
        self.sent = lines.len();
        let body = lines.join("\n");
        let timeout = Duration::from_secs(5);
        if !plugin.post(&records.path, "application/x-ndjson", body.as_bytes(), timeout) {
            plugin.report.lost(std::mem::take(&mut self.sent));
        }
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(self.plugin.clone(), id)))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
