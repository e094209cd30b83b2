//! Images made by code: an OCI layout, a registry's parts, what `docker save` writes; with a root that really runs.

use super::archive::gzip;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tar::{Builder, EntryType, Header};

/// The architecture of this machine in the words of images.
pub const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

/// A layer, member by member.
pub struct Layer(Builder<Vec<u8>>);

impl Layer {
    pub fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    pub fn member(mut self, path: &str, kind: EntryType, target: &str, mode: u32, owner: u64, content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(owner);
        header.set_gid(owner);
        header.set_mtime(1_600_000_000);
        header.set_size(content.len() as u64);
        if target.is_empty() {
            self.0.append_data(&mut header, path, content).unwrap();
        } else {
            self.0.append_link(&mut header, path, target).unwrap();
        }
        self
    }

    pub fn file(self, path: &str, content: &str) -> Self {
        self.member(path, EntryType::Regular, "", 0o644, 0, content.as_bytes())
    }

    pub fn folder(self, path: &str, mode: u32) -> Self {
        self.member(path, EntryType::Directory, "", mode, 0, b"")
    }

    pub fn soft(self, path: &str, target: &str) -> Self {
        self.member(path, EntryType::Symlink, target, 0o777, 0, b"")
    }

    pub fn hard(self, path: &str, target: &str) -> Self {
        self.member(path, EntryType::Link, target, 0o644, 0, b"")
    }

    /// Programs of this machine with the libraries they load: what is needed to run something.
    pub fn programs(mut self, names: &[&str]) -> Self {
        let mut files = BTreeSet::new();
        for name in names {
            let output = Command::new("ldd").arg(name).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            files.extend(text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from));
            files.insert(PathBuf::from(name));
        }
        for file in files {
            let content = fs::read(&file).unwrap();
            let mode = fs::metadata(&file).unwrap().mode() & 0o7777;
            // /bin, /lib and /lib64 are links to folders of /usr, here as on every system since long.
            let folder = fs::canonicalize(file.parent().unwrap()).unwrap();
            let path = folder.join(file.file_name().unwrap());
            let path = path.strip_prefix("/").unwrap().to_str().unwrap().to_owned();
            self = self.member(&path, EntryType::Regular, "", mode, 0, &content);
        }
        for name in ["bin", "lib", "lib64"] {
            if fs::read_link(Path::new("/").join(name)).is_ok() {
                self = self.soft(name, &format!("usr/{name}"));
            }
        }
        self
    }

    pub fn end(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

/// A layer that runs `sh`, `ls`, `stat` and `cat`, with a file of a user and a tree to remove from.
pub fn base_layer() -> Vec<u8> {
    Layer::new()
        .programs(&["/bin/sh", "/bin/ls", "/bin/stat", "/bin/cat"])
        .folder("etc", 0o755)
        .file("etc/os-release", "ID=fixture\nNAME=Fixture\n")
        .file("etc/old", "of the base")
        .folder("srv/tree", 0o755)
        .file("srv/tree/old", "of the base")
        .member("srv/owned", EntryType::Regular, "", 0o4711, 33, b"#!/bin/sh\n")
        .member("dev/null", EntryType::Char, "", 0o666, 0, b"")
        .end()
}

/// A layer on top of it that removes, empties, replaces and links.
pub fn top_layer() -> Vec<u8> {
    Layer::new()
        .file("etc/.wh.old", "")
        .file("srv/tree/.wh..wh..opq", "")
        .file("srv/tree/new", "of the top")
        .hard("srv/same", "srv/owned")
        .file("bin/of-the-top", "written through a link")
        .end()
}

/// An image: layers without compression, lowest first.
pub struct Image {
    pub layers: Vec<Vec<u8>>,
    pub architecture: &'static str,
}

/// What an image consists of in a registry or layout.
pub struct Parts {
    /// By the digits of their SHA-256.
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// Digits of the manifest.
    pub manifest: String,
}

impl Image {
    pub fn new(layers: Vec<Vec<u8>>) -> Self {
        Self { layers, architecture: ARCHITECTURE }
    }

    /// The base and the top of above.
    pub fn usual() -> Self {
        Self::new(vec![base_layer(), top_layer()])
    }

    pub fn configuration(&self) -> Vec<u8> {
        let content: Vec<String> = self.layers.iter().map(|layer| format!("sha256:{}", digits(layer))).collect();
        let configuration = json!({
            "architecture": self.architecture, "os": "linux", "config": {},
            "rootfs": { "type": "layers", "diff_ids": content },
        });
        serde_json::to_vec(&configuration).unwrap()
    }

    /// The id by which programs know it.
    pub fn id(&self) -> String {
        digits(&self.configuration())
    }

    /// With every second layer compressed, so that both are there.
    pub fn parts(&self) -> Parts {
        let mut blobs = BTreeMap::new();
        let mut keep = |bytes: Vec<u8>, kind: &str| {
            let (name, size) = (digits(&bytes), bytes.len());
            blobs.insert(name.clone(), bytes);
            json!({ "mediaType": kind, "digest": format!("sha256:{name}"), "size": size })
        };
        let configuration = keep(self.configuration(), "application/vnd.oci.image.config.v1+json");
        let layers: Vec<Value> = (self.layers.iter().enumerate())
            .map(|(at, layer)| match at % 2 {
                0 => keep(gzip(layer), "application/vnd.oci.image.layer.v1.tar+gzip"),
                _ => keep(layer.clone(), "application/vnd.oci.image.layer.v1.tar"),
            })
            .collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": configuration, "layers": layers,
        });
        let manifest = serde_json::to_vec(&manifest).unwrap();
        let name = digits(&manifest);
        blobs.insert(name.clone(), manifest);
        Parts { blobs, manifest: name }
    }

    /// An archive as `docker save` writes it, under a tag.
    pub fn saved(&self, tag: &str) -> Vec<u8> {
        let mut tar = Layer::new();
        let mut names = Vec::new();
        for layer in &self.layers {
            let name = format!("{}/layer.tar", digits(layer));
            tar = tar.member(&name, EntryType::Regular, "", 0o644, 0, layer);
            names.push(name);
        }
        let configuration = format!("{}.json", self.id());
        tar = tar.member(&configuration, EntryType::Regular, "", 0o644, 0, &self.configuration());
        let manifest = json!([{ "Config": configuration, "RepoTags": [tag], "Layers": names }]);
        tar.file("manifest.json", &manifest.to_string()).end()
    }
}

/// Media types of manifests and indexes.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The index of several images by name; one of another architecture is among them when it is given.
pub fn index(images: &[(&str, &Image)]) -> Vec<u8> {
    let entries: Vec<Value> = images
        .iter()
        .map(|(name, image)| {
            let parts = image.parts();
            json!({
                "mediaType": MANIFEST, "digest": format!("sha256:{}", parts.manifest),
                "size": parts.blobs[&parts.manifest].len(),
                "platform": { "architecture": image.architecture, "os": "linux" },
                "annotations": { "org.opencontainers.image.ref.name": name },
            })
        })
        .collect();
    serde_json::to_vec(&json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries })).unwrap()
}

/// Writes a layout into a folder.
pub fn write_layout(folder: &Path, images: &[(&str, &Image)]) {
    fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    fs::write(folder.join("index.json"), index(images)).unwrap();
    for (_, image) in images {
        for (name, bytes) in image.parts().blobs {
            fs::write(folder.join("blobs/sha256").join(name), bytes).unwrap();
        }
    }
}

/// The SHA-256 of something, in hexadecimal digits.
pub fn digits(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
