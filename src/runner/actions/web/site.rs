//! A web server for tests: plain or encrypted, on a port that the system chooses. The tests of the sandbox use it, too.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// The authority that has signed the certificate of [`Site::secure`].
pub const AUTHORITY: &str = include_str!("../../../../tests/certificates/authority.pem");

/// A server, until the process ends.
pub struct Site {
    pub port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

/// What a request gets: bytes to send before the connection is closed; `None` to keep it open without a word.
pub type Answer = Option<Vec<u8>>;

/// A whole response.
#[allow(clippy::unnecessary_wraps, reason = "it stands where an answer is wanted")]
pub fn response(status: &str, headers: &str, body: &[u8]) -> Answer {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    Some([head.as_bytes(), body].concat())
}

pub fn ok(body: &[u8]) -> Answer {
    response("200 OK", "", body)
}

pub fn redirect(to: &str) -> Answer {
    response("302 Found", &format!("Location: {to}\r\n"), b"")
}

impl Site {
    /// A server that answers a request by its first line and number, counted from 1.
    pub fn plain(answer: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(answer, |stream| Box::new(stream))
    }

    /// The same with TLS, for `localhost`, `secure.test` and 127.0.0.1.
    pub fn secure(answer: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Self {
        let pem = |name: &str| format!("{}/tests/certificates/{name}", env!("CARGO_MANIFEST_DIR"));
        let certificate = CertificateDer::from_pem_file(pem("server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(pem("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
        Self::start(answer, move |stream| {
            Box::new(StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream))
        })
    }

    fn start(
        answer: impl Fn(&str, usize) -> Answer + Send + Sync + 'static,
        wrap: impl Fn(TcpStream) -> Box<dyn Stream> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let shared = Arc::new((answer, wrap));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, shared) = (Arc::clone(&seen), Arc::clone(&shared));
                thread::spawn(move || serve(stream, &shared.0, &shared.1, &seen));
            }
        });
        Self { port, requests }
    }

    /// The heads of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

/// A connection, encrypted or not.
pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

fn serve(
    stream: TcpStream,
    answer: &dyn Fn(&str, usize) -> Answer,
    wrap: &dyn Fn(TcpStream) -> Box<dyn Stream>,
    seen: &Mutex<Vec<String>>,
) {
    let mut reader = BufReader::new(wrap(stream.try_clone().unwrap()));
    let Some(head) = head(&mut reader) else { return };
    let line = head.lines().next().unwrap().to_owned();
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(head);
        seen.len()
    };
    if let Some(to) = line.strip_prefix("CONNECT ") {
        return tunnel(to.split(' ').next().unwrap(), stream);
    }
    match answer(&line, number) {
        Some(bytes) => drop(reader.get_mut().write_all(&bytes).and_then(|()| reader.get_mut().flush())),
        // Until the other side gives up.
        None => drop(stream.set_read_timeout(None).and_then(|()| reader.read(&mut [0]))),
    }
}

fn head(reader: &mut dyn BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

/// What a proxy does: copies both ways.
fn tunnel(to: &str, mut client: TcpStream) {
    let port = to.rsplit(':').next().unwrap();
    let mut server = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
    let (mut from, mut back) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut back);
        back.shutdown(std::net::Shutdown::Write)
    });
    let _ = std::io::copy(&mut server, &mut client);
}
