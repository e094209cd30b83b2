//! From the word that says where a root comes from to a root that is there.

use super::cache::{Cache, Obtained, Wanted};
use super::oci::{self, Image, Pulled, Store};
use super::source::Source;
use super::unpack::{self, Blob, Layer, Order};
use super::{BootstrapSpec, bootstrap, directory, key, key_of_image};
use crate::sandbox::{Line, SandboxError};
use std::collections::BTreeSet;

use std::path::{Path, PathBuf};

/// Most bytes of all files of a root; the volumes of images are 8 to 30 GiB.
const LARGEST_ROOT: u64 = 64 << 30;

/// What is left free of a file system when a root is unpacked: a full disk breaks other programs, too.
const RESERVE: u64 = 512 << 20;

/// The root of a source: the one in the cache if it is whole, else made anew, which can take from seconds to minutes;
/// other processes that want the same one wait. Paths of the source are taken from the current folder.
///
/// A tag of a registry is asked for once: what it led to is used until that is pruned from the cache. A reference with a
/// digest always leads to the same image. Files and folders are looked at every time.
///
/// # Errors
/// [`SandboxError::Source`] and [`SandboxError::Archive`] when it cannot be made of that, [`SandboxError::Program`] when
/// something is not installed, [`SandboxError::Fetch`] and [`SandboxError::Bootstrap`] when a program fails,
/// [`SandboxError::Busy`] when a damaged root is in use.
pub fn obtain(source: &Source, cache: &Cache, on_line: &mut dyn FnMut(Line)) -> Result<Obtained, SandboxError> {
    let from = source.to_string();
    check(source, &from)?;
    cache.sweep()?;
    match source {
        Source::Bootstrap { .. } => bootstrapped(source, &from, cache, on_line),
        Source::Oci { reference } => fetched(reference, &from, cache, on_line),
        Source::Image { path, name } => image(path, name.as_deref(), &from, cache, on_line),
        Source::Tar { path } => tar(path, &from, cache, on_line),
        Source::Directory { path } => {
            let path = super::absolute(path)?;
            let digest = directory::identify(&path, &from)?;
            Ok(Obtained::elsewhere(path, digest, from))
        }
    }
}

/// The digest that [`obtain`] will give, when that can be told without making anything: `None` for what has to be fetched
/// or opened first.
///
/// # Errors
/// When the source is not usable.
pub fn planned(source: &Source, cache: &Cache) -> Result<Option<String>, SandboxError> {
    let from = source.to_string();
    check(source, &from)?;
    Ok(match source {
        Source::Bootstrap { release, packages, mirror } => Some(key_of_bootstrap(release, packages, mirror.as_deref())),
        Source::Oci { .. } => cache.remembered(&from).map(|id| key_of_image(&id)).filter(|key| cache.has(key)),
        Source::Tar { path } => Some(key_of_tar(&super::absolute(path)?, &from, cache)?),
        Source::Directory { path } => Some(directory::identify(&super::absolute(path)?, &from)?),
        Source::Image { .. } => None,
    })
}

fn check(source: &Source, from: &str) -> Result<(), SandboxError> {
    source.check().map_err(|error| SandboxError::Source { from: from.to_owned(), why: error.why, next: error.next })
}

fn bootstrapped(
    source: &Source,
    from: &str,
    cache: &Cache,
    on_line: &mut dyn FnMut(Line),
) -> Result<Obtained, SandboxError> {
    let Source::Bootstrap { release, packages, mirror } = source else {
        return Err(SandboxError::Spec(format!("{from} is no release")));
    };
    let key = key_of_bootstrap(release, packages, mirror.as_deref());
    let mut making = |root: &Path, _: &Path, on_line: &mut dyn FnMut(Line)| {
        bootstrap(&specification(release, packages, mirror.as_deref(), root), on_line).map(|()| Vec::new())
    };
    cache.entry(&Wanted { key: &key, source: from }, &mut making, on_line)
}

fn specification(release: &str, packages: &[String], mirror: Option<&str>, root: &Path) -> BootstrapSpec {
    BootstrapSpec {
        release: release.to_owned(),
        packages: packages.to_vec(),
        mirror: mirror.map(str::to_owned),
        keyring: None,
        architecture: std::env::consts::ARCH.to_owned(),
        destination: root.to_owned(),
    }
}

/// The program that a root of a release or of a registry is made with here; nothing for roots that need none. Keys and the
/// mirror are looked for, too; nothing is fetched.
///
/// # Errors
/// [`SandboxError::Program`] with what is not installed, [`SandboxError::Spec`] when no mirror is known.
pub fn equipped(source: &Source) -> Result<Option<PathBuf>, SandboxError> {
    match source {
        Source::Bootstrap { release, packages, mirror } => {
            let spec = specification(release, packages, mirror.as_deref(), Path::new("/nowhere"));
            super::bootstrap::equipped(&spec).map(Some)
        }
        Source::Oci { .. } => super::oci::equipped().map(Some),
        Source::Image { .. } | Source::Tar { .. } | Source::Directory { .. } => Ok(None),
    }
}

/// The same for `debian-12` and `bookworm`, and for packages in any order.
fn key_of_bootstrap(release: &str, packages: &[String], mirror: Option<&str>) -> String {
    let code = super::release::Release::find(release).map_or(release, |release| release.code);
    let packages: BTreeSet<&str> = packages.iter().map(String::as_str).collect();
    let mut words = vec!["bootstrap", code, std::env::consts::ARCH, mirror.unwrap_or_default()];
    words.extend(packages);
    key(&words)
}

fn fetched(
    reference: &str,
    from: &str,
    cache: &Cache,
    on_line: &mut dyn FnMut(Line),
) -> Result<Obtained, SandboxError> {
    if let Some(obtained) = remembered(from, cache, on_line)? {
        return Ok(obtained);
    }
    // Only one process asks the registry; the others find its answer.
    let lock = cache.lock_reference(from)?;
    if let Some(obtained) = remembered(from, cache, on_line)? {
        return Ok(obtained);
    }
    let workplace = cache.workplace(&key(&["fetch", from]))?;
    on_line(Line::Err(format!("fetching {from}")));
    // One that another reference led to, if it is whole, need not be fetched again.
    let mut found = None;
    let has = |id: &str| cache.has(&key_of_image(id));
    let pulled = oci::pull(reference, workplace.path(), &has, on_line).map_err(|problem| problem.of(from))?;
    let image = match pulled {
        Pulled::Fetched(image) => image,
        Pulled::Known(id) => {
            found = there(&id, from, cache, on_line)?;
            match &found {
                Some(_) => Image::known(id),
                None => match oci::pull(reference, workplace.path(), &|_| false, on_line) {
                    Ok(Pulled::Fetched(image)) => image,
                    Ok(Pulled::Known(_)) => return Err(SandboxError::Protocol("an unknown image is known".into())),
                    Err(problem) => return Err(problem.of(from)),
                },
            }
        }
    };
    let obtained = match found {
        Some(obtained) => obtained,
        None => of_image(&image, from, cache, on_line)?,
    };
    cache.remember(from, &image.id)?;
    drop(lock);
    Ok(obtained)
}

/// The root that a reference led to before, if it is there and whole.
fn remembered(from: &str, cache: &Cache, on_line: &mut dyn FnMut(Line)) -> Result<Option<Obtained>, SandboxError> {
    match cache.remembered(from) {
        Some(id) if cache.has(&key_of_image(&id)) => there(&id, from, cache, on_line),
        _ => Ok(None),
    }
}

/// The root of an image, if it is there and whole.
fn there(id: &str, from: &str, cache: &Cache, on_line: &mut dyn FnMut(Line)) -> Result<Option<Obtained>, SandboxError> {
    let mut absent = false;
    let mut making = |_: &Path, _: &Path, _: &mut dyn FnMut(Line)| {
        absent = true;
        Err(SandboxError::Gone)
    };
    match cache.entry(&Wanted { key: &key_of_image(id), source: from }, &mut making, on_line) {
        Err(_) if absent => Ok(None),
        other => other.map(Some),
    }
}

fn image(
    path: &Path,
    name: Option<&str>,
    from: &str,
    cache: &Cache,
    on_line: &mut dyn FnMut(Line),
) -> Result<Obtained, SandboxError> {
    let path = readable(path, from)?;
    let workplace = cache.workplace(&key(&["open", &path.display().to_string()]))?;
    let opened = Store::open(&path, workplace.path()).map_err(oci::Problem::Machine);
    let image = opened.and_then(|store| oci::open(&store, name, oci::architecture()));
    of_image(&image.map_err(|problem| problem.of(from))?, from, cache, on_line)
}

fn of_image(image: &Image, from: &str, cache: &Cache, on_line: &mut dyn FnMut(Line)) -> Result<Obtained, SandboxError> {
    let mut making = |root: &Path, _: &Path, on_line: &mut dyn FnMut(Line)| {
        on_line(Line::Err(format!("unpacking {} layers of {from}", image.layers.len())));
        image.prove().map_err(|problem| problem.of(from))?;
        fill(image.layers.clone(), true, root)
    };
    cache.entry(&Wanted { key: &key_of_image(&image.id), source: from }, &mut making, on_line)
}

fn tar(path: &Path, from: &str, cache: &Cache, on_line: &mut dyn FnMut(Line)) -> Result<Obtained, SandboxError> {
    let path = readable(path, from)?;
    let key = key_of_tar(&path, from, cache)?;
    let mut making = |root: &Path, _: &Path, on_line: &mut dyn FnMut(Line)| {
        on_line(Line::Err(format!("unpacking {from}")));
        let name = path.display().to_string();
        let notes = fill(vec![Layer { blob: Blob::whole(&path)?, sha256: None, name }], false, root)?;
        let saved = root.join("oci-layout").exists() || root.join("manifest.json").exists();
        if !saved || root.join("etc").exists() {
            return Ok(notes);
        }
        Err(SandboxError::Source {
            from: from.to_owned(),
            why: "it holds an image and no root filesystem".into(),
            next: format!("write image:{}", path.display()),
        })
    };
    cache.entry(&Wanted { key: &key, source: from }, &mut making, on_line)
}

fn key_of_tar(path: &Path, from: &str, cache: &Cache) -> Result<String, SandboxError> {
    let path = readable(path, from)?;
    let digest = cache.digest_of(&path, || oci::digest_of(&Blob::whole(&path)?))?;
    Ok(key(&["tar", &digest]))
}

/// The absolute path of something that is there.
fn readable(path: &Path, from: &str) -> Result<std::path::PathBuf, SandboxError> {
    let path = super::absolute(path)?;
    match std::fs::File::open(&path) {
        Ok(_) => Ok(path),
        Err(error) => Err(SandboxError::Source {
            from: from.to_owned(),
            why: format!("{} cannot be read: {error}", path.display()),
            next: "name a file or folder that is there; relative paths of recipes are taken from the project".into(),
        }),
    }
}

/// Unpacks archives into a root that is not there yet; returns notes.
fn fill(layers: Vec<Layer>, marks: bool, root: &Path) -> Result<Vec<String>, SandboxError> {
    unpack::make_empty(root)?;
    let free = super::free_bytes(root)?;
    let room = free.saturating_sub(RESERVE).min(LARGEST_ROOT);
    let tally = unpack::unpack(Order { layers, marks, destination: root.to_owned(), room })?;
    Ok(tally.notes())
}
