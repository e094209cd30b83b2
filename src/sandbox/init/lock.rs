//! The second user namespace, in which everything of the image runs.
//!
//! Who made a mount may undo it, or make a read-only one writable again. Jobs are root, so with one namespace they could
//! take away what protects /proc/sys, or mount a new /proc without that; and where the machine's root runs us, the kernel
//! compares its owner with just that id. Mounts that come from a more privileged namespace are locked instead
//! (`mount_namespaces(7)`): they stay, and stay read-only, and a new /proc or /sys must not show more than they do.
//!
//! Jobs are root of the inner namespaces in every other respect: they mount, name the machine and set up its network.

use crate::sandbox::sys;
use crate::sandbox::wire::{Failure, Step, Walls};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{ForkResult, pipe2, read, write};
use std::fs;
use std::io;

/// Moves process 1 into the namespaces of the jobs; `processes` is how many may be in them at one time.
pub(super) fn lock(walls: Walls, own_network: bool, processes: Option<u64>) -> Result<(), Failure> {
    let step = |what: &'static str| Failure::os(Step::Identity, what);
    if let Some(count) = processes {
        // The kernel keeps it as the limit of the namespace that is made next (Linux 5.14): of all its users together.
        // Root of the machine is exempt; it has control groups.
        let count = count.saturating_add(3); // the outer process, process 1 and the supervisor of a job
        setrlimit(Resource::RLIMIT_NPROC, count, count).map_err(step("limit the number of processes"))?;
    }
    let (ready, tell) = pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(step("prepare the inner namespaces"))?;
    // Only a process outside of a namespace can say which ids it has, and be believed.
    match sys::fork().map_err(step("prepare the inner namespaces"))? {
        ForkResult::Child => {
            drop(tell);
            let told = read(&ready, &mut [0]) == Ok(1);
            sys::leave(i32::from(!told || write_maps(walls).is_err()))
        }
        ForkResult::Parent { child } => {
            drop(ready);
            unshare(namespaces(own_network)).map_err(Failure::os(Step::Unshare, "make the inner namespaces"))?;
            write(&tell, b"1").map_err(step("map ids in the inner namespaces"))?;
            drop(tell);
            let mut mapped = false;
            while let Some((pid, exit)) = sys::reap(true) {
                mapped |= pid == child && exit == crate::sandbox::Exit::Code(0);
            }
            if !mapped {
                return Err(Failure::other("map ids in the inner namespaces", "it was refused"));
            }
            // A change of identity would have taken it back; this one has not, but who knows of the next kernel.
            prctl::set_pdeathsig(Signal::SIGKILL).map_err(step("end with the parent"))
        }
    }
}

fn namespaces(own_network: bool) -> CloneFlags {
    let all = CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC;
    if own_network { all | CloneFlags::CLONE_NEWNET } else { all }
}

/// Everything as it is outside. A line must be within one line of the map outside, and root's is one of its own there
/// when the others are subordinate ids.
fn write_maps(walls: Walls) -> io::Result<()> {
    let map = if walls == Walls::OneId { "0 0 1\n" } else { "0 0 1\n1 1 65535\n" };
    fs::write("/proc/1/uid_map", map)?;
    fs::write("/proc/1/gid_map", map)
}
