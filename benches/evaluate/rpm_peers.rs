//! dnf on the same data as real files: a repository with primary and updateinfo, and a database with as many real packages.

use super::{ROUNDS_OF_PEERS, child, memory_row, ratio, row, run, time_of};
use amiforge::patch::rpm::{Advisories, Packages, QUERY_FORMAT, Repomd, decompressed, installed};
use amiforge::patch::{Approval, Baseline, Filter, FilterKey, Inventory, PackageSource, RpmReader, predefined};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Security updates, at once: what `dnf check-update --security` asks for.
pub(super) fn security() -> Baseline {
    let mut baseline = predefined("AWS-RedHatDefaultPatchBaseline").expect("it is predefined");
    baseline.rules.truncate(1);
    if let Some(rule) = baseline.rules.first_mut() {
        rule.filters = vec![Filter { key: FilterKey::Classification, values: vec!["Security".into()] }];
        rule.approval = Approval::AfterDays(0);
    }
    baseline
}

/// Compares, or says what is missing on this machine.
pub(super) fn compare(inventory: &Inventory) {
    for program in ["rpmbuild", "rpm", "dnf"] {
        if Command::new(program).arg("--version").output().is_err() {
            println!("dnf: not compared, {program} is not installed (scripts/test-prerequisites)");
            return;
        }
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-evaluate-rpm");
    let _ = fs::remove_dir_all(&folder);
    write(&folder, inventory);
    let updateinfo = fs::metadata(folder.join("updateinfo.xml")).map_or(0, |file| file.len());
    let primary = fs::metadata(folder.join("primary.xml")).map_or(0, |file| file.len());
    println!(
        "\nthe same as files: primary {} MB, updateinfo {} MB of XML; both sides begin with the files",
        primary >> 20,
        updateinfo >> 20
    );
    let (ours, said) = time_of(|| child("rpm", &folder));
    row("ours: start, rpm --query --all, repository, evaluated", ours);
    println!("{:<62}{:>10}", "  missing by CLASSIFICATION Security", said.count);
    memory_row("ours, largest memory of that", &said.peak);
    row("  of it rpm --query --all", time_of(|| query(&folder)).0);
    let (streamed, said) = time_of(|| child("updateinfo", &folder));
    row("ours: updateinfo alone, one notice at a time", streamed);
    println!("{:<62}{:>10}", "  notices", said.count);
    memory_row("ours, largest memory of that", &said.peak);
    for (words, cold) in [
        (&["check-update", "--security"] as &[&str], true),
        (&["check-update", "--security"], false),
        (&["updateinfo", "list", "--security"], false),
    ] {
        // dnf puts its cache below the root it works on.
        let cache = folder.join("root").join(folder.join("cache").strip_prefix("/").unwrap_or(&folder));
        assert!(cold || cache.exists(), "the cache of dnf is not where it was");
        let (theirs, (lines, peak)) = time_of(|| {
            if cold {
                let _ = fs::remove_dir_all(&cache);
            }
            dnf(&folder, words)
        });
        let how = if cold { "no cache of its own" } else { "with its cache of the repository" };
        row(&format!("dnf {}, {how}", words.join(" ")), theirs);
        println!("{:<62}{lines:>10}", "  lines");
        memory_row("dnf, largest memory of that", &peak);
        ratio("  ratio dnf / ours", theirs, ours);
    }
    println!("  (medians of {ROUNDS_OF_PEERS}; ours keeps nothing between two runs)");
}

/// dnf on the files; how many lines it said, and its largest memory.
fn dnf(folder: &Path, words: &[&str]) -> (usize, String) {
    // Not getrusage: what that says of a child begins with the memory of its parent.
    let script = "import atexit, sys\n\
        peak = lambda: next(l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM'))\n\
        atexit.register(lambda: print(peak(), file=sys.stderr))\n\
        import dnf.cli.main\n\
        dnf.cli.main.user_main(sys.argv[1:], exit_code=True)\n";
    let output = Command::new("/usr/bin/python3")
        .args(["-c", script, "-q", "-c"])
        .arg(folder.join("dnf.conf"))
        .arg(format!("--installroot={}", folder.join("root").display()))
        .arg("--releasever=9")
        .args(words)
        .env("HOME", folder)
        .output()
        .expect("python starts");
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let lines = said.lines().filter(|line| line.contains("x86_64")).count();
    assert!(lines > 0, "dnf {words:?}: {said}{complained}");
    (lines, complained.lines().last().unwrap_or("?").to_owned())
}

/// What rpm lists.
fn query(folder: &Path) -> String {
    let mut rpm = Command::new("rpm");
    rpm.env("HOME", folder).arg("--root").arg(folder.join("root"));
    let output = rpm.args(["--query", "--all", "--queryformat", QUERY_FORMAT]).output().expect("rpm starts");
    String::from_utf8(output.stdout).expect("text")
}

/// The whole way of ours, in a process of its own.
pub(super) fn whole(folder: &Path) -> u32 {
    let packages = installed(&query(folder)).expect("what is installed");
    let mut reader = RpmReader::new("rhel", "9.4", "Red Hat Enterprise Linux", &packages);
    let repository = folder.join("repository");
    let index = fs::read(repository.join("repodata/repomd.xml")).expect("repomd.xml");
    let repomd = Repomd::read("repomd.xml", &index[..]).expect("a repository");
    let open = |location: &str| {
        let file = BufReader::new(File::open(repository.join(location)).expect("a list"));
        decompressed(location, file, 1 << 30).expect("gzip")
    };
    let primary = open(&repomd.primary().expect("primary").location);
    let notices = open(&repomd.updateinfo().expect("updateinfo").location);
    let (packages, notices) = (Packages::new("primary", primary), Advisories::new("updateinfo", notices));
    let source = PackageSource { id: "bench".into(), ..PackageSource::default() };
    reader.repository(source, packages.expect("packages"), notices.expect("notices")).expect("a whole repository");
    run(&security(), &reader.finish()).counts.missing
}

/// Reads the notices and keeps none.
pub(super) fn stream(folder: &Path) -> u32 {
    let file = BufReader::new(File::open(folder.join("updateinfo.xml")).expect("updateinfo"));
    Advisories::new("updateinfo", file).expect("notices").map(|notice| notice.map_or(0, |_| 1)).sum()
}

fn write(folder: &Path, inventory: &Inventory) {
    fs::create_dir_all(folder.join("repository/repodata")).expect("a folder");
    fs::write(folder.join(".rpmmacros"), "%_dbpath /var/lib/rpm\n").expect("macros");
    let place = folder.display();
    let settings = format!(
        "[main]\nplugins=0\ngpgcheck=0\nreposdir={place}\ncachedir={place}/cache\n\
         [bench]\nname=bench\nbaseurl=file://{place}/repository\nenabled=1\ngpgcheck=0\n"
    );
    fs::write(folder.join("dnf.conf"), settings).expect("settings");
    let lists = [("primary", primary(inventory)), ("updateinfo", updateinfo(inventory)), ("filelists", nothing())];
    let mut index = "<repomd xmlns=\"http://linux.duke.edu/metadata/repo\"><revision>1</revision>".to_owned();
    for (kind, text) in lists {
        fs::write(folder.join(format!("{kind}.xml")), &text).expect("a list");
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).expect("gzip");
        let bytes = encoder.finish().expect("gzip");
        let sum =
            |bytes: &[u8]| Sha256::digest(bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let _ = write!(
            index,
            "<data type=\"{kind}\"><checksum type=\"sha256\">{}</checksum><open-checksum type=\"sha256\">{}</open-checksum>\
             <location href=\"repodata/{kind}.xml.gz\"/><timestamp>1</timestamp><size>{}</size><open-size>{}</open-size></data>",
            sum(&bytes),
            sum(text.as_bytes()),
            bytes.len(),
            text.len()
        );
        fs::write(folder.join(format!("repository/repodata/{kind}.xml.gz")), bytes).expect("a list");
    }
    fs::write(folder.join("repository/repodata/repomd.xml"), index + "</repomd>\n").expect("repomd.xml");
    database(folder, inventory);
}

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn nothing() -> String {
    "<filelists xmlns=\"http://linux.duke.edu/metadata/filelists\" packages=\"0\"></filelists>\n".to_owned()
}

/// `epoch:version-release`.
fn parts(text: &str) -> (&str, &str, &str) {
    let (epoch, rest) = text.split_once(':').unwrap_or(("0", text));
    let (version, release) = rest.split_once('-').unwrap_or((rest, "1"));
    (epoch, version, release)
}

fn primary(inventory: &Inventory) -> String {
    let records: Vec<_> = inventory.others.iter().flat_map(amiforge::patch::OtherOffers::records).collect();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata xmlns=\"http://linux.duke.edu/metadata/common\" \
         xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" packages=\"{}\">\n",
        records.len()
    );
    for record in records {
        let (name, arch, (epoch, version, release)) = (record.name, record.arch, parts(record.version));
        let _ = writeln!(
            text,
            "<package type=\"rpm\"><name>{name}</name><arch>{arch}</arch><version epoch=\"{epoch}\" ver=\"{version}\" rel=\"{release}\"/>\
             <checksum type=\"sha256\" pkgid=\"YES\">{}</checksum><summary>A package</summary><description>A package of a \
             benchmark, with a description of about the length that descriptions have.</description><packager/><url/>\
             <time file=\"1750000000\" build=\"1750000000\"/><size package=\"1\" installed=\"1\" archive=\"1\"/>\
             <location href=\"{name}-{version}-{release}.{arch}.rpm\"/><format><rpm:license>MIT</rpm:license><rpm:vendor/>\
             <rpm:group/><rpm:buildhost/><rpm:sourcerpm>{name}-{version}-{release}.src.rpm</rpm:sourcerpm><rpm:provides>\
             <rpm:entry name=\"{name}\" flags=\"EQ\" epoch=\"{epoch}\" ver=\"{version}\" rel=\"{release}\"/></rpm:provides>\
             </format></package>",
            sum(format!("{name}{arch}{}", record.version).as_bytes())
        );
    }
    text + "</metadata>\n"
}

fn updateinfo(inventory: &Inventory) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<updates>\n".to_owned();
    let description = "An update is available that fixes what it says it fixes. ".repeat(5);
    for notice in &inventory.advisories {
        let _ = write!(
            text,
            "<update from=\"bench@localhost\" status=\"{}\" type=\"{}\" version=\"1\"><id>{id}</id><title>{id}</title>\
             <issued date=\"{issued}:00\"/><updated date=\"{issued}:00\"/><severity>{}</severity><description>{description}</description>\
             <references><reference href=\"https://localhost/{id}\" id=\"{id}\" title=\"{id}\" type=\"self\"/>",
            notice.status,
            notice.kind,
            notice.severity,
            id = notice.id,
            issued = notice.issued
        );
        for cve in &notice.cves {
            let _ =
                write!(text, "<reference href=\"https://localhost/{cve}\" id=\"{cve}\" title=\"{cve}\" type=\"cve\"/>");
        }
        text += "</references><pkglist><collection short=\"b\"><name>bench</name>";
        for package in &notice.packages {
            let (name, arch, (epoch, version, release)) = (&package.name, &package.arch, parts(&package.version));
            let _ = write!(
                text,
                "<package name=\"{name}\" epoch=\"{epoch}\" version=\"{version}\" release=\"{release}\" arch=\"{arch}\" src=\"{name}.src.rpm\">\
                 <filename>{name}-{version}-{release}.{arch}.rpm</filename></package>"
            );
        }
        text += "</collection></pkglist></update>\n";
    }
    text + "</updates>\n"
}

/// A database with all installed packages: real ones, built at once as the parts of one.
fn database(folder: &Path, inventory: &Inventory) {
    let mut spec =
        "Name: bench\nVersion: 1\nRelease: 1\nSummary: x\nLicense: MIT\nAutoReqProv: no\n%description\nx\n".to_owned();
    for package in &inventory.installed {
        let (name, (epoch, version, release)) = (&package.name, parts(&package.version));
        let _ = write!(
            spec,
            "%package -n {name}\nSummary: x\nEpoch: {epoch}\nVersion: {version}\nRelease: {release}\n%description -n {name}\nx\n%files -n {name}\n"
        );
    }
    let path = folder.join("bench.spec");
    fs::write(&path, spec).expect("a spec");
    let top = format!("_topdir {}", folder.join("build").display());
    let mut build = Command::new("rpmbuild");
    build.args(["-bb", "--quiet", "--target", "x86_64", "--define", "debug_package %{nil}", "--define", &top]);
    let output = build.args(["--define", "__os_install_post %{nil}"]).arg(&path).output().expect("rpmbuild starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let built = fs::read_dir(folder.join("build/RPMS/x86_64")).expect("packages").flatten().map(|file| file.path());
    let all = ["--justdb", "--nodeps", "--nosignature", "--force-debian", "-i"];
    let mut rpm = Command::new("rpm");
    rpm.env("HOME", folder).arg("--root").arg(folder.join("root")).args(all);
    let output = rpm.args(built).output().expect("rpm starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let _ = fs::remove_dir_all(folder.join("build"));
}
