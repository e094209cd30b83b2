//! What is known of a build in one file: `amiforge logs BUILD --bundle FILE.tar.gz`, read by `amiforge why --bundle`.
//!
//! A gzipped tar with `manifest.json`, which names every other file with its length and digest. It is read in memory and
//! never unpacked; a bundle from a stranger can be wrong, but not write anywhere. A folder that awstoe left (`TOE_…`),
//! or an archive of one, is read as well.

use super::record::{Command, Image, Place, Record, Workflow};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

/// Version of the form.
pub const SCHEMA: &str = "amiforge.build-log/1";
/// Bytes of all files together.
const MOST_BYTES: u64 = 256 << 20;
/// Bytes of one file.
const LONGEST_FILE: u64 = 64 << 20;
/// Files.
const MOST_FILES: usize = 2_000;
const MANIFEST: &str = "manifest.json";
/// Files of the runner that are looked for where there is no manifest.
const RUNNER_FILES: [&str; 4] = ["console.log", "detailedoutput.json", "chaining.json", "document.yaml"];

/// Why a bundle cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// It cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The bundle, or a file in it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is cut off, or something else.
    #[error("{} is no gzipped tar archive, or is damaged: {source}", path.display())]
    Damaged {
        /// The bundle.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A name in it leads out of it, or is none.
    #[error("the bundle has a file with the name `{0}`, which is refused")]
    Name(String),
    /// Something in it is no file.
    #[error("`{0}` in the bundle is no ordinary file, which is refused")]
    Kind(String),
    /// There are limits.
    #[error("the bundle is too big: {0}")]
    TooBig(String),
    /// A file is not what the manifest says.
    #[error("the bundle is damaged: `{file}` {why}")]
    Differs {
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file in it cannot be understood.
    #[error("`{file}` of the bundle cannot be understood: {why}")]
    Form {
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
    /// It is something else.
    #[error("there is neither a {MANIFEST} nor a console.log or detailedoutput.json in it")]
    Nothing,
}

/// `manifest.json`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA`]
    pub schema: String,
    /// When, RFC 3339.
    pub created: String,
    /// By which program.
    pub by: String,
    /// Of which environment.
    pub environment: String,
    /// Image build version ARN.
    pub image_arn: String,
    /// Recipe of the project, when it is known.
    pub recipe: Option<String>,
    /// In how many places something that looks like a secret was replaced.
    pub redacted: usize,
    /// What is in it.
    pub files: Vec<Entry>,
}

/// A file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its path in the bundle.
    pub path: String,
    /// What it is.
    pub what: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256, in hexadecimal digits.
    pub sha256: String,
}

type Files = BTreeMap<String, Vec<u8>>;

/// Writes a record, which must have been redacted; the manifest as it was written.
///
/// # Errors
/// When it cannot be written.
pub fn write(out: impl Write, record: &Record, about: Manifest) -> io::Result<Manifest> {
    let mut files: Vec<(String, &str, Vec<u8>)> = vec![
        ("image.json".to_owned(), "GetImage", pretty(&record.image)?),
        ("workflows.json".to_owned(), "ListWorkflowExecutions, ListWorkflowStepExecutions", pretty(&record.workflows)?),
        ("commands.json".to_owned(), "GetCommandInvocation", pretty(&record.commands)?),
        ("notes.json".to_owned(), "what was not read, and where it is", pretty(&Notes::of(record))?),
    ];
    let log = |(path, text): (&String, &String)| (format!("logs/{path}"), what(path), text.clone().into_bytes());
    files.extend(record.logs.iter().map(log));
    let entry = |(path, what, bytes): &(String, &str, Vec<u8>)| Entry {
        path: path.clone(),
        what: (*what).to_owned(),
        bytes: bytes.len() as u64,
        sha256: digest(bytes),
    };
    let manifest = Manifest { schema: SCHEMA.to_owned(), files: files.iter().map(entry).collect(), ..about };
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(out, flate2::Compression::default()));
    append(&mut tar, MANIFEST, &pretty(&manifest)?)?;
    for (path, _, bytes) in &files {
        append(&mut tar, path, bytes)?;
    }
    tar.into_inner()?.finish()?.flush()?;
    Ok(manifest)
}

fn what(path: &str) -> &'static str {
    match path.rsplit('/').next() {
        Some("console.log") => "what the component runner said",
        Some("detailedoutput.json") => "results of all steps",
        Some("chaining.json") => "how expressions were resolved",
        _ => "component documents",
    }
}

fn append(tar: &mut tar::Builder<impl Write>, path: &str, bytes: &[u8]) -> io::Result<()> {
    // Neither owner nor time: the same record gives the same bundle.
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, path, bytes)
}

fn pretty(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `notes.json`
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Notes {
    places: Vec<Place>,
    gaps: Vec<String>,
}

impl Notes {
    fn of(record: &Record) -> Self {
        Self { places: record.places.clone(), gaps: record.gaps.clone() }
    }
}

/// Reads a bundle: an archive or a folder. Without a manifest it is what awstoe left.
///
/// # Errors
/// When it is none, is damaged, too big, or names files outside of itself.
pub fn read(path: &Path) -> Result<(Manifest, Record), BundleError> {
    let about = fs::metadata(path).map_err(|source| BundleError::Io { path: path.to_owned(), source })?;
    let files = if about.is_dir() { folder(path)? } else { archive(path)? };
    match files.get(MANIFEST) {
        Some(manifest) => checked(manifest, &files),
        None => Ok((Manifest::default(), leftover(&files)?)),
    }
}

fn archive(path: &Path) -> Result<Files, BundleError> {
    let damaged = |source| BundleError::Damaged { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(|source| BundleError::Io { path: path.to_owned(), source })?;
    // One byte more than allowed, to tell the end from the limit.
    let bounded = flate2::read::GzDecoder::new(io::BufReader::new(file)).take(MOST_BYTES + 1);
    let mut tar = tar::Archive::new(bounded);
    let mut files = Files::new();
    let mut total = 0;
    for entry in tar.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        if kind.is_dir() || kind.is_pax_global_extensions() {
            continue;
        }
        if !kind.is_file() {
            return Err(BundleError::Kind(name));
        }
        let name = inside(&name)?;
        total += entry.size();
        bounds(&name, entry.size(), total, files.len())?;
        let mut bytes = Vec::new();
        entry.by_ref().take(LONGEST_FILE + 1).read_to_end(&mut bytes).map_err(damaged)?;
        if bytes.len() as u64 != entry.size() {
            return Err(damaged(io::Error::new(io::ErrorKind::UnexpectedEof, "it is cut off")));
        }
        if files.insert(name.clone(), bytes).is_some() {
            return Err(BundleError::Differs { file: name, why: "is in it twice".to_owned() });
        }
    }
    // To the very end, where gzip's checksum stands.
    io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(damaged)?;
    Ok(files)
}

fn bounds(name: &str, size: u64, total: u64, count: usize) -> Result<(), BundleError> {
    if size > LONGEST_FILE {
        return Err(BundleError::TooBig(format!("`{name}` has {size} bytes, {LONGEST_FILE} are read at most")));
    }
    if total > MOST_BYTES {
        return Err(BundleError::TooBig(format!("more than {MOST_BYTES} bytes in all")));
    }
    if count >= MOST_FILES {
        return Err(BundleError::TooBig(format!("more than {MOST_FILES} files")));
    }
    Ok(())
}

/// A path that stays in the bundle, without `./`.
fn inside(name: &str) -> Result<String, BundleError> {
    let refused = || BundleError::Name(name.to_owned());
    if name.contains(['\\', '\0']) {
        return Err(refused());
    }
    let mut parts = Vec::new();
    for part in Path::new(name).components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str().ok_or_else(refused)?),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Err(refused()),
        }
    }
    if parts.is_empty() { Err(refused()) } else { Ok(parts.join("/")) }
}

/// Files of an unpacked bundle or of awstoe; only those that are asked for, and no links.
fn folder(root: &Path) -> Result<Files, BundleError> {
    let mut files = Files::new();
    let mut total = 0;
    if let Some(bytes) = file(root, MANIFEST, &mut total, 0)? {
        for entry in &manifest(&bytes)?.files {
            let name = inside(&entry.path)?;
            if let Some(bytes) = file(root, &name, &mut total, files.len())? {
                files.insert(name, bytes);
            }
        }
        files.insert(MANIFEST.to_owned(), bytes);
        return Ok(files);
    }
    for name in RUNNER_FILES.iter().flat_map(|name| [(*name).to_owned(), format!("test/{name}")]) {
        if let Some(bytes) = file(root, &name, &mut total, files.len())? {
            files.insert(name, bytes);
        }
    }
    Ok(files)
}

fn file(root: &Path, name: &str, total: &mut u64, count: usize) -> Result<Option<Vec<u8>>, BundleError> {
    let path = root.join(name);
    let failed = |source| BundleError::Io { path: path.clone(), source };
    // Each folder on the way, too: a link would lead out.
    let mut parts: Vec<&Path> = path.ancestors().take_while(|part| *part != root).collect();
    parts.reverse();
    for part in parts {
        match fs::symlink_metadata(part) {
            Ok(about) if about.is_file() && part == path => bounds(name, about.len(), *total + about.len(), count)?,
            Ok(about) if about.is_dir() && part != path => {}
            Ok(_) => return Err(BundleError::Kind(name.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        }
    }
    let mut bytes = Vec::new();
    fs::File::open(&path).map_err(failed)?.take(LONGEST_FILE).read_to_end(&mut bytes).map_err(failed)?;
    *total += bytes.len() as u64;
    Ok(Some(bytes))
}

fn manifest(bytes: &[u8]) -> Result<Manifest, BundleError> {
    let manifest: Manifest = json(MANIFEST, bytes)?;
    if manifest.schema != SCHEMA {
        let why = format!("its schema is `{}`, this version reads `{SCHEMA}`", manifest.schema);
        return Err(BundleError::Form { file: MANIFEST.to_owned(), why });
    }
    Ok(manifest)
}

fn json<T: serde::de::DeserializeOwned>(file: &str, bytes: &[u8]) -> Result<T, BundleError> {
    serde_json::from_slice(bytes).map_err(|error| BundleError::Form { file: file.to_owned(), why: error.to_string() })
}

/// A bundle whose files are what its manifest says, all of them and no others.
fn checked(bytes: &[u8], files: &Files) -> Result<(Manifest, Record), BundleError> {
    let manifest = manifest(bytes)?;
    let differs = |file: &str, why: &str| BundleError::Differs { file: file.to_owned(), why: why.to_owned() };
    for entry in &manifest.files {
        let Some(bytes) = files.get(&entry.path) else { return Err(differs(&entry.path, "is missing")) };
        if bytes.len() as u64 != entry.bytes || digest(bytes) != entry.sha256 {
            return Err(differs(&entry.path, "is not what the manifest says"));
        }
    }
    let listed = |name: &str| name == MANIFEST || manifest.files.iter().any(|entry| entry.path == name);
    if let Some(stranger) = files.keys().find(|name| !listed(name)) {
        return Err(differs(stranger, "is not in the manifest"));
    }
    let part = |name: &str| files.get(name).map(Vec::as_slice);
    let notes: Notes = part("notes.json").map(|bytes| json("notes.json", bytes)).transpose()?.unwrap_or_default();
    let image: Option<Image> = part("image.json").map(|bytes| json("image.json", bytes)).transpose()?;
    let workflows: Option<Vec<Workflow>> =
        part("workflows.json").map(|bytes| json("workflows.json", bytes)).transpose()?;
    let commands: Option<Vec<Command>> = part("commands.json").map(|bytes| json("commands.json", bytes)).transpose()?;
    let log = |(name, bytes): (&String, &Vec<u8>)| Some((name.strip_prefix("logs/")?.to_owned(), text(bytes)));
    let record = Record {
        image: image.unwrap_or_default(),
        workflows: workflows.unwrap_or_default(),
        commands: commands.unwrap_or_default(),
        logs: files.iter().filter_map(log).collect(),
        places: notes.places,
        gaps: notes.gaps,
    };
    Ok((manifest, record))
}

/// The runner's own folder: what it says of one half of a build.
fn leftover(files: &Files) -> Result<Record, BundleError> {
    let log = |(name, bytes): (&String, &Vec<u8>)| {
        let file = RUNNER_FILES.into_iter().find(|file| name.rsplit('/').next() == Some(file))?;
        let half = if name.split('/').any(|part| part == "test") { "test" } else { "build" };
        Some((format!("{half}/{file}"), text(bytes)))
    };
    let logs: BTreeMap<String, String> = files.iter().filter_map(log).collect();
    if !logs.keys().any(|name| name.ends_with("console.log") || name.ends_with("detailedoutput.json")) {
        return Err(BundleError::Nothing);
    }
    let gaps =
        vec!["only the component runner's own files are there: nothing is known of the image and its workflow".into()];
    Ok(Record { logs, gaps, ..Record::default() })
}

/// A log may hold what is no text.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
