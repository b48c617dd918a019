//! OCI layouts: what points at what is there, has that digest and size, and is what gateways look for.

use std::io::Read as _;
use std::path::Path;

use placet::artifact::{GUESTS, Layout};
use placet_bundle::hex;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{policies, scratch};

/// What a descriptor points at.
fn blob(dir: &Path, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let bytes = std::fs::read(dir.join("blobs/sha256").join(digest)).unwrap();
    assert_eq!(hex(&Sha256::digest(&bytes)), digest);
    assert_eq!(descriptor["size"], bytes.len());
    bytes
}

fn read(dir: &Path, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(dir.join(name)).unwrap()).unwrap()
}

#[test]
fn what_is_in_a_layout() {
    let bundle = placet::policy::load(&policies()).unwrap().bundle;
    for guest in GUESTS {
        let artifact = guest.build(&bundle).unwrap();
        let layout = Layout::of(&artifact).unwrap();
        let dir = scratch(&format!("layout-{}", guest.kind));
        layout.write(&dir).unwrap();
        // Once more, over what is there.
        std::fs::write(dir.join("blobs/sha256/stale"), "of an earlier policy").unwrap();
        layout.write(&dir).unwrap();

        assert_eq!(read(&dir, "oci-layout"), json!({"imageLayoutVersion": "1.0.0"}));
        let index = read(&dir, "index.json");
        assert_eq!(index["schemaVersion"], 2);
        assert_eq!(index["mediaType"], "application/vnd.oci.image.index.v1+json");
        let [entry] = index["manifests"].as_array().unwrap().as_slice() else { panic!("{index}") };
        assert_eq!(entry["mediaType"], "application/vnd.oci.image.manifest.v1+json");
        assert_eq!(entry["digest"], layout.digest);
        assert_eq!(entry["annotations"]["org.opencontainers.image.ref.name"], artifact.stamp.policy[..12]);
        let manifest: Value = serde_json::from_slice(&blob(&dir, entry)).unwrap();
        assert_eq!(manifest["annotations"]["dev.placet.policy"], artifact.stamp.policy);
        let [layer] = manifest["layers"].as_array().unwrap().as_slice() else { panic!("{manifest}") };
        let (config, contents) = (blob(&dir, &manifest["config"]), blob(&dir, layer));
        let config: Value = serde_json::from_slice(&config).unwrap();
        let types = (manifest["config"]["mediaType"].as_str().unwrap(), layer["mediaType"].as_str().unwrap());
        if guest.component {
            assert_eq!(types, ("application/vnd.wasm.config.v0+json", "application/wasm"));
            assert_eq!(contents, artifact.wasm);
            assert_eq!(config["layerDigests"], json!([layer["digest"]]));
            assert_eq!((&config["os"], &config["architecture"]), (&json!("wasip2"), &json!("wasm")));
            let imports = config["component"]["imports"].as_array().unwrap();
            assert_eq!(imports.is_empty(), guest.kind == "component", "{config}");
        } else {
            assert_eq!(
                types,
                ("application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip")
            );
            assert_eq!(manifest["annotations"]["module.wasm.image/variant"], "compat");
            let mut tar = Vec::new();
            flate2::read::GzDecoder::new(contents.as_slice()).read_to_end(&mut tar).unwrap();
            assert_eq!(
                config["rootfs"]["diff_ids"],
                json!([format!("sha256:{}", hex(&Sha256::digest(&tar)))])
            );
            let mut archive = tar::Archive::new(tar.as_slice());
            let mut files = Vec::new();
            for entry in archive.entries().unwrap() {
                let mut entry = entry.unwrap();
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).unwrap();
                files.push((entry.path().unwrap().into_owned(), bytes));
            }
            assert_eq!(files, [("plugin.wasm".into(), artifact.wasm)]);
        }
        // The index, one manifest, one configuration, one layer, and nothing that is left over.
        assert_eq!(std::fs::read_dir(dir.join("blobs/sha256")).unwrap().count(), 3);
    }
}

#[test]
fn a_layout_does_not_overwrite_what_is_not_one() {
    let bundle = placet::policy::load(&policies()).unwrap().bundle;
    let layout = Layout::of(&GUESTS[0].build(&bundle).unwrap()).unwrap();
    let dir = scratch("layout-in-the-way");
    std::fs::write(dir.join("file"), "somebody's").unwrap();
    assert!(layout.write(&dir.join("file")).is_err());
    assert_eq!(std::fs::read(dir.join("file")).unwrap(), b"somebody's");
}
