use super::*;
use crate::runner::actions::testing;
use crate::runner::model::RunEvent;
use site::{AUTHORITY, Site, ok, redirect, response};
use std::fs;
use tempfile::TempDir;

#[path = "site.rs"]
mod site;

/// A machine in a temporary folder.
struct Bench {
    folder: TempDir,
    environment: Vec<(String, String)>,
    limit: Limit,
    lines: Vec<String>,
}

type Outcome = Result<String, StepError>;

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    Bench { folder, environment: Vec::new(), limit: Limit::starting_now(None), lines: Vec::new() }
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| format!("{error}"))
    }

    fn trust(&self) {
        self.write("etc/ssl/certs/ca-certificates.crt", AUTHORITY);
    }

    /// Downloads with these inputs besides the source; the output.
    fn get(&mut self, source: &str, inputs: &str) -> Outcome {
        let items = testing::items("WebDownload", &format!("[{{ source: '{source}', {inputs} }}]"));
        let environment: Vec<(&str, &str)> =
            self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let machine = testing::machine(self.folder.path(), &environment);
        let lines = &mut self.lines;
        let mut listen = |event| {
            if let RunEvent::Output { line, .. } = event {
                lines.push(line);
            }
        };
        let mut sink = Sink::new(&mut listen, false);
        let way = Way::of(&machine.root, &machine.environment, items[0].flag("ignoreCertificateErrors"));
        let way = way.map_err(StepError::Failed)?;
        let pause = Duration::from_millis(1);
        let outputs = download_by(&way, pause, &items[0], &machine, self.limit, &mut sink)?;
        Ok(outputs["destination"].clone().unwrap())
    }

    fn fails(&mut self, source: &str, inputs: &str, reason: &str) {
        let error = self.get(source, inputs).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }

    /// Files in the folder of downloads, half ones too.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("in")).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn a_file_is_fetched_and_its_folders_are_made() {
    let site = Site::plain(|line, _| ok(line.as_bytes()));
    let mut bench = bench();
    let output = bench.get(&site.url("/a?b=c"), "destination: in/x/y").unwrap();
    assert_eq!(output, bench.path("in/x/y").display().to_string());
    assert_eq!(bench.read("in/x/y"), "GET /a?b=c HTTP/1.1");
    let request = &site.requests()[0].to_lowercase();
    assert!(request.contains("accept-encoding: identity") && request.contains("user-agent: amiforge/"), "{request}");
    bench.get(&site.url("/a"), "destination: in/x/y").unwrap();
    assert_eq!(bench.read("in/x/y"), "GET /a HTTP/1.1");
}

#[test]
fn a_folder_keeps_the_name_in_the_address() {
    let site = Site::plain(|_, _| ok(b"x"));
    let mut bench = bench();
    let output = bench.get(&site.url("/d/a%20b.tar?x=/y"), "destination: in/").unwrap();
    assert_eq!(output, bench.path("in/a b.tar").display().to_string());
    let absolute = bench.path("in/").display().to_string() + "/";
    bench.get(&site.url("/c"), &format!("destination: '{absolute}'")).unwrap();
    assert_eq!(bench.files(), ["a b.tar", "c"]);
    bench.fails(&site.url("/d/"), "destination: in/", "ends with no file name, so the destination must: in/");
    bench.fails(&site.url("/%2e%2e"), "destination: in/", "ends with no file name");
    bench.fails(&site.url("/x"), "destination: in", "is a folder; end the destination with `/` to go into it");
    assert_eq!(bench.files(), ["a b.tar", "c"]);
}

#[test]
fn redirects_are_followed_but_not_for_ever() {
    let site = Site::plain(|line, _| match line.split(' ').nth(1).unwrap() {
        "/start" => redirect("/d/one"),
        "/d/one" => redirect("two?x"),
        "/d/two?x" => ok(b"there"),
        _ => redirect("/again"),
    });
    let mut bench = bench();
    bench.get(&site.url("/start"), "destination: in/").unwrap();
    assert_eq!((bench.files(), bench.read("in/start")), (vec!["start".to_owned()], "there".to_owned()));
    bench.fails(&site.url("/loop"), "destination: in/", "it leads through more than 10 redirects");
    assert_eq!(site.requests().len(), 3 + 11);
    assert_eq!(bench.files(), ["start"]);
}

#[test]
fn only_200_is_a_success() {
    for status in [
        "201 Created",
        "203 Non Authoritative Information",
        "204 No Content",
        "206 Partial Content",
        "304 Not Modified",
        "404 Not Found",
        "403 Forbidden",
    ] {
        let site = Site::plain(move |_, _| match &status[..3] {
            // These have no body and no length.
            "204" | "304" => Some(format!("HTTP/1.1 {status}\r\nConnection: close\r\n\r\n").into_bytes()),
            _ => response(status, "", b"body"),
        });
        let mut bench = bench();
        bench.fails(
            &site.url("/f?secret"),
            "destination: in/",
            &format!("/f?…: the server answers {status}; only 200 is a success"),
        );
        assert_eq!((site.requests().len(), bench.files()), (1, vec![]), "{status}");
    }
    // No place to go on from.
    let site = Site::plain(|_, _| response("302 Found", "", b""));
    let error = bench().get(&site.url("/f"), "destination: in/").unwrap_err();
    assert!(matches!(error, StepError::Failed(_)), "{error}");
}

#[test]
fn what_may_pass_is_tried_five_times() {
    for status in
        ["500 Internal Server Error", "503 Service Unavailable", "429 Too Many Requests", "408 Request Timeout"]
    {
        let site = Site::plain(move |_, _| response(status, "", b""));
        let mut bench = bench();
        bench.fails(&site.url("/f"), "destination: in/", &format!("the server answers {status}, 5 times"));
        assert_eq!((site.requests().len(), bench.files()), (5, vec![]));
    }
    let site = Site::plain(|_, number| if number < 5 { response("502 Bad Gateway", "", b"") } else { ok(b"at last") });
    let mut bench = bench();
    bench.get(&site.url("/f"), "destination: in/").unwrap();
    assert_eq!(bench.read("in/f"), "at last");
    assert!(
        bench.lines[0].ends_with("the server answers 502 Bad Gateway; attempt 2 of 5 follows"),
        "{:?}",
        bench.lines
    );
}

#[test]
fn half_a_file_is_no_file() {
    let half = || Some(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec());
    let site = Site::plain(move |_, number| if number == 1 { half() } else { ok(b"the whole!") });
    let mut bench = bench();
    bench.get(&site.url("/f"), "destination: in/").unwrap();
    assert_eq!(bench.read("in/f"), "the whole!");
    let site = Site::plain(move |_, _| half());
    bench.fails(&site.url("/g"), "destination: in/", ", 5 times");
    assert_eq!(bench.files(), ["f"]);
    let chunked =
        |end: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n{end}").into_bytes();
    let site = Site::plain(move |_, number| Some(chunked(if number == 1 { "" } else { "0\r\n\r\n" })));
    bench.get(&site.url("/h"), "destination: in/").unwrap();
    assert_eq!((bench.read("in/h"), site.requests().len()), ("half".to_owned(), 2));
}

const ABC: [(&str, &str); 4] = [
    ("MD5", "900150983cd24fb0d6963f7d28e17f72"),
    ("SHA1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    ("SHA256", "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"),
    (
        "SHA512",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ),
];

#[test]
fn checksums_are_checked_before_the_file_appears() {
    for (algorithm, checksum) in ABC {
        let site = Site::plain(|line, _| ok(if line.contains("/abc") { b"abc" } else { b"abd" }));
        let mut bench = bench();
        let inputs = format!("destination: in/f, algorithm: {algorithm}, checksum: '{checksum}'");
        bench.write("in/f", "old");
        bench.fails(&site.url("/abd"), &inputs, &format!("not {}; the download was removed", checksum.to_lowercase()));
        assert_eq!((bench.read("in/f"), bench.files().len(), site.requests().len()), ("old".to_owned(), 1, 1));
        bench.get(&site.url("/abc"), &inputs).unwrap();
        assert_eq!(bench.read("in/f"), "abc");
        // The file that is there is the right one.
        bench.get(&site.url("/abc"), &inputs).unwrap();
        assert_eq!(site.requests().len(), 2, "{algorithm}");
        assert!(bench.lines.last().unwrap().ends_with("has this checksum already; it is not downloaded again"));
    }
    let inputs = "destination: in/f, algorithm: SHA256, checksum: 900150983cd24fb0d6963f7d28e17f72";
    bench().fails("http://127.0.0.1:1/", inputs, "is no SHA256 checksum, which has 64 hexadecimal digits");
}

#[test]
fn a_file_that_must_not_be_overwritten_stays() {
    let site = Site::plain(|_, _| ok(b"abc"));
    let mut bench = bench();
    bench.write("in/f", "abc");
    bench.fails(&site.url("/f"), "destination: in/, overwrite: false", "in/f exists, and `overwrite` is false");
    let (algorithm, checksum) = ABC[0];
    let inputs = format!("destination: in/f, overwrite: false, algorithm: {algorithm}, checksum: '{checksum}'");
    bench.fails(&site.url("/f"), &inputs, "exists, and `overwrite` is false");
    assert_eq!(site.requests().len(), 0);
    bench.get(&site.url("/g"), "destination: in/, overwrite: false").unwrap();
}

#[test]
fn the_limit_of_the_step_holds_wherever_the_time_goes() {
    let silent = Site::plain(|_, _| None);
    let drip = Site::plain(|_, _| Some(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec()));
    let failing = Site::plain(|_, _| response("500 No", "", b""));
    let mut bench = bench();
    for source in [silent.url("/f"), failing.url("/f"), drip.url("/f")] {
        bench.limit = Limit::starting_now(Some(Duration::from_millis(300)));
        let items = testing::items("WebDownload", &format!("[{{ source: '{source}', destination: in/ }}]"));
        let machine = testing::machine(bench.folder.path(), &[]);
        let mut listen = |_| ();
        // With the real pauses: they must not outlast the limit either.
        let outcome = download(&items[0], &machine, bench.limit, &mut Sink::new(&mut listen, false));
        assert!(matches!(outcome, Err(StepError::TimedOut { .. })), "{source}: {outcome:?}");
        assert_eq!(bench.files(), Vec::<String>::new());
    }
}

#[test]
fn a_name_server_that_is_silent_is_bounded_by_the_limit() {
    // Nobody reads from this socket.
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let configuration = folder.path().join("resolv.conf");
    fs::write(&configuration, "nameserver 127.0.0.1\n").unwrap();
    let names =
        names::Names { hosts: folder.path().join("hosts"), configuration, port: socket.local_addr().unwrap().port() };
    let mut way = Way::of(folder.path(), &BTreeMap::new(), false).unwrap();
    way.ask(names);
    let items = testing::items("WebDownload", "[{ source: 'http://x.test/f', destination: in/ }]");
    let machine = testing::machine(folder.path(), &[]);
    let limit = Limit::starting_now(Some(Duration::from_millis(200)));
    let mut listen = |_| ();
    let outcome = download_by(&way, FIRST_PAUSE, &items[0], &machine, limit, &mut Sink::new(&mut listen, false));
    assert!(matches!(outcome, Err(StepError::TimedOut { .. })), "{outcome:?}");
}

#[test]
fn names_are_those_of_the_machines_hosts_file() {
    let site = Site::plain(|_, _| ok(b"x"));
    let mut bench = bench();
    bench.write("etc/hosts", "127.0.0.1 files.test\n");
    bench.get(&format!("http://files.test:{}/f", site.port), "destination: in/").unwrap();
    assert!(site.requests()[0].to_lowercase().contains(&format!("host: files.test:{}\r\n", site.port)));
}

#[test]
fn certificates_are_those_the_machine_trusts() {
    let site = Site::secure(|_, _| ok(b"secret"));
    let mut bench = bench();
    let url = |host: &str| format!("https://{host}:{}/f", site.port);
    bench.fails(&url("localhost"), "destination: in/", "install the package ca-certificates first");
    bench.trust();
    for host in ["localhost", "127.0.0.1"] {
        bench.get(&url(host), "destination: in/").unwrap();
        assert_eq!(bench.read("in/f"), "secret");
    }
    bench.write("etc/hosts", "127.0.0.1 other.test secure.test\n");
    bench.get(&url("secure.test"), "destination: in/").unwrap();
    bench.fails(&url("other.test"), "destination: in/", "the connection is not secure: invalid peer certificate");
    bench.get(&url("other.test"), "destination: in/g, ignoreCertificateErrors: true").unwrap();
    // Another authority than the one that has signed.
    let stranger = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/server.pem")).unwrap();
    bench.write("etc/ssl/certs/ca-certificates.crt", &stranger);
    bench.fails(&url("localhost"), "destination: in/", "the connection is not secure");
    bench.environment = vec![("SSL_CERT_FILE".to_owned(), bench.path("own.pem").display().to_string())];
    bench.write("own.pem", AUTHORITY);
    bench.get(&url("localhost"), "destination: in/").unwrap();
    assert_eq!(bench.files(), ["f", "g"]);
}

#[test]
fn a_redirect_may_lead_to_a_secure_place() {
    let secure = Site::secure(|_, _| ok(b"secret"));
    let to = format!("https://localhost:{}/f", secure.port);
    let site = Site::plain(move |_, _| redirect(&to));
    let mut bench = bench();
    bench.fails(&site.url("/f"), "destination: in/", "install the package ca-certificates first");
    bench.trust();
    bench.get(&site.url("/f"), "destination: in/").unwrap();
    assert_eq!(bench.read("in/f"), "secret");
}

#[test]
fn proxies_of_the_environment_are_used() {
    let secure = Site::secure(|_, _| ok(b"secret"));
    let proxy = Site::plain(|_, _| ok(b"by proxy"));
    let direct = Site::plain(|_, _| ok(b"directly"));
    let mut bench = bench();
    bench.trust();
    let variable = |name: &str, value: String| (name.to_owned(), value);
    bench.environment = vec![
        variable("http_proxy", format!("http://me:pw@127.0.0.1:{}", proxy.port)),
        variable("HTTPS_PROXY", format!("127.0.0.1:{}", proxy.port)),
        variable("no_proxy", "127.0.0.1".to_owned()),
    ];
    // Nobody here knows the name; the proxy would.
    bench.get("http://far.test/f?x", "destination: in/").unwrap();
    assert_eq!(bench.read("in/f"), "by proxy");
    let request = &proxy.requests()[0];
    assert!(request.starts_with("GET http://far.test/f?x HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("Proxy-Authorization: Basic bWU6cHc=\r\n"), "{request}");
    bench.get(&format!("https://localhost:{}/s", secure.port), "destination: in/").unwrap();
    assert_eq!(bench.read("in/s"), "secret");
    assert!(proxy.requests()[1].starts_with(&format!("CONNECT localhost:{} HTTP/1.1\r\n", secure.port)));
    bench.get(&direct.url("/d"), "destination: in/").unwrap();
    assert_eq!((bench.read("in/d"), proxy.requests().len()), ("directly".to_owned(), 2));
    bench.environment = vec![variable("all_proxy", "socks5://127.0.0.1:1".to_owned())];
    bench.fails("http://far.test/f", "destination: in/", "names a proxy that cannot be used here");
}

#[test]
fn what_is_no_web_address_is_refused() {
    let mut bench = bench();
    for source in ["ftp://h/f", "file:///etc/passwd", "/etc/passwd", "HTTP"] {
        bench.fails(source, "destination: in/f", "is not the address of a file on the web");
    }
    bench.fails("http://", "destination: in/f", "http://");
    bench.fails("http://a b/f", "destination: in/f", "http://a b/f: ");
}

#[test]
fn a_proxy_that_refuses_is_named_and_not_asked_again() {
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = proxy.local_addr().unwrap().port();
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&asked);
    std::thread::spawn(move || {
        for mut stream in proxy.incoming().flatten() {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
        }
    });
    let mut bench = bench();
    bench.trust();
    bench.environment = vec![("https_proxy".to_owned(), format!("127.0.0.1:{port}"))];
    bench.fails(
        "https://far.test/f",
        "destination: in/",
        &format!("the proxy 127.0.0.1:{port} does not open a tunnel to far.test:443: HTTP/1.1 407 Proxy"),
    );
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 1);
}
