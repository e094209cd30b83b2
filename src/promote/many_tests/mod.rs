//! Promotions over three accounts and four Regions, stopped and disturbed at every single call.
//!
//! `every` tries a deed at every call (`deed` says what that is). `canary`, `pointers` and `revoke` try theirs in their own way,
//! with the eyes of `plain`.

mod canary;
mod case;
mod deed;
mod encrypted;
mod end;
mod every;
mod eyes;
mod flow;
mod lag;
mod plain;
mod pointers;
mod prefixes;
mod resumed;
mod revoke;
mod rivals;
mod steps;
mod swapped;
mod world;

use super::*;
use crate::clock::Clock;
use crate::local::Fault;
use crate::local::picture::Picture as Dump;
use crate::project::{Distribute, Location};
use every::call_of;
use plain::{End, Eyes, FAULTS, chance};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use world::*;
pub(in crate::promote) use world::{approval, digest, order, project};

/// What the first promotions of a channel are tried with.
type Deed = deed::What;

#[test]
fn a_first_promotion_with_copies_is_stopped_and_disturbed_at_every_call() {
    call_of(Deed::First(Distribute::Copy));
}

#[test]
fn a_promotion_that_shares_is_stopped_and_disturbed_at_every_call() {
    call_of(Deed::Next(Distribute::Share));
}

#[test]
fn a_promotion_with_copies_is_stopped_and_disturbed_at_every_call() {
    call_of(Deed::Next(Distribute::Copy));
}

#[test]
fn a_promotion_with_a_quorum_is_stopped_and_disturbed_at_every_call() {
    call_of(Deed::Most(Distribute::Share));
}

#[test]
fn a_rollback_is_stopped_and_disturbed_at_every_call() {
    call_of(Deed::Back(Distribute::Share));
}
