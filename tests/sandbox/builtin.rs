//! The handler of this program's builtin jobs.

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

pub fn handle(payload: &[u8], out: &mut dyn Write) -> i32 {
    // Documents, for the runner.
    if payload.starts_with(b"{") {
        return amiforge::runner::serve(payload, out);
    }
    let text = String::from_utf8(payload.to_vec()).unwrap();
    let (verb, rest) = text.split_once(' ').unwrap_or((&text, ""));
    match verb {
        "say" => {
            println!("printed, not sent");
            writeln!(out, "{rest}").unwrap();
            0
        }
        "exit" => rest.parse().unwrap(),
        "panic" => panic!("{rest}"),
        "environment" => {
            std::env::vars().for_each(|(name, value)| writeln!(out, "{name}={value}").unwrap());
            0
        }
        "run" => {
            let output = std::process::Command::new("/bin/sh").args(["-c", rest]).output().unwrap();
            out.write_all(&output.stdout).unwrap();
            output.status.code().unwrap_or(255)
        }
        "descriptors" => {
            let names = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
            let links = names.filter_map(|entry| std::fs::read_link(entry.path()).ok());
            links.for_each(|link| writeln!(out, "{}", link.display()).unwrap());
            0
        }
        "connect" => {
            let address: SocketAddr = rest.parse().unwrap();
            match TcpStream::connect_timeout(&address, Duration::from_secs(2)) {
                Ok(_) => writeln!(out, "connected").unwrap(),
                Err(error) => writeln!(out, "refused: {error}").unwrap(),
            }
            0
        }
        "loop-back" => {
            let listener = TcpListener::bind("127.0.0.1:80").unwrap();
            TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            writeln!(out, "connected").unwrap();
            0
        }
        "ask" => {
            let mut answers = std::io::stdin().lines();
            for number in 0..rest.parse().unwrap() {
                writeln!(out, "{number}").unwrap();
                writeln!(out, "heard {}", answers.next().unwrap().unwrap()).unwrap();
            }
            0
        }
        "flood" => {
            let noise = "n".repeat(64 * 1024);
            for _ in 0..rest.parse::<u32>().unwrap() {
                writeln!(out, "ask\n{noise}").unwrap();
            }
            let heard = std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
            writeln!(out, "heard {heard}").unwrap();
            0
        }
        "spin" => loop {
            std::hint::spin_loop();
        },
        other => attack(other, rest, out),
    }
}

/// What a hostile component would try.
fn attack(verb: &str, rest: &str, out: &mut dyn Write) -> i32 {
    match verb {
        "mount" => {
            let words: Vec<&str> = rest.split(' ').collect();
            let word = |at: usize| Some(words[at]).filter(|word| *word != "none");
            let flags = MsFlags::from_bits_retain(words[3].parse().unwrap());
            answer(out, mount(word(0), words[1], word(2), flags, None::<&str>))
        }
        "unmount" => answer(out, umount2(rest, MntFlags::MNT_DETACH)),
        "read-key" => {
            writeln!(out, "{}", crate::bench::read_key(rest.parse().unwrap())).unwrap();
            0
        }
        "inner-proc" => inner_proc(rest, out),
        "escape" => escape(rest, out),
        "abstract" => {
            let address = std::os::unix::net::SocketAddr::from_abstract_name(rest).unwrap();
            match UnixStream::connect_addr(&address) {
                Ok(_) => writeln!(out, "connected").unwrap(),
                Err(error) => writeln!(out, "refused: {error}").unwrap(),
            }
            0
        }
        other => panic!("unknown verb {other}"),
    }
}

fn answer(out: &mut dyn Write, result: nix::Result<()>) -> i32 {
    match result {
        Ok(()) => writeln!(out, "done").unwrap(),
        Err(errno) => writeln!(out, "refused: {errno}").unwrap(),
    }
    0
}

/// A /proc of new namespaces, by a program that comes with every Debian.
fn inner_proc(place: &str, out: &mut dyn Write) -> i32 {
    let output = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--pid", "--fork", &format!("--mount-proc={place}"), "true"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let refused = !output.status.success() && (said.contains("permission denied") || said.contains("not permitted"));
    writeln!(out, "{}", if refused { "refused" } else { "done" }).unwrap();
    writeln!(out, "{said}").unwrap();
    0
}

/// The oldest way out of a `chroot(2)`: to change the root below the working directory, and to climb.
fn escape(marker: &str, out: &mut dyn Write) -> i32 {
    std::fs::create_dir_all("/srv/jail").unwrap();
    std::env::set_current_dir("/").unwrap();
    nix::unistd::chroot("/srv/jail").unwrap();
    for _ in 0..64 {
        std::env::set_current_dir("..").unwrap();
    }
    nix::unistd::chroot(".").unwrap();
    writeln!(out, "{}", if Path::new(marker).exists() { "there" } else { "not there" }).unwrap();
    0
}
