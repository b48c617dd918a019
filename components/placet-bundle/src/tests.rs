use super::*;

fn sample() -> Vec<u8> {
    let set = PolicySet { layers: vec!["org".into()], ..PolicySet::default() }.seal();
    encode(&set).unwrap()
}

#[test]
fn same_policy_same_bytes() {
    assert_eq!(sample(), sample());
    let opened = open(&sample(), &Trust::default()).unwrap();
    assert_eq!((opened.digest.len(), opened.signed_by), (64, None));
}

#[test]
fn every_flipped_bit_and_every_truncation_is_refused() {
    let signed = sign(&sample(), &[7; 32]).unwrap();
    let trust = Trust { keys: vec![public_key(&[7; 32])] };
    assert!(open(&signed, &trust).is_ok());
    for at in 0..signed.len() {
        for bit in 0..8 {
            let mut bytes = signed.clone();
            bytes[at] ^= 1 << bit;
            assert!(open(&bytes, &trust).is_err(), "byte {at}, bit {bit}");
        }
        assert!(open(&signed[..at], &trust).is_err(), "{at} bytes");
    }
    assert!(open(&[&signed[..], b"x"].concat(), &trust).is_err());
}

#[test]
fn signatures_count_only_when_trusted() {
    let bundle = sample();
    let signed = sign(&bundle, &[1; 32]).unwrap();
    let trust = |seed: u8| Trust { keys: vec![public_key(&[seed; 32])] };
    assert!(matches!(open(&bundle, &trust(1)), Err(BundleError::Untrusted(_))));
    assert!(matches!(open(&signed, &trust(2)), Err(BundleError::Untrusted(_))));
    let opened = open(&signed, &trust(1)).unwrap();
    assert_eq!(opened.signed_by, Some(hex(&public_key(&[1; 32]))));
    assert_eq!(opened.digest, open(&bundle, &Trust::default()).unwrap().digest);
    // Signing again replaces the signature.
    assert!(open(&sign(&signed, &[2; 32]).unwrap(), &trust(2)).is_ok());
}

#[test]
fn other_versions_say_so() {
    let mut bytes = sample();
    bytes[8] = 9;
    assert_eq!(open(&bytes, &Trust::default()).unwrap_err(), BundleError::Version(9));
}

#[test]
fn arbitrary_payloads_never_panic() {
    use proptest::prelude::*;
    proptest!(|(payload in prop::collection::vec(any::<u8>(), 0..400))| {
        let mut bytes = Vec::from(MAGIC.as_slice());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&Sha256::digest(&payload));
        bytes.extend_from_slice(&payload);
        let _ = open(&bytes, &Trust::default());
    });
}
