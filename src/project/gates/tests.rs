use crate::project::tests::{RECIPE, at, faults, places, shown, write};
use crate::project::{Rating, load};
use std::time::Duration;

const POLICY: &str = "project: acme\ngates:\n  required: [patches, image]\n  patches: { missing: 1, levels: { high: 0 }, grace: { critical: 7d } }\n  \
    image: { boot_modes: [uefi, uefi-preferred], accounts: ['111122223333'] }\n  vulnerabilities: { only_new: true }\n  age: { max: 30d }\n";

/// The gates of a recipe with these lines in a project with this policy.
fn gates(lines: &str) -> crate::project::Gates {
    let folder = write(&[("amiforge.yaml", POLICY), ("recipes/web.yaml", &format!("{RECIPE}{lines}"))]);
    let mut project = load(folder.path()).unwrap_or_else(|found| panic!("{}", shown(&found)));
    project.recipes.remove("web").unwrap().gates
}

fn refused(lines: &str) -> Vec<(&'static str, String)> {
    places(&faults(&[("amiforge.yaml", POLICY), ("recipes/web.yaml", &format!("{RECIPE}{lines}"))]))
}

#[test]
fn a_recipe_has_the_gates_of_the_project_and_refines_them() {
    let bare = gates("");
    assert_eq!(bare.patches.as_ref().unwrap().missing, 1);
    assert!(bare.vulnerabilities.unwrap().only_new && bare.tests.is_none());
    let refined = gates("gates: { patches: { missing: 0 }, tests: required, packages: { must_have: [bash] } }\n");
    let patches = refined.patches.unwrap();
    assert_eq!((patches.missing, patches.levels[&Rating::High]), (0, 0), "what it does not say stays");
    assert_eq!(patches.grace_of(Rating::Low), Some(Duration::from_hours(7 * 24)));
    assert!(refined.tests.is_some() && refined.max_age.is_some());
    assert_eq!(refined.packages.unwrap().must_have.len(), 1);
    let less = gates("gates: { without: [vulnerabilities], age: { max: 60d } }\n");
    assert!(less.vulnerabilities.is_none(), "it is not required");
    assert_eq!(less.max_age, Some(Duration::from_hours(60 * 24)));
}

#[test]
fn a_recipe_cannot_weaken_what_is_required() {
    for (lines, place) in [
        ("gates: { patches: { missing: 2 } }\n", "6:21"),
        ("gates: { patches: { rejected: 1 } }\n", "6:21"),
        ("gates: { patches: { scanned_within: 2d } }\n", "6:21"),
        ("gates: { patches: { levels: { high: 1 } } }\n", "6:21"),
        ("gates: { patches: { grace: { critical: 8d } } }\n", "6:21"),
        ("gates: { patches: { grace: { unrated: 1d } } }\n", "6:21"),
        ("gates: { image: { imds_v2: false } }\n", "6:19"),
        ("gates: { image: { boot_modes: [uefi, legacy-bios] } }\n", "6:19"),
        ("gates: { image: { accounts: ['999988887777'] } }\n", "6:19"),
        ("gates: { without: [image] }\n", "6:20"),
        ("gates: { validated_within: 25h }\n", "6:10"),
    ] {
        assert_eq!(refused(lines), at("P040", &format!("recipes/web.yaml:{place}")), "{lines}");
    }
    for stricter in [
        "gates: { patches: { missing: 0, scanned_within: 1h, levels: { medium: 0 }, grace: { critical: 1d } } }\n",
        "gates: { image: { boot_modes: [uefi], accounts: [], ena: true } }\n",
        "gates: { validated_within: 23h }\n",
    ] {
        gates(stricter);
    }
}

/// Hours.
fn valid(gates: &crate::project::Gates) -> u64 {
    gates.valid_within().as_secs() / 3600
}

#[test]
fn evidence_may_be_as_old_as_the_policy_says_or_as_its_oldest_scan() {
    assert_eq!(valid(&gates("")), 24);
    assert_eq!(valid(&gates("gates: { validated_within: 1h }\n")), 1);
    // What is not required may become weaker, and what is required looks at no older evidence for it.
    let older = gates("gates: { vulnerabilities: { scanned_within: 7d } }\n");
    assert_eq!((valid(&older), older.vulnerabilities.unwrap().scanned_within.as_secs() / 3600), (24, 168));
    let free = |lines: &str, policy: &str| {
        let recipe = format!("{RECIPE}{lines}");
        let folder =
            write(&[("amiforge.yaml", &format!("project: acme\n{policy}")), ("recipes/web.yaml", recipe.as_str())]);
        valid(&load(folder.path()).unwrap_or_else(|found| panic!("{}", shown(&found))).recipes["web"].gates)
    };
    assert_eq!(free("", ""), 24);
    assert_eq!(free("gates: { patches: { scanned_within: 3d } }\n", ""), 72);
    assert_eq!(free("gates: { vulnerabilities: { scanned_within: 1h } }\n", ""), 1);
    assert_eq!(free("gates: { image: { ena: true } }\n", ""), 24);
    let policy = "gates: { validated_within: 2d, age: { max: 7d } }\n";
    assert_eq!(free("", policy), 48);
    assert_eq!(free("gates: { validated_within: 3d }\n", policy), 72);
}

#[test]
fn a_recipe_without_any_gate_is_refused() {
    let bare = |lines: &str, policy: &str| {
        let recipe = format!("{RECIPE}{lines}");
        places(&faults(&[("amiforge.yaml", &format!("project: acme\n{policy}")), ("recipes/web.yaml", &recipe)]))
    };
    let place = |column: u8| at("P016", &format!("recipes/web.yaml:6:{column}"));
    assert_eq!(bare("gates: { validated_within: 2h }\n", ""), place(8));
    assert_eq!(bare("gates: { without: [age] }\n", "gates: { age: { max: 7d } }\n"), place(8));
}

#[test]
fn a_policy_that_cannot_mean_anything_is_refused() {
    let with = |lines: &str| places(&faults(&[("amiforge.yaml", &format!("project: acme\ngates:\n{lines}"))]));
    assert_eq!(with("  required: [patches]\n  age: { max: 1d }\n"), at("P016", "amiforge.yaml:3:14"));
    assert_eq!(with("  required: [patchs]\n  age: { max: 1d }\n"), at("P005", "amiforge.yaml:3:14"));
    assert_eq!(with("  waivable: false\n"), at("P016", "amiforge.yaml:3:3"));
    assert_eq!(with("  commands: { a-b: {} }\n").first().unwrap().0, "P004");
    assert_eq!(with("  packages: { must_have: [openssl >=3] }\n"), at("P005", "amiforge.yaml:3:27"));
    assert_eq!(with("  parent: { owners: [everybody] }\n"), at("P005", "amiforge.yaml:3:22"));
    assert_eq!(refused("gates: { without: [tests] }\n"), at("P005", "recipes/web.yaml:6:20"));
    let untested = RECIPE.replace("test: [boots]\n", "");
    let found =
        faults(&[("amiforge.yaml", "project: acme\ngates: { tests: required }\n"), ("recipes/web.yaml", &untested)]);
    assert!(found.iter().any(|one| one.message.contains("gates of amiforge.yaml require one")), "{}", shown(&found));
}

#[test]
fn signing_names_a_key_or_those_that_are_trusted() {
    let with = |lines: &str| places(&faults(&[("amiforge.yaml", &format!("project: acme\nsigning: {lines}\n"))]));
    assert_eq!(with("{ key: evidence.pem, trusted: [keys/evidence.pub] }"), []);
    assert_eq!(with("{ trusted: [] }"), at("P042", "amiforge.yaml:2:12"));
    assert_eq!(with("{ kms: alias/evidence, trusted: [a.pub], trusted_kms: [alias/evidence] }"), []);
    let arn = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-4000-8000-000000000000";
    assert_eq!(with(&format!("{{ trusted_kms: [\"{arn}\"] }}")), []);
    assert_eq!(with("{ trusted_kms: [] }"), at("P042", "amiforge.yaml:2:12"));
    assert_eq!(with("{ kms: evidence }"), at("P042", "amiforge.yaml:2:17"));
    assert_eq!(with("{ trusted_kms: [alias/evidence, evidence.pub] }"), at("P042", "amiforge.yaml:2:42"));
    assert_eq!(with("{ key: evidence.pem, kms: alias/evidence }"), at("P042", "amiforge.yaml:2:31"));
    assert_eq!(with("{ keys: x }"), at("P002", "amiforge.yaml:2:12"));
}

#[test]
fn scanners_hygiene_and_tests_by_name_are_refined_and_not_weakened() {
    let policy = "project: acme\ngates:\n  required: [vulnerabilities, hygiene, tests]\n  vulnerabilities: { scanned_by: [ec2, inspector] }\n  \
        hygiene: { allow: [logs] }\n  tests: { required: [boots] }\n";
    let files = |lines: &str| {
        let recipe = format!("{}{lines}", RECIPE.replace("test: [boots]", "test: [boots, patched]"));
        [("amiforge.yaml", policy.to_owned()), ("recipes/web.yaml", recipe)]
    };
    let read = |lines: &str| {
        let files = files(lines);
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let folder = write(&files);
        load(folder.path()).map(|mut project| project.recipes.remove("web").unwrap().gates)
    };
    let refined = read("gates: { hygiene: { allow: [] }, tests: { required: [patched/Scan] } }\n").unwrap();
    assert_eq!(refined.hygiene.unwrap().allow, Vec::<String>::new());
    let names: Vec<String> = refined.tests.unwrap().required.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["boots", "patched/Scan"], "what is asked for can only grow");
    for weaker in ["{ vulnerabilities: { scanned_by: ec2 } }", "{ hygiene: { allow: [logs, swap] } }"] {
        let found = read(&format!("gates: {weaker}\n")).unwrap_err();
        assert_eq!(places(&found)[0].0, "P040", "{weaker}");
    }
    let found = read("gates: { tests: { required: [hygiene] } }\n").unwrap_err();
    assert!(shown(&found).contains("the recipe does not name `hygiene`"), "{}", shown(&found));
}
