//! Unpacking archives that nobody vouches for into a root: nothing is written outside of it, devices are never made, sizes
//! are bounded, and what was kept or not is told.

mod attributes;
mod codec;
mod layer;
mod member;
mod place;

pub(in crate::sandbox) use attributes::Tally;
pub(in crate::sandbox) use codec::Blob;

use crate::sandbox::SandboxError;
use crate::sandbox::mode::Mode;
use crate::sandbox::wire::Operation;
use crate::sandbox::{launch, root};
use layer::{Filling, Refused};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What to unpack where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) struct Order {
    /// The archives, lowest layer first.
    pub(in crate::sandbox) layers: Vec<Layer>,
    /// Whether they are layers of an image, whose marks remove what is below.
    pub(in crate::sandbox) marks: bool,
    /// The folder to fill; it is there and empty.
    pub(in crate::sandbox) destination: PathBuf,
    /// Most bytes of all files.
    pub(in crate::sandbox) room: u64,
}

/// One archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) struct Layer {
    /// Where its bytes are.
    pub(in crate::sandbox) blob: Blob,
    /// SHA-256 of the archive without compression, in hexadecimal digits, if it is known.
    pub(in crate::sandbox) sha256: Option<String>,
    /// What to call it in messages.
    pub(in crate::sandbox) name: String,
}

/// Unpacks in this process, or inside a user namespace when the files are to belong to its ids.
pub(super) fn unpack(order: Order) -> Result<Tally, SandboxError> {
    let mode = Mode::of_this_process()?;
    if !mode.has_foreign_files() {
        return run(&order);
    }
    // What goes wrong in there is the archive's fault more often than the namespace's: it is told as such.
    let answer: Result<Tally, (String, Option<String>, String)> =
        launch::ask(&mode, Operation::Unpack { order }, "the unpacked archive")?;
    answer.map_err(|(archive, member, why)| SandboxError::Archive { archive, member, why })
}

/// For the process inside the namespace: what `unpack` there takes apart again.
pub(in crate::sandbox) fn answer(order: &Order) -> Result<Tally, (String, Option<String>, String)> {
    run(order).map_err(|error| match error {
        SandboxError::Archive { archive, member, why } => (archive, member, why),
        other => (order.layers.first().map(|layer| layer.name.clone()).unwrap_or_default(), None, other.to_string()),
    })
}

fn run(order: &Order) -> Result<Tally, SandboxError> {
    let destination = &order.destination;
    let mut filling =
        Filling::new(destination, order.room).map_err(SandboxError::file("cannot work in", destination))?;
    for layer in &order.layers {
        let refused = |refused: Refused| SandboxError::Archive {
            archive: layer.name.clone(),
            member: refused.member,
            why: refused.why,
        };
        let mut bytes = Hashing { inner: layer.blob.decoded()?, hash: layer.sha256.as_ref().map(|_| Sha256::new()) };
        filling.apply(&mut bytes, order.marks).map_err(refused)?;
        check(layer, bytes.hash)?;
    }
    let name = order.layers.last().map(|layer| layer.name.clone()).unwrap_or_default();
    filling.finish().map_err(|refused| SandboxError::Archive {
        archive: name,
        member: refused.member,
        why: refused.why,
    })
}

fn check(layer: &Layer, hash: Option<Sha256>) -> Result<(), SandboxError> {
    let (Some(expected), Some(hash)) = (&layer.sha256, hash) else { return Ok(()) };
    let found = root::hex(&hash.finalize());
    if found == *expected {
        return Ok(());
    }
    Err(SandboxError::Archive {
        archive: layer.name.clone(),
        member: None,
        why: format!("its content has the digest sha256:{found}, and not sha256:{expected} as the image says"),
    })
}

/// Hashes what passes.
struct Hashing<R> {
    inner: R,
    hash: Option<Sha256>,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if let Some(hash) = &mut self.hash {
            hash.update(&buffer[..count]);
        }
        Ok(count)
    }
}

/// The members of a plain tar and where their content lies in it, without reading the content. Links and folders are left
/// out.
pub(super) fn index(blob: &Blob) -> Result<Vec<(PathBuf, Blob)>, SandboxError> {
    /// An archive of an image has a file per layer and a few beside.
    const MOST: usize = 10_000;
    let wrong = |why: String| SandboxError::Archive { archive: blob.path.display().to_string(), member: None, why };
    let mut seeking = Seeking { file: blob.open()?.into_inner(), at: blob.offset, end: blob.offset + blob.length };
    let mut found = Vec::new();
    loop {
        let member = member::Reader::new(&mut seeking).next().map_err(|error| wrong(error.to_string()))?;
        let Some(member) = member else { return Ok(found) };
        if member.kind != member::Kind::File {
            continue;
        }
        let path = place::parts(&member.path).map_err(|error| wrong(error.to_string()))?;
        let content = Blob { path: blob.path.clone(), offset: seeking.at, length: member.size };
        let padded = member.size.checked_next_multiple_of(512).and_then(|size| seeking.at.checked_add(size));
        match padded {
            Some(next) if next <= seeking.end => seeking.at = next,
            _ => return Err(wrong("it is cut off".into())),
        }
        found.push((path, content));
        if found.len() > MOST {
            return Err(wrong(format!("more than {MOST} files are no image")));
        }
    }
}

/// Reads a file from a place that can be moved on.
struct Seeking {
    file: std::fs::File,
    at: u64,
    end: u64,
}

impl Read for &mut Seeking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use std::os::unix::fs::FileExt;
        let most = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.read_at(&mut buffer[..most], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Makes the folder that an order fills.
pub(super) fn make_empty(folder: &Path) -> Result<(), SandboxError> {
    std::fs::create_dir_all(folder).map_err(SandboxError::file("cannot make the folder", folder))
}

#[cfg(test)]
mod tests;
