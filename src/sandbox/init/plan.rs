//! Whether the image's own systemd can be process 1.

use super::group::Tree;
use crate::sandbox::layers::{self, Node, Resolved};
use crate::sandbox::wire::{InstanceSetup, Walls};
use std::path::{Path, PathBuf};

/// Where images have systemd; the first of those found.
const PROGRAMS: [&str; 2] = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];

/// What the kernel starts.
const INIT: &str = "/sbin/init";

/// What was decided before anything is made.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// With the image's systemd; `None` without.
    pub(super) image: Option<Image>,
    /// Why it is another than was asked for.
    pub(super) notes: Vec<String>,
}

/// What is needed to run the image's systemd.
#[derive(Debug)]
pub(super) struct Image {
    /// The program of process 1, as seen inside.
    pub(super) program: PathBuf,
    /// Where its control group can be made.
    pub(super) tree: Tree,
}

impl Plan {
    /// Looks into the image and at the machine.
    pub(super) fn of(setup: &InstanceSetup, walls: Walls) -> Self {
        if !setup.system {
            return Self::default();
        }
        if walls == Walls::None {
            let reason = "without namespaces (mode chroot-copy) there is no process 1 of the instance's own";
            return Self { image: None, notes: vec![without(reason)] };
        }
        let upper = setup.scratch.join("upper");
        let stack: Vec<PathBuf> =
            Some(upper).filter(|upper| upper.is_dir()).into_iter().chain(setup.layers.clone()).collect();
        let image = program(&stack).and_then(|program| Ok(Image { program, tree: Tree::find()? }));
        match image {
            Ok(image) => Self { image: Some(image), notes: Vec::new() },
            Err(reason) => Self { image: None, notes: vec![without(&reason)] },
        }
    }

    /// Removes what was made for it; to be called when nothing runs any more.
    pub(super) fn clean_up(&self) {
        if let Some(image) = &self.image {
            image.tree.clear();
        }
    }
}

/// The note for an instance that has no systemd of its own running.
pub(super) fn without(reason: &str) -> String {
    format!("services of the image are not started, and `systemctl` does not work: {reason}")
}

/// The image's systemd, if that is what a kernel would start.
fn program(stack: &[PathBuf]) -> Result<PathBuf, String> {
    let resolve = |path: &str| {
        layers::resolve(stack, Path::new(path), true)
            .map_err(|error| format!("{path} of the image cannot be read: {error}"))
    };
    let is_program = |found: &Resolved| matches!(&found.node, Some(Node::File { metadata, .. }) if metadata.is_file());
    let mut systemd = None;
    for path in PROGRAMS {
        systemd = systemd.or(Some(resolve(path)?).filter(is_program));
    }
    let systemd = systemd.ok_or_else(|| "the image has no systemd".to_owned())?.path;
    // Absent in images of which only containers are made: systemd can be started all the same.
    match resolve(INIT)? {
        Resolved { node: Some(_), path } if path != systemd => {
            Err(format!("{INIT} of the image leads to {}, which is not its systemd", path.display()))
        }
        _ => Ok(systemd),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn systemd_must_be_what_a_kernel_would_start() {
        let folder = tempfile::tempdir().unwrap();
        let stack = [folder.path().to_owned()];
        assert_eq!(program(&stack).unwrap_err(), "the image has no systemd");
        fs::create_dir_all(folder.path().join("usr/lib/systemd")).unwrap();
        fs::create_dir_all(folder.path().join("usr/sbin")).unwrap();
        symlink("usr/lib", folder.path().join("lib")).unwrap();
        symlink("usr/sbin", folder.path().join("sbin")).unwrap();
        fs::write(folder.path().join("usr/lib/systemd/systemd"), "").unwrap();
        assert_eq!(program(&stack).unwrap(), Path::new("/usr/lib/systemd/systemd"));
        symlink("/lib/systemd/systemd", folder.path().join("usr/sbin/init")).unwrap();
        assert_eq!(program(&stack).unwrap(), Path::new("/usr/lib/systemd/systemd"));
        fs::remove_file(folder.path().join("usr/sbin/init")).unwrap();
        fs::write(folder.path().join("usr/sbin/init"), "").unwrap();
        assert!(program(&stack).unwrap_err().contains("/usr/sbin/init, which is not its systemd"));
    }
}
