//! Auto Scaling groups brought to a release, on request and after the channel was moved.
//!
//! A promotion moves what groups launch next; what runs already is replaced by instance refreshes of the service, which can do it in
//! steps, watch alarms and go back by themselves, but only between *numbers* of launch template versions. So a group that tracks
//! `$Default` or `$Latest` is pinned to the number that it runs, refreshed to the new number, and made to track again what it
//! tracked. What that was is written on the group itself before anything is changed ([`note`]), and removed at the very end: a
//! program that dies anywhere leaves what the next one needs.
//!
//! | part | what it has |
//! |---|---|
//! | [`model`] | groups as they are, and what becomes of them |
//! | [`configuration`] | versions in launch templates and mixed instances policies |
//! | [`note`] | the tag |
//! | [`plan`] | from what is seen to what is done with a group; pure |
//! | [`look`] | reading groups, their refreshes and template versions |
//! | [`group`] | one group: pin, start or join, follow, put back |
//! | [`waves`] | one target after the other |

mod configuration;
mod error;
mod group;
mod look;
mod model;
mod note;
mod plan;
mod waves;

pub use error::RefreshError;
pub use model::{Outcome, Preview, Refreshed, Wanted};
pub use waves::{preview, refresh, resume_command, survey};

/// The exit code of DESIGN section 9 for what became of groups: 0 when all of them run the release. When all that are not there have
/// the same reason it is that reason's (11: another refresh is under way, 12: permission, 13: still running), else 9: the promotion
/// has happened and a part of its groups is left.
#[must_use]
pub fn exit_code(refreshes: &[Refreshed]) -> u8 {
    let mut codes = refreshes.iter().filter(|one| one.outcome != Outcome::LeftAlone).map(Refreshed::exit_code);
    let mut worst = 0;
    while let Some(code) = codes.find(|code| *code != 0) {
        worst = if worst == 0 || worst == code { code } else { 9 };
    }
    worst
}

#[cfg(test)]
mod tests;
