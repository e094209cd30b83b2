//! The child's half of an instance: this program executed again, first outside of its namespaces, then as process 1.
//!
//! ```text
//! amiforge ──spawn──► outer: unshare, wait for the maps ──fork──► process 1: mounts, pivot_root, unshare again, jobs
//!                                                                    └─► supervisor of a job ──► the job
//! ```
//!
//! With the image's own systemd there is one more layer inside of this: see `system`.
//!
//! Every process of the chain asks the kernel to be killed with its parent, and process 1 takes all others with it.
//! The image's files are never executed before a job asks for it: our own code is already in memory, so neither the
//! C library nor the shell of the image matters.

use self::group::Group;
use self::mounts::Groups;
use self::plan::Plan;
use self::system::System;
use super::Exit;
use super::spawn::{ARGUMENT, PARENT};
use super::sys;
use super::wire::{self, Failure, InstanceSetup, Operation, Reply, Request, Setup, Step, Walls};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{ForkResult, Gid, Pid, Uid};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

mod console;
mod copied;
mod descendants;
mod filter;
mod group;
mod harden;
mod inject;
mod inner;
pub(in crate::sandbox) mod job;
mod lock;
mod manager;
mod mounts;
mod outer;
mod plan;
mod serve;
mod system;
mod terminal;
mod units;

pub(super) use units::names as masked_units;

/// Called for [`Job::Builtin`](super::Job::Builtin) with the payload; what it writes arrives as lines; returns the exit code.
pub type Builtin = fn(&[u8], &mut dyn Write) -> i32;

/// To be called first thing in `main`: when this process is the init of a sandbox it does that work and returns the
/// exit code to end with; in every other process it returns `None` at once.
pub fn main(builtin: Builtin) -> Option<i32> {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next()?;
    if first == super::vm::guest::ARGUMENT {
        return Some(super::vm::guest::main(builtin));
    }
    if first != ARGUMENT {
        return None;
    }
    let parent = arguments.next().and_then(|text| text.to_str()?.strip_prefix(PARENT)?.parse().ok()).map(Pid::from_raw);
    Some(run(parent, builtin))
}

fn run(parent: Option<Pid>, builtin: Builtin) -> i32 {
    die_with(parent);
    // Nothing is inherited but the socket, which is the standard input.
    sys::close_all_but(None);
    umask(Mode::from_bits_truncate(0o022));
    // Away from the caller's terminal: whoever has one can type into it, and a Ctrl-C there is for the caller alone. Whoever
    // leads a group of processes already could not do this.
    if nix::unistd::setsid().is_err() {
        return 2;
    }
    let Ok(mut socket) = take_socket() else { return 2 };
    match prepare(&mut socket, parent) {
        Ok((Setup::Operation(operation), ..)) => operate(&mut socket, &operation),
        Ok((setup, walls, body)) => first_process(socket, setup, walls, &body, builtin),
        Err(failure) => fail(&mut socket, failure),
    }
}

fn fail(socket: &mut UnixStream, failure: Failure) -> i32 {
    // Should the parent be gone too, nobody is left to tell.
    let _ = wire::send(socket, &Reply::Failed(failure), &[]);
    1
}

/// Asks to be killed with the parent, and ends at once if that is already gone.
fn die_with(parent: Option<Pid>) {
    let asked = prctl::set_pdeathsig(Signal::SIGKILL);
    if asked.is_err() || parent != Some(nix::unistd::getppid()) {
        sys::leave(1);
    }
}

/// Moves the socket off the standard input, so that no job gets hold of it.
fn take_socket() -> io::Result<UnixStream> {
    let socket: OwnedFd = io::stdin().as_fd().try_clone_to_owned()?;
    nix::unistd::dup2_stdin(File::open("/dev/null")?)?;
    Ok(UnixStream::from(socket))
}

/// Hears what to become, makes the namespaces and becomes root in them.
fn prepare(socket: &mut UnixStream, parent: Option<Pid>) -> Result<(Setup, Walls, Vec<u8>), Failure> {
    let (setup, walls, body) = match hear(socket)? {
        (Request::Begin(setup, walls), body) => (setup, walls, body),
        (other, _) => return Err(Failure::other("begin", format!("{other:?}"))),
    };
    if walls != Walls::None {
        unshare(namespaces(&setup)).map_err(Failure::os(Step::Unshare, "make namespaces"))?;
    }
    tell(socket, &Reply::Unshared)?;
    let (Request::Mapped, _) = hear(socket)? else { return Err(Failure::other("map ids", "not told so")) };
    become_root(walls).map_err(Failure::os(Step::Identity, "become root in the user namespace"))?;
    match walls {
        Walls::Ids => {}
        Walls::OneId => filter::pretend_to_own().map_err(Failure::io(Step::Identity, "pretend changes of owner"))?,
        Walls::None => filter::spare_the_container().map_err(Failure::io(Step::Identity, "filter signals"))?,
    }
    // A change of identity takes both back: the wish to die with the parent, and the right of our own user to look
    // into this process (/proc/PID/root).
    die_with(parent);
    prctl::set_dumpable(true).map_err(Failure::os(Step::Identity, "stay readable for the own user"))?;
    Ok((setup, walls, body))
}

/// Those of process 1; what jobs shall be master of is made with the inner ones ([`lock`]).
fn namespaces(setup: &Setup) -> CloneFlags {
    let processes = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID;
    match setup {
        Setup::Operation(_) => CloneFlags::CLONE_NEWUSER,
        Setup::Workshop => processes | CloneFlags::CLONE_NEWIPC,
        Setup::Instance(_) => processes,
    }
}

fn become_root(walls: Walls) -> nix::Result<()> {
    let (uid, gid) = (Uid::from_raw(0), Gid::from_raw(0));
    nix::unistd::setresgid(gid, gid, gid)?;
    if walls == Walls::Ids {
        // With one id it is denied, and the groups of the caller stay: as ids that nobody inside can name.
        nix::unistd::setgroups(&[])?;
    }
    nix::unistd::setresuid(uid, uid, uid)
}

fn operate(socket: &mut UnixStream, operation: &Operation) -> i32 {
    // What there is to say, as JSON.
    let json =
        |text: serde_json::Result<Vec<u8>>| text.map_err(|error| super::SandboxError::Protocol(error.to_string()));
    let result = match operation {
        Operation::Remove { path } => super::tree::remove(path).map(|()| Vec::new()),
        Operation::Capture { upper, destination, drop } => {
            super::tree::capture(upper, destination, drop).map(|()| Vec::new())
        }
        Operation::Finish { root, sources } => super::root::finish(root, sources).map(|()| Vec::new()),
        Operation::Unpack { order } => json(serde_json::to_vec(&super::root::unpack_here(order))),
        Operation::Disk { layers, scratch, image, free } => {
            super::vm::make_disk(layers, scratch, image, *free).map(|()| Vec::new())
        }
        Operation::Survey { root } => super::root::survey_here(root).and_then(|found| json(serde_json::to_vec(&found))),
    };
    match result {
        Ok(answer) => i32::from(wire::send(socket, &Reply::Done(Exit::Code(0)), &answer).is_err()),
        Err(error) => fail(socket, Failure::other("work on files in the user namespace", error.to_string())),
    }
}

/// Forks process 1 of the new pid namespace, waits for its end and returns the code that tells how it was.
fn first_process(mut socket: UnixStream, setup: Setup, walls: Walls, body: &[u8], builtin: Builtin) -> i32 {
    let plan = if let Setup::Instance(instance) = &setup { Plan::of(instance, walls) } else { Plan::default() };
    let step = "start process 1";
    let post = post(&setup, walls, &plan);
    let ready = outer::hold_signals(post.buries).and_then(|signals| Ok((signals, outer::connection()?)));
    if walls == Walls::None {
        // Orphans become ours.
        let _ = prctl::set_child_subreaper(true);
    }
    if post.buries {
        // The end of the parent is a signal that can be waited for.
        let _ = prctl::set_pdeathsig(Signal::SIGTERM);
    }
    let forked = ready.and_then(|ready| Ok((ready, sys::fork()?))).map_err(Failure::os(Step::Other, step));
    match forked {
        Err(failure) => fail(&mut socket, failure),
        Ok(((signals, (watched, held)), ForkResult::Parent { child })) => {
            drop(watched);
            // Process 1 does nothing before the parent, who hears of it only now, tells it to.
            let told = outer::take_up(&post)
                .map_err(Failure::io(Step::File, "watch the scratch folder"))
                .and_then(|()| tell(&mut socket, &Reply::Started { pid: child.as_raw() }));
            if let Err(failure) = &told {
                fail(&mut socket, failure.clone());
            }
            // Our copy of the socket would keep the parent from noticing the end of process 1.
            drop(socket);
            let exit = told.ok().and_then(|()| outer::wait(child, &signals, &post, &held));
            plan.clean_up();
            exit.map_or(1, end_code)
        }
        Ok(((signals, (watched, held)), ForkResult::Child)) => {
            drop((signals, held));
            let _ = SigSet::all().thread_unblock();
            if prctl::set_pdeathsig(Signal::SIGKILL).is_err() || has_hung_up(&watched) {
                sys::leave(1);
            }
            let ended = be_first(&mut socket, setup, walls, body, (builtin, plan, watched));
            sys::leave(ended.unwrap_or_else(|failure| fail(&mut socket, failure)))
        }
    }
}

fn post(setup: &Setup, walls: Walls, plan: &Plan) -> outer::Post {
    let (scratch, disk) = match setup {
        Setup::Instance(instance) => (Some(instance.scratch.clone()), instance.limits.disk),
        _ => (None, None),
    };
    outer::Post { walls, scratch, disk, buries: walls == Walls::None || plan.image.is_some() }
}

/// The code to end with: process 1's own, which tells whether it is a restart.
fn end_code(exit: Exit) -> i32 {
    if let Exit::Code(code) = exit { code } else { 1 }
}

/// The parent of process 1 is in another pid namespace and cannot be asked for; the connection to it tells.
fn has_hung_up(connection: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(connection.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO) != Ok(0)
}

fn be_first(
    socket: &mut UnixStream,
    setup: Setup,
    walls: Walls,
    body: &[u8],
    (builtin, mut plan, alarm): (Builtin, Plan, OwnedFd),
) -> Result<i32, Failure> {
    let (Request::Go, _) = hear(socket)? else { return Err(Failure::other("go on", "not told so")) };
    if walls == Walls::None {
        // As process 1 of a namespace would: daemons stay below us, where they can be found.
        prctl::set_child_subreaper(true).map_err(Failure::os(Step::Other, "take orphans"))?;
    }
    let (mut root, mut up) = (None, None);
    match (setup, walls) {
        (Setup::Instance(setup), Walls::None) => {
            root = Some(copied::instance(&setup, body, &mut plan.notes)?);
            harden::harden(false)?;
        }
        (Setup::Instance(setup), _) => {
            up = start_system(&setup, walls, body, &mut plan, &alarm)?;
            if up.is_none() {
                plan.notes.extend(mounts::instance(&setup, walls, body, Groups::None)?);
                lock::lock(walls, setup.loopback_only, setup.limits.processes)?;
                mounts::finish(&setup)?;
                harden::harden(true)?;
            }
        }
        (_, Walls::None) => {}
        _ => plan.notes.extend(mounts::workshop()?),
    }
    if up.is_none() {
        // The outer process may begin to watch. Should it be gone, we are told so as soon as we listen.
        let _ = nix::unistd::write(&alarm, outer::READY);
    }
    serve::serve(socket, plan.notes, builtin, serve::Place { root, alarm }, up)
}

/// The image's systemd, where that is planned; `None`, with a note, when the machine does not permit it: there is a way
/// without, on the same files.
fn start_system(
    setup: &InstanceSetup,
    walls: Walls,
    body: &[u8],
    plan: &mut Plan,
    alarm: &OwnedFd,
) -> Result<Option<System>, Failure> {
    let Some(image) = &plan.image else { return Ok(None) };
    let group = match Group::make(&image.tree) {
        Ok(group) => group,
        Err(reason) => {
            plan.notes.push(plan::without(&reason));
            return Ok(None);
        }
    };
    match system::boot(&system::Start { setup, walls, body, program: &image.program, group: &group, alarm }) {
        Ok((up, notes)) => {
            plan.notes.extend(notes);
            Ok(Some(up))
        }
        Err(failure) if failure.step == Step::Group => {
            plan.notes.push(plan::without(&format!("{}: {}; {}", failure.what, failure.reason, group::remedy())));
            image.tree.clear();
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

fn hear(socket: &mut UnixStream) -> Result<(Request, Vec<u8>), Failure> {
    match wire::receive(socket) {
        Ok(Some(message)) => Ok(message),
        // The parent is gone, and with it everyone who could read a failure.
        Ok(None) => sys::leave(1),
        Err(error) => Err(Failure::io(Step::Other, "listen to the parent")(error)),
    }
}

fn tell(socket: &mut UnixStream, reply: &Reply) -> Result<(), Failure> {
    wire::send(socket, reply, &[]).map_err(Failure::io(Step::Other, "speak to the parent"))
}
