use super::*;
use crate::patch::{OperatingSystem, all_predefined, predefined};

fn words(who: Words, entry: &str) -> Vec<String> {
    who.of(&[entry.to_owned()]).words
}

#[test]
fn apt_pins_names_architectures_and_versions() {
    let is = |entry: &str, expected: &[&str]| assert_eq!(words(Words::Apt, entry), expected, "{entry}");
    is("curl", &["curl"]);
    is("Curl", &["curl"]);
    is("libcurl*", &["libcurl*"]);
    is("libc6.amd64", &["libc6.amd64", "libc6:amd64"]);
    is("docs.all", &["docs.all", "docs"]);
    is("curl-7.88-10+deb12u1", &["curl-7.88-10+deb12u1", "curl=7.88-10+deb12u1", "curl-7.88=10+deb12u1"]);
    is("7.88-10", &["7.88-10", "7.88=10", "?*=7.88-10"]);
    is("1:0.5-4", &["?*=1:0.5-4"]);
    is("docs-1:0.5-4", &["docs=1:0.5-4"]);
    is("amd64:7.88-10", &["?*:amd64=7.88-10"]);
    is("curl.amd64:7.88-10", &["curl:amd64=7.88-10"]);
    is("docs.all:1:0.5-4", &["docs=1:0.5-4"]);
    is("*-7.88*", &["*-7.88*", "?*=7.88*"]);
    is("0ad", &["0ad"]);
}

#[test]
fn dnf_takes_the_twelve_names_of_section_2_1() {
    let is = |entry: &str, expected: &[&str]| assert_eq!(words(Words::Dnf, entry), expected, "{entry}");
    for entry in [
        "dbus",
        "dbus.x86_64",
        "dbus*",
        "dbus-1.12.28",
        "dbus-1.12.28-1.amzn2023.0.1",
        "dbus-1.12.28-1.amzn2023.0.1.x86_64",
        "dbus-1:1.12.28-1.amzn2023.0.1",
        "dbus-1:1.12.28-1.amzn2023.0.1.x86_64",
        "389-ds-base",
        "NetworkManager",
    ] {
        is(entry, &[entry]);
    }
    is("1.12.28", &["1.12.28", "*-1.12.28"]);
    is("1.12.28-1.amzn2023.0.1", &["1.12.28-1.amzn2023.0.1", "*-1.12.28-1.amzn2023.0.1"]);
    is("1:1.12.28-1.amzn2023.0.1", &["*-1:1.12.28-1.amzn2023.0.1"]);
    is("1:dbus-1.12.28-1.amzn2023.0.1.x86_64", &["dbus-1:1.12.28-1.amzn2023.0.1.x86_64"]);
    is("dbus.x86_64:1:1.12.28-1.amzn2023.0.1", &["dbus-1:1.12.28-1.amzn2023.0.1.x86_64"]);
    for id in ["1234567", "CVE-2026-1", "ALAS2023-2025-123"] {
        is(id, &[]);
    }
}

#[test]
fn zypper_locks_names_and_exact_editions_and_the_rest_is_told() {
    let is = |entry: &str, expected: &[&str], beyond: bool| {
        let rejected = Words::Zypper.of(&[entry.to_owned()]);
        assert_eq!(
            (rejected.words.as_slice(), !rejected.beyond.is_empty()),
            (&expected.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()[..], beyond),
            "{entry}"
        );
    };
    is("telnet*", &["telnet*"], false);
    is("SUSE-SLE-Module-15-2023-*", &["SUSE-SLE-Module-15-2023-*"], false);
    is("pkg-2023.15.4-46.17.1.x86_64.rpm", &["pkg=2023.15.4-46.17.1"], false);
    is("pkg-2023.15.4-46.17.1.*.rpm", &["pkg=2023.15.4-46.17.1"], false);
    is("pkg = 1:1-1", &["pkg=1:1-1"], false);
    is("pkg-2023*.rpm", &[], true);
    is("pkg-2023*", &["pkg-2023*"], true);
    is("pkg < 2", &[], true);
    is("pkg != 2", &[], true);
}

#[test]
fn windows_knows_kb_numbers_and_nobody_gets_what_a_shell_could_obey() {
    let windows = Words::Windows.of(&["KB123".to_owned(), "MS10-048".to_owned()]);
    assert_eq!((windows.words, windows.beyond), (vec!["KB123".to_owned()], vec![1]));
    for entry in ["$(id)", "a b", "a;b", "-x", "'", "a/b", "", "ä"] {
        let rejected = Words::Apt.of(&["ok".to_owned(), entry.to_owned()]);
        assert_eq!((rejected.words, rejected.beyond), (vec!["ok".to_owned()], vec![1]), "{entry}");
    }
    let twice = Words::Apt.of(&["a".to_owned(), "A".to_owned()]);
    assert_eq!((twice.words, twice.beyond), (vec!["a".to_owned()], vec![]), "nothing is lost when two are the same");
}

proptest::proptest! {
    #[test]
    fn words_are_words(entry in "\\PC{0,12}|[a-z0-9.:*?=<>\\[\\]+~^ -]{0,20}") {
        for who in [Words::Apt, Words::Dnf, Words::Zypper, Words::Windows] {
            for word in who.of(std::slice::from_ref(&entry)).words {
                proptest::prop_assert!(is_safe(&word) && !word.contains(char::is_whitespace), "{}", word);
            }
        }
    }
}

#[test]
fn what_a_baseline_asks_for() {
    let of = |name: &str| predefined(name).unwrap();
    for name in ["AWS-DebianDefaultPatchBaseline", "AWS-SuseDefaultPatchBaseline"] {
        assert!(!of(name).asks_for_more_than_security(), "{name}");
    }
    for name in ["AWS-AmazonLinux2023DefaultPatchBaseline", "AWS-CentOSDefaultPatchBaseline"] {
        assert!(of(name).asks_for_more_than_security(), "{name}");
    }
    let mut debian = of("AWS-DebianDefaultPatchBaseline");
    debian.rules[0].enable_non_security = true;
    assert!(debian.asks_for_more_than_security());
    let mut red_hat = of("AWS-RedHatDefaultPatchBaseline");
    red_hat.rules.truncate(1);
    assert!(!red_hat.asks_for_more_than_security());
    red_hat.rules[0].filters.retain(|filter| filter.key != FilterKey::Classification);
    assert!(red_hat.asks_for_more_than_security(), "every notice");
    assert!(all_predefined().iter().all(|baseline| !baseline.blocks()));
    red_hat.rejected_action = RejectedAction::Block;
    assert!(!red_hat.blocks(), "nothing is rejected");
    red_hat.rejected.push("x".into());
    assert!(red_hat.blocks() && red_hat.operating_system == OperatingSystem::RedHatEnterpriseLinux);
}
