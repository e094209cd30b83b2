//! What an archive is compressed with: told by its first bytes, undone on the way.

use crate::sandbox::SandboxError;
use crate::sandbox::mode::program;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// How a stream of bytes is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Plain,
    Gzip,
    Zstd,
    Xz,
}

impl Codec {
    /// By the first bytes (RFC 1952 2.3.1, RFC 8878 3.1.1, the .xz file format 2.1.1.1). Names and media types are not
    /// asked: they lie more often.
    fn of(first: &[u8]) -> Self {
        match first {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            _ => Self::Plain,
        }
    }
}

/// A part of a file: a blob may lie in an archive that is not unpacked itself.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::sandbox) struct Blob {
    pub(in crate::sandbox) path: PathBuf,
    pub(in crate::sandbox) offset: u64,
    pub(in crate::sandbox) length: u64,
}

impl Blob {
    /// All of a file.
    pub(in crate::sandbox) fn whole(path: &Path) -> Result<Self, SandboxError> {
        let metadata = std::fs::metadata(path).map_err(SandboxError::file("cannot read", path))?;
        if !metadata.is_file() {
            return Err(SandboxError::file("cannot read", path)(io::Error::other("it is not a file")));
        }
        Ok(Self { path: path.to_owned(), offset: 0, length: metadata.len() })
    }

    /// Its bytes as they are.
    pub(in crate::sandbox) fn open(&self) -> Result<io::Take<File>, SandboxError> {
        let failed = |error| SandboxError::file("cannot read", &self.path)(error);
        let mut file = File::open(&self.path).map_err(failed)?;
        file.seek(SeekFrom::Start(self.offset)).map_err(failed)?;
        Ok(file.take(self.length))
    }

    /// All bytes, if they are not more than `most`.
    pub(in crate::sandbox) fn read(&self, most: u64) -> Result<Vec<u8>, SandboxError> {
        let failed = |error| SandboxError::file("cannot read", &self.path)(error);
        if self.length > most {
            return Err(failed(io::Error::other(format!("{} bytes are more than it can have", self.length))));
        }
        let mut bytes = Vec::new();
        self.open()?.read_to_end(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }

    /// Whether it is compressed.
    pub(in crate::sandbox) fn is_compressed(&self) -> Result<bool, SandboxError> {
        Ok(self.codec()? != Codec::Plain)
    }

    fn codec(&self) -> Result<Codec, SandboxError> {
        let mut first = Vec::new();
        let read = self.open()?.take(6).read_to_end(&mut first);
        read.map_err(SandboxError::file("cannot read", &self.path))?;
        Ok(Codec::of(&first))
    }

    /// Its bytes without compression.
    pub(in crate::sandbox) fn decoded(&self) -> Result<Decoded, SandboxError> {
        Ok(match self.codec()? {
            Codec::Plain => Decoded::Plain(BufReader::with_capacity(1 << 17, self.open()?)),
            // Several gzip members one after the other are one stream, as gzip itself has it.
            Codec::Gzip => Decoded::Gzip(Box::new(flate2::read::MultiGzDecoder::new(self.open()?))),
            Codec::Zstd => Decoded::Piped(self.piped("zstd", "zstd")?),
            Codec::Xz => Decoded::Piped(self.piped("xz", "xz-utils")?),
        })
    }

    fn piped(&self, name: &str, package: &str) -> Result<Piped, SandboxError> {
        let path = program(name).ok_or_else(|| SandboxError::Program {
            program: name.into(),
            purpose: format!("{} is compressed with it", self.path.display()),
            mend: format!("sudo apt-get install -y {package}"),
            without: "archives that are plain or compressed with gzip".into(),
        })?;
        let failed = |error| SandboxError::file("cannot run", &path)(error);
        let mut child = Command::new(&path)
            // The memory that a frame asks for is the frame's own claim; the programs' limits (128 MiB for zstd) stand.
            .args(["-d", "-c", "-q"])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (Some(mut stdin), Some(stdout)) = (stdin, stdout) else {
            return Err(failed(io::Error::other("it has no input or output")));
        };
        let mut bytes = self.open()?;
        // A reader that stops early ends the program, and with it this thread: its pipe breaks.
        std::thread::spawn(move || io::copy(&mut bytes, &mut stdin).map(drop));
        Ok(Piped { name: name.to_owned(), child, stdout: BufReader::with_capacity(1 << 17, stdout) })
    }
}

/// A stream without compression.
pub(in crate::sandbox) enum Decoded {
    Plain(BufReader<io::Take<File>>),
    Gzip(Box<flate2::read::MultiGzDecoder<io::Take<File>>>),
    Piped(Piped),
}

impl Read for Decoded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Gzip(reader) => reader.read(buffer),
            Self::Piped(reader) => reader.read(buffer),
        }
    }
}

/// The output of a program that decompresses.
pub(in crate::sandbox) struct Piped {
    name: String,
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Read for Piped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stdout.read(buffer)?;
        if count > 0 || buffer.is_empty() {
            return Ok(count);
        }
        // The end of its output is the end of the content only if the program says so.
        let status = self.child.wait()?;
        if status.success() {
            return Ok(0);
        }
        let mut said = String::new();
        if let Some(stderr) = self.child.stderr.take() {
            let _ = stderr.take(1000).read_to_string(&mut said);
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} ended with {status}: {}", self.name, said.trim())))
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn blob(folder: &Path, bytes: &[u8]) -> Blob {
        let path = folder.join("blob");
        std::fs::write(&path, bytes).unwrap();
        Blob::whole(&path).unwrap()
    }

    fn decoded(blob: &Blob) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        blob.decoded().unwrap().read_to_end(&mut bytes).map(|_| bytes)
    }

    fn compressed_by(name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut child =
            Command::new(program(name)?).arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        Some(child.wait_with_output().unwrap().stdout)
    }

    #[test]
    fn every_compression_is_undone_and_a_cut_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let text = b"a text of some length ".repeat(500);
        assert_eq!(decoded(&blob(folder.path(), &text)).unwrap(), text);
        let mut some = 0;
        for name in ["gzip", "zstd", "xz"] {
            // A machine without the program gets its name and the command; the other two are proved anyway.
            let Some(bytes) = compressed_by(name, &text) else { continue };
            some += 1;
            let whole = blob(folder.path(), &bytes);
            assert!(whole.is_compressed().unwrap(), "{name}");
            assert_eq!(decoded(&whole).unwrap(), text, "{name}");
            let cut = blob(folder.path(), &bytes[..bytes.len() / 2]);
            assert!(decoded(&cut).is_err(), "{name}");
        }
        assert!(some > 0, "there is not even gzip");
    }

    #[test]
    fn two_gzip_members_are_one_stream() {
        let folder = tempfile::tempdir().unwrap();
        let Some(mut bytes) = compressed_by("gzip", b"one ") else { panic!("gzip is essential") };
        bytes.extend(compressed_by("gzip", b"two").unwrap());
        assert_eq!(decoded(&blob(folder.path(), &bytes)).unwrap(), b"one two");
    }

    #[test]
    fn a_blob_is_a_part_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let whole = blob(folder.path(), b"before inside after");
        let part = Blob { offset: 7, length: 6, ..whole };
        assert_eq!(decoded(&part).unwrap(), b"inside");
        assert!(part.read(5).is_err());
        assert_eq!(part.read(6).unwrap(), b"inside");
    }
}
