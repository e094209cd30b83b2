//! Folders that are used where they are.

use crate::sandbox::SandboxError;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Where package managers keep what is installed: dpkg, rpm before and after it moved into /usr, apk.
const DATABASES: [&str; 8] = [
    "var/lib/dpkg/status",
    "var/lib/rpm/rpmdb.sqlite",
    "var/lib/rpm/Packages",
    "var/lib/rpm/Packages.db",
    "usr/lib/sysimage/rpm/rpmdb.sqlite",
    "usr/lib/sysimage/rpm/Packages.db",
    "lib/apk/db/installed",
    "usr/lib/apk/db/installed",
];

/// Where package managers are told where packages come from.
const SOURCES: [&str; 5] =
    ["etc/apt/sources.list", "etc/apt/sources.list.d", "etc/yum.repos.d", "etc/dnf/vars", "etc/zypp/repos.d"];

/// Makes sure that a folder is a root filesystem and returns its digest: of its place, what is installed and where packages
/// come from. It changes when packages do, and not with every log line.
pub(super) fn identify(path: &Path, from: &str) -> Result<String, SandboxError> {
    let unusable = |why: String| SandboxError::Source {
        from: from.to_owned(),
        why,
        next: "name a folder that holds an unpacked system, or leave the source out".to_owned(),
    };
    match fs::metadata(path) {
        Err(error) => return Err(unusable(format!("the folder cannot be read: {error}"))),
        Ok(found) if !found.is_dir() => return Err(unusable("it is a file, and no folder; a tar is tar:PATH".into())),
        Ok(_) => {}
    }
    if !["bin", "usr", "etc"].iter().any(|name| path.join(name).is_dir()) {
        return Err(unusable("it has neither bin nor usr nor etc".into()));
    }
    let mut words = vec!["directory".to_owned(), path.display().to_string()];
    for name in DATABASES.into_iter().chain(SOURCES) {
        let read = note(&path.join(name), name, &mut words);
        read.map_err(|error| unusable(format!("{name} cannot be read: {error}")))?;
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(super::key(&words))
}

/// A small file by its content, a large one (a database) by its size and time, a folder by what is in it.
fn note(path: &Path, name: &str, words: &mut Vec<String>) -> io::Result<()> {
    const SMALL: u64 = 16 << 20;
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(error),
    };
    words.push(name.to_owned());
    if found.is_dir() {
        let mut names: Vec<_> = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
        names.sort_unstable();
        for inner in names {
            note(&path.join(&inner), &format!("{name}/{}", inner.to_string_lossy()), words)?;
        }
    } else if found.len() <= SMALL {
        words.push(super::hex(&fs::read(path)?));
    } else {
        words.push(format!("{} {}.{}", found.len(), found.mtime(), found.mtime_nsec()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, path: &str, text: &str) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_folder_has_the_same_digest_until_its_packages_or_sources_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        write(path, "var/lib/dpkg/status", "Package: bash\n");
        write(path, "etc/apt/sources.list", "deb http://mirror bookworm main\n");
        let first = identify(path, "dir:x").unwrap();
        write(path, "var/log/dpkg.log", "more");
        assert_eq!(identify(path, "dir:x").unwrap(), first);
        write(path, "etc/apt/sources.list.d/more.list", "deb http://more x main\n");
        let second = identify(path, "dir:x").unwrap();
        assert_ne!(second, first);
        write(path, "var/lib/rpm/rpmdb.sqlite", "rpm");
        assert_ne!(identify(path, "dir:x").unwrap(), second);
    }

    #[test]
    fn what_is_no_root_is_refused_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let said = |path: &Path| identify(path, "dir:x").unwrap_err().to_string();
        assert!(
            said(folder.path()).contains("no root can be made of dir:x: it has neither bin"),
            "{}",
            said(folder.path())
        );
        assert!(said(&folder.path().join("absent")).contains("cannot be read"));
        write(folder.path(), "file", "");
        assert!(said(&folder.path().join("file")).contains("a tar is tar:PATH"));
    }
}
