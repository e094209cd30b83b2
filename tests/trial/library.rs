//! The room itself, without the command line.

use crate::harness::{ROOTS, Test, component, folder};
use amiforge::clock::Clock;
use amiforge::event::{Event, Events};
use amiforge::sandbox::Network;
use amiforge::trial::{self, Options, Outcome, Status, Stop, Wanted, World};
use std::fs;
use std::sync::{Arc, Mutex};

pub const TESTS: &[Test] =
    &[("the_library_plans_runs_and_tells", whole_way), ("stop_ends_what_runs_and_what_waits", stopped)];

fn world() -> World {
    let folder = folder("library-");
    World {
        project: None,
        here: folder.clone(),
        state: folder.join("state"),
        cache: folder.join("cache"),
        mirror: None,
        bind: vec![],
        clock: Clock::fixed(time::macros::datetime!(2026-01-02 03:04:05 UTC)),
        outside: || Box::new(amiforge::runner::outside::Nowhere),
    }
}

fn wanted(files: &[&str]) -> Wanted {
    Wanted {
        subjects: files.iter().map(|file| (*file).to_owned()).collect(),
        roots: vec![ROOTS[0].display().to_string()],
        ..Wanted::default()
    }
}

fn options() -> Options {
    Options { network: Network::Loopback, jobs: Some(1), ..Options::default() }
}

fn whole_way() {
    let world = world();
    fs::write(world.here.join("a.yaml"), component(&[("build", &[("Say", "echo hello from inside")])])).unwrap();
    let trials = trial::plan(&world, &wanted(&["a.yaml"]), &options()).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let events = Events::new(move |event| sink.lock().unwrap().push(event));
    let report = trial::run(&world, &options(), &trials, &events, &Stop::default(), &|_| ()).unwrap();
    assert!(report.passed(), "{report:?}");
    assert_eq!((report.started.as_str(), report.trials[0].count(Status::Passed)), ("2026-01-02T03:04:05Z", 1));
    let said = Event::LaneOutput { lane: "a@root-12".into(), line: "hello from inside".into() };
    assert!(seen.lock().unwrap().contains(&said));
}

fn stopped() {
    let world = world();
    let hang = component(&[("build", &[("Hang", "sleep 1000000")])]);
    fs::write(world.here.join("a.yaml"), &hang).unwrap();
    fs::write(world.here.join("b.yaml"), &hang).unwrap();
    let trials = trial::plan(&world, &wanted(&["a.yaml", "b.yaml"]), &options()).unwrap();
    let stop = Stop::default();
    let hand = stop.clone();
    let events = Events::new(move |event| {
        if matches!(&event, Event::LaneProgress { message, .. } if message.ends_with("build: Hang")) {
            // Not from within the run itself: a kill waits for the end of all processes.
            let hand = hand.clone();
            std::thread::spawn(move || hand.stop());
        }
    });
    let report = trial::run(&world, &options(), &trials, &events, &stop, &|_| ()).unwrap();
    let outcomes: Vec<Outcome> = report.trials.iter().map(|trial| trial.outcome).collect();
    assert_eq!(outcomes, [Outcome::Interrupted, Outcome::NotRun]);
    assert_eq!((report.exit_code(), report.trials[0].steps[0].status), (130, Status::Interrupted));
    assert_eq!(fs::read_dir(world.state.join("trials")).unwrap().count(), 0);
}
