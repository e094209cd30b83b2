//! Host names: `/etc/hosts` and a DNS client of our own.
//!
//! The C library's resolver loads code for what `nsswitch.conf` names. In an instance that would be the image's code, for
//! another C library than the one this process came with; and it cannot be given a time limit. So names are looked up here:
//! in the hosts file, then with the name servers of `resolv.conf`. Other sources of `nsswitch.conf` are not asked.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Name servers that are asked at most (resolv.conf(5): MAXNS).
const MOST_SERVERS: usize = 3;

/// The most that one server is waited for, where `resolv.conf` says nothing else; and how often each is asked.
const TIMEOUT: Duration = Duration::from_secs(5);
const ATTEMPTS: u32 = 2;

/// The longest time that all of it may take, where the step has no limit.
const PATIENCE: Duration = Duration::from_mins(1);

/// Record types (RFC 1035 3.2.2, RFC 3596).
const A: u16 = 1;
const AAAA: u16 = 28;

/// Where names are looked up.
#[derive(Debug, Clone)]
pub struct Names {
    /// The hosts file.
    pub hosts: PathBuf,
    /// The resolver's configuration.
    pub configuration: PathBuf,
    /// The port of name servers: 53.
    pub port: u16,
}

/// Why a name has no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name servers say that it does not exist, or has no address.
    #[error("the name {0} is not known: neither in /etc/hosts nor to the name servers of /etc/resolv.conf")]
    Unknown(String),
    /// No name server gave an answer.
    #[error("the name {name} cannot be looked up: {reason}")]
    NoAnswer {
        /// The name.
        name: String,
        /// The last server and what happened.
        reason: String,
    },
}

/// `resolv.conf`, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Configuration {
    servers: Vec<IpAddr>,
    search: Vec<String>,
    dots: usize,
    timeout: Duration,
    attempts: u32,
}

impl Names {
    /// The addresses of a host, at least one. `within` is what is left of the time limit.
    pub fn addresses(&self, host: &str, within: Option<Duration>) -> Result<Vec<IpAddr>, NameError> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse() {
            return Ok(vec![address]);
        }
        let deadline = Instant::now() + within.unwrap_or(PATIENCE).min(PATIENCE);
        let known = in_hosts(&fs::read_to_string(&self.hosts).unwrap_or_default(), host);
        if !known.is_empty() {
            return Ok(known);
        }
        // RFC 6761 6.3: such names never go to a name server.
        if host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost") {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let configuration = Configuration::parse(&fs::read_to_string(&self.configuration).unwrap_or_default());
        let mut failed = None;
        for name in configuration.candidates(host) {
            match self.look_up(&name, &configuration, deadline) {
                Ok(found) if found.is_empty() => {}
                Ok(found) => return Ok(found),
                Err(reason) => failed = Some(NameError::NoAnswer { name: host.to_owned(), reason }),
            }
        }
        Err(failed.unwrap_or_else(|| NameError::Unknown(host.to_owned())))
    }

    /// Both kinds of addresses of a full name; none if it does not exist.
    fn look_up(&self, name: &str, configuration: &Configuration, until: Instant) -> Result<Vec<IpAddr>, String> {
        let four = self.ask_all(name, A, configuration, until);
        let six = self.ask_all(name, AAAA, configuration, until);
        match (four, six) {
            (Ok(mut four), Ok(six)) => {
                four.extend(six);
                Ok(four)
            }
            // Some name servers do not answer for one of the kinds.
            (Ok(found), Err(_)) | (Err(_), Ok(found)) if !found.is_empty() => Ok(found),
            (Err(reason), _) | (_, Err(reason)) => Err(reason),
        }
    }

    fn ask_all(&self, name: &str, kind: u16, from: &Configuration, until: Instant) -> Result<Vec<IpAddr>, String> {
        let Some(question) = question(name, kind) else { return Ok(Vec::new()) };
        let mut reason = String::new();
        for _ in 0..from.attempts {
            for server in &from.servers {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(if reason.is_empty() { "the time is up".to_owned() } else { reason });
                }
                let server = SocketAddr::new(*server, self.port);
                match ask(server, &question, Instant::now() + left.min(from.timeout)) {
                    Ok(answer) => return Ok(answer.addresses(kind)),
                    Err(error) => reason = format!("the name server {server}: {error}"),
                }
            }
        }
        Err(reason)
    }
}

/// Addresses of a name in the text of a hosts file (hosts(5)).
fn in_hosts(text: &str, host: &str) -> Vec<IpAddr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split('#').next()?.split_whitespace();
            let address = words.next()?.parse().ok()?;
            words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
        })
        .collect()
}

impl Configuration {
    /// Reads resolv.conf(5). What is not understood is left out, as the C library does it.
    fn parse(text: &str) -> Self {
        let mut found = Self { servers: Vec::new(), search: Vec::new(), dots: 1, timeout: TIMEOUT, attempts: ATTEMPTS };
        for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => found.servers.extend(words.next().and_then(|word| word.parse::<IpAddr>().ok())),
                // The last of the two counts.
                Some("search") => found.search = words.map(str::to_owned).collect(),
                Some("domain") => found.search = words.take(1).map(str::to_owned).collect(),
                Some("options") => words.for_each(|word| found.option(word)),
                _ => {}
            }
        }
        found.servers.truncate(MOST_SERVERS);
        if found.servers.is_empty() {
            found.servers.push(Ipv4Addr::LOCALHOST.into());
        }
        found
    }

    fn option(&mut self, word: &str) {
        let Some((name, Ok(value))) = word.split_once(':').map(|(name, value)| (name, value.parse::<u32>())) else {
            return;
        };
        match name {
            "ndots" => self.dots = value.min(15) as usize,
            "timeout" => self.timeout = Duration::from_secs(u64::from(value.clamp(1, 30))),
            "attempts" => self.attempts = value.clamp(1, 5),
            _ => {}
        }
    }

    /// The full names that a name may stand for, in the order in which they are tried.
    fn candidates(&self, host: &str) -> Vec<String> {
        if let Some(full) = host.strip_suffix('.') {
            return vec![full.to_owned()];
        }
        let searched = self.search.iter().map(|domain| format!("{host}.{}", domain.trim_matches('.')));
        let dotted = host.matches('.').count() >= self.dots;
        let own = std::iter::once(host.to_owned());
        if dotted { own.chain(searched).collect() } else { searched.chain(own).collect() }
    }
}

/// A query for one name (RFC 1035 section 4): header, then name, type and class. `None` if it cannot be a name.
fn question(name: &str, kind: u16) -> Option<Vec<u8>> {
    let identity = RandomState::new().build_hasher().finish().to_le_bytes();
    // Recursion is desired; one question.
    let mut bytes = vec![identity[0], identity[1], 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        bytes.push(length);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    (bytes.len() - 12 - 4 <= 255).then_some(bytes)
}

/// A message from a name server.
#[derive(Debug)]
struct Message(Vec<u8>);

fn ask(server: SocketAddr, question: &[u8], until: Instant) -> io::Result<Message> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    // Connected, so that only the server is listened to, and its absence is told at once.
    socket.connect(server)?;
    socket.send(question)?;
    let mut buffer = [0; 4096];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(no_answer());
        }
        socket.set_read_timeout(Some(left))?;
        let length = match socket.recv(&mut buffer) {
            Ok(length) => length,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return Err(no_answer());
            }
            Err(error) => return Err(error),
        };
        let message = Message(buffer[..length].to_vec());
        if message.answers(question) {
            return if message.truncated() {
                ask_by_stream(server, question, until)?.checked()
            } else {
                message.checked()
            };
        }
    }
}

fn no_answer() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it does not answer in time")
}

/// What does not fit into a datagram comes over TCP (RFC 7766).
fn ask_by_stream(server: SocketAddr, question: &[u8], until: Instant) -> io::Result<Message> {
    let left = || {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(no_answer()) } else { Ok(left) }
    };
    let mut stream = TcpStream::connect_timeout(&server, left()?)?;
    stream.set_write_timeout(Some(left()?))?;
    let length = u16::try_from(question.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), question].concat())?;
    let mut read = |length: usize| {
        let mut bytes = vec![0; length];
        let mut have = 0;
        while have < length {
            stream.set_read_timeout(Some(left()?))?;
            match stream.read(&mut bytes[have..])? {
                0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                more => have += more,
            }
        }
        Ok(bytes)
    };
    let length = read(2)?;
    let message = Message(read(usize::from(u16::from_be_bytes([length[0], length[1]])))?);
    if message.answers(question) { Ok(message) } else { Err(io::Error::other("it answers another question")) }
}

impl Message {
    /// Whether it is the answer to exactly this question.
    fn answers(&self, question: &[u8]) -> bool {
        let bytes = &self.0;
        bytes.len() >= question.len()
            && bytes[..2] == question[..2]
            && bytes[2] & 0x80 != 0
            && bytes[4..6] == [0, 1]
            && bytes[12..question.len()].eq_ignore_ascii_case(&question[12..])
    }

    fn truncated(&self) -> bool {
        self.0[2] & 0x02 != 0
    }

    /// Response codes 0 (none) and 3 (no such name) are answers, all others troubles of the server.
    fn checked(self) -> io::Result<Self> {
        match self.0[3] & 0x0f {
            0 | 3 => Ok(self),
            2 => Err(io::Error::other("it failed (SERVFAIL)")),
            5 => Err(io::Error::other("it refuses to answer (REFUSED)")),
            code => Err(io::Error::other(format!("it answers with code {code}"))),
        }
    }

    /// The addresses among the answers. Names need not be followed: the server has done that.
    fn addresses(&self, kind: u16) -> Vec<IpAddr> {
        let mut found = Vec::new();
        let _ = self.walk(|record, data| match (record, data) {
            (A, &[a, b, c, d]) if kind == A => found.push(Ipv4Addr::new(a, b, c, d).into()),
            (AAAA, data) if kind == AAAA => {
                found.extend(<[u8; 16]>::try_from(data).ok().map(|bytes| IpAddr::from(Ipv6Addr::from(bytes))));
            }
            _ => {}
        });
        found
    }

    /// Tells type and data of each answer; `None` when the message ends too early.
    fn walk(&self, mut tell: impl FnMut(u16, &[u8])) -> Option<()> {
        let bytes = &self.0;
        let word = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        let mut at = self.after_name(12)? + 4;
        for _ in 0..word(6)? {
            at = self.after_name(at)?;
            let (kind, length) = (word(at)?, usize::from(word(at + 8)?));
            tell(kind, bytes.get(at + 10..at + 10 + length)?);
            at += 10 + length;
        }
        Some(())
    }

    /// Where a name ends: after its last label, or after a pointer to another name.
    fn after_name(&self, mut at: usize) -> Option<usize> {
        loop {
            match *self.0.get(at)? {
                0 => return Some(at + 1),
                length if length & 0xc0 == 0xc0 => return Some(at + 2),
                length => at += 1 + usize::from(length),
            }
        }
    }
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
