//! # amiforge
//!
//! From a short recipe file to a patched, tested, validated and promoted golden image on AWS.
//!
//! ## Map of the crate
//!
//! One direction, each room once:
//!
//! ```text
//!  project files ─► project ─► render ─► component (lint) ─► plan ─► publish ─► build
//!                                                                                │
//!  app teams ◄─ consume ◄─ promote ◄─ gate ◄─ evidence ◄─ inspect (fresh instance of the candidate)
//! ```
//!
//! | room | what it is for |
//! |---|---|
//! | [`cli`] | one file per verb: its arguments, one call into the library, what it prints |
//! | [`diagnostic`] | one type for everything that has a place in a file; the catalogue of codes; the renderers |
//! | [`event`] | the one stream of progress events; bars, plain lines and NDJSON are its sinks |
//! | [`yaml`] | a tree with spans and comments |
//! | [`project`] | `amiforge.yaml`, recipes, baselines: read, checked, located |
//! | [`component`] | the component language: model, parser, expressions, action modules. Pure |
//! | [`lint`] | what is to be checked, found in files, folders and projects; levels, suppressions, fixes |
//! | [`render`] | Handlebars: components and recipes from templates and parameters |
//! | [`runner`] | executes a component document on the machine it is on (our awstoe) |
//! | [`sandbox`] | roots, layers, namespaces: an instance on this machine, knowing nothing of AWS |
//! | [`drive`] | where the two meet: documents in an instance, through restarts, to a result |
//! | [`toe`] | `awstoe`, played by amiforge: documents on this machine, by its arguments and with its answers |
//! | [`patch`] | baselines, inventory, version comparison, evaluation. Pure |
//! | [`baseline`] | patch baselines found by name, published to accounts, frozen from them |
//! | [`plan`] | desired resources against the account: fingerprints, versions, the list of changes |
//! | [`build`] | starts and follows image builds; finds the reason of a failure ([`build::why`], pure) |
//! | [`evidence`] | collects and stores what is known of a candidate |
//! | [`gate`] | evidence and policy in, verdicts out. Pure |
//! | [`promote`] | channels, releases, promotion, rollback |
//! | [`consume`] | resolve |
//! | [`access`] | the IAM policies that the verbs need, from one table of their calls. Pure |
//! | [`doctor`] | is everything there that the verbs need, and what mends it |
//! | [`import`] | what an account has of Image Builder becomes project files |
//! | [`aws`] | clients per account and Region, retry classification, tags, waiting |
//! | [`local`] | the local environment: the AWS operations we use, served from this machine |
//! | [`report`] | text and JSON of what users see |
//! | [`trial`] | component documents tried on this machine: `amiforge test` and `amiforge shell` |
//! | [`run`] | all of it in one go, each stage through the room that owns it |
//!
//! All effects on a cloud go through the AWS SDK clients that [`aws`] hands out; the local environment is reached
//! with the same clients, so the code that runs on a laptop is the code that runs against AWS.

pub mod access;
#[cfg(feature = "aws")]
pub mod aws;
pub mod baseline;
pub mod build;
pub mod cli;
pub mod clock;
pub mod component;
#[cfg(feature = "aws")]
pub mod consume;
pub mod diagnostic;
#[cfg(feature = "aws")]
pub mod doctor;
pub mod drive;
pub mod event;
pub mod evidence;
pub mod gate;
#[cfg(feature = "aws")]
pub mod import;
pub mod lint;
#[cfg(feature = "aws")]
pub mod local;
pub mod patch;
mod pidfd;
#[cfg(feature = "aws")]
pub mod plan;
pub mod project;
#[cfg(feature = "aws")]
pub mod promote;
pub mod render;
pub mod report;
#[cfg(feature = "aws")]
pub mod run;
pub mod runner;
pub mod sandbox;
pub mod toe;
pub mod trial;
mod workflow;
pub mod yaml;
