//! Files and folders by path, and standard input.

use super::embedded::{self, Kind};
use super::{Checkable, Checked, LintError, Options, parallel, project, read, source};
use crate::component::rules::{Levels, Target};
use crate::diagnostic::{Diagnostic, Severity, SourceFile};
use crate::project as projects;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The path that means standard input.
pub const STDIN: &str = "-";

/// What is looked for in folders.
const ENDINGS: [&str; 4] = ["yaml", "yml", "json", "tf"];
/// Folders that hold what others have made.
const PASSED_OVER: [&str; 3] = ["node_modules", "target", "cdk.out"];

/// Checks paths: component documents, and files with component documents in them, as they are; folders by the documents in
/// them; a folder with `amiforge.yaml`, and each file that a project consists of, as that project.
///
/// # Errors
/// When a path cannot be read, or has nothing to check: selecting nothing is never a pass.
pub fn paths(paths: &[PathBuf], options: &Options) -> Result<Checked, LintError> {
    let mut search = Search {
        options,
        projects: BTreeMap::new(),
        checked: Checked::default(),
        jobs: Vec::new(),
        asked: 0,
        answered: vec![false; paths.len()],
    };
    for (number, path) in paths.iter().enumerate() {
        search.asked = number;
        search.path(path)?;
    }
    let results = parallel::map(&search.jobs, Job::run);
    let mut checked = search.checked;
    for (job, result) in search.jobs.iter().zip(results) {
        let result = result?;
        search.answered[job.asked] |= result.components > 0 || !result.diagnostics.is_empty();
        checked.merge(result);
    }
    match search.answered.iter().position(|answered| !answered) {
        Some(number) => Err(LintError::NothingToCheck { path: paths[number].clone() }),
        None => Ok(checked),
    }
}

/// One file to be read and checked.
struct Job {
    path: PathBuf,
    /// Read already, for standard input.
    bytes: Option<Vec<u8>>,
    /// Which of the paths it is for.
    asked: usize,
    /// Named by the user, not found in a folder: taken for a document whatever it looks like.
    named: bool,
    target: Target,
    levels: Levels,
    fail_on: Option<Severity>,
}

impl Job {
    fn run(&self) -> Result<Checked, LintError> {
        let name = if self.bytes.is_some() { "<stdin>".to_owned() } else { self.path.display().to_string() };
        let bytes = match &self.bytes {
            Some(bytes) => bytes.clone(),
            None => fs::read(&self.path).map_err(|source| LintError::Unreadable { path: self.path.clone(), source })?,
        };
        let source = match read::decode(&name, bytes) {
            Ok(source) => source,
            Err(fault) => return Ok(Checked { components: 1, diagnostics: vec![fault], ..Checked::default() }),
        };
        if !self.named && !is_document(&source) {
            return Ok(Checked::default());
        }
        let mut checked = source::check(&source, &self.target, &self.levels);
        if self.named && checked.components == 0 && embedded::extract(&source).kind == Kind::Other {
            // Whoever names a file says what it is; that it does not look like it is what there is to tell.
            checked = source::document(&source, &self.target, &self.levels);
        }
        checked.fail_on = self.fail_on;
        if self.bytes.is_none() && checked.components > 0 {
            let (target, levels) = (self.target.clone(), self.levels.clone());
            checked.files.push(Checkable { name, path: self.path.clone(), target, levels });
        }
        Ok(checked)
    }
}

/// What has been found of the paths so far.
struct Search<'a> {
    options: &'a Options,
    /// The projects that paths lie in, each loaded once; `None` for one that cannot be.
    projects: BTreeMap<PathBuf, Option<Arc<projects::Project>>>,
    checked: Checked,
    jobs: Vec<Job>,
    /// The number of the path that is looked at.
    asked: usize,
    /// For which paths there was anything to check.
    answered: Vec<bool>,
}

impl Search<'_> {
    fn path(&mut self, path: &Path) -> Result<(), LintError> {
        if path.as_os_str() == STDIN {
            let mut bytes = Vec::new();
            let read = std::io::stdin().lock().read_to_end(&mut bytes);
            read.map_err(|source| LintError::Unreadable { path: path.to_owned(), source })?;
            let job = self.job(path, true);
            self.jobs.push(Job { bytes: Some(bytes), ..job });
            return Ok(());
        }
        let about = fs::metadata(path).map_err(|source| LintError::Unreadable { path: path.to_owned(), source })?;
        if about.is_dir() {
            self.folder(path)
        } else {
            self.file(path);
            Ok(())
        }
    }

    /// The check of a file about which nothing more is known than what the command line says.
    fn job(&self, path: &Path, named: bool) -> Job {
        Job {
            path: path.to_owned(),
            bytes: None,
            asked: self.asked,
            named,
            target: self.options.target.clone(),
            levels: self.options.levels.clone(),
            fail_on: None,
        }
    }

    /// The check of a file, with what the project around it says; `None` for a part of the project itself.
    fn job_in_project(&mut self, path: &Path, named: bool) -> Option<Job> {
        let job = self.job(path, named);
        let Some(project) = self.project_of(path) else { return Some(job) };
        let place = place(&project.root, path);
        let component = place.strip_prefix("components/").and_then(|name| name.strip_suffix(".yaml"));
        let known = match component {
            Some(name) => projects::check::target(&project, name),
            None if belongs_to_project(&place) => return None,
            None => projects::check::common_target(&project),
        };
        let target = over(&self.options.target, known);
        Some(Job { target, levels: project.lint.levels.clone(), fail_on: Some(project.lint.fail_on), ..job })
    }

    /// The project that a path lies in. What is wrong with its `amiforge.yaml` is told, for it says how to check.
    fn project_of(&mut self, path: &Path) -> Option<Arc<projects::Project>> {
        let full = std::path::absolute(path).ok()?;
        let root = projects::find(full.parent()?)?;
        if let Some(known) = self.projects.get(&root) {
            return known.clone();
        }
        let loaded = match projects::load_all(&root) {
            Ok(mut loaded) => {
                let own = |finding: &Diagnostic| {
                    let file = finding.primary.as_ref().map(|label| label.source.name.as_str());
                    finding.severity == Severity::Error && file == Some(projects::PROJECT_FILE)
                };
                self.checked.add(loaded.found.into_iter().filter(own).collect());
                loaded.project.lint.levels.extend(&self.options.levels);
                Some(Arc::new(loaded.project))
            }
            Err(found) => {
                self.checked.add(found);
                None
            }
        };
        self.projects.insert(root, loaded.clone());
        loaded
    }

    fn file(&mut self, path: &Path) {
        if let Some(job) = self.job_in_project(path, true) {
            self.jobs.push(job);
        } else if let Some(project) = self.project_of(path) {
            self.part_of(&project, path);
        }
    }

    /// A recipe, a baseline, a template: what is wrong with it shows when its project is checked.
    fn part_of(&mut self, project: &projects::Project, path: &Path) {
        let place = place(&project.root, path);
        let mut whole = project::project(&project.root, self.options);
        whole.diagnostics.retain(|finding| {
            finding.primary.as_ref().is_none_or(|label| {
                label.source.name == place || label.source.name.ends_with(&format!("(rendered from {place})"))
            })
        });
        whole.files.clear();
        self.answered[self.asked] = true;
        let findings = std::mem::take(&mut whole.diagnostics);
        self.checked.merge(whole);
        self.checked.add(findings);
    }

    fn folder(&mut self, path: &Path) -> Result<(), LintError> {
        if path.join(projects::PROJECT_FILE).is_file() {
            self.answered[self.asked] = true;
            self.checked.merge(project::project(path, self.options));
            return Ok(());
        }
        let unreadable = |source| LintError::Unreadable { path: path.to_owned(), source };
        let mut entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(unreadable)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_owned();
            // A link could lead anywhere, and round in a circle.
            let kind = entry.file_type().map_err(unreadable)?;
            if name.starts_with('.') || kind.is_symlink() {
                continue;
            }
            if kind.is_dir() && !PASSED_OVER.contains(&name.as_str()) {
                self.folder(&path)?;
            } else if kind.is_file() && ENDINGS.contains(&ending.as_str()) {
                let job = self.job_in_project(&path, false);
                self.jobs.extend(job);
            }
        }
        Ok(())
    }
}

/// What the command line knows, and for the rest what the project knows.
fn over(line: &Target, project: Target) -> Target {
    Target {
        platform: line.platform.or(project.platform),
        os: line.os.clone().or(project.os),
        role: line.role.or(project.role),
        container: line.container || project.container,
        standalone: line.standalone || project.standalone,
        old_awstoe: line.old_awstoe || project.old_awstoe,
        inline: line.inline || project.inline,
        accounts: if line.accounts.is_empty() { project.accounts } else { line.accounts.clone() },
    }
}

/// Where a file stands in a project, with `/` between folders.
fn place(root: &Path, path: &Path) -> String {
    let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let inside = full.strip_prefix(root).unwrap_or(&full);
    inside.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Whether a file of a project is read as part of it, and not as a document of its own.
fn belongs_to_project(place: &str) -> bool {
    place == projects::PROJECT_FILE
        || ["recipes/", "baselines/", "templates/"].iter().any(|folder| place.starts_with(folder))
}

/// A file that speaks of phases or of components; recipes and other files in the same tree do not.
fn is_document(source: &SourceFile) -> bool {
    let text = &source.text;
    text.contains("ImageBuilder::Component")
        || text.contains("imagebuilder_component")
        || text.lines().any(|line| line.trim_start().trim_start_matches(['"', '{', ' ']).starts_with("phases"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name: a\ndescription: a\nschemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: One\n        action: UpdateOS\n        timeoutSeconds: 60\n";

    fn write(folder: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    #[test]
    fn a_folder_is_searched_for_documents_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            ("deep/a.yaml", GOOD),
            ("recipe.yaml", "name: x\n"),
            ("notes.txt", "phases: of the moon\n"),
            (".hidden/b.yaml", GOOD),
            ("node_modules/c.yaml", GOOD),
        ];
        write(folder.path(), &files);
        assert_eq!(paths(&[folder.path().to_owned()], &Options::default()).unwrap().components, 1);
    }

    #[test]
    fn selecting_nothing_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let nothing = paths(&[folder.path().to_owned()], &Options::default());
        assert!(matches!(nothing, Err(LintError::NothingToCheck { .. })));
        let absent = paths(&[folder.path().join("absent.yaml")], &Options::default());
        assert!(matches!(absent, Err(LintError::Unreadable { .. })));
        // One path that has something does not excuse another one that has nothing.
        write(folder.path(), &[("a/a.yaml", GOOD), ("b/b.yaml", "x: 1\n")]);
        let one = paths(&[folder.path().join("a"), folder.path().join("b")], &Options::default());
        assert!(matches!(one, Err(LintError::NothingToCheck { path }) if path.ends_with("b")));
    }

    #[test]
    fn a_file_of_a_project_is_checked_as_the_project_says() {
        let folder = tempfile::tempdir().unwrap();
        let document = GOOD.replace("UpdateOS\n", "UpdateOS\n        onFailure: Continue\n");
        let recipe = "os: debian-12\nparent: { ssm: /a/b }\nbuild: [own]\ntest: [boots]\nnmae: x\n";
        write(
            folder.path(),
            &[
                ("amiforge.yaml", "project: acme\nlint: { fail_on: warning, rules: { S014: error } }\n"),
                ("components/own.yaml", &document),
                ("recipes/web.yaml", recipe),
            ],
        );
        let check = |path: &str| paths(&[folder.path().join(path)], &Options::default()).unwrap();
        let component = check("components/own.yaml");
        assert_eq!(component.fail_on, Some(Severity::Warning));
        assert!(component.diagnostics.iter().any(|found| found.code == "S014" && found.severity == Severity::Error));
        let recipe = check("recipes/web.yaml");
        assert_eq!(recipe.diagnostics.iter().map(|found| found.code).collect::<Vec<_>>(), ["P002"]);
        let all = check("");
        assert!(all.diagnostics.iter().any(|found| found.code == "P002"), "{:?}", all.diagnostics);
        assert!(all.diagnostics.iter().any(|found| found.code == "S014"), "{:?}", all.diagnostics);
    }
}
