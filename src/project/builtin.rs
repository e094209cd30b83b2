//! What comes with amiforge: the files of its own repository, embedded. One table; nothing else in the crate embeds them.

use super::{ComponentSource, model::Project};
use crate::diagnostic::SourceFile;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A file of the repository, as it was when amiforge was built.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn {
    /// Its place in the repository, for example `components/boots.yaml`.
    pub path: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! embedded {
    ($($path:literal),* $(,)?) => {
        &[$(BuiltIn { path: $path, text: include_str!(concat!("../../", $path)) }),*]
    };
}

/// All embedded files, by folder and name.
pub const FILES: &[BuiltIn] = embedded![
    "amiforge.yaml",
    "components/baseline-config.yaml",
    "components/boots-windows.yaml",
    "components/boots.yaml",
    "components/hygiene-windows.yaml",
    "components/hygiene.yaml",
    "recipes/amazon-linux-2023.yaml",
    "recipes/debian-12.yaml",
    "recipes/debian-13.yaml",
    "recipes/rhel-9.yaml",
    "recipes/sles-15.yaml",
    "recipes/ubuntu-24.04.yaml",
    "recipes/windows-server-2022.yaml",
    "templates/components/agents-present.yaml.hbs",
    "templates/components/assertions.yaml.hbs",
    "templates/components/no-failed-units.yaml.hbs",
    "templates/components/no-pending-reboot-windows.yaml.hbs",
    "templates/components/no-pending-reboot.yaml.hbs",
    "templates/components/patch-linux.yaml.hbs",
    "templates/components/patch-windows.yaml.hbs",
    "templates/components/patched-windows.yaml.hbs",
    "templates/components/patched.yaml.hbs",
    "templates/components/running-newest-kernel.yaml.hbs",
    "templates/components/services-windows.yaml.hbs",
    "templates/components/time-in-sync-windows.yaml.hbs",
    "templates/components/time-in-sync.yaml.hbs",
    "templates/partials/apt-excluded.sh.hbs",
    "templates/partials/apt-rejected.sh.hbs",
    "templates/partials/apt-updates.sh.hbs",
    "templates/partials/assert-files.sh.hbs",
    "templates/partials/assert-kernel.sh.hbs",
    "templates/partials/assert-outputs.sh.hbs",
    "templates/partials/assert-packages.sh.hbs",
    "templates/partials/assert-ports.sh.hbs",
    "templates/partials/assert-users.sh.hbs",
    "templates/partials/chosen-tests.sh.hbs",
    "templates/partials/chosen.sh.hbs",
    "templates/partials/dnf-updates.sh.hbs",
    "templates/partials/hook.ps1.hbs",
    "templates/partials/hook.sh.hbs",
    "templates/partials/install-updates.sh.hbs",
    "templates/partials/newest-kernel.sh.hbs",
    "templates/partials/no-machine.sh.hbs",
    "templates/partials/nothing-outstanding.sh.hbs",
    "templates/partials/override-list-steps.yaml.hbs",
    "templates/partials/override-list.sh.hbs",
    "templates/partials/read-override-list.sh.hbs",
    "templates/partials/rejected.sh.hbs",
    "templates/partials/restart-reason.sh.hbs",
    "templates/partials/updates.sh.hbs",
    "templates/partials/windows-nothing-outstanding.ps1.hbs",
    "templates/partials/windows-restart-reason.ps1.hbs",
    "templates/partials/windows-updates.ps1.hbs",
    "templates/partials/zypper-locks.sh.hbs",
    "templates/partials/zypper-updates.sh.hbs",
];

/// The text of an embedded file; empty for a path that is not in the table.
pub(super) fn text(path: &str) -> &'static str {
    FILES.iter().find(|file| file.path == path).map_or("", |file| file.text)
}

/// The source file of a built-in, under a name that tells where it comes from.
fn source(file: &BuiltIn) -> Arc<SourceFile> {
    SourceFile::new(format!("<built-in>/{}", file.path), file.text)
}

/// The built-in components by name.
pub(super) fn components() -> BTreeMap<String, ComponentSource> {
    let plain = in_folder("components/", ".yaml").map(|(name, file)| (name, file, false));
    let templates = in_folder("templates/components/", ".yaml.hbs").map(|(name, file)| (name, file, true));
    plain
        .chain(templates)
        .map(|(name, file, template)| {
            (name.to_owned(), ComponentSource { name: name.to_owned(), template, source: source(file) })
        })
        .collect()
}

/// The built-in partials by name.
pub(super) fn partials() -> BTreeMap<String, Arc<SourceFile>> {
    in_folder("templates/partials/", ".hbs").map(|(name, file)| (name.to_owned(), source(file))).collect()
}

fn in_folder(folder: &'static str, ending: &'static str) -> impl Iterator<Item = (&'static str, &'static BuiltIn)> {
    FILES.iter().filter_map(move |file| Some((file.path.strip_prefix(folder)?.strip_suffix(ending)?, file)))
}

impl Project {
    /// Whether a component is the one that comes with amiforge, not one of the project.
    #[must_use]
    pub fn is_built_in(&self, component: &str) -> bool {
        self.components.get(component).is_some_and(|found| found.source.name.starts_with("<built-in>/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_file_of_the_repository_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = vec!["amiforge.yaml".to_owned()];
        for folder in ["components", "recipes", "templates/components", "templates/partials"] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                found.push(format!("{folder}/{}", entry.unwrap().file_name().to_string_lossy()));
            }
        }
        found.sort();
        assert_eq!(found, FILES.iter().map(|file| file.path).collect::<Vec<_>>());
    }

    #[test]
    fn components_and_partials_are_found_by_name() {
        let components = components();
        assert!(components["patch-linux"].template && !components["boots"].template);
        assert_eq!(components["boots"].source.name, "<built-in>/components/boots.yaml");
        assert!(partials().contains_key("apt-updates.sh"));
        assert_eq!(text("no/such/file"), "");
    }
}
