//! A patch scan and an installation on a system with dnf: real advisories, the real package manager.

use crate::fixture::fixture;
use crate::instances::{launch_as, scan, send, terminate};
use crate::support::{root::clone_from_host, rpm};
use crate::world::World;
use aws_sdk_inspector2::types::{OnDemandResourceType, OnDemandScanStatus};
use aws_sdk_ssm::types::{InstancePatchState, PatchComplianceData};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A root like Amazon Linux 2023, locked to its own release, whose repository is the fixture's.
fn amazon(packages: &Path) -> PathBuf {
    amazon_at("amazon", packages)
}

fn amazon_at(name: &str, packages: &Path) -> PathBuf {
    let root = fixture().base.join(name);
    clone_from_host(&root, &["dnf", "rpm", "python3-dnf", "dnf-plugins-core", "procps"]);
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    write("usr/lib/os-release", "NAME=\"Amazon Linux\"\nID=\"amzn\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"2023\"\n");
    write("etc/rpm/macros", "%_dbpath /var/lib/rpm\n");
    write("etc/dnf/plugins/local.conf", "[main]\nenabled = 0\n");
    let url = packages.join("repository").display().to_string();
    write("etc/yum.repos.d/fixture.repo", &format!("[fixture]\nname=fixture\nbaseurl=file://{url}\ngpgcheck=0\n"));
    root
}

fn state(world: &World, instance: &str) -> InstancePatchState {
    let states = world.wait(world.ssm.describe_instance_patch_states().instance_ids(instance).send());
    states.expect("DescribeInstancePatchStates").instance_patch_states()[0].clone()
}

fn patches(world: &World, instance: &str) -> Vec<PatchComplianceData> {
    let answer = world.wait(world.ssm.describe_instance_patches().instance_id(instance).send());
    answer.expect("DescribeInstancePatches").patches().to_vec()
}

/// `Title`, `Classification` and `Severity` of what is missing.
fn missing(patches: &[PatchComplianceData]) -> BTreeSet<(&str, &str, &str)> {
    let missing = patches.iter().filter(|patch| patch.state().as_str() == "Missing");
    missing.map(|patch| (patch.title(), patch.classification(), patch.severity())).collect()
}

pub fn scanned_and_installed() {
    // Below what instances of this binary see of the machine.
    let packages = fixture().repository.join("rpm");
    rpm::write(&packages);
    let world = World::on(&amazon(&packages));
    let instance = launch_as(&world, &world.parent(), ("Amazon Linux", "2023"));
    let shell = |script: &str| {
        let answer = send(&world, &instance, "AWS-RunShellScript", &[("commands", script)]);
        assert_eq!(answer.response_code(), 0, "{script}: {answer:?}");
        answer.standard_output_content().unwrap_or_default().to_owned()
    };
    shell(&format!("rpm --install {}/old/*.rpm", packages.display()));

    scan(&world, &instance, "Scan").expect("the scan");
    let before = patches(&world, &instance);
    let expected = [
        ("amifix-lib.noarch:0:1.0-2", "Security", "Important"),
        ("amifix-tool.noarch:0:0.10-1", "Bugfix", "None"),
        ("amifix-web.noarch:0:2.4.1-10", "Security", "Critical"),
        ("kernel.noarch:0:6.1.2-1", "Security", "Important"),
    ];
    assert_eq!(missing(&before), BTreeSet::from(expected));
    assert_eq!(state(&world, &instance).missing_count(), 4);

    scan(&world, &instance, "Install").expect("the install");
    let after = state(&world, &instance);
    assert_eq!((after.missing_count(), after.failed_count(), after.operation().as_str()), (0, 0, "Install"));
    let newest =
        shell("rpm --query --queryformat '%{NAME} %{VERSION}-%{RELEASE}\\n' amifix-web amifix-conf amifix-new");
    assert_eq!(
        newest, "amifix-web 2.4.1-10\namifix-conf 3.0-1\namifix-new 1-1\n",
        "what is approved, and nothing else"
    );
    scan(&world, &instance, "Scan").expect("the second scan");
    assert_eq!(missing(&patches(&world, &instance)), BTreeSet::new());
    assert!(state(&world, &instance).installed_count() >= 4);

    // A repository that cannot be reached is no repository in which nothing is missing.
    shell("printf '[gone]\\nname=gone\\nbaseurl=http://127.0.0.1:9/\\nretries=1\\n' >/etc/yum.repos.d/gone.repo");
    let said = scan(&world, &instance, "Scan").expect_err("nothing can be said");
    assert!(said.contains("the package source gone could not be read"), "{said}");
    terminate(&world, &instance);
    world.assert_nothing_left();
}

/// A component that leaves the image as its parent is.
const NOTHING: &str = "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: Nothing\n        action: ExecuteBash\n        \
                       inputs:\n          commands: [\"true\"]\n";

/// Amazon Inspector finds, on demand, what the image's own sources say of vulnerabilities; EC2 shows it.
pub fn scanned_on_demand() {
    let packages = fixture().repository.join("rpm-scanned");
    rpm::write(&packages);
    let root = amazon_at("amazon-scanned", &packages);
    let installed = std::process::Command::new("rpm")
        .args([
            "--root",
            &root.display().to_string(),
            "--dbpath",
            "/var/lib/rpm",
            "--install",
            "--nodeps",
            "--noscripts",
        ])
        .args(fs::read_dir(packages.join("old")).expect("packages").flatten().map(|entry| entry.path()))
        .output()
        .expect("rpm");
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    let world = World::on(&root);
    // Parents are their publisher's, and Inspector scans what is one's own.
    let image = world.finished(&world.create("scanned", &[NOTHING]));
    let ami = image.output_resources().and_then(|output| output.amis()[0].image()).expect("an AMI").to_owned();
    let start = || world.inspector.start_on_demand_scan().resource_id(&ami).resource_type(OnDemandResourceType::Ami);
    let scan = world.wait(start().client_token("one").send()).expect("StartOnDemandScan").scan_id().to_owned();
    let ended = world.until(|| {
        let call = world.inspector.get_on_demand_scan_status().resource_id(&ami).scan_id(&scan);
        let status = world.wait(call.resource_type(OnDemandResourceType::Ami).send()).expect("GetOnDemandScanStatus");
        (*status.scan_status() != OnDemandScanStatus::InProgress).then_some(status)
    });
    assert_eq!(*ended.scan_status(), OnDemandScanStatus::Successful, "{ended:?}");
    let answer = world.wait(world.ec2.get_image_findings().image_id(&ami).send()).expect("GetImageFindings");
    let found: BTreeSet<_> = answer
        .image_findings()
        .iter()
        .map(|one| {
            (one.title().unwrap_or_default(), one.severity_label().map(|label| label.as_str()), one.fix_available())
        })
        .collect();
    let row = |title: &'static str, label: &'static str| (title, Some(label), Some(true));
    let expected = [
        row("CVE-2026-1001 - amifix-lib", "high"),
        row("CVE-2026-1002 - amifix-web", "critical"),
        row("CVE-2026-1003 - amifix-conf", "low"),
        row("CVE-2026-1005 - kernel", "high"),
    ];
    assert!(found.is_superset(&BTreeSet::from(expected)), "{found:?}");
    let images = world.wait(world.ec2.describe_images().image_ids(&ami).send()).expect("DescribeImages");
    let results = images.images()[0].scan_results().expect("it was scanned");
    assert_eq!(results.highest_finding_severity_label().map(|label| label.as_str()), Some("critical"));
    assert!(results.finding_scan_date().is_some() && results.critical_fix_available_since().is_some());
    world.assert_nothing_left();
}
