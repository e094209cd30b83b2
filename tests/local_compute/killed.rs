//! A process that is killed in the middle of a build: what it leaves, and what the next one makes of it.

use crate::build::{reason, running, slow, status, workflows};
use crate::fixture::{adopt, fixture};
use crate::instances::{launch, state};
use crate::world::World;
use aws_sdk_imagebuilder::types::ImageStatus;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// The argument that makes this program the process to be killed.
pub const HOLD: &str = "--hold";

/// The process to be killed: starts an instance and a build, says so, and waits.
pub fn hold(state: &str, fixture: &str) -> ! {
    adopt(Path::new(fixture));
    let world = World::at(Path::new(state));
    let instance = launch(&world, &world.parent());
    let arn = world.create("slow", &[&slow()]);
    running(&world, "started");
    println!("{instance} {arn}");
    loop {
        std::thread::park();
    }
}

/// Processes of this machine whose root is that of an instance of this test run.
fn inhabitants() -> usize {
    let marker = Path::new("root").join(fixture().marker());
    let processes = std::fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    processes.filter(|process| process.path().join(&marker).exists()).count()
}

pub fn recover() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args([HOLD.as_ref(), folder.path().as_os_str(), fixture().base.as_os_str()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    let (instance, arn) = line.trim().split_once(' ').expect("an instance and an image");
    let next = World::at(folder.path());
    assert_eq!(status(&next.image(arn)), ImageStatus::Building, "a living process is left alone");
    assert_eq!(state(&next, instance), "running");
    drop(next);
    assert!(inhabitants() > 0);
    child.kill().expect("kill");
    child.wait().expect("its end");

    let next = World::at(folder.path());
    let image = next.image(arn);
    assert_eq!(status(&image), ImageStatus::Failed);
    let pid = child.id();
    let expected = format!(
        "The local environment's process (pid {pid}) ended while the image was BUILDING; start the build again."
    );
    assert_eq!(reason(&image), expected);
    let run = &workflows(&next, arn)[0];
    assert_eq!(run.status().map(|status| status.as_str()), Some("ROLLBACK_COMPLETED"));
    assert_eq!(state(&next, instance), "terminated");
    next.until(|| (inhabitants() == 0).then_some(()));
    next.assert_nothing_left();
}
