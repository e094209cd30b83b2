//! Layers → a disk with one file system and no partitions.

use crate::sandbox::limits::free_space;
use crate::sandbox::mode::{Mode, program};
use crate::sandbox::wire::Operation;
use crate::sandbox::{SandboxError, copied, launch, tree};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program that makes file systems.
///
/// # Errors
/// When it is not installed.
pub(super) fn formatter() -> Result<PathBuf, SandboxError> {
    program("mke2fs").ok_or_else(|| SandboxError::Program {
        program: "mke2fs".into(),
        purpose: "it makes the disk of a machine (--vm)".into(),
        mend: "sudo apt-get install -y e2fsprogs".into(),
        without: "tests without --vm".into(),
    })
}

/// Makes the disk `image` of `layers` (topmost first), with `free` bytes more than their files need. Owners and rights are
/// those inside of the layers' user namespace.
///
/// # Errors
/// Without mke2fs, or when files cannot be read or written.
pub(super) fn create(layers: &[PathBuf], scratch: &Path, image: &Path, free: u64) -> Result<(), SandboxError> {
    formatter()?;
    let mode = Mode::of_this_process()?;
    let (layers, scratch, image) = (layers.to_vec(), scratch.to_owned(), image.to_owned());
    if mode.has_foreign_files() {
        return launch::operate(&mode, Operation::Disk { layers, scratch, image, free });
    }
    make(&layers, &scratch, &image, free)
}

/// The same in this process.
pub(in crate::sandbox) fn make(
    layers: &[PathBuf],
    scratch: &Path,
    image: &Path,
    free: u64,
) -> Result<(), SandboxError> {
    let merged = scratch.join("merged-for-disk");
    let copies = if layers.len() > 1 { 2 } else { 1 };
    enough(scratch, copies * layers.iter().map(|layer| size_of(layer)).sum::<Result<u64, _>>()?)?;
    let folder = if let [one] = layers {
        one.clone()
    } else {
        copied::merge(layers, &merged).map_err(SandboxError::file("cannot copy the image to", &merged))?;
        merged.clone()
    };
    let bytes = size_of(&folder)?;
    // A file with holes: only what is written takes room.
    let size = (bytes + bytes / 8 + free).next_multiple_of(1 << 20);
    let file = File::create(image).and_then(|file| file.set_len(size));
    file.map_err(SandboxError::file("cannot make", image))?;
    format(&folder, image)?;
    tree::remove_if_there(&merged).map_err(SandboxError::file("cannot remove", &merged))
}

/// Bytes that a tree takes on a disk, about.
fn size_of(folder: &Path) -> Result<u64, SandboxError> {
    let mut bytes = 0;
    let counted = tree::walk(folder, &mut |_, metadata| {
        bytes += metadata.len().next_multiple_of(4096) + 512;
        Ok(())
    });
    counted.map_err(SandboxError::file("cannot look through", folder))?;
    Ok(bytes)
}

/// Whether there is room: a disk that fills up half-way fails in ways that say nothing of it.
fn enough(folder: &Path, needed: u64) -> Result<(), SandboxError> {
    let free = free_space(folder).map_err(SandboxError::file("cannot see the free space of", folder))?;
    if free >= needed {
        return Ok(());
    }
    Err(SandboxError::Space { path: folder.to_owned(), free_mib: free >> 20, needed_mib: needed.div_ceil(1 << 20) })
}

fn format(folder: &Path, image: &Path) -> Result<(), SandboxError> {
    let failed = |reason: String| SandboxError::Start { step: "make the disk".into(), reason };
    // A journal only costs time here: a disk that was cut off is never used again.
    let output = Command::new(program("mke2fs").unwrap_or_else(|| PathBuf::from("mke2fs")))
        .args(["-q", "-F", "-t", "ext4", "-m", "0", "-O", "^has_journal"])
        .args(["-E", "lazy_itable_init=1,root_owner=0:0", "-d"])
        .arg(folder)
        .arg(image)
        .env_clear()
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(format!("mke2fs cannot be started: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    // Half a disk must not be taken for a whole one.
    let _ = fs::remove_file(image);
    Err(failed(format!("mke2fs: {}", said.lines().last().unwrap_or("it did not say why"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// What debugfs(8), of another program than ours, says of a path.
    fn debugfs(image: &Path, request: &str) -> String {
        let output = Command::new("/sbin/debugfs").args(["-R", request]).arg(image).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[test]
    fn too_little_room_is_told_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        enough(folder.path(), 1).unwrap();
        let text = enough(folder.path(), 1 << 60).unwrap_err().to_string();
        assert!(text.contains("1099511627776 MiB are needed"), "{text}");
    }

    #[test]
    fn a_disk_has_what_the_layers_show() {
        let folder = tempfile::tempdir().unwrap();
        let (top, base) = (folder.path().join("top"), folder.path().join("base"));
        for layer in [&top, &base] {
            fs::create_dir_all(layer.join("etc")).unwrap();
        }
        fs::write(base.join("etc/name"), "base").unwrap();
        fs::write(base.join("etc/kept"), "kept").unwrap();
        symlink("kept", base.join("etc/link")).unwrap();
        fs::write(top.join("etc/name"), "top").unwrap();
        let image = folder.path().join("disk");
        make(&[top, base], folder.path(), &image, 8 << 20).unwrap();
        assert_eq!(debugfs(&image, "cat /etc/name"), "top");
        assert_eq!(debugfs(&image, "cat /etc/kept"), "kept");
        assert!(debugfs(&image, "stat /etc/link").contains("Fast link dest: \"kept\""));
        assert!(!folder.path().join("merged-for-disk").exists());
        assert!(fs::metadata(&image).unwrap().len() >= 8 << 20);
    }
}
