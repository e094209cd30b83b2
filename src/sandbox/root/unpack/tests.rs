use super::*;
use crate::sandbox::sys;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use tar::{EntryType, Header};

/// A tar that may hold anything.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn member(mut self, path: &str, kind: EntryType, target: &str, mode: u32, content: &[u8]) -> Self {
        let mut header = Header::new_ustar();
        // Set as bytes: the crate's own setters refuse what is to be tried here.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        header.set_mtime(1_600_000_000);
        header.set_uid(u64::from(nix::unistd::getuid().as_raw()));
        header.set_gid(u64::from(nix::unistd::getgid().as_raw()));
        header.set_device_major(1).unwrap();
        header.set_device_minor(3).unwrap();
        header.set_cksum();
        self.raw(&header, content)
    }

    fn raw(&mut self, header: &Header, content: &[u8]) -> Self {
        let mut bytes = std::mem::take(&mut self.0);
        bytes.extend(header.as_bytes());
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        Self(bytes)
    }

    fn file(self, path: &str, content: &str) -> Self {
        self.member(path, EntryType::Regular, "", 0o644, content.as_bytes())
    }

    fn folder(self, path: &str, mode: u32) -> Self {
        self.member(path, EntryType::Directory, "", mode, b"")
    }

    fn soft(self, path: &str, target: &str) -> Self {
        self.member(path, EntryType::Symlink, target, 0o777, b"")
    }

    fn hard(self, path: &str, target: &str) -> Self {
        self.member(path, EntryType::Link, target, 0o644, b"")
    }

    fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut text = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut length = rest + 1;
            while length != rest + length.to_string().len() {
                length = rest + length.to_string().len();
            }
            text.extend(format!("{length} {key}=").into_bytes());
            text.extend(*value);
            text.push(b'\n');
        }
        self.member("pax", EntryType::XHeader, "", 0o644, &text)
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }
}

/// A root to fill, with something beside it that must not be touched.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("root")).unwrap();
        fs::create_dir(folder.path().join("outside")).unwrap();
        fs::write(folder.path().join("outside/secret"), "secret").unwrap();
        fs::set_permissions(folder.path().join("outside"), fs::Permissions::from_mode(0o750)).unwrap();
        Self { folder }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn unpack(&self, layers: &[Vec<u8>], marks: bool) -> Result<Tally, String> {
        let mut filling = Filling::new(&self.root(), 1 << 20).unwrap();
        for layer in layers {
            filling.apply(layer.as_slice(), marks).map_err(told)?;
        }
        filling.finish().map_err(told)
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root().join(path)).ok()
    }

    fn assert_untouched(&self, what: &str) {
        let outside = self.folder.path().join("outside");
        let names = |folder: &Path| {
            let mut names: Vec<String> =
                fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        assert_eq!(names(self.folder.path()), ["outside", "root"], "{what}");
        assert_eq!(names(&outside), ["secret"], "{what}");
        assert_eq!(fs::read_to_string(outside.join("secret")).unwrap(), "secret", "{what}");
        let secret = fs::metadata(outside.join("secret")).unwrap();
        assert_eq!((secret.nlink(), fs::metadata(&outside).unwrap().mode() & 0o7777), (1, 0o750), "{what}");
        assert!(!Path::new("/amiforge-was-here").exists(), "{what}");
    }
}

fn told(refused: Refused) -> String {
    format!("{}: {}", refused.member.unwrap_or_default(), refused.why)
}

/// What to say of it (`None`: it is unpacked), the archive.
fn hostile() -> Vec<(Option<&'static str>, Tar)> {
    let mut endless = Header::new_gnu();
    endless.set_path("endless").unwrap();
    endless.set_size(u64::MAX >> 2);
    endless.set_mode(0o644);
    endless.set_cksum();
    let mut names = Header::new_gnu();
    names.set_entry_type(EntryType::GNULongName);
    names.set_size(1 << 30);
    names.set_cksum();
    let mut sparse = Header::new_gnu();
    sparse.set_entry_type(EntryType::GNUSparse);
    sparse.set_size(0);
    sparse.set_cksum();
    let t = Tar::default;
    vec![
        (Some("its name has `..`"), t().file("../escape", "x")),
        (Some("its name has `..`"), t().file("a/../../escape", "x")),
        (Some("its name has `..`"), t().folder("../outside", 0o777)),
        (Some("its name has `..`"), t().soft("../escape", "x")),
        (Some("its name has `..`"), t().pax(&[("path", b"../escape")]).file("harmless", "x")),
        (None, t().file("/amiforge-was-here", "x")),
        (None, t().file("//amiforge-was-here", "x")),
        (None, t().soft("link", "..").file("link/escape", "x")),
        (None, t().soft("link", "/").file("link/amiforge-was-here", "x")),
        (Some("a link that leads nowhere"), t().soft("link", "../outside").file("link/escape", "x")),
        (Some("a link that leads nowhere"), t().soft("link", "../../../../../../tmp").file("link/escape", "x")),
        (None, t().soft("link", "../outside").folder("link", 0o777)),
        (None, t().soft("secret", "../outside/secret").file("secret", "mine")),
        (None, t().folder("d", 0o777).soft("d", "../outside")),
        (None, t().folder("outside", 0o777).soft("link", "../outside").file("link/escape", "x")),
        (Some("links on the way to it lead in circles"), t().soft("a", "b").soft("b", "a").file("a/x", "x")),
        (Some("which would lie outside"), t().hard("mine", "../outside/secret")),
        (Some("which is not there"), t().hard("mine", "/etc/hostname")),
        (Some("which is not there"), t().soft("link", "../outside").hard("mine", "link/secret")),
        (None, t().soft("link", "../outside/secret").hard("mine", "link").file("mine", "x")),
        (Some("which is a folder"), t().folder("d", 0o755).hard("mine", "d")),
        (Some("which is itself"), t().file("mine", "x").hard("mine", "./mine")),
        (None, t().member("null", EntryType::Char, "", 0o666, b"")),
        (None, t().member("disk", EntryType::Block, "", 0o666, b"")),
        (None, t().member("pipe", EntryType::Fifo, "", 0o666, b"").file("pipe", "no longer one")),
        (
            Some("something on the way to it is no folder"),
            t().member("pipe", EntryType::Fifo, "", 0o666, b"").file("pipe/x", "x"),
        ),
        (Some("something on the way to it is no folder"), t().file("file", "x").file("file/x", "x")),
        (Some("it takes the place of the root itself"), t().file(".", "x")),
        (Some("it takes the place of the root itself"), t().soft("/", "../outside")),
        (Some("it would remove a folder itself"), t().file(".wh.", "")),
        (Some("it would remove a folder itself"), t().file(".wh..", "")),
        (Some("it would remove a folder itself"), t().file(".wh...", "")),
        (Some("a link that leads nowhere"), t().soft("link", "../outside").file("link/.wh.secret", "")),
        (Some("a link that leads nowhere"), t().soft("link", "../outside").file("link/.wh..wh..opq", "")),
        (None, t().soft("link", "../outside").file(".wh.link", "")),
        (Some("does not fit into the 1 MiB"), t().raw(&endless, b"")),
        (Some("does not fit into the 1 MiB"), t().pax(&[("size", b"99999999999")]).file("x", "x")),
        (Some("names and attributes of a member have 1073741824 bytes"), t().raw(&names, b"")),
        (Some("the extension of a member cannot be read"), t().member("p", EntryType::XHeader, "", 0, b"99 path=x\n")),
        (Some("a sparse file"), t().raw(&sparse, b"")),
        (Some("a sparse file"), t().pax(&[("GNU.sparse.major", b"1")]).file("x", "x")),
        (Some("of an unknown kind"), t().member("odd", EntryType::new(b'Z'), "", 0, b"")),
        (Some("File name too long"), t().pax(&[("path", &[b'n'; 300])]).file("x", "x")),
        (Some("zero byte"), t().pax(&[("path", b"a\0b")]).file("x", "x")),
        (Some("a time is no number"), t().pax(&[("mtime", b"then")]).file("x", "x")),
        (None, t().pax(&[("uid", b"4294967295"), ("gid", b"99999999999")]).file("x", "x")),
    ]
}

#[test]
fn hostile_archives_leave_nothing_outside() {
    for (at, (expected, archive)) in hostile().into_iter().enumerate() {
        let scene = Scene::new();
        let result = scene.unpack(&[archive.end()], true);
        let what = format!("case {at}: {result:?}, expected {expected:?}");
        scene.assert_untouched(&what);
        match (&result, expected) {
            (Ok(_), None) => {}
            (Err(text), Some(expected)) => assert!(text.contains(expected), "{what}"),
            _ => panic!("{what}"),
        }
        let devices = |path: &Path| {
            let kind = fs::symlink_metadata(path).unwrap().file_type();
            kind.is_char_device() || kind.is_block_device()
        };
        assert!(fs::read_dir(scene.root()).unwrap().all(|entry| !devices(&entry.unwrap().path())), "{what}");
    }
}

#[test]
fn links_lead_where_they_would_inside() {
    let scene = Scene::new();
    let archive = Tar::default()
        .folder("usr/lib", 0o755)
        .soft("lib", "usr/lib")
        .soft("abs", "/usr/lib")
        .file("lib/a", "a")
        .file("abs/b", "b")
        .hard("c", "lib/a");
    scene.unpack(&[archive.end()], false).unwrap();
    assert_eq!((scene.read("usr/lib/a").as_deref(), scene.read("usr/lib/b").as_deref()), (Some("a"), Some("b")));
    assert_eq!(fs::metadata(scene.root().join("c")).unwrap().nlink(), 2);
}

#[test]
fn layers_remove_what_their_marks_say_and_nothing_of_their_own() {
    let below = || {
        let t = Tar::default().file("gone", "1").file("d/old", "1").file("d/kept", "1").file("e/old", "1");
        t.file("e/sub/old", "1")
            .folder("f", 0o755)
            .file("f/x", "1")
            .soft("lib", "e")
            .file("file", "1")
            .folder("dir", 0o700)
    };
    let above = Tar::default()
        .file(".wh.gone", "")
        .file("d/.wh.old", "")
        .file("e/sub/new", "2") // before the mark that empties its folder
        .file("e/.wh..wh..opq", "")
        .file("e/new", "2")
        .file("f/x", "2") // brought and removed by the same layer: it stays
        .file("f/.wh.x", "")
        .folder("file", 0o711)
        .file("dir", "2")
        .file(".wh..wh.plnk", "of a storage driver");
    let scene = Scene::new();
    scene.unpack(&[below().end(), above.end()], true).unwrap();
    let all = found(&scene.root());
    let names: Vec<&str> = all.keys().map(String::as_str).collect();
    assert_eq!(names, ["d", "d/kept", "dir", "e", "e/new", "e/sub", "e/sub/new", "f", "f/x", "file", "lib"]);
    assert_eq!((scene.read("dir").as_deref(), scene.read("f/x").as_deref()), (Some("2"), Some("2")));
    assert_eq!(fs::metadata(scene.root().join("file")).unwrap().mode() & 0o7777, 0o711);
    // A tar of a root filesystem has no marks: the names mean themselves.
    let plain = Scene::new();
    plain.unpack(&[Tar::default().file(".wh.gone", "x").end()], false).unwrap();
    assert_eq!(plain.read(".wh.gone").as_deref(), Some("x"));
}

#[test]
fn a_mark_over_a_link_empties_the_folder_it_leads_to() {
    let below = Tar::default().file("usr/lib/old", "1").soft("lib", "usr/lib");
    let above = Tar::default().file("lib/.wh.old", "").file("usr/lib/new", "2");
    let scene = Scene::new();
    scene.unpack(&[below.end(), above.end()], true).unwrap();
    assert_eq!(scene.read("usr/lib/old"), None);
    assert_eq!(scene.read("usr/lib/new").as_deref(), Some("2"));
}

#[test]
fn modes_times_and_attributes_are_kept_and_overlay_marks_are_not() {
    let scene = Scene::new();
    let archive = Tar::default()
        .pax(&[
            ("mtime", b"1600000001.250000000"),
            ("SCHILY.xattr.user.note", b"two\nlines=1"),
            ("SCHILY.xattr.user.overlay.opaque", b"y"),
            ("SCHILY.xattr.trusted.overlay.opaque", b"y"),
            ("SCHILY.xattr.security.selinux", b"x"),
        ])
        .file("set-id", "x")
        .folder("closed", 0o000)
        .file("closed/inner", "reached all the same")
        .folder(".", 0o751);
    let tally = scene.unpack(&[archive.end()], false).unwrap();
    let file = scene.root().join("set-id");
    let metadata = fs::metadata(&file).unwrap();
    assert_eq!((metadata.mtime(), metadata.mtime_nsec()), (1_600_000_001, 250_000_000));
    assert_eq!(sys::attribute(&file, "user.note").unwrap().as_deref(), Some(b"two\nlines=1".as_slice()));
    assert_eq!(sys::attribute(&file, "user.overlay.opaque").unwrap(), None);
    assert_eq!((tally.attributes, tally.members, tally.bytes), (3, 4, 21));
    assert_eq!(fs::metadata(scene.root().join("closed")).unwrap().mode() & 0o7777, 0);
    assert_eq!(fs::metadata(scene.root().join("closed")).unwrap().mtime(), 1_600_000_000);
    assert_eq!(fs::metadata(scene.root()).unwrap().mode() & 0o7777, 0o751);
    assert!(tally.notes()[0].starts_with("3 extended attributes"), "{:?}", tally.notes());
    fs::set_permissions(scene.root().join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_cut_archive_is_an_error_and_an_empty_one_is_not() {
    let whole = Tar::default().file("a", "content").folder("d", 0o755).end();
    for length in [1, 511, 513, 515, 1023] {
        let error = Scene::new().unpack(&[whole[..length].to_vec()], false).unwrap_err();
        assert!(error.contains("in the middle of"), "{length}: {error}");
    }
    // Some writers leave the blocks of zeros out.
    assert_eq!(Scene::new().unpack(&[whole[..1536].to_vec()], false).unwrap().members, 2);
    assert_eq!(Scene::new().unpack(&[Vec::new()], false).unwrap().members, 0);
    assert!(Scene::new().unpack(&[b"no tar at all".repeat(100)], false).unwrap_err().contains("it is no tar"));
}

#[test]
fn every_dialect_of_gnu_tar_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    let long = "a-name-of-some-length/".repeat(9);
    fs::create_dir_all(from.join(&long)).unwrap();
    fs::write(from.join("short"), "s").unwrap();
    fs::set_permissions(from.join("short"), fs::Permissions::from_mode(0o4750)).unwrap();
    std::os::unix::fs::symlink("short", from.join("link")).unwrap();
    fs::hard_link(from.join("short"), from.join("same")).unwrap();
    nix::unistd::mkfifo(&from.join("pipe"), nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    for format in ["gnu", "pax", "posix", "oldgnu", "ustar", "v7"] {
        // v7 has no pipes and no long names, ustar no names that cannot be split.
        let names: &[&str] = if format == "v7" { &["short", "link", "same"] } else { &["."] };
        if ["gnu", "pax", "posix", "oldgnu"].contains(&format) {
            fs::write(from.join(&long).join("deep"), "d").unwrap();
            std::os::unix::fs::symlink("x".repeat(150), from.join("far")).unwrap();
        }
        let output = std::process::Command::new("tar")
            .arg(format!("--format={format}"))
            .args(["-C", from.to_str().unwrap(), "-cf", "-"])
            .args(names)
            .output()
            .unwrap();
        assert!(output.status.success(), "{format}: {}", String::from_utf8_lossy(&output.stderr));
        let scene = Scene::new();
        scene.unpack(&[output.stdout], false).unwrap_or_else(|error| panic!("{format}: {error}"));
        let (expected, got) = (found(&from), found(&scene.root()));
        if format == "v7" {
            assert_eq!(got["same"], expected["same"]);
        } else {
            assert_eq!(got, expected, "{format}");
        }
        assert_eq!(fs::metadata(scene.root().join("same")).unwrap().nlink(), 2, "{format}");
        let _ = fs::remove_file(from.join("far"));
    }
}

/// What lies below a folder: kind with mode, and content or target.
fn found(root: &Path) -> BTreeMap<String, (u32, String)> {
    fn walk(root: &Path, folder: &Path, all: &mut BTreeMap<String, (u32, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let content = if metadata.is_symlink() {
                fs::read_link(&path).unwrap().display().to_string()
            } else if metadata.is_file() {
                fs::read_to_string(&path).unwrap()
            } else {
                String::new()
            };
            all.insert(path.strip_prefix(root).unwrap().display().to_string(), (metadata.mode(), content));
            if metadata.is_dir() {
                walk(root, &path, all);
            }
        }
    }
    let mut all = BTreeMap::new();
    walk(root, root, &mut all);
    all
}

fn some_tar() -> Tar {
    Tar::default()
        .folder("d", 0o755)
        .file("d/a", "content of a")
        .soft("link", "../outside")
        .hard("d/b", "d/a")
        .pax(&[("path", b"d/long"), ("SCHILY.xattr.user.x", b"1")])
        .file("d/l", "long")
        .file("d/.wh.a", "")
        .file("link2", "x")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_damage_to_an_archive_reaches_the_outside(changes in prop::collection::vec((0_usize..6000, any::<u8>()), 1..12), mend in any::<bool>()) {
        let mut bytes = some_tar().end();
        let length = bytes.len();
        for (at, byte) in &changes {
            bytes[at % length] = *byte;
        }
        // With right checksums the damage gets past the first look.
        for at in (0..length - 1024).step_by(512).filter(|_| mend) {
            let mut header = Header::new_old();
            header.as_mut_bytes().copy_from_slice(&bytes[at..at + 512]);
            if &header.as_bytes()[257..262] == b"ustar" {
                header.set_cksum();
                bytes[at..at + 512].copy_from_slice(header.as_bytes());
            }
        }
        let scene = Scene::new();
        let _ = scene.unpack(&[bytes], true);
        scene.assert_untouched("damaged");
    }

    #[test]
    fn what_the_tar_crate_writes_is_read(
        files in prop::collection::btree_map("[a-zé]{1,60}(/[a-z]{1,60}){0,3}", prop::collection::vec(any::<u8>(), 0..700), 1..6),
    ) {
        let mut builder = tar::Builder::new(Vec::new());
        let mut expected = BTreeMap::new();
        for (path, content) in &files {
            // A name that is a folder of another one cannot be a file as well.
            if files.keys().any(|other| other != path && (other.starts_with(&format!("{path}/")))) {
                continue;
            }
            let mut header = Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o640);
            builder.append_data(&mut header, path, content.as_slice()).unwrap();
            expected.insert(path.clone(), content.clone());
        }
        let scene = Scene::new();
        scene.unpack(&[builder.into_inner().unwrap()], false).unwrap();
        for (path, content) in expected {
            prop_assert_eq!(&fs::read(scene.root().join(&path)).unwrap(), &content);
        }
    }
}
