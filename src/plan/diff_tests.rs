use super::super::desired::tests::of;
use super::super::observed::{ObservedConfiguration, ObservedImage, RecipeContent};
use super::*;
use proptest::prelude::*;

fn component_arn(name: &str, version: Version) -> String {
    format!("arn:aws:imagebuilder:us-east-1:000000000000:component/{name}/{version}/1")
}

/// What is there after a plan was carried out and its image built.
fn apply(plan: &Plan, mut observed: Observed) -> Observed {
    let desired = plan.desired();
    let mut used = Vec::new();
    for component in &desired.components {
        let versions = observed.components.entry(component.resource_name.clone()).or_default();
        for version in versions.iter_mut() {
            version.content = None;
        }
        let change = plan
            .changes
            .iter()
            .find(|change| change.kind == Kind::Component && component.fingerprint.starts_with(&change.fingerprint))
            .unwrap();
        let version = change.version.unwrap();
        let arn = component_arn(&component.resource_name, version);
        used.push((arn.clone(), component.parameters.clone()));
        if change.action == Action::Create && !versions.iter().any(|known| known.version == version) {
            versions.push(ObservedComponent {
                version,
                arn,
                fingerprint: Some(component.fingerprint.clone()),
                content: Some(component.content.clone()),
            });
        }
    }
    let change = plan.changes.iter().find(|change| change.kind == Kind::Recipe).unwrap();
    let version = change.version.unwrap();
    if change.action == Action::Create {
        for recipe in &mut observed.recipes {
            recipe.content = None;
        }
        observed.recipes.push(ObservedRecipe {
            version,
            arn: format!("arn:aws:imagebuilder:us-east-1:000000000000:image-recipe/{}/{version}", change.name),
            fingerprint: Some(desired.recipe.fingerprint.clone()),
            parent_image: desired.recipe.parent_ami.clone(),
            content: Some(RecipeContent { components: used }),
        });
    }
    observed.infrastructure = Some(ObservedConfiguration {
        arn: "arn:infrastructure".into(),
        fingerprint: Some(desired.infrastructure.fingerprint.clone()),
        project: Some(desired.project.clone()),
        settings: desired.infrastructure.settings(),
    });
    observed.images = vec![image(&format!("{version}/1"), "AVAILABLE", Some("ami-9"))];
    observed
}

fn image(version: &str, status: &str, ami: Option<&str>) -> ObservedImage {
    ObservedImage {
        arn: format!("arn:aws:imagebuilder:us-east-1:000000000000:image/acme-debian-12-x86-64/{version}"),
        version: version.into(),
        status: status.into(),
        ami: ami.map(str::to_owned),
    }
}

fn created(plan: &Plan) -> Vec<(String, String, String)> {
    let of = |change: &Change| {
        (change.name.clone(), change.version.map(|v| v.to_string()).unwrap_or_default(), change.reason.clone())
    };
    plan.changes.iter().filter(|change| change.action != Action::Keep).map(of).collect()
}

fn names(created: &[(String, String, String)]) -> Vec<&str> {
    created.iter().map(|(name, _, _)| name.as_str()).collect()
}

#[test]
fn everything_is_new_in_an_empty_account() {
    let plan = diff(&of(&[("a", "one"), ("b", "two")], "ami-1"), &Observed::default());
    let expected = [("acme-a", "1.0.0"), ("acme-b", "1.0.0"), ("acme-debian-12-x86-64", "1.0.0"), ("acme-local", "")];
    let made = created(&plan);
    assert_eq!(made.len(), expected.len());
    for ((name, version, reason), (expected_name, expected_version)) in made.iter().zip(expected) {
        assert_eq!((name.as_str(), version.as_str(), reason.as_str()), (expected_name, expected_version, "new"));
    }
    assert!(!plan.is_empty());
    assert!(matches!(plan.image, ImagePlan::Build { .. }));
}

#[test]
fn a_changed_document_makes_the_next_version_and_says_why() {
    let first = diff(&of(&[("a", "one"), ("b", "two")], "ami-1"), &Observed::default());
    let observed = apply(&first, Observed { images: vec![], ..Observed::default() });
    let second = diff(&of(&[("a", "one"), ("b", "TWO")], "ami-1"), &Observed { images: vec![], ..observed });
    let expected = [
        ("acme-b".to_owned(), "1.0.1".to_owned(), "document changed".to_owned()),
        ("acme-debian-12-x86-64".to_owned(), "1.0.1".to_owned(), "uses b 1.0.0 -> 1.0.1".to_owned()),
    ];
    assert_eq!(created(&second), expected);
}

#[test]
fn a_new_parent_a_moved_and_a_dropped_component_are_told() {
    let first = diff(&of(&[("a", "one"), ("b", "two")], "ami-1"), &Observed::default());
    let observed = apply(&first, Observed::default());
    let reason = |desired: &Desired| {
        let made = created(&diff(desired, &observed));
        made.into_iter().find(|(name, _, _)| name == "acme-debian-12-x86-64").unwrap().2
    };
    assert_eq!(reason(&of(&[("a", "one"), ("b", "two")], "ami-2")), "parent image changed from ami-1 to ami-2");
    assert_eq!(reason(&of(&[("b", "two"), ("a", "one")], "ami-1")), "order of components changed");
    assert_eq!(reason(&of(&[("a", "one")], "ami-1")), "no longer uses acme-b");
    assert_eq!(reason(&of(&[("a", "one"), ("b", "two"), ("c", "x")], "ami-1")), "uses c in addition");
}

#[test]
fn going_back_to_an_old_document_creates_no_component() {
    let one = of(&[("a", "one")], "ami-1");
    let two = of(&[("a", "two")], "ami-1");
    let observed = apply(&diff(&one, &Observed::default()), Observed::default());
    let observed = apply(&diff(&two, &observed), observed);
    let plan = diff(&one, &Observed { images: vec![], ..observed });
    assert!(plan.publishes_nothing(), "{:?}", created(&plan));
    assert!(!plan.is_empty(), "the image is not in the list");
}

#[test]
fn versions_are_counted_in_their_own_series() {
    let mut desired = of(&[("a", "one")], "ami-1");
    desired.recipe.version = (1, 1);
    let known = |version: &str| ObservedRecipe {
        version: Version::parse(version).unwrap(),
        arn: format!("arn:aws:imagebuilder:r:1:image-recipe/x/{version}"),
        fingerprint: None,
        parent_image: "ami-1".into(),
        content: None,
    };
    let observed = Observed {
        recipes: vec![known("1.0.10"), known("1.0.9"), known("1.1.9"), known("1.1.10")],
        ..Observed::default()
    };
    let plan = diff(&desired, &observed);
    let recipe = plan.changes.iter().find(|change| change.kind == Kind::Recipe).unwrap();
    assert_eq!(recipe.version, Some(Version::new(1, 1, 11)));
}

#[test]
fn an_available_image_is_kept_one_in_flight_joined_a_failed_one_built_again() {
    let with = |images: Vec<ObservedImage>| super::image(&Observed { images, ..Observed::default() });
    let failed = image("1.0.0/1", "FAILED", None);
    let building = image("1.0.0/2", "SOMETHING_NEW", None);
    let available = image("1.0.0/10", "AVAILABLE", Some("ami-9"));
    assert!(matches!(with(vec![failed.clone()]), ImagePlan::Build { reason } if reason == "build 1.0.0/1 is FAILED"));
    assert!(matches!(with(vec![failed.clone(), building.clone()]), ImagePlan::Join { .. }));
    let older = image("1.0.0/9", "AVAILABLE", Some("ami-8"));
    let kept = with(vec![available, older, building, failed]);
    assert!(matches!(kept, ImagePlan::Keep { ami, .. } if ami == "ami-9"));
    assert!(matches!(with(vec![image("1.0.0/1", "AVAILABLE", None)]), ImagePlan::Build { .. }), "without an AMI");
}

#[test]
fn two_renderings_of_one_component_get_two_versions_and_equal_ones_share_one() {
    let different = diff(&of(&[("a", "one"), ("a", "two")], "ami-1"), &Observed::default());
    let versions: Vec<_> = created(&different).into_iter().map(|(_, version, _)| version).collect();
    assert_eq!(versions[..2], ["1.0.0", "1.0.1"]);
    let equal = diff(&of(&[("a", "one"), ("a", "one")], "ami-1"), &Observed::default());
    assert_eq!(names(&created(&equal)), ["acme-a", "acme-debian-12-x86-64", "acme-local"]);
}

#[test]
fn the_plan_is_json_with_a_schema_and_without_documents() {
    let plan = diff(&of(&[("a", "secret document")], "ami-1"), &Observed::default());
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["schema"], "amiforge.plan/1");
    assert_eq!(json["changes"][0]["action"], "create");
    assert_eq!(json["changes"][0]["kind"], "component");
    assert_eq!(json["changes"][0]["version"], "1.0.0");
    assert_eq!(json["changes"][0]["fingerprint"].as_str().unwrap().len(), 12);
    assert_eq!(json["image"]["action"], "build");
    assert!(!json.to_string().contains("secret document"));
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
const TEXTS: [&str; 3] = ["one", "two", "three"];

/// A recipe with some of the components, each with one of the documents.
fn recipes() -> impl Strategy<Value = (Vec<(&'static str, &'static str)>, &'static str)> {
    let components = proptest::sample::subsequence(NAMES.to_vec(), 1..=NAMES.len()).prop_shuffle();
    let texts = proptest::collection::vec(proptest::sample::select(TEXTS.to_vec()), NAMES.len());
    let parent = proptest::sample::select(vec!["ami-1", "ami-2"]);
    (components, texts, parent).prop_map(|(names, texts, parent)| (names.into_iter().zip(texts).collect(), parent))
}

fn shuffled(mut observed: Observed, seed: usize) -> Observed {
    for versions in observed.components.values_mut() {
        let by = seed % versions.len().max(1);
        versions.rotate_left(by);
    }
    let by = seed % observed.recipes.len().max(1);
    observed.recipes.rotate_left(by);
    observed.recipes.reverse();
    observed
}

proptest! {
    #[test]
    fn a_plan_carried_out_leaves_nothing_to_do(history in proptest::collection::vec(recipes(), 1..6)) {
        let mut observed = Observed::default();
        for (components, parent) in &history {
            let desired = of(components, parent);
            observed = apply(&diff(&desired, &observed), Observed { images: vec![], ..observed });
            prop_assert!(diff(&desired, &observed).is_empty());
        }
    }

    #[test]
    fn the_order_of_what_is_observed_does_not_matter(
        history in proptest::collection::vec(recipes(), 1..6), now in recipes(), seed in 0usize..7,
    ) {
        let mut observed = Observed::default();
        for (components, parent) in &history {
            observed = apply(&diff(&of(components, parent), &observed), Observed { images: vec![], ..observed });
        }
        let desired = of(&now.0, now.1);
        prop_assert_eq!(diff(&desired, &observed), diff(&desired, &shuffled(observed.clone(), seed)));
    }

    #[test]
    fn a_changed_component_touches_itself_and_the_recipes_that_use_it((components, parent) in recipes()) {
        let observed = apply(&diff(&of(&components, parent), &Observed::default()), Observed::default());
        let mut changed = components.clone();
        changed[0].1 = "something else";
        let made = created(&diff(&of(&changed, parent), &observed));
        let component = format!("acme-{}", changed[0].0);
        prop_assert_eq!(names(&made), vec![component.as_str(), "acme-debian-12-x86-64"]);
        prop_assert!(diff(&of(&components, parent), &observed).is_empty(), "a recipe that does not use it");
    }

    #[test]
    fn versions_only_grow(history in proptest::collection::vec(recipes(), 1..8)) {
        let mut observed = Observed::default();
        for (components, parent) in &history {
            let plan = diff(&of(components, parent), &observed);
            for change in plan.changes.iter().filter(|change| change.action == Action::Create) {
                let known: Vec<Version> = match change.kind {
                    Kind::Component => observed.components.get(&change.name).into_iter().flatten().map(|v| v.version).collect(),
                    Kind::Recipe => observed.recipes.iter().map(|v| v.version).collect(),
                    _ => vec![],
                };
                prop_assert!(known.iter().all(|version| Some(*version) < change.version));
            }
            observed = apply(&plan, Observed { images: vec![], ..observed });
        }
    }
}
