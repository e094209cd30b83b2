//! Reading a tar one member at a time, in constant memory whatever the archive says of itself.
//!
//! Fields of a header are decoded by the `tar` crate. The walk from header to header is ours, because that crate reads the
//! extensions before a member (long names, attributes) into memory as they come, and an archive that is a few kilobytes
//! on the disk can claim gigabytes of them.

use std::borrow::Cow;
use std::io::{self, Read};
use tar::{EntryType, Header};

/// Bytes of a header, and what everything is padded to.
const BLOCK: usize = 512;

/// Most bytes of extensions before one member. A path has at most 4096, an attribute 65536, and all attributes of a
/// file together fit into a block of the file system.
const LONGEST_EXTENSION: u64 = 1 << 20;

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    /// Another name of an earlier member.
    Hard,
    /// A symbolic link.
    Soft,
    Pipe,
    /// A character or block device.
    Device,
}

/// A member of an archive, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) path: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) size: u64,
    /// Permission bits with set-id and sticky bits.
    pub(super) mode: u32,
    pub(super) uid: u64,
    pub(super) gid: u64,
    /// Seconds since 1970, and nanoseconds.
    pub(super) modified: (i64, u32),
    /// Where a link leads.
    pub(super) target: Vec<u8>,
    /// Extended attributes, name and value.
    pub(super) attributes: Vec<(String, Vec<u8>)>,
}

/// Reads members.
pub(super) struct Reader<R> {
    inner: R,
    /// Bytes of the current member's content that nobody has read yet, and of its padding.
    unread: u64,
    padding: u64,
}

/// What extension headers say of the member after them.
#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    records: Vec<(Vec<u8>, Vec<u8>)>,
    bytes: u64,
}

fn wrong(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

impl<R: Read> Reader<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, unread: 0, padding: 0 }
    }

    /// The next member; `None` at the end of the archive. What is left of the one before is skipped.
    pub(super) fn next(&mut self) -> io::Result<Option<Member>> {
        self.skip()?;
        let mut extensions = Extensions::default();
        loop {
            let Some(header) = self.header()? else {
                let dangling = extensions.bytes > 0;
                return if dangling { Err(wrong("it ends after an extension, before its member")) } else { Ok(None) };
            };
            let size = number(header.entry_size(), &header.as_old().size, "a size")?;
            match header.entry_type() {
                EntryType::XGlobalHeader => drop(self.extension(size, &mut extensions)?),
                EntryType::XHeader => {
                    let text = self.extension(size, &mut extensions)?;
                    extensions.records.extend(records(&text)?);
                }
                EntryType::GNULongName => extensions.path = Some(until_nul(self.extension(size, &mut extensions)?)),
                EntryType::GNULongLink => extensions.target = Some(until_nul(self.extension(size, &mut extensions)?)),
                kind => return self.member(&header, kind, size, extensions).map(Some),
            }
        }
    }

    /// A header; `None` at a block of zeros, which ends an archive, or at the end of the file, which some writers leave.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let mut header = Header::new_old();
        match read_block(&mut self.inner, header.as_mut_bytes())? {
            0 => return Ok(None),
            BLOCK => {}
            _ => return Err(wrong("it ends in the middle of a header")),
        }
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let sum = header.as_bytes().iter().enumerate();
        // The field of the sum itself counts as blanks.
        let sum: u32 = sum.map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) }).sum();
        if header.cksum().ok() != Some(sum) {
            return Err(wrong("it is no tar, or damaged: the checksum of a header is wrong"));
        }
        Ok(Some(header))
    }

    fn extension(&mut self, size: u64, so_far: &mut Extensions) -> io::Result<Vec<u8>> {
        so_far.bytes = so_far.bytes.saturating_add(size.max(1));
        if so_far.bytes > LONGEST_EXTENSION {
            return Err(wrong(format!("the names and attributes of a member have {size} bytes")));
        }
        let mut text = Vec::new();
        (&mut self.inner).take(size).read_to_end(&mut text)?;
        if text.len() as u64 != size {
            return Err(wrong("it ends in the middle of an extension"));
        }
        discard(&mut self.inner, padding_of(size))?;
        Ok(text)
    }

    fn member(&mut self, header: &Header, kind: EntryType, size: u64, mut more: Extensions) -> io::Result<Member> {
        let path = more.path.take().unwrap_or_else(|| header.path_bytes().into_owned());
        let kind = kind_of(kind, &path)?;
        let raw = header.as_old();
        let mode = number(header.mode().map(u64::from), &raw.mode, "a mode")?;
        let mut member = Member {
            kind,
            size,
            mode: u32::try_from(mode & 0o7777).unwrap_or(0),
            uid: number(header.uid(), &raw.uid, "an owner")?,
            gid: number(header.gid(), &raw.gid, "a group")?,
            modified: (i64::try_from(number(header.mtime(), &raw.mtime, "a time")?).unwrap_or(0), 0),
            target: more.target.take().or_else(|| header.link_name_bytes().map(Cow::into_owned)).unwrap_or_default(),
            path,
            attributes: Vec::new(),
        };
        for (key, value) in more.records {
            extend(&mut member, &key, value)?;
        }
        // Only files have content; the links and folders of some writers carry a size that means nothing.
        if member.kind != Kind::File {
            member.size = 0;
        }
        (self.unread, self.padding) = (member.size, padding_of(member.size));
        Ok(member)
    }

    fn skip(&mut self) -> io::Result<()> {
        discard(&mut self.inner, std::mem::take(&mut self.unread))?;
        discard(&mut self.inner, std::mem::take(&mut self.padding))
    }

    /// Reads on to the end of the stream, so that whoever counts or hashes its bytes has seen all of them.
    pub(super) fn drain(mut self) -> io::Result<()> {
        self.skip()?;
        io::copy(&mut self.inner, &mut io::sink()).map(drop)
    }
}

/// The content of the current member.
impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.unread).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let count = self.inner.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(wrong("it ends in the middle of a file"));
        }
        self.unread -= count as u64;
        Ok(count)
    }
}

/// A field of a header; one that was left blank is 0, as every other reader has it.
fn number(value: io::Result<u64>, raw: &[u8], what: &str) -> io::Result<u64> {
    let blank = raw.iter().all(|byte| matches!(byte, 0 | b' '));
    if blank { Ok(0) } else { value.map_err(|_| wrong(format!("{what} is no number"))) }
}

fn kind_of(kind: EntryType, path: &[u8]) -> io::Result<Kind> {
    Ok(match kind {
        // Before POSIX a folder was a file whose name ended with a slash.
        EntryType::Regular | EntryType::Continuous if path.ends_with(b"/") => Kind::Folder,
        EntryType::Regular | EntryType::Continuous => Kind::File,
        EntryType::Directory => Kind::Folder,
        EntryType::Link => Kind::Hard,
        EntryType::Symlink => Kind::Soft,
        EntryType::Fifo => Kind::Pipe,
        EntryType::Char | EntryType::Block => Kind::Device,
        EntryType::GNUSparse => return Err(wrong("it has a sparse file; write it without --sparse")),
        other => {
            let name = String::from_utf8_lossy(path).into_owned();
            return Err(wrong(format!("`{name}` is of an unknown kind ({:?})", char::from(other.as_byte()))));
        }
    })
}

/// What a record of a pax extension (POSIX pax, and what others have added to it) changes.
fn extend(member: &mut Member, key: &[u8], value: Vec<u8>) -> io::Result<()> {
    let number = |value: &[u8], what: &str| {
        let text = std::str::from_utf8(value).ok();
        text.and_then(|text| text.parse::<u64>().ok()).ok_or_else(|| wrong(format!("{what} is no number")))
    };
    match key {
        b"path" => {
            // The kind was told by the name before; only the slash at its end matters, and both have the same.
            member.path = value;
        }
        b"linkpath" => member.target = value,
        b"size" => member.size = number(&value, "a size")?,
        b"uid" => member.uid = number(&value, "an owner")?,
        b"gid" => member.gid = number(&value, "a group")?,
        b"mtime" => member.modified = time(&value)?,
        _ if key.starts_with(b"GNU.sparse.") => return Err(wrong("it has a sparse file; write it without --sparse")),
        _ => {
            if let Some(name) = key.strip_prefix(b"SCHILY.xattr.")
                && let Ok(name) = std::str::from_utf8(name)
            {
                member.attributes.push((name.to_owned(), value));
            }
        }
    }
    Ok(())
}

/// `1700000000.25`, also negative.
fn time(value: &[u8]) -> io::Result<(i64, u32)> {
    let text = std::str::from_utf8(value).map_err(|_| wrong("a time is no number"))?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = seconds.parse().map_err(|_| wrong("a time is no number"))?;
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    Ok((seconds, digits.parse().map_err(|_| wrong("a time is no number"))?))
}

/// `LENGTH KEY=VALUE\n` one after the other; values may hold anything, newlines too.
fn records(mut text: &[u8]) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut records = Vec::new();
    while !text.is_empty() {
        let record = (|| {
            let blank = text.iter().position(|byte| *byte == b' ')?;
            let length: usize = std::str::from_utf8(&text[..blank]).ok()?.parse().ok()?;
            let record = text.get(blank + 1..length)?.strip_suffix(b"\n")?;
            let equals = record.iter().position(|byte| *byte == b'=')?;
            Some((length, record[..equals].to_vec(), record[equals + 1..].to_vec()))
        })();
        let (length, key, value) = record.ok_or_else(|| wrong("the extension of a member cannot be read"))?;
        records.push((key, value));
        text = &text[length..];
    }
    Ok(records)
}

fn until_nul(mut text: Vec<u8>) -> Vec<u8> {
    if let Some(end) = text.iter().position(|byte| *byte == 0) {
        text.truncate(end);
    }
    text
}

fn padding_of(size: u64) -> u64 {
    let block = BLOCK as u64;
    (block - size % block) % block
}

/// How much of a block could be read: all, nothing, or less at the end of a cut file.
fn read_block(reader: &mut impl Read, block: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match reader.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn discard(reader: &mut impl Read, count: u64) -> io::Result<()> {
    let skipped = io::copy(&mut reader.take(count), &mut io::sink())?;
    if skipped == count { Ok(()) } else { Err(wrong("it ends in the middle of a file")) }
}
