//! The same as an ordinary user with subordinate ids. Root makes such a user for the time of the test.

use crate::Test;
use crate::bench::{instance, sh};
use crate::{ends, files, jobs, packages, registries, roots, walls};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const AS_ROOT: &[Test] = &[
    ("user::everything_works_without_root", everything_works_without_root),
    ("user::what_is_missing_is_said_with_the_command_that_mends_it", what_is_missing_is_said),
];

/// What the user runs: everything but the starting of itself.
pub const TESTS: &[Test] = &TABLE;

const OWN: [Test; 1] = [("user::files_belong_to_many_users", files_belong_to_many_users)];
const GROUPS: [&[Test]; 8] =
    [&OWN, jobs::TESTS, walls::TESTS, files::TESTS, ends::TESTS, packages::TESTS, roots::TESTS, registries::TESTS];
const COUNT: usize = count();
const TABLE: [Test; COUNT] = table();

const fn count() -> usize {
    let (mut group, mut count) = (0, 0);
    while group < GROUPS.len() {
        count += GROUPS[group].len();
        group += 1;
    }
    count
}

const fn table() -> [Test; COUNT] {
    let groups = GROUPS;
    let mut table = [OWN[0]; COUNT];
    let (mut group, mut at) = (0, 0);
    while group < groups.len() {
        let mut number = 0;
        while number < groups[group].len() {
            table[at] = groups[group][number];
            at += 1;
            number += 1;
        }
        group += 1;
    }
    table
}

/// A user for the time of a test.
struct Temporary {
    name: String,
    folder: PathBuf,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
        let _ = Command::new("userdel").arg(&self.name).output();
    }
}

fn everything_works_without_root() {
    if !nix::unistd::geteuid().is_root() {
        return; // Then all other tests have been run as a user already.
    }
    assert!(
        Path::new("/usr/bin/newuidmap").exists() && Path::new("/usr/bin/newgidmap").exists(),
        "newuidmap is missing; install it with: apt-get install -y uidmap"
    );
    let name = format!("amiforge-t{}", std::process::id());
    let made = Command::new("useradd").args(["--no-create-home", "--shell", "/bin/sh", &name]).output().unwrap();
    assert!(made.status.success(), "useradd: {}", String::from_utf8_lossy(&made.stderr));
    let folder = std::env::temp_dir().join(&name);
    let user = Temporary { name, folder };
    let entry = nix::unistd::User::from_name(&user.name).unwrap().unwrap();
    fs::create_dir_all(user.folder.join("work")).unwrap();
    chown(user.folder.join("work"), Some(entry.uid.as_raw()), Some(entry.gid.as_raw())).unwrap();
    let program = copied_program(&user.folder);
    let output = Command::new(&program)
        .arg("--as-user")
        .arg(user.folder.join("work/base"))
        .uid(entry.uid.as_raw())
        .gid(entry.gid.as_raw())
        .current_dir("/")
        .env_clear()
        .env("RUST_BACKTRACE", "1")
        .output()
        .unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "as an ordinary user: {}", output.status);
    assert_eq!(fs::read_dir(user.folder.join("work")).unwrap().count(), 0, "something is left");
}

/// This program where every user can run it: the build folder may be out of reach.
fn copied_program(folder: &Path) -> PathBuf {
    let program = folder.join("program");
    fs::copy("/proc/self/exe", &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

fn what_is_missing_is_said() {
    if !nix::unistd::geteuid().is_root() {
        return; // The parts of the message have tests of their own; this one needs to become others.
    }
    let folder = std::env::temp_dir().join(format!("amiforge-probe-{}", std::process::id()));
    fs::create_dir_all(folder.join("work")).unwrap();
    fs::set_permissions(folder.join("work"), fs::Permissions::from_mode(0o777)).unwrap();
    let program = copied_program(&folder);
    let said = |launcher: &[&str]| {
        let output = Command::new(launcher[0])
            .args(&launcher[1..])
            .args([&program, Path::new("--probe"), &folder.join("work")])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr)
    };
    // A user for whom nobody has set aside ids; root as it is in a container.
    let user = said(&["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"]);
    let container = said(&["setpriv", "--bounding-set=-sys_admin"]);
    let left = fs::read_dir(folder.join("work")).unwrap().count();
    fs::remove_dir_all(&folder).unwrap();
    assert!(user.contains("subordinate ids of the user 54321 in /etc/subuid"), "{user}");
    assert!(user.contains("mend it with: sudo usermod --add-subuids ") && user.contains(" 54321\n"), "{user}");
    assert!(
        container.contains("CAP_SYS_ADMIN") && container.contains("mend it with: docker run --privileged"),
        "{container}"
    );
    for text in [user, container] {
        assert!(text.contains("without it: init, lint, render and plan"), "{text}");
    }
    assert_eq!(left, 0, "the probe has left something");
}

/// The other half of the test above.
pub fn say_what_the_probe_says(folder: &str) {
    match amiforge::sandbox::probe(Path::new(folder)) {
        Ok(mode) => println!("{} works", mode.name()),
        Err(error) => println!("{error}"),
    }
}

fn files_belong_to_many_users() {
    let instance = instance();
    assert_eq!(sh(&instance, "id -u; touch /srv/x; chown 33:65534 /srv/x; stat -c %u:%g /srv/x"), "0\n33:65534");
    assert_eq!(sh(&instance, "su -s /bin/sh -c 'id -u' nobody"), "65534");
}
