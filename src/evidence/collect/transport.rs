//! Bytes from an instance, through a channel that cuts after 24,000 characters without saying so.
//!
//! A script compresses the data, encodes it as base64 and prints one slice between two marker lines that tell the whole
//! length and the SHA-256 of the whole. It is made once; further slices are fetched until everything is there; a slice that is too short, a
//! missing end marker or a digest that does not match is an error, never a shorter list.

use super::command::{Command, run};
use super::instance::Running;
use super::site::{LIST, Site};
use crate::evidence::error::EvidenceError;
use base64::Engine as _;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::Read as _;

/// Characters of one slice: below the 24,000 of `GetCommandInvocation` (patch-baselines.md 7.6), with room for markers.
const SLICE: usize = 20_000;
/// More than any list of packages has, compressed or not: protects memory from a machine that is not what it seems.
const GREATEST: usize = 64 << 20;

const BEGIN: &str = "amiforge-begin";
const END: &str = "amiforge-end";

/// One slice, as printed by [`script`] and [`rest`].
#[derive(Debug, PartialEq, Eq)]
struct Slice<'a> {
    total: usize,
    sha256: &'a str,
    /// The folder on the instance that holds the whole until its last slice was fetched.
    folder: &'a str,
    text: &'a str,
}

/// Fetches what `producer` (lines of sh that write to standard output) prints. Nothing when it prints nothing.
pub(super) async fn fetch(
    site: &Site,
    instance: &Running,
    what: &'static str,
    producer: &str,
) -> Result<Option<Vec<u8>>, EvidenceError> {
    let broken = |reason: String| EvidenceError::Transport { instance: instance.id().to_owned(), reason };
    let mut text = String::new();
    let mut next = script(producer);
    let mut digest: Option<String> = None;
    loop {
        let command = Command {
            what,
            document: "AWS-RunShellScript",
            parameters: vec![("commands", next)],
            plugin: None,
            deadline: LIST,
        };
        let output = run(site, instance, &command).await?;
        let slice = parse(&output.stdout, text.len()).map_err(broken)?;
        if digest.get_or_insert_with(|| slice.sha256.to_owned()) != slice.sha256 {
            return Err(broken("it changed while it was read".to_owned()));
        }
        text.push_str(slice.text);
        if text.len() >= slice.total {
            break;
        }
        next = rest(&slice, text.len());
    }
    if text.is_empty() {
        return Ok(None);
    }
    unpack(&text, &digest.unwrap_or_default()).map(Some).map_err(broken)
}

/// The script that makes the whole and prints the first slice. `pipefail` is no option of POSIX shells, so the producer
/// writes to a file and its status is seen. What does not fit stays in a folder for [`rest`].
fn script(producer: &str) -> String {
    format!(
        "set -eu
export LC_ALL=C
work=$(mktemp -d)
left=
trap '[ -n \"$left\" ] || rm -rf \"$work\"' EXIT
{{
{producer}
}} >\"$work/plain\"
if [ -s \"$work/plain\" ]; then gzip -9n <\"$work/plain\" | base64 | tr -d '\\n' >\"$work/text\"; else : >\"$work/text\"; fi
rm -f \"$work/plain\"
sum=$(sha256sum <\"$work/text\")
size=$(wc -c <\"$work/text\" | tr -d ' ')
echo \"{BEGIN} $size ${{sum%% *}} $work\"
head -c {SLICE} \"$work/text\"
echo
echo {END}
if [ \"$size\" -gt {SLICE} ]; then left=yes; fi
"
    )
}

/// The script that prints the slice from `offset`, and with the last one takes the folder away.
fn rest(slice: &Slice<'_>, offset: usize) -> String {
    let Slice { total, sha256, folder, .. } = slice;
    let last = if total - offset <= SLICE { format!("rm -rf '{folder}'\n") } else { String::new() };
    format!(
        "set -eu
echo '{BEGIN} {total} {sha256} {folder}'
tail -c +{} '{folder}/text' | head -c {SLICE}
echo
echo {END}
{last}",
        offset + 1
    )
}

/// Finds the slice from `offset` in the output of [`script`] or [`rest`].
fn parse(stdout: &str, offset: usize) -> Result<Slice<'_>, String> {
    let mut lines = stdout.lines().skip_while(|line| !line.starts_with(BEGIN));
    let mut words = lines.next().ok_or("the output has no beginning")?.split(' ').skip(1);
    let total: usize = words.next().and_then(|word| word.parse().ok()).ok_or("the output does not tell its length")?;
    let sha256 = words.next().filter(|word| word.len() == 64).ok_or("the output does not tell its digest")?;
    // It goes into a script again.
    let plain =
        |word: &&str| word.starts_with('/') && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
    let folder = words.next().filter(plain).ok_or("the output does not tell its folder")?;
    if total > GREATEST {
        return Err(format!("it is {total} characters long"));
    }
    let text = lines.next().unwrap_or_default();
    if lines.next() != Some(END) {
        return Err("the output was cut off".to_owned());
    }
    let expected = total.saturating_sub(offset).min(SLICE);
    if text.len() != expected {
        return Err(format!("{expected} characters from {offset} were expected, {} arrived", text.len()));
    }
    Ok(Slice { total, sha256, folder, text })
}

/// Checks and decodes the whole.
fn unpack(text: &str, sha256: &str) -> Result<Vec<u8>, String> {
    let digest = Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    if digest != sha256 {
        return Err("its digest does not match".to_owned());
    }
    let packed = base64::engine::general_purpose::STANDARD.decode(text).map_err(|error| error.to_string())?;
    gunzip(&packed)
}

/// Decompresses, up to a limit.
pub(super) fn gunzip(packed: &[u8]) -> Result<Vec<u8>, String> {
    let mut data = vec![];
    let limit = GREATEST as u64;
    flate2::read::MultiGzDecoder::new(packed).take(limit).read_to_end(&mut data).map_err(|error| error.to_string())?;
    if data.len() as u64 == limit { Err(format!("it is larger than {limit} bytes")) } else { Ok(data) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    /// Runs the script as the agent does, until all slices are there.
    fn fetch(producer: &str) -> Result<Vec<u8>, String> {
        let (mut text, mut next) = (String::new(), script(producer));
        loop {
            let output = Command::new("sh").args(["-c", &next]).output().unwrap();
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned());
            }
            let stdout = String::from_utf8(output.stdout).unwrap();
            assert!(stdout.len() < 24_000);
            let slice = parse(&stdout, text.len())?;
            text.push_str(slice.text);
            if text.len() >= slice.total {
                assert!(!std::path::Path::new(slice.folder).exists(), "nothing stays on the instance");
                return if text.is_empty() { Ok(vec![]) } else { unpack(&text, slice.sha256) };
            }
            next = rest(&slice, text.len());
        }
    }

    #[test]
    fn what_is_printed_arrives_whole_however_long_it_is() {
        assert_eq!(fetch("echo bash; echo curl").unwrap(), b"bash\ncurl\n");
        assert_eq!(fetch(":").unwrap(), b"");
        // Random enough not to be compressed below one slice.
        let long = "awk 'BEGIN { srand(1); for (i = 0; i < 4000; i++) print int(rand() * 1e9), int(rand() * 1e9) }'";
        let long = fetch(long).unwrap();
        assert_eq!(String::from_utf8(long).unwrap().lines().count(), 4000);
    }

    #[test]
    fn a_producer_that_fails_is_an_error_and_not_a_short_list() {
        assert!(fetch("echo bash; false; echo curl").is_err());
        assert!(fetch("echo 'no package manager' >&2; exit 3").unwrap_err().contains("no package manager"));
    }

    #[test]
    fn a_cut_or_changed_output_is_an_error() {
        let output = Command::new("sh").args(["-c", &script("echo bash")]).output().unwrap();
        let whole = String::from_utf8(output.stdout).unwrap();
        let slice = parse(&whole, 0).unwrap();
        assert_eq!(unpack(slice.text, slice.sha256).unwrap(), b"bash\n");
        for cut in [0, 5, 20, 90, whole.len() / 2, whole.len() - 5] {
            assert!(parse(&whole[..cut], 0).is_err(), "cut at {cut}");
        }
        assert!(parse(&whole, 1).unwrap_err().contains("were expected"));
        assert!(unpack(slice.text, &"0".repeat(64)).unwrap_err().contains("digest"));
        let changed = slice.text.replacen(&slice.text[10..11], "#", 1);
        assert!(unpack(&changed, slice.sha256).is_err());
        let noise = format!("a message of the day\n{whole}");
        assert_eq!(parse(&noise, 0).unwrap(), slice);
    }

    proptest! {
        #[test]
        fn no_output_makes_it_panic(output in "(amiforge-begin( [0-9]{1,3})?( [a-f0-9]{64})?( /[a-z]{1,3})?\n)?[a-z\n]{0,20}(\namiforge-end)?", offset in 0_usize..40) {
            let _ = parse(&output, offset);
        }
    }
}
