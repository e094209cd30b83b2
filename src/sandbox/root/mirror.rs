//! Package mirrors: which one this machine uses, and where security updates are.

use std::fs;
use std::path::{Path, PathBuf};

/// The name of Debian's archive, in its path.
const DEBIAN: &str = "debian";

/// The mirror of an archive (`debian`, `ubuntu`) that this machine's apt uses, else the one that mmdebstrap (the program at
/// that path) would use by itself: no host stands in our own code.
pub(super) fn of_this_machine(mmdebstrap: &Path, archive: &str) -> Option<String> {
    let folder = Path::new("/etc/apt/sources.list.d");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.push("/etc/apt/sources.list".into());
    files.sort();
    let sources = files.iter().filter_map(|path| {
        let deb822 = path.extension().is_some_and(|extension| extension == "sources");
        Some((deb822, fs::read_to_string(path).ok()?))
    });
    let configured = sources.into_iter().find_map(|(deb822, text)| find(&text, deb822, archive));
    configured.or_else(|| default_of(&fs::read_to_string(mmdebstrap).ok()?, archive))
}

/// The mirror that the text of mmdebstrap names as the default of an archive: `my $mirror = 'http://…/debian';`.
fn default_of(program: &str, archive: &str) -> Option<String> {
    let assignments = program.lines().filter_map(|line| {
        let line = line.trim();
        line.strip_prefix("my ").unwrap_or(line).strip_prefix("$mirror")?.split_once('=')
    });
    let quoted = assignments.filter_map(|(_, value)| value.split('\'').nth(1));
    quoted.into_iter().find(|uri| is_archive(uri, archive)).map(ToOwned::to_owned)
}

/// The first mirror of an archive in the text of an apt source, of either format (sources.list(5)).
fn find(text: &str, deb822: bool, archive: &str) -> Option<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let words = lines.filter_map(|line| match line.split_once(char::is_whitespace)? {
        (key, rest) if deb822 && key.eq_ignore_ascii_case("uris:") => Some(rest),
        ("deb", rest) if !deb822 => Some(rest),
        _ => None,
    });
    words
        .flat_map(str::split_whitespace)
        .find(|word| is_archive(word, archive))
        .map(|word| word.trim_end_matches('/').to_owned())
}

/// A place that can be fetched from by any program (not `mirror+file:` or `cdrom:`) and whose path names the archive.
fn is_archive(uri: &str, archive: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return false };
    ["http", "https", "file"].contains(&scheme) && rest.split('/').skip(host_parts(uri) - 1).any(|part| part == archive)
}

/// How many of the parts between slashes come before the path: `scheme:`, nothing and the host, or only `scheme:`.
fn host_parts(uri: &str) -> usize {
    if uri.contains("://") { 3 } else { 1 }
}

/// Where the security updates of a mirror of Debian are: beside the archive, under the name of its own (as on every full
/// mirror). A mirror that does not name the archive has all suites in one place.
pub(super) fn security(mirror: &str) -> String {
    let mut parts: Vec<&str> = mirror.trim_end_matches('/').split('/').collect();
    let replaced = "debian-security";
    match parts.iter_mut().skip(host_parts(mirror)).rev().find(|part| **part == DEBIAN) {
        Some(part) => *part = replaced,
        None => return mirror.to_owned(),
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_found_in_both_formats() {
        let deb822 = "# URIs: http://comment/debian\nTypes: deb\nURIs: http://m.example/debian/\nSuites: bookworm\n";
        assert_eq!(find(deb822, true, DEBIAN).as_deref(), Some("http://m.example/debian"));
        let security_first = "URIs: http://m.example/debian-security\n\nURIs: https://n.example/pub/debian\n";
        assert_eq!(find(security_first, true, DEBIAN).as_deref(), Some("https://n.example/pub/debian"));
        let list = "# deb http://c.example/debian x\ndeb-src http://s.example/debian x main\n\
                    deb [signed-by=/usr/share/debian/k] http://l.example/debian bookworm main\n";
        assert_eq!(find(list, false, DEBIAN).as_deref(), Some("http://l.example/debian"));
    }

    #[test]
    fn the_default_is_the_one_of_mmdebstrap() {
        let program = "sub f {\n    my $mirror    = 'http://m.example/debian';\n    my $mirrors = 'x';\n}\n";
        let ubuntu =
            "if (x) {\n    $mirror    = 'http://m.example/ubuntu';\n    $secmirror = 'http://s.example/ubuntu';\n";
        assert_eq!(default_of(ubuntu, "ubuntu").as_deref(), Some("http://m.example/ubuntu"));
        assert_eq!(default_of(ubuntu, "ubuntu-ports"), None);
        assert_eq!(default_of(program, DEBIAN).as_deref(), Some("http://m.example/debian"));
        assert_eq!(default_of("my $mirror = get();\nmy $mirror = 'none';\n", DEBIAN), None);
    }

    #[test]
    fn other_archives_are_not_mirrors_of_debian() {
        for text in
            ["deb http://u.example/ubuntu jammy main", "deb mirror+file:/etc/apt/debian bookworm main", "", "deb"]
        {
            assert_eq!(find(text, false, DEBIAN), None, "{text}");
        }
    }

    #[test]
    fn security_updates_are_beside_the_archive() {
        assert_eq!(security("http://m.example/debian/"), "http://m.example/debian-security");
        assert_eq!(
            security("https://s.example/archive/debian/2025Z"),
            "https://s.example/archive/debian-security/2025Z"
        );
        assert_eq!(security("file:/srv/repo"), "file:/srv/repo");
        assert_eq!(security("http://debian"), "http://debian");
    }
}
