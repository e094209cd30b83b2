//! Roots with RPM packages, without a registry or a mirror of their distributions: dnf as on Amazon Linux 2023 and zypper
//! as on SUSE, with real advisories; the package managers, and the components of this repository, do their work on them.

use crate::Test;
use crate::bench::{self, run, sh, shell, spec};
use crate::support::{root::clone_from_host, rpm};
use amiforge::patch::rpm as readers;
use amiforge::project::{self, Arch};
use amiforge::render;
use amiforge::runner::{DocumentRequest, Request, RunEvent};
use amiforge::sandbox::{Exit, Instance, Job, Line, environment, root};
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Instant;

pub const TESTS: &[Test] = &[
    ("rpm::dnf_knows_advisories_and_restarts", dnf_knows_advisories_and_restarts),
    ("rpm::zypper_knows_patches_and_restarts", zypper_knows_patches_and_restarts),
    ("rpm::our_readers_read_what_the_tools_write", our_readers_read_what_the_tools_write),
    ("rpm::our_components_patch_amazon_linux", our_components_patch_amazon_linux),
    ("rpm::our_components_patch_suse", our_components_patch_suse),
];

/// Which of the two systems.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum System {
    Amazon,
    Suse,
}

impl System {
    fn name(self) -> &'static str {
        if self == Self::Amazon { "dnf" } else { "zypper" }
    }

    fn os_release(self) -> &'static str {
        match self {
            Self::Amazon => {
                "NAME=\"Amazon Linux\"\nVERSION=\"2023\"\nID=\"amzn\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"2023\"\n\
                 PRETTY_NAME=\"Amazon Linux 2023 (fixture)\"\n"
            }
            Self::Suse => {
                "NAME=\"SLES\"\nVERSION=\"15-SP6\"\nID=\"sles\"\nID_LIKE=\"suse\"\nVERSION_ID=\"15.6\"\n\
                 PRETTY_NAME=\"SUSE Linux Enterprise Server 15 SP6 (fixture)\"\n"
            }
        }
    }
}

/// What all tests share: packages, kept in the build's folder until the code that makes them or this machine's packages
/// change, and the roots of this run.
struct Fixture {
    folder: PathBuf,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(Fixture::get);
static AMAZON: LazyLock<Vec<PathBuf>> = LazyLock::new(|| FIXTURE.make(System::Amazon));
static SUSE: LazyLock<Vec<PathBuf>> = LazyLock::new(|| FIXTURE.make(System::Suse));

impl Fixture {
    fn get() -> Self {
        let packages = fs::read_to_string("/var/lib/dpkg/status").unwrap();
        let key = crate::support::image::digits(format!("{}{packages}", include_str!("../support/rpm.rs")).as_bytes());
        let base = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rpm-packages");
        fs::create_dir_all(&base).unwrap();
        let lock = fs::File::create(base.join("lock")).unwrap();
        lock.lock().unwrap();
        let folder = base.join(&key[..16]);
        if !folder.join("whole").exists() {
            // Of an older state of things, or cut off.
            for old in fs::read_dir(&base).unwrap().flatten().filter(|old| old.path().is_dir()) {
                fs::remove_dir_all(old.path()).unwrap();
            }
            let start = Instant::now();
            rpm::write(&folder);
            fs::write(folder.join("whole"), "").unwrap();
            println!("    packages in {:?}", start.elapsed());
        }
        Self { folder }
    }

    fn repository(&self) -> PathBuf {
        self.folder.join("repository")
    }

    /// The layers of a root with the first version of all packages, topmost first.
    fn layers(system: System) -> Vec<PathBuf> {
        match system {
            System::Amazon => AMAZON.clone(),
            System::Suse => SUSE.clone(),
        }
    }

    fn make(&self, system: System) -> Vec<PathBuf> {
        let start = Instant::now();
        let (base, top) = (bench::place("rpm-base"), bench::place("rpm-top"));
        match system {
            System::Amazon => clone_from_host(&base, &["dnf", "rpm", "python3-dnf", "dnf-plugins-core", "procps"]),
            System::Suse => clone_from_host(&base, &["rpm", "procps"]),
        }
        fs::write(base.join("usr/lib/os-release"), system.os_release()).unwrap();
        let write = |path: &str, text: &str| {
            let path = base.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        // Debian's rpm keeps its database in the user's home otherwise.
        write("etc/rpm/macros", "%_dbpath /var/lib/rpm\n");
        let url = self.repository().display().to_string();
        let repository = format!("[fixture]\nname=fixture\nbaseurl=file://{url}\nenabled=1\ngpgcheck=0\n");
        let mut script = String::from("set -e\n");
        match system {
            System::Amazon => {
                write("etc/yum.repos.d/fixture.repo", &repository);
                // It looks for a repository of its own that no real system has.
                write("etc/dnf/plugins/local.conf", "[main]\nenabled = 0\n");
            }
            System::Suse => {
                write("etc/zypp/repos.d/fixture.repo", &format!("{repository}autorefresh=0\n"));
                // As SUSE ships it: kernels are installed beside each other.
                write("etc/zypp/zypp.conf", "[main]\nmultiversion = provides:multiversion(kernel)\n");
                let debs = self.folder.join("debs");
                download(&debs, &base);
                let _ = writeln!(script, "dpkg --install {}/archives/*.deb", debs.display());
            }
        }
        if system == System::Amazon {
            // Once, so that Python need not compile all of dnf at every call of every test.
            script += "dnf -q repoquery >/dev/null; dnf -q needs-restarting -r || true; dnf -q clean all\n";
        }
        let _ = writeln!(script, "rpm --install {}/old/*.rpm\nrpm --query --all | wc -l", self.folder.display());
        let mut spec = spec(vec![base.clone()]);
        spec.bind = vec![self.folder.clone()];
        spec.inject = amiforge::sandbox::host::package_settings();
        let instance = Instance::start(&spec).unwrap();
        let said = sh(&instance, &script);
        assert_eq!(said.lines().last(), Some(&*(rpm::PACKAGES.len() + 1).to_string()), "{said}");
        instance.stop();
        root::capture(instance.upper(), &top, &[]).unwrap();
        println!("    {} root in {:?}", system.name(), start.elapsed());
        vec![top, base]
    }

    /// An instance of a root before anything was patched.
    fn start(&self, system: System) -> Instance {
        let mut spec = spec(Self::layers(system));
        spec.bind = vec![self.repository()];
        Instance::start(&spec).unwrap()
    }
}

/// The layers of a root before anything was patched, and the folder of its repository.
pub fn parent(system: System) -> (Vec<PathBuf>, PathBuf) {
    (Fixture::layers(system), FIXTURE.repository())
}

/// Debian's packages of zypper and what a root lacks for it. Not installed on this machine: zypper and the plugins of dnf
/// exclude each other.
fn download(folder: &Path, root: &Path) {
    if folder.join("whole").exists() {
        return;
    }
    // Lists of its own: those of this machine may be old or not there.
    let places = ["archives/partial", "lists/partial"].map(|place| folder.join(place));
    for place in places {
        fs::create_dir_all(place).unwrap();
    }
    let settings = [
        ("Dir::State::status", root.join("var/lib/dpkg/status")),
        ("Dir::State::lists", folder.join("lists")),
        ("Dir::Cache", folder.to_owned()),
        ("Dir::Cache::archives", folder.join("archives")),
        ("Debug::NoLocking", "1".into()),
        ("APT::Sandbox::User", "root".into()),
        ("APT::Install-Recommends", "0".into()),
    ];
    for arguments in [&["update"] as &[&str], &["install", "--yes", "--download-only", "zypper"]] {
        let mut apt = Command::new("apt-get");
        apt.arg("-qq").args(arguments);
        for (name, value) in &settings {
            apt.arg("-o").arg(format!("{name}={}", value.display()));
        }
        rpm::run(&mut apt);
    }
    fs::remove_dir_all(folder.join("lists")).unwrap();
    assert!(fs::read_dir(folder.join("archives")).unwrap().count() > 3, "apt-get has downloaded nothing");
    fs::write(folder.join("whole"), "").unwrap();
}

/// A script, its exit code and output; both outputs in one.
fn said(instance: &Instance, script: &str) -> (i32, String) {
    let outcome = run(instance, &shell(script));
    let Exit::Code(code) = outcome.exit else { panic!("{script}: {outcome:?}") };
    (code, [outcome.out, outcome.err].concat().join("\n"))
}

fn expect(instance: &Instance, code: i32, script: &str) -> String {
    let (found, text) = said(instance, script);
    assert_eq!(found, code, "{script}:\n{text}");
    text
}

/// Whether something was installed since the boot is told by whole seconds: waits for the one after the boot.
pub const NEXT_SECOND: &str = "while [ \"$(date +%s)\" -le \"$(stat -c %Y /proc/1)\" ]; do sleep 0.05; done";

/// The installed version of every package of the fixture, as the test's table would have it after an upgrade.
fn assert_installed(instance: &Instance, newer: &dyn Fn(&rpm::Package) -> bool) {
    for package in &rpm::PACKAGES {
        let versions =
            sh(instance, &format!("rpm --query --queryformat '%{{VERSION}}-%{{RELEASE}}\\n' {}", package.name));
        let wanted = if newer(package) { package.to } else { package.from };
        assert_eq!(versions.lines().last(), Some(wanted), "{}", package.name);
        // The kernel that may be running is not taken away.
        let kept = usize::from(package.name == "kernel" && newer(package));
        assert_eq!(versions.lines().count(), 1 + kept, "{}: {versions}", package.name);
    }
}

fn is_security(package: &rpm::Package) -> bool {
    rpm::security_packages().contains(&package.name)
}

fn dnf_knows_advisories_and_restarts() {
    let instance = FIXTURE.start(System::Amazon);
    assert_eq!(sh(&instance, ". /etc/os-release; echo $ID $VERSION_ID"), "amzn 2023");
    let all = expect(&instance, 100, "dnf -q check-update");
    assert_eq!(all.lines().filter(|line| line.contains("noarch")).count(), 7, "{all}");
    let security = expect(&instance, 100, "dnf -q check-update --security");
    let mut names: Vec<&str> =
        security.lines().filter_map(|line| line.split_once(".noarch")).map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(names, rpm::security_packages());
    let list =
        expect(&instance, 0, "dnf -q updateinfo list --with-cve; dnf -q updateinfo list --sec-severity=Critical");
    let list: Vec<String> = list.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert!(list.contains(&"CVE-2026-1002 Critical/Sec. amifix-web-2.4.1-10.noarch".to_owned()), "{list:?}");
    assert!(list.contains(&"FIX-2026-002 Critical/Sec. amifix-web-2.4.1-10.noarch".to_owned()), "{list:?}");
    expect(&instance, 0, "dnf -q needs-restarting -r");
    sh(&instance, NEXT_SECOND);
    expect(&instance, 0, "dnf -q -y upgrade --security");
    assert_installed(&instance, &is_security);
    expect(&instance, 0, "dnf -q check-update --security");
    let reason = expect(&instance, 1, "dnf -q needs-restarting -r");
    assert!(reason.contains("glibc") && reason.contains("kernel"), "{reason}");
    instance.reboot().unwrap();
    expect(&instance, 0, "dnf -q needs-restarting -r");
    expect(&instance, 0, "dnf -q -y upgrade && dnf -q check-update && rpm -Va && rpmdb --verifydb");
    assert_installed(&instance, &|_| true);
}

fn zypper_knows_patches_and_restarts() {
    let instance = FIXTURE.start(System::Suse);
    assert_eq!(sh(&instance, ". /etc/os-release; echo $ID $VERSION_ID"), "sles 15.6");
    let zypper = "zypper --non-interactive --quiet";
    expect(&instance, 0, "zypper --non-interactive refresh");
    // 101: security patches are needed (zypper(8)).
    expect(&instance, 101, &format!("{zypper} patch-check"));
    let list = expect(&instance, 0, &format!("{zypper} list-patches --category security"));
    assert_eq!(
        list.lines().filter(|line| line.contains("FIX-2026-")).count(),
        rpm::security_packages().len(),
        "{list}"
    );
    expect(&instance, 0, &format!("{zypper} list-patches --cve=CVE-2026-1002 | grep FIX-2026-002"));
    let (code, text) =
        said(&instance, &format!("{zypper} patch --category security --with-interactive --auto-agree-with-licenses"));
    // 102: done, a restart is needed.
    assert!([0, 102].contains(&code), "{code}: {text}");
    assert_installed(&instance, &is_security);
    expect(&instance, 102, &format!("{zypper} needs-rebooting"));
    instance.reboot().unwrap();
    expect(&instance, 0, &format!("{zypper} needs-rebooting"));
    expect(&instance, 0, &format!("{zypper} update && rpmdb --verifydb"));
    assert_installed(&instance, &|_| true);
}

/// What `createrepo_c`, rpm and dnf write, read by ours.
fn our_readers_read_what_the_tools_write() {
    let repository = FIXTURE.repository();
    let index = fs::read(repository.join("repodata/repomd.xml")).unwrap();
    let repomd = readers::Repomd::read("repomd.xml", &index[..]).unwrap();
    let open = |data: &readers::Data| {
        let bytes = fs::read(repository.join(&data.location)).unwrap();
        data.check(&bytes).unwrap();
        let mut plain = Vec::new();
        readers::decompressed(&data.location, &bytes[..], 1 << 24).unwrap().read_to_end(&mut plain).unwrap();
        data.check_open(&plain).unwrap();
        assert!(data.check(&bytes[1..]).is_err() && data.check_open(&plain[1..]).is_err());
        plain
    };
    let primary = open(repomd.primary().unwrap());
    let offered: Vec<_> = readers::Packages::new("primary", &primary[..]).unwrap().map(Result::unwrap).collect();
    // Of what has no newer version the repository has nothing.
    for package in rpm::PACKAGES.iter().filter(|package| package.to != package.from) {
        let found = offered.iter().filter(|one| one.name == package.name && one.evr.to_string() == package.to).count();
        assert_eq!(found, 1, "{} {}: {offered:#?}", package.name, package.to);
    }
    assert!(
        offered
            .iter()
            .all(|one| one.build_time.is_some() && one.size.is_some() && one.source_rpm.ends_with(".src.rpm"))
    );
    let updateinfo = open(repomd.updateinfo().unwrap());
    let advisories: Vec<_> =
        readers::Advisories::new("updateinfo", &updateinfo[..]).unwrap().map(Result::unwrap).collect();
    for package in &rpm::PACKAGES {
        let Some(wanted) = package.advisory else { continue };
        let one = advisories.iter().find(|one| one.id == wanted.id).unwrap();
        assert_eq!((one.kind.as_str(), one.severity.as_str()), (wanted.kind, wanted.severity));
        assert_eq!(one.cves(), wanted.cve.into_iter().collect::<Vec<_>>());
        assert_eq!(one.packages[0].evr.to_string(), package.to);
        assert_eq!(one.packages[0].reboot_suggested, package.restart);
        assert!(one.issued.as_ref().unwrap().time().is_some() && one.is_in_force());
    }

    let instance = FIXTURE.start(System::Amazon);
    sh(&instance, "dnf -q -y upgrade --security");
    let installed = |format: &str| {
        let list = sh(&instance, &format!("rpm --query --all --queryformat '{format}'"));
        readers::installed(&(list + "\n")).unwrap()
    };
    let mut packages = installed(readers::QUERY_FORMAT);
    assert_eq!(installed(readers::QUERY_FORMAT_WITHOUT_MODULES), packages);
    // All, what gives the basic names, and the kernel that was there before.
    assert_eq!(packages.len(), rpm::PACKAGES.len() + 2);
    assert!(packages.iter().all(|one| one.install_time > 1_700_000_000 && one.arch == "noarch"));
    let list = sh(&instance, &format!("dnf -q repoquery --installed --queryformat '{}'", readers::ORIGIN_FORMAT));
    readers::origins(&(list + "\n"), &mut packages).unwrap();
    for package in &rpm::PACKAGES {
        let newest = packages.iter().rfind(|one| one.name == package.name).unwrap();
        let wanted = if is_security(package) { package.to } else { package.from };
        assert_eq!(newest.evr.to_string(), wanted, "{}", package.name);
        // The first versions were installed by rpm itself: dnf does not know from where.
        assert_eq!(newest.from_repo.is_some(), is_security(package), "{newest:?}");
    }
    let files = sh(&instance, "cat /etc/yum.repos.d/*.repo");
    let variables = readers::Variables::new("2023", "x86_64");
    let configured = readers::repositories("fixture.repo", &files, &variables).unwrap();
    let enabled: Vec<&str> = configured.iter().filter(|one| one.enabled).map(|one| one.id.as_str()).collect();
    let known = sh(&instance, "dnf -q repolist --enabled | tail -n +2 | cut -d' ' -f1");
    assert_eq!(enabled, known.lines().collect::<Vec<_>>());
}

/// Renders components of this repository as a recipe of a system would have them.
pub fn documents(os: &str, build: &str, test: &str) -> Vec<DocumentRequest> {
    recipe_documents(&format!("os: {os}\nparent: {{ ssm: /p }}\nbuild: {build}\ntest: {test}\n"), &[])
}

/// The same of a whole recipe, with more files of its project.
pub fn recipe_documents(recipe: &str, files: &[(&str, &str)]) -> Vec<DocumentRequest> {
    let folder = bench::place("project");
    for (name, text) in [("amiforge.yaml", "project: acme\n"), ("recipes/web.yaml", recipe)].iter().chain(files) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let project = project::load(&folder).unwrap_or_else(|found| panic!("{found:#?}"));
    let rendered = render::recipe(&project, &project.recipes["web"], Arch::X86_64).unwrap();
    let request = |one: &render::RenderedComponent| DocumentRequest {
        name: one.name.clone(),
        text: one.document.text.clone(),
        parameters: one.parameters.clone(),
    };
    rendered.components.iter().map(request).collect()
}

/// Runs phases of documents, restarts when they ask for it; what happened, with the number of restarts.
pub fn execute(instance: &Instance, documents: &[DocumentRequest], phases: &[&str]) -> (Exit, Vec<RunEvent>, u32) {
    let request = Request {
        execution_id: phases.join("-"),
        documents: documents.to_vec(),
        phases: phases.iter().map(|phase| (*phase).to_owned()).collect(),
        state_directory: "/var/lib/amiforge".into(),
        working_directory: "/tmp".into(),
        environment: environment(),
        ..Request::default()
    };
    let job = Job::Builtin { payload: serde_json::to_vec(&request).unwrap(), timeout: None };
    let (mut events, mut restarts) = (Vec::new(), 0);
    loop {
        let exit = instance.run(&job, &mut |line| {
            let (Line::Out(text) | Line::Err(text)) = line;
            events.push(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")));
        });
        let exit = exit.unwrap();
        if exit != Exit::Code(194) {
            return (exit, events, restarts);
        }
        restarts += 1;
        assert!(restarts < 5, "it restarts again and again");
        instance.reboot().unwrap();
    }
}

/// The output of a run, for messages.
pub fn output(events: &[RunEvent]) -> String {
    let text = events.iter().filter_map(|event| match event {
        RunEvent::Output { line, .. } => Some(line.clone()),
        RunEvent::Finished { summary } => Some(format!("{summary:?}")),
        _ => None,
    });
    text.collect::<Vec<_>>().join("\n")
}

fn patch(system: System, os: &str) {
    let instance = FIXTURE.start(system);
    let documents = documents(os, "[patch-linux: { scope: security }]", "[patched, no-pending-reboot]");
    sh(&instance, NEXT_SECOND);
    let (exit, events, restarts) = execute(&instance, &documents, &["build", "validate"]);
    assert_eq!(exit, Exit::Code(0), "{}", output(&events));
    // glibc was upgraded: one restart, and the step after it goes on.
    assert_eq!(restarts, 1, "{}", output(&events));
    assert_installed(&instance, &is_security);
    // The test phase runs in a fresh instance of the result.
    instance.stop();
    let layer = bench::place("patched");
    root::capture(instance.upper(), &layer, &["/var/lib/amiforge"]).unwrap();
    let mut layers = vec![layer];
    layers.extend(Fixture::layers(system));
    let mut spec = spec(layers);
    spec.bind = vec![FIXTURE.repository()];
    let fresh = Instance::start(&spec).unwrap();
    let (exit, events, restarts) = execute(&fresh, &documents, &["test"]);
    assert_eq!((exit, restarts), (Exit::Code(0), 0), "{}", output(&events));
    let text = output(&events);
    assert!(text.contains("nothing is outstanding") && text.contains("no restart is pending"), "{text}");
    // On the root from before the same tests fail, so they do look.
    let before = FIXTURE.start(system);
    let (exit, events, _) = execute(&before, &documents, &["test"]);
    assert_eq!(exit, Exit::Code(1), "{}", output(&events));
}

fn our_components_patch_amazon_linux() {
    patch(System::Amazon, "amazon-linux-2023");
}

fn our_components_patch_suse() {
    patch(System::Suse, "sles-15");
}
