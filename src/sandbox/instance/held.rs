//! The limits of an instance, held from outside.

use crate::sandbox::limits::{Group, Reached};
use crate::sandbox::{Limits, SandboxError, sys};
use nix::unistd::Pid;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What holds the limits of an instance over its restarts.
#[derive(Debug)]
pub(super) struct Held {
    limits: Limits,
    group: Mutex<Option<Group>>,
}

impl Held {
    /// Prepares what can be, before the instance starts.
    pub(super) fn prepare(limits: Limits, scratch: &Path) -> Result<Self, SandboxError> {
        let wanted = limits.memory.is_some() || limits.processes.is_some();
        let group = wanted.then(|| Group::make(limits, scratch)).transpose();
        let group = group.map_err(SandboxError::file("cannot note the control groups in", scratch))?;
        Ok(Self { limits, group: Mutex::new(group) })
    }

    fn group(&self) -> MutexGuard<'_, Option<Group>> {
        // Every change is a single assignment.
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts limits on the processes that have just been started, before they start any other; returns what the user
    /// should know.
    pub(super) fn apply(&self, outer: Pid, first: Pid) -> Result<Vec<String>, SandboxError> {
        let mut held = self.group();
        let Some(group) = held.as_ref() else { return Ok(Vec::new()) };
        if group.enter(&[outer, first]).is_err() {
            // Made and not to be entered: the group above is not ours.
            group.remove();
            *held = Some(Group::none(self.limits));
        }
        let (memory, processes) = held.as_ref().map_or((false, false), Group::lacks);
        let mut notes = Vec::new();
        if let Some(bytes) = self.limits.memory.filter(|_| memory) {
            sys::limit_data(first, bytes)
                .map_err(|error| SandboxError::Start { step: "limit the memory".into(), reason: error.to_string() })?;
            notes.push("the memory limit is one of each process: no control group can be made here".into());
        }
        // A user namespace counts the processes of everyone but the machine's root.
        if processes && nix::unistd::geteuid().is_root() {
            notes.push("processes are not limited: root is exempt, and no control group can be made here".into());
        }
        Ok(notes)
    }

    /// How often limits have been reached so far.
    pub(super) fn reached(&self) -> Reached {
        self.group().as_ref().map(Group::reached).unwrap_or_default()
    }

    /// What has happened since, in words.
    pub(super) fn said_since(&self, before: Reached) -> Vec<String> {
        self.group().as_ref().map_or_else(Vec::new, |group| group.said_since(before))
    }

    /// Removes the groups; the processes have ended.
    pub(super) fn release(&self) {
        if let Some(group) = self.group().as_ref() {
            group.remove();
        }
    }
}
