//! The components of this repository pass their own test phases, all of them, on every kind of root: apt with systemd, dnf
//! as on Amazon Linux, zypper as on SUSE.

use crate::Test;
use crate::bench::{self, sh, spec};
use crate::rpm::{self, NEXT_SECOND, System, documents, execute, output};
use crate::support::fixture;
use amiforge::runner::{DocumentRequest, RunEvent, StepStatus};
use amiforge::sandbox::{Exit, First, Instance, root};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

pub const TESTS: &[Test] = &[
    ("shipped::all_of_them_are_tested", all_of_them_are_tested),
    ("shipped::they_pass_on_debian", they_pass_on_debian),
    ("shipped::they_pass_on_amazon_linux", they_pass_on_amazon_linux),
    ("shipped::they_pass_on_suse", they_pass_on_suse),
];

const BUILD: &str = "[patch-linux: { scope: security }, baseline-config]";

/// Which agent there is differs, and so does what can be asserted of packages.
fn tests(agent: &str, package: &str) -> String {
    format!(
        "[boots, patched, running-newest-kernel, no-pending-reboot, no-failed-units, agents-present: {{ units: {agent} }}, \
         time-in-sync, hygiene, assertions: {{ packages: {package}, services: {agent}, files: '/etc/shadow:0640 \
         /etc/sysctl.d/60-amiforge.conf:0644:root:root', users: root:locked, kernel: newest, outputs: 'uname -s => Linux' }}]"
    )
}

/// Names of the components for Linux that this repository ships.
fn shipped() -> BTreeSet<String> {
    let base = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["components", "templates/components"].map(|folder| fs::read_dir(base.join(folder)).unwrap());
    let names = files.into_iter().flatten().map(|file| file.unwrap().file_name().into_string().unwrap());
    let stems = names.map(|name| name.split('.').next().unwrap().to_owned());
    stems.filter(|stem| !stem.contains("windows")).collect()
}

fn all_of_them_are_tested() {
    let list = [BUILD, &tests("some.service", "some")].concat();
    let missing: Vec<_> = shipped().into_iter().filter(|name| !list.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "not tested on every root: {missing:?}");
}

/// A root, and what its package sources lie in.
struct Parent {
    os: &'static str,
    layers: Vec<PathBuf>,
    repository: PathBuf,
    first: First,
    documents: Vec<DocumentRequest>,
}

impl Parent {
    fn start(&self, more: Option<PathBuf>) -> Instance {
        let mut spec = spec(more.into_iter().chain(self.layers.clone()).collect());
        spec.bind = vec![self.repository.clone()];
        spec.inject = amiforge::sandbox::host::package_settings();
        spec.first = self.first;
        bench::start(&spec)
    }

    /// Build and validate phases in one instance, the test phase in a fresh one of the result; the steps that were skipped.
    fn pass(&self) -> BTreeSet<String> {
        let instance = self.start(None);
        sh(&instance, NEXT_SECOND);
        let (exit, events, _) = execute(&instance, &self.documents, &["build", "validate"]);
        assert_eq!(exit, Exit::Code(0), "{}: {}", self.os, output(&events));
        instance.power_off();
        let layer = bench::place("shipped");
        let left_out = ["/var/lib/amiforge", "/etc/machine-id", "/var/lib/dbus/machine-id", "/var/lib/apt/lists"];
        root::capture(instance.upper(), &layer, &left_out).unwrap();
        let fresh = self.start(Some(layer));
        let (exit, events, _) = execute(&fresh, &self.documents, &["test"]);
        assert_eq!(exit, Exit::Code(0), "{}: {}", self.os, output(&events));
        skipped(&events)
    }
}

fn skipped(events: &[RunEvent]) -> BTreeSet<String> {
    let steps = events.iter().filter_map(|event| match event {
        RunEvent::StepFinished { place, status: StepStatus::Skipped, .. } => Some(place.step.clone()),
        _ => None,
    });
    steps.collect()
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

/// What cannot be judged without a kernel of the image's own.
const KERNEL: [&str; 3] = ["ClockIsSynchronised", "RunningKernelIsTheNewest", "KernelIsAsAsserted"];

fn they_pass_on_debian() {
    let parent = fixture::parent_with(&bench::place("debian"), &["systemd", "systemd-sysv", "dbus", "procps"]);
    let parent = Parent {
        os: "debian",
        layers: vec![parent.root],
        repository: parent.repository,
        first: First::System,
        documents: documents("debian-12", BUILD, &tests("dbus.service", "amifix-web>=2.0")),
    };
    assert_eq!(parent.pass(), set(KERNEL));
}

fn on_rpm(os: &'static str, system: System) {
    let (layers, repository) = rpm::parent(system);
    let documents = documents(os, BUILD, &tests("dbus.service", "amifix-web>=2.4.1-10"));
    let parent = Parent { os, layers, repository, first: First::Ours, documents };
    assert_eq!(
        parent.pass(),
        &set(KERNEL) | &set(["ServicesAreUp", "NoUnitHasFailed", "AgentsRun", "ServicesAreActive"])
    );
}

fn they_pass_on_amazon_linux() {
    on_rpm("amazon-linux-2023", System::Amazon);
}

fn they_pass_on_suse() {
    on_rpm("sles-15", System::Suse);
}
