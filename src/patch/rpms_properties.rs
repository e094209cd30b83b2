//! What holds of every evaluation of an RPM system.

use super::tests::{NOW, everything, image, notice, package, redhat, run};
use crate::patch::*;
use proptest::prelude::*;
use time::Duration;

const VERSIONS: [&str; 6] = ["1-1", "1-2", "1-10", "2-1", "1:1-1", "1-1~rc1"];

fn some_version() -> impl Strategy<Value = &'static str> {
    prop::sample::select(VERSIONS.as_slice())
}

fn some_image() -> impl Strategy<Value = Inventory> {
    let name = prop::sample::select(vec!["a", "b", "c", "d"]);
    let kind = prop::sample::select(vec!["security", "bugfix", "enhancement"]);
    let severity = prop::sample::select(vec!["Critical", "important", "Low", ""]);
    let installed = prop::collection::vec((name.clone(), some_version()), 1..6);
    let offers = prop::collection::vec((name.clone(), some_version()), 0..16);
    let notices = prop::collection::vec((name, some_version(), kind, severity, 0_i64..60), 0..12);
    (installed, offers, notices).prop_map(|(installed, mut offers, notices)| {
        offers.push((installed[0].0, installed[0].1));
        let mut advisories = vec![notice("A-0", "security", "Critical", "none", "1-1")];
        for (index, (name, version, kind, severity, age)) in notices.into_iter().enumerate() {
            let mut advisory = notice(&format!("A-{index}"), kind, severity, name, version);
            advisory.issued = (NOW - Duration::days(age)).date().to_string();
            advisories.push(advisory);
        }
        image(&installed, &offers, advisories)
    })
}

proptest! {
    #[test]
    fn a_later_date_never_takes_an_approval_back(image in some_image(), days in 0_i64..40, delay in 0_u16..40) {
        let mut baseline = redhat();
        baseline.rules.iter_mut().for_each(|rule| rule.approval = Approval::AfterDays(delay));
        let now = run(&baseline, &image);
        let later = evaluate(&baseline, &image, &Context::new(NOW + Duration::days(days))).unwrap();
        for (before, after) in now.patches.iter().zip(&later.patches) {
            let approved = |patch: &Patch| matches!(patch.state, State::Installed | State::Missing);
            prop_assert!(!approved(before) || approved(after), "{before:?} {after:?}");
            prop_assert!(before.state != State::Missing || after.state == State::Missing);
        }
        prop_assert!(later.counts.not_applicable >= now.counts.not_applicable);
    }

    #[test]
    fn a_rejected_name_is_never_missing(image in some_image(), name in "[a-d]", block in any::<bool>()) {
        let mut baseline = everything();
        baseline.approved = vec![name.clone()];
        baseline.rejected = vec![name.clone()];
        baseline.rejected_action = if block { RejectedAction::Block } else { RejectedAction::AllowAsDependency };
        for patch in run(&baseline, &image).patches.iter().filter(|patch| patch.name == name) {
            let expected = if block { State::InstalledRejected } else { State::InstalledOther };
            prop_assert_eq!(patch.state, expected);
        }
    }

    #[test]
    fn installing_what_is_missing_makes_it_installed(image in some_image()) {
        let before = run(&redhat(), &image);
        let mut patched = image.clone();
        for patch in before.outstanding() {
            let version = patch.available.clone().unwrap();
            patched.installed.push(Package { version, ..package(&patch.name, "") });
        }
        let after = run(&redhat(), &patched);
        prop_assert_eq!(after.counts.missing, 0);
        for (before, after) in before.patches.iter().zip(&after.patches) {
            prop_assert_eq!(before.state == State::Missing, before.available.is_some());
            if before.state == State::Missing {
                prop_assert_eq!(after.state, State::Installed);
            } else {
                prop_assert_eq!(before.state, after.state);
            }
        }
    }

    #[test]
    fn the_order_of_the_input_does_not_matter(image in some_image()) {
        let mut reversed = image.clone();
        reversed.installed.reverse();
        reversed.offered.reverse();
        let states = |e: Evaluation| e.patches.into_iter().map(|p| (p.title(), p.state, p.level, p.cves)).collect::<Vec<_>>();
        prop_assert_eq!(states(run(&redhat(), &image)), states(run(&redhat(), &reversed)));
    }

    #[test]
    fn offers_count_alike_in_both_forms(image in some_image()) {
        let mut compact = image.clone();
        let mut group = OtherOffers { priority: String::new(), section: String::new(), from: 0, packages: String::new() };
        for Offer { package: p, .. } in compact.offered.drain(..) {
            group.push(OtherOffer { name: &p.name, arch: &p.arch, version: &p.version, built_at: p.built_at });
        }
        compact.others.push(group);
        let (a, b) = (run(&redhat(), &image), run(&redhat(), &compact));
        prop_assert_eq!(a, b);
    }

    #[test]
    fn every_patch_says_why(image in some_image()) {
        for patch in run(&redhat(), &image).patches {
            prop_assert!(!patch.reasons.is_empty(), "{patch:?}");
            prop_assert!(patch.sentence().ends_with('.'));
        }
    }
}

/// 3,000 installed, 60,000 offered, 20,000 notices: finishes, and finds exactly what was put there.
#[test]
fn a_large_system_is_evaluated() {
    let mut large = image(&[], &[], vec![]);
    let mut group = OtherOffers { priority: String::new(), section: String::new(), from: 0, packages: String::new() };
    for number in 0..60_000 {
        let name = format!("package-{number}");
        if number < 3_000 {
            large.installed.push(package(&name, "1.0-1"));
        }
        let version = format!("1.0-{}", number % 5 + 1);
        group.push(OtherOffer { name: &name, arch: "x86_64", version: &version, built_at: Some(0) });
        if number < 20_000 {
            large.advisories.push(notice(&format!("A-{number}"), "security", "Important", &name, &version));
        }
    }
    large.others.push(group);
    let evaluation = run(&redhat(), &large);
    assert_eq!((evaluation.counts.missing, evaluation.counts.installed), (2_400, 600));
    assert_eq!(evaluation.counts.not_applicable, 17_000);
}
