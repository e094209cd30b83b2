use super::*;
use crate::evidence::Hygiene;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

/// The folders that the script looks into; in the tests they lie below another root. That of temporary files comes first:
/// the other root may lie there.
const PLACES: [&str; 9] = ["/tmp", "/root", "/home", "/etc", "/var", "/usr", "/opt", "/srv", "/boot"];

/// The script as if `root` were the root of the machine.
pub(crate) fn elsewhere(script: &str, root: &Path) -> String {
    let here = root.display().to_string();
    let mut script = script.to_owned();
    for place in PLACES {
        for before in [" ", "'", "\"", "(", "="] {
            for after in ["/", " ", "\n", ";"] {
                script = script.replace(&format!("{before}{place}{after}"), &format!("{before}{here}{place}{after}"));
            }
        }
    }
    script
}

/// Runs the script on the machine below `root`. What was written before the test started counts as the image's.
fn look(root: &Path, change: impl FnOnce(String) -> String) -> Hygiene {
    let script = change(elsewhere(SCRIPT, root));
    // Process 1 of this machine may be older than the files, and may be younger.
    let since = "if since=@1700000000; then";
    let script = script.replace("if since=$(started); then", since);
    assert!(script.contains(since));
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    read(&String::from_utf8(output.stdout).unwrap(), "2026-11-23T11:00:00Z").unwrap()
}

/// Writes a file that is older than the instance, or younger.
fn write(root: &Path, path: &str, text: &str, old: bool) {
    let path = root.join(path.trim_start_matches('/'));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    let seconds = if old { 1_600_000_000 } else { 1_800_000_000 };
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    fs::File::options().append(true).open(&path).unwrap().set_modified(at).unwrap();
}

fn clean() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for place in PLACES {
        fs::create_dir_all(root.path().join(place.trim_start_matches('/'))).unwrap();
    }
    write(root.path(), "/etc/shadow", "root:*:1::::::\nweb:!$6$x$y:1::::::\n", true);
    write(root.path(), "/etc/machine-id", "uninitialized\n", true);
    write(root.path(), "/etc/fstab", "/dev/xvda1 / ext4 defaults 0 1\n# /dev/xvdb none swap sw 0 0\n", true);
    root
}

fn found(hygiene: &Hygiene) -> BTreeSet<(String, String)> {
    hygiene.findings.iter().map(|finding| (finding.rule.clone(), finding.path.clone())).collect()
}

#[test]
fn a_clean_image_was_looked_at_by_every_rule() {
    let root = clean();
    let hygiene = look(root.path(), |script| script);
    let names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(
        (hygiene.rules, hygiene.failed, hygiene.findings),
        (names.iter().map(|n| (*n).to_owned()).collect(), vec![], vec![])
    );
    assert!(names.is_sorted() && RULES.iter().all(|rule| ["high", "medium", "low"].contains(&rule.severity)));
}

/// One thing for each rule.
const DIRT: [(&str, &str, &str); 15] = [
    ("agent-state", "/var/lib/amazon/ssm/registration", "i-1"),
    ("authorized-keys", "/home/admin/.ssh/authorized_keys", "ssh-ed25519 AAAA"),
    ("build-leftovers", "/var/tmp/amiforge-x", "x"),
    ("cloud-init", "/var/lib/cloud/instances/i-0abc", "x"),
    ("credentials", "/root/.aws/credentials", "[default]"),
    ("histories", "/root/.bash_history", "ls"),
    ("host-keys", "/etc/ssh/ssh_host_ed25519_key", "key"),
    ("logs", "/var/log/journal/1/system.journal", "x"),
    ("machine-id", "/etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
    ("package-caches", "/var/cache/apt/archives/bash.deb", "x"),
    ("passwords", "/etc/shadow", "root:$6$salt$hash:1::::::\nguest::1::::::\n"),
    ("private-keys", "/etc/ssl/private/ssl-cert-snakeoil.key", "-----BEGIN PRIVATE KEY-----\n"),
    ("sudoers", "/etc/sudoers.d/90-build", "# no NOPASSWD here\nbuild ALL=(ALL) NOPASSWD:ALL\n"),
    ("swap", "/etc/fstab", "/dev/xvdb none swap sw 0 0\n"),
    ("world-writable", "/etc/cron.d/job", "x"),
];

#[test]
fn each_rule_finds_what_it_is_for_and_no_other_does() {
    for (rule, path, text) in DIRT {
        let root = clean();
        write(root.path(), path, text, true);
        if rule == "world-writable" {
            fs::set_permissions(root.path().join(&path[1..]), fs::Permissions::from_mode(0o666)).unwrap();
        }
        let hygiene = look(root.path(), |script| script);
        let here = |path: &str| format!("{}{path}", root.path().display());
        let paths = match rule {
            "passwords" => vec!["guest (no password at all)".to_owned(), "root".to_owned()],
            "swap" => vec![format!("/dev/xvdb in {}", here("/etc/fstab"))],
            _ => vec![here(path)],
        };
        let expected: BTreeSet<_> = paths.into_iter().map(|path| (rule.to_owned(), path)).collect();
        assert_eq!(found(&hygiene), expected, "{rule}");
        assert_eq!(hygiene.failed, [], "{rule}");
        assert!(!serde_json::to_string(&hygiene).unwrap().contains("$6$"), "no hash leaves the machine");
    }
}

/// What the instance has made of itself when it booted is not the image's.
#[test]
fn what_the_first_boot_made_does_not_count() {
    let root = clean();
    let by_boot = |rule: &str| !["credentials", "histories", "passwords", "swap", "world-writable"].contains(&rule);
    for (_, path, text) in DIRT.into_iter().filter(|(rule, ..)| by_boot(rule)) {
        write(root.path(), path, text, false);
    }
    let hygiene = look(root.path(), |script| script);
    assert_eq!((found(&hygiene), hygiene.failed), (BTreeSet::new(), vec![]));
}

#[test]
fn odd_names_and_many_files_do_not_confuse_it() {
    let root = clean();
    write(root.path(), "/home/x/.netrc", "machine", true);
    write(root.path(), "/home/a\nhost-keys\tlooked\n/.netrc", "machine", true);
    for number in 0..205 {
        write(root.path(), &format!("/root/{number}/.netrc"), "machine", true);
    }
    let hygiene = look(root.path(), |script| script);
    assert_eq!(hygiene.rules.len(), RULES.len());
    assert!(hygiene.findings.iter().all(|finding| finding.rule == "credentials"), "{:?}", hygiene.findings);
    assert_eq!(hygiene.findings.len(), 201);
    assert!(hygiene.findings[200].path.starts_with("and "), "{:?}", hygiene.findings[200]);
}

#[test]
fn what_could_not_be_looked_at_is_said() {
    let root = clean();
    let broken = look(root.path(), |script| script.replace("look logs logs", "look logs nothing_of_that_name"));
    assert_eq!(broken.failed.iter().map(|failed| failed.rule.as_str()).collect::<Vec<_>>(), ["logs"]);
    assert!(broken.failed[0].why.contains("nothing_of_that_name"), "{:?}", broken.failed);
    let silent = look(root.path(), |script| script.replace("  look logs logs\n", ""));
    assert_eq!((silent.failed.len(), silent.failed[0].rule.as_str()), (1, "logs"));
    let when = "2026-11-23T11:00:00Z";
    assert!(read("*\tfailed\tno time\n", when).unwrap_err().contains("no time"));
    for line in ["bash\tfound\t/x", "host-keys", "host-keys\tfound", "host-keys\tfound\t", "host-keys\tclean"] {
        assert!(read(line, when).is_err(), "{line}");
    }
    assert_eq!(read("", when).unwrap().failed.len(), RULES.len(), "nothing said is nothing looked at");
}
