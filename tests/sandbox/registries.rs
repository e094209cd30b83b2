//! Images of a registry: a small one on a loopback port, and the programs that really pull from it.

use crate::Test;
use crate::bench;
use crate::roots::{cache, check_usual, child, get, source};
use crate::support::image::{Image, Layer, digits, index};
use crate::support::registry::Registry;
use amiforge::sandbox::root::planned;
use std::path::Path;
use std::process::{Command, Stdio};

pub const TESTS: &[Test] = &[
    ("registries::skopeo_pulls_by_tag_and_digest", skopeo_pulls_by_tag_and_digest),
    ("registries::podman_and_docker_take_its_place", podman_and_docker_take_its_place),
];

const SKOPEO: &str = "/usr/bin/skopeo";
const PODMAN: &str = "/usr/bin/podman";

fn skopeo_pulls_by_tag_and_digest() {
    assert!(Path::new(SKOPEO).exists(), "skopeo is missing; install it with: scripts/test-prerequisites");
    let image = Image::usual();
    let other = Image { layers: vec![Layer::new().file("etc/x", "x").end()], architecture: "s390x" };
    let images = [("app", &image), ("other", &other)];
    let registry = Registry::serve(&images);
    let cache = cache();
    let text = |tag: &str| format!("oci:{}", registry.reference(tag));
    assert_eq!(planned(&source(&text("one")), &cache).unwrap(), None);
    let (first, said) = get(&text("one"), &cache).unwrap();
    check_usual(&first);
    assert!(said[0].starts_with("fetching oci:127.0.0.1:"), "{said:?}");
    assert_eq!(planned(&source(&text("one")), &cache).unwrap().as_deref(), Some(first.digest.as_str()));
    // A tag is asked for once.
    let asked = registry.count("/");
    assert_eq!(get(&text("one"), &cache).unwrap().1, Vec::<String>::new());
    assert_eq!(registry.count("/"), asked);
    // Of an index the image of this machine; its layers are there already under another name.
    let blobs = registry.count("/blobs/");
    for tag in
        ["all".to_owned(), format!("sha256:{}", digits(&index(&images))), format!("sha256:{}", image.parts().manifest)]
    {
        assert_eq!(get(&text(&tag), &cache).unwrap().0.path, first.path, "{tag}");
    }
    assert_eq!(registry.count("/blobs/"), blobs);
    let path = first.path.clone();
    drop(first);
    // A root that was damaged is fetched again, though the tag is remembered.
    std::fs::write(path.join("etc/os-release"), "damaged").unwrap();
    check_usual(&get(&text("one"), &cache).unwrap().0);
    assert!(registry.count("/blobs/") > blobs);

    let error = get(&text("absent"), &cache).map(|(obtained, _)| obtained.path).unwrap_err().to_string();
    assert!(error.contains("skopeo could not get oci:127.0.0.1:") && error.contains("\n  | "), "{error}");
    let wrong = format!("sha256:{}", "0".repeat(64));
    assert!(get(&text(&wrong), &cache).is_err());
    let foreign = format!("sha256:{}", other.parts().manifest);
    let error = get(&text(&foreign), &cache).map(|(obtained, _)| obtained.path).unwrap_err().to_string();
    assert!(error.contains("it is for linux/s390x"), "{error}");
}

/// As root only: the programs that come first are hidden from the process that is to use the next one.
fn podman_and_docker_take_its_place() {
    if !nix::unistd::geteuid().is_root() {
        return; // The run as root has done it.
    }
    let registry = Registry::serve(&[("app", &Image::usual())]);
    let text = format!("oci:{}", registry.reference("one"));
    let said = |hidden: &[&str], storage: &Path| {
        let cache = cache();
        let inner = child(&cache, &text);
        let arguments: Vec<String> = inner.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        let hide: Vec<String> =
            hidden.iter().map(|path| format!("[ ! -e {path} ] || mount --bind /dev/null {path}")).collect();
        // What the programs leave in the machine's folders goes with the namespace.
        let hide = format!("mount -t tmpfs none /run; mount -t tmpfs none /var/lib; {}", hide.join("; "));
        let program = std::fs::read_link("/proc/self/exe").unwrap();
        let output = Command::new("unshare")
            .args(["--mount", "sh", "-c", &format!("{hide}; exec \"$0\" \"$@\"")])
            .arg(program)
            .args(arguments)
            .env("CONTAINERS_STORAGE_CONF", storage)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap(), cache)
    };
    let folder = bench::place("storage");
    std::fs::create_dir_all(&folder).unwrap();
    let storage = folder.join("storage.conf");
    let graph = folder.display();
    let configuration =
        format!("[storage]\ndriver = \"vfs\"\nrunroot = \"{graph}/run\"\ngraphroot = \"{graph}/graph\"\n");
    std::fs::write(&storage, configuration).unwrap();
    if Path::new(PODMAN).exists() {
        let (worked, text, cache) = said(&[SKOPEO], &storage);
        assert!(worked, "{text}");
        let entry = &cache.list().unwrap()[0];
        let path = cache.folder().join("roots").join(&entry.key).join("root");
        assert_eq!(text.lines().last(), Some(&*format!("obtained {}", path.display())));
        assert_eq!(std::fs::read_to_string(path.join("srv/tree/new")).unwrap(), "of the top");
    } else {
        println!("    !! podman is not installed: that it takes skopeo's place was NOT tested");
    }
    let docker = ["/usr/bin/docker", "/usr/local/bin/docker"];
    if docker.iter().any(|path| Path::new(path).exists()) {
        // Its daemon cannot be reached from where its socket is hidden.
        let (worked, text, _) = said(&[SKOPEO, PODMAN], &storage);
        assert!(!worked && text.contains("docker could not get oci:"), "{text}");
    }
    let hidden = [&[SKOPEO, PODMAN] as &[&str], &docker].concat();
    let (worked, text, _) = said(&hidden, &storage);
    assert!(!worked && text.contains("mend it with: sudo apt-get install -y skopeo"), "{text}");
}
