//! The `encoders` library: Base64 (RFC 4648, standard alphabet). Decoding takes padding or none.

use super::{Outcome, no_overload};
use crate::budget::Budget;
use crate::error::EvalError;
use crate::function::Function;
use crate::value::Value;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn call<'a>(function: Function, args: &[Value<'a>], budget: &mut Budget) -> Outcome<'a> {
    match (function, args) {
        (Function::Base64Encode, [Value::Bytes(bytes)]) => {
            budget.step(bytes.len())?;
            budget.build(bytes.len().saturating_mul(2))?;
            Ok(Value::string(encode(bytes)))
        }
        (Function::Base64Decode, [Value::Str(text)]) => {
            budget.step(text.as_str().len())?;
            budget.build(text.as_str().len())?;
            match decode(text.as_str()) {
                Some(bytes) => Ok(Value::bytes(bytes)),
                None => Err(EvalError::value("the text is not Base64")),
            }
        }
        _ => Err(no_overload(function, args)),
    }
}

fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .chain([0, 0].iter())
            .take(3)
            .fold(0_u32, |group, byte| group << 8 | u32::from(*byte));
        for at in 0..4_usize {
            let digit = (group >> (18 - 6 * at)) & 63;
            let digit = ALPHABET.get(digit as usize).map_or('=', |d| char::from(*d));
            out.push(if at > chunk.len() { '=' } else { digit });
        }
    }
    out
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = match text.len() % 4 {
        0 => text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text),
        _ => text,
    };
    let mut out = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for chunk in digits.as_bytes().chunks(4) {
        let mut group = 0_u32;
        for at in 0..4 {
            group = group << 6 | chunk.get(at).map_or(Some(0), |digit| value_of(*digit))?;
        }
        let [_, bytes @ ..] = group.to_be_bytes();
        // Two digits make one byte, three make two; a single one makes none.
        let length = chunk.len().checked_sub(1).filter(|length| *length > 0)?;
        out.extend(bytes.iter().take(length));
    }
    Some(out)
}

fn value_of(digit: u8) -> Option<u32> {
    Some(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}
