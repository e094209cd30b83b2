//! Units of an image that cannot work in an instance, or that only cost time in one.
//!
//! They are masked in the fresh `/run`, never in the image. Everything else is part of the image and is left alone, also
//! timers and services that will fail: a failed unit is something to know about. Units with conditions of their own for
//! containers (udev, time synchronisation, huge pages, terminals) need no entry.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Units, each with the reason.
const ALWAYS: [(&str, &str); 9] = [
    ("sys-kernel-debug.mount", "the kernel is the host's, and nobody but its root may mount this"),
    ("sys-kernel-tracing.mount", "the kernel is the host's, and nobody but its root may mount this"),
    ("sys-kernel-config.mount", "the kernel is the host's, and nobody but its root may mount this"),
    ("sys-fs-fuse-connections.mount", "the kernel is the host's, and nobody but its root may mount this"),
    ("systemd-firstboot.service", "it asks questions on the console, and nobody is there to answer"),
    ("console-getty.service", "nobody will log in on the console"),
    ("systemd-networkd-wait-online.service", "the network is there before the first unit, and no link of ours changes"),
    ("NetworkManager-wait-online.service", "the network is there before the first unit, and no link of ours changes"),
    ("snapd.seeded.service", "snaps need kernel mounts that are not to be had; it waits for them for half a minute"),
];

/// When resolv.conf is the host's: this one would put its own in its place, and listen where the host's does.
const WITH_THE_HOSTS_RESOLVER: [(&str, &str); 1] =
    [("systemd-resolved.service", "names are resolved as on the host, by its resolv.conf")];

/// The units to mask, with the reason.
fn masked(hosts_resolver: bool) -> impl Iterator<Item = (&'static str, &'static str)> {
    let more = WITH_THE_HOSTS_RESOLVER.into_iter().filter(move |_| hosts_resolver);
    ALWAYS.into_iter().chain(more)
}

/// Names of the units that are masked.
pub(in crate::sandbox) fn names(hosts_resolver: bool) -> Vec<&'static str> {
    masked(hosts_resolver).map(|(unit, _)| unit).collect()
}

/// Masks the units in `folder`, which is one of systemd's own folders for units of this boot.
pub(super) fn mask(folder: &Path, hosts_resolver: bool) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    masked(hosts_resolver).try_for_each(|(unit, _)| symlink("/dev/null", folder.join(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_masked_once_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        mask(&folder.path().join("system"), true).unwrap();
        let made = fs::read_dir(folder.path().join("system")).unwrap().count();
        assert_eq!(made, ALWAYS.len() + WITH_THE_HOSTS_RESOLVER.len());
        assert!(masked(true).all(|(unit, why)| unit.contains('.') && !why.is_empty()));
        assert!(masked(false).all(|(unit, _)| unit != "systemd-resolved.service"));
    }
}
