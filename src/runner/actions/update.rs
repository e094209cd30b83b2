//! `UpdateOS`: the updates of the distribution, with its own package manager.

use super::{Done, Machine, StepError, wildcard};
use crate::runner::capture::Sink;
use crate::runner::process::{self, Finished, Limit, Program};
use crate::runner::values::Inputs;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// Options of every apt-get call: answer yes; keep changed configuration files as they are; wait for other users of the
/// package database (Debian and Ubuntu images update themselves at boot); and treat a package source that cannot be read
/// as the error it is, because apt-get would otherwise go on with old lists and call it success.
const APT: &[&str] = &[
    "-y",
    "-q",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
    "-o",
    "DPkg::Lock::Timeout=300",
    "-o",
    "Dpkg::Use-Pty=0",
    "-o",
    "APT::Update::Error-Mode=any",
];

/// Updates the operating system. Asks for a reboot if the updates need one, after which the step runs again and finds
/// nothing to do.
pub fn update(
    inputs: Option<&Inputs>,
    machine: &Machine,
    limit: Limit,
    sink: &mut Sink<'_>,
) -> Result<Done, StepError> {
    let list = |name: &str| inputs.map(|inputs| inputs.texts(name).to_vec()).unwrap_or_default();
    let mut environment = machine.environment.clone();
    // Nobody answers questions, and simulated runs are read by this program, not by people.
    environment.insert("DEBIAN_FRONTEND".to_owned(), "noninteractive".to_owned());
    environment.insert("LC_ALL".to_owned(), "C.UTF-8".to_owned());
    let mut update = Update { machine, environment, limit, sink, include: list("include"), exclude: list("exclude") };
    update.refuse_unsupported()?;
    if machine.program("apt-get").is_some() && machine.root.join("var/lib/dpkg/status").exists() {
        return update.apt();
    }
    let rpm = ["yum", "dnf"].into_iter().find(|name| machine.program(name).is_some());
    match rpm {
        Some(name) => update.yum(name),
        None => Err(StepError::Failed("neither apt-get nor yum nor dnf is installed here".to_owned())),
    }
}

struct Update<'a, 'b> {
    machine: &'a Machine,
    environment: BTreeMap<String, String>,
    limit: Limit,
    sink: &'a mut Sink<'b>,
    include: Vec<String>,
    exclude: Vec<String>,
}

impl Update<'_, '_> {
    /// Amazon Linux 2023 pins its repositories to a release, and `UpdateOS` does not support it.
    fn refuse_unsupported(&self) -> Result<(), StepError> {
        let text = fs::read_to_string(self.machine.root.join("etc/os-release")).unwrap_or_default();
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.unwrap_or_default().trim_matches('"').to_owned()
        };
        if field("ID") == "amzn" && field("VERSION_ID").starts_with("2023") {
            let message =
                "UpdateOS does not support Amazon Linux 2023; upgrade with `dnf upgrade --releasever=…` in ExecuteBash";
            return Err(StepError::Failed(message.to_owned()));
        }
        Ok(())
    }

    fn run(&mut self, argv: Vec<String>) -> Result<Finished, StepError> {
        let program =
            Program { argv, environment: &self.environment, directory: &self.machine.directory, limit: self.limit };
        process::run(&program, self.sink)
    }

    /// Finishes what an earlier attempt was killed in; apt-get refuses to work before that is done.
    fn finish_interrupted(&mut self) -> Result<(), StepError> {
        let journal = self.machine.root.join("var/lib/dpkg/updates");
        if fs::read_dir(journal).is_ok_and(|mut entries| entries.next().is_some()) {
            let argv = ["dpkg", "--force-confdef", "--force-confold", "--configure", "-a"].map(str::to_owned);
            succeeded("dpkg --configure -a", self.run(argv.to_vec())?)?;
        }
        Ok(())
    }

    fn apt(&mut self) -> Result<Done, StepError> {
        self.finish_interrupted()?;
        self.apt_get(&["update"], &[])?;
        if self.include.is_empty() && self.exclude.is_empty() {
            // New packages come along when an update needs them, as with a kernel; nothing is removed.
            self.apt_get(&["upgrade", "--with-new-pkgs"], &[])?;
        } else {
            let chosen = self.chosen()?;
            if chosen.is_empty() {
                self.sink.say("No update fits the include and exclude lists");
            } else {
                self.apt_get(&["install", "--only-upgrade"], &chosen)?;
            }
        }
        let flags = ["run/reboot-required", "var/run/reboot-required"];
        let needed = flags.iter().any(|flag| self.machine.root.join(flag).exists());
        Ok(self.after(needed))
    }

    fn apt_get(&mut self, command: &[&str], packages: &[String]) -> Result<Finished, StepError> {
        let excluded = Preferences::write(self)?;
        let mut argv = vec!["apt-get".to_owned()];
        argv.extend(APT.iter().map(|option| (*option).to_owned()));
        if let Some(preferences) = &excluded {
            argv.extend(["-o".to_owned(), format!("Dir::Etc::preferences={}", preferences.0.display())]);
        }
        argv.extend(command.iter().map(|word| (*word).to_owned()));
        argv.extend(packages.iter().cloned());
        let finished = self.run(argv)?;
        succeeded(&format!("apt-get {}", command[0]), finished)
    }

    /// The packages that an upgrade would touch and the lists choose, from a simulated run.
    fn chosen(&mut self) -> Result<Vec<String>, StepError> {
        let simulated = self.apt_get(&["upgrade", "--with-new-pkgs", "--simulate"], &[])?;
        let text = simulated.stdout.text();
        let text = text.ok_or_else(|| StepError::Failed("the list of updates is longer than 16 MiB".to_owned()))?;
        let fits = |patterns: &[String], name: &str| patterns.iter().any(|pattern| wildcard::fits(pattern, name));
        // `Inst name [installed] (new …)`; without the bracket it is a package that is not installed yet.
        let upgrades = text.lines().filter_map(|line| {
            let mut words = line.strip_prefix("Inst ")?.split_whitespace();
            let name = words.next()?;
            words.next()?.starts_with('[').then(|| name.to_owned())
        });
        let chosen: BTreeSet<String> = upgrades
            .filter(|name| self.include.is_empty() || fits(&self.include, name))
            .filter(|name| !fits(&self.exclude, name))
            .collect();
        Ok(chosen.into_iter().collect())
    }

    fn yum(&mut self, name: &str) -> Result<Done, StepError> {
        let mut argv = vec![name.to_owned(), "-y".to_owned()];
        argv.extend(self.exclude.iter().map(|pattern| format!("--exclude={pattern}")));
        argv.push("update".to_owned());
        argv.extend(self.include.iter().cloned());
        let finished = self.run(argv)?;
        succeeded(&format!("{name} update"), finished)?;
        if self.machine.program("needs-restarting").is_none() {
            self.sink.notice("needs-restarting is not installed: whether a reboot is needed is unknown");
            return Ok(Done::Finished);
        }
        // Exit code 1 means that the machine must be restarted.
        let finished = self.run(vec!["needs-restarting".to_owned(), "-r".to_owned()])?;
        match finished.status.code() {
            Some(0) => Ok(self.after(false)),
            Some(1) => Ok(self.after(true)),
            _ => Err(StepError::Failed(format!("needs-restarting -r: {}", finished.describe()))),
        }
    }

    fn after(&mut self, reboot: bool) -> Done {
        if reboot {
            self.sink.say("The updates need a reboot");
            return Done::RebootThenAgain;
        }
        Done::Finished
    }
}

fn succeeded(what: &str, finished: Finished) -> Result<Finished, StepError> {
    if finished.status.success() {
        return Ok(finished);
    }
    Err(StepError::Failed(format!("{what}: {}", finished.describe())))
}

/// Preferences of apt that forbid every version of the excluded packages, for the time of one call: they are not updated
/// on behalf of others either, and nothing of it stays in the image.
struct Preferences(PathBuf);

impl Preferences {
    fn write(update: &Update<'_, '_>) -> Result<Option<Self>, StepError> {
        if update.exclude.is_empty() {
            return Ok(None);
        }
        let mut text = String::new();
        for pattern in &update.exclude {
            text.extend(["Package: ", pattern, "\nPin: version *\nPin-Priority: -1\n\n"]);
        }
        // The machine's own preferences still count; the first entry for a package wins.
        text.push_str(&fs::read_to_string(update.machine.root.join("etc/apt/preferences")).unwrap_or_default());
        let path = update.machine.directory.join(format!("AWSTOE{}.preferences", std::process::id()));
        fs::write(&path, text).map_err(|error| StepError::io("cannot write", &path, &error))?;
        Ok(Some(Self(path)))
    }
}

impl Drop for Preferences {
    fn drop(&mut self) {
        // It holds nothing worth an error; the next image build starts without it.
        let _ = fs::remove_file(&self.0);
    }
}
