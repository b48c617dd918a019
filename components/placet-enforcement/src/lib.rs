//! The enforcement component: `placet-pep` behind the WIT world `placet:enforcement/guard`. Maps types, and keeps what
//! one exchange has to remember.
#![cfg(target_arch = "wasm32")]
#![expect(unsafe_code, reason = "generated bindings")]

mod convert;
mod deciding;
mod exchange;

mod bindings {
    wit_bindgen::generate!({
        path: ["../../wit", "../../wit/enforcement"],
        world: "placet:enforcement/guard",
        generate_all,
    });
}

use bindings::exports::placet::enforcement::enforcement as wit;

use placet_pep::http;

struct Component;

bindings::export!(Component with_types_in bindings);

impl wit::Guest for Component {
    type Guard = Guard;
    type Exchange = exchange::Exchange;

    fn decide(call: Vec<u8>) -> String {
        let mut text = String::new();
        deciding::decide(&call).decision.write_json(&mut text);
        text
    }
}

/// What is guarded, and how.
pub struct Guard(http::Guard);

impl wit::GuestGuard for Guard {
    fn open(configuration: String) -> Result<wit::Guard, String> {
        let config = http::Config::from_json(&configuration).map_err(|e| e.to_string())?;
        let guard = http::Guard::new(config).map_err(|e| e.to_string())?;
        Ok(wit::Guard::new(Guard(guard)))
    }

    fn admit(&self, head: wit::Head, claims: Option<String>) -> wit::Admitted {
        let wit::Head { method, path, headers } = &head;
        let head = http::Head { method, path, headers };
        match self.0.admit(&head, &http::Peer { claims: claims.as_deref(), identity: None }) {
            http::Admitted::Pass => wit::Admitted::Pass,
            http::Admitted::Refuse(reply) => wit::Admitted::Refuse(convert::reply(reply)),
            http::Admitted::Guarded(exchange) => {
                let limit = self.0.config().response_limit;
                wit::Admitted::Guarded(wit::Exchange::new(exchange::Exchange::new(exchange, limit)))
            }
        }
    }
}
