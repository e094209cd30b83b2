//! The second user namespace, in which everything of the image runs.
//!
//! Who made a mount may undo it, or make a read-only one writable again. Jobs are root, so with one namespace they could
//! take away what protects /proc/sys, or mount a new /proc without that; and where the machine's root runs us, the kernel
//! compares its owner with just that id. Mounts that come from a more privileged namespace are locked instead
//! (`mount_namespaces(7)`): they stay, and stay read-only, and a new /proc or /sys must not show more than they do.
//!
//! Jobs are root of the inner namespaces in every other respect: they mount, name the machine and set up its network.
//!
//! Control groups are not locked in this way: whoever makes a namespace of them may mount all hierarchies, and sees at
//! the root of each the group that the maker is in, which may be the machine's own. So jobs make none (`mounts`).

use crate::sandbox::sys;
use crate::sandbox::wire::{Failure, Step, Walls};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{ForkResult, pipe2, read, write};
use std::fs;
use std::io;
use std::path::Path;

/// Moves process 1 into the namespaces of the jobs; `processes` is how many may be in them at one time.
pub(super) fn lock(walls: Walls, own_network: bool, processes: Option<u64>) -> Result<(), Failure> {
    enter(walls, CloneFlags::CLONE_NEWNS | beside(own_network), processes)?;
    // A change of identity would have taken it back; this one has not, but who knows of the next kernel.
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(Failure::os(Step::Identity, "end with the parent"))
}

/// Moves this process into a new user namespace with the ids of the present one, and into the other namespaces named,
/// which then belong to it. It must have no children.
pub(super) fn enter(walls: Walls, with: CloneFlags, processes: Option<u64>) -> Result<(), Failure> {
    let step = |what: &'static str| Failure::os(Step::Identity, what);
    if let Some(count) = processes {
        // The kernel keeps it as the limit of the namespace that is made next (Linux 5.14): of all its users together.
        // Root of the machine is exempt; it has control groups.
        let count = count.saturating_add(3); // the outer process, process 1 and the supervisor of a job
        setrlimit(Resource::RLIMIT_NPROC, count, count).map_err(step("limit the number of processes"))?;
    }
    // The number that the mounted /proc gives us: it may be one of namespaces further out.
    let me = fs::read_link("/proc/self").map_err(Failure::io(Step::Proc, "find the own number in /proc"))?;
    let (ready, tell) = pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(step("prepare the inner namespaces"))?;
    // Only a process outside of a namespace can say which ids it has, and be believed.
    match sys::fork().map_err(step("prepare the inner namespaces"))? {
        ForkResult::Child => {
            drop(tell);
            let told = read(&ready, &mut [0]) == Ok(1);
            sys::leave(i32::from(!told || write_maps(walls, &me).is_err()))
        }
        ForkResult::Parent { child } => {
            drop(ready);
            unshare(CloneFlags::CLONE_NEWUSER | with)
                .map_err(Failure::os(Step::Unshare, "make the inner namespaces"))?;
            write(&tell, b"1").map_err(step("map ids in the inner namespaces"))?;
            drop(tell);
            let mut mapped = false;
            while let Some((pid, exit)) = sys::reap(true) {
                mapped |= pid == child && exit == crate::sandbox::Exit::Code(0);
            }
            if mapped { Ok(()) } else { Err(Failure::other("map ids in the inner namespaces", "it was refused")) }
        }
    }
}

/// What jobs are master of beside their mounts.
pub(super) fn beside(own_network: bool) -> CloneFlags {
    let all = CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC;
    if own_network { all | CloneFlags::CLONE_NEWNET } else { all }
}

/// Everything as it is outside. A line must be within one line of the map outside, and root's is one of its own there
/// when the others are subordinate ids.
fn write_maps(walls: Walls, process: &Path) -> io::Result<()> {
    let map = if walls == Walls::OneId { "0 0 1\n" } else { "0 0 1\n1 1 65535\n" };
    let folder = Path::new("/proc").join(process);
    fs::write(folder.join("uid_map"), map)?;
    fs::write(folder.join("gid_map"), map)
}
