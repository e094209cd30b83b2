use super::*;
use crate::patch::{self, Context, Offer, Package, PackageSource};
use time::macros::datetime;

fn package(name: &str, version: &str) -> Package {
    Package {
        name: name.into(),
        arch: "amd64".into(),
        version: version.into(),
        priority: "optional".into(),
        ..Package::default()
    }
}

/// A Debian with one package that has an update, one without, and one that is from nowhere.
fn image() -> Inventory {
    let source = PackageSource {
        site: "mirror.example".into(),
        suite: "stable-security".into(),
        codename: "bookworm-security".into(),
        trusted: true,
        ..PackageSource::default()
    };
    Inventory {
        os_id: "debian".into(),
        os_version: "12".into(),
        os_codename: "bookworm".into(),
        installed: vec![package("bash", "5.2-2"), package("curl", "8-1"), package("own|tool", "1")],
        offered: vec![
            Offer { package: package("bash", "5.2-2"), from: 0 },
            Offer { package: package("curl", "8-1+deb12u1"), from: 0 },
        ],
        sources: vec![source],
        ..Inventory::default()
    }
}

fn evaluated(inventory: &Inventory) -> Evaluation {
    let baseline = patch::predefined("AWS-DebianDefaultPatchBaseline").unwrap();
    patch::evaluate(&baseline, inventory, &Context::new(datetime!(2026-11-26 15:04 UTC))).unwrap()
}

fn rules() -> Vec<String> {
    patch::predefined("AWS-DebianDefaultPatchBaseline").unwrap().sentences()
}

#[test]
fn the_open_patches_are_explained() {
    let (image, told) = (image(), Told::Open);
    insta::assert_snapshot!(text(&evaluated(&image), &image, &told, &rules()));
    insta::assert_snapshot!(markdown(&evaluated(&image), &image, &told));
}

#[test]
fn any_patch_can_be_explained() {
    let image = image();
    let evaluation = evaluated(&image);
    let told = Told::Named(vec!["bash".into(), "own|tool.amd64".into()]);
    assert_eq!(told.unknown(&evaluation), None);
    insta::assert_snapshot!(text(&evaluation, &image, &told, &[]));
    insta::assert_snapshot!(markdown(&evaluation, &image, &told));
    assert_eq!(Told::Named(vec!["bush".into()]).unknown(&evaluation), Some("bush"));
    let all = text(&evaluation, &image, &Told::All, &[]);
    assert!(evaluation.patches.iter().all(|patch| all.contains(&patch.id())), "{all}");
}

#[test]
fn a_comparison_names_what_changes_and_why() {
    let before = image();
    let mut after = before.clone();
    after.installed[1].version = "8-1+deb12u1".into();
    let comparison = patch::compare(&evaluated(&before), &evaluated(&after));
    insta::assert_snapshot!(comparison_text(&comparison));
    insta::assert_snapshot!(comparison_markdown(&comparison));
}

#[test]
fn what_has_to_be_installed_is_a_command() {
    let baseline = patch::Baseline {
        rejected: vec!["ba*".into()],
        rejected_action: patch::RejectedAction::Block,
        ..patch::predefined("AWS-DebianDefaultPatchBaseline").unwrap()
    };
    let context = Context::new(datetime!(2026-11-26 15:04 UTC));
    let plan = patch::install_plan(&baseline, &image(), &context).unwrap();
    insta::assert_snapshot!(install_command(&plan));
    let mut patched = image();
    patched.installed[1].version = "8-1+deb12u1".into();
    let plan = patch::install_plan(&baseline, &patched, &context).unwrap();
    assert!(install_command(&plan).ends_with("# nothing has to be installed\n"));
    assert_eq!(
        (quote("a b"), quote("it's"), quote("a=1.0-1~x")),
        ("'a b'".into(), r"'it'\''s'".into(), "a=1.0-1~x".into())
    );
}
