//! Hash sums of files.

use crate::runner::hex::hex;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use std::fs::File;
use std::io::{self, Read};
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
    let file = File::open(path)?;
    match hash {
        Hash::Md5 => of::<Md5>(file),
        Hash::Sha1 => of::<Sha1>(file),
        Hash::Sha256 => of::<Sha256>(file),
        Hash::Sha512 => of::<Sha512>(file),
    }
}

fn of<D: Digest>(mut file: File) -> io::Result<String> {
    let mut digest = D::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => digest.update(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(hex(&digest.finalize()))
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
