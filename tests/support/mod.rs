//! Fixtures made by code: a root cloned from this machine's own packages, a synthetic package repository, and a parent
//! image put together from both. Nothing is downloaded.

#![allow(dead_code, reason = "each test binary uses its part")]

pub mod fixture;
pub mod repo;
pub mod root;
