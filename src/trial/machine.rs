//! Test stages on a machine with the image's own kernel.

use super::error::TrialError;
use super::matrix::Trial;
use super::{Options, TEST_PHASE};
use crate::sandbox::root::Source;

/// Distribution, and the package with a kernel for virtual machines of its.
const KERNELS: [(&str, &str); 2] = [("debian", "linux-image-cloud-"), ("ubuntu", "linux-image-virtual")];

/// Whether there is something to boot, and nothing that contradicts it.
pub(super) fn check(trials: &[Trial], options: &Options) -> Result<(), TrialError> {
    if options.keep {
        return Err(TrialError::Option {
            message: "--keep leaves an instance, and a machine of --vm is none".to_owned(),
            next: "leave one of them out".to_owned(),
        });
    }
    let phase = [TEST_PHASE.to_owned()];
    let tests = |trial: &Trial| trial.skip.is_none() && trial.documents.iter().any(|document| document.has(&phase));
    if options.phases.contains(&phase[0]) && trials.iter().any(tests) {
        return Ok(());
    }
    Err(TrialError::Nothing {
        why: "--vm boots images for their phase `test`, and no document here has one".to_owned(),
    })
}

/// Has the root of a release made with a kernel and systemd. Other roots have what they have.
pub(super) fn with_kernel(source: &mut Source) {
    let distribution = if source.is_debian() { "debian" } else { "ubuntu" };
    let Source::Bootstrap { packages, .. } = source else { return };
    let architecture = if std::env::consts::ARCH == "aarch64" { "arm64" } else { "amd64" };
    let kernel = KERNELS.into_iter().find(|(name, _)| *name == distribution).map(|(_, package)| package);
    let kernel = kernel.map(|package| {
        let suffix = if package.ends_with('-') { architecture } else { "" };
        format!("{package}{suffix}")
    });
    let has_kernel = packages.iter().any(|package| package.starts_with("linux-image-"));
    let wanted = kernel.filter(|_| !has_kernel).into_iter().chain(["systemd".to_owned(), "systemd-sysv".to_owned()]);
    for package in wanted {
        if !packages.contains(&package) {
            packages.push(package);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn releases_get_a_kernel_and_systemd_once() {
        let made = |text: &str| {
            let mut source: Source = text.parse().unwrap();
            with_kernel(&mut source);
            source.to_string()
        };
        let once = made("debian-12:curl");
        assert!(once.contains(":curl:linux-image-cloud-") && once.ends_with(":systemd:systemd-sysv"), "{once}");
        assert_eq!(made(&once), once);
        let ubuntu = made("ubuntu-24.04:linux-image-aws:systemd");
        assert!(!ubuntu.contains("linux-image-virtual") && ubuntu.ends_with("systemd-sysv"), "{ubuntu}");
        assert_eq!(made("oci:amazonlinux:2023"), "oci:amazonlinux:2023");
    }

    #[test]
    fn what_boots_nothing_is_refused() {
        let refused = |options: &Options| check(&[], options).unwrap_err().to_string();
        assert!(refused(&Options::default()).contains("no document here has one"));
        assert!(refused(&Options { keep: true, ..Options::default() }).contains("--keep"));
    }
}
