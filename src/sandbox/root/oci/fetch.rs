//! Fetching images from registries, through the program that is installed: registries, their logins, mirrors and
//! certificates are those programs' business, and their configuration on this machine counts.
//!
//! | order | program | why |
//! |---|---|---|
//! | 1 | skopeo | leaves nothing in anybody's storage, and hands out the manifest's own bytes, which are proved here |
//! | 2 | podman | needs no daemon |
//! | 3 | docker | needs its daemon |
//!
//! The latter two keep the image in their own storage; remove it there when it is not wanted.

use super::document::Document;
use super::{Image, LONGEST_DOCUMENT, Problem, Result, Store, Unusable, architecture};
use crate::sandbox::mode::program;
use crate::sandbox::root::{self, unpack::Blob};
use crate::sandbox::{Line, SandboxError, sys};
use sha2::{Digest, Sha256};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Lines of output kept for an error message.
const KEPT_LINES: usize = 10;

/// What fetching came to.
pub(in crate::sandbox::root) enum Pulled {
    /// The image of this id is known already; nothing was fetched.
    Known(String),
    /// It was fetched.
    Fetched(Image),
}

/// Fetches the image of a reference for this machine into `folder`, which is there and empty, unless `known` knows its id.
pub(in crate::sandbox::root) fn pull(
    reference: &str,
    folder: &Path,
    known: &dyn Fn(&str) -> bool,
    on_line: &mut dyn FnMut(Line),
) -> Result<Pulled> {
    let from = format!("oci:{reference}");
    if let Some(skopeo) = program("skopeo") {
        return Skopeo { program: skopeo, reference, from }.pull(folder, known, on_line);
    }
    let image = folder.join("image.tar");
    let (name, path, source) = if let Some(podman) = program("podman") {
        ("podman", podman, format!("docker://{reference}"))
    } else if let Some(docker) = program("docker") {
        ("docker", docker, reference.to_owned())
    } else {
        return Err(Problem::Machine(nothing_installed()));
    };
    let mut pull = Command::new(&path);
    pull.args(["pull", "--quiet"]);
    if name == "podman" && is_loopback(reference) {
        pull.arg("--tls-verify=false");
    }
    let id = run(name, pull.arg(&source), &from, on_line)?;
    // podman says the id of what it has pulled, docker its name.
    let id = if name == "podman" { last_word(&id) } else { reference.to_owned() };
    let mut save = Command::new(&path);
    save.args(["save", "--output"]).arg(&image);
    if name == "podman" {
        save.arg("--format=docker-archive");
    }
    run(name, save.arg(&id), &from, on_line)?;
    super::open(&Store::open(&image, folder)?, None, architecture()).map(Pulled::Fetched)
}

/// The program that would fetch an image.
pub(in crate::sandbox) fn equipped() -> std::result::Result<PathBuf, SandboxError> {
    ["skopeo", "podman", "docker"].into_iter().find_map(program).ok_or_else(nothing_installed)
}

fn nothing_installed() -> SandboxError {
    SandboxError::Program {
        program: "skopeo (or podman, or docker)".into(),
        purpose: "it fetches images from registries".into(),
        mend: "sudo apt-get install -y skopeo (or: sudo dnf install -y skopeo)".into(),
        without: "an image that is a file already (image:PATH, as `docker save` writes it), a tar, a folder, and releases of \
                  Debian and Ubuntu"
            .into(),
    }
}

struct Skopeo<'a> {
    program: PathBuf,
    reference: &'a str,
    from: String,
}

impl Skopeo<'_> {
    fn pull(&self, folder: &Path, known: &dyn Fn(&str) -> bool, on_line: &mut dyn FnMut(Line)) -> Result<Pulled> {
        let (name, given) = match self.reference.split_once('@') {
            // A tag beside a digest is decoration, and skopeo refuses both together.
            Some((name, digest)) => (without_tag(name), Some(digest.to_owned())),
            None => (without_tag(self.reference), None),
        };
        let first = given.as_ref().map_or_else(|| self.reference.to_owned(), |digest| format!("{name}@{digest}"));
        let (document, digest) = self.inspect(&first, folder, on_line)?;
        if given.is_some_and(|given| given != digest) {
            return Err(self.wrong_digest(&first, &digest));
        }
        let (document, digest) = if document.is_index() {
            let chosen = match document.for_platform(architecture()).as_slice() {
                [] => return Err(super::other_platform(architecture(), &document)),
                // Variants of one architecture: the first is the one that all of its machines run.
                [first, ..] => first.digest.clone(),
            };
            let (inner, found) = self.inspect(&format!("{name}@{chosen}"), folder, on_line)?;
            if found != chosen {
                return Err(self.wrong_digest(&chosen, &found));
            }
            (inner, chosen)
        } else {
            (document, digest)
        };
        if let Some(id) = document.image_id().filter(|id| known(id)) {
            return Ok(Pulled::Known(id));
        }
        let place = folder.join("image");
        let mut copy = Command::new(&self.program);
        copy.arg("copy");
        own_runtime_folder(&mut copy, folder);
        if is_loopback(name) {
            copy.arg("--src-tls-verify=false");
        }
        copy.arg(format!("docker://{name}@{digest}")).arg(format!("dir:{}", place.display()));
        run("skopeo", &mut copy, &self.from, on_line)?;
        let written = Blob::whole(&place.join("manifest.json"))?.read(LONGEST_DOCUMENT)?;
        let found = digest_of(&written);
        if found != digest {
            return Err(self.wrong_digest(&digest, &found));
        }
        super::manifest(&Store::Flat(place), &Document::read(&written, "its manifest")?, architecture())
            .map(Pulled::Fetched)
    }

    /// The index or manifest, byte by byte as the registry has it, and its digest.
    fn inspect(&self, what: &str, folder: &Path, on_line: &mut dyn FnMut(Line)) -> Result<(Document, String)> {
        let mut inspect = Command::new(&self.program);
        inspect.args(["inspect", "--raw"]);
        own_runtime_folder(&mut inspect, folder);
        if is_loopback(what) {
            inspect.arg("--tls-verify=false");
        }
        let bytes = run("skopeo", inspect.arg(format!("docker://{what}")), &self.from, on_line)?;
        Ok((Document::read(&bytes, "its manifest")?, digest_of(&bytes)))
    }

    fn wrong_digest(&self, wanted: &str, found: &str) -> Problem {
        Problem::Image(Unusable {
            why: format!("the registry answers with {found} to {wanted}"),
            next: format!("do not trust this registry; ask who runs the one of {}", self.reference),
        })
    }
}

/// skopeo looks for logins in /run/containers when the caller has no runtime folder of their own, and gives up when root's
/// podman has made that folder and closed it: then it gets one without logins, and finds those in the home.
fn own_runtime_folder(command: &mut Command, folder: &Path) {
    let logins = format!("/run/containers/{}/auth.json", nix::unistd::geteuid());
    let denied = std::fs::metadata(logins).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
    if denied && std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        command.env("XDG_RUNTIME_DIR", folder);
    }
}

fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", root::hex(&Sha256::digest(bytes)))
}

fn without_tag(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => path,
        _ => name,
    }
}

/// A registry on this machine may speak without encryption, as docker has it.
fn is_loopback(reference: &str) -> bool {
    let host = reference.split('/').next().unwrap_or_default();
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|own| {
        host.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')) && reference.contains('/')
    })
}

fn last_word(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).split_whitespace().last().unwrap_or_default().to_owned()
}

/// Runs a program to its end, hands on what it says and returns its output.
fn run(name: &str, command: &mut Command, from: &str, on_line: &mut dyn FnMut(Line)) -> Result<Vec<u8>> {
    let failed = |reason: String, last_lines: VecDeque<String>| {
        Problem::Machine(SandboxError::Fetch {
            program: name.to_owned(),
            from: from.to_owned(),
            reason,
            last_lines: last_lines.into(),
        })
    };
    sys::die_with_us(command);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| failed(format!("it cannot be started: {error}"), VecDeque::new()))?;
    let stdout = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.map(|stdout| stdout.take(LONGEST_DOCUMENT).read_to_end(&mut bytes));
        read.transpose().map(|_| bytes)
    });
    let mut last = VecDeque::new();
    for line in child.stderr.take().into_iter().flat_map(|stderr| BufReader::new(stderr).split(b'\n')) {
        let Ok(line) = line else { break };
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        last.push_back(text.clone());
        if last.len() > KEPT_LINES {
            last.pop_front();
        }
        on_line(Line::Err(text));
    }
    let status = child.wait().map_err(|error| failed(error.to_string(), VecDeque::new()))?;
    let bytes = reader.join();
    if !status.success() {
        return Err(failed(format!("it ended with {status}"), last));
    }
    match bytes {
        Ok(Ok(bytes)) => Ok(bytes),
        _ => Err(failed("its output could not be read".into(), last)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_of_this_machine_may_speak_plainly() {
        for (reference, plain) in [
            ("localhost:5000/a", true),
            ("localhost/a", true),
            ("127.0.0.1:1/a@sha256:0", true),
            ("[::1]:5000/a", true),
            ("localhost:5000", false),
            ("127.0.0.1.example/a", false),
            ("amazonlinux:2023", false),
        ] {
            assert_eq!(is_loopback(reference), plain, "{reference}");
        }
    }

    #[test]
    fn tags_are_told_from_ports() {
        assert_eq!(without_tag("amazonlinux:2023"), "amazonlinux");
        assert_eq!(without_tag("localhost:5000/a/b"), "localhost:5000/a/b");
        assert_eq!(without_tag("localhost:5000/a/b:1"), "localhost:5000/a/b");
    }

    #[test]
    fn a_program_that_fails_is_quoted() {
        let mut said = Vec::new();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo out; echo 'no such image' >&2; exit 3"]);
        let problem = run("sh", &mut command, "oci:x", &mut |line| said.push(line)).err().unwrap();
        let text = problem.of("oci:x").to_string();
        assert!(text.contains("sh could not get oci:x") && text.contains("\n  | no such image"), "{text}");
        assert_eq!(said, [Line::Err("no such image".into())]);
    }

    #[test]
    fn nothing_to_fetch_with_is_told_with_a_command() {
        let text = nothing_installed().to_string();
        assert!(text.contains("mend it with: sudo apt-get install -y skopeo"), "{text}");
    }
}
