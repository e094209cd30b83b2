use super::*;
use crate::component;
use crate::component::expression::Template;
use crate::diagnostic::{SourceFile, render};
use crate::runner::model::{Context, RunEvent};
use crate::runner::outside::Nowhere;
use crate::runner::secrets::Secrets;
use crate::runner::values::{Facts, Records, Scope};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use tempfile::TempDir;

/// A working directory that is also the root of the machine.
struct Bench {
    directory: TempDir,
    environment: BTreeMap<String, String>,
}

/// What came of a step: the output of its items, or why it failed.
type Outcome = Result<(Done, Outputs), String>;

fn bench() -> Bench {
    Bench { directory: tempfile::tempdir().unwrap(), environment: BTreeMap::new() }
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| format!("{error}"))
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o7777
    }

    /// Runs one action and tells what it printed as well.
    fn printed(&self, action: &str, inputs: &str) -> (Outcome, Vec<String>) {
        let step = format!("{{ name: Run, action: {action}, inputs: {inputs} }}");
        let text = format!("schemaVersion: 1.0\nphases: [{{ name: build, steps: [{step}] }}]\n");
        let parsed = component::parse(&SourceFile::new("d", text));
        let document = parsed.document.unwrap_or_else(|| panic!("{}", render::text(&parsed.diagnostics, false)));
        let machine = Machine {
            root: self.directory.path().into(),
            directory: self.directory.path().into(),
            environment: self.environment.clone(),
        };
        let step = &document.phases[0].steps[0];
        let mut lines = Vec::new();
        let mut listen = |event| {
            if let RunEvent::Output { line, .. } = event {
                lines.push(line);
            }
        };
        let secrets = Secrets::default();
        let mut sink = Sink::new(&mut listen, false).knowing(&secrets);
        let mut scope = Scope {
            document: &document,
            parameters: &BTreeMap::new(),
            records: &Records::new(),
            environment: &self.environment,
            facts: Facts {
                execution_id: "test",
                context: &Context::default(),
                root: self.directory.path(),
                phase: "build",
                step: "Run",
            },
            turn: None,
            outside: &mut Nowhere,
            sink: &mut sink,
            secrets: &secrets,
        };
        let inputs = scope.inputs(step).unwrap();
        let outcome =
            execute(step.module.action, &inputs, &machine, &mut Nowhere, Limit::starting_now(None), &mut sink);
        (outcome.map_err(|error| error.to_string()), lines)
    }

    fn try_run(&self, action: &str, inputs: &str) -> Outcome {
        self.printed(action, inputs).0
    }

    fn run(&self, action: &str, inputs: &str) -> Outputs {
        self.try_run(action, inputs).unwrap().1
    }

    fn fails(&self, action: &str, inputs: &str, reason: &str) {
        let error = self.try_run(action, inputs).expect_err(action);
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn create_file() {
    let bench = bench();
    bench.run("CreateFile", "[{ path: a, content: \"x\\n\" }, { path: empty }]");
    assert_eq!((bench.read("a").as_str(), bench.read("empty").as_str()), ("x\n", ""));
    bench.run("CreateFile", "[{ path: a, content: y, permissions: 0640 }]");
    assert_eq!((bench.read("a").as_str(), bench.mode("a")), ("y", 0o640));
    bench.fails("CreateFile", "[{ path: a, overwrite: false }]", "exists, and `overwrite` is false");
    bench.fails("CreateFile", "[{ path: no/such/a }]", "cannot write");
    bench.run("CreateFile", "[{ path: wide, content: é, encoding: UTF-16-BE }]");
    assert_eq!(fs::read(bench.path("wide")).unwrap(), [0, 0xe9]);
}

#[test]
fn append_file() {
    let bench = bench();
    bench.fails("AppendFile", "[{ path: a, content: x }]", "cannot append to");
    bench.write("a", "1");
    bench.run("AppendFile", "[{ path: a, content: 2 }, { path: a, content: 3 }, { path: a }]");
    assert_eq!(bench.read("a"), "123");
}

#[test]
fn items_before_a_failing_one_stay_done() {
    let bench = bench();
    bench.fails("CreateFile", "[{ path: a }, { path: no/b }, { path: c }]", "no/b");
    assert!(bench.path("a").exists() && !bench.path("c").exists());
}

#[test]
fn create_and_delete_folder() {
    let bench = bench();
    bench.run("CreateFolder", "[{ path: a/b/c, permissions: \"0700\" }]");
    assert_eq!(bench.mode("a/b/c"), 0o700);
    bench.write("a/b/c/file", "kept");
    bench.run("CreateFolder", "[{ path: a/b/c }]");
    assert_eq!(bench.read("a/b/c/file"), "kept");
    bench.fails("CreateFolder", "[{ path: a/b, overwrite: false }]", "exists");
    bench.fails("CreateFolder", "[{ path: a/b/c/file }]", "cannot make the folder");
    bench.fails("DeleteFolder", "[{ path: a }]", "is not empty, and `force` is false");
    bench.run("DeleteFolder", "[{ path: a, force: true }, { path: never-there }]");
    assert!(!bench.path("a").exists());
}

#[test]
fn delete_file() {
    let bench = bench();
    for name in ["a.log", "b.log", "keep.txt", "dir.log/x"] {
        bench.write(name, "");
    }
    bench.run("DeleteFile", "[{ path: '*.log' }, { path: never-there }]");
    assert!(!bench.path("a.log").exists() && !bench.path("b.log").exists());
    assert!(bench.path("keep.txt").exists() && bench.path("dir.log/x").exists());
    bench.fails("DeleteFile", "[{ path: dir.log }]", "cannot delete");
    bench.fails("DeleteFile", "[{ path: '*/x' }]", "only in the last part");
    bench.fails("DeleteFile", "[{ path: 'none/*' }]", "cannot list");
}

#[test]
fn create_symlink() {
    let bench = bench();
    bench.write("folder/target", "t");
    bench.run("CreateSymlink", "[{ path: folder/link, target: target }]");
    assert_eq!(bench.read("folder/link"), "t");
    bench.fails("CreateSymlink", "[{ path: folder/link, target: target }]", "`force` is false");
    bench.run("CreateSymlink", "[{ path: folder/link, target: target, force: true }]");
    bench.fails("CreateSymlink", "[{ path: folder/target, target: link, force: true }]", "is not a link");
    bench.fails("CreateSymlink", "[{ path: other, target: none }]", "does not exist");
}

#[test]
fn copy_file() {
    let bench = bench();
    bench.write("a.txt", "a");
    bench.write("b.txt", "b");
    fs::set_permissions(bench.path("a.txt"), fs::Permissions::from_mode(0o600)).unwrap();
    bench.run("CopyFile", "[{ source: a.txt, destination: new/name }, { source: '*.txt', destination: all/ }]");
    assert_eq!((bench.read("new/name").as_str(), bench.mode("new/name")), ("a", 0o600));
    assert_eq!((bench.read("all/a.txt").as_str(), bench.read("all/b.txt").as_str()), ("a", "b"));
    bench.fails("CopyFile", "[{ source: '*.txt', destination: one }]", "must end with `/`");
    bench.fails("CopyFile", "[{ source: a.txt, destination: new/name, overwrite: false }]", "`overwrite` is false");
    bench.run("CopyFile", "[{ source: b.txt, destination: new/name }]");
    assert_eq!(bench.read("new/name"), "b");
    bench.fails("CopyFile", "[{ source: none, destination: x }]", "cannot read");
    bench.fails("CopyFile", "[{ source: '*.none', destination: x/ }]", "nothing fits");
    bench.fails("CopyFile", "[{ source: new, destination: x }]", "use CopyFolder");
    bench.fails("CopyFile", "[{ source: a.txt, destination: new }]", "is a folder");
    bench.fails("CopyFile", "[{ source: a.txt, destination: ./a.txt }]", "lies in");
    assert_eq!(bench.read("a.txt"), "a");
}

#[test]
fn copy_folder() {
    let bench = bench();
    bench.write("from/sub/file", "x");
    std::os::unix::fs::symlink("sub/file", bench.path("from/link")).unwrap();
    bench.run("CopyFolder", "[{ source: from/, destination: to }, { source: from, destination: into/ }]");
    assert_eq!((bench.read("to/sub/file").as_str(), bench.read("into/from/link").as_str()), ("x", "x"));
    assert!(bench.path("to/link").is_symlink());
    bench.write("from/sub/file", "y");
    bench.run("CopyFolder", "[{ source: from, destination: to }]");
    assert_eq!(bench.read("to/sub/file"), "y");
    bench.fails("CopyFolder", "[{ source: from, destination: to, overwrite: false }]", "`overwrite` is false");
    bench.fails("CopyFolder", "[{ source: from, destination: from/inside }]", "lies in");
    bench.fails("CopyFolder", "[{ source: from/sub/file, destination: x }]", "use CopyFile");
}

#[test]
fn move_file_and_folder() {
    let bench = bench();
    bench.write("a", "a");
    bench.write("dir/x", "x");
    bench.write("full/y", "y");
    bench.run("MoveFile", "[{ source: a, destination: new/b }]");
    assert!(!bench.path("a").exists() && bench.read("new/b") == "a");
    bench.fails("MoveFile", "[{ source: a, destination: c }]", "cannot read");
    bench.run("MoveFolder", "[{ source: dir, destination: full }]");
    assert_eq!((bench.read("full/x").as_str(), bench.read("full/y").as_str()), ("x", "y"));
    bench.run("MoveFolder", "[{ source: full, destination: deep/er/ }]");
    assert!(!bench.path("dir").exists() && !bench.path("full").exists() && bench.read("deep/er/full/x") == "x");
}

#[test]
fn read_and_list_files() {
    let bench = bench();
    bench.write("dir/a.txt", "one\ntwo\n");
    bench.write("dir/b.log", "\u{feff}mark");
    bench.write("dir/sub/c.txt", "");
    let (outcome, lines) =
        bench.printed("ReadFile", "[{ path: dir/a.txt, printFileContent: true }, { path: dir/b.log }]");
    let outputs = outcome.unwrap().1;
    let value = |set: &BTreeMap<String, Option<String>>, key: &str| set[key].clone().unwrap();
    assert_eq!(
        (value(&outputs[0], "content").as_str(), value(&outputs[1], "content").as_str()),
        ("one\ntwo\n", "mark")
    );
    assert_eq!(lines, ["one", "two"]);
    bench.fails("ReadFile", "[{ path: none }]", "cannot read");
    fs::write(bench.path("binary"), b"\xff").unwrap();
    bench.fails("ReadFile", "[{ path: binary }]", "is not utf8 text");
    let files = |inputs: &str| {
        let root = format!("{}/", bench.directory.path().display());
        value(&bench.run("ListFiles", inputs)[0], "files").replace(&root, "")
    };
    assert_eq!(files("[{ path: dir }]"), "dir/a.txt,dir/b.log");
    assert_eq!(files("[{ path: dir, fileNamePattern: '*.txt', recursive: true }]"), "dir/a.txt,dir/sub/c.txt");
    bench.fails("ListFiles", "[{ path: none }]", "cannot list");
}

#[test]
fn set_encoding() {
    let bench = bench();
    bench.write("a", "é");
    bench.run("SetFileEncoding", "[{ path: a, encoding: utf16 }]");
    assert_eq!(fs::read(bench.path("a")).unwrap(), [0xe9, 0]);
    bench.fails("SetFileEncoding", "[{ path: a, encoding: utf16 }]", "is not utf-8 text");
}

#[test]
fn permissions() {
    let bench = bench();
    bench.write("dir/sub/file", "");
    std::os::unix::fs::symlink("/nowhere", bench.path("dir/link")).unwrap();
    bench.run("SetFilePermissions", "[{ path: dir/sub/file, permissions: 0600 }]");
    assert_eq!(bench.mode("dir/sub/file"), 0o600);
    bench.run("SetFolderPermissions", "[{ path: dir, permissions: 0711, recursive: false }]");
    assert_eq!((bench.mode("dir"), bench.mode("dir/sub/file")), (0o711, 0o600));
    bench.run("SetFolderPermissions", "[{ path: dir, permissions: \"0750\" }]");
    assert_eq!((bench.mode("dir"), bench.mode("dir/sub"), bench.mode("dir/sub/file")), (0o750, 0o750, 0o750));
    bench.fails("SetFilePermissions", "[{ path: dir, permissions: 0600 }]", "is a folder");
    bench.fails("SetFilePermissions", "[{ path: none, permissions: 0600 }]", "cannot change");
}

#[test]
fn owners() {
    let bench = bench();
    bench.write("dir/file", "");
    let mine = fs::metadata(bench.path("dir")).unwrap();
    // Only root may give files away, so the names stand for the numbers that the files have already.
    bench.write("etc/passwd", &format!("me:x:{}:{}::/:/bin/sh\n", mine.uid(), mine.gid()));
    bench.write("etc/group", &format!("us:x:{}:\n", mine.gid()));
    bench.run("SetFileOwner", "[{ path: dir/file, owner: me }]");
    bench.run("SetFolderOwner", "[{ path: dir, owner: me, group: us }]");
    bench.run("CreateFile", "[{ path: new, owner: me, group: us, permissions: 4755 }]");
    let made = fs::metadata(bench.path("new")).unwrap();
    assert_eq!((made.uid(), made.gid(), bench.mode("new")), (mine.uid(), mine.gid(), 0o4755));
    bench.fails("SetFileOwner", "[{ path: dir/file, owner: stranger }]", "unknown user `stranger`");
    bench.fails("SetFileOwner", "[{ path: dir/file, owner: me, group: them }]", "unknown group `them`");
    bench.fails("SetFolderOwner", "[{ path: dir/file, owner: me }]", "is not a folder");
}

#[test]
fn empty_paths_are_refused() {
    let bench = bench();
    bench.fails("DeleteFolder", "[{ path: '', force: true }]", "a path is empty");
}

/// A machine with package manager programs of our own.
fn updating(programs: &[(&str, &str)]) -> Bench {
    let mut bench = bench();
    for (name, script) in programs {
        // Another process writes what will be executed: while a parallel test forks, a file that this process has open
        // for writing cannot be executed.
        bench.write(&format!("source/{name}"), &format!("#!/bin/sh\n{script}\n"));
        let (from, to) = (bench.path("source").join(name), bench.path("bin").join(name));
        let copied = std::process::Command::new("install").arg("-D").args(["-m", "755"]).args([&from, &to]).status();
        assert!(copied.unwrap().success());
    }
    bench.environment.insert("PATH".into(), format!("{}:/usr/bin:/bin", bench.path("bin").display()));
    bench
}

/// An apt-get that writes down how it was called, and simulates two updates and a new package.
const APT_GET: &str = r#"
last=; for word in "$@"; do case $word in -*|*=*) ;; *) last="$last $word";; esac; done
echo "$DEBIAN_FRONTEND$last" >> calls
case "$*" in
  *Dir::Etc::preferences=*) cat "$(echo "$*" | sed 's/.*Dir::Etc::preferences=\([^ ]*\).*/\1/')" > preferences;;
esac
case "$*" in
  *--simulate*) echo 'Inst libc6 [1] (2 Debian)'; echo 'Inst openssl [1] (2 Debian)'; echo 'Inst new (1 Debian)';;
esac"#;

#[test]
fn update_with_apt() {
    let bench = updating(&[("apt-get", APT_GET)]);
    bench.write("var/lib/dpkg/status", "");
    assert_eq!(bench.try_run("UpdateOS", "{}").unwrap().0, Done::Finished);
    assert_eq!(bench.read("calls"), "noninteractive update\nnoninteractive upgrade\n");
    bench.write("run/reboot-required", "");
    assert_eq!(bench.try_run("UpdateOS", "{}").unwrap().0, Done::RebootThenAgain);
}

#[test]
fn an_interrupted_update_is_finished_first() {
    let bench = updating(&[("apt-get", APT_GET), ("dpkg", "echo \"$@\" >> calls")]);
    bench.write("var/lib/dpkg/status", "");
    bench.write("var/lib/dpkg/updates/0001", "");
    bench.run("UpdateOS", "{}");
    assert_eq!(bench.read("calls").lines().next(), Some("--force-confdef --force-confold --configure -a"));
}

#[test]
fn update_of_chosen_packages_with_apt() {
    let bench = updating(&[("apt-get", APT_GET)]);
    bench.write("var/lib/dpkg/status", "");
    bench.write("etc/apt/preferences", "Package: mine\n");
    bench.run("UpdateOS", "{ include: ['lib*', openssl, new], exclude: [openssl] }");
    assert_eq!(bench.read("calls").lines().last(), Some("noninteractive install libc6"));
    assert_eq!(bench.read("preferences"), "Package: openssl\nPin: version *\nPin-Priority: -1\n\nPackage: mine\n");
    let left: Vec<_> = fs::read_dir(bench.directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("AWSTOE")), "{left:?}");
    let (outcome, lines) = bench.printed("UpdateOS", "{ include: [none] }");
    assert_eq!(outcome.unwrap().0, Done::Finished);
    assert_eq!(lines.last().map(String::as_str), Some("No update fits the include and exclude lists"));
}

#[test]
fn an_update_that_fails_says_which_call() {
    let bench = updating(&[("apt-get", "echo 'Err: no route' >&2; exit 100")]);
    bench.write("var/lib/dpkg/status", "");
    let (outcome, lines) = bench.printed("UpdateOS", "{}");
    assert_eq!(outcome, Err("apt-get update: exit code 100".to_owned()));
    assert_eq!(lines, ["Err: no route"]);
}

#[test]
fn update_with_yum() {
    let bench = updating(&[("yum", "echo \"$@\" >> calls"), ("needs-restarting", "exit $(cat code)")]);
    bench.write("code", "1");
    let inputs = "{ include: [kernel], exclude: [httpd] }";
    assert_eq!(bench.try_run("UpdateOS", inputs).unwrap().0, Done::RebootThenAgain);
    assert_eq!(bench.read("calls"), "-y --exclude=httpd update kernel\n");
    bench.write("code", "0");
    assert_eq!(bench.try_run("UpdateOS", "{}").unwrap().0, Done::Finished);
    bench.write("code", "2");
    bench.fails("UpdateOS", "{}", "needs-restarting -r: exit code 2");
}

#[test]
fn where_update_cannot_work_it_says_so() {
    let bench = updating(&[("dnf", "true")]);
    bench.write("etc/os-release", "ID=\"amzn\"\nVERSION_ID=\"2023\"\n");
    bench.fails("UpdateOS", "{}", "does not support Amazon Linux 2023");
    let mut bare = self::bench();
    bare.environment.insert("PATH".into(), "/nowhere".into());
    bare.fails("UpdateOS", "{}", "neither apt-get nor yum nor dnf");
}

#[test]
fn templates_without_parts_are_empty_text() {
    assert_eq!(
        Template {
            parts: vec![],
            node: crate::yaml::Node::new(crate::diagnostic::Span::default(), crate::yaml::Kind::Sequence(vec![]))
        }
        .literal()
        .as_deref(),
        Some("")
    );
}
