//! `amiforge shell`

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::instance::InstanceArgs;
use crate::cli::interrupt::interruptible;
use crate::cli::session::{Session, print, tell};
use crate::cli::terminal;
use crate::sandbox::{self, Instance, Job, Line, Program, SandboxError};
use crate::trial::{self, Entered, Entry, Options, Shelf, Stop, TrialError, World};
use std::io::{IsTerminal as _, Read as _};

/// Arguments of `shell`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without a terminal the script on standard input is run. The exit code is that of the command, 128 and the \
    number of the signal that ended it, or amiforge's own if it never ran. Output that is no text does not come through \
    unharmed without a terminal."
)]
pub struct ShellArgs {
    /// An instance that `test --keep` has left, or the recipe, component or file whose root is meant; debian-12 when
    /// absent. What is changed stays only in one that was left.
    #[arg(value_name = "KEPT|RECIPE|COMPONENT")]
    pub what: Option<String>,
    /// Operating system, as recipes name it.
    #[arg(long, value_name = "OS", conflicts_with = "root")]
    pub os: Option<String>,
    /// A release, oci:REFERENCE, image:PATH, tar:PATH or a folder, as for `amiforge test`; it is not changed.
    #[arg(long, value_name = "SOURCE")]
    pub root: Option<String>,
    /// List the instances that were left.
    #[arg(long, conflicts_with_all = ["what", "os", "root", "remove", "command"])]
    pub list: bool,
    /// Remove an instance that was left.
    #[arg(long, value_name = "KEPT", conflicts_with_all = ["what", "os", "root", "command"])]
    pub remove: Option<String>,
    #[command(flatten)]
    pub(crate) instance: InstanceArgs,
    /// A command to run instead of a shell, with its arguments. It gets nothing on standard input without a terminal.
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

pub(crate) fn run(session: &Session, args: ShellArgs) -> Result<u8, Failure> {
    let world = session.world()?;
    let shelf = Shelf::new(&world.state);
    if args.list {
        print(&crate::report::trial::kept(&shelf.list()?))?;
        return Ok(Exit::Done.code());
    }
    if let Some(name) = &args.remove {
        if shelf.find(name).is_none() {
            return Err(not_kept(&shelf, name)?.into());
        }
        shelf.remove(name)?;
        return Ok(Exit::Done.code());
    }
    let script = script(&args)?;
    interruptible(move |stop| enter(&world, &args, script.as_deref(), stop))?
}

fn not_kept(shelf: &Shelf, name: &str) -> Result<TrialError, TrialError> {
    let known: Vec<String> = shelf.list()?.into_iter().map(|kept| kept.name).collect();
    let near = crate::diagnostic::suggest(name, &known).map(str::to_owned);
    Ok(TrialError::Unknown { what: "instance that was left", name: name.to_owned(), near, known })
}

/// The script on standard input, if there is neither a terminal nor a command.
fn script(args: &ShellArgs) -> Result<Option<Vec<u8>>, Failure> {
    if !args.command.is_empty() || std::io::stdin().is_terminal() {
        return Ok(None);
    }
    let mut script = Vec::new();
    std::io::stdin().lock().read_to_end(&mut script)?;
    if script.iter().all(u8::is_ascii_whitespace) {
        return Err(Failure::new(Exit::Usage, "there is no terminal, and the script on standard input is empty")
            .next("name a command: amiforge shell … -- COMMAND"));
    }
    Ok(Some(script))
}

fn enter(world: &World, args: &ShellArgs, script: Option<&[u8]>, stop: &Stop) -> Result<u8, Failure> {
    let entry = Entry { word: args.what.clone(), system: args.os.clone(), root: args.root.clone() };
    let options = Options {
        network: args.instance.network(),
        limits: args.instance.limits(),
        sandbox: args.instance.sandbox.clone(),
        ..Options::default()
    };
    let entered = match trial::enter(world, &entry, &options, stop, |line| tell(&format!("root: {line}\n"))) {
        Err(_) if stop.is_stopped() => return Ok(Exit::Interrupted.code()),
        entered => entered?,
    };
    let result = if script.is_none() && terminal::is_there() {
        if args.command.is_empty() {
            tell(&format!(
                "in {}; {}\n",
                entered.name,
                if entered.kept { "what you change stays" } else { "what you change is thrown away" }
            ));
        }
        terminal::join(entered.instance(), &interactive(&entered, &args.command))?
    } else {
        entered.instance().run(&job(entered.instance(), &args.command, script), &mut |line| match line {
            // A reader that has gone away does not concern the command.
            Line::Out(text) => drop(print(&format!("{text}\n"))),
            Line::Err(text) => tell(&format!("{text}\n")),
        })
    };
    let end = match result {
        Ok(sandbox::Exit::Code(code)) => u8::try_from(code).unwrap_or(u8::MAX),
        Ok(sandbox::Exit::Signal(number)) => u8::try_from(128 + number).unwrap_or(u8::MAX),
        Ok(sandbox::Exit::TimedOut) => Exit::TimedOut.code(),
        Ok(sandbox::Exit::Restarted) => {
            tell("the instance restarted and took the command with it\n");
            Exit::Unexpected.code()
        }
        Err(SandboxError::Gone) if stop.is_stopped() => Exit::Interrupted.code(),
        Err(error) => return Err(TrialError::from(error).into()),
    };
    drop(entered);
    Ok(end)
}

/// The shell of the image: bash where it has one.
fn shell(instance: &Instance) -> &'static str {
    if instance.root().join("bin/bash").exists() { "/bin/bash" } else { "/bin/sh" }
}

fn interactive(entered: &Entered, command: &[String]) -> Program {
    let mut environment = sandbox::environment();
    let term = std::env::var("TERM").unwrap_or_else(|_| "dumb".to_owned());
    environment.insert("TERM".to_owned(), term);
    environment.insert("PS1".to_owned(), format!("[{}] \\w# ", entered.name));
    let argv = if command.is_empty() { vec![shell(entered.instance()).to_owned()] } else { command.to_vec() };
    Program { argv, environment, directory: "/root".to_owned() }
}

fn job(instance: &Instance, command: &[String], script: Option<&[u8]>) -> Job {
    let argv = match script {
        Some(_) => vec![shell(instance).to_owned(), "-s".to_owned()],
        None if command.is_empty() => vec![shell(instance).to_owned()],
        None => command.to_vec(),
    };
    Job::Command {
        argv,
        environment: sandbox::environment(),
        directory: "/root".to_owned(),
        stdin: script.unwrap_or_default().to_vec(),
        timeout: None,
    }
}
