//! `WebDownload` (reference/component-documents.md 9.2).

mod address;
mod connect;
mod names;
mod proxy;

use super::digest::Hasher;
use super::fresh::Fresh;
use super::{Machine, StepError};
use crate::runner::capture::Sink;
use crate::runner::model::Stream;
use crate::runner::process::{Limit, pause};
use crate::runner::values::Inputs;
use connect::Way;
use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a download is tried, whatever `maxAttempts` says.
const ATTEMPTS: u32 = 5;

/// The pause before the second try; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Fetches one file.
pub fn download(
    item: &Inputs,
    machine: &Machine,
    limit: Limit,
    sink: &mut Sink<'_>,
) -> Result<BTreeMap<String, Option<String>>, StepError> {
    let way = Way::of(&machine.root, &machine.environment, item.flag("ignoreCertificateErrors"));
    let way = way.map_err(StepError::Failed)?;
    download_by(&way, FIRST_PAUSE, item, machine, limit, sink)
}

fn download_by(
    way: &Way,
    first_pause: Duration,
    item: &Inputs,
    machine: &Machine,
    limit: Limit,
    sink: &mut Sink<'_>,
) -> Result<BTreeMap<String, Option<String>>, StepError> {
    let source = item.required("source").trim();
    let shown = address::shown(source);
    if !source.starts_with("http://") && !source.starts_with("https://") {
        return Err(StepError::Failed(format!("{shown} is not the address of a file on the web: http:// or https://")));
    }
    let target = target(source, item.required("destination"), machine)?;
    let expected = Expected::of(item)?;
    let output = BTreeMap::from([("destination".to_owned(), Some(target.display().to_string()))]);
    // A link that leads nowhere is in the way, too; a folder is said with the way out when the file is begun.
    if fs::symlink_metadata(&target).is_ok_and(|found| !found.is_dir()) {
        if !item.flag("overwrite") {
            return Err(StepError::Failed(format!("{} exists, and `overwrite` is false", target.display())));
        }
        if expected.as_ref().is_some_and(|expected| expected.has(&target)) {
            sink.say(format!("{} has this checksum already; it is not downloaded again", target.display()));
            return Ok(output);
        }
    }
    let mut wait = first_pause;
    for attempt in 1..=ATTEMPTS {
        limit.check()?;
        let fault = match fetch(way, source, &target, expected.as_ref(), limit) {
            Ok(length) => {
                sink.say(format!("{length} bytes of {shown} are in {}", target.display()));
                return Ok(output);
            }
            Err(Fault::Final(error)) => return Err(error),
            Err(Fault::Passing(fault)) => fault,
        };
        limit.check()?;
        if attempt == ATTEMPTS {
            return Err(StepError::Failed(format!("{shown}: {fault}, {ATTEMPTS} times")));
        }
        sink.line(Stream::Stderr, format!("{shown}: {fault}; attempt {} of {ATTEMPTS} follows", attempt + 1));
        pause(limit.left().map_or(wait, |left| left.min(wait)));
        wait *= 2;
    }
    Err(StepError::Failed(format!("{shown} was not tried")))
}

/// The file that a download becomes. A destination that ends with a separator keeps the name in the address.
fn target(source: &str, destination: &str, machine: &Machine) -> Result<PathBuf, StepError> {
    let path = machine.path(destination)?;
    if !destination.ends_with('/') {
        return Ok(path);
    }
    let name = address::file_name(source).ok_or_else(|| {
        StepError::Failed(format!(
            "the address {} ends with no file name, so the destination must: {destination}",
            address::shown(source)
        ))
    })?;
    Ok(path.join(name))
}

/// A checksum that the file must have.
struct Expected {
    algorithm: String,
    hasher: Hasher,
    checksum: String,
}

impl Expected {
    /// `None` unless both are given; with one of them lint refuses the document (M007).
    fn of(item: &Inputs) -> Result<Option<Self>, StepError> {
        let (Some(checksum), Some(algorithm)) = (item.text("checksum"), item.text("algorithm")) else {
            return Ok(None);
        };
        let hasher = Hasher::named(algorithm)
            .ok_or_else(|| StepError::Failed(format!("there is no checksum algorithm `{algorithm}`")))?;
        let checksum = checksum.trim().to_ascii_lowercase();
        let digits = hasher.clone().finish().len();
        if checksum.len() != digits || !checksum.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let message = format!("`{checksum}` is no {algorithm} checksum, which has {digits} hexadecimal digits");
            return Err(StepError::Failed(message));
        }
        Ok(Some(Self { algorithm: algorithm.to_owned(), hasher, checksum }))
    }

    fn has(&self, path: &Path) -> bool {
        self.hasher.clone().of_file(path).is_ok_and(|found| found == self.checksum)
    }
}

/// Why one try failed.
enum Fault {
    /// It would fail again.
    Final(StepError),
    /// Another try may do better.
    Passing(String),
}

/// Downloads once, to a file beside the target that takes its place when it is complete and right. Its length in bytes.
fn fetch(way: &Way, source: &str, target: &Path, expected: Option<&Expected>, limit: Limit) -> Result<u64, Fault> {
    let shown = address::shown(source);
    let answer = way.client(limit.left()).get(source).call().map_err(|error| judge(&shown, &error))?;
    let status = answer.status();
    if status.as_u16() != 200 {
        let message = format!("the server answers {status}");
        // All but "too slow" and "too many" among the 4xx are about the request, which will not change.
        let passing = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
        let stays = || StepError::Failed(format!("{shown}: {message}; only 200 is a success"));
        return Err(if passing { Fault::Passing(message) } else { Fault::Final(stays()) });
    }
    let mut fresh = Fresh::create(target).map_err(Fault::Final)?;
    let mut body = answer.into_body().into_reader();
    let mut hasher = expected.map(|expected| expected.hasher.clone());
    let mut buffer = vec![0; 64 * 1024];
    let mut length = 0;
    loop {
        let got = body.read(&mut buffer).map_err(|error| judge(&shown, &ureq::Error::from(error)))?;
        if got == 0 {
            break;
        }
        length += got as u64;
        if let Some(hasher) = &mut hasher {
            hasher.update(&buffer[..got]);
        }
        let written = fresh.file().write_all(&buffer[..got]);
        written.map_err(|error| Fault::Final(StepError::io("cannot write", target, &error)))?;
        limit.check().map_err(Fault::Final)?;
    }
    if let (Some(hasher), Some(expected)) = (hasher, expected) {
        let found = hasher.finish();
        if found != expected.checksum {
            let (algorithm, checksum) = (&expected.algorithm, &expected.checksum);
            let message = format!("{shown}: its {algorithm} is {found}, not {checksum}; the download was removed");
            return Err(Fault::Final(StepError::Failed(message)));
        }
    }
    fresh.keep().map_err(Fault::Final)?;
    Ok(length)
}

/// Whether another try may help against an error of the client.
fn judge(shown: &str, error: &ureq::Error) -> Fault {
    use ureq::Error as E;
    // What the encryption refuses, a certificate above all, comes as invalid data.
    let insecure =
        matches!(error, E::Rustls(_)) || matches!(error, E::Io(reason) if reason.kind() == ErrorKind::InvalidData);
    let passing = match error {
        _ if insecure => false,
        // The last is a name that is not known, or a proxy that hangs up.
        E::Io(_) | E::Timeout(_) | E::HostNotFound | E::ConnectionFailed | E::BodyStalled | E::Other(_) => true,
        _ => false,
    };
    let text = match error {
        E::Io(reason) if insecure => format!("the connection is not secure: {reason}"),
        E::Rustls(reason) => format!("the connection is not secure: {reason}"),
        E::Io(reason) => reason.to_string(),
        E::Other(reason) => reason.to_string(),
        E::Tls(reason) => (*reason).to_owned(),
        E::ConnectProxyFailed(reason) => format!("the proxy {reason}"),
        E::TooManyRedirects => "it leads through more than 10 redirects".to_owned(),
        other => other.to_string(),
    };
    if passing { Fault::Passing(text) } else { Fault::Final(StepError::Failed(format!("{shown}: {text}"))) }
}

#[cfg(test)]
#[path = "web/tests.rs"]
mod tests;
