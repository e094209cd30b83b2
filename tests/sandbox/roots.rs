//! Where roots come from: images, tars and folders become roots that run; the cache keeps them, notices damage and gives
//! them back.

use crate::Test;
use crate::bench::{self, run, sh, shell, spec};
use crate::support::image::{self, Image, Layer};
use amiforge::sandbox::root::{Cache, Obtained, Policy, Source, State, obtain, planned};
use amiforge::sandbox::{Exit, Instance, Line, SandboxError};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

pub const TESTS: &[Test] = &[
    ("roots::images_of_every_form_run", images_of_every_form_run),
    ("roots::images_that_cannot_be_believed_are_refused", images_that_cannot_be_believed_are_refused),
    ("roots::the_image_meant_is_found", the_image_meant_is_found),
    ("roots::tars_of_every_compression_are_unpacked", tars_of_every_compression_are_unpacked),
    ("roots::a_folder_is_used_where_it_is", a_folder_is_used_where_it_is),
    ("roots::what_is_used_is_never_pruned", what_is_used_is_never_pruned),
    ("roots::damage_is_noticed_and_mended", damage_is_noticed_and_mended),
    ("roots::processes_at_once_make_one_root", processes_at_once_make_one_root),
    ("roots::a_killed_process_leaves_nothing_for_long", a_killed_process_leaves_nothing_for_long),
    ("roots::a_hostile_layer_reaches_nothing", a_hostile_layer_reaches_nothing),
];

/// A source out of its text.
pub fn source(text: &str) -> Source {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// A cache of one test.
pub fn cache() -> Cache {
    Cache::new(bench::place("cache"))
}

/// The root and what was said while it was obtained.
pub fn get(text: &str, cache: &Cache) -> Result<(Obtained, Vec<String>), SandboxError> {
    let mut said = Vec::new();
    let obtained = obtain(&source(text), cache, &mut |line| match line {
        Line::Out(text) | Line::Err(text) => said.push(text),
    })?;
    Ok((obtained, said))
}

fn refused(text: &str, cache: &Cache) -> String {
    let error = get(text, cache).map(|(obtained, _)| obtained.path).unwrap_err();
    assert_eq!(left(cache), Vec::<String>::new(), "{text} has left something");
    error.to_string()
}

/// What is in the cache beside locks.
fn left(cache: &Cache) -> Vec<String> {
    let files = fs::read_dir(cache.folder().join("roots")).into_iter().flatten().flatten();
    let names = files.map(|file| file.file_name().into_string().unwrap());
    names.filter(|name| Path::new(name).extension().is_none_or(|end| end != "lock")).collect()
}

fn place(name: &str) -> PathBuf {
    let folder = bench::place(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Proves that the usual image is there with everything its layers say.
pub fn check_usual(obtained: &Obtained) {
    let instance = Instance::start(&spec(vec![obtained.path.clone()])).unwrap();
    assert_eq!(sh(&instance, "ls /etc/old /srv/tree/old 2>/dev/null || ls /srv/tree"), "new");
    // With a single id all files are root's.
    let owner = if bench::mode() == "userns-fake" { "0:0" } else { "33:33" };
    assert_eq!(sh(&instance, "stat -c '%u:%g %a %h' /srv/owned /srv/same"), format!("{owner} 4711 2\n{owner} 4711 2"));
    assert_eq!(sh(&instance, "stat -c '%Y' /srv/owned"), "1600000000");
    assert_eq!(sh(&instance, "cat /usr/bin/of-the-top"), "written through a link");
    assert!(obtained.notes.iter().any(|note| note.starts_with("1 device nodes are left out")), "{:?}", obtained.notes);
}

fn images_of_every_form_run() {
    let (image, folder, cache) = (Image::usual(), place("image"), cache());
    image::write_layout(&folder.join("layout"), &[("latest", &image)]);
    fs::write(folder.join("saved.tar"), image.saved("app:1")).unwrap();
    fs::write(folder.join("saved.tar.gz"), crate::support::archive::gzip(&image.saved("app:1"))).unwrap();
    let packed = Command::new("tar").args(["-C", "layout", "-cf", "layout.tar", "."]).current_dir(&folder).status();
    assert!(packed.unwrap().success());
    let at = |name: &str| format!("image:{}", folder.join(name).display());
    let (first, said) = get(&at("layout"), &cache).unwrap();
    check_usual(&first);
    assert!(said.iter().any(|line| line.starts_with("unpacking 2 layers of image:")), "{said:?}");
    assert!(first.size > 1_000_000, "{}", first.size);
    for other in ["layout.tar", "saved.tar", "saved.tar.gz", "saved.tar#app:1", "layout#latest"] {
        // The same image in another form is the same root, and is not unpacked again.
        let (again, said) = get(&at(other), &cache).unwrap();
        assert_eq!((again.path, again.digest, said), (first.path.clone(), first.digest.clone(), Vec::new()), "{other}");
    }
    // And each of them by itself.
    for other in ["layout.tar", "saved.tar.gz"] {
        let own = Cache::new(bench::place("cache"));
        check_usual(&get(&at(other), &own).unwrap().0);
        assert_eq!(left(&own).len(), 1);
    }
}

fn images_that_cannot_be_believed_are_refused() {
    let cache = cache();
    let image = Image::new(vec![Layer::new().file("etc/a", "content").end(), Layer::new().file("etc/b", "b").end()]);
    let parts = image.parts();
    let layout = |name: &str, change: &dyn Fn(&Path)| {
        let folder = place(name);
        image::write_layout(&folder, &[("latest", &image)]);
        change(&folder);
        refused(&format!("image:{}", folder.display()), &cache)
    };
    let blob = |digits: &str| Path::new("blobs/sha256").join(digits);
    for digits in parts.blobs.keys() {
        let text = layout("flipped", &|folder| {
            let path = folder.join(blob(digits));
            let mut bytes = fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&path, bytes).unwrap();
        });
        assert!(text.contains("is damaged: its bytes have the digest") && text.contains(&digits[..12]), "{text}");
        let text = layout("cut", &|folder| {
            let path = folder.join(blob(digits));
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[1..]).unwrap();
        });
        assert!(text.contains(" bytes, and not "), "{text}");
        let text = layout("missing", &|folder| fs::remove_file(folder.join(blob(digits))).unwrap());
        assert!(text.contains("is missing"), "{text}");
        let text = layout("linked", &|folder| {
            let path = folder.join(blob(digits));
            fs::rename(&path, folder.join("elsewhere")).unwrap();
            std::os::unix::fs::symlink("../../elsewhere", &path).unwrap();
        });
        assert!(text.contains("is missing"), "{text}");
    }
    let text = layout("index", &|folder| fs::write(folder.join("index.json"), "{").unwrap());
    assert!(text.contains("index.json cannot be read"), "{text}");
    let saved = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = image.saved("app:1");
        change(&mut bytes);
        let path = place(name).join("saved.tar");
        fs::write(&path, bytes).unwrap();
        refused(&format!("image:{}", path.display()), &cache)
    };
    let replace = |bytes: &mut Vec<u8>, from: &str, to: &str| {
        let text: Vec<u8> = from.bytes().collect();
        let mut at = 0;
        while let Some(found) = bytes[at..].windows(text.len()).position(|window| window == text) {
            bytes[at + found..at + found + text.len()].copy_from_slice(to.as_bytes());
            at += found + text.len();
        }
    };
    let text = saved("changed", &|bytes| replace(bytes, "content", "CONTENT"));
    assert!(text.contains("its content has the digest sha256:") && text.contains("as the image says"), "{text}");
    let text = saved("renamed", &|bytes| replace(bytes, "linux", "linus"));
    assert!(text.contains("and not the one of its name"), "{text}");
    let first = image::digits(&image.layers[0]);
    let text = saved("outside", &|bytes| replace(bytes, &format!("\"{}", &first[..10]), "\"../../../x"));
    assert!(text.contains("is missing"), "{text}");
    let text = saved("truncated", &|bytes| bytes.truncate(bytes.len() / 2));
    assert!(text.contains("it is cut off") || text.contains("neither an index.json"), "{text}");
    let path = place("no-image").join("x.tar");
    fs::write(&path, Layer::new().file("etc/a", "x").end()).unwrap();
    let text = refused(&format!("image:{}", path.display()), &cache);
    assert!(text.contains("a root filesystem is tar:PATH"), "{text}");
    assert!(refused("image:/nonexistent.tar", &cache).contains("/nonexistent.tar cannot be read"));
    fs::write(&path, image.saved("app:1")).unwrap();
    let text = refused(&format!("tar:{}", path.display()), &cache);
    assert!(text.contains("it holds an image") && text.contains("mend it with: write image:"), "{text}");
}

fn the_image_meant_is_found() {
    let cache = cache();
    let layer = |text: &str| Layer::new().file("etc/which", text).end();
    let (one, two) = (Image::new(vec![layer("one")]), Image::new(vec![layer("two")]));
    let foreign = Image { layers: vec![layer("foreign")], architecture: "s390x" };
    let folder = place("several");
    image::write_layout(&folder, &[("host/one:1", &one), ("two", &two), ("foreign", &foreign)]);
    let text = |name: &str| format!("image:{}{name}", folder.display());
    let which = |name: &str| fs::read_to_string(get(&text(name), &cache).unwrap().0.path.join("etc/which")).unwrap();
    if nix::unistd::geteuid().is_root() {
        assert_eq!((which("#one:1"), which("#two")), ("one".into(), "two".into()));
    }
    let wrong = |name: &str| get(&text(name), &cache).map(|(obtained, _)| obtained.path).unwrap_err().to_string();
    let several = wrong("");
    assert!(several.contains("more than one image") && several.contains("host/one:1, two"), "{several}");
    assert!(wrong("#three").contains("no image called `three`"), "{}", wrong("#three"));
    let other = wrong("#foreign");
    assert!(
        other.contains(&format!("nothing for linux/{}", image::ARCHITECTURE)) && other.contains("s390x"),
        "{other}"
    );
    // What does not say in the index what it is for says so in its configuration.
    let path = folder.join("foreign.tar");
    fs::write(&path, foreign.saved("x:1")).unwrap();
    let other = get(&format!("image:{}", path.display()), &cache).map(|(obtained, _)| obtained.path).unwrap_err();
    assert!(other.to_string().contains("it is for linux/s390x"), "{other}");
}

fn tars_of_every_compression_are_unpacked() {
    let (folder, cache) = (place("tar"), cache());
    let tar = folder.join("root.tar");
    // Marks mean nothing here: it is no layer.
    fs::write(&tar, Layer::new().programs(&["/bin/sh", "/bin/ls"]).file("srv/.wh.x", "a name").end()).unwrap();
    let check = |path: &Path| {
        let cache = Cache::new(bench::place("cache"));
        let (obtained, said) = get(&format!("tar:{}", path.display()), &cache).unwrap();
        assert!(said[0].starts_with("unpacking tar:"), "{said:?}");
        let instance = Instance::start(&spec(vec![obtained.path.clone()])).unwrap();
        assert_eq!(sh(&instance, "ls -A /srv"), ".wh.x");
        let again = get(&format!("tar:{}", path.display()), &cache).unwrap();
        assert_eq!((again.0.path, again.1), (obtained.path, Vec::new()));
    };
    check(&tar);
    for (program, arguments, end) in [("gzip", "-1", "gz"), ("zstd", "-1", "zst"), ("xz", "-0", "xz")] {
        let packed = folder.join(format!("root.tar.{end}"));
        let output = Command::new(program).args([arguments, "-c"]).arg(&tar).output();
        match output {
            Ok(output) if output.status.success() => fs::write(&packed, output.stdout).unwrap(),
            // What happens without the program is told by the error; CI has both.
            _ => continue,
        }
        check(&packed);
    }
    fs::write(&tar, b"no tar at all, but longer than a block of one".repeat(40)).unwrap();
    let text = refused(&format!("tar:{}", tar.display()), &cache);
    assert!(text.contains("root.tar cannot be unpacked: it is no tar, or damaged"), "{text}");
}

fn a_folder_is_used_where_it_is() {
    let cache = cache();
    let text = format!("dir:{}", bench::base().display());
    let (obtained, said) = get(&text, &cache).unwrap();
    assert_eq!((obtained.path.clone(), said.len()), (bench::base(), 0));
    assert_eq!(planned(&source(&text), &cache).unwrap(), Some(obtained.digest.clone()));
    let instance = Instance::start(&spec(vec![obtained.path])).unwrap();
    sh(&instance, "echo changed >/etc/os-release");
    assert_eq!(get(&text, &cache).unwrap().0.digest, obtained.digest);
    assert!(!cache.folder().join("roots").join(&obtained.digest).exists());
    assert!(refused("dir:/nonexistent", &cache).contains("the folder cannot be read"));
}

/// A tar of a small root, told apart by a word.
fn small(word: &str) -> String {
    let path = place("small").join("root.tar");
    fs::write(&path, Layer::new().programs(&["/bin/sh", "/bin/cat"]).file("etc/word", word).end()).unwrap();
    format!("tar:{}", path.display())
}

fn what_is_used_is_never_pruned() {
    let cache = cache();
    let (used, _) = get(&small("used"), &cache).unwrap();
    let project = place("project");
    let pinned = {
        let (pinned, _) = get(&small("pinned"), &cache).unwrap();
        pinned.pin(&project).unwrap();
        pinned.path.clone()
    };
    let idle = get(&small("idle"), &cache).unwrap().0.path.clone();
    let everything = Policy { all: true, ..Policy::default() };
    let why = |policy: Policy| -> Vec<(PathBuf, bool, String)> {
        let decisions = cache.prune(policy, SystemTime::now()).unwrap();
        let roots = cache.folder().join("roots");
        decisions.into_iter().map(|d| (roots.join(d.entry.key).join("root"), d.remove, d.why)).collect()
    };
    let find = |all: &[(PathBuf, bool, String)], path: &Path| {
        all.iter().find(|(found, ..)| found == path).map(|(_, remove, why)| (*remove, why.clone())).unwrap()
    };
    let dry = why(Policy { dry_run: true, ..everything });
    assert!(find(&dry, &idle).0 && idle.exists());
    // By its age nothing goes that was used just now; all of it goes seen from the future.
    assert!(why(Policy { older_than: Some(Duration::from_hours(1)), ..Policy::default() }).iter().all(|d| !d.1));
    let done = why(everything);
    assert_eq!(find(&done, &used.path), (false, "a process uses it".into()));
    let (removed, said) = find(&done, &pinned);
    assert!(!removed && said.contains(&*project.to_string_lossy()), "{said}");
    assert!(find(&done, &idle).0 && !idle.exists() && used.path.exists() && pinned.exists());
    let instance = Instance::start(&spec(vec![used.path.clone()])).unwrap();
    assert_eq!(sh(&instance, "cat /etc/word"), "used");
    drop((instance, used));
    fs::remove_dir(&project).unwrap();
    assert_eq!(why(everything).iter().filter(|d| d.1).count(), 2);
    assert_eq!(cache.list().unwrap(), []);
    assert_eq!(fs::read_dir(cache.folder().join("roots")).unwrap().count(), 0, "locks are left");
}

fn damage_is_noticed_and_mended() {
    let cache = cache();
    let text = small("right");
    let damages: [&dyn Fn(&Path); 4] = [
        &|entry| fs::write(entry.join("root/etc/word"), "wrong").unwrap(),
        &|entry| fs::remove_file(entry.join("root/etc/word")).unwrap(),
        &|entry| fs::write(entry.join("entry.json"), "{").unwrap(),
        &|entry| fs::remove_dir_all(entry.join("root")).unwrap(),
    ];
    for (at, damage) in damages.iter().enumerate() {
        let (obtained, _) = get(&text, &cache).unwrap();
        damage(obtained.path.parent().unwrap());
        if at == 0 {
            // Somebody uses it: it is not pulled from under their feet.
            let error = get(&text, &cache).map(|(obtained, _)| obtained.path).unwrap_err();
            assert!(matches!(error, SandboxError::Busy { .. }), "{error}");
        }
        drop(obtained);
        let (mended, said) = get(&text, &cache).unwrap();
        assert!(said[0].contains("is damaged") && said[0].contains("made again"), "{at}: {said:?}");
        assert_eq!(fs::read_to_string(mended.path.join("etc/word")).unwrap(), "right", "{at}");
    }
    // The list notices what does not say what it is.
    let (obtained, _) = get(&text, &cache).unwrap();
    fs::write(obtained.path.parent().unwrap().join("entry.json"), "{").unwrap();
    drop(obtained);
    assert!(matches!(cache.list().unwrap()[0].state, State::Damaged(_)));
    assert!(cache.prune(Policy::default(), SystemTime::now()).unwrap()[0].remove);
    assert_eq!(left(&cache), Vec::<String>::new());
}

/// The other half of the tests below: obtains a root in a process of its own and says what was said.
pub fn obtain_in_child(folder: &str, text: &str) {
    match get(text, &Cache::new(folder)) {
        Ok((obtained, said)) => {
            for line in said {
                println!("{line}");
            }
            println!("obtained {}", obtained.path.display());
        }
        Err(error) => {
            println!("{error}");
            std::process::exit(1);
        }
    }
}

/// Such a process.
pub fn child(cache: &Cache, text: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg("--obtain").arg(cache.folder()).arg(text).stdin(Stdio::null()).stdout(Stdio::piped());
    command.arg0("obtain");
    command
}

fn processes_at_once_make_one_root() {
    let cache = cache();
    let text = small("many");
    let children: Vec<Child> = (0..4).map(|_| child(&cache, &text).spawn().unwrap()).collect();
    let said: Vec<String> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "{text}");
            text
        })
        .collect();
    assert_eq!(said.iter().filter(|text| text.contains("unpacking tar:")).count(), 1, "{said:#?}");
    let paths: std::collections::BTreeSet<&str> = said.iter().filter_map(|text| text.lines().last()).collect();
    assert_eq!(paths.len(), 1, "{paths:?}");
}

fn a_killed_process_leaves_nothing_for_long() {
    let cache = cache();
    let text = small("killed");
    // Whenever the blow falls, what follows must hold.
    for patience in (0_u64..60).step_by(6) {
        let mut victim = child(&cache, &text).spawn().unwrap();
        nix::poll::poll(&mut [], nix::poll::PollTimeout::from(u8::try_from(patience).unwrap())).unwrap();
        victim.kill().unwrap();
        victim.wait().unwrap();
        let whole = cache.list().unwrap().iter().filter(|entry| entry.state == State::Idle).count();
        let pruned = cache.prune(Policy { all: true, ..Policy::default() }, SystemTime::now()).unwrap();
        // In user namespaces the work is done by a process that ends a moment later.
        bench::eventually("the leftovers can be removed", || {
            cache.prune(Policy { all: true, ..Policy::default() }, SystemTime::now()).unwrap();
            left(&cache).is_empty()
        });
        assert!(whole <= 1, "{pruned:?}");
    }
    let (obtained, _) = get(&text, &cache).unwrap();
    assert_eq!(fs::read_to_string(obtained.path.join("etc/word")).unwrap(), "killed");
}

fn a_hostile_layer_reaches_nothing() {
    let cache = cache();
    let outside = bench::place("outside");
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    let below = Layer::new()
        .programs(&["/bin/sh", "/bin/cat"])
        .soft("out", &outside.display().to_string())
        .soft("up", "../../../../../../../..")
        .end();
    let evil = |layer: Layer| {
        let folder = place("evil");
        let path = folder.join("saved.tar");
        fs::write(&path, Image::new(vec![below.clone(), layer.end()]).saved("x:1")).unwrap();
        get(&format!("image:{}", path.display()), &cache)
    };
    for layer in [
        Layer::new().file("out/escape", "x"),
        Layer::new().file("out/.wh.secret", ""),
        Layer::new().file("out/.wh..wh..opq", ""),
        Layer::new().hard("mine", "out/secret"),
    ] {
        let text = evil(layer).map(|(obtained, _)| obtained.path).unwrap_err().to_string();
        assert!(text.starts_with("the layer ") && text.contains(" cannot be unpacked at `"), "{text}");
    }
    let inside = evil(Layer::new().file("up/amiforge-was-here", "inside")).unwrap().0;
    let instance = Instance::start(&spec(vec![inside.path])).unwrap();
    assert_eq!(sh(&instance, "cat /amiforge-was-here"), "inside");
    assert_eq!(run(&instance, &shell("cat /out/secret")).exit, Exit::Code(1));
    assert!(!Path::new("/amiforge-was-here").exists());
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(outside.join("secret")).unwrap(), "secret");
}
