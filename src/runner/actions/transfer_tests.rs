//! The destination rules of component-documents.md 9.3: wildcards, the separator at the end, `overwrite: false`.

use super::*;
use crate::runner::actions::testing;
use tempfile::TempDir;

struct Bench(TempDir);

impl Bench {
    /// A folder with these files, each holding its own name.
    fn with(files: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        Self(folder)
    }

    fn run(&self, action: Action, inputs: &str) -> Result<(), String> {
        let items = testing::items(&format!("{action:?}"), &format!("[{{ {inputs} }}]"));
        let machine = testing::machine(self.0.path(), &[]);
        transfer(action, &items[0], &machine).map_err(|error| error.to_string())
    }

    fn fails(&self, action: Action, inputs: &str, reason: &str) {
        let error = self.run(action, inputs).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }

    /// Every file with its content, where that is not its name.
    fn tree(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(self.0.path(), "", &mut found);
        found
    }
}

fn walk(folder: &Path, below: &str, found: &mut Vec<String>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = format!("{below}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), &format!("{name}/"), found);
        } else {
            let content = fs::read_to_string(entry.path()).unwrap();
            found.push(if content == name { name } else { format!("{name}={content}") });
        }
    }
}

const COPY: Action = Action::CopyFile;
const MOVE: Action = Action::MoveFile;
const COPY_FOLDER: Action = Action::CopyFolder;
const MOVE_FOLDER: Action = Action::MoveFolder;

#[test]
fn a_pattern_takes_files_only_and_folders_only() {
    let bench = Bench::with(&["in/a.log", "in/b.log", "in/c.txt", "in/d.log/e"]);
    bench.run(COPY, "source: 'in/*.log', destination: files/").unwrap();
    bench.run(COPY_FOLDER, "source: 'in/*.log', destination: folders/").unwrap();
    bench.run(MOVE, "source: 'in/*.log', destination: moved/").unwrap();
    bench.run(MOVE_FOLDER, "source: 'in/*', destination: moved/").unwrap();
    assert_eq!(
        bench.tree(),
        [
            "files/a.log=in/a.log",
            "files/b.log=in/b.log",
            "folders/d.log/e=in/d.log/e",
            "in/c.txt",
            "moved/a.log=in/a.log",
            "moved/b.log=in/b.log",
            "moved/d.log/e=in/d.log/e",
        ]
    );
}

#[test]
fn text_after_the_last_separator_is_the_new_name() {
    let bench = Bench::with(&["in/a.log", "in/d/e"]);
    // One match needs no separator at the end.
    bench.run(COPY, "source: 'in/*.log', destination: x/one").unwrap();
    bench.run(COPY_FOLDER, "source: 'in/*', destination: x/two").unwrap();
    // A separator at the end keeps the name, also where nothing is yet.
    bench.run(MOVE, "source: in/a.log, destination: y/z/").unwrap();
    bench.run(MOVE_FOLDER, "source: in/d, destination: y/z/").unwrap();
    assert_eq!(bench.tree(), ["x/one=in/a.log", "x/two/e=in/d/e", "y/z/a.log=in/a.log", "y/z/d/e=in/d/e"]);
    assert!(bench.0.path().join("in").is_dir());
}

#[test]
fn several_matches_want_a_separator_at_the_end_and_nothing_is_done_without() {
    let bench = Bench::with(&["in/a", "in/b", "one/x", "two/x"]);
    let before = bench.tree();
    for action in [COPY, MOVE] {
        bench.fails(action, "source: 'in/*', destination: out", "2 sources fit, so the destination must end with `/`");
    }
    for action in [COPY_FOLDER, MOVE_FOLDER] {
        bench.fails(action, "source: '*', destination: out", "3 sources fit");
    }
    for action in [COPY, MOVE, COPY_FOLDER, MOVE_FOLDER] {
        bench.fails(action, "source: '*/a', destination: out/", "`*` is allowed only in the last part of a path");
        bench.fails(action, "source: 'in/*.none', destination: out/", "nothing fits");
        bench.fails(action, "source: none, destination: out/", "cannot read");
    }
    assert_eq!(bench.tree(), before);
}

#[test]
fn overwrite_false_keeps_what_is_there() {
    let bench = Bench::with(&["in/a", "in/b", "out/b", "dir/x", "there/x"]);
    for action in [COPY, MOVE] {
        bench.fails(
            action,
            "source: in/a, destination: out/b, overwrite: false",
            "out/b exists, and `overwrite` is false",
        );
    }
    for action in [COPY_FOLDER, MOVE_FOLDER] {
        bench.fails(
            action,
            "source: dir, destination: there, overwrite: false",
            "there exists, and `overwrite` is false",
        );
    }
    assert_eq!(bench.tree(), ["dir/x", "in/a", "in/b", "out/b", "there/x"]);
    // Of several, those before the first that may not be written are done; nothing is taken back.
    bench.fails(COPY, "source: 'in/*', destination: out/, overwrite: false", "out/b exists");
    assert_eq!(bench.tree(), ["dir/x", "in/a", "in/b", "out/a=in/a", "out/b", "there/x"]);
    // Where nothing is, it hinders nothing.
    bench.run(MOVE, "source: in/b, destination: out/c, overwrite: false").unwrap();
    bench.run(COPY_FOLDER, "source: dir, destination: there/, overwrite: false").unwrap();
    assert_eq!(bench.tree(), ["dir/x", "in/a", "out/a=in/a", "out/b", "out/c=in/b", "there/dir/x=dir/x", "there/x"]);
}

#[test]
fn overwriting_is_the_default() {
    let bench = Bench::with(&["a", "b", "dir/x", "there/x", "there/y"]);
    bench.run(COPY, "source: a, destination: b").unwrap();
    bench.run(COPY_FOLDER, "source: dir, destination: there").unwrap();
    assert_eq!(bench.tree(), ["a", "b=a", "dir/x", "there/x=dir/x", "there/y"]);
    bench.run(MOVE, "source: a, destination: there/y").unwrap();
    bench.run(MOVE_FOLDER, "source: dir, destination: there").unwrap();
    assert_eq!(bench.tree(), ["b=a", "there/x=dir/x", "there/y=a"]);
    bench.fails(COPY, "source: b, destination: there", "is a folder; end the destination with `/` to go into it");
    bench.fails(COPY_FOLDER, "source: there, destination: b", "b is not a folder");
}

#[test]
fn a_link_that_leads_nowhere_is_in_the_way_too() {
    let bench = Bench::with(&["a"]);
    symlink("nowhere", bench.0.path().join("link")).unwrap();
    bench.fails(COPY, "source: a, destination: link, overwrite: false", "link exists");
    bench.run(MOVE, "source: a, destination: link").unwrap();
    assert_eq!(fs::read_to_string(bench.0.path().join("link")).unwrap(), "a");
    assert!(!bench.0.path().join("link").is_symlink() && !bench.0.path().join("nowhere").exists());
}
