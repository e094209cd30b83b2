//! The runner as a program of its own.

use super::*;
use crate::runner::serve;

fn served(request: &[u8]) -> (i32, Vec<RunEvent>) {
    let mut out = Vec::new();
    let code = serve(request, &mut out);
    let text = String::from_utf8(out).unwrap();
    (code, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn as_a_program_it_says_how_it_ended() {
    for (command, code, status) in [
        ("true", 0, RunStatus::Success),
        ("exit 194", 194, RunStatus::RebootRequired),
        ("exit 7", 1, RunStatus::Failed),
    ] {
        let bench = bench();
        let request = bench.request(&[&document(&bash("Run", command, ""))]);
        let (found, events) = served(&serde_json::to_vec(&request).unwrap());
        assert_eq!(found, code, "{command}");
        let begun = |event: &RunEvent| matches!(event, RunEvent::StepStarted { attempt: 1, place, .. } if place.action == "ExecuteBash");
        assert!(events.iter().any(begun));
        assert!(matches!(events.last(), Some(RunEvent::Finished { summary }) if summary.status == status));
    }
    let (code, events) = served(b"{");
    assert_eq!((code, events.len()), (2, 1));
}

#[test]
fn as_a_program_it_fails_when_nobody_listens() {
    struct Deaf;
    impl std::io::Write for Deaf {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let bench = bench();
    let request = bench.request(&[&document(&bash("Run", "true", ""))]);
    assert_eq!(serve(&serde_json::to_vec(&request).unwrap(), &mut Deaf), 1);
    assert_eq!(serve(b"", &mut Deaf), 2);
}
