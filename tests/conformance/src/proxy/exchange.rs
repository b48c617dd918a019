//! Takes a request, and the server's answer, through the module's phases.

use super::memory::{CallOut, Headers, Kind, Local};
use super::worker::Worker;

const CONTINUE: i32 = 0;
const REQUEST_HEADERS: usize = 0;
const RESPONSE_HEADERS: usize = 2;
const CALL_HEADERS: usize = 6;
const REQUEST_BODY: usize = 0;
const RESPONSE_BODY: usize = 1;
const CALL_BODY: usize = 4;

/// A request as a client sends it.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// With pseudo-headers.
    pub headers: Vec<(String, String)>,
    /// The body, in the pieces in which it comes.
    pub chunks: Vec<Vec<u8>>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The module answered; the server has seen nothing, or the headers only.
    Answered {
        /// The answer.
        local: Local,
        /// The server has seen the headers.
        seen: bool,
    },
    /// The server has it.
    Forwarded {
        /// With pseudo-headers, as they were when they went on.
        headers: Headers,
        /// The whole body.
        body: Vec<u8>,
    },
}

/// What the client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// With `:status`.
    pub headers: Headers,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Answers the module's call-outs: the status and the body, or nothing when there is no answer.
pub type CallOuts<'a> = &'a dyn Fn(&CallOut) -> Option<(u16, Vec<u8>)>;

/// One exchange.
pub struct Exchange<'w> {
    worker: &'w mut Worker,
    context: u32,
    calls: CallOuts<'w>,
}

impl<'w> Exchange<'w> {
    /// Begins one for a plugin.
    ///
    /// # Errors
    /// When the module traps.
    pub fn begin(worker: &'w mut Worker, root: u32, calls: CallOuts<'w>) -> wasmtime::Result<Exchange<'w>> {
        worker.memory().clear();
        let context = worker.create(root)?;
        Ok(Exchange { worker, context, calls })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When the module traps, or leaves the request hanging.
    pub fn request(&mut self, request: &Request) -> wasmtime::Result<Sent> {
        let kind = self.worker.memory().kind;
        let bytes = |(name, value): &(String, String)| (name.clone(), value.clone().into_bytes());
        self.worker.memory().maps[REQUEST_HEADERS] = request.headers.iter().map(bytes).collect();
        let count = i32::try_from(request.headers.len())?;
        // WasmX never says in the headers that this is all.
        let end = kind == Kind::Envoy && request.chunks.is_empty();
        let name = "proxy_on_request_headers";
        let action: i32 = self.worker.call(name, self.context, |id| (id, count, i32::from(end)))?;
        let mut going = self.goes_on(action, 0)?;
        if let Some(local) = self.worker.memory().local.take() {
            return self.answered(local, false);
        }
        if !going && (kind == Kind::Kong || end) {
            return Err(hanging("in the request's headers"));
        }
        let mut seen = (going && kind == Kind::Envoy).then(|| self.headers(REQUEST_HEADERS));
        let mut body = Vec::new();
        for (n, chunk) in request.chunks.iter().enumerate() {
            let last = n + 1 == request.chunks.len();
            self.worker.memory().buffers[REQUEST_BODY].extend(chunk);
            let size = i32::try_from(self.worker.memory().buffers[REQUEST_BODY].len())?;
            let name = "proxy_on_request_body";
            let action: i32 = self.worker.call(name, self.context, |id| (id, size, i32::from(last)))?;
            going = self.goes_on(action, 0)?;
            if let Some(local) = self.worker.memory().local.take() {
                return self.answered(local, seen.is_some());
            }
            if going {
                if kind == Kind::Envoy && seen.is_none() {
                    seen = Some(self.headers(REQUEST_HEADERS));
                }
                body.append(&mut self.worker.memory().buffers[REQUEST_BODY]);
            }
        }
        if !going {
            return Err(hanging("at the end of the request"));
        }
        let headers = seen.unwrap_or_else(|| self.headers(REQUEST_HEADERS));
        Ok(Sent::Forwarded { headers, body })
    }

    /// The server's answer.
    ///
    /// # Errors
    /// When the module traps, or leaves the answer hanging.
    pub fn respond(&mut self, headers: Headers, chunks: &[Vec<u8>]) -> wasmtime::Result<Answered> {
        let count = i32::try_from(headers.len())?;
        self.worker.memory().maps[RESPONSE_HEADERS] = headers;
        let end = i32::from(chunks.is_empty());
        let action: i32 =
            self.worker.call("proxy_on_response_headers", self.context, |id| (id, count, end))?;
        let mut going = self.goes_on(action, 1)?;
        let mut seen = going.then(|| self.headers(RESPONSE_HEADERS));
        let mut body = Vec::new();
        for (n, chunk) in chunks.iter().enumerate() {
            if self.worker.memory().local.is_some() {
                break;
            }
            let last = i32::from(n + 1 == chunks.len());
            self.worker.memory().buffers[RESPONSE_BODY].extend(chunk);
            let size = i32::try_from(self.worker.memory().buffers[RESPONSE_BODY].len())?;
            let action: i32 =
                self.worker.call("proxy_on_response_body", self.context, |id| (id, size, last))?;
            going = self.goes_on(action, 1)?;
            if going {
                seen = seen.or_else(|| Some(self.headers(RESPONSE_HEADERS)));
                body.append(&mut self.worker.memory().buffers[RESPONSE_BODY]);
            }
        }
        if let (Some(local), None) = (self.worker.memory().local.take(), &seen) {
            let headers = with_status(&local);
            return Ok(Answered { headers, body: local.body });
        }
        match (going, seen) {
            (true, Some(headers)) => Ok(Answered { headers, body }),
            _ => Err(hanging("in the answer")),
        }
    }

    /// The end, however far it came.
    ///
    /// # Errors
    /// When the module traps.
    pub fn end(self) -> wasmtime::Result<()> {
        self.worker.delete(self.context)
    }

    fn headers(&mut self, map: usize) -> Headers {
        self.worker.memory().maps[map].clone()
    }

    /// The module's own answer, which Envoy leads through the module as it does a server's.
    fn answered(&mut self, local: Local, seen: bool) -> wasmtime::Result<Sent> {
        if self.worker.memory().kind == Kind::Kong {
            return Ok(Sent::Answered { local, seen });
        }
        let chunks = if local.body.is_empty() { Vec::new() } else { vec![local.body.clone()] };
        let Answered { mut headers, body } = self.respond(with_status(&local), &chunks)?;
        headers.retain(|(name, _)| name != ":status");
        let local = Local { status: local.status, headers, body };
        Ok(Sent::Answered { local, seen })
    }

    /// Whether the stream goes on after a callback; call-outs are answered first.
    fn goes_on(&mut self, action: i32, stream: usize) -> wasmtime::Result<bool> {
        if action == CONTINUE {
            return Ok(true);
        }
        while let Some(call) = self.worker.memory().calls.pop() {
            let answer = (self.calls)(&call);
            let (status, body) = answer.map_or((None, Vec::new()), |(status, body)| (Some(status), body));
            let memory = self.worker.memory();
            let status_header = |status: u16| (":status".to_owned(), status.to_string().into_bytes());
            memory.maps[CALL_HEADERS] = status.into_iter().map(status_header).collect();
            let (count, size) = (memory.maps[CALL_HEADERS].len() as i32, i32::try_from(body.len())?);
            memory.buffers[CALL_BODY] = body;
            let token = call.token as i32;
            let name = "proxy_on_http_call_response";
            self.worker.call::<_, ()>(name, call.context, |id| (id, token, count, size, 0))?;
        }
        Ok(std::mem::take(&mut self.worker.memory().resumed[stream]))
    }
}

fn with_status(local: &Local) -> Headers {
    let mut headers = vec![(":status".to_owned(), local.status.to_string().into_bytes())];
    headers.extend(local.headers.iter().cloned());
    headers
}

fn hanging(at: &str) -> wasmtime::Error {
    wasmtime::Error::msg(format!("the module paused {at}, and nothing is under way that would go on"))
}
