//! The outer process: it waits for the end of process 1, and until then sees to what the inside cannot be trusted with.
//!
//! Nobody inside can see or signal it where there are namespaces. It watches the disk, because no file system that an
//! ordinary user can have limits a folder (quotas need root and a prepared file system; one in memory would lose the
//! layer with its last mount). And where there are no namespaces, it kills what process 1 leaves behind.

use super::descendants::{self, Namespace};
use crate::sandbox::limits::{free_space, mebibytes};
use crate::sandbox::wire::Walls;
use crate::sandbox::{Exit, stray, sys};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often to look at the free space, in milliseconds: a fast disk takes a hundred mebibytes in it.
const LOOK: u16 = 50;

/// How long a sum of all files holds when nobody else writes to the file system, at least.
const TRUST: Duration = Duration::from_secs(1);

/// A sum may take this part of our time: one of 100 ms is not made again within two seconds.
const SHARE: u32 = 20;

/// When the machine's file system itself is nearly full, it is protected whoever has filled it: files that are open and
/// have no name any more are in no sum.
const FLOOR: u64 = 256 << 20;

/// Process 1 kills everything within milliseconds. When it has not for so long, or when so much more is written all the same,
/// whatever the reason, it is killed itself: the machine's disk comes first.
const HEED_WITHIN: Duration = Duration::from_secs(5);

/// What may be written beyond the limit until then, in bytes: what a fast disk takes between two looks.
const BEYOND: u64 = 1 << 30;

/// How much more must be written before the same is said again, so that a job can still clean up.
const AGAIN: u64 = 1 << 20;

/// Signals are taken from a descriptor from here on; to be called before process 1 is started, so that none is lost.
pub(super) fn hold_signals(buries: bool) -> nix::Result<SignalFd> {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    if buries {
        // Asked for as the word that the parent is gone: there is something to do before ending, too.
        mask.add(Signal::SIGTERM);
    }
    mask.thread_block()?;
    SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}

/// What process 1 says when it begins to serve, and when it has done what it was told.
pub(super) const READY: &[u8] = b"ready";

/// What is watched over.
pub(super) struct Post {
    pub(super) walls: Walls,
    /// The scratch folder of an instance.
    pub(super) scratch: Option<PathBuf>,
    pub(super) disk: Option<u64>,
    /// Whether there is something to do when all has ended, also when the parent was killed.
    pub(super) buries: bool,
}

/// Takes up the post; to be called before process 1 may change the root of everyone outside of it.
///
/// # Errors
/// When what is to be watched cannot be: without that there must be no instance.
pub(super) fn take_up(post: &Post) -> io::Result<()> {
    // Relative from here on: the root becomes the instance's, while a working directory stays where it is.
    post.scratch.as_ref().map_or(Ok(()), |scratch| Ok(nix::unistd::chdir(scratch)?))
}

/// Waits until process 1 has ended, or without namespaces until the parent has; returns how process 1 did. `alarm` reaches
/// it.
pub(super) fn wait(child: Pid, signals: &SignalFd, post: &Post, alarm: &OwnedFd) -> Option<Exit> {
    let mut wanted = post.disk;
    let mut watch: Option<Watch> = None;
    let mut closed = false;
    let exit = loop {
        let patience = if watch.is_some() { PollTimeout::from(LOOK) } else { PollTimeout::NONE };
        let mut fds = [PollFd::new(signals.as_fd(), PollFlags::POLLIN), PollFd::new(alarm.as_fd(), PollFlags::POLLIN)];
        // When process 1 has closed its end, all that is left is to wait for it.
        let count = if closed { 1 } else { 2 };
        let _ = poll(&mut fds[..count], patience);
        match nix::unistd::read(alarm, &mut [0; 16]) {
            Ok(0) => closed = true,
            // What there is now was written by no job, or by one that has been killed.
            Ok(_) => match &mut watch {
                Some(watch) => watch.is_heeded(),
                None => watch = wanted.take().map(Watch::new),
            },
            Err(_) => {}
        }
        match news(child, signals) {
            News::None => {}
            News::Ended(exit) => break Some(exit),
            News::Orphaned if post.walls == Walls::None => break None,
            News::Orphaned => {
                // It takes everything in its pid namespace with it.
                let _ = kill(child, Signal::SIGKILL);
            }
        }
        if let Some(text) = watch.as_mut().and_then(Watch::look) {
            // Should nobody hear it, process 1 is ending, or is ended below.
            let _ = nix::unistd::write(alarm, text.as_bytes());
        }
        // A limit that is not heeded is none.
        if watch.as_ref().is_some_and(Watch::is_ignored) {
            let _ = kill(child, Signal::SIGKILL);
        }
    };
    if post.walls == Walls::None {
        bury(post);
    }
    exit
}

/// What may have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    None,
    /// Process 1 has ended.
    Ended(Exit),
    /// The parent has.
    Orphaned,
}

fn news(child: Pid, signals: &SignalFd) -> News {
    let mut news = News::None;
    while let Ok(Some(signal)) = signals.read_signal() {
        if signal.ssi_signo == Signal::SIGTERM as u32 {
            news = News::Orphaned;
        }
    }
    while let Some((pid, exit)) = sys::reap(false) {
        if pid == child {
            news = News::Ended(exit);
        }
    }
    news
}

/// Both ends of what connects the outer process with process 1. Messages keep their bounds, and an end that is closed is
/// noticed at the other.
pub(super) fn connection() -> nix::Result<(OwnedFd, OwnedFd)> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)
}

/// Kills all that is left: what descends from us, as the nearest process that takes orphans, and what has the
/// instance's root.
fn bury(post: &Post) {
    descendants::kill_all_of(nix::unistd::getpid(), Namespace::of_this_process());
    if let Some(scratch) = &post.scratch {
        stray::kill_below(&scratch.join("upper"));
    }
    while sys::reap(false).is_some() {}
}

/// Keeps the upper layer within a limit.
struct Watch {
    limit: u64,
    /// What was there before anything ran; a copy of the layers has their size.
    before: u64,
    used: u64,
    free: u64,
    due: Instant,
    said: Said,
}

/// What process 1 knows of a limit that is exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    /// It has been told, at that time, and has not answered yet.
    Now(Instant),
    /// It had killed everything when so much was used.
    At(u64),
}

impl Watch {
    fn new(limit: u64) -> Self {
        // Without a first sum, none is ever trusted.
        let before = sum().unwrap_or(0);
        Self { limit, before, used: 0, free: free(), due: Instant::now() + TRUST, said: Said::Nothing }
    }

    /// What process 1 has to be told, if anything.
    fn look(&mut self) -> Option<String> {
        let (free, now) = (free(), Instant::now());
        // However much was written to the file system, by us or by others, we have written at most that.
        let at_most = self.used.saturating_add(self.free.saturating_sub(free));
        let low = free < FLOOR && free < self.free;
        if at_most <= self.limit && now < self.due && !low {
            return None;
        }
        match sum() {
            Ok(total) => self.used = total.saturating_sub(self.before),
            Err(error) => {
                return self.say(u64::MAX, format!("what the instance has written cannot be measured: {error}"));
            }
        }
        self.free = free;
        self.due = Instant::now() + TRUST.max(now.elapsed() * SHARE);
        if self.used > self.limit {
            let (used, limit) = (mebibytes(self.used), mebibytes(self.limit));
            return self.say(self.used, format!("{used} were written to the disk, the limit is {limit}"));
        }
        if low {
            return self.say(self.used, format!("the disk of this machine has only {} left", mebibytes(free)));
        }
        self.said = Said::Nothing;
        None
    }

    fn say(&mut self, used: u64, text: String) -> Option<String> {
        match self.said {
            Said::Now(_) => return None,
            Said::At(before) if used < before.saturating_add(AGAIN) => return None,
            Said::At(_) | Said::Nothing => {}
        }
        self.said = Said::Now(Instant::now());
        Some(text)
    }

    /// Process 1 has killed everything: who writes from now on has been started since.
    fn is_heeded(&mut self) {
        self.free = free();
        if let Ok(total) = sum() {
            self.used = total.saturating_sub(self.before);
            self.said = Said::At(self.used);
        } else {
            // Then the next look decides, and that is due.
            (self.due, self.said) = (Instant::now(), Said::Nothing);
        }
    }

    /// Whether what was said has had no effect.
    fn is_ignored(&self) -> bool {
        match self.said {
            Said::Now(since) => since.elapsed() > HEED_WITHIN,
            Said::At(_) | Said::Nothing => self.used != u64::MAX && self.used > self.limit.saturating_add(BEYOND),
        }
    }
}

fn free() -> u64 {
    free_space(Path::new(".")).unwrap_or(0)
}

/// Bytes on the disk of the upper layer and of the folder in which the overlay prepares files for it, in the current
/// folder. Files with several names count once.
fn sum() -> io::Result<u64> {
    let mut seen = BTreeSet::new();
    let mut total = 0_u64;
    let mut pending: Vec<PathBuf> =
        ["upper", "work"].into_iter().map(PathBuf::from).filter(|path| path.is_dir()).collect();
    while let Some(folder) = pending.pop() {
        // Things come and go while we look.
        let Some(entries) = if_there(fs::read_dir(&folder))? else { continue };
        for entry in entries {
            let entry = entry?;
            let Some(metadata) = if_there(entry.metadata())? else { continue };
            if metadata.is_dir() {
                pending.push(entry.path());
            } else if metadata.nlink() == 1 || seen.insert((metadata.dev(), metadata.ino())) {
                total = total.saturating_add(metadata.blocks().saturating_mul(512));
            }
        }
    }
    Ok(total)
}

fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}
