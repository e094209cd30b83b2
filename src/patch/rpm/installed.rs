//! What is installed, as `rpm` and `dnf` list it (patch-baselines.md 10.2).

use crate::patch::version::{Evr, EvrError};
use std::collections::BTreeMap;

/// The format for `rpm --query --all --queryformat`, for rpm 4.14 and later: a line per package, its fields separated by
/// tabs. [`installed`] reads it.
pub const QUERY_FORMAT: &str = "%{NAME}\\t%{EPOCHNUM}\\t%{VERSION}\\t%{RELEASE}\\t%{ARCH}\\t%{INSTALLTIME}\\t%{BUILDTIME}\\t%{VENDOR}\\t%{SOURCERPM}\\t%{MODULARITYLABEL}\\n";

/// The same for rpm 4.11 (Amazon Linux 2, RHEL 7), which has no modules and refuses a format with a tag that it does not
/// know: `rpm --querytags` lists those it knows.
pub const QUERY_FORMAT_WITHOUT_MODULES: &str = "%{NAME}\\t%{EPOCHNUM}\\t%{VERSION}\\t%{RELEASE}\\t%{ARCH}\\t%{INSTALLTIME}\\t%{BUILDTIME}\\t%{VENDOR}\\t%{SOURCERPM}\\n";

/// The format for `dnf --quiet repoquery --installed --queryformat`, which [`origins`] reads. rpm itself does not know
/// where a package came from; dnf does of those that it has installed.
pub const ORIGIN_FORMAT: &str = "%{name}\\t%{epoch}\\t%{version}\\t%{release}\\t%{arch}\\t%{from_repo}\\n";

/// rpm's word for a tag that a package does not have.
const NONE: &str = "(none)";

/// An installed package. Kernels and other packages of which several versions are kept are in the list several times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledPackage {
    /// Name.
    pub name: String,
    /// Epoch, version and release.
    pub evr: Evr,
    /// Architecture.
    pub arch: String,
    /// When it was installed, in seconds since 1970.
    pub install_time: u64,
    /// When it was built, in seconds since 1970.
    pub build_time: Option<u64>,
    /// Who made it; empty when unknown.
    pub vendor: String,
    /// File name of its source package; empty when unknown.
    pub source_rpm: String,
    /// `name:stream:version:context` of the module it was built in; empty when it was not, or when rpm does not know modules.
    pub module: String,
    /// Repository it came from, where that is known: see [`origins`].
    pub from_repo: Option<String>,
}

/// Why it is not known what is installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstalledError {
    /// No package at all: the database of another place, or none.
    #[error("the package database lists no package; nothing can be said about an image without packages")]
    NothingInstalled,
    /// The last line has no end: the output was cut off.
    #[error("the list of installed packages ends in the middle of line {line}; the output was cut off")]
    Truncated {
        /// Line, from 1.
        line: usize,
    },
    /// A line with other fields than were asked for.
    #[error("the list of installed packages, line {line}: {found} fields instead of {expected}: `{text}`")]
    Fields {
        /// Line, from 1.
        line: usize,
        /// Fields found.
        found: usize,
        /// How many a line has.
        expected: &'static str,
        /// The beginning of the line.
        text: String,
    },
    /// A field that is empty or no number.
    #[error("the list of installed packages, line {line}: `{value}` cannot be the {field} of a package")]
    Field {
        /// Line, from 1.
        line: usize,
        /// Which field.
        field: &'static str,
        /// Its value.
        value: String,
    },
    /// A version that is none.
    #[error("the list of installed packages, line {line}: {source}")]
    Version {
        /// Line, from 1.
        line: usize,
        /// What is wrong with it.
        source: EvrError,
    },
}

/// The lines of an output, with their numbers, split into fields. Empty ones are passed over: dnf 4 adds an end of line
/// of its own.
fn lines<'a>(
    text: &'a str,
    expected: &'static str,
    counts: &'a [usize],
) -> Result<Vec<(usize, Vec<&'a str>)>, InstalledError> {
    let mut all = vec![];
    for (at, line) in text.split_inclusive('\n').enumerate() {
        let number = at + 1;
        let Some(line) = line.strip_suffix('\n') else { return Err(InstalledError::Truncated { line: number }) };
        if line.is_empty() {
            continue;
        }
        let fields: Vec<&str> = line.split('\t').collect();
        if !counts.contains(&fields.len()) {
            let text = line.chars().take(60).collect();
            return Err(InstalledError::Fields { line: number, found: fields.len(), expected, text });
        }
        all.push((number, fields));
    }
    Ok(all)
}

/// Reads what rpm has listed with [`QUERY_FORMAT`] or [`QUERY_FORMAT_WITHOUT_MODULES`]; sorted by name, architecture and
/// version.
///
/// Keys for the signatures of packages (`gpg-pubkey`) are left out: rpm lists them, but they are no packages.
pub fn installed(text: &str) -> Result<Vec<InstalledPackage>, InstalledError> {
    let mut packages = vec![];
    for (line, fields) in lines(text, "9 or 10", &[9, 10])? {
        if fields.first() != Some(&"gpg-pubkey") {
            packages.push(package(line, &fields)?);
        }
    }
    if packages.is_empty() {
        return Err(InstalledError::NothingInstalled);
    }
    packages.sort_by(|a, b| (&a.name, &a.arch, &a.evr).cmp(&(&b.name, &b.arch, &b.evr)));
    Ok(packages)
}

fn package(line: usize, fields: &[&str]) -> Result<InstalledPackage, InstalledError> {
    let get = |at: usize| fields.get(at).copied().filter(|value| *value != NONE).unwrap_or_default();
    let wrong = |field, value: &str| InstalledError::Field { line, field, value: value.to_owned() };
    let text = |at: usize, field| Some(get(at)).filter(|it| !it.is_empty()).ok_or_else(|| wrong(field, get(at)));
    let build_time = match get(6) {
        "" => None,
        time => Some(time.parse().map_err(|_| wrong("time of the build", time))?),
    };
    Ok(InstalledPackage {
        name: text(0, "name")?.to_owned(),
        evr: Evr::from_parts(get(1), get(2), get(3)).map_err(|source| InstalledError::Version { line, source })?,
        arch: text(4, "architecture")?.to_owned(),
        install_time: get(5).parse().map_err(|_| wrong("time of the installation", get(5)))?,
        build_time,
        vendor: get(7).to_owned(),
        source_rpm: get(8).to_owned(),
        module: get(9).to_owned(),
        from_repo: None,
    })
}

/// Adds where packages came from, as dnf has listed it with [`ORIGIN_FORMAT`]. What dnf does not know stays unknown; what
/// it lists and rpm did not is passed over, because rpm's list decides.
pub fn origins(text: &str, packages: &mut [InstalledPackage]) -> Result<(), InstalledError> {
    let mut known: BTreeMap<(&str, &str, Evr), &str> = BTreeMap::new();
    for (line, fields) in lines(text, "6", &[6])? {
        let [name, epoch, version, release, arch, repository] = fields[..] else { continue };
        if name == "gpg-pubkey" || repository.is_empty() {
            continue;
        }
        let evr = Evr::from_parts(epoch, version, release);
        let evr = evr.map_err(|source| InstalledError::Version { line, source })?;
        known.insert((name, arch, evr), repository.trim_start_matches('@'));
    }
    for package in packages {
        let key = (package.name.as_str(), package.arch.as_str(), package.evr.clone());
        package.from_repo = known.get(&key).map(|repository| (*repository).to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with rpm 4.18 in a root like Amazon Linux 2023; the fields of others written in.
    const LIST: &str = "kernel\t0\t6.1.2\t1\tnoarch\t1764150000\t1700000000\t(none)\tkernel-6.1.2-1.src.rpm\t(none)\n\
        openssl\t1\t3.0.8\t1.amzn2023.0.20\tx86_64\t1764150001\t1700000001\tAmazon Linux\topenssl-3.0.8-1.amzn2023.0.20.src.rpm\t(none)\n\
        gpg-pubkey\t0\td832c631\t6515c85e\t(none)\t1764150001\t1695926366\t(none)\t(none)\t(none)\n\
        kernel\t0\t6.1.1\t1\tnoarch\t1764100000\t1600000000\t(none)\tkernel-6.1.1-1.src.rpm\t(none)\n\
        nodejs\t1\t18.20.4\t1.module+el9+1\tx86_64\t1764150002\t(none)\tRocky\tnodejs.src.rpm\tnodejs:18:9040020240801:rhel9\n";

    #[test]
    fn a_list_of_rpm_is_read_and_sorted() {
        let packages = installed(LIST).unwrap();
        let shown: Vec<String> = packages.iter().map(|p| format!("{}-{}.{}", p.name, p.evr, p.arch)).collect();
        let expected = [
            "kernel-6.1.1-1.noarch",
            "kernel-6.1.2-1.noarch",
            "nodejs-1:18.20.4-1.module+el9+1.x86_64",
            "openssl-1:3.0.8-1.amzn2023.0.20.x86_64",
        ];
        assert_eq!(shown, expected);
        assert_eq!((packages[2].build_time, packages[2].module.as_str()), (None, "nodejs:18:9040020240801:rhel9"));
        let openssl = &packages[3];
        assert_eq!((openssl.install_time, openssl.build_time), (1_764_150_001, Some(1_700_000_001)));
        assert_eq!(openssl.vendor, "Amazon Linux");
        assert_eq!((packages[0].vendor.as_str(), packages[0].source_rpm.as_str()), ("", "kernel-6.1.1-1.src.rpm"));
        let without_modules = LIST.lines().map(|line| line.rsplit_once('\t').unwrap().0.to_owned() + "\n");
        assert_eq!(installed(&without_modules.collect::<String>()).unwrap().len(), 4);
    }

    #[test]
    fn an_empty_cut_or_damaged_list_is_an_error() {
        assert_eq!(installed(""), Err(InstalledError::NothingInstalled));
        assert_eq!(installed("\n\n"), Err(InstalledError::NothingInstalled));
        let key = LIST.lines().nth(2).unwrap().to_owned() + "\n";
        assert_eq!(installed(&key), Err(InstalledError::NothingInstalled));
        assert_eq!(installed(LIST.trim_end()), Err(InstalledError::Truncated { line: 5 }));
        let error = installed("error: rpmdb open failed\n").unwrap_err();
        assert!(matches!(error, InstalledError::Fields { line: 1, found: 1, .. }), "{error}");
        let damaged = |from: &str, to: &str| installed(&LIST.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(damaged("kernel\t", "(none)\t").contains("line 1: `` cannot be the name"));
        assert!(damaged("\tnoarch", "\t(none)").contains("cannot be the architecture"));
        assert!(damaged("1764150000", "today").contains("`today` cannot be the time of the installation"));
        assert!(damaged("1700000001", "-").contains("line 2: `-` cannot be the time of the build"));
        assert!(damaged("\t1\t3.0.8", "\tx\t3.0.8").contains("line 2: `x` is not a version"));
        assert!(damaged("6.1.2", "").contains("is not a version of an RPM package: it is empty"));
    }

    #[test]
    fn origins_are_added_where_dnf_knows_them() {
        let mut packages = installed(LIST).unwrap();
        let list = "kernel\t0\t6.1.2\t1\tnoarch\tcore\n\nopenssl\t1\t3.0.8\t1.amzn2023.0.20\tx86_64\t@amazonlinux\n\
            kernel\t0\t6.1.1\t1\tnoarch\t\nother\t0\t1\t1\tnoarch\tx\n";
        origins(list, &mut packages).unwrap();
        let known: Vec<Option<&str>> = packages.iter().map(|package| package.from_repo.as_deref()).collect();
        assert_eq!(known, [None, Some("core"), None, Some("amazonlinux")]);
        assert!(matches!(origins("a\tb\n", &mut packages), Err(InstalledError::Fields { line: 1, found: 2, .. })));
        assert!(matches!(origins("a\t0\t1\t\tx\ty\n", &mut packages), Err(InstalledError::Version { line: 1, .. })));
    }
}
