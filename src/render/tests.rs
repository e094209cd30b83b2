use super::*;
use crate::component;
use crate::component::rules::{self, Level};
use crate::diagnostic::{Diagnostic, Severity};
use crate::project::{self, Project, builtin};
use std::path::Path;
use std::process::Command;

fn repository() -> Project {
    project::load(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A project with one template and one recipe that uses it.
fn project_with(template: &str, use_: &str, more: &[(&str, &str)]) -> Result<Project, Vec<Diagnostic>> {
    let recipe = format!("os: debian-12\nparent: {{ ssm: /p }}\nbuild:\n  - {use_}\ntest: [boots]\n");
    let mut files = vec![
        ("amiforge.yaml", "project: acme\n"),
        ("recipes/web.yaml", recipe.as_str()),
        ("templates/components/own.yaml.hbs", template),
    ];
    files.extend(more);
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    project::load(folder.path())
}

/// A document whose only command is given.
fn document(command: &str) -> String {
    format!(
        "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: RunIt\n        action: ExecuteBash\n        \
         timeoutSeconds: 60\n        inputs:\n          commands:\n            - |\n              {command}\n"
    )
}

fn render_own(template: &str, use_: &str) -> Result<RenderedRecipe, Vec<Diagnostic>> {
    let project = project_with(template, use_, &[]).unwrap();
    recipe(&project, &project.recipes["web"], Arch::X86_64)
}

/// `code place message` of each, with the help.
fn shown(found: &[Diagnostic]) -> String {
    let line = |diagnostic: &Diagnostic| {
        let help = diagnostic.help.iter().fold(String::new(), |all, help| all + "\n  help: " + help);
        format!("{} {} {}{help}", diagnostic.code, diagnostic.place().unwrap_or_default(), diagnostic.message)
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn faults(template: &str, use_: &str) -> String {
    shown(&render_own(template, use_).unwrap_err())
}

#[test]
fn every_recipe_renders_for_every_architecture_and_twice_the_same() {
    let project = repository();
    for found in project.recipes.values() {
        for arch in &found.architectures {
            let rendered = recipe(&project, found, *arch).unwrap_or_else(|found| panic!("{}", shown(&found)));
            assert_eq!(rendered.components.len(), found.build.len() + found.test.len());
            for component in &rendered.components {
                let text = &component.document.text;
                // The API takes 16,000 characters inline (component-documents.md 13).
                assert!(text.chars().count() <= 16_000, "{}: {}", component.name, text.chars().count());
                let parsed = crate::component::parse(&component.document);
                assert_eq!(shown(&parsed.diagnostics), "", "{}", component.document.name);
                assert_eq!(parsed.document.unwrap().only_test(), component.test, "{}", component.name);
                assert!(!component.description.is_empty());
            }
            let again = recipe(&project, found, *arch).unwrap();
            let texts =
                |recipe: &RenderedRecipe| recipe.components.iter().map(|c| c.document.text.clone()).collect::<Vec<_>>();
            assert_eq!(texts(&rendered), texts(&again));
        }
    }
}

#[test]
fn what_runs_on_this_machine_uses_nothing_the_runner_lacks() {
    let project = repository();
    for name in ["debian-12", "debian-13"] {
        let rendered = recipe(&project, &project.recipes[name], Arch::X86_64).unwrap();
        for component in &rendered.components {
            let document = crate::component::parse(&component.document).document.unwrap();
            assert_eq!(shown(&crate::component::runnable(&document, &component.document)), "");
        }
    }
}

#[test]
fn shell_scripts_of_the_shipped_components_parse() {
    let project = repository();
    for found in project.recipes.values().filter(|recipe| recipe.os.platform() == "Linux") {
        let rendered = recipe(&project, found, Arch::X86_64).unwrap();
        for component in &rendered.components {
            let tree = crate::yaml::parse(&component.document).unwrap();
            for script in scripts(&tree) {
                assert!(script.starts_with("set -euo pipefail\n"), "{}: {script}", component.document.name);
                let out = Command::new("bash").args(["-n", "-c", &script]).output().unwrap();
                assert!(out.status.success(), "{}: {}", component.document.name, String::from_utf8_lossy(&out.stderr));
            }
        }
    }
}

/// The texts below every `commands` key.
fn scripts(node: &crate::yaml::Node) -> Vec<String> {
    let mut found = vec![];
    for (key, value) in node.entries().unwrap_or_default() {
        if key.as_str() == Some("commands") {
            found.extend(value.items().unwrap_or_default().iter().filter_map(|item| item.as_str().map(str::to_owned)));
        } else {
            found.extend(scripts(value));
        }
    }
    found.extend(node.items().unwrap_or_default().iter().flat_map(scripts));
    found
}

#[test]
fn names_parents_and_supported_systems() {
    let project = repository();
    let debian = recipe(&project, &project.recipes["debian-12"], Arch::X86_64).unwrap();
    assert_eq!(debian.resource_name, "amiforge-demo-debian-12-x86-64");
    assert_eq!(debian.parent, ParentReference::Ssm("/aws/service/debian/release/12/latest/amd64".into()));
    assert_eq!((debian.platform, debian.root_device), ("Linux", "/dev/xvda"));
    let lines: Vec<String> = debian
        .components
        .iter()
        .map(|c| format!("{} test={} os={:?} {}", c.resource_name, c.test, c.supported_os, c.document.name))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    amiforge-demo-debian-12-patch-linux test=false os=["Debian 12"] patch-linux (rendered from templates/components/patch-linux.yaml.hbs)
    amiforge-demo-baseline-config test=false os=[] components/baseline-config.yaml
    amiforge-demo-boots test=true os=[] components/boots.yaml
    amiforge-demo-debian-12-patched test=true os=["Debian 12"] patched (rendered from templates/components/patched.yaml.hbs)
    amiforge-demo-hygiene test=true os=[] components/hygiene.yaml
    "#);
    let amazon = recipe(&project, &project.recipes["amazon-linux-2023"], Arch::Arm64).unwrap();
    let parameter = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64";
    assert_eq!(amazon.parent, ParentReference::Ssm(parameter.into()));
    let wrong = recipe(&project, &project.recipes["debian-12"], Arch::Arm64).unwrap_err();
    assert_eq!((wrong[0].code, wrong[0].place().as_deref()), ("R007", Some("recipes/debian-12.yaml:2:7")));
}

#[test]
fn both_kinds_of_braces() {
    let template = "parameters:\n  - Port: { type: string, default: \"80\" }\n".to_owned()
        + &document("echo {{ os }} \"\\{{ Port }}\" }}");
    let rendered = render_own(&template, "own: { Port: 8080 }").unwrap();
    let component = &rendered.components[0];
    assert!(component.document.text.contains("echo debian-12 \"{{ Port }}\" }}\n"), "{}", component.document.text);
    assert_eq!(component.parameters["Port"], "8080");
    assert_eq!(component.document.name, "own (rendered from templates/components/own.yaml.hbs)");
}

#[test]
fn parameters_of_templates() {
    let template = document(
        "echo {{ sh (parameter \"word\") }} {{#if (eq (parameter \"mode\" default=\"slow\" one_of=\"slow fast\") \"fast\")}}F{{else}}S{{/if}}",
    );
    let rendered = render_own(&template, "own: { word: \"it's\", mode: fast }").unwrap();
    assert!(rendered.components[0].document.text.contains("echo 'it'\\''s' F\n"));
    assert!(rendered.components[0].parameters.is_empty(), "used up by the template");
    insta::assert_snapshot!(faults(&template, "own"), @"R004 recipes/web.yaml:4:5 `own`: the parameter `word` is missing");
    insta::assert_snapshot!(faults(&template, "own: { word: w, mode: fats }"), @"R004 recipes/web.yaml:4:5 `own`: the parameter `mode` cannot be `fats`, only one of: slow, fast");
    insta::assert_snapshot!(faults(&template, "own: { word: w, mood: fast }"), @r"
    P019 recipes/web.yaml:4:5 `own` has no parameter `mood`
      help: it has: mode, word
    ");
}

#[test]
fn what_a_recipe_gives_is_told_and_compared() {
    let template = document(
        "{{#if (given \"a\" \"b\")}}some{{else}}none{{/if}} {{words (parameter \"a\" default=\" x  y \")}} {{#if (starts_with (parameter \"b\" default=\"\") \"s3://\")}}S3{{/if}}.",
    );
    let text = |use_: &str| render_own(&template, use_).unwrap().components[0].document.text.clone();
    assert!(text("own").contains("none [\"x\", \"y\"] .\n"), "{}", text("own"));
    assert!(text("own: { b: \"s3://c\" }").contains("some [\"x\", \"y\"] S3.\n"));
    assert!(text("own: { a: 1 }").contains("some [\"1\"] .\n"));
    let wrong = |text: &str| faults(&document(text), "own");
    insta::assert_snapshot!(wrong("{{#if (given 1)}}x{{/if}}"), @"R003 templates/components/own.yaml.hbs:11:15 `given` takes names of parameters in quotes");
    insta::assert_snapshot!(wrong("{{#if (starts_with os)}}x{{/if}}"), @"R003 templates/components/own.yaml.hbs:11:15 `starts_with` takes a text and the beginning to look for");
}

#[test]
fn faults_of_templates_have_a_place() {
    insta::assert_snapshot!(faults(&document("echo {{ oss }}"), "own"), @r"
    R002 templates/components/own.yaml.hbs:11:20 `oss` is not a name templates know
      help: known: component, os, os_family, os_version, package_manager, platform, project, recipe
      help: an expression for the component runner is written with a backslash in front: \{{ ... }}
    ");
    insta::assert_snapshot!(faults(&document("echo {{ build.RunIt.outputs.stdout }}"), "own"), @r"
    R002 templates/components/own.yaml.hbs:11:20 `build.RunIt.outputs.stdout` is not a name templates know
      help: known: component, os, os_family, os_version, package_manager, platform, project, recipe
      help: an expression for the component runner is written with a backslash in front: \{{ ... }}
    ");
    insta::assert_snapshot!(faults(&document("{{#if os}}x{{/if}}"), "own"), @r#"R003 templates/components/own.yaml.hbs:11:15 `if` takes a comparison, for example (eq os "debian-12")"#);
    insta::assert_snapshot!(faults(&document("{{#if oss}}x{{/if}}"), "own"), @r"
    R002 templates/components/own.yaml.hbs:11:15 `oss` is not a name templates know
      help: known: component, os, os_family, os_version, package_manager, platform, project, recipe
      help: an expression for the component runner is written with a backslash in front: \{{ ... }}
    ");
    insta::assert_snapshot!(faults(&document("{{#if (eq os \"x\")}}x"), "own"), @r"
    R001 templates/components/own.yaml.hbs:12:1 the template does not parse: an expression or block is not closed, or not one Handlebars knows
      help: an expression for the component runner is written with a backslash in front: \{{ ... }}
    ");
    insta::assert_snapshot!(faults(&document("{{ upper os }}"), "own"), @r"
    R002 templates/components/own.yaml.hbs:11:15 `upper` is not a helper or a name templates know
      help: known: component, os, os_family, os_version, package_manager, platform, project, recipe
      help: an expression for the component runner is written with a backslash in front: \{{ ... }}
    ");
    let partial = faults(&document("{{> apt-update.sh}}"), "own");
    let starts = "R002 templates/components/own.yaml.hbs:11:15 `apt-update.sh` is not a partial\n  help: known: ";
    assert!(partial.starts_with(starts) && partial.contains(" apt-updates.sh, "), "{partial}");
    insta::assert_snapshot!(faults(&document("{{ parameter \"x\" defualt=\"y\" }}"), "own"), @"R003 templates/components/own.yaml.hbs:11:15 `parameter` knows default and one_of, not `defualt`");
}

#[test]
fn a_rendered_document_is_read_back() {
    let fault = faults(&document("true").replace("ExecuteBash", "ExecuteBahs"), "own");
    assert!(fault.starts_with("S001"), "{fault}");
    assert!(fault.contains("own (rendered from templates/components/own.yaml.hbs):6:17"), "{fault}");
    assert!(fault.contains("help: the text was rendered: correct it in templates/components/own.yaml.hbs"), "{fault}");
    let stage = faults(&document("true").replace("name: build", "name: test"), "own");
    assert!(stage.starts_with("P017 recipes/web.yaml:4:5"), "{stage}");
    let reserved = "constants:\n  - recipe: { type: string, value: x }\n".to_owned() + &document("echo \\{{ recipe }}");
    assert!(faults(&reserved, "own").starts_with("R005 own (rendered from"), "{}", faults(&reserved, "own"));
}

#[test]
fn partials_keep_the_indentation_and_may_not_go_in_circles() {
    let template = document("{{> greet}}");
    let more = [("templates/partials/greet.hbs", "{{!-- {{> greet}} --}}\nif true; then\n  echo {{ os }}\nfi\n")];
    let project = project_with(&template, "own", &more).unwrap();
    let rendered = recipe(&project, &project.recipes["web"], Arch::X86_64).unwrap();
    let expected = "              if true; then\n                echo debian-12\n              fi\n";
    assert!(rendered.components[0].document.text.contains(expected), "{}", rendered.components[0].document.text);
    let more = [("templates/partials/greet.hbs", "{{> meet}}"), ("templates/partials/meet.hbs", "x {{> greet}}")];
    let project = project_with(&template, "own", &more).unwrap();
    let found = recipe(&project, &project.recipes["web"], Arch::X86_64).unwrap_err();
    assert_eq!((found[0].code, found[0].place().as_deref()), ("R001", Some("templates/partials/meet.hbs:1:7")));
    let more = [("templates/partials/greet.hbs", "one\n  {{ oss }}")];
    let project = project_with(&template, "own", &more).unwrap();
    let found = recipe(&project, &project.recipes["web"], Arch::X86_64).unwrap_err();
    assert_eq!((found[0].code, found[0].place().as_deref()), ("R002", Some("templates/partials/greet.hbs:2:3")));
}

#[test]
fn what_is_remembered_is_what_would_be_worked_out_now() {
    fn word(project: &mut Project) -> &mut BTreeMap<String, String> {
        &mut project.recipes.get_mut("web").unwrap().build[0].parameters
    }
    let template = document("apt-get install {{ sh (parameter \"word\") }} {{> piece }}");
    let piece = ("templates/partials/piece.hbs", "{{ recipe }}");
    let mut project = project_with(&template, "own: { word: one }", &[piece]).unwrap();
    let command = |project: &Project| {
        let rendered = recipe(project, &project.recipes["web"], Arch::X86_64).map_err(|found| shown(&found))?;
        let text = &rendered.components[0].document.text;
        Ok::<_, String>(text.lines().last().unwrap_or_default().trim().to_owned())
    };
    assert_eq!(command(&project).unwrap(), "apt-get install 'one' web");
    word(&mut project).insert("word".into(), "two".into());
    assert_eq!(command(&project).unwrap(), "apt-get install 'two' web");
    let given = word(&mut project).remove("word").unwrap();
    assert!(command(&project).unwrap_err().contains("the parameter `word` is missing"));
    word(&mut project).insert("word".into(), given);
    project.partials.insert("piece".into(), SourceFile::new("piece.hbs", "nginx"));
    assert_eq!(command(&project).unwrap(), "apt-get install 'two' nginx");
    let changed = SourceFile::new("own.yaml.hbs", template.replace("install", "remove"));
    project.components.get_mut("own").unwrap().source = changed;
    assert_eq!(command(&project).unwrap(), "apt-get remove 'two' nginx");

    // The same text, judged more strictly.
    let source = SourceFile::new("own", document("apt-get remove 'two' nginx"));
    let target = target(&project, &project.recipes["web"]);
    let doubtful = rules::check(&source, &component::parse(&source), &target).remove(0);
    assert_ne!(doubtful.severity, Severity::Error);
    let milder = project.lint.levels.clone();
    assert!(project.lint.levels.set(rules::find(doubtful.code).unwrap(), Level::Error));
    assert!(command(&project).unwrap_err().contains(doubtful.code));
    project.lint.levels = milder;
    assert_eq!(command(&project).unwrap(), "apt-get remove 'two' nginx");
}

#[test]
fn promotion_names() {
    let project = repository();
    let debian = &project.recipes["debian-12"];
    let name = |template: &str| promote_name(template, debian, Arch::X86_64, "staging");
    assert_eq!(name("/golden/{{ name }}/{{ arch }}/{{ channel }}").unwrap(), "/golden/debian-12/x86_64/staging");
    assert_eq!(name("plain").unwrap(), "plain");
    let wrong = name("{{ nam }}").unwrap_err();
    assert_eq!((wrong.code, wrong.message.as_str()), ("R002", "`nam` is not a name templates know"));
    assert_eq!(name("{{ name").unwrap_err().code, "R001");

    let target = |promote: &str| {
        let text = builtin::FILES.iter().find(|file| file.path == "recipes/debian-12.yaml").unwrap().text;
        let start = text.find("promote:").unwrap();
        let recipe_text = format!("{}{promote}\n", &text[..start]);
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("recipes")).unwrap();
        std::fs::write(
            folder.path().join("amiforge.yaml"),
            "project: acme\nchannels: { dev: {}, prod: { after: dev } }\n",
        )
        .unwrap();
        std::fs::write(folder.path().join("recipes/debian-12.yaml"), recipe_text).unwrap();
        let project = project::load(folder.path()).unwrap();
        let found = recipe(&project, &project.recipes["debian-12"], Arch::X86_64).err().unwrap_or_default();
        found.iter().map(|d| (d.code, d.place().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(target(""), []);
    for promote in [
        "promote: { parameter: \"/golden/{{ name }}\" }",
        "promote: { launch_template: \"{{ name }}\" }",
        "promote: { parameter: \"golden/{{ channel }}\" }",
        "promote: { parameter: \"/aws/{{ channel }}\" }",
        "promote: { parameter: \"/a b/{{ channel }}\" }",
        "promote: { launch_template: \"{{ channel }} x\" }",
        "promote: { parameter: [\"/g/{{ channel }}\", \"/golden\"] }",
        "promote: { launch_template: [\"{{ name }}-{{ channel }}\", \"debian-12-{{ channel }}\"] }",
    ] {
        let found = target(promote);
        assert_eq!((found.len(), found[0].0), (1, "R006"), "{promote}");
    }
    assert_eq!(target("promote: { parameter: [\"/g/{{ channel }}\", \"/h/{{ channel }}\"], launch_template: [] }"), []);
    // The second of two names that begin alike is shown, not the first.
    let found = target("promote: { parameter: [\"/g/{{ channel }}/a\", \"/g\"] }");
    assert!(found[0].1.ends_with(":47"), "{found:?}");
    let found = target("promote: { parameter: [\"/g/{{ channel }}\", \"/h/{{ chanel }}\"] }");
    assert_eq!((found.len(), found[0].0), (1, "R002"), "{found:?}");
}

#[test]
fn recipes_and_architectures_share_no_pointer() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| std::fs::write(folder.path().join(path), text).unwrap();
    std::fs::create_dir(folder.path().join("recipes")).unwrap();
    write("amiforge.yaml", "project: acme\nchannels: { dev: {} }\n");
    let text = |lines: &str| format!("os: debian-12\nparent: {{ ssm: /p }}\ntest: [boots]\n{lines}\n");
    let faults = || {
        let project = project::load(folder.path()).unwrap();
        let one = |name: &str, arch| recipe(&project, &project.recipes[name], arch).err().unwrap_or_default();
        let all = [one("web", Arch::X86_64), one("app", Arch::X86_64)].concat();
        all.into_iter().map(|found| (found.code, found.message)).collect::<Vec<_>>()
    };
    write("recipes/web.yaml", &text("promote: { launch_template: one, parameter: [\"/a\", \"/shared\"] }"));
    write("recipes/app.yaml", &text("promote: { launch_template: two, parameter: [\"/b\", \"/shared\"] }"));
    let why = "`/shared` cannot be used: recipes";
    let found = faults();
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0], ("R006", format!("{why} `web` and `app` would share it")));
    assert_eq!(found[1], ("R006", format!("{why} `app` and `web` would share it")));
    write("recipes/app.yaml", &text("architectures: [x86_64, arm64]\npromote: { parameter: \"/b\" }"));
    let found = faults();
    let expected = "`/b` cannot be used: architectures `x86_64` and `arm64` would share it";
    assert_eq!(found, [("R006", expected.to_owned())]);
}

#[test]
fn every_code_is_used_here() {
    let text = include_str!("tests.rs");
    for entry in ENTRIES {
        assert!(text.contains(entry.code), "{} is not tested", entry.code);
    }
}

/// Texts that one or the other reader takes for something else than text.
const TRAPS: &[&str] = &[
    "",
    " ",
    "y",
    "Y",
    "yes",
    "NO",
    "on",
    "Off",
    "true",
    "null",
    "~",
    "1",
    "0o17",
    "017",
    "0x1F",
    "1_000",
    "1.10",
    "1e3",
    ".inf",
    "-.INF",
    ".NaN",
    "12:30",
    "190:20:30",
    "2024-01-01",
    "=",
    "<<",
    "- a",
    "? a",
    "a: b",
    "a #b",
    "#",
    "&a",
    "*a",
    "!tag",
    "|",
    ">",
    "%x",
    "@x",
    "`x",
    "{a: b}",
    "[a]",
    "'",
    "\"",
    "\\",
    "{{ x }}",
    "a\nb",
    "\n",
    "a\tb",
    "\r\n",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{feff}x",
    "\u{0}",
    "\u{7f}",
    "\u{1f600}",
    "ß",
    " leading",
    "trailing ",
    "---",
    "...",
    "\u{ffff}",
];

fn yaml_reads_back(text: &str) {
    let quoted = crate::yaml::quoted(text);
    assert!(!quoted.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']), "{quoted}");
    let read: serde_yaml::Value = serde_yaml::from_str(&format!("key: {quoted}\n")).unwrap();
    assert_eq!(read["key"].as_str(), Some(text), "{quoted}");
    let source = SourceFile::new("x", format!("key: {quoted}\n"));
    let tree = crate::yaml::parse(&source).unwrap();
    let node = tree.get("key").unwrap();
    assert_eq!((node.as_str(), node.is_typed()), (Some(text), false), "{quoted}");
}

fn sh_reads_back(text: &str) {
    let Ok(word) = helpers::sh(text) else {
        assert!(text.chars().any(|c| c.is_control() || "\u{2028}\u{2029}\u{feff}".contains(c)), "{text:?}");
        return;
    };
    let out = Command::new("sh").args(["-c", &format!("printf %s {word}")]).output().unwrap();
    assert_eq!(String::from_utf8(out.stdout).unwrap(), text);
}

#[test]
fn traps_are_written_safely() {
    for text in TRAPS {
        yaml_reads_back(text);
        sh_reads_back(text);
    }
    let powershell =
        ["it's", "\u{2018}\u{2019}\u{201a}\u{201b}", "$x `n"].map(|text| helpers::powershell(text).unwrap());
    let doubled = "'\u{2018}\u{2018}\u{2019}\u{2019}\u{201a}\u{201a}\u{201b}\u{201b}'";
    assert_eq!(powershell, ["'it''s'", doubled, "'$x `n'"]);
    assert!(helpers::powershell("a\nb").is_err());
    for text in ["$HOME", "`id`", "$(id)", "a b", "*", "-n", "'; rm -rf / #", "''", "\\"] {
        sh_reads_back(text);
        assert!(helpers::sh(text).is_ok());
    }
    assert!(helpers::sh("a\nb").is_err() && helpers::sh("\0").is_err());
}

proptest::proptest! {
    #[test]
    fn any_text_survives_yaml(text in "\\PC{0,20}|[\\x00-\\x7f\u{80}-\u{a0}\u{2020}-\u{2030}]{0,20}") {
        yaml_reads_back(&text);
    }

    #[test]
    fn any_template_is_answered_without_a_panic(text in "(\\{\\{|\\}\\}|[#/> a-z\"\\\\\n]){0,12}") {
        let (parameters, partials) = (BTreeMap::new(), BTreeMap::new());
        let inputs = engine::Inputs { variables: BTreeMap::new(), parameters: &parameters, partials: &partials };
        let _ = engine::Templates::default().render(&SourceFile::new("x", text), &inputs);
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn any_text_survives_the_shell(text in "\\PC{0,20}|[ -~]{0,20}") {
        sh_reads_back(&text);
    }
}
