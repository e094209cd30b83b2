use super::*;
use crate::aws::testing;
use crate::project::{Location, Os};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

const OWN: &str = "arn:aws:imagebuilder:eu-central-1:111122223333";
const DOCUMENT: &str = "name: Motd\nschemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: Nothing\n        action: ExecuteBash\n        inputs:\n          commands: ['true']\n";

const SCAN: &str = "schemaVersion: 1.0\nparameters:\n  - { name: level, type: string }\nsteps:\n  - { name: Launch, action: LaunchInstance, inputs: { waitFor: ssmAgent } }\n";

fn recipe(name: &str, parent: &str) -> Recipe {
    Recipe {
        arn: format!("{OWN}:image-recipe/{}/1.2.3", name.to_lowercase()),
        name: name.into(),
        version: "1.2.3".into(),
        platform: "Linux".into(),
        parent: parent.into(),
        parent_name: Some("debian-12-amd64-20260101".into()),
        parent_arch: Some("x86_64".into()),
        ..Recipe::default()
    }
}

fn component(arn: &str, name: &str, document: Option<&str>, test: bool) -> (String, Component) {
    let component = Component {
        arn: format!("{arn}/1"),
        name: name.into(),
        document: document.map(str::to_owned),
        test,
        ..Component::default()
    };
    (arn.to_owned(), component)
}

fn account(recipes: Vec<Recipe>, components: Vec<(String, Component)>) -> Account {
    Account { recipes, components: components.into_iter().collect(), ..Account::default() }
}

fn uses(arns: &[&str]) -> Vec<Use> {
    arns.iter().map(|arn| Use { arn: (*arn).to_owned(), parameters: BTreeMap::new() }).collect()
}

fn settings() -> Settings {
    Settings { project: "acme".into(), ..Settings::default() }
}

fn only(recipe: Recipe) -> Result<Imported, ImportError> {
    convert(&account(vec![recipe], vec![]), &settings())
}

fn lost(imported: &Imported) -> String {
    let line = |lost: &Lost| format!("{}\n", lost.what);
    imported.lost.iter().map(line).collect::<Vec<_>>().concat()
}

/// Writes what was imported and lets the linter look at it.
fn linted(imported: &Imported) -> (tempfile::TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &imported.files, false).unwrap();
    let checked = crate::lint::project(folder.path(), &crate::lint::Options::default());
    let errors = checked.diagnostics.iter().filter(|one| one.severity == crate::diagnostic::Severity::Error);
    let errors = errors.map(|one| format!("{} {}", one.code, one.message)).collect();
    (folder, errors)
}

#[test]
fn a_recipe_with_everything_becomes_files_that_lint_accepts() {
    let (motd, boots, managed) = (
        format!("{OWN}:component/motd/1.0.x"),
        format!("{OWN}:component/my-boots/1.0.0"),
        "arn:aws:imagebuilder:eu-central-1:aws:component/update-linux/x.x.x".to_owned(),
    );
    let mut one = recipe("Web Server_1", "ami-0123456789abcdef0");
    one.components = uses(&[&motd, &managed, &boots]);
    one.volumes = vec![
        Volume {
            device: "/dev/xvda".into(),
            size: Some(20),
            kind: Some("gp3".into()),
            encrypted: Some(true),
            more: vec!["4000 IOPS".into()],
        },
        Volume { device: "/dev/sdb".into(), size: Some(100), kind: Some("st1".into()), ..Volume::default() },
    ];
    one.working_directory = Some("/opt/work".into());
    one.uninstall_agent = Some(true);
    one.user_data = true;
    one.ami_tags = BTreeMap::from([("team".into(), "web\nboot: no".into())]);
    let test = DOCUMENT.replace("name: build", "name: test");
    let mut account = account(
        vec![one],
        vec![
            component(&motd, "Motd", Some(DOCUMENT), false),
            component(&managed, "update-linux", Some(DOCUMENT), false),
            component(&boots, "My Boots", Some(&test), true),
        ],
    );
    let infrastructure = format!("{OWN}:infrastructure-configuration/web");
    account.pipelines = vec![Pipeline {
        name: "nightly".into(),
        recipe: Some(account.recipes[0].arn.clone()),
        infrastructure: Some(infrastructure.clone()),
        distribution: Some("d".into()),
        schedule: Some(Schedule {
            expression: "cron(0 3 * * ? *)".into(),
            timezone: Some("Europe/Berlin".into()),
            always: true,
            disable_after: Some(3),
        }),
        disabled: true,
        workflows: vec![
            WorkflowUse {
                arn: "arn:aws:imagebuilder:eu-central-1:aws:workflow/build/build-image/x.x.x".into(),
                ..WorkflowUse::default()
            },
            WorkflowUse {
                arn: format!("{OWN}:workflow/test/acme-scan/1.0.0/1"),
                parameters: BTreeMap::from([("level".into(), vec!["high".into()])]),
                parallel_group: Some("a".into()),
                goes_on: true,
            },
        ],
        execution_role: Some("ImageBuilder".into()),
        settings: vec!["scans for vulnerabilities (Inspector)".into()],
        ..Pipeline::default()
    }];
    account.workflows.insert(
        format!("{OWN}:workflow/test/acme-scan/1.0.0/1"),
        Workflow {
            name: "acme-scan".into(),
            document: Some(SCAN.into()),
            tags: BTreeMap::from([("amiforge:project".into(), "acme".into())]),
        },
    );
    let region = |region: &str, kms_key: Option<&str>| Region {
        region: region.into(),
        ami_name: Some("web {{ imagebuilder:buildDate }}".into()),
        accounts: vec!["444455556666".into()],
        kms_key: kms_key.map(str::to_owned),
        more: vec![],
    };
    account
        .distributions
        .insert("d".into(), vec![region("eu-central-1", None), region("eu-west-1", Some("alias/golden"))]);
    account.infrastructure.insert(
        infrastructure,
        Infrastructure {
            name: "web".into(),
            instance_types: vec!["m7i.large".into()],
            profile: Some("build".into()),
            subnet: Some("subnet-1".into()),
            security_groups: vec!["sg-1".into()],
            log_bucket: Some("acme-logs".into()),
            more: vec!["key pair ops".into()],
        },
    );
    let home = Location { account: "111122223333".into(), region: "eu-central-1".into() };
    let settings = Settings { environment: Some(("prod".into(), home)), ..settings() };
    let imported = convert(&account, &settings).unwrap();
    assert_eq!(imported.files["components/motd.yaml"], DOCUMENT, "byte for byte");
    let (folder, errors) = linted(&imported);
    assert_eq!(errors, Vec::<String>::new());
    let project = crate::project::load(folder.path()).unwrap();
    let recipe = &project.recipes["web-server-1"];
    assert_eq!((recipe.version, recipe.root_volume.size_gib), ((1, 2), 20));
    let rendered = crate::render::recipe(&project, recipe, crate::project::Arch::X86_64).unwrap();
    assert_eq!(rendered.components[0].document.text, DOCUMENT);
    let mine = imported.files.iter().filter(|(name, _)| !name.starts_with("components/"));
    let shown = mine.map(|(name, text)| format!("--- {name}\n{text}")).collect::<Vec<_>>().concat();
    insta::assert_snapshot!("everything", shown);
    insta::assert_snapshot!("lost", lost(&imported));
}

#[test]
fn parents_of_all_kinds() {
    let parent = |text: &str| only(recipe("web", text)).map(|made| made.files["recipes/web.yaml"].clone());
    for (text, expected) in [
        ("ssm:/aws/service/debian/release/12/latest/amd64", "ssm: /aws/service/debian/release/12/latest/amd64"),
        ("ssm:arn:aws:ssm:eu-central-1:111122223333:parameter/golden/base", "ssm: /golden/base"),
        (
            "arn:aws:imagebuilder:eu-central-1:aws:image/debian-12/x.x.x",
            "image: arn:aws:imagebuilder:eu-central-1:aws:image/debian-12/x.x.x",
        ),
        ("ami-0123456789abcdef0", "ami: ami-0123456789abcdef0"),
    ] {
        let made = parent(text).unwrap();
        assert!(made.contains(expected), "{made}");
        assert_eq!(linted(&only(recipe("web", text)).unwrap()).1, Vec::<String>::new(), "{text}");
    }
    for (text, reason) in [("ssm:base", "does not begin with a slash"), ("prod-abcdef", "product of the Marketplace")] {
        let error = parent(text).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn systems_are_seen_or_asked_for() {
    let mut one = recipe("web", "ami-0123456789abcdef0");
    one.parent_name = None;
    let error = only(one.clone()).unwrap_err();
    assert!(error.to_string().contains("--os names it") && error.exit_code() == 2, "{error}");
    let told = Settings { os: Some(Os::Rhel9), ..settings() };
    let made = convert(&account(vec![one.clone()], vec![]), &told).unwrap();
    assert!(made.files["recipes/web.yaml"].contains("os: rhel-9"));
    one.parent_name = Some("Windows_Server-2022-English-Full-Base".into());
    let error = only(one.clone()).unwrap_err().to_string();
    assert!(error.contains("it is for Linux"), "{error}");
    one.platform = "Windows".into();
    assert!(only(one.clone()).unwrap().files["recipes/web.yaml"].contains("os: windows-server-2022"));
    one.platform = "macOS".into();
    assert!(only(one).unwrap_err().to_string().contains("macOS"));
    for (name, os) in
        [("al2023-ami-2023.6", "amazon-linux-2023"), ("RHEL-9.4.0_HVM", "rhel-9"), ("debian-13-arm64", "debian-13")]
    {
        let mut one = recipe("web", "ami-0123456789abcdef0");
        one.parent_name = Some(name.into());
        let text = only(one).unwrap().files["recipes/web.yaml"].clone();
        assert!(text.contains(&format!("os: {os}\n")), "{text}");
    }
}

#[test]
fn parameters_keep_their_values_as_text() {
    let motd = format!("{OWN}:component/motd/1.0.0");
    let mut one = recipe("web", "ami-0123456789abcdef0");
    one.components = uses(&[&motd]);
    let document = DOCUMENT.replace(
        "phases:",
        "parameters:\n  - One: { type: string }\n  - Two: { type: string }\n  - Three: { type: string, default: x }\nphases:",
    );
    let values = [("One", vec!["yes"]), ("Two", vec!["1", "2"]), ("Three", vec![""])];
    one.components[0].parameters = values
        .into_iter()
        .map(|(key, values)| (key.to_owned(), values.into_iter().map(str::to_owned).collect()))
        .collect();
    let made =
        convert(&account(vec![one], vec![component(&motd, "motd", Some(&document), false)]), &settings()).unwrap();
    assert!(lost(&made).contains("parameter Three of motd"), "{}", lost(&made));
    let (folder, errors) = linted(&made);
    assert_eq!(errors, Vec::<String>::new());
    let project = crate::project::load(folder.path()).unwrap();
    let parameters = &project.recipes["web"].build[0].parameters;
    assert_eq!((parameters["One"].as_str(), parameters["Two"].as_str()), ("yes", "1,2"));
}

#[test]
fn names_are_made_usable_and_never_shared_by_different_things() {
    let (a, b, c) =
        (format!("{OWN}:component/a/1.0.0"), format!("{OWN}:component/b/1.0.0"), format!("{OWN}:component/c/1.0.0"));
    let mut one = recipe("X", "ami-0123456789abcdef0");
    one.components = uses(&[&a, &b, &c]);
    let mut two = recipe("x!", "ami-0123456789abcdef0");
    two.arn = format!("{OWN}:image-recipe/x-/1.0.0");
    let other = DOCUMENT.replace("true", "false");
    let made = convert(
        &account(
            vec![one, two],
            vec![
                component(&a, "Same Name", Some(DOCUMENT), false),
                component(&b, "same_name", Some(&other), false),
                component(&c, "SAME name", Some(DOCUMENT), false),
            ],
        ),
        &settings(),
    )
    .unwrap();
    assert_eq!(made.components.keys().collect::<Vec<_>>(), ["same-name", "same-name-2"]);
    assert_eq!(made.recipes, ["recipe-x", "recipe-x-2"]);
    // One component twice in a recipe is refused by the linter, and by the service in the first place.
    assert_eq!(made.files["components/same-name-2.yaml"], other);
}

#[test]
fn what_may_not_be_read_is_told_and_left_out() {
    let secret = "arn:aws:imagebuilder:eu-central-1:aws-marketplace:component/cis/1.0.0";
    let mut one = recipe("web", "ami-0123456789abcdef0");
    one.components = uses(&[secret]);
    let made = convert(&account(vec![one], vec![component(secret, "cis", None, false)]), &settings()).unwrap();
    assert!(lost(&made).contains("its document may not be read"), "{}", lost(&made));
    let text = &made.files["recipes/web.yaml"];
    assert!(text.contains("# Not imported: component arn:aws:imagebuilder"), "{text}");
    assert_eq!(made.components, BTreeMap::new());
    assert_eq!(linted(&made).1, Vec::<String>::new());
}

#[test]
fn containers_are_refused_with_the_reason() {
    let mut account = account(vec![], vec![]);
    let container_recipe = Some(format!("{OWN}:container-recipe/web/1.0.0"));
    account.pipelines = vec![Pipeline { name: "c".into(), container_recipe, ..Pipeline::default() }];
    let error = convert(&account, &settings()).unwrap_err().to_string();
    assert!(error.contains("container recipe; amiforge makes AMIs only"), "{error}");
    account.recipes = vec![recipe("web", "ami-0123456789abcdef0")];
    assert!(lost(&convert(&account, &settings()).unwrap()).contains("container recipe"));
}

#[test]
fn a_subnet_without_groups_is_told_and_not_written() {
    let mut account = account(vec![recipe("web", "ami-0123456789abcdef0")], vec![]);
    let one = Infrastructure { name: "i".into(), subnet: Some("subnet-1".into()), ..Infrastructure::default() };
    account.infrastructure.insert("i".into(), one);
    account.infrastructure.insert("j".into(), Infrastructure { name: "j".into(), ..Infrastructure::default() });
    let home = Location { account: "111122223333".into(), region: "eu-central-1".into() };
    let settings = Settings { environment: Some(("prod".into(), home)), ..settings() };
    let made = convert(&account, &settings).unwrap();
    assert!(lost(&made).contains("subnet subnet-1 without security groups"), "{}", lost(&made));
    assert!(lost(&made).contains("infrastructure configuration j"), "{}", lost(&made));
    assert_eq!(linted(&made).1, Vec::<String>::new());
}

#[test]
fn nothing_is_replaced_without_consent_and_nothing_is_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let files: BTreeMap<String, String> =
        [("amiforge.yaml", "project: new\n"), ("components/a.yaml", "a\n"), ("recipes/b.yaml", "b\n")]
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into();
    std::fs::create_dir(path("recipes")).unwrap();
    std::fs::write(path("amiforge.yaml"), "project: mine\n").unwrap();
    std::fs::write(path("recipes/b.yaml"), "mine\n").unwrap();
    let error = write(folder.path(), &files, false).unwrap_err();
    assert!(matches!(&error, ImportError::Conflict { files } if files == &["recipes/b.yaml"]), "{error}");
    assert!(!path("components").exists(), "something was written");
    let done = write(folder.path(), &files, true).unwrap();
    assert_eq!((done.kept, done.written.len()), (vec!["amiforge.yaml".to_owned()], 2));
    assert_eq!(std::fs::read_to_string(path("amiforge.yaml")).unwrap(), "project: mine\n");
    let again = write(folder.path(), &files, false).unwrap();
    assert_eq!((again.written.len(), again.unchanged.len()), (0, 2));
    // A folder in the place of the last file: the others are taken back.
    std::fs::create_dir_all(path("recipes/c.yaml/x")).unwrap();
    let more = [("components/z.yaml", "z\n"), ("recipes/c.yaml", "c\n")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert!(write(folder.path(), &more.into(), false).is_err());
    assert!(!path("components/z.yaml").exists(), "half of it was written");
    let left = std::fs::read_dir(path("components")).unwrap().count();
    assert_eq!(left, 1, "an unfinished file is left");
}

/// An account with one pipeline.
fn handler(instead: Option<(&'static str, u16, &'static str)>) -> crate::aws::Cloud {
    testing::cloud(Arc::new(move |request: http::Request<Bytes>| {
        let path = request.uri().path().trim_matches('/').to_owned();
        let (status, body) = match instead {
            Some((operation, status, body)) if operation == path => (status, body.to_owned()),
            _ => (200, good(&path)),
        };
        let mut answer = http::Response::builder().status(status);
        if status >= 400 {
            answer = answer.header("x-amzn-errortype", "AccessDeniedException");
        }
        answer.body(Bytes::from(body)).unwrap()
    }))
}

fn good(path: &str) -> String {
    let recipe = format!("{OWN}:image-recipe/web/1.0.0");
    match path {
        "ListImagePipelines" => {
            format!(r#"{{"imagePipelineList":[{{"name":"nightly","arn":"{OWN}:image-pipeline/nightly"}}]}}"#)
        }
        "GetImagePipeline" => format!(
            r#"{{"imagePipeline":{{"name":"nightly","imageRecipeArn":"{recipe}","status":"DISABLED",
            "infrastructureConfigurationArn":"{OWN}:infrastructure-configuration/i","schedule":{{"scheduleExpression":"rate(1 day)"}},
            "distributionConfigurationArn":"{OWN}:distribution-configuration/d",
            "imageTestsConfiguration":{{"imageTestsEnabled":true,"timeoutMinutes":90}}}}}}"#
        ),
        "ListImageRecipes" => format!(
            r#"{{"imageRecipeSummaryList":[{{"arn":"{OWN}:image-recipe/web/0.9.0"}},
            {{"arn":"{OWN}:image-recipe/lone/1.0.9"}},{{"arn":"{OWN}:image-recipe/lone/1.0.10"}}]}}"#
        ),
        "GetImageRecipe" => format!(
            r#"{{"imageRecipe":{{"name":"web","version":"1.0.0","platform":"Linux",
            "parentImage":"arn:aws:imagebuilder:eu-central-1:aws:image/debian-12-x86_64/x.x.x",
            "components":[{{"componentArn":"{OWN}:component/motd/1.0.0/1","parameters":[]}}]}}}}"#
        ),
        "GetComponent" => serde_json::json!({ "component": { "name": "motd", "data": DOCUMENT, "type": "BUILD" } }).to_string(),
        "GetInfrastructureConfiguration" => {
            r#"{"infrastructureConfiguration":{"name":"i","instanceProfileName":"build","snsTopicArn":"topic",
            "logging":{"s3Logs":{"s3BucketName":"acme-logs","s3KeyPrefix":"x"}}}}"#.to_owned()
        }
        "GetDistributionConfiguration" => {
            r#"{"distributionConfiguration":{"timeoutMinutes":1,"distributions":[{"region":"eu-west-1",
            "amiDistributionConfiguration":{"name":"web {{ imagebuilder:buildDate }}","targetAccountIds":["444455556666"]},
            "ssmParameterConfigurations":[{"parameterName":"/golden/web"}]}]}}"#.to_owned()
        }
        other => panic!("{other} was not expected"),
    }
}

#[tokio::test]
async fn an_account_is_read_by_pipeline_or_as_a_whole() {
    let named = Order { pipelines: vec!["nightly".into()], recipes: vec![] };
    let account = read(&handler(None), &named).await.unwrap();
    assert_eq!(account.recipes.len(), 1);
    let pipeline = &account.pipelines[0];
    assert_eq!(pipeline.schedule.as_ref().map(|one| one.expression.as_str()), Some("rate(1 day)"));
    assert!(pipeline.disabled && pipeline.settings == ["tests on, at most 90 min"], "{pipeline:?}");
    let regions = account.distributions.values().next().unwrap();
    assert_eq!(regions[0].more, ["copied to account 444455556666", "parameter /golden/web"]);
    let all = read(&handler(None), &Order::default()).await.unwrap();
    let arns: Vec<&str> = all.recipes.iter().map(|one| one.arn.rsplit(':').next().unwrap()).collect();
    assert_eq!(arns, ["image-recipe/web/1.0.0", "image-recipe/lone/1.0.10"], "the newest, and none twice");
    let made = convert(&all, &settings()).unwrap();
    let text = &made.files["recipes/web.yaml"];
    assert!(
        text.contains("# Built by the pipeline nightly; `publish` makes one of its own, acme-web-x86-64"),
        "{text}"
    );
    assert!(text.contains("pipeline:\n  enabled: false\n  schedule: rate(1 day)\n"), "{text}");
    assert!(text.contains("# Not imported: distribution to eu-west-1: copied to account 444455556666"), "{text}");
}

#[tokio::test]
async fn what_is_not_there_or_may_not_be_read_is_an_error() {
    let named = Order { pipelines: vec!["daily".into()], recipes: vec![] };
    let error = read(&handler(None), &named).await.unwrap_err();
    assert!(matches!(error, ImportError::Missing { kind: "image pipeline", .. }), "{error}");
    let refused = handler(Some(("GetComponent", 403, "{}")));
    let recipes = vec![format!("{OWN}:image-recipe/web/1.0.0")];
    let account = read(&refused, &Order { pipelines: vec![], recipes: recipes.clone() }).await.unwrap();
    assert_eq!(account.components.values().next().unwrap().document, None, "somebody else's: told, and stops nothing");
    let refused = handler(Some(("GetImageRecipe", 403, "{}")));
    assert_eq!(read(&refused, &Order { pipelines: vec![], recipes }).await.unwrap_err().exit_code(), 12);
    let nothing = testing::cloud(Arc::new(|_| http::Response::new(Bytes::from_static(b"{}"))));
    assert!(matches!(read(&nothing, &Order::default()).await.unwrap_err(), ImportError::Nothing { .. }));
}

#[test]
fn what_pipelines_have_in_common_stands_in_the_environment_and_what_not_is_told() {
    let arn = |name: &str| format!("{OWN}:image-recipe/{name}/1.2.3");
    let pipeline = |name: &str, distribution: &str, role: Option<&str>| Pipeline {
        name: name.into(),
        recipe: Some(arn(name)),
        distribution: Some(distribution.into()),
        execution_role: role.map(str::to_owned),
        ..Pipeline::default()
    };
    let mut account =
        account(vec![recipe("one", "ami-0123456789abcdef0"), recipe("two", "ami-0123456789abcdef0")], vec![]);
    account.pipelines = vec![pipeline("one", "d", Some("A")), pipeline("two", "e", Some("B"))];
    account.pipelines.push(Pipeline { recipe: Some(arn("one")), ..pipeline("second", "d", Some("A")) });
    let region = |region: &str, accounts: &[&str]| Region {
        region: region.into(),
        accounts: accounts.iter().map(|one| (*one).to_owned()).collect(),
        ..Region::default()
    };
    account.distributions.insert("d".into(), vec![region("eu-central-1", &["444455556666"]), region("eu-west-1", &[])]);
    account.distributions.insert("e".into(), vec![region("eu-central-1", &[])]);
    let home = Location { account: "111122223333".into(), region: "eu-central-1".into() };
    let made = convert(&account, &Settings { environment: Some(("prod".into(), home)), ..settings() }).unwrap();
    let text = &made.files["amiforge.yaml"];
    assert!(
        text.contains(
            "distribution:\n      accounts:\n        - \"444455556666\"\n      regions:\n        - eu-west-1\n"
        ),
        "{text}"
    );
    let lost = lost(&made);
    for told in [
        "pipeline second: a recipe has one",
        "in eu-west-1 fewer accounts may launch the image",
        "pipeline two: it leaves its images elsewhere than one",
        "pipeline two: execution role B; an environment has one",
    ] {
        assert!(lost.contains(told), "{told} is not in\n{lost}");
    }
    assert_eq!(linted(&made).1, Vec::<String>::new());
}

#[test]
fn workflows_come_all_or_not_at_all() {
    let arn = |name: &str| format!("{OWN}:workflow/test/{name}/1.0.0/1");
    let used = |arn: &str| WorkflowUse { arn: arn.into(), ..WorkflowUse::default() };
    let build = used("arn:aws:imagebuilder:eu-central-1:aws:workflow/build/build-image/1.0.2/1");
    let with = |workflows: Vec<WorkflowUse>, document: Option<&str>| {
        let mut account = account(vec![recipe("web", "ami-0123456789abcdef0")], vec![]);
        let recipe = Some(account.recipes[0].arn.clone());
        account.pipelines = vec![Pipeline { name: "p".into(), recipe, workflows, ..Pipeline::default() }];
        let document = document.map(str::to_owned);
        account.workflows.insert(arn("Scan_It"), Workflow { name: "Scan_It".into(), document, ..Workflow::default() });
        convert(&account, &settings()).unwrap()
    };
    let made = with(vec![build.clone(), used(&arn("Scan_It"))], Some(SCAN));
    assert!(made.files["recipes/web.yaml"].contains("workflows:\n  - aws/build/build-image\n  - test/scan-it\n"));
    assert_eq!(made.files["workflows/test/scan-it.yaml"], SCAN, "byte for byte");
    for (workflows, document, reason) in [
        (vec![build.clone(), used(&arn("Scan_It"))], None, "its document may not be read"),
        (vec![used(&arn("Scan_It"))], Some(SCAN), "0 of them for the build"),
    ] {
        let made = with(workflows, document);
        assert!(lost(&made).contains(reason), "{}", lost(&made));
        assert!(!made.files.keys().any(|file| file.starts_with("workflows/")), "half of them");
        assert!(!made.files["recipes/web.yaml"].contains("\nworkflows:"));
    }
}
