//! What can go wrong in a sandbox.

use std::io;
use std::path::{Path, PathBuf};

/// An error of the sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// This machine does not permit instances as it is.
    #[error(
        "instances cannot run on this machine: {missing}: {reason}\n  mend it with: {mend}\n  without it: {without}"
    )]
    Unavailable {
        /// Which thing is missing.
        missing: String,
        /// Why it is needed, or what was answered when it was tried.
        reason: String,
        /// The one command that mends it.
        mend: String,
        /// What works without.
        without: String,
    },
    /// A program that is needed is not installed.
    #[error("{program} is not installed: {purpose}\n  mend it with: {mend}\n  without it: {without}")]
    Program {
        /// Its name.
        program: String,
        /// What it is needed for.
        purpose: String,
        /// The one command that installs it.
        mend: String,
        /// What works without.
        without: String,
    },
    /// What was asked for cannot be started.
    #[error("the instance cannot be started as described: {0}")]
    Spec(String),
    /// A step of the start failed.
    #[error("the instance did not start: {step}: {reason}")]
    Start {
        /// The step, in words.
        step: String,
        /// The answer of the system.
        reason: String,
    },
    /// The instance was killed, or its init ended.
    #[error("the instance is gone: it was stopped, or its first process ended")]
    Gone,
    /// The image switched the machine off.
    #[error("the instance was switched off from inside (`poweroff`, `halt`, `shutdown`)")]
    SwitchedOff,
    /// A machine with the image's own kernel did not come up, or broke down.
    #[error("{why}{}", tail(console))]
    Crashed {
        /// What happened.
        why: String,
        /// The last lines of its console.
        console: Vec<String>,
    },
    /// The init answered something unexpected; a defect of this program.
    #[error("the instance's init answered something unexpected: {0}")]
    Protocol(String),
    /// An operation on files failed.
    #[error("{action} {}: {source}", path.display())]
    File {
        /// What was tried, such as `cannot remove`.
        action: String,
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not enough room on the file system.
    #[error("{} has {free_mib} MiB free, {needed_mib} MiB are needed; free some space or choose another folder", path.display())]
    Space {
        /// Where.
        path: PathBuf,
        /// Mebibytes that are free.
        free_mib: u64,
        /// Mebibytes that are needed.
        needed_mib: u64,
    },
    /// A root could not be made.
    #[error("no root of {release} could be made from {mirror}: {reason}{}", tail(last_lines))]
    Bootstrap {
        /// The release.
        release: String,
        /// The mirror.
        mirror: String,
        /// How it ended.
        reason: String,
        /// The last lines of the program's output.
        last_lines: Vec<String>,
    },
    /// An archive cannot be unpacked as it is.
    #[error("{archive} cannot be unpacked{}: {why}", at(member.as_deref()))]
    Archive {
        /// The file, or the layer of an image.
        archive: String,
        /// The member of it that is at fault, if it is one.
        member: Option<String>,
        /// Why.
        why: String,
    },
    /// What a root is to be made of is not there or not usable.
    #[error("no root can be made of {from}: {why}\n  mend it with: {next}")]
    Source {
        /// The source as users write it.
        from: String,
        /// Why.
        why: String,
        /// What to do.
        next: String,
    },
    /// A program that fetches an image failed.
    #[error("{program} could not get {from}: {reason}{}", tail(last_lines))]
    Fetch {
        /// The program.
        program: String,
        /// The source as users write it.
        from: String,
        /// How it ended.
        reason: String,
        /// The last lines of its output.
        last_lines: Vec<String>,
    },
    /// Something in the cache is in use, and what was wanted needs it alone.
    #[error("{what} is in use by another process; wait for that to end, then run again")]
    Busy {
        /// What.
        what: String,
    },
}

fn at(member: Option<&str>) -> String {
    // A name out of an archive may hold anything, terminal commands too.
    member.map(|member| format!(" at `{}`", member.escape_debug())).unwrap_or_default()
}

impl SandboxError {
    /// For `map_err`: names what was tried and where.
    pub(super) fn file(action: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let (action, path) = (action.to_owned(), path.to_owned());
        move |source| Self::File { action, path, source }
    }
}

fn tail(lines: &[String]) -> String {
    lines.iter().flat_map(|line| ["\n  | ", line]).collect()
}
