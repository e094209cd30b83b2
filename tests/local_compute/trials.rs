//! A minimal harness: names, a filter, panics as failures.

use std::panic::catch_unwind;
use std::process::ExitCode;

/// A test.
pub type Trial = (&'static str, fn());

/// Runs the tests whose name contains one of the arguments (all without arguments), one after another: they share two
/// processors, and instances share the machine.
pub fn run(trials: &[Trial]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    if std::env::args().any(|argument| argument == "--list") {
        for (name, _) in trials {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let wanted = |name: &str| arguments.is_empty() || arguments.iter().any(|part| name.contains(part.as_str()));
    let chosen: Vec<&Trial> = trials.iter().filter(|(name, _)| wanted(name)).collect();
    println!("\nrunning {} tests", chosen.len());
    let mut failed = Vec::new();
    for (name, trial) in &chosen {
        let begun = std::time::Instant::now();
        let result = catch_unwind(trial);
        let word = if result.is_ok() { "ok" } else { "FAILED" };
        println!("test {name} ... {word} ({:.2} s)", begun.elapsed().as_secs_f64());
        if result.is_err() {
            failed.push(*name);
        }
    }
    let word = if failed.is_empty() { "ok" } else { "FAILED" };
    println!("\ntest result: {word}. {} passed; {} failed\n", chosen.len() - failed.len(), failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
