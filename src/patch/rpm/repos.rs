//! Which repositories a system asks: `/etc/yum.repos.d/*.repo` and `/etc/zypp/repos.d/*.repo`.

use super::ini::{Section, sections, words};
use std::collections::BTreeMap;

/// A repository as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its id, the name of the section.
    pub id: String,
    /// What people call it; the id when nothing is said.
    pub name: String,
    /// Whether it is asked.
    pub enabled: bool,
    /// Addresses.
    pub baseurl: Vec<String>,
    /// Address of a list of addresses.
    pub mirrorlist: Option<String>,
    /// Address of a list of addresses with checksums.
    pub metalink: Option<String>,
    /// Less is preferred; 99 when nothing is said (dnf.conf(5), zypper(8)).
    pub priority: i32,
    /// Whether its packages count whatever modules are enabled.
    pub module_hotfixes: bool,
    /// Whether signatures of packages are checked; `None` when the general setting decides.
    pub gpgcheck: Option<bool>,
    /// Whether the signature of its metadata is checked; `None` when the general setting decides.
    pub repo_gpgcheck: Option<bool>,
    /// Whether the package manager goes on without it when it cannot be reached; `None` when the general setting decides.
    /// On Amazon Linux 2023 it does (patch-baselines.md 3.2), so that an unreachable repository looks like one without updates.
    pub skip_if_unavailable: Option<bool>,
    /// Patterns of packages that are not seen in it.
    pub exclude: Vec<String>,
    /// Patterns of the packages that are seen in it; empty means all.
    pub include: Vec<String>,
    /// Line of the section, from 1.
    pub line: usize,
}

/// A configuration of repositories that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {why}")]
pub struct RepositoryError {
    /// The file, as the caller called it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub why: String,
}

/// Variables that stand for something in addresses: `$releasever`, `$basearch` and those of the files in
/// `/etc/dnf/vars` and `/etc/yum/vars`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Those of every system: the release, and the machine's architecture (`uname -m`).
    #[must_use]
    pub fn new(releasever: &str, arch: &str) -> Self {
        // The base architectures of dnf (dnf/rpm/__init__.py, _BASEARCH_MAP), as far as systems of this kind exist.
        let basearch = match arch {
            "i386" | "i486" | "i586" | "i686" | "athlon" => "i386",
            "armv7l" | "armv7hl" | "armv7hnl" => "armhfp",
            other => other,
        };
        let all = [("releasever", releasever), ("arch", arch), ("basearch", basearch)];
        Self(all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Adds the variable of a file, whose name is the variable's and whose first line is the value.
    pub fn add(&mut self, file_name: &str, text: &str) {
        let value = text.lines().next().unwrap_or_default().trim();
        self.0.insert(file_name.to_owned(), value.to_owned());
    }

    /// The text with the values of `$name` and `${name}`. What is unknown stays as it is, as dnf has it.
    #[must_use]
    pub fn substitute(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let braced = after.strip_prefix('{');
            let from = braced.unwrap_or(after);
            let end = from.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(from.len());
            let (name, behind) = from.split_at(end);
            let behind = if braced.is_some() { behind.strip_prefix('}') } else { Some(behind) };
            if let (Some(value), Some(behind)) = (self.0.get(name), behind) {
                out.push_str(value);
                rest = behind;
            } else {
                out.push('$');
                rest = after;
            }
        }
        out + rest
    }
}

/// Reads a file of repositories, in the order in which they stand there; the values have their variables replaced. The
/// section `main`, which is no repository, is left out. A repository that several files have is the first one to dnf.
///
/// A value that is neither yes nor no, a priority that is no number and an enabled repository without an address are
/// errors: to leave a repository out would make everything in it look installed.
pub fn repositories(file: &str, text: &str, variables: &Variables) -> Result<Vec<Repository>, RepositoryError> {
    let error = |line, why: String| RepositoryError { file: file.to_owned(), line, why };
    let sections = sections(text).map_err(|malformed| error(malformed.line, malformed.why.to_owned()))?;
    let of = |section: &Section| read(section, variables).map_err(|(line, why)| error(line, why));
    sections.iter().filter(|section| section.name != "main").map(of).collect()
}

fn read(section: &Section, variables: &Variables) -> Result<Repository, (usize, String)> {
    let id = variables.substitute(section.name);
    let text = |key: &str| section.value(key).map(|value| variables.substitute(value));
    let list = |key: &str| words(&text(key).unwrap_or_default()).map(str::to_owned).collect::<Vec<_>>();
    let flag = |key: &str| section.entry(key).map(|entry| switch(entry.line, key, &entry.value)).transpose();
    let priority = section.entry("priority").map(|entry| {
        let wrong = || (entry.line, format!("`priority` is a number and not `{}`", entry.value));
        entry.value.parse().map_err(|_| wrong())
    });
    let read = Repository {
        name: text("name").unwrap_or_else(|| id.clone()),
        enabled: flag("enabled")?.unwrap_or(true),
        baseurl: below(list("baseurl"), text("path").as_deref()),
        mirrorlist: text("mirrorlist"),
        metalink: text("metalink"),
        priority: priority.transpose()?.unwrap_or(99),
        module_hotfixes: flag("module_hotfixes")?.unwrap_or(false),
        gpgcheck: flag("gpgcheck")?,
        repo_gpgcheck: flag("repo_gpgcheck")?,
        skip_if_unavailable: flag("skip_if_unavailable")?,
        exclude: [list("exclude"), list("excludepkgs")].concat(),
        include: list("includepkgs"),
        line: section.line,
        id,
    };
    if read.enabled && read.baseurl.is_empty() && read.mirrorlist.is_none() && read.metalink.is_none() {
        let why = format!("the repository `{}` is enabled and has no baseurl, mirrorlist or metalink", read.id);
        return Err((section.line, why));
    }
    Ok(read)
}

/// The words of libdnf's `OptionBool`; zypp has no others in its files.
fn switch(line: usize, key: &str, value: &str) -> Result<bool, (usize, String)> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "yes" | "true" | "on" => Ok(true),
        "0" | "no" | "false" | "off" => Ok(false),
        _ => Err((line, format!("`{key}` is yes or no and not `{value}`"))),
    }
}

/// Addresses with zypp's `path`, the folder below them.
fn below(addresses: Vec<String>, path: Option<&str>) -> Vec<String> {
    let path = path.map(|path| path.trim_matches('/')).filter(|path| !path.is_empty());
    let Some(path) = path else { return addresses };
    addresses.into_iter().map(|address| format!("{}/{path}", address.trim_end_matches('/'))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMAZON: &str = "[amazonlinux]\nname=Amazon Linux $releasever repository\n\
        mirrorlist=https://cdn.example/al2023/core/mirrors/$releasever/${basearch}/mirror.list\npriority=10\nenabled=1\n\
        repo_gpgcheck=0\ntype=rpm\ngpgcheck=1\nskip_if_unavailable=True\n\n[amazonlinux-source]\nname=x\nenabled=0\n";
    const SUSE: &str = "[SLES15-SP6]\nenabled=1\nautorefresh=1\nbaseurl=https://updates.example/SUSE/$awsregion/\npath=/product\n\
        type=rpm-md\nkeeppackages=0\n";

    #[test]
    fn repositories_of_dnf_and_zypp() {
        let mut variables = Variables::new("2023.9.20251117", "x86_64");
        variables.add("awsregion", "eu-west-1\nmore\n");
        let read = repositories("amazonlinux.repo", AMAZON, &variables).unwrap();
        assert_eq!((read.len(), read[0].enabled, read[1].enabled), (2, true, false));
        assert_eq!(read[0].name, "Amazon Linux 2023.9.20251117 repository");
        let list = "https://cdn.example/al2023/core/mirrors/2023.9.20251117/x86_64/mirror.list";
        assert_eq!(read[0].mirrorlist.as_deref(), Some(list));
        assert_eq!((read[0].priority, read[1].priority), (10, 99));
        assert_eq!((read[0].gpgcheck, read[0].repo_gpgcheck, read[1].gpgcheck), (Some(true), Some(false), None));
        assert_eq!((read[0].skip_if_unavailable, read[0].module_hotfixes), (Some(true), false));
        let suse = repositories("s.repo", SUSE, &variables).unwrap();
        assert_eq!(suse[0].baseurl, ["https://updates.example/SUSE/eu-west-1/product"]);
        assert_eq!(suse[0].name, "SLES15-SP6");
        let text = "[main]\ngpgcheck=1\n[a]\nbaseurl=http://one/\n  http://two/\nmodule_hotfixes=yes\nexcludepkgs=kernel* , a\n\
            includepkgs=b\n";
        let a = &repositories("a.repo", text, &variables).unwrap()[0];
        assert_eq!((a.baseurl.len(), a.module_hotfixes, a.enabled), (2, true, true));
        assert_eq!((a.exclude.join(" "), a.include.join(" ")), ("kernel* a".into(), "b".into()));
    }

    #[test]
    fn what_cannot_be_understood_is_an_error_with_its_line() {
        let error = |text: &str| repositories("x.repo", text, &Variables::default()).unwrap_err();
        assert_eq!(
            error("[a]\nbaseurl=x\nenabled=maybe\n").to_string(),
            "x.repo, line 3: `enabled` is yes or no and not `maybe`"
        );
        assert_eq!(error("[a]\nbaseurl=x\npriority=high\n").line, 3);
        assert_eq!(error("\n[a]\nname=b\n").line, 2);
        assert_eq!(error("baseurl=x\n").line, 1);
        assert_eq!(repositories("x.repo", "# nothing\n", &Variables::default()), Ok(vec![]));
    }

    #[test]
    fn variables_are_replaced_and_unknown_ones_stay() {
        let variables = Variables::new("9", "i686");
        for (text, expected) in [
            ("$basearch/$arch", "i386/i686"),
            ("${releasever}.$releasever.", "9.9."),
            ("$unknown/${unknown}/$", "$unknown/${unknown}/$"),
            ("${releasever", "${releasever"),
            ("$$releasever", "$9"),
            ("$releasevers ${releasever:-8} €$", "$releasevers ${releasever:-8} €$"),
        ] {
            assert_eq!(variables.substitute(text), expected, "{text}");
        }
    }
}
