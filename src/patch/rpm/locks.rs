//! What keeps packages as they are: dnf's and yum's `versionlock.list`, `exclude=` of their configuration, zypper's locks.
//!
//! These are facts about an image, for its owner. Patch Manager does not honour `exclude=`, and whether it honours locks is
//! not known (patch-baselines.md 3.2 and 14.2), so nothing is concluded from them here.

use super::ini::{sections, words};
use crate::patch::glob;
use crate::patch::version::Nevra;

/// Something that keeps packages as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// What it does.
    pub kind: LockKind,
    /// Name of a package, or name and version; `*`, `?` and `[…]` stand for what they do in a shell.
    pub pattern: String,
    /// Under which further conditions, as the file has them (`version: > 2`); empty when there are none.
    pub condition: String,
    /// Line, from 1.
    pub line: usize,
}

/// What a lock does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// Of packages of that name this version only.
    Only,
    /// These not at all.
    Never,
    /// What is installed stays, what is not is not installed (zypper).
    Unchanged,
}

/// A file of locks that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {why}")]
pub struct LockError {
    /// The file, as the caller called it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub why: &'static str,
}

impl Lock {
    /// Whether the pattern is that of a package, whatever the further conditions. The forms are those of dnf(8),
    /// "Specifying packages": a name with more and more of version, release, architecture and epoch. Case is ignored, which
    /// dnf does not do: no two packages differ in nothing else.
    #[must_use]
    pub fn names(&self, package: &Nevra) -> bool {
        let Nevra { name, evr, arch } = package;
        let (epoch, version) = (evr.epoch, &evr.version);
        let full = format!("{version}-{}", evr.release.as_deref().unwrap_or_default());
        [
            name.clone(),
            format!("{name}.{arch}"),
            format!("{name}-{version}"),
            format!("{name}-{full}"),
            format!("{name}-{full}.{arch}"),
            format!("{name}-{epoch}:{version}"),
            format!("{name}-{epoch}:{full}"),
            format!("{name}-{epoch}:{full}.{arch}"),
            format!("{epoch}:{name}-{full}.{arch}"),
        ]
        .iter()
        .any(|form| glob::matches(&self.pattern, form))
    }
}

/// Reads `versionlock.list` of dnf's or yum's plugin: a pattern per line, `!` before what is excluded. (The plugin of dnf 5
/// has another file, `versionlock.toml`, which is not read here.)
pub fn versionlock(file: &str, text: &str) -> Result<Vec<Lock>, LockError> {
    let mut locks = vec![];
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (kind, pattern) =
            line.strip_prefix('!').map_or((LockKind::Only, line), |pattern| (LockKind::Never, pattern.trim_start()));
        if pattern.is_empty() || pattern.contains(char::is_whitespace) {
            let why = "it is not one pattern of packages";
            return Err(LockError { file: file.to_owned(), line: at + 1, why });
        }
        locks.push(Lock { kind, pattern: pattern.to_owned(), condition: String::new(), line: at + 1 });
    }
    Ok(locks)
}

/// The `exclude` or `excludepkgs` of the section `main` of `dnf.conf` or `yum.conf`. Those of a repository are
/// [`super::Repository::exclude`].
pub fn dnf_excludes(file: &str, text: &str) -> Result<Vec<Lock>, LockError> {
    let error = |line, why| LockError { file: file.to_owned(), line, why };
    let sections = sections(text).map_err(|malformed| error(malformed.line, malformed.why))?;
    let main = sections.iter().filter(|section| section.name == "main").flat_map(|section| &section.entries);
    let excludes = main.filter(|entry| matches!(entry.key, "exclude" | "excludepkgs"));
    let locks = excludes.flat_map(|entry| {
        words(&entry.value)
            .map(|word| Lock {
                kind: LockKind::Never,
                pattern: word.to_owned(),
                condition: String::new(),
                line: entry.line,
            })
            .collect::<Vec<_>>()
    });
    Ok(locks.collect())
}

/// Reads `/etc/zypp/locks`: stanzas of `key: value` lines. A lock names packages with `solvable_name`; everything else that
/// narrows it becomes its condition.
pub fn zypper_locks(file: &str, text: &str) -> Result<Vec<Lock>, LockError> {
    let error = |line, why| LockError { file: file.to_owned(), line, why };
    let mut locks = vec![];
    let mut stanza: Vec<(usize, &str, &str)> = vec![];
    // A blank line more ends the last stanza.
    for (at, line) in text.lines().chain([""]).enumerate() {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        if !line.is_empty() {
            let (key, value) = line.split_once(':').ok_or_else(|| error(at + 1, "it is not a key with a value"))?;
            stanza.push((at + 1, key.trim(), value.trim()));
            continue;
        }
        let Some(&(first, ..)) = stanza.first() else { continue };
        let names: Vec<_> = stanza.iter().filter(|(_, key, _)| *key == "solvable_name").collect();
        if names.is_empty() {
            return Err(error(first, "the lock does not say of which packages"));
        }
        // These say how to read the name, not of what else the lock is.
        let plain = |key: &str| matches!(key, "solvable_name" | "match_type" | "case_sensitive" | "comment");
        let narrows = |key: &str, value: &str| !(plain(key) || key == "type" && value == "package");
        let conditions: Vec<String> = stanza
            .iter()
            .filter(|(_, key, value)| narrows(key, value))
            .map(|(_, key, value)| format!("{key}: {value}"))
            .collect();
        for (line, _, name) in names {
            let condition = conditions.join(", ");
            locks.push(Lock { kind: LockKind::Unchanged, pattern: (*name).to_owned(), condition, line: *line });
        }
        stanza.clear();
    }
    Ok(locks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(locks: &[Lock], kind: LockKind) -> Vec<&str> {
        locks.iter().filter(|lock| lock.kind == kind).map(|lock| lock.pattern.as_str()).collect()
    }

    #[test]
    fn version_locks() {
        let text = "# Added lock on Thu\nbash-0:5.2.15-1.amzn2023.*\n\n!kernel-0:6.1.*\n0:curl-8.3.0-1.*\n";
        let locks = versionlock("versionlock.list", text).unwrap();
        assert_eq!(patterns(&locks, LockKind::Only), ["bash-0:5.2.15-1.amzn2023.*", "0:curl-8.3.0-1.*"]);
        assert_eq!(patterns(&locks, LockKind::Never), ["kernel-0:6.1.*"]);
        let named = |lock: &Lock, package: &str| lock.names(&package.parse().unwrap());
        assert!(
            named(&locks[0], "bash-5.2.15-1.amzn2023.x86_64") && !named(&locks[0], "bash-5.2.15-2.amzn2023.x86_64")
        );
        assert!(named(&locks[1], "kernel-6.1.2-1.x86_64") && !named(&locks[1], "kernel-1:6.1.2-1.x86_64"));
        assert!(named(&locks[2], "curl-8.3.0-1.aarch64") && locks[2].line == 5);
        let error = versionlock("v", "bash\nbash is locked\n").unwrap_err();
        assert_eq!(error.to_string(), "v, line 2: it is not one pattern of packages");
        assert!(versionlock("v", "!\n").is_err());
    }

    #[test]
    fn excludes_of_the_general_section() {
        let text = "[main]\ngpgcheck=1\nexclude=kernel* glibc,\n  systemd\n[repository]\nexclude=bash\n";
        let locks = dnf_excludes("dnf.conf", text).unwrap();
        assert_eq!(patterns(&locks, LockKind::Never), ["kernel*", "glibc", "systemd"]);
        assert!(locks[0].names(&"kernel-core-6.1-1.x86_64".parse().unwrap()) && locks[0].line == 3);
        assert_eq!(dnf_excludes("dnf.conf", "exclude=a\n").unwrap_err().line, 1);
    }

    #[test]
    fn locks_of_zypper() {
        let text = "\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: kernel-default\n\n\n\
            type: package\nmatch_type: glob\nsolvable_name: nginx\nversion: > 1.2\nrepo: x\n";
        let locks = zypper_locks("/etc/zypp/locks", text).unwrap();
        assert_eq!(patterns(&locks, LockKind::Unchanged), ["kernel-default", "nginx"]);
        assert_eq!((locks[0].condition.as_str(), locks[0].line), ("", 5));
        assert_eq!(locks[1].condition, "version: > 1.2, repo: x");
        assert_eq!(zypper_locks("l", "type: package\n").unwrap_err().line, 1);
        assert_eq!(zypper_locks("l", "\ngarbage\n").unwrap_err().line, 2);
        assert_eq!(zypper_locks("l", ""), Ok(vec![]));
    }
}
