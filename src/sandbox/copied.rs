//! Instances whose root is a copy of their layers, for where no overlay can be mounted.
//!
//! The copy stands in the place of the upper layer, and is one: complete, and marked to hide all below it. When it is
//! captured, the difference to the layers is made of it, which is what an overlay would have written.

use super::SandboxError;
use super::layers::{self, Node, OPAQUE};
use super::{stray, sys, tree};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

mod difference;
mod merge;

pub(super) use merge::merge;

/// File beside an upper layer that says what it is a copy of. Written when the copy is whole.
const MARKER: &str = "copied";

/// Where the difference is made.
const DIFFERENCE: &str = "difference";

/// A copy and what it was made of.
#[derive(Debug)]
pub(super) struct Copied {
    place: PathBuf,
    made_of: MadeOf,
    /// When it was whole: what has changed later may differ, what has not cannot. Seconds and nanoseconds of the file
    /// system's own clock.
    since: (i64, i64),
}

#[derive(Debug, Serialize, Deserialize)]
struct MadeOf {
    layers: Vec<PathBuf>,
    /// Paths inside that are copies of the machine's files.
    shown: Vec<PathBuf>,
}

impl Copied {
    /// The copy whose upper layer is in `place`, if there is one and it is whole.
    pub(super) fn at(place: &Path) -> io::Result<Option<Self>> {
        let marker = place.join(MARKER);
        let text = match fs::read(&marker) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let made_of = serde_json::from_slice(&text)?;
        let metadata = fs::metadata(&marker)?;
        Ok(Some(Self { place: place.to_owned(), made_of, since: (metadata.ctime(), metadata.ctime_nsec()) }))
    }

    /// Copies layers, topmost first, to `upper` in `place`, unless an earlier start has done so. Returns whether files
    /// removed later can be told from outside.
    pub(super) fn make(place: &Path, layers: &[PathBuf], shown: &[PathBuf]) -> io::Result<bool> {
        let upper = place.join("upper");
        if Self::at(place)?.is_none() {
            tree::remove_if_there(&upper)?;
            merge::merge(layers, &upper)?;
            let made_of = MadeOf { layers: layers.to_vec(), shown: shown.to_vec() };
            fs::write(place.join(MARKER), serde_json::to_vec(&made_of)?)?;
        }
        Ok(sys::set_attribute(&upper, OPAQUE[0], b"y").is_ok())
    }

    /// Takes back the injected files of an earlier start that are still what they were: what the layers have there comes
    /// back. Returns those that a job has changed or removed since; they are the job's.
    pub(super) fn take_back_injected(&self) -> io::Result<BTreeSet<PathBuf>> {
        let (upper, inject) = (self.place.join("upper"), self.place.join("inject"));
        let mut changed = BTreeSet::new();
        if !inject.is_dir() {
            return Ok(changed);
        }
        tree::walk(&inject, &mut |path, metadata| {
            if !metadata.is_file() {
                return Ok(());
            }
            let inside = path.strip_prefix(&inject).unwrap_or(path);
            let place = upper.join(inside);
            let now = fs::symlink_metadata(&place).ok().filter(fs::Metadata::is_file);
            if now.is_none() || fs::read(&place)? != fs::read(path)? {
                changed.insert(inside.to_owned());
                return Ok(());
            }
            fs::remove_file(&place)?;
            match layers::resolve(&self.made_of.layers, inside, false)?.node {
                Some(Node::File { path, metadata }) => {
                    tree::copy_one(&path, &place, &metadata, &mut tree::Links::new())
                }
                _ => Ok(()),
            }
        })?;
        Ok(changed)
    }

    /// Ends what is left of its processes, and moves what differs from the layers to a layer of its own.
    pub(super) fn difference(&self) -> Result<PathBuf, SandboxError> {
        let upper = self.place.join("upper");
        stray::kill_below(&upper);
        let layer = self.place.join(DIFFERENCE);
        tree::remove(&layer)?;
        // First, so that folders which were made only to hold them are not taken for the image's.
        tree::drop_injected(&upper).map_err(SandboxError::file("cannot clean", &upper))?;
        difference::make(
            &upper,
            &layer,
            &self.made_of.layers,
            &self.made_of.shown,
            self.since,
            &self.place.join("inject"),
        )
        .map_err(SandboxError::file("cannot tell what has changed in", &upper))?;
        Ok(layer)
    }

    /// Removes what is left of a copy whose difference has been taken.
    pub(super) fn forget(&self) -> Result<(), SandboxError> {
        tree::remove(&self.place.join("upper"))?;
        tree::remove(&self.place.join(MARKER))
    }
}

/// Ends the processes of an instance that was a copy, if it was one; for the removal of its scratch folder.
pub(super) fn end_processes(scratch: &Path) {
    // Also of one that is not whole: nothing has run in it, and looking does no harm.
    if scratch.join(MARKER).exists() {
        stray::kill_below(&scratch.join("upper"));
    }
}
