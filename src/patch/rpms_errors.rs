//! What cannot be evaluated is an error, and a product that is not known is said.

use super::tests::{NOW, image, notice, of, redhat, run, state};
use crate::patch::*;

#[test]
fn products_are_compared_when_known_and_pass_with_a_note_when_not() {
    let image =
        image(&[("bash", "5-1")], &[("bash", "5-2")], vec![notice("A-1", "security", "Critical", "bash", "5-2")]);
    let mut baseline = redhat();
    baseline.rules[0].filters.push(Filter { key: FilterKey::Product, values: vec!["RedhatEnterpriseLinux9.4".into()] });
    baseline.rules.truncate(1);
    let evaluation = run(&baseline, &image);
    assert_eq!(state(&evaluation), State::Missing);
    assert!(evaluation.notes.iter().any(|note| note.contains("product is not known")));
    let known = |product: &str| evaluate(&baseline, &image, &Context::new(NOW).product(product));
    assert_eq!(state(&known("redhatenterpriselinux9.4").unwrap()), State::Missing);
    assert!(matches!(known("RedhatEnterpriseLinux9.5"), Err(EvaluateError::Product { .. })));
}

#[test]
fn nothing_to_compare_with_is_an_error_and_never_a_pass() {
    let good =
        image(&[("bash", "5-1")], &[("bash", "5-2")], vec![notice("A-1", "security", "Critical", "bash", "5-2")]);
    let error = |baseline: &Baseline, change: &dyn Fn(&mut Inventory)| {
        let mut bad = good.clone();
        change(&mut bad);
        evaluate(baseline, &bad, &Context::new(NOW)).unwrap_err()
    };
    let redhat = redhat();
    assert_eq!(error(&redhat, &|i| i.installed.clear()), EvaluateError::NothingInstalled);
    assert_eq!(error(&redhat, &|i| i.installed[0].name = "gpg-pubkey".into()), EvaluateError::NothingInstalled);
    assert_eq!(error(&redhat, &|i| i.sources.clear()), EvaluateError::NoSources);
    assert_eq!(error(&redhat, &|i| i.offered.clear()), EvaluateError::NothingOffered { sources: 1 });
    let empty_group = OtherOffers { priority: String::new(), section: String::new(), from: 0, packages: String::new() };
    let only_empty = |i: &mut Inventory| {
        i.offered.clear();
        i.others = vec![empty_group.clone()];
    };
    assert_eq!(error(&redhat, &only_empty), EvaluateError::NothingOffered { sources: 1 });
    assert_eq!(error(&redhat, &|i| i.offered[0].package.name = "x".into()), EvaluateError::UnrelatedSources);
    assert!(matches!(error(&redhat, &|i| i.advisories.clear()), EvaluateError::NoNotices { .. }));
    assert!(matches!(error(&redhat, &|i| i.advisories[0].status = "testing".into()), EvaluateError::NoNotices { .. }));
    let unread = Unread { name: "appstream".into(), why: "timeout".into() };
    assert!(matches!(error(&redhat, &|i| i.unread.push(unread.clone())), EvaluateError::SourceUnread { .. }));
    assert!(matches!(error(&redhat, &|i| i.installed[0].version = "a:1".into()), EvaluateError::RpmVersion { .. }));
    assert!(matches!(
        error(&redhat, &|i| i.offered[0].package.version = String::new()),
        EvaluateError::RpmVersion { .. }
    ));
    assert!(matches!(error(&redhat, &|i| i.os_id = "rocky".into()), EvaluateError::OperatingSystem { .. }));
    for os in [OperatingSystem::Windows, OperatingSystem::MacOs] {
        assert!(matches!(error(&of(os), &|_| ()), EvaluateError::Unsupported { .. }));
    }
    let amazon = of(OperatingSystem::AmazonLinux2023);
    let locked = |i: &mut Inventory| {
        (i.os_id, i.os_version) = ("amzn".into(), "2023".into());
        i.sources[0].release = "2023.9.20251117".into();
    };
    assert!(matches!(error(&amazon, &locked), EvaluateError::LockedRelease { .. }));
    let mut latest = good.clone();
    locked(&mut latest);
    latest.sources[0].release = "latest".into();
    assert_eq!(state(&run(&amazon, &latest)), State::Missing);
}
