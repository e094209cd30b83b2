//! Every rule has documents that break it and documents that keep it.
//!
//! `tests/rules/<ID>/bad*.yaml` breaks rule ID and nothing else; what the user sees of it is the snapshot beside it.
//! `tests/rules/<ID>/good*.yaml` is clean. A first line `# lint: key=value …` says what is known about the target:
//! `platform`, `os`, `role`, `accounts` (with commas between), `container`, `standalone`, `old-awstoe`, `inline`.

#![expect(clippy::unwrap_used, reason = "a test may end where something is missing")]

use amiforge::component::modules::Platform;
use amiforge::component::rules::{self, Role, Target};
use amiforge::component::{self};
use amiforge::diagnostic::{Diagnostic, Fix, SourceFile, render};
use amiforge::lint;
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules")
}

/// The fixtures of a rule whose names begin with a word.
fn fixtures(id: &str, word: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder().join(id)) else { return vec![] };
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(word))
        .filter(|path| matches!(path.extension().and_then(|ending| ending.to_str()), Some("yaml" | "json")))
        .collect();
    found.sort();
    found
}

fn target(text: &str) -> Target {
    let mut target = Target::default();
    let words = text.lines().next().and_then(|line| line.strip_prefix("# lint:")).unwrap_or_default();
    for word in words.split_whitespace() {
        match word.split_once('=').unwrap_or((word, "")) {
            ("platform", "linux") => target.platform = Some(Platform::Linux),
            ("platform", "windows") => target.platform = Some(Platform::Windows),
            ("platform", "macos") => target.platform = Some(Platform::MacOs),
            ("os", name) => target.os = Some(name.to_owned()),
            ("role", "build") => target.role = Some(Role::Build),
            ("role", "test") => target.role = Some(Role::Test),
            ("accounts", list) => target.accounts = list.split(',').map(str::to_owned).collect(),
            ("container", "") => target.container = true,
            ("standalone", "") => target.standalone = true,
            ("old-awstoe", "") => target.old_awstoe = true,
            ("inline", "") => target.inline = true,
            (other, _) => panic!("`{other}` is not known in `# lint:`"),
        }
    }
    target
}

fn check(path: &Path) -> Vec<Diagnostic> {
    let text = fs::read_to_string(path).unwrap();
    let name = path.strip_prefix(folder()).unwrap().display().to_string();
    let target = target(&text);
    let source = SourceFile::new(name, text);
    rules::check(&source, &component::parse(&source), &target)
}

#[test]
fn every_rule_has_fixtures_and_every_fixture_a_rule() {
    let missing: Vec<&str> = rules::all()
        .iter()
        .filter(|rule| fixtures(rule.id, "bad").is_empty() || fixtures(rule.id, "good").is_empty())
        .map(|rule| rule.id)
        .collect();
    assert!(missing.is_empty(), "without a failing or a passing fixture: {missing:?}");
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if name == ".gitkeep" {
            continue;
        }
        assert!(rules::find(&name).is_some_and(|rule| rule.id == name), "tests/rules/{name} belongs to no rule");
    }
}

#[test]
fn bad_fixtures_break_their_rule_and_no_other() {
    for rule in rules::all() {
        for path in fixtures(rule.id, "bad") {
            let found = check(&path);
            let codes: Vec<&str> = found.iter().map(|diagnostic| diagnostic.code).collect();
            assert!(
                !codes.is_empty() && codes.iter().all(|code| *code == rule.id),
                "{}: {codes:?}\n{}",
                path.display(),
                render::text(&found, false)
            );
            insta::with_settings!({
                snapshot_path => folder().join(rule.id),
                prepend_module_to_snapshot => false,
                omit_expression => true,
            }, {
                insta::assert_snapshot!(path.file_stem().unwrap().to_string_lossy().into_owned(), render::text(&found, false));
            });
        }
    }
}

#[test]
fn good_fixtures_are_clean() {
    for rule in rules::all() {
        for path in fixtures(rule.id, "good") {
            let found = check(&path);
            assert!(found.is_empty(), "{}\n{}", path.display(), render::text(&found, false));
        }
    }
}

#[test]
fn fixes_take_their_findings_away_and_bring_no_others() {
    let mut count = 0;
    for rule in rules::all() {
        for path in fixtures(rule.id, "bad") {
            let before = check(&path);
            let fixes: Vec<&Fix> = before.iter().filter_map(|found| found.fix.as_ref()).collect();
            let done = lint::fix::apply(&fs::read_to_string(&path).unwrap(), &fixes);
            let source = SourceFile::new("mended", done.text.as_str());
            let after = rules::check(&source, &component::parse(&source), &target(&done.text));
            let told = || format!("{}\n{}\n{}", path.display(), done.text, render::text(&after, false));
            assert!(fixes.is_empty() || done.applied > 0, "no fix fits {}", told());
            assert!(after.len() + done.applied <= before.len(), "a fix does not mend {}", told());
            assert!(after.iter().all(|found| found.code == rule.id), "a fix breaks something else: {}", told());
            count += done.applied;
        }
    }
    assert!(count > 20, "{count}");
}
