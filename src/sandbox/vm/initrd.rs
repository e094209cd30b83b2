//! A file system in memory for the kernel to start with: a cpio archive in the format `newc` (cpio(5)).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const DEVICE: u32 = 0o020_600;

/// An archive in the making.
#[derive(Debug, Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    inode: u32,
    folders: BTreeSet<PathBuf>,
}

impl Archive {
    /// Puts a file with execution rights at an absolute path; the folders above it are made.
    pub(super) fn program(&mut self, path: &Path, content: &[u8]) {
        if let Some(parent) = path.parent() {
            self.folder(parent);
        }
        self.entry(path, PROGRAM, (0, 0), content);
    }

    /// Makes a folder and those above it.
    pub(super) fn folder(&mut self, path: &Path) {
        if path.parent().is_none() || !self.folders.insert(path.to_owned()) {
            return;
        }
        if let Some(parent) = path.parent() {
            self.folder(parent);
        }
        self.entry(path, FOLDER, (0, 0), &[]);
    }

    /// Makes a character device.
    pub(super) fn device(&mut self, path: &Path, major: u32, minor: u32) {
        if let Some(parent) = path.parent() {
            self.folder(parent);
        }
        self.entry(path, DEVICE, (major, minor), &[]);
    }

    /// The whole archive.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry(Path::new("/TRAILER!!!"), 0, (0, 0), &[]);
        self.bytes
    }

    fn entry(&mut self, path: &Path, mode: u32, device: (u32, u32), content: &[u8]) {
        let name = path.strip_prefix("/").unwrap_or(path).to_string_lossy();
        self.inode += 1;
        let links = if mode == FOLDER { 2 } else { 1 };
        let length = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let numbers = [
            self.inode,
            mode,
            0,
            0,
            links,
            0,
            length(content.len()),
            0,
            0,
            device.0,
            device.1,
            length(name.len() + 1),
            0,
        ];
        self.bytes.extend_from_slice(b"070701");
        self.bytes.extend(numbers.iter().flat_map(|number| format!("{number:08x}").into_bytes()));
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    #[test]
    fn cpio_lists_what_was_put_in() {
        let mut archive = Archive::default();
        archive.program(Path::new("/lib/a/b.so"), b"library");
        archive.program(Path::new("/init"), &[7; 1001]);
        archive.device(Path::new("/dev/console"), 5, 1);
        let bytes = archive.finish();
        // An independent reader: Python's standard library has none, so the format is read by hand in it.
        let script = "import sys\nd=sys.stdin.buffer.read();o=0\nwhile True:\n h=d[o:o+110];assert h[:6]==b'070701'\n \
            f=[int(h[6+8*i:14+8*i],16) for i in range(13)]\n n=d[o+110:o+110+f[11]-1].decode();o=(o+110+f[11]+3)//4*4\n \
            if n=='TRAILER!!!': break\n print(n,oct(f[1]),f[6],sum(d[o:o+f[6]])%1000,f[9],f[10]);o=(o+f[6]+3)//4*4\n";
        let mut child =
            Command::new("python3").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(&bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let expected = "lib 0o40755 0 0 0 0\nlib/a 0o40755 0 0 0 0\nlib/a/b.so 0o100755 7 757 0 0\ninit 0o100755 1001 7 0 0\n\
            dev 0o40755 0 0 0 0\ndev/console 0o20600 0 0 5 1\n";
        assert_eq!(text, expected);
    }
}
