//! A job whose standard streams are a terminal of the instance.

use super::job::{self, Ends, Running};
use nix::libc;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Starts a program of the image on the terminal at `path`, which becomes its controlling terminal.
pub(super) fn start(
    argv: &[String],
    environment: &BTreeMap<String, String>,
    directory: &str,
    path: &Path,
) -> io::Result<Running> {
    job::program(argv, environment, Vec::new(), |ends, execute| {
        // The job leads a session of its own: the first terminal that it opens is the session's.
        let terminal = OpenOptions::new().read(true).write(true).custom_flags(libc::O_CLOEXEC).open(path);
        let copies = terminal.and_then(|terminal| {
            let terminal = OwnedFd::from(terminal);
            Ok(Ends { input: terminal.try_clone()?, out: terminal.try_clone()?, err: terminal })
        });
        match copies {
            Ok(terminal) => execute(terminal, directory),
            Err(error) => {
                let _ = writeln!(std::fs::File::from(ends.err), "{}: {error}", path.display());
                126
            }
        }
    })
}
