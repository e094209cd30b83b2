//! What a recipe says about patching as a whole, carried out: override lists, hooks, and what its baseline rejects; on roots
//! of apt, dnf and zypper with real package managers.

use crate::Test;
use crate::bench::{self, sh, spec};
use crate::rpm::{self, NEXT_SECOND, System, execute, output, recipe_documents};
use crate::support::{fixture, repo, rpm as packages};
use amiforge::runner::DocumentRequest;
use amiforge::sandbox::{Exit, First, Instance, root};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::LazyLock;

pub const TESTS: &[Test] = &[
    ("patching::exactly_what_an_override_list_names_is_updated", overrides),
    ("patching::a_failing_hook_fails_the_build", failing_hooks),
    ("patching::hooks_run_in_order_and_after_the_restart", order),
    ("patching::the_hook_after_does_not_run_when_patching_fails", patching_fails),
    ("patching::what_is_blocked_stays_and_the_others_come", blocked),
    ("patching::apt_keeps_versions_and_dependencies_out", apt_details),
    ("patching::every_form_of_a_rejected_name_means_the_same_to_dnf", dnf_forms),
    ("patching::a_lock_of_one_version_keeps_that_one_out", zypper_versions),
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum On {
    Apt,
    Dnf,
    Zypper,
}

const ALL: [On; 3] = [On::Apt, On::Dnf, On::Zypper];

static DEBIAN: LazyLock<fixture::Parent> = LazyLock::new(|| fixture::parent(&bench::place("patching")));

impl On {
    fn os(self) -> &'static str {
        match self {
            Self::Apt => "debian-12",
            Self::Dnf => "amazon-linux-2023",
            Self::Zypper => "sles-15",
        }
    }

    fn arch(self) -> &'static str {
        if self == Self::Apt { "all" } else { "noarch" }
    }

    /// The layers of a root before anything was patched, and its repository.
    fn parent(self) -> (Vec<PathBuf>, PathBuf) {
        match self {
            Self::Apt => (vec![DEBIAN.root.clone()], DEBIAN.repository.clone()),
            Self::Dnf => rpm::parent(System::Amazon),
            Self::Zypper => rpm::parent(System::Suse),
        }
    }

    fn start(self, more: Option<PathBuf>) -> Instance {
        let (layers, repository) = self.parent();
        let mut spec = spec(more.into_iter().chain(layers).collect());
        spec.bind = vec![repository];
        spec.inject = amiforge::sandbox::host::package_settings();
        spec.first = First::Ours;
        let instance = bench::start(&spec);
        sh(&instance, NEXT_SECOND);
        instance
    }

    /// The packages of the fixture with what they are and what they can become.
    fn upgrades(self) -> Vec<(&'static str, &'static str, &'static str)> {
        match self {
            Self::Apt => repo::UPGRADES.iter().map(|(name, from, to, _)| (*name, *from, *to)).collect(),
            _ => packages::PACKAGES.iter().filter(|it| it.from != it.to).map(|it| (it.name, it.from, it.to)).collect(),
        }
    }

    /// The names of those that a security update exists of.
    fn security(self) -> BTreeSet<&'static str> {
        match self {
            Self::Apt => repo::UPGRADES
                .iter()
                .filter(|(.., suite)| suite.ends_with("security"))
                .map(|(name, ..)| *name)
                .collect(),
            _ => packages::security_packages().into_iter().collect(),
        }
    }

    /// The names of those that are installed in their newer version.
    fn updated(self, instance: &Instance) -> BTreeSet<&'static str> {
        let query = match self {
            Self::Apt => "dpkg-query --show --showformat='${Package} ${Version}\\n'",
            _ => "rpm --query --all --queryformat '%{NAME} %{VERSION}-%{RELEASE}\\n'",
        };
        let installed = sh(instance, query);
        let has = |name: &str, version: &str| installed.lines().any(|line| line == format!("{name} {version}"));
        let mut updated = BTreeSet::new();
        for (name, from, to) in self.upgrades() {
            assert!(has(name, from) || has(name, to), "{name}: {installed}");
            if has(name, to) {
                updated.insert(name);
            }
        }
        updated
    }

    fn recipe(self, build: &str, lines: &str) -> String {
        format!("os: {}\nparent: {{ ssm: /p }}\nbuild: {build}\ntest: [patched]\n{lines}\n", self.os())
    }

    /// The image, and a fresh instance of it on which the test phase passes.
    fn prove(self, instance: &Instance, documents: &[DocumentRequest]) {
        instance.stop();
        let layer = bench::place("patched");
        root::capture(instance.upper(), &layer, &["/var/lib/amiforge", "/var/lib/apt/lists"]).unwrap();
        let fresh = self.start(Some(layer));
        let (exit, events, _) = execute(&fresh, documents, &["test"]);
        assert_eq!(exit, Exit::Code(0), "{self:?}: {}", output(&events));
        assert!(output(&events).contains("nothing is outstanding"), "{self:?}: {}", output(&events));
        fresh.stop();
    }
}

/// Runs the build; it must succeed.
fn build(on: On, documents: &[DocumentRequest]) -> Instance {
    let instance = on.start(None);
    let (exit, events, _) = execute(&instance, documents, &["build", "validate"]);
    assert_eq!(exit, Exit::Code(0), "{on:?}: {}", output(&events));
    instance
}

fn set<const N: usize>(names: [&'static str; N]) -> BTreeSet<&'static str> {
    names.into()
}

fn overrides() {
    for on in ALL {
        // By name, by glob and version, and one that names a version nobody has.
        let to = |name: &str| on.upgrades().iter().find(|(its, ..)| *its == name).unwrap().2;
        let mut list = format!("patches:\n  - id: amifix-web.{}\n", on.arch());
        let _ = writeln!(list, "  - id: 'amifix-t*.*'\n    title: '*{}'", to("amifix-tool"));
        list += "  - id: amifix-conf.*\n    title: '*:9.9-*'\n";
        let recipe = on.recipe("[patch-linux]", "patch_overrides: overrides/cve-2026-1234.yaml");
        let documents = recipe_documents(&recipe, &[("overrides/cve-2026-1234.yaml", &list)]);
        let instance = build(on, &documents);
        assert_eq!(on.updated(&instance), set(["amifix-web", "amifix-tool"]), "{on:?}");
        let table = sh(&instance, "cat /usr/share/amiforge/override-list.tsv");
        assert!(table.contains("amifix-conf.*\t*:9.9-*"), "{table}");
        on.prove(&instance, &documents);
    }
}

/// What both kinds of hooks do: note their name and what /run has of the other one, which a restart takes away; fail when
/// the file /fail-NAME is there.
fn script(name: &str) -> String {
    format!(
        "echo \"{name} $(ls /run/hook-stop 2>&1 | tail -c 20)\" >>/var/log/hooks; touch /run/hook-{name}; \
         if [ -e /fail-{name} ]; then echo 'this hook was told to fail' >&2; exit 7; fi"
    )
}

fn component(name: &str) -> String {
    let step =
        "name: Note\n        action: ExecuteBash\n        timeoutSeconds: 60\n        inputs:\n          commands:";
    let (step, script) = (step.to_owned(), script(name));
    format!(
        "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - {step}\n            - |\n              {script}\n"
    )
}

/// Puts the hooks that are executables into an image.
fn executables(instance: &Instance) {
    for name in ["stop", "start"] {
        let text = format!("cat >/opt/{name} <<'END'\n#!/bin/sh\n{}\nEND\nchmod 755 /opt/{name}", script(name));
        sh(instance, &text);
    }
}

const COMPONENTS: &str = "hooks: { before_patch: stop, after_patch: start }";
const PATHS: &str = "hooks: { before_patch: /opt/stop, after_patch: /opt/start }";

fn hooked(on: On, build: &str, hooks: &str) -> Vec<DocumentRequest> {
    let files = [("components/stop.yaml", component("stop")), ("components/start.yaml", component("start"))];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    recipe_documents(&on.recipe(build, hooks), &files)
}

/// The names in the notes of hooks.
fn notes(instance: &Instance) -> Vec<String> {
    let notes = sh(instance, "cat /var/log/hooks 2>/dev/null || true");
    notes.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

fn failing_hooks() {
    for on in [On::Apt, On::Dnf] {
        for hooks in [COMPONENTS, PATHS] {
            for (fails, patched) in [("stop", false), ("start", true)] {
                let documents = hooked(on, "[patch-linux]", hooks);
                let instance = on.start(None);
                executables(&instance);
                sh(&instance, &format!("touch /fail-{fails}"));
                let (exit, events, _) = execute(&instance, &documents, &["build", "validate"]);
                let text = output(&events);
                assert!(
                    exit == Exit::Code(1) && text.contains("this hook was told to fail"),
                    "{hooks} {fails}: {text}"
                );
                let wanted = if patched { on.security() } else { set([]) };
                assert_eq!(on.updated(&instance), wanted, "{on:?} {hooks} {fails}");
                assert_eq!(notes(&instance).len(), 1 + usize::from(patched), "{on:?} {hooks} {fails}");
                instance.stop();
            }
        }
    }
}

fn order() {
    for hooks in [COMPONENTS, PATHS] {
        let on = On::Dnf;
        let documents = hooked(on, "[patch-linux]", hooks);
        let instance = on.start(None);
        executables(&instance);
        let (exit, events, restarts) = execute(&instance, &documents, &["build", "validate"]);
        // glibc was updated, so there is a restart between the two.
        assert_eq!((exit, restarts), (Exit::Code(0), 1), "{hooks}: {}", output(&events));
        assert_eq!(notes(&instance), ["stop", "start"], "{hooks}");
        let seen = sh(&instance, "tail -n 1 /var/log/hooks");
        assert!(seen.ends_with("file or directory"), "what was in /run before the restart is gone: {seen}");
        let steps: Vec<&str> = documents.iter().map(|document| document.name.as_str()).collect();
        let components = ["stop", "patch-linux", "start", "patched"];
        assert_eq!(steps, if hooks == PATHS { &["patch-linux", "patched"][..] } else { &components[..] });
        on.prove(&instance, &documents);
    }
}

fn patching_fails() {
    for hooks in [COMPONENTS, PATHS] {
        let documents = hooked(On::Apt, "[patch-linux: { only: nosuch }]", hooks);
        let instance = On::Apt.start(None);
        executables(&instance);
        let (exit, events, _) = execute(&instance, &documents, &["build", "validate"]);
        assert_eq!(exit, Exit::Code(1), "{}", output(&events));
        assert_eq!((notes(&instance), On::Apt.updated(&instance)), (vec!["stop".to_owned()], set([])), "{hooks}");
        instance.stop();
    }
}

fn baseline(on: On, action: &str, rejected: &[&str], more: bool) -> String {
    let (system, filter) = match on {
        On::Apt => ("DEBIAN", r#""Key": "PRIORITY", "Values": ["*"]"#),
        On::Dnf => ("AMAZON_LINUX_2023", r#""Key": "CLASSIFICATION", "Values": ["Security"]"#),
        On::Zypper => ("SUSE", r#""Key": "CLASSIFICATION", "Values": ["Security"]"#),
    };
    format!(
        r#"{{ "Name": "mine", "OperatingSystem": "{system}", "ApprovalRules": {{ "PatchRules": [ {{ "PatchFilterGroup": {{
        "PatchFilters": [ {{ {filter} }} ] }}, "ApproveAfterDays": 0, "EnableNonSecurity": {more} }} ] }},
        "RejectedPatches": {rejected:?}, "RejectedPatchesAction": "{action}" }}"#
    )
}

/// The forms of names and of versions that section 2 of patch-baselines.md has for each.
fn blocked() {
    for on in ALL {
        let rejected: &[&str] = match on {
            On::Apt => &["amifix-w*", "amifix-conf"],
            On::Dnf => &["amifix-w*", "amifix-conf-3.0-1.1.noarch", "amifix-new"],
            On::Zypper => &["amifix-w*", "amifix-conf-3.0-1.1.noarch.rpm", "amifix-new"],
        };
        for more in [false, true] {
            for action in ["BLOCK", "ALLOW_AS_DEPENDENCY"] {
                let baseline = baseline(on, action, rejected, more);
                let recipe = on.recipe("[patch-linux]", "baseline: mine");
                let documents = recipe_documents(&recipe, &[("baselines/mine.json", &baseline)]);
                let instance = build(on, &documents);
                let all = || on.upgrades().into_iter().map(|(name, ..)| name).collect();
                let mut wanted: BTreeSet<&str> = if more { all() } else { on.security() };
                for name in ["amifix-web", "amifix-conf", "amifix-new"] {
                    wanted.remove(name);
                }
                assert_eq!(on.updated(&instance), wanted, "{on:?} {action} {more}");
                on.prove(&instance, &documents);
            }
        }
    }
}

fn apt_details() {
    // The newer amifix-web needs the newer amifix-lib.
    let needs = "amifix-lib (>= 1.0-1+deb12u1)";
    let parent = fixture::parent(&bench::place("needing"));
    repo::write_where(&parent.repository, "amifix-web", needs);
    let start = || {
        let mut spec = spec(vec![parent.root.clone()]);
        spec.bind = vec![parent.repository.clone()];
        spec.inject = amiforge::sandbox::host::package_settings();
        bench::start(&spec)
    };
    let run = |action: &str, rejected: &[&str]| {
        let baseline = baseline(On::Apt, action, rejected, false);
        let recipe = On::Apt.recipe("[patch-linux]", "baseline: mine");
        let instance = start();
        let documents = recipe_documents(&recipe, &[("baselines/mine.json", &baseline)]);
        let (exit, events, _) = execute(&instance, &documents, &["build", "validate"]);
        let updated = On::Apt.updated(&instance);
        instance.stop();
        (exit, updated, output(&events))
    };
    // It comes in for the sake of the other, and only so.
    let (exit, updated, text) = run("ALLOW_AS_DEPENDENCY", &["amifix-lib"]);
    assert_eq!((exit, updated), (Exit::Code(0), On::Apt.security()), "{text}");
    let (exit, updated, text) = run("ALLOW_AS_DEPENDENCY", &["amifix-lib", "amifix-web"]);
    let rest = set(["amifix-conf", "amifix-docs", "linux-image-fix"]);
    assert_eq!((exit, updated), (Exit::Code(0), rest.clone()), "{text}");
    // Blocked, what needs it cannot be installed: the build says so and does not leave it out.
    let (exit, updated, text) = run("BLOCK", &["amifix-lib"]);
    assert_eq!((exit, updated), (Exit::Code(1), set([])), "{text}");
    assert!(text.contains("unmet dependencies"), "{text}");
    // Every form that names a version.
    for form in [
        "amifix-docs-1:0.5-4+deb12u1",
        "1:0.5-4+deb12u1",
        "amifix-docs.all:1:0.5-4+deb12u1",
        "amifix-docs.all",
        "*-1:0.5-4*",
    ] {
        let (exit, updated, text) = run("BLOCK", &[form]);
        let mut wanted = On::Apt.security();
        wanted.remove("amifix-docs");
        assert_eq!((exit, updated), (Exit::Code(0), wanted), "{form}: {text}");
    }
    let (exit, updated, text) = run("BLOCK", &["amifix-docs-1:0.4-1"]);
    assert_eq!((exit, updated), (Exit::Code(0), On::Apt.security()), "another version: {text}");
}

fn dnf_forms() {
    let instance = On::Dnf.start(None);
    let offered = |rejected: &str| {
        let words = amiforge::patch::Words::Dnf.of(&[rejected.to_owned()]).words;
        let excludes = words.iter().fold(String::new(), |text, word| text + &format!(" '--exclude={word}'"));
        let names = sh(&instance, &format!("dnf -q{excludes} repoquery --upgrades --queryformat '%{{name}}'"));
        names.lines().map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let all = offered("nosuch");
    assert!(all.contains("amifix-conf") && all.len() == 7, "{all:?}");
    for form in [
        "amifix-conf",
        "amifix-conf.noarch",
        "amifix-conf-3.0",
        "amifix-conf-3.0-1.1",
        "amifix-conf-3.0-1.1.noarch",
        "3.0",
        "3.0-1.1",
        "0:3.0-1.1",
        "amifix-conf-0:3.0-1.1",
        "amifix-conf-0:3.0-1.1.noarch",
        "0:amifix-conf-3.0-1.1.noarch",
        "amifix-conf.noarch:0:3.0-1.1",
        "amifix-c*",
        "amifix-conf-3.*",
        "amifix-co?f-*:3.0-1.1.noarch",
    ] {
        let (mut wanted, left) = (all.clone(), offered(form));
        wanted.remove("amifix-conf");
        assert_eq!(left, wanted, "{form}");
    }
    for other in ["amifix-conf-3.0-1", "amifix-conf.x86_64", "1:3.0-1.1", "3.1"] {
        assert_eq!(offered(other), all, "{other}");
    }
}

/// The lock alone, without what chooses: an update of everything leaves that version out.
fn zypper_versions() {
    for (version, updated) in [("3.0-1.1", false), ("3.0", false), ("3.0-1.2", true), ("9.9-1", true)] {
        let recipe = On::Zypper.recipe("[patch-linux]", "baseline: mine");
        let entry = format!("amifix-conf = {version}");
        let mine = baseline(On::Zypper, "BLOCK", &[&entry], true);
        let documents = recipe_documents(&recipe, &[("baselines/mine.json", &mine)]);
        let text = &documents.iter().find(|document| document.name == "patch-linux").unwrap().text;
        // Its own script, with an update of everything in place of the packages it has chosen.
        let start = text.find("settings=$(mktemp -d)").unwrap();
        let end = text[start..].find("outstanding=$(updates)").unwrap() + start;
        let words = format!("rejected=('amifix-conf={version}')\n");
        let script = words
            + &text[start..end]
            + "\nzypper --non-interactive update --auto-agree-with-licenses || [ $? -eq 102 ]\n";
        let instance = On::Zypper.start(None);
        sh(
            &instance,
            &format!(
                "zypper --non-interactive refresh >/dev/null; cat >/tmp/s <<'END'\n{script}\nEND\nbash -eu /tmp/s"
            ),
        );
        let found = On::Zypper.updated(&instance);
        assert_eq!((found.contains("amifix-conf"), found.contains("amifix-web")), (updated, true), "{version}");
        instance.stop();
    }
}
