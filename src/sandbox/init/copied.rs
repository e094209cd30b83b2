//! The root of an instance without namespaces: a copy, made ready for jobs that change their root to it.

use super::mounts::{self, Places, Result, failed, make_folder};
use crate::sandbox::copied::Copied;
use crate::sandbox::tree;
use crate::sandbox::wire::{InstanceSetup, Step};
use nix::errno::Errno;
use nix::sys::stat::{Mode, SFlag, makedev, mknod, umask};
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Numbers of the device nodes, in the order of their names; Linux's Documentation/admin-guide/devices.txt.
const NUMBERS: [(u64, u64); mounts::DEVICES.len()] = [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0)];

/// Makes the root, or what is new in it at every start; returns where it is.
pub(super) fn instance(setup: &InstanceSetup, body: &[u8], notes: &mut Vec<String>) -> Result<PathBuf> {
    let root = setup.scratch.join("upper");
    let tells = Copied::make(&setup.scratch, &setup.layers, &setup.bind).map_err(failed(
        Step::File,
        "copy the layers to",
        &root,
    ))?;
    if !tells {
        notes.push("files that jobs remove are seen from outside until the layer is captured".into());
    }
    let inject = setup.scratch.join("inject");
    let copied =
        Copied::at(&setup.scratch).and_then(|copied| copied.map(|copied| copied.take_back_injected()).transpose());
    let own = copied.map_err(failed(Step::File, "take back", &inject))?.unwrap_or_default();
    let places = mounts::prepare(setup, body, std::slice::from_ref(&root), &root)?;
    lay(&inject, &root, &own).map_err(failed(Step::File, "inject files into", &root))?;
    fresh(&places, notes)?;
    for (source, target) in &places.binds {
        show(source, target).map_err(failed(Step::File, "copy", source))?;
        notes.push(format!(
            "{} is a copy inside: what is changed there or here is not seen on the other side",
            source.display()
        ));
    }
    if let (Some(place), Some(text)) = (&places.resolver_place, &setup.resolver) {
        let place = root.join(place.strip_prefix("/").unwrap_or(place));
        mounts::write_fresh(&place, text.as_bytes()).map_err(failed(Step::File, "write", &place))?;
    }
    Ok(root)
}

/// Nothing can be bound: a copy has to do.
fn show(source: &Path, target: &Path) -> io::Result<()> {
    tree::remove_if_there(target)?;
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    tree::copy(source, target)
}

/// Puts the files of the inject layer into the copy. Its folders have been resolved there: none is a link.
fn lay(inject: &Path, root: &Path, own: &BTreeSet<PathBuf>) -> io::Result<()> {
    tree::walk(inject, &mut |path, metadata| {
        let inside = path.strip_prefix(inject).unwrap_or(path);
        let target = root.join(inside);
        if metadata.is_dir() {
            if !target.is_dir() {
                fs::create_dir(&target)?;
                fs::set_permissions(&target, metadata.permissions())?;
            }
            return Ok(());
        }
        if own.contains(inside) {
            return Ok(());
        }
        tree::remove_if_there(&target)?;
        fs::copy(path, &target).map(drop)
    })
}

/// What is new at every start. Nothing can be mounted; what that means is noted.
fn fresh(places: &Places, notes: &mut Vec<String>) -> Result<()> {
    for (folder, mode) in [(&places.tmp, 0o1777), (&places.run, 0o755), (&places.dev, 0o755)] {
        tree::empty(folder).map_err(failed(Step::File, "empty", folder))?;
        fs::set_permissions(folder, Permissions::from_mode(mode)).map_err(failed(Step::File, "open", folder))?;
    }
    make_folder(&places.run.join("lock"), 0o1777)?;
    make_folder(&places.dev.join("shm"), 0o1777)?;
    make_folder(&places.dev.join("pts"), 0o755)?;
    for folder in [&places.proc, &places.sys] {
        tree::empty(folder).map_err(failed(Step::File, "empty", folder))?;
    }
    notes.push("/proc and /sys are empty inside, and there are no terminals: nothing can be mounted".into());
    devices(&places.dev, notes)
}

fn devices(dev: &Path, notes: &mut Vec<String>) -> Result<()> {
    let old = umask(Mode::empty());
    let mut missing = Vec::new();
    for (name, (major, minor)) in mounts::DEVICES.into_iter().zip(NUMBERS) {
        let made = mknod(&dev.join(name), SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(major, minor));
        // Made is not usable: some containers forbid to open it.
        match made.map_err(io::Error::from).and_then(|()| usable(&dev.join(name))) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::PermissionDenied => missing.push(name),
            Err(error) => return Err(failed(Step::File, "make", &dev.join(name))(error)),
        }
    }
    umask(old);
    for name in &missing {
        tree::remove_if_there(&dev.join(name)).map_err(failed(Step::File, "remove", &dev.join(name)))?;
    }
    if missing.contains(&"null") {
        fs::write(dev.join("null"), "").map_err(failed(Step::File, "make", &dev.join("null")))?;
        let all = Permissions::from_mode(0o666);
        fs::set_permissions(dev.join("null"), all).map_err(failed(Step::File, "open", &dev.join("null")))?;
        notes.push("/dev/null is an ordinary file: device nodes cannot be made here".into());
    }
    missing.retain(|name| *name != "null");
    if !missing.is_empty() {
        notes.push(format!("device nodes that are missing: {}", missing.join(", ")));
    }
    let links = [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")];
    for (name, target) in links {
        symlink(target, dev.join(name)).map_err(failed(Step::File, "link", &dev.join(name)))?;
    }
    Ok(())
}

fn usable(node: &Path) -> io::Result<()> {
    match fs::File::open(node) {
        Ok(_) => Ok(()),
        // The terminal of a process that has none.
        Err(error) if error.raw_os_error() == Some(Errno::ENXIO as i32) => Ok(()),
        Err(error) => Err(error),
    }
}
