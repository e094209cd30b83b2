use super::*;
use std::net::TcpListener;
use std::thread;

const HOSTS: &str =
    "127.0.0.1 localhost\n::1 ip6-localhost\n192.0.2.7\tbuild.test  Alias # comment other\n#1.1.1.1 no\nx y\n";

fn names(folder: &tempfile::TempDir, hosts: &str, configuration: &str, port: u16) -> Names {
    let (h, c) = (folder.path().join("hosts"), folder.path().join("resolv.conf"));
    fs::write(&h, hosts).unwrap();
    fs::write(&c, configuration).unwrap();
    Names { hosts: h, configuration: c, port }
}

/// A name server on a port of its own: answers each question with what `answer` makes of name and type, until dropped.
fn server(answer: impl Fn(&str, u16) -> Reply + Send + Sync + 'static) -> u16 {
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        // The same number for both; someone may have the other.
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            break (udp, tcp);
        }
    };
    let port = udp.local_addr().unwrap().port();
    let answer = std::sync::Arc::new(answer);
    let over_stream = std::sync::Arc::clone(&answer);
    thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = udp.recv_from(&mut buffer) {
            if let Some(bytes) = reply(&buffer[..length], &*answer, true) {
                // A stranger's datagram first: another identity.
                let mut forged = bytes.clone();
                forged[0] ^= 0xff;
                udp.send_to(&forged, from).unwrap();
                udp.send_to(&bytes, from).unwrap();
            }
        }
    });
    thread::spawn(move || {
        for stream in tcp.incoming() {
            let mut stream = stream.unwrap();
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut question).unwrap();
            let bytes = reply(&question, &*over_stream, false).unwrap();
            stream.write_all(&[&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes.as_slice()].concat()).unwrap();
        }
    });
    port
}

enum Reply {
    Silence,
    Code(u8),
    Addresses(Vec<IpAddr>),
    /// As before, but they do not fit into a datagram.
    Long(Vec<IpAddr>),
}

fn reply(question: &[u8], answer: &dyn Fn(&str, u16) -> Reply, datagram: bool) -> Option<Vec<u8>> {
    let mut labels = Vec::new();
    let mut at = 12;
    while question[at] != 0 {
        let length = usize::from(question[at]);
        labels.push(String::from_utf8(question[at + 1..=at + length].to_vec()).unwrap());
        at += 1 + length;
    }
    let kind = u16::from_be_bytes([question[at + 1], question[at + 2]]);
    let (code, addresses, long) = match answer(&labels.join("."), kind) {
        Reply::Silence => return None,
        Reply::Code(code) => (code, Vec::new(), false),
        Reply::Addresses(found) => (0, found, false),
        Reply::Long(found) => (0, found, true),
    };
    let cut = long && datagram;
    let addresses = if cut { Vec::new() } else { addresses };
    let mut bytes = question.to_vec();
    bytes[2] = 0x81 | if cut { 2 } else { 0 };
    bytes[3] = 0x80 | code;
    // One alias, then the addresses of what it stands for.
    bytes[7] = u8::try_from(addresses.len()).unwrap() + u8::from(!addresses.is_empty());
    if !addresses.is_empty() {
        bytes.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 7, 4, b'r', b'e', b'a', b'l', 0xc0, 12]);
    }
    for address in addresses {
        let (kind, data) = match address {
            IpAddr::V4(four) => (A, four.octets().to_vec()),
            IpAddr::V6(six) => (AAAA, six.octets().to_vec()),
        };
        bytes.extend([4, b'r', b'e', b'a', b'l', 0xc0, 12]);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 9, 0, u8::try_from(data.len()).unwrap()]);
        bytes.extend(data);
    }
    Some(bytes)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn both(kind: u16) -> Vec<IpAddr> {
    vec![if kind == A { ip("192.0.2.1") } else { ip("2001:db8::1") }]
}

#[test]
fn addresses_and_the_hosts_file_need_no_name_server() {
    let folder = tempfile::tempdir().unwrap();
    let names = names(&folder, HOSTS, "nameserver 192.0.2.99\n", 1);
    for (host, expected) in [
        ("10.0.0.1", vec![ip("10.0.0.1")]),
        ("[::1]", vec![ip("::1")]),
        ("alias", vec![ip("192.0.2.7")]),
        ("BUILD.test", vec![ip("192.0.2.7")]),
        ("localhost", vec![ip("127.0.0.1")]),
        ("a.localhost", vec![ip("127.0.0.1"), ip("::1")]),
    ] {
        assert_eq!(names.addresses(host, None).unwrap(), expected, "{host}");
    }
}

#[test]
fn name_servers_answer_for_both_kinds_and_by_stream_when_it_is_long() {
    let folder = tempfile::tempdir().unwrap();
    let port = server(|name, kind| match name {
        "both.test" => Reply::Addresses(both(kind)),
        "long.test" => Reply::Long(both(kind)),
        "four.test" if kind == A => Reply::Addresses(both(kind)),
        "four.test" => Reply::Code(2),
        _ => Reply::Code(3),
    });
    let names = names(&folder, "", "nameserver 127.0.0.1\noptions timeout:5 attempts:1\n", port);
    assert_eq!(names.addresses("both.test", None).unwrap(), [ip("192.0.2.1"), ip("2001:db8::1")]);
    assert_eq!(names.addresses("long.test.", None).unwrap(), [ip("192.0.2.1"), ip("2001:db8::1")]);
    assert_eq!(names.addresses("four.test", None).unwrap(), [ip("192.0.2.1")]);
    assert_eq!(names.addresses("no.test", None), Err(NameError::Unknown("no.test".into())));
}

#[test]
fn short_names_are_searched_in_the_domains() {
    let folder = tempfile::tempdir().unwrap();
    let port =
        server(|name, kind| if name == "mirror.corp.test" { Reply::Addresses(both(kind)) } else { Reply::Code(3) });
    let names = names(&folder, "", "nameserver 127.0.0.1\nsearch other.test corp.test\n", port);
    assert!(names.addresses("mirror", None).is_ok());
    assert!(names.addresses("mirror.", None).is_err(), "a name with a dot at its end is complete");
}

#[test]
fn a_silent_server_is_left_at_the_limit_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let port = server(|_, _| Reply::Silence);
    let names = names(&folder, "", "nameserver 127.0.0.1\noptions timeout:30\n", port);
    let begun = Instant::now();
    let error = names.addresses("x.test", Some(Duration::from_millis(50))).unwrap_err().to_string();
    assert!(begun.elapsed() < Duration::from_secs(25), "it waited for the server's own timeout");
    assert!(error.contains(&format!("the name server 127.0.0.1:{port}: it does not answer in time")), "{error}");
}

#[test]
fn a_broken_server_is_told_from_a_name_that_is_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let port = server(|_, _| Reply::Code(2));
    let names = names(&folder, "", "nameserver 127.0.0.1\n", port);
    let error = names.addresses("x.test", None).unwrap_err().to_string();
    assert!(error.contains("it failed (SERVFAIL)"), "{error}");
}

#[test]
fn the_configuration_is_read_as_its_manual_says() {
    let text = "# c\n;nameserver 9.9.9.9\nnameserver 1.1.1.1\nnameserver nonsense\nnameserver ::1\nnameserver 2.2.2.2\n\
                nameserver 3.3.3.3\ndomain a\nsearch b c.\noptions ndots:3 timeout:99 rotate attempts:0\n";
    let found = Configuration::parse(text);
    assert_eq!(found.servers, [ip("1.1.1.1"), ip("::1"), ip("2.2.2.2")]);
    assert_eq!((found.dots, found.timeout, found.attempts), (3, Duration::from_secs(30), 1));
    assert_eq!(found.candidates("x.y"), ["x.y.b", "x.y.c", "x.y"]);
    assert_eq!(found.candidates("x.y.z.w"), ["x.y.z.w", "x.y.z.w.b", "x.y.z.w.c"]);
    assert_eq!(Configuration::parse("").servers, [ip("127.0.0.1")]);
}

#[test]
fn impossible_names_are_not_asked_for() {
    let long = "x".repeat(64);
    let longer = vec!["abcdefg"; 40].join(".");
    for name in ["", "a..b", long.as_str(), longer.as_str()] {
        assert!(question(name, A).is_none(), "{name}");
    }
}

proptest::proptest! {
    #[test]
    fn no_answer_makes_it_fall_over(noise in proptest::collection::vec(0_u8..=255, 12..80)) {
        let message = Message(noise);
        let _ = (message.addresses(A), message.addresses(AAAA), message.truncated());
    }
}
