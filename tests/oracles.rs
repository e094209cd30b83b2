//! The evaluator of baselines against those who know: apt on real roots and on generated systems, dnf on generated
//! repositories. Nothing may differ without a reason that is written down here with its section of
//! reference/patch-baselines.md.
//!
//! `AMIFORGE_ORACLE_SEED` changes what is generated, `AMIFORGE_ORACLE_ROUNDS` how much of it; a failure names both numbers
//! that make it again. Without the standard harness, because instances are this very program executed again.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test program")]

#[path = "oracles/apt.rs"]
mod apt;
#[path = "oracles/apt_generated.rs"]
mod apt_generated;
#[path = "oracles/apt_roots.rs"]
mod apt_roots;
#[path = "oracles/apt_system.rs"]
mod apt_system;
#[path = "oracles/dice.rs"]
mod dice;
#[allow(dead_code, reason = "the other half of it is for the tests of trials")]
#[path = "trial/harness.rs"]
mod harness;
#[path = "oracles/rpm_generated.rs"]
mod rpm_generated;
#[path = "oracles/rpm_pool.rs"]
mod rpm_pool;
#[path = "oracles/rpm_world.rs"]
mod rpm_world;
#[path = "support/mod.rs"]
mod support;

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = amiforge::sandbox::init::main(amiforge::runner::serve) {
        return ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX));
    }
    let code = harness::run(&[apt_generated::TESTS, rpm_generated::TESTS, apt_roots::TESTS].concat());
    harness::clean();
    code
}
