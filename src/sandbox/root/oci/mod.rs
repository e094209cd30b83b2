//! Images of the OCI image specification, and what `docker save` writes: which layers they have, every byte of it proved by
//! its SHA-256 digest before it is used.
//!
//! An image is known by its id here, the digest of its configuration: that names the digest of every layer's content, and
//! stays the same however the layers are compressed and whichever program has fetched them.

mod document;
mod fetch;
mod store;

pub(super) use fetch::{Pulled, equipped, pull};
pub(super) use store::Store;

use super::unpack::{Blob, Layer};
use crate::sandbox::{SandboxError, root};
use document::{Configuration, Descriptor, Document};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io::{self, Read};

/// Most bytes of an index, manifest or configuration; registries refuse manifests of more than 4 MiB.
const LONGEST_DOCUMENT: u64 = 8 << 20;

/// Most levels of indexes within indexes.
const DEPTH: u32 = 4;

/// An image whose layers are at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// The digest of the configuration, in hexadecimal digits.
    pub(super) id: String,
    /// Its layers, lowest first.
    pub(super) layers: Vec<Layer>,
    /// Blobs of layers and the digits of what they have to be: see [`Image::prove`].
    unproved: Vec<(Blob, String)>,
}

impl Image {
    /// An image that is known to be unpacked already.
    pub(super) fn known(id: String) -> Self {
        Self { id, layers: Vec::new(), unproved: Vec::new() }
    }

    /// Reads all layers to prove their digests: to be done before they are unpacked, and not when they need not be.
    pub(super) fn prove(&self) -> Result<()> {
        self.unproved.iter().try_for_each(|(blob, digits)| prove(blob, digits))
    }
}

/// What is wrong with an image; the source is added by who knows it.
#[derive(Debug)]
pub(super) struct Unusable {
    pub(super) why: String,
    pub(super) next: String,
}

/// Words for [`Unusable`].
fn unusable(why: impl Into<String>) -> Problem {
    Problem::Image(Unusable { why: why.into(), next: "write the image again, or take another".into() })
}

/// What goes wrong with images: the image itself, or this machine.
#[derive(Debug)]
pub(super) enum Problem {
    Image(Unusable),
    Machine(SandboxError),
}

impl From<SandboxError> for Problem {
    fn from(error: SandboxError) -> Self {
        Self::Machine(error)
    }
}

impl Problem {
    /// As an error about a source.
    pub(super) fn of(self, from: &str) -> SandboxError {
        match self {
            Self::Image(Unusable { why, next }) => SandboxError::Source { from: from.to_owned(), why, next },
            Self::Machine(error) => error,
        }
    }
}

type Result<T> = std::result::Result<T, Problem>;

/// The architecture of this machine in the words of images.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The image of a layout or archive, for an architecture: the one called `name`, or the only one.
pub(super) fn open(store: &Store, name: Option<&str>, architecture: &str) -> Result<Image> {
    if store.get("index.json").is_some() && store.get("oci-layout").is_some() {
        return layout(store, name, architecture);
    }
    if store.get("manifest.json").is_some() {
        return saved(store, name, architecture);
    }
    Err(Problem::Image(Unusable {
        why: "it has neither an index.json with an oci-layout nor a manifest.json".into(),
        next: "make it with `skopeo copy … oci-archive:FILE`, `podman save` or `docker save`; a root filesystem is tar:PATH"
            .into(),
    }))
}

fn layout(store: &Store, name: Option<&str>, architecture: &str) -> Result<Image> {
    let index = store.get("index.json").ok_or_else(|| unusable("index.json is missing"))?;
    let index = Document::read(&index.read(LONGEST_DOCUMENT)?, "index.json")?;
    let all: Vec<&Descriptor> = index.manifests.iter().filter(|entry| !entry.is_attestation()).collect();
    let chosen: Vec<&Descriptor> = match name {
        Some(name) => all.iter().copied().filter(|entry| entry.is_called(name)).collect(),
        None => all.clone(),
    };
    if chosen.is_empty() {
        let names: BTreeSet<String> = all.iter().flat_map(|entry| entry.names()).map(str::to_owned).collect();
        return Err(no_such(name, &names));
    }
    let mut found = Vec::new();
    for entry in chosen {
        manifests(store, entry, architecture, DEPTH, &mut found)?;
    }
    found.sort_by(|a, b| a.digest.cmp(&b.digest));
    found.dedup_by(|a, b| a.digest == b.digest);
    match found.as_slice() {
        [] => Err(other_platform(architecture, &index)),
        [only] => manifest(store, &document(store, only)?, architecture),
        _ => Err(several(all.iter().flat_map(|entry| entry.names()))),
    }
}

/// The manifests below a descriptor that are for this platform, or do not say what they are for.
fn manifests(
    store: &Store,
    entry: &Descriptor,
    architecture: &str,
    depth: u32,
    found: &mut Vec<Descriptor>,
) -> Result<()> {
    if entry.is_attestation() || !entry.fits(architecture) {
        return Ok(());
    }
    let inner = document(store, entry)?;
    if !inner.is_index() {
        found.push(entry.clone());
        return Ok(());
    }
    if depth == 0 {
        return Err(unusable("its indexes lead to indexes without end"));
    }
    inner.manifests.iter().try_for_each(|entry| manifests(store, entry, architecture, depth - 1, found))
}

/// The image of a manifest.
pub(super) fn manifest(store: &Store, manifest: &Document, architecture: &str) -> Result<Image> {
    let Some(config) = &manifest.config else {
        return Err(unusable("its manifest has no configuration (the format of before 2016 is not read)"));
    };
    let configuration = Configuration::read(&proved(store, config)?.read(LONGEST_DOCUMENT)?)?;
    configuration.check(architecture)?;
    if configuration.layers().len() != manifest.layers.len() {
        return Err(unusable("its manifest and its configuration do not have the same layers"));
    }
    let (mut layers, mut unproved) = (Vec::new(), Vec::new());
    for (entry, content) in manifest.layers.iter().zip(configuration.layers()) {
        let name = format!("the layer {}", short(&entry.digest));
        let blob = located(store, entry)?;
        unproved.push((blob.clone(), digits(&entry.digest)?));
        layers.push(Layer { blob, sha256: Some(digits(content)?), name });
    }
    Ok(Image { id: digits(&config.digest)?, layers, unproved })
}

/// What `docker save` writes. Its layers have no digests of their own; what they unpack to is proved by the configuration,
/// and that by its own digest, which is the id of the image.
fn saved(store: &Store, name: Option<&str>, architecture: &str) -> Result<Image> {
    let list = store.get("manifest.json").ok_or_else(|| unusable("manifest.json is missing"))?;
    let list = document::saved(&list.read(LONGEST_DOCUMENT)?)?;
    let tags = || list.iter().flat_map(|entry| entry.tags.iter().flatten().map(String::as_str));
    let entry = match (name, list.as_slice()) {
        (None, [only]) => only,
        (None, []) => return Err(unusable("its manifest.json is empty")),
        (None, _) => return Err(several(tags())),
        (Some(name), _) => {
            let called = |tag: &&String| document::same_name(tag, name);
            let entry = list.iter().find(|entry| entry.tags.iter().flatten().any(|tag| called(&tag)));
            entry.ok_or_else(|| no_such(Some(name), &tags().map(str::to_owned).collect()))?
        }
    };
    let file = store.get(&entry.config).ok_or_else(|| unusable("its configuration is missing"))?;
    let bytes = file.read(LONGEST_DOCUMENT)?;
    let id = root::hex(&Sha256::digest(&bytes));
    // `<id>.json`, or `blobs/sha256/<id>` in newer ones.
    let named = entry.config.rsplit('/').next().and_then(|name| name.split('.').next()).unwrap_or_default();
    if named.len() == 64 && named != id {
        return Err(unusable(format!(
            "its configuration has the digest sha256:{id}, and not the one of its name, {named}"
        )));
    }
    let configuration = Configuration::read(&bytes)?;
    configuration.check(architecture)?;
    if configuration.layers().len() != entry.layers.len() {
        return Err(unusable("its manifest and its configuration do not have the same layers"));
    }
    let mut layers = Vec::new();
    for (path, content) in entry.layers.iter().zip(configuration.layers()) {
        let blob = store.get(path).ok_or_else(|| unusable(format!("its layer {path} is missing")))?;
        layers.push(Layer { blob, sha256: Some(digits(content)?), name: format!("the layer {}", short(content)) });
    }
    Ok(Image { id, layers, unproved: Vec::new() })
}

/// A manifest or index, proved.
fn document(store: &Store, entry: &Descriptor) -> Result<Document> {
    Document::read(&proved(store, entry)?.read(LONGEST_DOCUMENT)?, &short(&entry.digest))
}

/// The blob of a descriptor, when its bytes are what its digest says.
fn proved(store: &Store, entry: &Descriptor) -> Result<Blob> {
    let blob = located(store, entry)?;
    prove(&blob, &digits(&entry.digest)?)?;
    Ok(blob)
}

/// The blob of a descriptor, when it is there and has the right size.
fn located(store: &Store, entry: &Descriptor) -> Result<Blob> {
    let blob = store.blob(&digits(&entry.digest)?).ok_or_else(|| {
        let foreign =
            if entry.urls.is_empty() { "" } else { " (it has to be fetched from elsewhere, which is not done)" };
        unusable(format!("{} is missing{foreign}", short(&entry.digest)))
    })?;
    if entry.size == blob.length {
        return Ok(blob);
    }
    Err(unusable(format!("{} has {} bytes, and not {}", short(&entry.digest), blob.length, entry.size)))
}

fn prove(blob: &Blob, digits: &str) -> Result<()> {
    let found = digest_of(blob)?;
    if found == digits {
        return Ok(());
    }
    let name = short(&format!("sha256:{digits}"));
    Err(unusable(format!("{name} is damaged: its bytes have the digest {found}")))
}

/// The SHA-256 of a blob as it is.
pub(super) fn digest_of(blob: &Blob) -> std::result::Result<String, SandboxError> {
    let failed = |error: io::Error| SandboxError::file("cannot read", &blob.path)(error);
    let (mut reader, mut hash, mut buffer) = (blob.open()?, Sha256::new(), vec![0; 1 << 16]);
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(root::hex(&hash.finalize())),
            Ok(count) => hash.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

fn digits(digest: &str) -> Result<String> {
    if super::source::is_digest(digest) {
        return Ok(digest.trim_start_matches("sha256:").to_owned());
    }
    Err(unusable(format!("`{}` is not the kind of digest that can be proved (sha256)", short(digest))))
}

/// Enough of a digest to find it again; text out of an image, so nothing but plain characters.
fn short(digest: &str) -> String {
    digest.chars().filter(char::is_ascii_graphic).take(19).collect()
}

fn no_such(name: Option<&str>, names: &BTreeSet<String>) -> Problem {
    let why = match name {
        Some(name) => format!("it has no image called `{name}`"),
        None => "it has no image".to_owned(),
    };
    let next = if names.is_empty() {
        "its images have no names: leave `#NAME` out".to_owned()
    } else {
        format!("it has: {}", names.iter().cloned().collect::<Vec<_>>().join(", "))
    };
    Problem::Image(Unusable { why, next })
}

fn several<'a>(names: impl Iterator<Item = &'a str>) -> Problem {
    let names: BTreeSet<&str> = names.collect();
    let next = format!("say which with #NAME; it has: {}", names.into_iter().collect::<Vec<_>>().join(", "));
    Problem::Image(Unusable { why: "it has more than one image for this machine".into(), next })
}

fn other_platform(architecture: &str, index: &Document) -> Problem {
    let platforms: BTreeSet<String> =
        index.manifests.iter().filter_map(|entry| entry.platform.as_ref()).map(ToString::to_string).collect();
    let has = if platforms.is_empty() {
        String::new()
    } else {
        format!("; it is for {}", platforms.into_iter().collect::<Vec<_>>().join(", "))
    };
    Problem::Image(Unusable {
        why: format!("it has nothing for linux/{architecture}, which this machine is{has}"),
        next: "instances run programs on the machine's own processor: take an image for it".into(),
    })
}
