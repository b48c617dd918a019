//! What a guest decides by, before and after it is given a policy.

use placet_model::Code;
use placet_pdp::Pdp;

use crate::{open, replace, with};

/// What the policy in force says to a call.
fn code() -> Code {
    let call = br#"{"tool":"crm.search","agent":{"id":"bot"},"tenant":"acme","now":"2026-11-21T09:00:00Z"}"#;
    with(|pdp| pdp.decide_json(call, &placet_model::Facts::default()).code)
}

fn bundle() -> Vec<u8> {
    let set = placet_pdp::PolicySet { layers: vec!["org".to_owned()], ..placet_pdp::PolicySet::default() };
    placet_bundle::encode(&set).unwrap()
}

#[test]
fn opens() {
    let signed = placet_bundle::sign(&bundle(), &[7; 32]).unwrap();
    let (key, other) = (placet_bundle::public_key(&[7; 32]), [9; 32]);
    let plain = bundle();
    for (what, bytes, at, decides) in [
        ("a bundle", plain.clone(), plain.len(), true),
        ("a signed one", signed.clone(), signed.len(), true),
        ("signed, trusted", [signed.as_slice(), &key].concat(), signed.len(), true),
        ("signed, one of two trusted", [signed.as_slice(), &other, &key].concat(), signed.len(), true),
        ("signed, by a stranger", [signed.as_slice(), &other].concat(), signed.len(), false),
        ("unsigned, where keys are given", [plain.as_slice(), &key].concat(), plain.len(), false),
        ("half a key", [signed.as_slice(), &key[..16]].concat(), signed.len(), false),
        ("more than there is", plain.clone(), plain.len() + 1, false),
        ("less than there is", plain.clone(), plain.len() - 1, false),
        ("nothing", Vec::new(), 0, false),
    ] {
        replace(Pdp::empty());
        assert_eq!(open(&bytes, at), decides, "{what}");
        assert_eq!(with(|pdp| pdp.refusal().is_none()), decides, "{what}");
        assert_eq!(code() == Code::NoPolicy, decides, "{what}: {:?}", code());
    }
}

#[test]
fn replaces() {
    assert_eq!(code(), Code::EngineMissing);
    assert!(open(&bundle(), bundle().len()));
    assert_eq!(code(), Code::NoPolicy);
    // A failed attempt does not leave the old policy in force.
    assert!(!open(b"not a bundle", 12));
    assert_eq!(code(), Code::BundleInvalid);
    // Replacing it while it is lent changes the next decision, not this one.
    assert!(open(&bundle(), bundle().len()));
    with(|pdp| {
        replace(Pdp::empty());
        assert!(pdp.refusal().is_none());
    });
    assert_eq!(code(), Code::EngineMissing);
}
