//! Which phases a document has, and what they are good for.

use crate::component::model::Stage;
use crate::component::rules::model::Findings;
use crate::component::rules::subject::{Role, Subject};
use crate::diagnostic::suggest;

const RUN: [&str; 4] = ["build", "validate", "test", "container-host-test"];

/// `D008`
pub(super) fn never_run(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let phases = &subject.document.phases;
    // Without any phase that is run the fault is that one (D005), not each of the others.
    let some_are_run = phases.iter().any(|phase| RUN[..3].contains(&phase.name.as_str()));
    if subject.target.standalone || !some_are_run {
        return;
    }
    for phase in phases.iter().filter(|phase| phase.stage().is_none() && crate::component::is_name(&phase.name)) {
        let message = format!("Image Builder never runs phase `{}`", phase.name);
        let diagnostic = found.at(phase.span, message, "not one of the phases it knows");
        found.add(match suggest(&phase.name, RUN) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help("move its steps to build, validate or test"),
        });
    }
}

/// `D009`
pub(super) fn container_host_test(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let target = subject.target;
    let for_ami = !target.container && (target.role.is_some() || target.os.is_some());
    if !for_ami || target.standalone {
        return;
    }
    if let Some(phase) = subject.document.phase("container-host-test") {
        found.add(
            found
                .at(phase.span, "`container-host-test` is never run for an AMI", "this recipe builds an AMI")
                .help("move its steps to `test`, or use the component in recipes for containers only"),
        );
    }
}

/// `D018`
pub(super) fn other_use(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let phases = &subject.document.phases;
    let builds = phases.iter().find(|phase| phase.stage() == Some(Stage::Build));
    match subject.target.role {
        Some(Role::Build) if builds.is_none() => {
            let Some(phase) = phases.iter().find(|phase| phase.stage() == Some(Stage::Test)) else { return };
            found.add(
                found
                    .at(phase.span, "the recipe builds with a document that only tests", "there is no phase `build`")
                    .note("a document whose only phase is `test` is a test component")
                    .help("use it below `test` of the recipe, or name the phase `build`"),
            );
        }
        Some(Role::Test) => {
            let Some(phase) = builds else { return };
            let message = format!("the recipe tests with a document that has a phase `{}`", phase.name);
            found.add(
                found
                    .at(phase.span, message, "runs while the image is built")
                    .note("only a document whose only phase is `test` is a test component")
                    .help("use it below `build` of the recipe, or move the phase to a document of its own"),
            );
        }
        _ => {}
    }
}
