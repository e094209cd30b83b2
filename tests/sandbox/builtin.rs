//! The handler of this program's builtin jobs.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
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
        "spin" => loop {
            std::hint::spin_loop();
        },
        other => panic!("unknown verb {other}"),
    }
}
