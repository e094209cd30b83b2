//! The names of apt's list files and what Release files say.

use super::stanza::{Malformed, stanzas};
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

/// The fields of a Release file that evaluation looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Release {
    pub(super) suite: String,
    pub(super) codename: String,
    pub(super) label: String,
    /// Whether it carries a signature, or one lies beside it: apt keeps neither when it could not verify it.
    pub(super) signed: bool,
}

impl Release {
    /// Reads a `Release` or `InRelease` text; the latter has the stanza inside a clear-signed message.
    pub(super) fn read(text: &str, signed: bool) -> Result<Self, Malformed> {
        let Some(stanza) = stanzas(cleartext(text), ["Suite", "Codename", "Label"]).next() else {
            return Ok(Self { signed, ..Self::default() });
        };
        let [suite, codename, label] = stanza?.map(|value| value.unwrap_or_default().to_owned());
        Ok(Self { suite, codename, label, signed })
    }

    /// The package source of an index of this Release.
    pub(super) fn source(&self, list_name: &str, declared_trusted: bool) -> PackageSource {
        PackageSource {
            site: site(list_name),
            suite: self.suite.clone(),
            codename: self.codename.clone(),
            label: self.label.clone(),
            trusted: self.signed || declared_trusted,
            ..PackageSource::default()
        }
    }
}

/// What was signed in a clear-signed message, or all of it when it is none: the text after the armour's own headers
/// (`Hash:`), up to the signature.
fn cleartext(text: &str) -> &str {
    let Some(message) = text.trim_start().strip_prefix("-----BEGIN PGP SIGNED MESSAGE-----") else { return text };
    let body = message.find("\n\n").map_or("", |end| &message[end..]);
    body.find("\n-----BEGIN PGP SIGNATURE-----").map_or(body, |end| &body[..end])
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

    const IN_RELEASE: &str = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nOrigin: Debian\nLabel: Debian-Security\n\
        Suite: oldstable-security\nCodename: bookworm-security\nSHA256:\n e3b0c442 0 main/Contents\n\
        -----BEGIN PGP SIGNATURE-----\n\niQIzBAEBCAAdFiEE=\n=abcd\n-----END PGP SIGNATURE-----\n";

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
    fn a_clear_signed_release_file_says_suite_codename_and_label() {
        let release = Release::read(IN_RELEASE, true).unwrap();
        assert_eq!(release.suite, "oldstable-security");
        assert_eq!(release.codename, "bookworm-security");
        assert_eq!(release.label, "Debian-Security");
        assert_eq!(Release::read(cleartext(IN_RELEASE), true).unwrap(), release);
        assert_eq!(Release::read("", false).unwrap(), Release::default());
        assert!(Release::read("<html>not found</html>\n", false).is_err());
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
