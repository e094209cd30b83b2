//! Names of packages with everything: name, epoch, version, release, architecture.

use super::{Evr, EvrError};
use std::fmt;
use std::str::FromStr;

/// A package as its file is called: `name-[epoch:]version-release.arch[.rpm]` (patch-baselines.md 9.2).
///
/// Equality is that of the parts: the versions compare as rpm's do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Nevra {
    /// Name; may have hyphens and dots.
    pub name: String,
    /// Epoch, version and release; the release is always there.
    pub evr: Evr,
    /// Architecture, for example `x86_64`, `noarch` or `src`.
    pub arch: String,
}

impl FromStr for Nevra {
    type Err = EvrError;

    /// Reads from the right: `.rpm`, the architecture after the last dot, the release after the last hyphen, the version
    /// after the one before, and what is left is the name. An epoch stands before the version (`name-1:2.0-3.x86_64`, as
    /// dnf writes it) or before the name (`1:name-2.0-3.x86_64`, as yum did), not at both places.
    fn from_str(text: &str) -> Result<Self, EvrError> {
        let fail = |at, why| EvrError::new(text, at, why);
        let rest = text.strip_suffix(".rpm").unwrap_or(text);
        let (rest, arch) = rest.rsplit_once('.').ok_or_else(|| fail(rest.len(), "it has no architecture"))?;
        // A dot of the release would be taken for the architecture's: `bash-5.2-1.x86_64` without its last part.
        if arch.is_empty() || !arch.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(fail(rest.len() + 1, "what follows the last dot is not an architecture"));
        }
        let (rest, release) = rest.rsplit_once('-').ok_or_else(|| fail(0, "it has no release"))?;
        let (front, version) = rest.rsplit_once('-').ok_or_else(|| fail(0, "it has no version"))?;
        let (leading, name) = leading_epoch(front);
        let at = front.len() + 1;
        if leading.is_some() && version.contains(':') {
            return Err(fail(at, "it has two epochs"));
        }
        if name.is_empty() {
            return Err(fail(0, "the name is empty"));
        }
        if let Some(at) = name.find(|c: char| c.is_whitespace() || c.is_control() || matches!(c, ':' | '/')) {
            return Err(fail(front.len() - name.len() + at, "no name has this character"));
        }
        let evr = match leading {
            Some(epoch) => format!("{epoch}:{version}-{release}"),
            None => format!("{version}-{release}"),
        };
        let evr: Evr = evr.parse().map_err(|error: EvrError| fail(at, error.why))?;
        if evr.version.contains(':') {
            return Err(fail(at, "the epoch is not a number"));
        }
        Ok(Self { name: name.to_owned(), evr, arch: arch.to_owned() })
    }
}

/// Splits the epoch before a name off.
fn leading_epoch(front: &str) -> (Option<&str>, &str) {
    match front.split_once(':') {
        Some((epoch, name)) if !epoch.is_empty() && epoch.bytes().all(|b| b.is_ascii_digit()) => (Some(epoch), name),
        _ => (None, front),
    }
}

impl fmt::Display for Nevra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}.{}", self.name, self.evr, self.arch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Nevra {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn names_are_read_from_the_right() {
        let curl = read("java-1.8.0-openjdk-headless-1:1.8.0.402.b06-2.el8.x86_64.rpm");
        assert_eq!(curl.name, "java-1.8.0-openjdk-headless");
        assert_eq!((curl.evr.epoch, curl.evr.version.as_str()), (1, "1.8.0.402.b06"));
        assert_eq!((curl.evr.release.as_deref(), curl.arch.as_str()), (Some("2.el8"), "x86_64"));
        assert_eq!(curl.to_string(), "java-1.8.0-openjdk-headless-1:1.8.0.402.b06-2.el8.x86_64");
        assert_eq!(read("1:name-2.0-3.x86_64"), read("name-1:2.0-3.x86_64"));
        assert_eq!(read("bash-5.2-1.src"), read("bash-0:5.2-01.src.rpm"));
        assert_eq!(read("libstdc++-11.4.1-2.amzn2023.0.2.i686").name, "libstdc++");
        assert_eq!(read("perl-Net::SSLeay-1-1.noarch".replace("::", "-").as_str()).name, "perl-Net-SSLeay");
    }

    #[test]
    fn what_is_no_name_is_an_error_that_says_where() {
        for (text, at, why) in [
            ("", 0, "no architecture"),
            ("bash", 4, "no architecture"),
            ("bash-5.2-1.", 11, "not an architecture"),
            ("bash-5.2-1.x86-64", 11, "not an architecture"),
            ("bash.x86_64", 0, "no release"),
            ("bash-5.x86_64", 0, "no version"),
            ("-5.2-1.x86_64", 0, "name is empty"),
            ("bash--1.x86_64", 5, "version is empty"),
            ("bash-5.2-.x86_64", 5, "release after the last hyphen is empty"),
            ("1:bash-1:5.2-1.x86_64", 7, "two epochs"),
            ("bash-a:5.2-1.x86_64", 5, "epoch is not a number"),
            ("bash-4294967296:5.2-1.x86_64", 5, "epoch is too great"),
            ("ba sh-5.2-1.x86_64", 2, "no name has this character"),
            ("x:bash-5.2-1.x86_64", 1, "no name has this character"),
        ] {
            let error = text.parse::<Nevra>().unwrap_err();
            assert!(error.why.contains(why) && error.at == at, "{text}: {error:?}");
        }
    }
}
