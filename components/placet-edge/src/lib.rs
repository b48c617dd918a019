//! x
#![cfg(target_arch = "wasm32")]
#![expect(unsafe_code, reason = "generated bindings")]
use spin_sdk::http::{IntoResponse, Request};
use spin_sdk::http_service;

#[http_service]
async fn handle(req: Request) -> impl IntoResponse {
    let env = spin_sdk::wasip3::cli::environment::get_environment();
    let now = spin_sdk::wasip3::clocks::system_clock::now();
    format!("{} {:?} {:?} {:?}", req.uri(), req.headers(), env, now)
}

#[unsafe(no_mangle)]
extern "C" fn placet_buffer(len: u32) -> u32 { len }
