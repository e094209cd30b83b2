//! The emulator: how it is started, what its console says, and its end.

use crate::pidfd;
use crate::sandbox::SandboxError;
use crate::sandbox::mode::program;
use crate::sandbox::sys;
use nix::unistd::Pid;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::MASKED;
use super::guest::ARGUMENT;
use super::message::{PORT, TROUBLE};

/// When this machine's disk is full the guest hears of it; by default the emulator would stop it without a word.
const ERRORS: &str = "werror=report,rerror=report";
/// Lines of the console that are kept.
const KEPT: usize = 200;
/// Longest line of the console that is kept, in bytes.
const LONGEST: usize = 1000;
/// What the kernel says when it gives up (kernel/panic.c).
const PANIC: &str = "Kernel panic - not syncing";
/// What it says when the disk does not do what it should (block/blk-core.c).
const BAD_DISK: &str = "I/O error, dev vda,";
/// Mebibytes of translated code to keep. With the emulator's own choice, a gibibyte, what was translated before a restart
/// of the guest slows the start after it to a third (measured with QEMU 7.2: 18 seconds instead of 8).
const TRANSLATED: &str = "tcg,thread=multi,tb-size=64";

/// How instructions of the guest are executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acceleration {
    /// By the processor.
    Hardware,
    /// By the emulator.
    None,
}

/// What to start.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) kernel: PathBuf,
    pub(super) initrd: PathBuf,
    pub(super) disk: PathBuf,
    pub(super) memory: u64,
    pub(super) processors: usize,
    pub(super) offline: bool,
}

/// A running emulator.
#[derive(Debug)]
pub(super) struct Qemu {
    pub(super) console: Console,
    process: Arc<OwnedFd>,
    waiting: Option<JoinHandle<()>>,
    reading: Option<JoinHandle<()>>,
}

/// What comes of a start: the emulator, and both ends of the port.
pub(super) struct Started {
    pub(super) qemu: Qemu,
    pub(super) to_guest: ChildStdin,
    pub(super) from_guest: ChildStdout,
}

/// What happens to it, told by threads of its own.
#[derive(Debug)]
pub(super) enum Event {
    /// The process has ended.
    Ended(Option<ExitStatus>),
    /// The guest cannot go on, for this reason.
    Trouble(String),
    /// It could not read from its disk or write to it; the kernel's words.
    Disk(String),
}

/// The emulator for this machine's processor.
///
/// # Errors
/// When it is not installed.
pub(super) fn emulator() -> Result<PathBuf, SandboxError> {
    let name = format!("qemu-system-{}", std::env::consts::ARCH);
    program(&name).ok_or_else(|| SandboxError::Program {
        program: name,
        purpose: "it runs a machine with the image's own kernel (--vm)".into(),
        mend: "sudo apt-get install -y --no-install-recommends qemu-system-x86 e2fsprogs".into(),
        without: "tests without --vm, which know no kernel but this machine's".into(),
    })
}

impl Plan {
    fn arguments(&self, acceleration: Acceleration) -> Vec<String> {
        let (machine, terminal) =
            if std::env::consts::ARCH == "x86_64" { ("q35", "ttyS0") } else { ("virt", "ttyAMA0") };
        let accelerate: &[&str] = match acceleration {
            Acceleration::Hardware => &["-accel", "kvm", "-cpu", "host"],
            Acceleration::None => &["-accel", TRANSLATED, "-cpu", "max"],
        };
        let mut words: Vec<String> = ["-nodefaults", "-no-user-config", "-display", "none", "-machine", machine]
            .iter()
            .chain(accelerate)
            .map(|word| (*word).to_owned())
            .collect();
        let mut add = |name: &str, value: String| words.extend([name.to_owned(), value]);
        add("-smp", self.processors.to_string());
        add("-m", format!("{}M", self.memory >> 20));
        add("-kernel", self.kernel.display().to_string());
        add("-initrd", self.initrd.display().to_string());
        add("-append", command_line(terminal));
        // The port is the emulator's standard input and output, the console is its standard error.
        add("-chardev", "stdio,id=agent,signal=off".to_owned());
        add("-device", "virtio-serial-pci".to_owned());
        add("-device", format!("virtserialport,chardev=agent,name={PORT}"));
        add("-chardev", "file,id=console,path=/dev/stderr".to_owned());
        add("-serial", "chardev:console".to_owned());
        // In these a comma ends a value.
        let disk = self.disk.display().to_string().replace(',', ",,");
        add("-drive", format!("file={disk},if=none,id=disk,format=raw,cache=unsafe,discard=unmap,{ERRORS}"));
        add("-device", "virtio-blk-pci,drive=disk".to_owned());
        add("-device", "virtio-rng-pci".to_owned());
        if !self.offline {
            add("-netdev", "user,id=net".to_owned());
            add("-device", "virtio-net-pci,netdev=net".to_owned());
        }
        words
    }

    /// Starts it. It dies with this process, however that ends.
    pub(super) fn start(
        &self,
        acceleration: Acceleration,
        on_event: impl Fn(Event) + Send + Clone + 'static,
    ) -> Result<Started, SandboxError> {
        let mut command = Command::new(emulator()?);
        command.args(self.arguments(acceleration)).env_clear().current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        sys::die_with_us(&mut command);
        let ended = on_event.clone();
        let (told, hear) = channel();
        // "Die with the parent" means its thread: this one lives as long as the emulator.
        let waiting = thread::spawn(move || {
            let child = command.spawn().and_then(|mut child| {
                let hold = pidfd::open(Pid::from_raw(child.id().cast_signed()));
                if hold.is_err() {
                    let _ = (child.kill(), child.wait());
                }
                Ok((ends(&mut child)?, hold?, child))
            });
            match child {
                Ok((ends, hold, mut child)) => {
                    let _ = told.send(Ok((ends, hold)));
                    ended(Event::Ended(child.wait().ok()));
                }
                Err(error) => drop(told.send(Err(error))),
            }
        });
        let failed =
            |error: io::Error| SandboxError::Start { step: "start the emulator".into(), reason: error.to_string() };
        let started = hear.recv().map_err(|_| failed(io::Error::other("its thread has ended")))?;
        let ((to_guest, from_guest, errors), hold) = started.map_err(failed)?;
        let console = Console::default();
        let (lines, event) = (console.clone(), on_event);
        let reading = thread::spawn(move || lines.read(errors, &event));
        let process = Arc::new(hold);
        let qemu = Qemu { console, process, waiting: Some(waiting), reading: Some(reading) };
        Ok(Started { qemu, to_guest, from_guest })
    }
}

fn ends(child: &mut Child) -> io::Result<(ChildStdin, ChildStdout, std::process::ChildStderr)> {
    match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
        (Some(input), Some(output), Some(errors)) => Ok((input, output, errors)),
        _ => Err(io::Error::other("it has no pipes")),
    }
}

/// What the kernel is told (kernel-parameters(7), systemd(1)). What stands behind `--` is for process 1.
fn command_line(terminal: &str) -> String {
    let masked = MASKED.iter().fold(String::new(), |text, unit| format!("{text} systemd.mask={unit}"));
    format!(
        "console={terminal} loglevel=5 rdinit=/init net.ifnames=0 fstab=no systemd.firstboot=off \
         cloud-init=disabled{masked} -- {ARGUMENT}"
    )
}

impl Qemu {
    /// Ends it from any thread.
    pub(super) fn killer(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.process)
    }

    /// Ends it and waits for that.
    pub(super) fn end(&mut self) {
        let _ = sys::pidfd_kill(&*self.process);
        for thread in [self.waiting.take(), self.reading.take()].into_iter().flatten() {
            // A panic there has been told on its own.
            let _ = thread.join();
        }
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.end();
    }
}

/// The last lines of a console. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Console {
    lines: Arc<Mutex<VecDeque<String>>>,
    count: Arc<AtomicU64>,
}

impl Console {
    fn read(&self, mut from: impl Read, on_event: &impl Fn(Event)) {
        let mut line = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            for byte in &chunk[..count] {
                if *byte == b'\n' {
                    self.take(&line, on_event);
                    line.clear();
                } else if line.len() < LONGEST {
                    line.push(*byte);
                }
            }
        }
        self.take(&line, on_event);
    }

    fn take(&self, line: &[u8], on_event: &impl Fn(Event)) {
        let text = plain(&String::from_utf8_lossy(line));
        if text.is_empty() {
            return;
        }
        if let Some((_, why)) = text.split_once(TROUBLE) {
            on_event(Event::Trouble(why.to_owned()));
        } else if let Some(at) = text.find(PANIC) {
            on_event(Event::Trouble(text[at..].to_owned()));
        } else if text.contains(BAD_DISK) {
            on_event(Event::Disk(text.clone()));
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(text);
    }

    /// How many lines there were.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The last lines.
    pub(super) fn last(&self, count: usize) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().skip(lines.len().saturating_sub(count)).cloned().collect()
    }
}

/// A line without control sequences of terminals and other characters that cannot be seen.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            // CSI … letter, the only ones that consoles write.
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else if !character.is_control() {
            text.push(character);
        }
    }
    text.trim_end().to_owned()
}

/// Whether this user may use the processor's help at all, and why not.
pub(super) fn hardware() -> Result<(), String> {
    let device = Path::new("/dev/kvm");
    let opened = std::fs::File::options().read(true).write(true).open(device);
    opened.map(drop).map_err(|error| format!("{}: {error}", device.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn a_console_keeps_its_last_lines_and_tells_of_trouble() {
        let console = Console::default();
        let told = RefCell::new(Vec::new());
        let text = (0..300).fold(String::new(), |text, number| format!("{text}line {number}\r\n"));
        let text = text
            + "\u{1b}[0;1;31mred\u{1b}[0m\n[   2.1] Kernel panic - not syncing: VFS: no root\n"
            + TROUBLE
            + "there is no disk\nhalf";
        console.read(text.as_bytes(), &|event| {
            if let Event::Trouble(why) = event {
                told.borrow_mut().push(why);
            }
        });
        assert_eq!(*told.borrow(), ["Kernel panic - not syncing: VFS: no root", "there is no disk"]);
        assert_eq!(console.last(1000).len(), KEPT);
        assert_eq!(console.last(4)[0], "red");
        assert_eq!((console.last(1), console.count()), (vec!["half".to_owned()], 304));
        console.read(&[b'x'; 5000][..], &|_| ());
        assert_eq!(console.last(1)[0].len(), LONGEST);
    }

    #[test]
    fn a_disk_that_does_not_write_is_told() {
        let told = RefCell::new(Vec::new());
        // Linux 6.1; 5.10 has a prefix.
        let line = "[   12.3] blk_update_request: I/O error, dev vda, sector 12288 op 0x1:(WRITE) flags 0x800";
        Console::default().read(format!("{line}\n").as_bytes(), &|event| told.borrow_mut().push(event));
        assert!(matches!(&told.borrow()[..], [Event::Disk(text)] if text == line), "{told:?}");
    }

    #[test]
    fn commas_in_paths_and_a_machine_without_a_way_out() {
        let plan = Plan {
            kernel: "/k".into(),
            initrd: "/i".into(),
            disk: "/a,b".into(),
            memory: 1 << 30,
            processors: 2,
            offline: true,
        };
        let words = plan.arguments(Acceleration::None).join(" ");
        assert!(words.contains("file=/a,,b,") && words.contains("-m 1024M") && !words.contains("netdev"), "{words}");
        let online = Plan { offline: false, ..plan }.arguments(Acceleration::Hardware).join(" ");
        assert!(online.contains("-netdev user") && online.contains("-accel kvm"), "{online}");
    }
}
