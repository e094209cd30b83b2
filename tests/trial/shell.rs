//! `amiforge shell`, with and without a terminal, and instances that `test --keep` leaves.

use crate::harness::{Env, SYSTEM, Test, component, eventually, root};
use amiforge::sandbox::Size;
use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

pub const TESTS: &[Test] = &[
    ("a_failed_trial_is_kept_and_entered", kept),
    ("a_fresh_shell_throws_its_changes_away", fresh),
    ("a_shell_on_a_terminal", || terminal(&root(), "/dev/pts/0")),
    // The first one is the console of systemd.
    ("a_shell_on_a_terminal_beside_systemd", || terminal(&SYSTEM.display().to_string(), "/dev/pts/1")),
    ("a_shell_of_what_is_not_there", unknown),
];

fn kept() {
    let text =
        component(&[("build", &[("Make", "echo made >/etc/made")]), ("test", &[("Look", "touch /etc/seen\nfalse")])]);
    let env = Env::new(&[("bad", &text)]);
    assert!(env.expect(0, &["shell", "--list"]).stdout.contains("no instance was left"));
    let text = env.expect(6, &["test", "bad", "--offline", "--root", &root(), "--keep", "--progress", "none"]).stdout;
    assert!(text.contains("kept in [base]/project/.amiforge/kept/"), "{text}");
    assert!(text.contains("amiforge shell bad@root-12"), "{text}");
    let list = env.expect(0, &["shell", "--list"]).stdout;
    assert!(list.starts_with("bad@root-12  test   FAILED"), "{list}");
    // Both layers are there: the image's and what the test phase has done to its instance.
    let shown = env.expect(0, &["shell", "bad@root-12", "--", "sh", "-c", "cat /etc/made; ls /etc/seen"]).stdout;
    assert_eq!(shown, "made\n/etc/seen\n");
    env.expect(0, &["shell", "bad@root-12", "--", "touch", "/root/mine"]);
    assert_eq!(env.expect(0, &["shell", "bad@root-12", "--", "ls", "/root"]).stdout, "mine\n");
    // It had no network, and has none now.
    let devices = env.expect(0, &["shell", "bad@root-12", "--", "cat", "/proc/net/dev"]).stdout;
    let names: Vec<&str> = devices.lines().filter_map(|line| Some(line.split_once(':')?.0.trim())).collect();
    assert_eq!(names, ["lo"]);
    let text = env.expect(2, &["shell", "--remove", "bad@root-21"]).stderr;
    assert!(text.contains("did you mean `bad@root-12`?"), "{text}");
    env.expect(0, &["shell", "--remove", "bad@root-12"]);
    assert!(env.expect(0, &["shell", "--list"]).stdout.contains("no instance was left"));
    assert_eq!(env.trials(), 0);
}

fn fresh() {
    let env = Env::new(&[]);
    let arguments = ["shell", "--offline", "--root", &root()];
    let run = |code, words: &[&str]| env.expect(code, &[&arguments[..], &["--"], words].concat()).stdout;
    assert_eq!(run(0, &["sh", "-c", "touch /root/mine; ls /root"]), "mine\n");
    assert_eq!(run(0, &["ls", "/root"]), "");
    run(7, &["sh", "-c", "exit 7"]);
    run(137, &["sh", "-c", "kill -9 $$"]);
    run(127, &["no-such-program"]);
    let mut child = env.command(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"echo one\necho two\nexit 5\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout).as_ref()), (Some(5), "one\ntwo\n"));
    let text = env.expect(2, &arguments).stderr;
    assert!(text.contains("the script on standard input is empty"), "{text}");
    assert_eq!(env.trials(), 0);
}

fn terminal(root: &str, name: &str) {
    let env = Env::new(&[]);
    let pty = openpty(None, None).unwrap();
    Size { rows: 40, columns: 100 }.set(&pty.master).unwrap();
    let arguments = ["shell", "--offline", "--root", root];
    let side = || Stdio::from(pty.slave.try_clone().unwrap());
    let mut command = env.command(&arguments);
    let mut child = command.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
    drop((command, pty.slave));
    let (mut keys, mut screen) = (File::from(pty.master.try_clone().unwrap()), File::from(pty.master));
    let shown = Arc::new(Mutex::new(String::new()));
    let copy = Arc::clone(&shown);
    let reader = std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        // EIO when the program and all it started are gone.
        while let Ok(length @ 1..) = screen.read(&mut buffer) {
            copy.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        screen
    });
    let has = |text: &str| shown.lock().unwrap().contains(text);
    eventually("a prompt", || has("# "));
    keys.write_all(b"echo \"size $(stty size) $(tty)\"\n").unwrap();
    eventually("the size", || has(&format!("size 40 100 {name}")));
    // Ctrl-C is for the program in the instance, not for us.
    keys.write_all(b"sleep 100000 || echo \"ended $?\"\n").unwrap();
    eventually("the echo", || has("sleep 100000"));
    let mut tries = 0;
    eventually("the sleep ends", || {
        tries += 1;
        keys.write_all(b"\x03").unwrap();
        has("^C") && tries > 1
    });
    Size { rows: 30, columns: 90 }.set(&keys).unwrap();
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGWINCH).unwrap();
    eventually("the new size", || {
        keys.write_all(b"echo \"size $(stty size)\"\n").unwrap();
        has("size 30 90")
    });
    keys.write_all(b"exit 9\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(9));
    drop(keys);
    drop(reader.join().unwrap());
    assert_eq!(env.trials(), 0);
}

fn unknown() {
    let env = Env::new(&[]);
    let text = env.expect(2, &["shell", "boost", "--root", &root(), "--", "true"]).stderr;
    assert!(text.contains("there is no instance, recipe, component or file `boost`"), "{text}");
    assert!(text.contains("did you mean `boots`?"), "{text}");
}
