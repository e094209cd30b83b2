use super::*;
use crate::clock::Clock;
use crate::project;

const DEBIAN_12: &str = "name: web\nos: debian-12\nversion: \"1.0\"\nparent: { ssm: /x, local: { bootstrap: bookworm, \
    packages: [git] } }\narchitectures: [x86_64, arm64]\nbuild: [patch-linux, motd]\ntest: [boots]\npromote: { \
    launch_template: \"web-{{ arch }}-{{ channel }}\", parameter: \"/golden/web/{{ arch }}/{{ channel }}\" }\n";

const MOTD: &str = "name: motd\ndescription: d\nschemaVersion: 1.0\nparameters:\n  - Text: { type: string, default: hello }\n\
    phases:\n  - name: build\n    steps:\n      - name: One\n        action: ExecuteBash\n        timeoutSeconds: 60\n        \
    inputs:\n          commands: [\"set -e; echo '{{ Text }}'\"]\n";

struct Fixture {
    _folder: tempfile::TempDir,
    world: World,
}

fn fixture(recipes: &[(&str, &str)]) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("amiforge.yaml", "project: acme\n");
    write("components/motd.yaml", MOTD);
    for (name, text) in recipes {
        write(&format!("recipes/{name}.yaml"), text);
    }
    let here = folder.path().to_owned();
    let world = World {
        project: Some(project::load(&here).unwrap()),
        state: here.join(".amiforge"),
        cache: here.join("cache"),
        mirror: None,
        bind: vec![],
        clock: Clock::fixed(time::OffsetDateTime::UNIX_EPOCH),
        outside: || Box::new(crate::runner::outside::Nowhere),
        here,
    };
    Fixture { _folder: folder, world }
}

fn rows_of(world: &World, systems: &[&str]) -> Result<Vec<Row>, TrialError> {
    let systems: Vec<String> = systems.iter().map(|name| (*name).to_owned()).collect();
    rows(world, &systems, &[])
}

fn component(name: &str) -> Chosen {
    Chosen::Component(name.to_owned())
}

#[test]
fn a_system_has_the_root_that_a_recipe_describes() {
    let fixture = fixture(&[("web", DEBIAN_12)]);
    let rows = rows_of(&fixture.world, &["debian-12", "debian-13"]).unwrap();
    assert!(matches!(&rows[0].source, Source::Bootstrap { packages, .. } if packages == &["git"]));
    assert!(
        matches!(&rows[1].source, Source::Bootstrap { release, packages, .. } if release == "debian-13" && packages.len() > 1)
    );
    assert!(rows_of(&fixture.world, &["rhel-9"]).is_err());
    assert!(rows_of(&fixture.world, &["windows-server-2022"]).is_err());
    assert_eq!(rows_of(&fixture.world, &["debian12"]).unwrap_err().next(), ["did you mean `debian-12`?"]);
}

#[test]
fn a_component_runs_on_the_roots_of_the_recipes_that_use_it() {
    let other = DEBIAN_12.replace("web", "db").replace("packages: [git]", "packages: [cron]");
    let third = other.replace("db", "log").replace("[patch-linux, motd]", "[patch-linux: { scope: all }]");
    let fixture = fixture(&[("web", DEBIAN_12), ("db", &other), ("log", &third)]);
    let names = |name| -> Vec<String> {
        let rows = default_rows(&fixture.world, &component(name)).unwrap();
        rows.into_iter().map(|row| row.name).collect()
    };
    // Recipes come by name. The second row of the same system is called after its recipe.
    assert_eq!(names("motd"), ["debian-12", "web"]);
    // Another recipe on the same root counts when it passes other parameters.
    assert_eq!(names("patch-linux"), ["debian-12", "log", "web"]);
    // What no recipe uses runs on all of them, each root once.
    assert_eq!(names("hygiene"), ["debian-12", "web"]);
    let nowhere = self::fixture(&[]);
    let rows = default_rows(&nowhere.world, &component("motd")).unwrap();
    assert_eq!((rows.len(), rows[0].name.as_str()), (1, "debian-12"));
}

#[test]
fn on_another_system_templates_become_what_they_are_there() {
    let fixture = fixture(&[("web", DEBIAN_12)]);
    let rows = rows_of(&fixture.world, &["debian-13"]).unwrap();
    let trials = trials(&fixture.world, &[Chosen::Recipe("web".into()), component("patched")], &rows, &[]).unwrap();
    let names: Vec<&str> = trials.iter().map(|trial| trial.name.as_str()).collect();
    assert_eq!(names, ["web@debian-13", "patched@debian-13"]);
    let documents: Vec<&str> = trials[0].documents.iter().map(|document| document.name.as_str()).collect();
    assert_eq!(documents, ["patch-linux", "motd", "boots"]);
    assert_eq!(trials[0].option, "--os debian-13");
    assert!(trials[1].documents[0].source.name.starts_with("patched (rendered from "));
}

#[test]
fn values_reach_the_documents_that_know_them() {
    let fixture = fixture(&[("web", DEBIAN_12)]);
    let given: Vec<Given> = vec!["Text=hi".parse().unwrap(), "patch-linux:scope=all".parse().unwrap()];
    let trials = trials(&fixture.world, &[Chosen::Recipe("web".into())], &[], &given).unwrap();
    let motd = trials[0].documents.iter().find(|document| document.name == "motd").unwrap();
    assert_eq!(motd.parameters["Text"], "hi");
    let unknown: Vec<Given> = vec!["boots:Text=hi".parse().unwrap()];
    assert!(super::trials(&fixture.world, &[Chosen::Recipe("web".into())], &[], &unknown).is_err());
}

#[test]
fn rows_of_the_same_name_are_told_apart() {
    let row = |name: &str, path: &str| Row {
        name: name.into(),
        os: None,
        source: Source::Directory { path: path.into() },
        recipe: None,
        option: String::new(),
    };
    let mut rows = vec![row("root", "/a"), row("root", "/b")];
    distinct(&mut rows);
    assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["root", "root-2"]);
    assert_eq!([short("/srv/my root/"), short("./"), short("tar")], ["my-root", "root", "tar"]);
}
