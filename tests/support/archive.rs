//! Writers of the two archive formats a Debian package consists of.

use std::io::Write;

/// A file of an archive.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Path inside, relative, without `./`.
    pub path: String,
    /// Content; `None` is a folder.
    pub content: Option<Vec<u8>>,
    /// Permission bits.
    pub mode: u32,
}

impl Entry {
    /// A plain file.
    pub fn file(path: &str, mode: u32, content: impl Into<Vec<u8>>) -> Self {
        Self { path: path.to_owned(), content: Some(content.into()), mode }
    }
}

/// A gzip-compressed ustar archive; all entries belong to root and carry one fixed time.
pub fn tar_gz(entries: &[Entry]) -> Vec<u8> {
    let mut tar = Vec::new();
    for entry in with_folders(entries) {
        let content = entry.content.as_deref().unwrap_or_default();
        tar.extend(header(&entry, content.len()));
        tar.extend(content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.extend([0; 1024]);
    gzip(&tar)
}

/// Compresses with a header that does not depend on the time.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An `ar` archive (ar(5), common format).
pub fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in members {
        let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 1_600_000_000, 0, 0, 100_644, content.len());
        bytes.extend(header.as_bytes());
        bytes.extend(*content);
        if content.len() % 2 == 1 {
            bytes.push(b'\n');
        }
    }
    bytes
}

/// dpkg wants the folders of every file to be in the archive, before it.
fn with_folders(entries: &[Entry]) -> Vec<Entry> {
    let mut all: Vec<Entry> = vec![Entry { path: String::new(), content: None, mode: 0o755 }];
    for entry in entries {
        for (at, _) in entry.path.match_indices('/') {
            let folder = &entry.path[..at];
            if !all.iter().any(|known| known.path == folder) {
                all.push(Entry { path: folder.to_owned(), content: None, mode: 0o755 });
            }
        }
        all.push(entry.clone());
    }
    all
}

fn header(entry: &Entry, size: usize) -> [u8; 512] {
    let mut header = [0_u8; 512];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    let folder = entry.content.is_none();
    let name = format!("./{}{}", entry.path, if folder && !entry.path.is_empty() { "/" } else { "" });
    assert!(name.len() < 100, "the name does not fit: {name}");
    put(0, &name);
    put(100, &format!("{:07o}", entry.mode));
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{size:011o}"));
    put(136, &format!("{:011o}", 1_600_000_000));
    put(148, "        ");
    put(156, if folder { "5" } else { "0" });
    put(257, "ustar\0");
    put(263, "00");
    put(265, "root");
    put(297, "root");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}
