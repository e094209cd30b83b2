//! The kernel that an image boots, and the modules without which it does not find its disk.

use super::guest::SYSTEMD;
use crate::sandbox::SandboxError;
use crate::sandbox::layers::{self, Node};
use crate::sandbox::root::decoded;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What the guest needs before it has a disk: the bus, the disk, the port, the network, entropy, and the file system.
/// `crc32c` is what ext4 asks for by name when it is mounted, and no dependency of its file tells.
const WANTED: [&str; 8] = [
    "virtio_pci",
    "virtio_blk",
    "virtio_console",
    "virtio_net",
    "virtio_rng",
    "crc32c_generic",
    "crc32c_intel",
    "ext4",
];

/// Without one of these there is nothing to talk to.
const NEEDED: [&str; 4] = ["virtio_pci", "virtio_blk", "virtio_console", "ext4"];

/// Most bytes of a module; real ones have up to a few million.
const LONGEST: u64 = 64 << 20;

/// A kernel of an image.
#[derive(Debug)]
pub(super) struct Kernel {
    /// As `uname -r` says it.
    pub(super) version: String,
    /// Its image.
    pub(super) image: Vec<u8>,
    /// Modules to load, in this order: name and content, not compressed.
    pub(super) modules: Vec<(String, Vec<u8>)>,
}

/// The newest kernel of an image.
///
/// # Errors
/// [`SandboxError::Spec`] when there is none, or it cannot work in an emulator, with what mends it.
pub(super) fn find(layers: &[PathBuf]) -> Result<Kernel, SandboxError> {
    let mut versions: Vec<String> = names(layers, Path::new("/lib/modules"))?.into_iter().collect();
    versions.sort_by(|one, other| compare(one, other));
    for version in versions.iter().rev() {
        let places = [format!("/boot/vmlinuz-{version}"), format!("/lib/modules/{version}/vmlinuz")];
        for place in &places {
            let read = layers::read_file(layers, Path::new(place));
            if let Some(image) = read.map_err(SandboxError::file("cannot read from the image", Path::new(place)))? {
                let modules = modules(layers, version)?;
                return Ok(Kernel { version: version.clone(), image, modules });
            }
        }
    }
    let why = if versions.is_empty() { "it has no kernel" } else { "it has modules of a kernel, but no kernel" };
    Err(SandboxError::Spec(format!(
        "{why}, so it cannot be booted with its own (--vm); install one in the image or in its root (Debian: \
         linux-image-cloud-amd64, Ubuntu: linux-image-virtual, Amazon Linux: kernel), or test without --vm"
    )))
}

/// Whether there is a process 1 for the machine.
///
/// # Errors
/// [`SandboxError::Spec`] when there is none, with what mends it.
pub(super) fn check_system(layers: &[PathBuf]) -> Result<(), SandboxError> {
    for path in SYSTEMD.map(Path::new) {
        let found =
            layers::resolve(layers, path, true).map_err(SandboxError::file("cannot read from the image", path))?;
        if found.node.is_some() {
            return Ok(());
        }
    }
    Err(SandboxError::Spec(
        "it has no systemd, so nothing would start on a machine of its own (--vm); install systemd in the image or in its \
         root (Debian: systemd-sysv), or test without --vm"
            .into(),
    ))
}

/// Names in a folder, merged of all layers.
fn names(layers: &[PathBuf], folder: &Path) -> Result<BTreeSet<String>, SandboxError> {
    let failed = SandboxError::file("cannot read from the image", folder);
    let found = layers::resolve(layers, folder, true).and_then(|found| {
        let Some(Node::Folder { places, .. }) = found.node else { return Ok(BTreeSet::new()) };
        let mut names = BTreeSet::new();
        for place in &places {
            for entry in std::fs::read_dir(place)? {
                let name = entry?.file_name();
                // What an upper layer has taken away is no longer there.
                if layers::child(&places, &name)?.is_some() {
                    names.extend(name.to_str().map(str::to_owned));
                }
            }
        }
        Ok(names)
    });
    found.map_err(failed)
}

/// Versions of kernels, by the numbers in them.
fn compare(one: &str, other: &str) -> std::cmp::Ordering {
    let parts = |text: &str| -> Vec<(u64, String)> {
        let pieces = text.split(['.', '-', '_', '+']);
        pieces.map(|piece| (piece.parse().unwrap_or(0), piece.to_owned())).collect()
    };
    parts(one).cmp(&parts(other))
}

fn modules(layers: &[PathBuf], version: &str) -> Result<Vec<(String, Vec<u8>)>, SandboxError> {
    let folder = Path::new("/lib/modules").join(version);
    let text = |name: &str| -> Result<String, SandboxError> {
        let path = folder.join(name);
        let bytes = layers::read_file(layers, &path);
        let bytes = bytes.map_err(SandboxError::file("cannot read from the image", &path))?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let index = Index::read(&text("modules.dep")?, &text("modules.builtin")?);
    if let Some(missing) = NEEDED.into_iter().find(|name| !index.has(name)) {
        return Err(SandboxError::Spec(format!(
            "its kernel {version} has no {missing}, so it cannot run in an emulator (--vm); use a kernel for virtual machines, \
             or test without --vm"
        )));
    }
    let mut loaded = Vec::new();
    for file in index.order(&WANTED) {
        let path = folder.join(&file);
        loaded.push((file, content(layers, &path)?));
    }
    Ok(loaded)
}

/// A module without its compression.
fn content(layers: &[PathBuf], path: &Path) -> Result<Vec<u8>, SandboxError> {
    let failed = || SandboxError::file("cannot read from the image", path);
    let found = layers::resolve(layers, path, true).map_err(failed())?;
    let Some(Node::File { path: place, .. }) = found.node else {
        return Err(failed()(std::io::ErrorKind::NotFound.into()));
    };
    let mut bytes = Vec::new();
    decoded(&place)?.take(LONGEST).read_to_end(&mut bytes).map_err(failed())?;
    Ok(bytes)
}

/// What `depmod` has written down.
#[derive(Debug, Default)]
struct Index {
    /// Name → file.
    files: BTreeMap<String, String>,
    /// File → the files to load before it, as depmod has them: the nearest first.
    needs: BTreeMap<String, Vec<String>>,
    builtin: BTreeSet<String>,
}

impl Index {
    fn read(dependencies: &str, builtin: &str) -> Self {
        let mut index = Self { builtin: builtin.lines().map(name).collect(), ..Self::default() };
        for line in dependencies.lines() {
            let Some((file, needs)) = line.split_once(':') else { continue };
            index.files.insert(name(file), file.to_owned());
            index.needs.insert(file.to_owned(), needs.split_whitespace().map(str::to_owned).collect());
        }
        index
    }

    fn has(&self, module: &str) -> bool {
        self.builtin.contains(module) || self.files.contains_key(module)
    }

    /// The files of modules and of all they need, each after what it needs.
    fn order(&self, wanted: &[&str]) -> Vec<String> {
        let mut order: Vec<String> = Vec::new();
        for file in wanted.iter().filter_map(|module| self.files.get(*module)) {
            let needs = self.needs.get(file).into_iter().flatten().rev();
            for one in needs.chain([file]) {
                if !order.contains(one) {
                    order.push(one.clone());
                }
            }
        }
        order
    }
}

/// The name of a module by its file: `kernel/fs/ext4/ext4.ko.xz` → `ext4`.
fn name(file: &str) -> String {
    let last = Path::new(file.trim()).file_name().and_then(OsStr::to_str).unwrap_or_default();
    last.split('.').next().unwrap_or_default().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const DEP: &str = "kernel/fs/ext4/ext4.ko: kernel/fs/mbcache.ko kernel/fs/jbd2/jbd2.ko\n\
        kernel/fs/jbd2/jbd2.ko:\nkernel/fs/mbcache.ko:\n\
        kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko\n\
        kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko\n\
        kernel/drivers/virtio/virtio_ring.ko:\nkernel/drivers/block/virtio_blk.ko:\n";
    const BUILTIN: &str = "kernel/drivers/char/virtio_console.ko\n";

    fn image(root: &Path, version: &str) {
        let modules = root.join("usr/lib/modules").join(version);
        for line in DEP.lines() {
            let file = modules.join(line.split_once(':').unwrap().0);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, name(file.to_str().unwrap())).unwrap();
        }
        fs::write(modules.join("modules.dep"), DEP).unwrap();
        fs::write(modules.join("modules.builtin"), BUILTIN).unwrap();
        fs::create_dir_all(root.join("boot")).unwrap();
        fs::write(root.join("boot").join(format!("vmlinuz-{version}")), version).unwrap();
    }

    #[test]
    fn the_newest_kernel_and_its_modules_in_an_order_that_works() {
        let folder = tempfile::tempdir().unwrap();
        let (top, base) = (folder.path().join("top"), folder.path().join("base"));
        image(&base, "6.1.0-9-cloud-amd64");
        image(&top, "6.1.0-10-cloud-amd64");
        std::os::unix::fs::symlink("usr/lib", base.join("lib")).unwrap();
        let kernel = find(&[top, base]).unwrap();
        assert_eq!(kernel.version, "6.1.0-10-cloud-amd64");
        assert_eq!(kernel.image, b"6.1.0-10-cloud-amd64");
        let names: Vec<String> = kernel.modules.iter().map(|(file, _)| name(file)).collect();
        assert_eq!(names, ["virtio_ring", "virtio", "virtio_pci", "virtio_blk", "jbd2", "mbcache", "ext4"]);
        assert!(kernel.modules.iter().all(|(file, content)| content == name(file).as_bytes()));
    }

    #[test]
    fn an_image_without_a_kernel_that_works_says_what_mends_it() {
        let folder = tempfile::tempdir().unwrap();
        let said = |layers: &[PathBuf]| find(layers).unwrap_err().to_string();
        let base = folder.path().join("base");
        fs::create_dir(&base).unwrap();
        let text = said(std::slice::from_ref(&base));
        assert!(text.contains("it has no kernel") && text.contains("linux-image-cloud-amd64"), "{text}");
        image(&base, "5");
        std::os::unix::fs::symlink("usr/lib", base.join("lib")).unwrap();
        fs::write(base.join("lib/modules/5/modules.builtin"), "").unwrap();
        assert!(said(std::slice::from_ref(&base)).contains("no virtio_console"));
        fs::remove_file(base.join("boot/vmlinuz-5")).unwrap();
        assert!(said(&[base]).contains("but no kernel"));
    }

    #[test]
    fn an_image_without_systemd_says_what_mends_it() {
        let folder = tempfile::tempdir().unwrap();
        let layers = [folder.path().join("base")];
        fs::create_dir_all(layers[0].join("usr/lib/systemd")).unwrap();
        let text = check_system(&layers).unwrap_err().to_string();
        assert!(text.contains("it has no systemd") && text.contains("systemd-sysv"), "{text}");
        fs::write(layers[0].join("usr/lib/systemd/systemd"), "").unwrap();
        check_system(&layers).unwrap();
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(compare("6.1.0-10-cloud", "6.1.0-9-cloud").is_gt());
        assert!(compare("6.10.3-1.amzn2023", "6.9.30-1.amzn2023").is_gt());
        assert!(compare("5.14.0-503.el9", "5.14.0-503.el9").is_eq());
    }
}
