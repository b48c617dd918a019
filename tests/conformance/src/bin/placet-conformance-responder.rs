//! The engine behind the suite's own protocol: an example of a command, and what the suite tests the protocol with.

use std::io::{BufRead as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use placet_conformance::wire::{Request, Response};
use placet_pdp::{Pdp, Trust};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut pdp = Pdp::empty();
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = answer(&mut pdp, serde_json::from_str(&line?)?)?;
        writeln!(output, "{}", serde_json::to_string(&answer)?)?;
        output.flush()?;
    }
    Ok(())
}

fn answer(pdp: &mut Pdp, request: Request<'_>) -> Result<Response, String> {
    match request {
        Request::Load { bundle, keys, .. } => {
            let bytes = STANDARD.decode(bundle).map_err(|error| error.to_string())?;
            let keys = keys.iter().map(|key| key_of(key)).collect::<Result<_, _>>()?;
            *pdp = Pdp::open(&bytes, &Trust { keys });
            Ok(match pdp.refusal() {
                None => Response::Loaded { digest: pdp.describe().digest },
                Some(refusal) => Response::Refused(refusal.to_owned()),
            })
        }
        Request::Decide { call, facts } => {
            let decision = facts.with(|facts| pdp.decide_json(call.as_bytes(), facts))?;
            Response::decided(&decision)
        }
        Request::List { call, facts, tools } => {
            let listed = facts.with(|facts| pdp.list_tools(call.as_bytes(), facts, &tools))?;
            Ok(Response::Listed(listed.into_iter().filter(|it| it.visible).map(|it| it.tool).collect()))
        }
    }
}

fn key_of(hex: &str) -> Result<[u8; 32], String> {
    let byte = |n: usize| hex.get(2 * n..2 * n + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    let bytes: Option<Vec<u8>> = (0..32).map(byte).collect();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| format!("`{hex}` is no key"))
}
