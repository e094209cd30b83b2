//! A registry of images on a loopback port: the part of the distribution specification that pulling needs.

use super::image::{INDEX, Image, MANIFEST, digits, index};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A running registry; it ends with the process.
pub struct Registry {
    pub address: SocketAddr,
    /// Paths that were asked for, in order.
    pub asked: Arc<Mutex<Vec<String>>>,
}

struct Content {
    /// Manifests by tag and digest: media type and bytes.
    manifests: BTreeMap<String, (String, Vec<u8>)>,
    blobs: BTreeMap<String, Vec<u8>>,
}

impl Registry {
    /// Serves images under one name: the first of this machine's as `one`, all of them in an index as `all`.
    pub fn serve(images: &[(&str, &Image)]) -> Self {
        let mut content = Content { manifests: BTreeMap::new(), blobs: BTreeMap::new() };
        for (at, (_, image)) in images.iter().enumerate() {
            let parts = image.parts();
            let manifest = (MANIFEST.to_owned(), parts.blobs[&parts.manifest].clone());
            if at == 0 {
                content.manifests.insert("one".into(), manifest.clone());
            }
            content.manifests.insert(format!("sha256:{}", parts.manifest), manifest);
            content.blobs.extend(parts.blobs.into_iter().map(|(name, bytes)| (format!("sha256:{name}"), bytes)));
        }
        let all = index(images);
        content.manifests.insert(format!("sha256:{}", digits(&all)), (INDEX.into(), all.clone()));
        content.manifests.insert("all".into(), (INDEX.into(), all));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (content, log) = (Arc::new(content), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (content, log) = (Arc::clone(&content), Arc::clone(&log));
                thread::spawn(move || answer(&stream, &content, &log));
            }
        });
        Self { address, asked }
    }

    /// What to pull.
    pub fn reference(&self, tag: &str) -> String {
        let separator = if tag.starts_with("sha256:") { '@' } else { ':' };
        format!("{}/team/app{separator}{tag}", self.address)
    }

    /// How often a path was asked for that holds a word, since last asked.
    pub fn count(&self, word: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|path| path.contains(word)).count()
    }
}

fn answer(stream: &TcpStream, content: &Content, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header).unwrap_or(0) == 0 || header.trim().is_empty() {
                break;
            }
        }
        log.lock().unwrap().push(path.clone());
        let name = path.rsplit('/').next().unwrap_or_default();
        let (status, kind, body) = if path == "/v2/" {
            ("200 OK", "application/json", b"{}".to_vec())
        } else if let Some((kind, bytes)) = content.manifests.get(name).filter(|_| path.contains("/manifests/")) {
            ("200 OK", kind.as_str(), bytes.clone())
        } else if let Some(bytes) = content.blobs.get(name).filter(|_| path.contains("/blobs/")) {
            ("200 OK", "application/octet-stream", bytes.clone())
        } else {
            ("404 Not Found", "application/json", br#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#.to_vec())
        };
        let digest = digits(&body);
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nDocker-Content-Digest: sha256:{digest}\r\n\
             Docker-Distribution-Api-Version: registry/2.0\r\n\r\n",
            body.len()
        );
        let mut writer = stream;
        let sent = writer.write_all(head.as_bytes());
        let sent = sent.and_then(|()| if method == "HEAD" { Ok(()) } else { writer.write_all(&body) });
        if sent.is_err() {
            return;
        }
    }
}
