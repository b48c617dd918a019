//! Any bytes as a bundle: as they are, as a payload with a fitting digest, as changes to a signed bundle, and as
//! changes to a payload that is then sealed again.
#![no_main]

mod sample;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use placet_model::{Answer, Facts, SessionFact, Verdict};
use placet_pdp::{Pdp, Trust};
use sha2::{Digest as _, Sha256};

const HEADER: usize = 49;

static PLAIN: LazyLock<Vec<u8>> =
    LazyLock::new(|| placet_bundle::encode(&sample::policy(&placet_cel::Function::TABLE[..3])).unwrap());
static SIGNED: LazyLock<Vec<u8>> = LazyLock::new(|| placet_bundle::sign(&PLAIN, &[7; 32]).unwrap());
static TRUST: LazyLock<Trust> = LazyLock::new(|| Trust { keys: vec![placet_bundle::public_key(&[7; 32])] });

const CALLS: [&str; 4] = [
    r#"{"tool":"mail.send","args":{"a":"s0"},"tenant":"acme","agent":{"id":"a","roles":["rep"]},"session":{"id":"s"},"now":"2026-11-21T12:00:00Z"}"#,
    r#"{"tool":"c.3","args":{"a":7},"tenant":"t","env":"prod","user":{"id":"u1"},"agent":{"id":"a"},"now":"2026-11-21T12:00:00Z"}"#,
    r#"{"tool":"f.+","args":{"a":[]},"tenant":"t","agent":{"id":"a"},"now":"2026-11-21T12:00:00Z"}"#,
    r#"{"stage":"result","tool":"x","content":{"a":["a"]},"tenant":"t","agent":{"id":"a"},"now":"2026-11-21T12:00:00Z"}"#,
];

fuzz_target!(|data: &[u8]| {
    assert!(!placet_bundle::open(data, &TRUST).is_ok() || data == SIGNED.as_slice());
    exercise(&Pdp::open(data, &Trust::default()));
    exercise(&Pdp::open(&sealed(data), &Trust::default()));

    let changed = edited(&SIGNED, data);
    let opened = Pdp::open(&changed, &TRUST);
    assert_eq!(opened.refusal().is_none(), changed == *SIGNED);

    exercise(&Pdp::open(&sealed(&edited(&PLAIN[HEADER..], data)), &Trust::default()));
});

/// A payload with the header that fits it.
fn sealed(payload: &[u8]) -> Vec<u8> {
    let mut bytes = PLAIN[..9].to_vec();
    bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&Sha256::digest(payload));
    bytes.extend_from_slice(payload);
    bytes
}

/// Four bytes of data are one change: where (two bytes), what to do, and a byte to do it with.
fn edited(of: &[u8], data: &[u8]) -> Vec<u8> {
    let mut bytes = of.to_vec();
    for change in data.chunks_exact(4).take(16) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len().max(1);
        match change[2] % 4 {
            _ if bytes.is_empty() => {}
            0 => bytes[at] = change[3],
            1 => bytes[at] ^= 1 << (change[3] % 8),
            2 => bytes.insert(at, change[3]),
            _ => drop(bytes.remove(at)),
        }
    }
    bytes
}

fn exercise(pdp: &Pdp) {
    let facts = Facts { session: SessionFact::Fresh, answer: Answer::NotAsked };
    for call in CALLS {
        let decision = pdp.decide_json(call.as_bytes(), &facts);
        assert!(pdp.refusal().is_none() || decision.verdict == Verdict::Deny);
        if pdp.refusal().is_some() {
            return;
        }
        let _ = pdp.list_tools(call.as_bytes(), &facts, &["mail.send".to_owned(), "c.1".to_owned()]);
        let _ = pdp.explain_json(call.as_bytes(), &facts);
    }
}
