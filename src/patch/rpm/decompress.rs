//! Compression, told by the first bytes and not by names.

use super::error::{MetadataError, Problem};
use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;
use std::io::{self, BufRead, BufReader, Cursor, Read};

/// How bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    Plain,
    /// gzip.
    Gzip,
    /// xz.
    Xz,
    /// Zstandard.
    Zstd,
    /// bzip2.
    Bzip2,
    /// zchunk, Fedora's own.
    Zchunk,
}

/// How many bytes tell.
const ENOUGH: u64 = 6;

impl Codec {
    /// By the first bytes (RFC 1952 2.3.1, the .xz file format 2.1.1.1, RFC 8878 3.1.1, and the magic words of the others).
    #[must_use]
    pub fn of(first: &[u8]) -> Self {
        match first {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Bzip2,
            [0, b'Z', b'C', b'K', b'1', ..] | [0, b'Z', b'H', b'R', b'1', ..] => Self::Zchunk,
            _ => Self::Plain,
        }
    }

    /// Its name, as the program that undoes it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "nothing",
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Zchunk => "zchunk",
        }
    }
}

/// Bytes without compression.
pub struct Decompressed<R: BufRead>(Inner<R>);

/// The bytes that told the codec, and the rest.
type Whole<R> = io::Chain<Cursor<Vec<u8>>, R>;

enum Inner<R: BufRead> {
    Plain(Bounded<Whole<R>>),
    Gzip(Box<BufReader<Bounded<MultiGzDecoder<Whole<R>>>>>),
    Xz(Box<BufReader<Bounded<XzReader<Whole<R>>>>>),
    Zstd(Box<BufReader<Bounded<Frames<Whole<R>>>>>),
    Bzip2(Box<BufReader<Bounded<MultiBzDecoder<Whole<R>>>>>),
}

/// Memory that a window of xz may take, in KiB: what the strongest setting of the program has is 64 MiB.
const XZ_MEMORY: u32 = 256 << 10;

/// Zstandard frames, one after the other: some programs write several.
struct Frames<R: BufRead> {
    /// Nothing only while one frame follows another, and after an error.
    decoder: Option<StreamingDecoder<R, ruzstd::decoding::FrameDecoder>>,
}

impl<R: BufRead> Frames<R> {
    fn new(reader: R) -> io::Result<Self> {
        Ok(Self { decoder: Some(StreamingDecoder::new(reader).map_err(io::Error::other)?) })
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.decoder {
            let count = decoder.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Some(mut reader) = self.decoder.take().map(StreamingDecoder::into_inner) else { break };
            if !reader.fill_buf()?.is_empty() {
                *self = Self::new(reader)?;
            }
        }
        Ok(0)
    }
}

/// Undoes gzip, xz, Zstandard and bzip2, and hands what is not compressed on as it is. What comes out is at most `limit`
/// bytes: more is a [`Problem::Limit`] for the reader of it.
///
/// zchunk is an error that names it: whoever reads the file must have it undone.
pub fn decompressed<R: BufRead>(file: &str, mut reader: R, limit: u64) -> Result<Decompressed<R>, MetadataError> {
    let failed = |problem| MetadataError { file: file.to_owned(), at: 0, element: String::new(), problem };
    let mut first = Vec::new();
    if let Err(error) = reader.by_ref().take(ENOUGH).read_to_end(&mut first) {
        let problem = error.get_ref().and_then(|inner| inner.downcast_ref::<Problem>()).cloned();
        return Err(failed(problem.unwrap_or_else(|| Problem::Read(error.to_string()))));
    }
    let codec = Codec::of(&first);
    let whole = Cursor::new(first).chain(reader);
    match codec {
        Codec::Plain => Ok(Decompressed(Inner::Plain(Bounded::new(whole, limit)))),
        Codec::Gzip => Ok(Decompressed(Inner::Gzip(Box::new(buffered(MultiGzDecoder::new(whole), limit))))),
        Codec::Xz => {
            Ok(Decompressed(Inner::Xz(Box::new(buffered(XzReader::new_mem_limit(whole, true, XZ_MEMORY), limit)))))
        }
        Codec::Zstd => {
            let frames = Frames::new(whole).map_err(|error| failed(Problem::Read(error.to_string())))?;
            Ok(Decompressed(Inner::Zstd(Box::new(buffered(frames, limit)))))
        }
        Codec::Bzip2 => Ok(Decompressed(Inner::Bzip2(Box::new(buffered(MultiBzDecoder::new(whole), limit))))),
        Codec::Zchunk => Err(failed(Problem::Compressed(codec.name()))),
    }
}

fn buffered<D: Read>(decoder: D, limit: u64) -> BufReader<Bounded<D>> {
    BufReader::with_capacity(1 << 16, Bounded::new(decoder, limit))
}

impl<R: BufRead> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Plain(reader) => reader.read(buffer),
            Inner::Gzip(reader) => reader.read(buffer),
            Inner::Xz(reader) => reader.read(buffer),
            Inner::Zstd(reader) => reader.read(buffer),
            Inner::Bzip2(reader) => reader.read(buffer),
        }
    }
}

impl<R: BufRead> BufRead for Decompressed<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match &mut self.0 {
            Inner::Plain(reader) => reader.fill_buf(),
            Inner::Gzip(reader) => reader.fill_buf(),
            Inner::Xz(reader) => reader.fill_buf(),
            Inner::Zstd(reader) => reader.fill_buf(),
            Inner::Bzip2(reader) => reader.fill_buf(),
        }
    }

    fn consume(&mut self, count: usize) {
        match &mut self.0 {
            Inner::Plain(reader) => reader.consume(count),
            Inner::Gzip(reader) => reader.consume(count),
            Inner::Xz(reader) => reader.consume(count),
            Inner::Zstd(reader) => reader.consume(count),
            Inner::Bzip2(reader) => reader.consume(count),
        }
    }
}

/// A reader with an end, whatever comes.
struct Bounded<R> {
    reader: R,
    left: u64,
    limit: u64,
}

impl<R> Bounded<R> {
    fn new(reader: R, limit: u64) -> Self {
        Self { reader, left: limit, limit }
    }

    fn take(&mut self, count: usize) -> io::Result<()> {
        let what = "the length of the decompressed content in bytes";
        let exceeded = || io::Error::other(Problem::Limit { what, limit: self.limit });
        self.left = self.left.checked_sub(count as u64).ok_or_else(exceeded)?;
        Ok(())
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.take(count)?;
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let (left, limit) = (self.left, self.limit);
        let available = self.reader.fill_buf()?;
        if left == 0 && !available.is_empty() {
            let what = "the length of the decompressed content in bytes";
            return Err(io::Error::other(Problem::Limit { what, limit }));
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(available.len());
        Ok(available.get(..most).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count as u64);
        self.reader.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8], limit: u64) -> io::Result<Vec<u8>> {
        let mut all = vec![];
        // A byte at a time, as the worst of sources does.
        let slow = BufReader::with_capacity(1, bytes);
        decompressed("f", slow, limit).unwrap().read_to_end(&mut all).map(|_| all)
    }

    #[test]
    fn gzip_is_undone_and_plain_bytes_are_handed_on() {
        for bytes in [&b""[..], b"x", b"<repomd/>"] {
            assert_eq!(read(bytes, 100).unwrap(), bytes);
            assert_eq!(read(&gzip(bytes), 100).unwrap(), bytes);
        }
        assert_eq!(read(&[gzip(b"one "), gzip(b"two")].concat(), 100).unwrap(), b"one two");
        let whole = gzip(&b"a text of some length ".repeat(500));
        assert_eq!(read(&whole[..whole.len() - 9], 1 << 20).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn what_comes_out_has_a_limit() {
        let bomb = gzip(&vec![0; 1 << 20]);
        for bytes in [&bomb[..], &[b'x'; 1001]] {
            assert!(read(bytes, 1000).unwrap_err().to_string().contains("limit of 1000"));
        }
        assert_eq!(read(&[b'x'; 1000], 1000).unwrap().len(), 1000);
        assert_eq!(read(&bomb, 1 << 20).unwrap().len(), 1 << 20);
    }

    /// By the programs themselves.
    fn pack(program: &str, bytes: &[u8]) -> Vec<u8> {
        let mut child = std::process::Command::new(program)
            .arg("-c")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        child.wait_with_output().unwrap().stdout
    }

    #[test]
    fn what_other_programs_pack_is_undone() {
        let text = b"<package type=\"rpm\"><name>bash</name></package>".repeat(2000);
        for program in ["xz", "zstd", "bzip2"] {
            let packed = pack(program, &text);
            assert!(packed.len() < text.len() / 4, "{program} packs");
            assert!(read(&packed, 1 << 20).unwrap() == text, "{program}");
            assert!(read(&[&packed[..], &packed].concat(), 1 << 20).unwrap() == text.repeat(2), "{program}, twice");
            assert!(read(&packed, 1000).unwrap_err().to_string().contains("limit of 1000"), "{program}");
            for cut in [packed.len() / 2, packed.len() - 5] {
                assert!(read(&packed[..cut], 1 << 20).is_err(), "{program} cut at {cut} of {}", packed.len());
            }
        }
    }

    #[test]
    fn zchunk_is_named() {
        let Err(error) = decompressed("f", &b"\0ZCK1"[..], 10) else { panic!("it is not undone") };
        assert_eq!(error.problem, Problem::Compressed("zchunk"));
    }
}
