//! The same as an ordinary user with subordinate ids. Root makes such a user for the time of the test.

use crate::Test;
use crate::bench::{instance, sh};
use crate::{
    bench, boot, channel, ends, files, groups, hostile, jobs, limits, modes, packages, registries, roots, walls,
};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const AS_ROOT: &[Test] = &[
    ("user::everything_works_without_root", everything_works_without_root),
    ("user::everything_works_with_a_single_id", everything_works_with_a_single_id),
    ("user::without_a_group_of_their_own_there_is_a_way", without_a_group_of_their_own_there_is_a_way),
    ("user::what_is_missing_is_said_with_the_command_that_mends_it", what_is_missing_is_said),
];

/// What every user runs: everything but the starting of itself.
pub const TESTS: &[Test] = &TABLE;

const OWN: [Test; 1] = [("user::files_belong_to_many_users", files_belong_to_many_users)];
const GROUPS: [&[Test]; 16] = [
    &OWN,
    modes::MEASURED,
    jobs::TESTS,
    walls::TESTS,
    hostile::TESTS,
    hostile::EVERYWHERE,
    limits::TESTS,
    files::TESTS,
    ends::TESTS,
    channel::TESTS,
    packages::TESTS,
    roots::TESTS,
    registries::TESTS,
    boot::TESTS,
    hostile::WITH_SYSTEM,
    limits::WITH_SYSTEM,
];
const TABLE: [Test; count()] = table();

const fn count() -> usize {
    let (mut count, mut group) = (0, 0);
    while group < GROUPS.len() {
        count += GROUPS[group].len();
        group += 1;
    }
    count
}

const fn table() -> [Test; count()] {
    let mut table = [OWN[0]; count()];
    let (mut group, mut at) = (0, 0);
    while group < GROUPS.len() {
        let mut number = 0;
        while number < GROUPS[group].len() {
            table[at] = GROUPS[group][number];
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
    everything_works("--as-user", &[]);
}

fn everything_works_with_a_single_id() {
    if nix::unistd::geteuid().is_root() {
        everything_works("--with-one-id", &["--system"]);
    }
}

/// The other half of the test above.
pub fn with_one_id(folder: &str) {
    bench::set_base(folder);
    bench::set_mode("userns-fake");
}

/// Runs all tests as a user that is made for them, in a control group that was handed over to that one.
fn everything_works(half: &str, options: &[&str]) {
    let (user, entry) = temporary_user(options);
    let program = copied_program(&user.folder);
    let group = Group::of(&user.name, &entry);
    let output = group
        .command(&entry)
        .arg(&program)
        .arg(half)
        .arg(user.folder.join("work/base"))
        .current_dir("/")
        .env_clear()
        .env("RUST_BACKTRACE", "1")
        // As at a login; without it skopeo looks for credentials in a folder that root may have closed.
        .env("XDG_RUNTIME_DIR", user.folder.join("work"))
        .output()
        .unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{half}: {}", output.status);
    assert_eq!(fs::read_dir(user.folder.join("work")).unwrap().count(), 0, "something is left");
}

/// As everyone on a machine where nobody has handed a control group over to them.
fn without_a_group_of_their_own_there_is_a_way() {
    if !nix::unistd::geteuid().is_root() {
        return; // Whether this user has one is not for this test to say.
    }
    let (user, entry) = temporary_user(&[]);
    let program = copied_program(&user.folder);
    let mut command = Command::new(&program);
    let places = format!("{}|{}", user.folder.join("work/base").display(), boot::system_root().display());
    command.args(["--without-group", &places]).current_dir("/").env_clear();
    let output = command.uid(entry.uid.as_raw()).gid(entry.gid.as_raw()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("Ours, alive\n"), "{said}");
    let note = said.lines().find(|line| line.starts_with("services of the image are not started")).unwrap();
    assert!(note.contains("is not ours to divide: Permission denied") && note.contains("mend it with: s"), "{note}");
    assert_eq!(fs::read_dir(user.folder.join("work")).unwrap().count(), 0, "something is left");
}

fn temporary_user(options: &[&str]) -> (Temporary, nix::unistd::User) {
    assert!(
        Path::new("/usr/bin/newuidmap").exists() && Path::new("/usr/bin/newgidmap").exists(),
        "newuidmap is missing; install it with: apt-get install -y uidmap"
    );
    let name = format!("amiforge-t{}", std::process::id());
    let made =
        Command::new("useradd").args(["--no-create-home", "--shell", "/bin/sh"]).args(options).arg(&name).output();
    let made = made.unwrap();
    assert!(made.status.success(), "useradd: {}", String::from_utf8_lossy(&made.stderr));
    let folder = std::env::temp_dir().join(&name);
    let user = Temporary { name, folder };
    let entry = nix::unistd::User::from_name(&user.name).unwrap().unwrap();
    fs::create_dir_all(user.folder.join("work")).unwrap();
    chown(user.folder.join("work"), Some(entry.uid.as_raw()), Some(entry.gid.as_raw())).unwrap();
    (user, entry)
}

/// A control group handed over to a user, as `systemd-run --user --scope -p Delegate=yes` does.
struct Group {
    path: PathBuf,
}

impl Group {
    fn of(name: &str, user: &nix::unistd::User) -> Self {
        let path = groups::own_group().join(name);
        fs::create_dir(&path).unwrap();
        for file in ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
            chown(path.join(file), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        Self { path }
    }

    /// A command that runs its arguments as the user, in the group.
    fn command(&self, user: &nix::unistd::User) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo $$ > \"$0\" && exec \"$@\""]).arg(self.path.join("cgroup.procs")).args([
            "setpriv",
            &format!("--reuid={}", user.uid),
            &format!("--regid={}", user.gid),
            "--clear-groups",
        ]);
        command
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Fails, and with it the next run, when an instance has left a group behind.
        fs::remove_dir(&self.path).unwrap();
    }
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
    fs::create_dir_all(folder.join("jail")).unwrap();
    fs::set_permissions(folder.join("work"), fs::Permissions::from_mode(0o777)).unwrap();
    let program = copied_program(&folder);
    // In a changed root the kernel refuses new user namespaces: as in a container, but this is none.
    let jail = folder.join("jail").display().to_string();
    let said = |launcher: &str, jailed: bool| {
        let change = if jailed { format!("mount --rbind / {jail} && exec chroot {jail}") } else { "exec".into() };
        let script = format!("{change} {launcher} {} --probe {}", program.display(), folder.join("work").display());
        let output = Command::new("unshare").args(["--mount", "/bin/sh", "-c", &script]).output().unwrap();
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr)
    };
    // A user for whom nobody has set aside ids; root as it is in a container.
    let user = "setpriv --reuid=54321 --regid=54321 --clear-groups";
    let one = said(user, false);
    let refused = said(user, true);
    let container = said("setpriv --bounding-set=-sys_admin", true);
    let left = fs::read_dir(folder.join("work")).unwrap().count();
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(one, "userns-fake works\n");
    assert!(refused.contains("the permission to make namespaces and mounts: make namespaces: "), "{refused}");
    assert!(refused.contains(&format!("mend it with: sudo {} …", program.display())), "{refused}");
    assert!(container.contains("mend it with: docker run --privileged"), "{container}");
    for text in [refused, container] {
        assert!(text.contains("without it: init, lint, render and plan"), "{text}");
        assert_eq!(text.matches("mend it with: ").count(), 1, "{text}");
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
    if bench::mode() == "userns-fake" {
        assert_eq!(sh(&instance, "id -u; touch /srv/x; chown 33:65534 /srv/x; stat -c %u:%g /srv/x"), "0\n0:0");
        // Devices are none, pipes are real, and nobody can become another.
        let script = "mknod /srv/n c 1 3 && test ! -e /srv/n && mkfifo /srv/p && mknod /srv/q p && test -p /srv/p && test -p /srv/q; \
                      su -s /bin/sh -c 'id -u' nobody";
        assert_eq!(sh(&instance, script), "0");
        let notes = instance.notes();
        assert!(notes[0].contains("belong to root") && notes[0].contains("sudo usermod --add-subuids"), "{notes:?}");
        return;
    }
    assert_eq!(instance.notes(), Vec::<String>::new());
    assert_eq!(sh(&instance, "id -u; touch /srv/x; chown 33:65534 /srv/x; stat -c %u:%g /srv/x"), "0\n33:65534");
    assert_eq!(sh(&instance, "su -s /bin/sh -c 'id -u' nobody"), "65534");
}
