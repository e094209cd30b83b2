//! What documents ask of AWS, asked through the SDK of moto, which plays S3 and Systems Manager.

#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped is a failed test")]

use amiforge::aws::Sdk;
use amiforge::runner::outside::{Object, Outside};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use tokio::runtime::Runtime;

/// The account that moto is, unless told otherwise.
const ACCOUNT: &str = "123456789012";

/// moto, one for all tests; it ends with this process, whose end of its standard input it watches.
struct Moto {
    address: String,
    _child: Child,
}

/// Ends moto when its standard input is closed: with this process, however that ends.
const WATCHED: &str = r#"
import os, sys, threading
from moto.server import main
def watch():
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=watch, daemon=True).start()
main(["-p", "0"])
"#;

fn moto() -> &'static Moto {
    static MOTO: OnceLock<Moto> = OnceLock::new();
    MOTO.get_or_init(|| {
        let python = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../aws-cli/bin/python");
        assert!(python.exists(), "this test needs moto: run scripts/test-prerequisites with the same CARGO_TARGET_DIR");
        let mut child = Command::new(python)
            .args(["-c", WATCHED])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        // ` * Running on http://127.0.0.1:40123`
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let at = line.find("http://127.0.0.1:")?;
            Some(line[at..].trim().to_owned())
        });
        // The log of its requests is read and dropped, or it would wait for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Moto { address: address.expect("moto says where it listens"), _child: child }
    })
}

fn config() -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(&moto().address)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

struct Bench {
    runtime: Runtime,
    s3: aws_sdk_s3::Client,
    ssm: aws_sdk_ssm::Client,
    bucket: &'static str,
    sdk: Sdk,
}

/// A bucket of this test's own.
fn bench(bucket: &'static str) -> Bench {
    let runtime = Runtime::new().unwrap();
    let config = aws_sdk_s3::config::Builder::from(&config()).force_path_style(true).build();
    let s3 = aws_sdk_s3::Client::from_conf(config);
    runtime.block_on(s3.create_bucket().bucket(bucket).send()).unwrap();
    let ssm = aws_sdk_ssm::Client::new(&self::config());
    Bench { runtime, s3, ssm, bucket, sdk: Sdk::of(self::config(), None) }
}

impl Bench {
    fn object(&self, key: &str) -> Object {
        Object { bucket: self.bucket.to_owned(), key: key.to_owned(), owner: Some(ACCOUNT.to_owned()) }
    }

    fn put(&self, key: &str, content: &[u8]) {
        let request = self.s3.put_object().bucket(self.bucket).key(key).body(content.to_vec().into());
        self.runtime.block_on(request.send()).unwrap();
    }

    fn get(&self, key: &str) -> Vec<u8> {
        self.runtime.block_on(async {
            let answer = self.s3.get_object().bucket(self.bucket).key(key).send().await.unwrap();
            answer.body.collect().await.unwrap().into_bytes().to_vec()
        })
    }

    /// Uploads in pieces of a size.
    fn upload(&mut self, key: &str, content: &[u8], size: usize) -> Result<(), String> {
        let mut pieces = content.chunks(size);
        let object = self.object(key);
        let next = &mut || Ok(pieces.next().unwrap_or_default().to_vec());
        self.sdk.write(&object, next).map_err(|error| error.0)
    }

    fn download(&mut self, key: &str) -> Result<Vec<u8>, String> {
        let object = self.object(key);
        let (mut content, mut etag) = (Vec::new(), None);
        loop {
            let chunk = self.sdk.read(&object, content.len() as u64, etag.as_deref()).map_err(|error| error.0)?;
            content.extend(chunk.bytes);
            if content.len() as u64 == chunk.total {
                return Ok(content);
            }
            etag = Some(chunk.etag);
        }
    }
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|number| number.to_le_bytes()[0] ^ number.to_le_bytes()[1]).collect()
}

#[test]
fn parameters_of_every_type() {
    use aws_sdk_ssm::types::ParameterType as T;
    let mut bench = bench("parameters");
    for (name, kind, value) in
        [("/p/text", T::String, "one"), ("/p/list", T::StringList, "a,b"), ("/p/secret", T::SecureString, "hunter2")]
    {
        let request = bench.ssm.put_parameter().name(name).value(value).r#type(kind.clone());
        bench.runtime.block_on(request.send()).unwrap();
        let found = bench.sdk.parameter(name).unwrap();
        assert_eq!((found.value.as_str(), found.secret), (value, kind == T::SecureString), "{name}");
    }
    let error = bench.sdk.parameter("/p/none").unwrap_err().0;
    assert!(error.starts_with("GetParameter: ParameterNotFound: "), "{error}");
}

#[test]
fn objects_of_every_length_are_read() {
    let mut bench = bench("reading");
    for length in [0, 1, 8 << 20, (8 << 20) + 1, (20 << 20) + 7] {
        let content = bytes(length);
        bench.put("dir/object", &content);
        assert!(bench.download("dir/object").unwrap() == content, "{length}");
    }
    let error = bench.download("none").unwrap_err();
    assert!(error.starts_with("GetObject: NoSuchKey: "), "{error}");
}

#[test]
fn an_object_that_changes_while_it_is_read_is_an_error() {
    let mut bench = bench("changing");
    bench.put("object", &bytes(9 << 20));
    let object = bench.object("object");
    let first = bench.sdk.read(&object, 0, None).unwrap();
    bench.put("object", b"other");
    let error = bench.sdk.read(&object, first.bytes.len() as u64, Some(&first.etag)).unwrap_err().0;
    assert!(error.starts_with("GetObject: "), "{error}");
}

#[test]
fn objects_of_every_length_are_written() {
    let mut bench = bench("writing");
    for (length, size) in [(0, 1), (5, 2), (16 << 20, 1 << 20), ((16 << 20) + 1, 3 << 20), (40 << 20, 7 << 20)] {
        let content = bytes(length);
        bench.upload("dir/object", &content, size).unwrap();
        assert!(bench.get("dir/object") == content, "{length}");
    }
}

#[test]
fn an_upload_that_cannot_be_finished_leaves_no_parts() {
    let mut bench = bench("aborting");
    let object = bench.object("object");
    let mut left = 40;
    let error = bench.sdk.write(&object, &mut || {
        left -= 1;
        if left == 0 { Err(std::io::Error::other("the disk is on fire")) } else { Ok(vec![0; 1 << 20]) }
    });
    assert_eq!(error.unwrap_err().0, "the disk is on fire");
    bench.runtime.block_on(async {
        let uploads = bench.s3.list_multipart_uploads().bucket(bench.bucket).send().await.unwrap();
        assert!(uploads.uploads.unwrap_or_default().is_empty());
        assert!(bench.s3.head_object().bucket(bench.bucket).key("object").send().await.is_err());
    });
}

#[test]
fn a_prefix_is_listed_up_to_the_limit() {
    let mut bench = bench("listing");
    for key in ["p/a", "p/sub/b", "p2", "q"] {
        bench.put(key, b"x");
    }
    let prefix = bench.object("p");
    assert_eq!(bench.sdk.list(&prefix).unwrap(), ["p/a", "p/sub/b", "p2"]);
    assert_eq!(bench.sdk.list(&bench.object("none")).unwrap(), Vec::<String>::new());
    bench.runtime.block_on(async {
        for number in 0..998 {
            let request = bench.s3.put_object().bucket(bench.bucket).key(format!("p/{number}"));
            request.body(Vec::new().into()).send().await.unwrap();
        }
    });
    let error = bench.sdk.list(&prefix).unwrap_err().0;
    assert!(error.contains("more than 1000 objects begin with this prefix"), "{error}");
}

#[test]
fn documents_are_read_from_their_bucket() {
    let mut bench = bench("documents");
    bench.put("child.yaml", b"schemaVersion: 1.0\n");
    bench.put("large.yaml", &vec![b'#'; 64 * 1024 + 1]);
    bench.put("binary.yaml", &[0xff, 0xfe]);
    assert_eq!(bench.sdk.document("s3://documents/child.yaml", Some(ACCOUNT)).unwrap(), "schemaVersion: 1.0\n");
    for (key, reason) in [("large.yaml", "64 KB at most"), ("binary.yaml", "not UTF-8"), ("none.yaml", "NoSuchKey")] {
        let error = bench.sdk.document(&format!("s3://documents/{key}"), None).unwrap_err().0;
        assert!(error.contains(reason), "{key}: {error}");
    }
}

/// A metadata service of one value, as `IMDSv2` speaks.
fn metadata_service() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap().to_lowercase();
            let (status, headers, body) = match head.split(' ').take(2).collect::<Vec<_>>()[..] {
                ["put", "/latest/api/token"] => ("200 OK", "x-aws-ec2-metadata-token-ttl-seconds: 60\r\n", "token"),
                ["get", "/latest/meta-data/placement/region"] if head.contains("x-aws-ec2-metadata-token: token") => {
                    ("200 OK", "", "eu-west-1")
                }
                _ => ("404 Not Found", "", ""),
            };
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn metadata_is_read_with_a_token() {
    let mut sdk = Sdk::of(config(), Some(metadata_service()));
    assert_eq!(sdk.metadata("placement/region").unwrap(), "eu-west-1");
    let error = sdk.metadata("nothing").unwrap_err().0;
    assert!(error.contains("the metadata nothing: "), "{error}");
    assert!(sdk.metadata("/iam/security-credentials/x").unwrap_err().0.contains("is refused"));
}

/// The whole way: the program, its child that runs the document, the environment's endpoint and credentials.
#[test]
fn a_document_reaches_s3_by_the_credentials_of_the_environment() {
    let bench = bench("program");
    bench.put("in/tool", b"content");
    let folder = tempfile::tempdir().unwrap();
    let document = "name: Test\ndescription: A test.\nschemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      \
        - { name: Get, action: S3Download, inputs: [{ source: 's3://program/in/*', destination: DIR/got }] }\n      \
        - { name: Put, action: S3Upload, inputs: [{ source: DIR/got/tool, destination: 's3://program/out/' }] }\n";
    let document = document.replace("DIR", folder.path().to_str().unwrap());
    let request = bench.s3.put_object().bucket("program").key("doc.yaml").body(document.into_bytes().into());
    bench.runtime.block_on(request.send()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_amiforge"))
        .args(["component", "run", "s3://program/doc.yaml", "--on-host", "--document-s3-bucket-owner", ACCOUNT])
        .current_dir(folder.path())
        .env("AWS_ENDPOINT_URL", &moto().address)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(bench.get("out/tool"), b"content");
}
