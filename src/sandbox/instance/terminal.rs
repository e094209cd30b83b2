//! A program in an instance with a terminal: what `amiforge shell` is made of.
//!
//! The terminal is one of the instance's own (its /dev/pts), so that `tty`, `who` and job control work in it. Its other
//! end is opened from outside, through the root of process 1, and handed to the caller, who moves the bytes.

use super::Instance;
use crate::sandbox::wire::Request;
use crate::sandbox::{Exit, SandboxError, sys};
use nix::libc;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

/// A program of the image and what it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The whole environment.
    pub environment: BTreeMap<String, String>,
    /// Working directory.
    pub directory: String,
}

/// The size of a terminal in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
}

impl Size {
    /// The size of a terminal; `None` for what is none.
    #[must_use]
    pub fn of(terminal: &impl AsFd) -> Option<Self> {
        sys::window_size(terminal).ok().map(|(rows, columns)| Self { rows, columns })
    }

    /// Gives a terminal this size; programs in it are told (SIGWINCH).
    ///
    /// # Errors
    /// When it is no terminal, or one whose other end is gone.
    pub fn set(self, terminal: &impl AsFd) -> io::Result<()> {
        sys::set_window_size(terminal, self.rows, self.columns)
    }
}

impl Instance {
    /// Runs a program on a new terminal of the instance and blocks until it has ended. `on_open` gets the terminal's other
    /// end before the program starts: what is written to it is typed, what is read from it is shown.
    ///
    /// # Errors
    /// As [`Instance::run`]; [`SandboxError::File`] when the instance has no terminals.
    pub fn interact(&self, program: &Program, size: Size, on_open: &mut dyn FnMut(File)) -> Result<Exit, SandboxError> {
        let path = self.root().join("dev/pts/ptmx");
        let failed = |error: io::Error| SandboxError::file("cannot open a terminal at", &path)(error);
        let flags = libc::O_NOCTTY | libc::O_CLOEXEC;
        let ours = OpenOptions::new().read(true).write(true).custom_flags(flags).open(&path).map_err(failed)?;
        let number = sys::unlock_terminal(&ours).map_err(failed)?;
        size.set(&ours).map_err(failed)?;
        on_open(ours);
        let request = Request::Terminal {
            argv: program.argv.clone(),
            environment: program.environment.clone(),
            directory: program.directory.clone(),
            terminal: format!("/dev/pts/{number}").into(),
        };
        self.perform(&request, &[], &mut |_| None)
    }
}
