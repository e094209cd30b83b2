//! The names of apt's list files and what they tell.

use super::release::Release;
use crate::patch::inventory::PackageSource;

/// What a list file is, by its name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// A Release file whose signature is inside; the text is the name up to `InRelease`.
    InRelease(&'a str),
    /// A Release file without signature.
    Release(&'a str),
    /// The signature of a Release file.
    Signature(&'a str),
    /// A package index.
    Packages,
    /// Translations, contents, sources, locks.
    Other,
}

/// Suffixes that apt leaves on list files it keeps compressed.
const COMPRESSIONS: [&str; 6] = [".lz4", ".xz", ".gz", ".zst", ".bz2", ".lzma"];

impl<'a> Kind<'a> {
    pub(super) fn of(name: &'a str) -> Self {
        let plain = COMPRESSIONS.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        let stem = |end: &str| plain.strip_suffix(end).filter(|stem| stem.ends_with('_'));
        if let Some(stem) = stem("InRelease") {
            Self::InRelease(stem)
        } else if let Some(stem) = stem("Release.gpg") {
            Self::Signature(stem)
        } else if let Some(stem) = stem("Release") {
            Self::Release(stem)
        } else if stem("Packages").is_some() {
            Self::Packages
        } else {
            Self::Other
        }
    }
}

/// Whether the content is compressed: the first bytes of gzip, xz, lz4, zstd and bzip2.
pub(super) fn compressed(bytes: &[u8]) -> bool {
    const MAGIC: [&[u8]; 5] =
        [&[0x1f, 0x8b], &[0xfd, b'7', b'z'], &[0x04, 0x22, 0x4d, 0x18], &[0x28, 0xb5, 0x2f, 0xfd], b"BZh"];
    MAGIC.iter().any(|magic| bytes.starts_with(magic))
}

/// What is known of the Release of indexes: the file, and whether a signature is in it or beside it. apt keeps neither
/// when it could not verify the signature.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) release: Release,
    pub(super) signed: bool,
}

impl Known {
    /// The package source of an index of this Release.
    pub(super) fn source(&self, list_name: &str, declared_trusted: bool) -> PackageSource {
        PackageSource {
            site: site(list_name),
            suite: self.release.suite.clone(),
            codename: self.release.codename.clone(),
            label: self.release.label.clone(),
            trusted: self.signed || declared_trusted,
            ..PackageSource::default()
        }
    }
}

/// The path of an index below its suite, as Release files have it, from what its file name adds to that of the Release.
pub(super) fn path(rest: &str) -> String {
    let plain = COMPRESSIONS.iter().find_map(|suffix| rest.strip_suffix(suffix)).unwrap_or(rest);
    plain.replace('_', "/").replace("%5f", "_")
}

/// The host a list came from: apt makes the file name from the URI without its scheme, `/` becoming `_` and a real
/// underscore `%5f`. Without a host (`file:`, `copy:`, `cdrom:`) the name begins with `_`, and the path is shown.
fn site(list_name: &str) -> String {
    if !list_name.starts_with('_') {
        return list_name.split('_').next().unwrap_or_default().to_owned();
    }
    let path = list_name.split("_dists_").next().unwrap_or_default();
    format!("file:{}", path.replace('_', "/").replace("%5f", "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_a_file_is() {
        let stem = "mirror.example_debian_dists_bookworm_";
        assert_eq!(Kind::of(&format!("{stem}InRelease")), Kind::InRelease(stem));
        assert_eq!(Kind::of(&format!("{stem}Release")), Kind::Release(stem));
        assert_eq!(Kind::of(&format!("{stem}Release.gpg")), Kind::Signature(stem));
        for name in ["main_binary-amd64_Packages", "main_binary-amd64_Packages.lz4"] {
            assert_eq!(Kind::of(&format!("{stem}{name}")), Kind::Packages);
        }
        assert_eq!(Kind::of("_repo_._Packages"), Kind::Packages);
        for name in
            ["lock", "partial", "x_main_i18n_Translation-en", "x_main_source_Sources", "Packages", "x_NotRelease"]
        {
            assert_eq!(Kind::of(name), Kind::Other, "{name}");
        }
    }

    #[test]
    fn the_path_below_the_suite() {
        assert_eq!(path("main_binary-amd64_Packages.lz4"), "main/binary-amd64/Packages");
        assert_eq!(path("my%5fpart_binary-all_Packages"), "my_part/binary-all/Packages");
    }

    #[test]
    fn the_site_is_the_host_or_the_path() {
        assert_eq!(site("mirror.example_debian-security_dists_bookworm-security_InRelease"), "mirror.example");
        assert_eq!(site("localhost:8080_d_dists_x_InRelease"), "localhost:8080");
        assert_eq!(site("_srv_my%5frepo_dists_fix_main_binary-amd64_Packages"), "file:/srv/my_repo");
    }

    #[test]
    fn compressed_content_is_recognised() {
        assert!(compressed(&[0x1f, 0x8b, 8]) && compressed(&[0x04, 0x22, 0x4d, 0x18]) && compressed(b"\xfd7zXZ"));
        assert!(!compressed(b"Package: a") && !compressed(b""));
    }
}
