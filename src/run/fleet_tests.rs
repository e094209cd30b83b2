//! Many images against a scripted service, in virtual time.

use super::*;
use crate::aws::testing;
use crate::clock::Clock;
use crate::event::Event;
use crate::local::{Config, Fault, Local};
use crate::project::{Arch, Project, Recipe};
use bytes::Bytes;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

#[test]
fn the_worst_code_counts_and_says_most_about_us() {
    assert_eq!(worst([]), 0);
    assert_eq!(worst([0, 0]), 0);
    assert_eq!(worst([0, 6, 13, 5]), 5);
    assert_eq!(worst([13, 6]), 6);
    assert_eq!(worst([5, 12]), 12);
    assert_eq!(worst([12, 1, 3]), 1);
    assert_eq!(worst([5, 77]), 77, "a code that nobody knows is no mild one");
}

fn row_of(recipe: &str, result: ImageResult, message: Option<&str>) -> ImageRow {
    let (_, fixture) = crate::plan::project_fixture();
    let fixture = Recipe { name: recipe.to_owned(), ..fixture };
    let item = Item { recipe: &fixture, arch: Arch::X86_64 };
    let there = message.is_none();
    ImageRow {
        result,
        image_version: there.then(|| "1.0.3/1".to_owned()),
        ami: there.then(|| "ami-0123456789abcdef0".to_owned()),
        message: message.map(str::to_owned),
        exit_code: match result {
            ImageResult::Failed => Some(5),
            ImageResult::Skipped => None,
            _ => Some(0),
        },
        ..empty(&item)
    }
}

#[test]
fn the_table_of_many_images() {
    let report = FleetReport {
        schema: "amiforge.build/1",
        project: "acme".into(),
        environment: "prod".into(),
        region: "us-east-1".into(),
        images: vec![
            row_of("base", ImageResult::Built, None),
            row_of("web", ImageResult::Reused, None),
            row_of("db", ImageResult::Failed, Some("the build phase failed\u{1b}[2J")),
            row_of("db-replica", ImageResult::Skipped, Some("db/x86_64, which it starts from, has no image")),
        ],
        exit_code: 5,
    };
    insta::assert_snapshot!(crate::report::images(&report), @"");
    let (message, lines) = crate::report::images_failed(&report);
    assert_eq!((message.as_str(), lines.len()), ("2 of 4 images are not there", 2));
}

const SECONDS: u64 = 600;

/// A service where recipes can be published and builds take ten minutes; those whose names contain `bad` fail.
#[derive(Clone)]
struct Service {
    local: Arc<Local>,
    built: Arc<Mutex<BTreeMap<String, tokio::time::Instant>>>,
    most: Arc<Mutex<usize>>,
}

impl Service {
    fn under_way(&self) -> usize {
        let built = self.built.lock().unwrap();
        built.values().filter(|started| started.elapsed().as_secs() < SECONDS).count()
    }
}

#[allow(dead_code)]
fn unused(_: Fault, _: Config, _: Bytes, _: Clock, _: Event, _: Project) -> serde_json::Value {
    json!({})
}
