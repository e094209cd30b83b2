//! Where a root comes from, in one word.
//!
//! | text | root |
//! |---|---|
//! | `debian-12`, `bookworm`, `ubuntu-24.04:curl:git`, `debian-12@MIRROR` | made by mmdebstrap, with these packages, from this mirror |
//! | `oci:amazonlinux:2023`, `oci:HOST/NAME@sha256:…` | an image of a registry, pulled by skopeo, podman or docker |
//! | `image:PATH`, `image:PATH#NAME` | an OCI image layout (folder or tar) or what `docker save` wrote, and which image of it |
//! | `tar:PATH` | a tar of a root filesystem, plain or compressed |
//! | `dir:PATH` | a folder, used where it is and never changed |

use super::release::Release;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where a root filesystem comes from. Its text ([`fmt::Display`]) is read back by [`FromStr`] to the same value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// A release of Debian or Ubuntu, made by mmdebstrap from the release pocket only, so that there is something to patch.
    Bootstrap {
        /// The release, by code name (`bookworm`) or name (`debian-12`).
        release: String,
        /// Packages on top of the minimal set.
        packages: Vec<String>,
        /// Package mirror; `None` is the one this machine's apt uses.
        mirror: Option<String>,
    },
    /// An image of a registry: name with optional host, and tag or digest; a digest wins over a tag.
    Oci {
        /// As podman and docker write it, for example `amazonlinux:2023`.
        reference: String,
    },
    /// An OCI image layout (a folder or a tar of one) or an archive of `docker save`.
    Image {
        /// The folder or file.
        path: PathBuf,
        /// The tag or annotation of the image meant, where there are several.
        name: Option<String>,
    },
    /// A tar of a root filesystem: plain, gzip, zstd or xz.
    Tar {
        /// The file.
        path: PathBuf,
    },
    /// A folder with a root filesystem, used where it is.
    Directory {
        /// The folder.
        path: PathBuf,
    },
}

/// Why a text names no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` names no root: {why}; {next}")]
pub struct SourceError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
    /// What to write instead.
    pub next: String,
}

/// What sources look like, for messages.
pub const FORMS: &str = "write a release (debian-12, ubuntu-24.04; RELEASE:PACKAGE:…@MIRROR), oci:REFERENCE, \
                         image:PATH[#NAME], tar:PATH or dir:PATH";

/// The longest reference that is believed to be one; those of registries are at most 255 characters and a digest.
const LONGEST_REFERENCE: usize = 400;

impl Source {
    /// A release with nothing on top, from this machine's mirror.
    #[must_use]
    pub fn release(code: &str) -> Self {
        Self::Bootstrap { release: code.to_owned(), packages: Vec::new(), mirror: None }
    }

    /// Whether it is a release of Debian, whose mirrors have Debian's archive.
    #[must_use]
    pub fn is_debian(&self) -> bool {
        let Self::Bootstrap { release, .. } = self else { return false };
        Release::find(release).is_some_and(|release| release.distribution.name == "Debian")
    }

    /// The same source with relative paths taken from `folder`.
    #[must_use]
    pub fn within(&self, folder: &Path) -> Self {
        match self {
            Self::Image { path, name } => Self::Image { path: folder.join(path), name: name.clone() },
            Self::Tar { path } => Self::Tar { path: folder.join(path) },
            Self::Directory { path } => Self::Directory { path: folder.join(path) },
            Self::Bootstrap { .. } | Self::Oci { .. } => self.clone(),
        }
    }

    /// What is wrong with it, if anything: `Err` has why and what to write instead.
    ///
    /// # Errors
    /// An unknown release, a package that cannot be one, a mirror or reference that could be taken for something else.
    pub fn check(&self) -> Result<(), SourceError> {
        let problem = match self {
            Self::Bootstrap { release, packages, mirror } => bootstrap_problem(release, packages, mirror.as_deref()),
            Self::Oci { reference } => reference_problem(reference),
            Self::Image { path, name } => path_problem(path, true).or_else(|| name_problem(name.as_deref())),
            Self::Tar { path } | Self::Directory { path } => path_problem(path, false),
        };
        match problem {
            None => Ok(()),
            Some((why, next)) => Err(SourceError { text: self.to_string(), why, next }),
        }
    }
}

/// What is wrong, and what to write instead.
type Problem = Option<(String, String)>;

fn bootstrap_problem(release: &str, packages: &[String], mirror: Option<&str>) -> Problem {
    if Release::find(release).is_none() {
        let known: Vec<&str> = Release::names().collect();
        let why = format!("no release `{release}` of Debian or Ubuntu is known here");
        return Some((why, format!("known are {}", known.join(", "))));
    }
    if let Some(package) = packages.iter().find(|package| !is_package(package)) {
        let why = format!("`{package}` cannot be the name of a package");
        return Some((why, "lower-case letters, digits, `+`, `-` and `.`, without version or option".into()));
    }
    let mirror = mirror?;
    (!is_mirror(mirror)).then(|| {
        let why = format!("`{mirror}` cannot be a mirror");
        (why, "a mirror is an http:, https: or file: address without blanks".into())
    })
}

/// Package names by Debian's grammar (Policy 5.6.1): they become words of command lines.
pub(crate) fn is_package(name: &str) -> bool {
    let first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() >= 2 && name.starts_with(first) && name.chars().all(|c| first(c) || "+-.".contains(c))
}

/// A place that apt can fetch from and that stays one word of a source list.
fn is_mirror(text: &str) -> bool {
    let scheme = text.split_once(':').is_some_and(|(scheme, rest)| {
        ["http", "https", "file"].contains(&scheme) && rest.starts_with('/') && rest.len() > 1
    });
    scheme && text.chars().all(|c| c.is_ascii_graphic() && !"[]'\"\\".contains(c))
}

/// By the grammar that all registries share: lower-case path, optional host and port in front, tag, digest. Nothing that
/// a program could take for an option or another kind of place passes.
fn reference_problem(reference: &str) -> Problem {
    let next = || "for example oci:amazonlinux:2023 or oci:HOST/NAME@sha256:DIGEST".to_owned();
    let wrong = |why: &str| Some((format!("`{reference}` is no reference of an image: {why}"), next()));
    if reference.is_empty() || reference.len() > LONGEST_REFERENCE {
        return wrong("it is empty or too long");
    }
    let (name, digest) = match reference.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (reference, None),
    };
    if digest.is_some_and(|digest| !is_digest(digest)) {
        return wrong("behind `@` stands `sha256:` and 64 hexadecimal digits");
    }
    let (path, tag) = match name.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (name, None),
    };
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_tag =
        |tag: &str| tag.len() <= 128 && tag.starts_with(word) && tag.chars().all(|c| word(c) || ".-".contains(c));
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return wrong("a tag is up to 128 letters, digits, `_`, `.` and `-`");
    }
    let (host, repository) = host_of(path);
    let part = |part: &str| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(inner) && part.ends_with(inner) && part.chars().all(|c| inner(c) || "._-".contains(c))
    };
    if !repository.split('/').all(part) {
        return wrong("a name is lower-case letters, digits, `.`, `_` and `-`, in parts between slashes");
    }
    let host_char = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    let is_host =
        |host: &str| host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[') && host.chars().all(host_char);
    if host.is_some_and(|host| !is_host(host)) {
        return wrong("what stands before the first slash is no host");
    }
    None
}

/// The host of a reference without tag and digest: the first part, when it has a dot or a port, or is this machine.
fn host_of(path: &str) -> (Option<&str>, &str) {
    match path.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
        _ => (None, path),
    }
}

/// `sha256:` and 64 lower-case hexadecimal digits: the only kind of digest that is accepted anywhere here.
pub(super) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|digits| {
        digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

fn path_problem(path: &Path, has_name: bool) -> Problem {
    let Some(text) = path.to_str() else {
        return Some(("the path is not UTF-8".into(), "give it a name of plain characters".into()));
    };
    if text.is_empty() {
        return Some(("the path is missing".into(), "for example tar:rootfs.tar.gz or dir:roots/web".into()));
    }
    if text.contains(|c: char| c.is_control()) || (has_name && text.contains('#')) {
        let what = if has_name { "control characters or `#`" } else { "control characters" };
        return Some((format!("the path has {what}"), "rename it".into()));
    }
    None
}

fn name_problem(name: Option<&str>) -> Problem {
    let wrong = name?.is_empty() || name?.contains(|c: char| c.is_control() || c == '#');
    wrong.then(|| ("the name behind `#` is empty or has characters no name has".into(), "for example #app:1.2".into()))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bootstrap { release, packages, mirror } => {
                f.write_str(release)?;
                packages.iter().try_for_each(|package| write!(f, ":{package}"))?;
                mirror.iter().try_for_each(|mirror| write!(f, "@{mirror}"))
            }
            Self::Oci { reference } => write!(f, "oci:{reference}"),
            Self::Image { path, name } => {
                write!(f, "image:{}", path.display())?;
                name.iter().try_for_each(|name| write!(f, "#{name}"))
            }
            Self::Tar { path } => write!(f, "tar:{}", path.display()),
            Self::Directory { path } => write!(f, "dir:{}", path.display()),
        }
    }
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let source = match text.split_once(':') {
            Some(("oci", rest)) => Self::Oci { reference: rest.to_owned() },
            Some(("image", rest)) => {
                let (path, name) = match rest.split_once('#') {
                    Some((path, name)) => (path, Some(name.to_owned())),
                    None => (rest, None),
                };
                Self::Image { path: path.into(), name }
            }
            Some(("tar", rest)) => Self::Tar { path: rest.into() },
            Some(("dir", rest)) => Self::Directory { path: rest.into() },
            _ => bootstrap(text)?,
        };
        match source.check() {
            Ok(()) => Ok(source),
            Err(error) => Err(SourceError { text: text.to_owned(), ..error }),
        }
    }
}

fn bootstrap(text: &str) -> Result<Source, SourceError> {
    let (words, mirror) = match text.split_once('@') {
        Some((words, mirror)) => (words, Some(mirror.to_owned())),
        None => (text, None),
    };
    let mut words = words.split(':').map(str::to_owned);
    let release = words.next().unwrap_or_default();
    if Release::find(&release).is_none() {
        let why = format!("`{release}` is neither a known release nor a kind of source");
        let next = match suggestion(&release) {
            Some(near) => format!("did you mean `{near}`? Otherwise {FORMS}"),
            None => FORMS.to_owned(),
        };
        return Err(SourceError { text: text.to_owned(), why, next });
    }
    Ok(Source::Bootstrap { release, packages: words.collect(), mirror })
}

fn suggestion(word: &str) -> Option<&'static str> {
    crate::diagnostic::suggest(word, Release::names().chain(["oci", "image", "tar", "dir"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Source {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(read("debian-12"), Source::release("debian-12"));
        assert_eq!(
            read("noble:curl:g++@http://m.example/ubuntu"),
            Source::Bootstrap {
                release: "noble".into(),
                packages: vec!["curl".into(), "g++".into()],
                mirror: Some("http://m.example/ubuntu".into())
            }
        );
        assert_eq!(read("oci:amazonlinux:2023"), Source::Oci { reference: "amazonlinux:2023".into() });
        assert_eq!(read("oci:localhost:5000/a/b"), Source::Oci { reference: "localhost:5000/a/b".into() });
        assert_eq!(read("image:x.tar#app:1"), Source::Image { path: "x.tar".into(), name: Some("app:1".into()) });
        assert_eq!(read("tar:/r.tar.gz"), Source::Tar { path: "/r.tar.gz".into() });
        assert_eq!(read("dir:roots/a:b"), Source::Directory { path: "roots/a:b".into() });
    }

    #[test]
    fn wrong_ones_are_refused_with_what_to_write() {
        let hex = "a".repeat(64);
        for (text, said) in [
            ("", "neither a known release"),
            ("debian12", "did you mean `debian-12`"),
            ("debian-12:", "cannot be the name of a package"),
            ("debian-12:-oDir::Bin=x", "cannot be the name of a package"),
            ("debian-12@ftp://m", "cannot be a mirror"),
            ("debian-12@http://m x", "cannot be a mirror"),
            ("debian-12@file:/a[b]", "cannot be a mirror"),
            ("oci:", "it is empty or too long"),
            ("oci:--help", "in parts between slashes"),
            ("oci:Amazon", "in parts between slashes"),
            ("oci:a:b c", "a tag is up to"),
            ("oci:a@sha512:00", "behind `@`"),
            ("oci:-x.example/a", "no host"),
            ("oci://a", "in parts between slashes"),
            ("image:#x", "the path is missing"),
            ("image:a#", "the name behind `#`"),
            ("tar:", "the path is missing"),
            ("./rootfs.tar", "tar:PATH"),
        ] {
            let error = text.parse::<Source>().unwrap_err();
            assert_eq!(error.text, text);
            assert!(error.to_string().contains(said), "{error}");
        }
        assert!(format!("oci:a@sha256:{hex}").parse::<Source>().is_ok());
        assert!(format!("oci:a@sha256:{}", hex.to_uppercase()).parse::<Source>().is_err());
    }

    #[test]
    fn relative_paths_are_taken_from_a_folder() {
        assert_eq!(read("tar:a.tar").within(Path::new("/p")), read("tar:/p/a.tar"));
        assert_eq!(read("dir:/abs").within(Path::new("/p")), read("dir:/abs"));
        assert_eq!(read("oci:a").within(Path::new("/p")), read("oci:a"));
    }

    fn sources() -> impl Strategy<Value = Source> {
        let package = "[a-z0-9][a-z0-9+.-]{1,8}";
        let release = prop::sample::select(vec!["debian-11", "bookworm", "ubuntu-24.04", "jammy", "sid"]);
        let mirror = "(http|https|file):/[a-zA-Z0-9:@%/._~-]{1,20}";
        let path = "[a-zA-Z0-9 :@./_-]{1,20}";
        prop_oneof![
            (release, prop::collection::vec(package, 0..4), prop::option::of(mirror)).prop_map(
                |(release, packages, mirror)| Source::Bootstrap { release: release.to_owned(), packages, mirror }
            ),
            "([a-z0-9]{1,5}[.]example(:[0-9]{1,4})?/)?[a-z0-9]{1,6}(/[a-z0-9]{1,6})?(:[a-zA-Z0-9][a-zA-Z0-9._-]{0,6})?(@sha256:[0-9a-f]{64})?"
                .prop_map(|reference| Source::Oci { reference }),
            (path, prop::option::of("[a-z0-9:./-]{1,12}")).prop_map(|(path, name)| Source::Image { path: path.into(), name }),
            path.prop_map(|path| Source::Tar { path: path.into() }),
            path.prop_map(|path| Source::Directory { path: path.into() }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(source in sources()) {
            prop_assert_eq!(source.check(), Ok(()));
            prop_assert_eq!(source.to_string().parse::<Source>(), Ok(source));
        }

        #[test]
        fn whatever_is_read_is_written_back(text in "(debian-12|oci|image|tar|dir|sid)[:@#a-z0-9/. +-]{0,24}") {
            if let Ok(source) = text.parse::<Source>() {
                prop_assert_eq!(source.to_string(), text);
            }
        }
    }
}
