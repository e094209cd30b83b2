//! The JSON of images: OCI image specification (image-index.md, manifest.md, config.md, descriptor.md), Docker's manifest
//! version 2 schema 2, which has the same fields, and the manifest.json of `docker save`.

use super::{Problem, Result, Unusable, unusable};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// An index or a manifest.
#[derive(Debug, Clone, Default, Deserialize)]
pub(in crate::sandbox::root) struct Document {
    #[serde(default)]
    pub(super) manifests: Vec<Descriptor>,
    pub(super) config: Option<Descriptor>,
    #[serde(default)]
    pub(super) layers: Vec<Descriptor>,
}

/// Where something is, by digest.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(in crate::sandbox::root) struct Descriptor {
    pub(in crate::sandbox::root) digest: String,
    pub(super) size: u64,
    pub(super) platform: Option<Platform>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) urls: Vec<String>,
}

/// What an image is for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Platform {
    pub(super) architecture: String,
    pub(super) os: String,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)
    }
}

/// Annotations that hold a name: of the specification, and of containerd, which docker's own layouts have.
const NAMES: [&str; 2] = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

impl Document {
    pub(in crate::sandbox::root) fn read(bytes: &[u8], name: &str) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(|error| unusable(format!("{name} cannot be read: {error}")))
    }

    pub(in crate::sandbox::root) fn is_index(&self) -> bool {
        self.config.is_none() && !self.manifests.is_empty()
    }

    /// The id of the image, if this is a manifest.
    pub(in crate::sandbox::root) fn image_id(&self) -> Option<String> {
        super::digits(&self.config.as_ref()?.digest).ok()
    }

    /// The manifests of an index for a platform.
    pub(in crate::sandbox::root) fn for_platform(&self, architecture: &str) -> Vec<&Descriptor> {
        self.manifests.iter().filter(|entry| !entry.is_attestation() && entry.fits(architecture)).collect()
    }
}

impl Descriptor {
    /// Whether it is for this platform, or does not say what it is for.
    pub(super) fn fits(&self, architecture: &str) -> bool {
        self.platform.as_ref().is_none_or(|platform| platform.os == "linux" && platform.architecture == architecture)
    }

    /// What build programs say of an image lies beside it, as if it were another one.
    pub(super) fn is_attestation(&self) -> bool {
        self.annotations.contains_key("vnd.docker.reference.type")
            || self.platform.as_ref().is_some_and(|platform| platform.os == "unknown")
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        NAMES.into_iter().filter_map(|key| self.annotations.get(key)).map(String::as_str)
    }

    pub(super) fn is_called(&self, name: &str) -> bool {
        self.names().any(|own| same_name(own, name))
    }
}

/// Whether a full name (`host/library/app:1`) is meant by one that may leave out what is in front.
pub(super) fn same_name(full: &str, name: &str) -> bool {
    full == name || full.strip_suffix(name).is_some_and(|rest| rest.ends_with(['/', ':']))
}

/// The part of an image's configuration that says what its root is.
#[derive(Debug, Deserialize)]
pub(super) struct Configuration {
    #[serde(flatten)]
    platform: Platform,
    rootfs: RootFs,
}

#[derive(Debug, Deserialize)]
struct RootFs {
    diff_ids: Vec<String>,
}

impl Configuration {
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let read: Self = serde_json::from_slice(bytes).map_err(|error| {
            unusable(format!("its configuration cannot be read, so it is no image of a root: {error}"))
        })?;
        if read.rootfs.diff_ids.is_empty() {
            return Err(unusable("it has no layer"));
        }
        Ok(read)
    }

    /// The digests of the layers' content, lowest first.
    pub(super) fn layers(&self) -> &[String] {
        &self.rootfs.diff_ids
    }

    /// Whether it can run here.
    pub(super) fn check(&self, architecture: &str) -> Result<()> {
        if self.platform.os == "linux" && self.platform.architecture == architecture {
            return Ok(());
        }
        Err(Problem::Image(Unusable {
            why: format!("it is for {}, and this machine is linux/{architecture}", self.platform),
            next: "instances run programs on the machine's own processor: take an image for it".into(),
        }))
    }
}

/// An image in the manifest.json of `docker save`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Saved {
    pub(super) config: String,
    #[serde(rename = "RepoTags")]
    pub(super) tags: Option<Vec<String>>,
    pub(super) layers: Vec<String>,
}

pub(super) fn saved(bytes: &[u8]) -> Result<Vec<Saved>> {
    serde_json::from_slice(bytes).map_err(|error| unusable(format!("manifest.json cannot be read: {error}")))
}
