//! Revoking a release, and taking that back.
//!
//! A revoked release is in no channel, carries no mark of approval, and cannot be launched in any account or Region; and
//! nothing moves a channel to it until it is restored. The order is what keeps channels whole:
//!
//! 1. it is written down that the release is revoked ([`Revocation`]). From here on every promotion, rollback and repair
//!    refuses it: they look after they have locked their channel, and revoking looks at the locks after it has written;
//! 2. every channel that points at it goes back to an earlier release, the last channel first, by the same steps as a
//!    rollback, each with its own lock, journal and undo. Pointers that were moved to it by hand are put right;
//! 3. it is proven that no pointer names an image of it any more;
//! 4. every image loses its mark and gets a tag that says why;
//! 5. every image is disabled. EC2 takes away at that who may launch it, so this was written down before;
//! 6. it is written down that it is done.
//!
//! It only goes forward. What is cut off or fails anywhere leaves a release that nobody can promote, and the same command goes on
//! from there; `restore` goes back instead. A channel that cannot be moved, or a target that cannot be looked at, keeps the
//! images that it may use: a channel never points at an image that is disabled or not approved.
//!
//! # Empty channels
//!
//! Without an earlier release a channel would point at nothing, which is refused unless it is allowed. An empty channel has no
//! parameter in any target, so that `resolve:ssm:` finds nothing, and its record says that it is empty and what was in it. Its launch
//! templates stay, with their default version: EC2 has no template without one, and deleting them would break every Auto
//! Scaling group that refers to them by id, for good. What that version names is disabled, so launches fail until the next
//! promotion moves the default; then they work again by themselves.

mod copies;
mod execute;
mod images;
mod lock;
#[cfg(test)]
pub(super) mod parts;
mod planner;
mod record;
mod restore;
mod survey;
mod users;

pub use execute::{ChannelEnd, ImageEnd, Revoked, prepare, revoke};
pub use planner::{ChannelMove, ImageNow, Withdrawal};
pub use record::{Progress, Revocation, standing, standings};
pub use restore::{Restored, RestoredImage, restore};
pub use users::{NamingTemplate, RunningInstance, Users};

use super::error::PromoteError;
use super::model::Order;
use super::rules::LONGEST_REASON;

/// Which release is to be revoked or restored, by whom and why.
#[derive(Debug, Clone)]
pub struct Withdraw<'a> {
    /// One for each channel of the project, in their order; they agree in everything but the channel and its pointers.
    pub orders: Vec<Order<'a>>,
    /// AMI id at home, image version, or id of a promotion.
    pub release: String,
    /// Channels may become empty.
    pub allow_empty: bool,
    /// Who began what is locked is gone.
    pub resume: bool,
}

impl<'a> Withdraw<'a> {
    fn first(&self) -> Result<&Order<'a>, PromoteError> {
        self.orders.first().ok_or_else(|| PromoteError::UnknownChannel { channel: String::new(), known: vec![] })
    }

    /// Refuses what cannot be written down.
    fn check(&self) -> Result<(), PromoteError> {
        let reason = &self.first()?.reason;
        if reason.trim().is_empty() {
            return Err(PromoteError::NoReason);
        }
        match reason.len() {
            bytes if bytes > LONGEST_REASON => Err(PromoteError::LongReason { bytes, most: LONGEST_REASON }),
            _ => Ok(()),
        }
    }
}

/// What is known of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    recipe: String,
    arch: String,
    ami: String,
    image_arn: Option<String>,
    image_version: Option<String>,
}
