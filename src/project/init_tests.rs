//! What `init` writes.

use super::*;

#[test]
fn init_writes_a_project_that_loads_and_never_overwrites() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("My Images");
    let report = init(&dir, None).unwrap();
    assert_eq!(report.name, "my-images");
    let created: Vec<_> = report.created.iter().map(|path| path.to_str().unwrap()).collect();
    assert_eq!(created, ["amiforge.yaml", "recipes/debian-12.yaml", "components/baseline-config.yaml", ".gitignore"]);
    let project = load(&dir).unwrap_or_else(|found| panic!("{}", shown(&found)));
    assert_eq!(project.name, "my-images");
    assert_eq!(fs::read_to_string(dir.join(".gitignore")).unwrap(), ".amiforge/\n");

    fs::remove_file(dir.join("amiforge.yaml")).unwrap();
    let again = init(&dir, None).unwrap_err();
    assert_eq!(again.to_string(), "already there: recipes/debian-12.yaml, components/baseline-config.yaml");
    assert!(!dir.join("amiforge.yaml").exists());
    assert!(matches!(init(&dir, Some("Not A Name")), Err(InitError::Name { .. })));
    assert_eq!(init(&folder.path().join("p"), None).unwrap().name, "golden-images");
}

#[test]
fn init_leaves_nothing_behind_when_it_fails() {
    let folder = tempfile::tempdir().unwrap();
    // `components` is a file, so its folder cannot be made after the recipe has been written.
    fs::write(folder.path().join("components"), "").unwrap();
    assert!(matches!(init(folder.path(), Some("acme")), Err(InitError::Io { .. })));
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["components"]);
}

#[test]
fn init_adds_to_a_gitignore_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".gitignore");
    fs::write(&path, "target").unwrap();
    init(folder.path(), Some("acme")).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "target\n.amiforge/\n");
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join(".gitignore"), "/.amiforge\n").unwrap();
    let report = init(other.path(), Some("acme")).unwrap();
    assert_eq!(report.created.len(), 3);
}
