//! Fixtures made by code, in about a second and without a network: a small Debian root cloned from the packages of the
//! machine the tests run on, and a repository of synthetic packages with an archive, an updates and a security suite.

#![allow(
    dead_code,
    clippy::format_collect,
    clippy::unwrap_used,
    reason = "each test binary uses a part of it; the texts are short; a fixture that cannot be made is a failed test"
)]

pub mod archive;
pub mod fixture;
pub mod image;
pub mod registry;
pub mod repo;
pub mod root;
pub mod rpm;
pub mod signed;
