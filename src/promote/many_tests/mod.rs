//! Promotions over three accounts and four Regions, stopped and disturbed at every single call.

mod case;
mod deed;
mod end;
mod every;
mod eyes;
mod flow;
mod lag;
mod prefixes;
mod rivals;
mod steps;
mod world;

use crate::project::Distribute;
use deed::What;
use every::call_of;

#[test]
fn a_first_promotion_with_copies_is_stopped_and_disturbed_at_every_call() {
    call_of(What::First(Distribute::Copy));
}

#[test]
fn a_promotion_that_shares_is_stopped_and_disturbed_at_every_call() {
    call_of(What::Next(Distribute::Share));
}

#[test]
fn a_promotion_with_copies_is_stopped_and_disturbed_at_every_call() {
    call_of(What::Next(Distribute::Copy));
}

#[test]
fn a_promotion_with_a_quorum_is_stopped_and_disturbed_at_every_call() {
    call_of(What::Most(Distribute::Share));
}

#[test]
fn a_rollback_is_stopped_and_disturbed_at_every_call() {
    call_of(What::Back(Distribute::Share));
}
