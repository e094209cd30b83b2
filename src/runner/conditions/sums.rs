//! Hash sums of files.

use crate::runner::actions::digest::Hasher;
use std::io;
use std::path::Path;

/// The hashes that documents can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

/// The sum of a file's content in lower-case hexadecimal.
pub fn of_file(hash: Hash, path: &Path) -> io::Result<String> {
    let name = match hash {
        Hash::Md5 => "MD5",
        Hash::Sha1 => "SHA1",
        Hash::Sha256 => "SHA256",
        Hash::Sha512 => "SHA512",
    };
    Hasher::named(name).ok_or(io::ErrorKind::Unsupported)?.of_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn coreutils_say_the_same() {
        let directory = tempfile::tempdir().unwrap();
        for content in [vec![], b"abc".to_vec(), vec![7; 200_001]] {
            let path = directory.path().join("file");
            std::fs::write(&path, &content).unwrap();
            for (hash, tool) in [
                (Hash::Md5, "md5sum"),
                (Hash::Sha1, "sha1sum"),
                (Hash::Sha256, "sha256sum"),
                (Hash::Sha512, "sha512sum"),
            ] {
                let output = Command::new(tool).arg(&path).output().unwrap().stdout;
                let expected = String::from_utf8(output).unwrap();
                assert_eq!(Some(of_file(hash, &path).unwrap().as_str()), expected.split_whitespace().next(), "{tool}");
            }
        }
        assert!(of_file(Hash::Md5, directory.path()).is_err());
    }
}
