use super::*;
use crate::runner::actions::testing;
use crate::runner::model::RunEvent;
use crate::runner::outside::{Chunk, Nowhere, Parameter};
use crate::runner::table::{Table, Values};
use std::os::unix::fs::symlink;
use std::time::Duration;
use tempfile::TempDir;

/// A machine in `m` and a bucket in `bucket`.
struct Bench {
    folder: TempDir,
    lines: Vec<String>,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("m")).unwrap();
    Bench { folder, lines: Vec::new() }
}

impl Bench {
    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_else(|error| error.to_string())
    }

    /// All files below a folder, with their names.
    fn files(&self, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        if self.folder.path().join(name).exists() {
            collect(&self.folder.path().join(name), "", &mut found, &mut Sink::new(&mut |_| (), false)).unwrap();
        }
        found.into_iter().map(|(_, name)| name).collect()
    }

    fn run(&mut self, action: &str, inputs: &str) -> Result<(), StepError> {
        let values = Values {
            s3: BTreeMap::from([("s3://b/".to_owned(), self.folder.path().join("bucket"))]),
            ..Values::default()
        };
        self.run_with(&mut Table::new(values, Nowhere), action, inputs, Limit::starting_now(None))
    }

    fn run_with(
        &mut self,
        outside: &mut dyn Outside,
        action: &str,
        inputs: &str,
        limit: Limit,
    ) -> Result<(), StepError> {
        let items = testing::items(action, &format!("[{inputs}]"));
        let machine = testing::machine(&self.folder.path().join("m"), &[]);
        let lines = &mut self.lines;
        let mut listen = |event| {
            if let RunEvent::Output { line, .. } = event {
                lines.push(line);
            }
        };
        let mut sink = Sink::new(&mut listen, false);
        let outputs = match action {
            "S3Download" => download(&items[0], &machine, outside, limit, &mut sink)?,
            _ => upload(&items[0], &machine, outside, limit, &mut sink)?,
        };
        assert!(outputs.is_empty());
        Ok(())
    }

    fn fails(&mut self, action: &str, inputs: &str, reason: &str) {
        let error = self.run(action, inputs).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn one_object_becomes_one_file() {
    let mut bench = bench();
    bench.write("bucket/dir/tool", "content");
    bench.run("S3Download", "{ source: 's3://b/dir/tool', destination: x/y }").unwrap();
    bench.run("S3Download", "{ source: 's3://b/dir/tool', destination: z/ }").unwrap();
    assert_eq!((bench.read("m/x/y"), bench.read("m/z/tool")), ("content".into(), "content".into()));
    bench.write("bucket/dir/tool", "");
    bench.run("S3Download", "{ source: 's3://b/dir/tool', destination: x/y }").unwrap();
    assert_eq!(bench.read("m/x/y"), "");
    bench.fails("S3Download", "{ source: 's3://b/none', destination: n/f }", "s3://b/none: ");
    assert!(!bench.folder.path().join("m/n").exists());
    bench.fails("S3Download", "{ source: '/b/none', destination: f }", "is no address of S3: s3://bucket/key");
    bench.fails("S3Download", "{ source: 's3:///none', destination: f }", "is no address of S3");
    bench.fails("S3Download", "{ source: 's3://other/none', destination: f }", "no connection to AWS");
}

#[test]
fn large_objects_come_in_parts() {
    let mut bench = bench();
    let text = "0123456789abcdef".repeat(600 * 1024);
    bench.write("bucket/large", &text);
    bench.run("S3Download", "{ source: 's3://b/large', destination: large }").unwrap();
    assert!(bench.read("m/large") == text);
    bench.run("S3Upload", "{ source: large, destination: 's3://b/again' }").unwrap();
    assert!(bench.read("bucket/again") == text);
}

#[test]
fn a_prefix_becomes_a_folder() {
    let mut bench = bench();
    for name in ["p/a", "p/sub/b", "packer/c", "p2"] {
        bench.write(&format!("bucket/{name}"), name);
    }
    bench.run("S3Download", "{ source: 's3://b/p/*', destination: in }").unwrap();
    assert_eq!(bench.files("m/in"), ["a", "sub/b"]);
    assert_eq!(bench.lines, [format!("2 objects of s3://b/p/* are in {}", bench.folder.path().join("m/in").display())]);
    bench.run("S3Download", "{ source: 's3://b/*', destination: all/ }").unwrap();
    assert_eq!(bench.files("m/all"), ["p/a", "p/sub/b", "p2", "packer/c"]);
    bench.fails("S3Download", "{ source: 's3://b/pac/*', destination: in }", "there is no object below this prefix");
}

#[test]
fn files_that_must_not_be_overwritten_stay() {
    let mut bench = bench();
    bench.write("bucket/p/a", "new");
    bench.write("m/in/a", "old");
    let said = "Error: S3Download: File already exists and \"overwrite\" property for \"destination\" file is set to \
                false. Cannot download.";
    bench.fails("S3Download", "{ source: 's3://b/p/a', destination: in/a, overwrite: false }", said);
    bench.fails("S3Download", "{ source: 's3://b/p/*', destination: in, overwrite: false }", said);
    assert_eq!(bench.read("m/in/a"), "old");
    bench.run("S3Download", "{ source: 's3://b/p/*', destination: in }").unwrap();
    assert_eq!(bench.read("m/in/a"), "new");
}

/// A bucket whose keys and contents a test chooses.
#[derive(Debug, Default)]
struct Strange {
    keys: Vec<&'static str>,
    parts: Vec<(&'static [u8], u64)>,
    asked: Vec<Object>,
}

impl Outside for Strange {
    fn parameter(&mut self, name: &str) -> Result<Parameter, OutsideError> {
        Nowhere.parameter(name)
    }
    fn metadata(&mut self, path: &str) -> Result<String, OutsideError> {
        Nowhere.metadata(path)
    }
    fn document(&mut self, reference: &str, owner: Option<&str>) -> Result<String, OutsideError> {
        Nowhere.document(reference, owner)
    }
    fn list(&mut self, prefix: &Object) -> Result<Vec<String>, OutsideError> {
        self.asked.push(prefix.clone());
        Ok(self.keys.iter().map(|key| (*key).to_owned()).collect())
    }
    fn read(&mut self, object: &Object, _: u64, etag: Option<&str>) -> Result<Chunk, OutsideError> {
        assert_eq!(
            etag.is_some(),
            self.asked.iter().any(|known| known == object),
            "the version is given from the second part on"
        );
        self.asked.push(object.clone());
        if self.parts.is_empty() {
            return Err(OutsideError("PreconditionFailed".into()));
        }
        let (bytes, total) = self.parts.remove(0);
        Ok(Chunk { bytes: bytes.to_vec(), etag: "1".into(), total })
    }
    fn write(&mut self, object: &Object, next: &mut dyn FnMut() -> io::Result<Vec<u8>>) -> Result<(), OutsideError> {
        self.asked.push(object.clone());
        while !next().map_err(|error| OutsideError(error.to_string()))?.is_empty() {}
        Ok(())
    }
}

fn no_limit() -> Limit {
    Limit::starting_now(None)
}

#[test]
fn keys_that_lead_out_of_the_folder_are_refused_before_anything_is_written() {
    for key in ["p/../../etc/passwd", "p//etc/passwd", "p/a/../../b", "p/./..", "p/a\0b"] {
        let mut bench = bench();
        let mut strange = Strange { keys: vec!["p/good", key], parts: vec![(b"x", 1); 2], asked: Vec::new() };
        let inputs = "{ source: 's3://b/p/*', destination: in, expectedBucketOwner: '123456789012' }";
        let error = bench.run_with(&mut strange, "S3Download", inputs, no_limit()).unwrap_err().to_string();
        assert!(error.contains("would lead out of the destination folder; nothing was downloaded"), "{key}: {error}");
        assert_eq!(bench.files("m"), Vec::<String>::new());
        // The bare prefix, and the owner that was expected.
        let asked = Object { bucket: "b".into(), key: "p".into(), owner: Some("123456789012".into()) };
        assert_eq!(strange.asked, [asked]);
    }
}

#[test]
fn markers_of_folders_become_folders() {
    let mut bench = bench();
    let mut strange = Strange { keys: vec!["p/", "p/empty/", "p/f"], parts: vec![(b"x", 1)], asked: Vec::new() };
    bench.run_with(&mut strange, "S3Download", "{ source: 's3://b/p/*', destination: in }", no_limit()).unwrap();
    assert!(bench.folder.path().join("m/in/empty").is_dir());
    assert_eq!(bench.read("m/in/f"), "x");
}

#[test]
fn an_object_that_changes_or_ends_too_early_leaves_no_file() {
    for (parts, reason) in [
        (vec![(&b"half"[..], 8_u64)], "PreconditionFailed"),
        (vec![(&b"half"[..], 8), (&b""[..], 8)], "it ends after 4 of 8 bytes"),
    ] {
        let mut bench = bench();
        let mut strange = Strange { parts, ..Strange::default() };
        let inputs = "{ source: 's3://b/k', destination: f }";
        let error = bench.run_with(&mut strange, "S3Download", inputs, no_limit()).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
        assert_eq!(bench.files("m"), Vec::<String>::new());
    }
}

#[test]
fn the_limit_ends_transfers() {
    let mut bench = bench();
    bench.write("m/f", "x");
    let over = Limit::starting_now(Some(Duration::ZERO));
    for (action, inputs) in [
        ("S3Download", "{ source: 's3://b/k', destination: g }"),
        ("S3Upload", "{ source: f, destination: 's3://b/k' }"),
    ] {
        let mut strange = Strange { parts: vec![(b"x", 1)], ..Strange::default() };
        let outcome = bench.run_with(&mut strange, action, inputs, over);
        assert!(matches!(outcome, Err(StepError::TimedOut { .. })), "{action}: {outcome:?}");
    }
    assert_eq!(bench.files("m"), ["f"]);
}

#[test]
fn a_file_becomes_an_object() {
    let mut bench = bench();
    bench.write("m/f", "content");
    bench.run("S3Upload", "{ source: f, destination: 's3://b/x/y' }").unwrap();
    bench.run("S3Upload", "{ source: f, destination: 's3://b/p/' }").unwrap();
    bench.run("S3Upload", "{ source: f, destination: 's3://b/' }").unwrap();
    assert_eq!(bench.files("bucket"), ["f", "p/f", "x/y"]);
    assert_eq!(bench.read("bucket/p/f"), "content");
    bench.fails("S3Upload", "{ source: none, destination: 's3://b/x' }", "cannot read");
    bench.fails("S3Upload", "{ source: /dev/null, destination: 's3://b/x' }", "/dev/null is not a file");
}

#[test]
fn patterns_and_folders_become_prefixes() {
    let mut bench = bench();
    for name in ["d/a.log", "d/b.log", "d/c.txt", "d/sub.log/e"] {
        bench.write(&format!("m/{name}"), name);
    }
    symlink(bench.folder.path().join("m/d/a.log"), bench.folder.path().join("m/d/sub.log/link")).unwrap();
    symlink("..", bench.folder.path().join("m/d/sub.log/circle")).unwrap();
    bench.run("S3Upload", "{ source: 'd/*.log', destination: 's3://b/one' }").unwrap();
    assert_eq!(bench.files("bucket/one"), ["a.log", "b.log"]);
    assert!(
        bench.lines[0].ends_with("sub.log is a folder and `recurse` is false; it is left out"),
        "{:?}",
        bench.lines
    );
    bench.run("S3Upload", "{ source: 'd/*.log', destination: 's3://b/two/', recurse: true }").unwrap();
    assert_eq!(bench.files("bucket/two"), ["a.log", "b.log", "sub.log/e", "sub.log/link"]);
    bench.run("S3Upload", "{ source: d, destination: 's3://b/all', recurse: 'true' }").unwrap();
    assert_eq!(bench.files("bucket/all"), ["a.log", "b.log", "c.txt", "sub.log/e", "sub.log/link"]);
    assert_eq!(bench.read("bucket/all/sub.log/link"), "d/a.log");
    bench.fails("S3Upload", "{ source: d, destination: 's3://b/x' }", "d is a folder: `recurse` must be true");
    bench.fails("S3Upload", "{ source: 'd/*.zip', destination: 's3://b/x' }", "there is no file to store");
}
