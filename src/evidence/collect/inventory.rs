//! The packages of the instance, those of its parent, and the difference.

use super::instance::Running;
use super::site::Site;
use super::transport::{fetch, gunzip};
use crate::evidence::error::EvidenceError;
use crate::evidence::model::{InstalledPackage, PackageChange};
use std::collections::{BTreeMap, BTreeSet};

/// Sorted, each once.
pub(super) type Packages = Vec<InstalledPackage>;

/// Prints `name<TAB>arch<TAB>version` per installed package. The second letter of dpkg's abbreviated status is the
/// state; keys that rpm keeps among its packages are none.
const LIST: &str = r#"if command -v dpkg-query >/dev/null; then
  dpkg-query --show --showformat='${db:Status-Abbrev}\t${Package}\t${Architecture}\t${Version}\n' >"$work/all"
  awk -F '\t' 'BEGIN { OFS = FS } substr($1, 2, 1) == "i" { print $2, $3, $4 }' "$work/all"
elif command -v rpm >/dev/null; then
  rpm --query --all --queryformat '%{NAME}\t%{ARCH}\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\n' >"$work/all"
  awk -F '\t' '$1 != "gpg-pubkey"' "$work/all"
else
  echo "the image has neither dpkg-query nor rpm" >&2
  exit 3
fi"#;

/// Prints the list that our patch component wrote before it patched; nothing when the image has none.
const BEFORE: &str = r#"list=/usr/share/amiforge/packages-before.tsv.gz
if [ -e "$list" ]; then cat "$list"; fi"#;

/// The installed packages. None at all is an error.
pub(super) async fn installed(site: &Site, instance: &Running) -> Result<Packages, EvidenceError> {
    let data = fetch(site, instance, "the list of packages", LIST).await?.unwrap_or_default();
    read(instance, &data)
}

/// The packages that were there before the build patched; nothing when the image did not record them.
pub(super) async fn before(site: &Site, instance: &Running) -> Result<Option<Packages>, EvidenceError> {
    let Some(packed) = fetch(site, instance, "the list of packages from before patching", BEFORE).await? else {
        return Ok(None);
    };
    let data =
        gunzip(&packed).map_err(|reason| EvidenceError::Transport { instance: instance.id().to_owned(), reason })?;
    read(instance, &data).map(Some)
}

fn read(instance: &Running, data: &[u8]) -> Result<Packages, EvidenceError> {
    parse(data).map_err(|reason| EvidenceError::Transport { instance: instance.id().to_owned(), reason })
}

/// Reads lines of `name<TAB>arch<TAB>version`.
fn parse(data: &[u8]) -> Result<Packages, String> {
    let text = std::str::from_utf8(data).map_err(|_| "it is not text".to_owned())?;
    let mut packages = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        let [name, arch, version] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("line {} is not a package: `{line}`", index + 1));
        };
        if name.is_empty() || version.is_empty() {
            return Err(format!("line {} lacks a name or a version", index + 1));
        }
        let part = |text: &str| text.to_owned();
        packages.insert(InstalledPackage { name: part(name), arch: part(arch), version: part(version) });
    }
    if packages.is_empty() {
        return Err("it has no package".to_owned());
    }
    Ok(packages.into_iter().collect())
}

/// What differs, sorted by name and architecture. A package that is installed in several versions (kernels) is
/// compared version by version.
pub(super) fn changes(before: &[InstalledPackage], after: &[InstalledPackage]) -> Vec<PackageChange> {
    let (before, after) = (versions(before), versions(after));
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).copied().collect();
    let none = BTreeSet::new();
    let mut changes = vec![];
    for (name, arch) in keys {
        let old = before.get(&(name, arch)).unwrap_or(&none);
        let new = after.get(&(name, arch)).unwrap_or(&none);
        let removed: Vec<&str> = old.difference(new).copied().collect();
        let added: Vec<&str> = new.difference(old).copied().collect();
        let mut change = |from: Option<&str>, to: Option<&str>| {
            let (from, to) = (from.map(str::to_owned), to.map(str::to_owned));
            changes.push(PackageChange { name: name.to_owned(), arch: arch.to_owned(), from, to });
        };
        if let ([from], [to]) = (&removed[..], &added[..]) {
            change(Some(from), Some(to));
            continue;
        }
        for from in removed {
            change(Some(from), None);
        }
        for to in added {
            change(None, Some(to));
        }
    }
    changes
}

/// The versions of every package, by name and architecture.
fn versions(packages: &[InstalledPackage]) -> BTreeMap<(&str, &str), BTreeSet<&str>> {
    let mut versions: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for package in packages {
        let key = (package.name.as_str(), package.arch.as_str());
        versions.entry(key).or_default().insert(package.version.as_str());
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(text: &str) -> Packages {
        parse(text.replace(' ', "\t").as_bytes()).unwrap()
    }

    #[test]
    fn the_list_of_this_machine_can_be_read() {
        let script = format!("set -eu\nwork=$(mktemp -d)\n{LIST}\nrm -rf \"$work\"");
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let packages = parse(&output.stdout).unwrap();
        assert!(packages.iter().any(|package| package.name == "dpkg" && !package.version.is_empty()));
    }

    #[test]
    fn changes_are_updates_installations_and_removals() {
        let before = packages("bash amd64 1\ncurl amd64 1\nkernel x86_64 1\nkernel x86_64 2\nold all 1\n");
        let after =
            packages("bash amd64 2\ncurl amd64 1\nkernel x86_64 2\nkernel x86_64 3\nkernel x86_64 4\nnew all 1\n");
        let changes = changes(&before, &after);
        let read = |change: &PackageChange| {
            let side = |version: &Option<String>| version.clone().unwrap_or_else(|| "-".into());
            format!("{} {}>{}", change.name, side(&change.from), side(&change.to))
        };
        let expected = ["bash 1>2", "kernel 1>-", "kernel ->3", "kernel ->4", "new ->1", "old 1>-"];
        assert_eq!(changes.iter().map(read).collect::<Vec<_>>(), expected);
        assert_eq!(super::changes(&after, &after), []);
    }

    #[test]
    fn what_is_no_list_of_packages_is_an_error() {
        assert!(parse(b"").unwrap_err().contains("no package"));
        assert!(parse(b"bash\tamd64\n").unwrap_err().contains("line 1"));
        assert!(parse(b"bash\tamd64\t1\n\tamd64\t1\n").unwrap_err().contains("line 2"));
        assert!(parse(&[0xff, 0xfe]).is_err());
    }
}
