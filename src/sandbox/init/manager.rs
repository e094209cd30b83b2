//! Asking the image's systemd how it is, over its private socket.
//!
//! The few calls needed are written here instead of running the image's `systemctl`: that takes a hundred times as long,
//! after every job, and may be missing. D-Bus specification, "Message Protocol" and "Authentication Protocol";
//! org.freedesktop.systemd1(5).

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Where systemd listens for root; nothing on the way needs the message bus.
const SOCKET: &str = "/run/systemd/private";

/// How long an answer may take. It is one thread that also starts units and reads them from the disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest answer; a list of all units of a large system is a tenth of it.
const LIMIT: usize = 16 << 20;

const NAME: &str = "org.freedesktop.systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";

/// Types of messages, and codes of header fields.
const CALL: u8 = 1;
const RETURN: u8 = 2;
const ERROR: u8 = 3;
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// `SystemState`: `starting`, `running`, `degraded`, `stopping` and a few more.
pub(super) fn state() -> io::Result<String> {
    let mut body = Writer::default();
    body.string(MANAGER);
    body.string("SystemState");
    let answer = call("org.freedesktop.DBus.Properties", "Get", "ss", &body.bytes)?;
    let mut reader = Reader { bytes: &answer, at: 0 };
    if reader.signature()? != "s" {
        return Err(invalid("the state is no text"));
    }
    reader.string()
}

/// Names of the units that have failed.
pub(super) fn failed_units() -> io::Result<Vec<String>> {
    let mut body = Writer::default();
    body.strings(&["failed"]);
    let answer = call(MANAGER, "ListUnitsFiltered", "as", &body.bytes)?;
    // a(ssssssouso): the name comes first; a path is written as text is.
    Reader { bytes: &answer, at: 0 }.structures(|unit| {
        let name = unit.string()?;
        for _ in 1..7 {
            unit.string()?;
        }
        unit.number()?;
        unit.string()?;
        unit.string()?;
        Ok(name)
    })
}

/// Names of the units that something waits for.
pub(super) fn pending_units() -> io::Result<Vec<String>> {
    let answer = call(MANAGER, "ListJobs", "", &[])?;
    // a(usssoo)
    Reader { bytes: &answer, at: 0 }.structures(|job| {
        job.number()?;
        let name = job.string()?;
        for _ in 0..4 {
            job.string()?;
        }
        Ok(name)
    })
}

/// Calls a method of the manager and returns the body of the answer.
fn call(interface: &str, member: &str, signature: &str, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut socket = UnixStream::connect(Path::new(SOCKET))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    // We are user 0, in hexadecimal digits of its decimal digits.
    socket.write_all(b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n")?;
    let greeting = line(&mut socket)?;
    if !greeting.starts_with("OK ") {
        return Err(io::Error::new(ErrorKind::PermissionDenied, format!("systemd said: {greeting}")));
    }
    // Not together with the greeting: what systemd has read too much of then, it does not look at before more comes.
    socket.write_all(&message(interface, member, signature, body)?)?;
    answer(&mut socket)
}

fn message(interface: &str, member: &str, signature: &str, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut fields = Writer::default();
    fields.field(PATH, "o", "/org/freedesktop/systemd1");
    fields.field(INTERFACE, "s", interface);
    fields.field(MEMBER, "s", member);
    fields.field(DESTINATION, "s", NAME);
    if !signature.is_empty() {
        fields.field(SIGNATURE, "g", signature);
    }
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).map_err(io::Error::other);
    let mut message = Writer { bytes: vec![b'l', CALL, 0, 1] };
    message.number(length(body)?);
    message.number(1);
    message.number(length(&fields.bytes)?);
    message.bytes.extend(&fields.bytes);
    message.align(8);
    message.bytes.extend(body);
    Ok(message.bytes)
}

/// A line of the greeting, without its end.
fn line(stream: &mut impl Read) -> io::Result<String> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n") && text.len() < 512 {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        text.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&text).trim_end().to_owned())
}

/// The body of the first message that is an answer.
fn answer(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    loop {
        let mut head = [0; 16];
        stream.read_exact(&mut head)?;
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
        let (body, fields) = (number(4), number(12));
        if head[0] != b'l' || body > LIMIT || fields > LIMIT {
            return Err(invalid("its head"));
        }
        let mut rest = vec![0; fields.next_multiple_of(8) + body];
        stream.read_exact(&mut rest)?;
        let body = rest.split_off(fields.next_multiple_of(8));
        match head[1] {
            RETURN => return Ok(body),
            ERROR => return Err(io::Error::other(String::from_utf8_lossy(&body).into_owned())),
            // Signals to whoever listens.
            _ => {}
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("systemd answered something unexpected: {what}"))
}

/// Writes values as a message has them: little-endian, aligned to their size.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, value: u32) {
        self.align(4);
        self.bytes.extend(value.to_le_bytes());
    }

    fn string(&mut self, text: &str) {
        // What is written here is short.
        self.number(u32::try_from(text.len()).unwrap_or(0));
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
    }

    fn signature(&mut self, text: &str) {
        self.bytes.push(u8::try_from(text.len()).unwrap_or(0));
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
    }

    fn strings(&mut self, texts: &[&str]) {
        let mut items = Self::default();
        for text in texts {
            items.string(text);
        }
        self.number(u32::try_from(items.bytes.len()).unwrap_or(0));
        self.bytes.extend(items.bytes);
    }

    fn field(&mut self, code: u8, kind: &str, value: &str) {
        self.align(8);
        self.bytes.push(code);
        self.signature(kind);
        if kind == "g" { self.signature(value) } else { self.string(value) }
    }
}

/// Reads what a [`Writer`] of the other side has written.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, length: usize) -> io::Result<&[u8]> {
        let end = self.at.checked_add(length).ok_or_else(|| invalid("a length"))?;
        let bytes = self.bytes.get(self.at..end).ok_or_else(|| invalid("it is cut"))?;
        self.at = end;
        Ok(bytes)
    }

    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn number(&mut self) -> io::Result<u32> {
        self.align(4);
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn string(&mut self) -> io::Result<String> {
        let length = self.number()? as usize;
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.take(1)?;
        Ok(text)
    }

    fn signature(&mut self) -> io::Result<String> {
        let length = usize::from(self.take(1)?[0]);
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.take(1)?;
        Ok(text)
    }

    /// An array of structures.
    fn structures<T>(&mut self, mut each: impl FnMut(&mut Self) -> io::Result<T>) -> io::Result<Vec<T>> {
        let length = self.number()? as usize;
        self.align(8);
        let end = self.at.saturating_add(length);
        let mut found = Vec::new();
        while self.at < end {
            found.push(each(self)?);
            self.align(8);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counted by hand; that a real systemd understands it, tests of whole instances show.
    #[test]
    fn a_call_is_written_as_the_specification_says() {
        let bytes = message("i.f", "M", "", &[]).unwrap();
        assert_eq!(&bytes[..16], b"l\x01\0\x01\0\0\0\0\x01\0\0\0\x69\0\0\0");
        assert_eq!(&bytes[16..24], b"\x01\x01o\0\x19\0\0\0");
        assert_eq!(&bytes[24..50], b"/org/freedesktop/systemd1\0");
        assert_eq!(&bytes[56..68], b"\x02\x01s\0\x03\0\0\0i.f\0");
        assert_eq!(&bytes[72..82], b"\x03\x01s\0\x01\0\0\0M\0");
        assert_eq!(&bytes[88..96], b"\x06\x01s\0\x18\0\0\0");
        assert_eq!(bytes.len() % 8, 0);
    }

    fn reply(kind: u8, fields: usize, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![b'l', kind, 0, 1];
        bytes.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
        bytes.extend(7_u32.to_le_bytes());
        bytes.extend(u32::try_from(fields).unwrap().to_le_bytes());
        bytes.resize(16 + fields.next_multiple_of(8), 0);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn signals_are_passed_over_and_errors_are_errors() {
        let mut stream = reply(4, 13, b"signal");
        stream.extend(reply(RETURN, 5, b"\x01s\0\0\x07\0\0\0running\0"));
        let body = answer(&mut stream.as_slice()).unwrap();
        let mut reader = Reader { bytes: &body, at: 0 };
        assert_eq!((reader.signature().unwrap(), reader.string().unwrap()), ("s".into(), "running".into()));
        assert!(answer(&mut reply(ERROR, 8, b"no").as_slice()).unwrap_err().to_string().contains("no"));
        assert!(answer(&mut &reply(RETURN, 8, b"cut")[..26]).is_err());
        let mut absurd = reply(RETURN, 0, b"");
        absurd[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(answer(&mut absurd.as_slice()).is_err());
    }

    #[test]
    fn arrays_of_structures_are_read_whole_or_not_at_all() {
        let mut items = Writer::default();
        for name in ["a.service", "bb.timer"] {
            items.align(8);
            items.number(3);
            items.string(name);
        }
        let mut array = Writer::default();
        array.number(u32::try_from(items.bytes.len()).unwrap());
        array.align(8);
        array.bytes.extend(&items.bytes);
        let read = |bytes: &[u8]| {
            Reader { bytes, at: 0 }.structures(|item| {
                item.number()?;
                item.string()
            })
        };
        assert_eq!(read(&array.bytes).unwrap(), ["a.service", "bb.timer"]);
        for length in 0..array.bytes.len() {
            assert!(read(&array.bytes[..length]).is_err(), "{length}");
        }
        assert_eq!(read(&[0; 8]).unwrap(), Vec::<String>::new());
    }
}
