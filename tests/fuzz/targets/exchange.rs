//! Any bytes as what a client sends, to one server and to several, and as what a server answers.
#![no_main]

#[path = "../../../components/placet-pep/tests/law/mod.rs"]
mod law;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    law::check_mcp(data);
    law::check_route(data);
    law::check_server(data);
});
