//! Artifacts as OCI image layouts: directories that `oras`, `skopeo`, `crane` and `wkg` copy to a registry.
//!
//! * A proxy-wasm module becomes a *compat* image of the Wasm Image Specification: one layer, a `tar.gz` with
//!   `plugin.wasm`, in the media types of ordinary images. Every registry takes it, and Istio's `WasmPlugin` and Envoy
//!   Gateway look for this variant first.
//! * A component becomes a Wasm OCI Artifact as the CNCF's Wasm working group defined it: the component itself is the
//!   layer (`application/wasm`). `wkg`, Spin and wasmCloud read these.
//!
//! Nothing in a layout depends on when, where or by whom it was written.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use flate2::{Compression, GzBuilder};
use serde::Serialize;
use serde_json::json;

use super::{Artifact, module, sha256};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const IMAGE_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
const WASM_LAYER: &str = "application/wasm";

/// Required where images are described, and the same for every one.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// An image layout, not yet written.
#[derive(Debug)]
pub struct Layout {
    /// `index.json`.
    index: Vec<u8>,
    /// By digest, without `sha256:`.
    blobs: BTreeMap<String, Vec<u8>>,
    /// The manifest's digest, `sha256:` and all: the image's name in a registry.
    pub digest: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: &'static str,
    digest: String,
    size: usize,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u8,
    media_type: &'static str,
    config: Descriptor,
    layers: [Descriptor; 1],
    annotations: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    media_type: &'static str,
    manifests: [Descriptor; 1],
}

impl Layout {
    /// The layout with one artifact, tagged with the first twelve digits of its policy's digest.
    ///
    /// # Errors
    /// When the artifact is not WebAssembly.
    pub fn of(artifact: &Artifact) -> anyhow::Result<Layout> {
        let mut layout = Layout { index: Vec::new(), blobs: BTreeMap::new(), digest: String::new() };
        let stamp = &artifact.stamp;
        let mut annotations = BTreeMap::from([
            ("dev.placet.policy", stamp.policy.clone()),
            ("org.opencontainers.image.title", artifact.guest.file()),
            ("org.opencontainers.image.version", stamp.engine.clone()),
        ]);
        let (config, layer) = if artifact.guest.component {
            layout.component(&artifact.wasm)?
        } else {
            annotations.insert("module.wasm.image/variant", "compat".to_owned());
            layout.plugin(&artifact.wasm)?
        };
        let manifest =
            Manifest { schema_version: 2, media_type: MANIFEST, config, layers: [layer], annotations };
        let mut manifest = layout.add(MANIFEST, serde_json::to_vec(&manifest)?);
        layout.digest.clone_from(&manifest.digest);
        let tag = stamp.policy.get(..12).unwrap_or(&stamp.policy).to_owned();
        manifest.annotations.insert("org.opencontainers.image.ref.name", tag);
        layout.index =
            serde_json::to_vec(&Index { schema_version: 2, media_type: INDEX, manifests: [manifest] })?;
        Ok(layout)
    }

    /// Writes the layout, in place of the one that is there already.
    ///
    /// # Errors
    /// When something else is there, or it cannot be written.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        if dir.join("oci-layout").is_file() {
            std::fs::remove_dir_all(dir)?;
        }
        let blobs: PathBuf = dir.join("blobs").join("sha256");
        std::fs::create_dir_all(&blobs)?;
        for (digest, contents) in &self.blobs {
            std::fs::write(blobs.join(digest), contents)?;
        }
        std::fs::write(dir.join("index.json"), &self.index)?;
        // Last: a directory with it is a whole layout.
        std::fs::write(dir.join("oci-layout"), json!({"imageLayoutVersion": "1.0.0"}).to_string())
    }

    /// A component, as the Wasm OCI Artifact layout has it.
    fn component(&mut self, wasm: &[u8]) -> anyhow::Result<(Descriptor, Descriptor)> {
        let (imports, exports) = module::world(wasm)?;
        let layer = self.add(WASM_LAYER, wasm.to_vec());
        let config = json!({
            "created": CREATED, "architecture": "wasm", "os": "wasip2", "layerDigests": [layer.digest],
            "component": {"imports": imports, "exports": exports},
        });
        Ok((self.add(WASM_CONFIG, serde_json::to_vec(&config)?), layer))
    }

    /// A proxy-wasm module, as the compat variant of the Wasm Image Specification has it.
    fn plugin(&mut self, wasm: &[u8]) -> anyhow::Result<(Descriptor, Descriptor)> {
        let tar = tar("plugin.wasm", wasm).context("cannot pack the module")?;
        let diff = format!("sha256:{}", sha256(&tar));
        let mut gzip = GzBuilder::new().write(Vec::new(), Compression::best());
        gzip.write_all(&tar)?;
        let layer = self.add(IMAGE_LAYER, gzip.finish()?);
        let config = json!({
            "created": CREATED, "architecture": "wasm", "os": "wasip1", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [diff]},
        });
        Ok((self.add(IMAGE_CONFIG, serde_json::to_vec(&config)?), layer))
    }

    fn add(&mut self, media_type: &'static str, contents: Vec<u8>) -> Descriptor {
        let (hex, size) = (sha256(&contents), contents.len());
        let digest = format!("sha256:{hex}");
        self.blobs.insert(hex, contents);
        Descriptor { media_type, digest, size, annotations: BTreeMap::new() }
    }
}

/// An archive of one file that belongs to nobody and was written at no time.
fn tar(name: &str, contents: &[u8]) -> io::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_size(contents.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, name, contents)?;
    archive.into_inner()
}
