//! A project is published in the local environment and imported into an empty folder.

mod harness;
mod support;

use harness::Env;
use serde_json::Value;

const AGENT: &str = "\
name: agent
description: A component with parameters and characters that YAML finds hard
schemaVersion: 1.0
parameters:
  - Greeting:
      type: string
      default: 'no'
phases:
  - name: build
    steps:
      - name: Say
        action: ExecuteBash
        inputs:
          commands:
            - \"echo '{{ Greeting }}'\"   # kept
";

/// A project that is published, and its recipe's ARN.
fn published() -> (Env, String) {
    let env = Env::new();
    let parent = support::fixture::parent(env.base());
    env.write("amiforge.yaml", "project: acme\n");
    let recipe = format!(
        "os: debian-12\nversion: \"1.2\"\nparent:\n  ssm: /aws/service/debian/x\n  local: {{ directory: \"{}\" }}\n\
         build:\n  - motd\n  - agent: {{ Greeting: \"yes: really\" }}\n  - patch-linux\ntest: [boots]\nroot_volume: {{ size_gib: 12 }}\n",
        parent.root.display()
    );
    env.write("recipes/web.yaml", &recipe);
    env.write("components/motd.yaml", include_str!("strangers/motd.yaml"));
    env.write("components/agent.yaml", AGENT);
    let text = env.expect(0, &["publish", "web"]).stdout;
    let arn = text.split_whitespace().find(|word| word.contains(":image-recipe/")).expect("the recipe").to_owned();
    (env, arn)
}

#[test]
fn what_was_published_comes_back_as_the_same_documents() {
    let (env, arn) = published();
    let into = env.base().join("copy");
    let place = into.to_str().expect("a path");
    let outcome = env.expect(0, &["import", "--recipe", &arn, "--into", place]);
    assert!(outcome.stdout.contains("1 recipe and 4 components"), "{}", outcome.stdout);
    let copy = |name: &str| std::fs::read_to_string(into.join(name)).expect("an imported file");
    assert_eq!(copy("components/agent.yaml"), AGENT, "byte for byte");
    assert_eq!(copy("components/motd.yaml"), env.read("components/motd.yaml"));
    let recipe = copy("recipes/web.yaml");
    for line in ["os: debian-12", "version: \"1.2\"", "size_gib: 12", "Greeting: \"yes: really\"", "- boots"] {
        assert!(recipe.contains(line), "{line} is not in\n{recipe}");
    }
    env.expect(0, &["-C", place, "lint"]);
    let render = |folder: &[&str]| env.expect(0, &[folder, &["render", "web"]].concat()).stdout;
    let documents = |text: String| -> Vec<String> {
        text.lines().filter(|line| line.starts_with("  ") || line.starts_with("name:")).map(str::to_owned).collect()
    };
    let (before, after) = (documents(render(&[])), documents(render(&["-C", place])));
    let lost: Vec<_> = before.iter().filter(|line| !after.contains(line) && !line.contains("ssm")).collect();
    assert_eq!(lost, Vec::<&String>::new(), "rendered otherwise");
    // Against the same account: the components are there already, under the same names.
    std::os::unix::fs::symlink(env.project().join(".amiforge"), into.join(".amiforge")).expect("a link");
    let plan = env.expect(0, &["-C", place, "plan", "web", "--format", "json"]).stdout;
    let plan: Value = serde_json::from_str(&plan).expect("JSON");
    let changes = plan["changes"].as_array().expect("changes").iter();
    let kept: Vec<&str> =
        changes.filter(|one| one["action"] == "keep").filter_map(|one| one["name"].as_str()).collect();
    // What was rendered from a template had the recipe's name in its own; as a plain component it has it no longer.
    for name in ["acme-motd", "acme-agent", "acme-boots"] {
        assert!(kept.contains(&name), "{name} is not among {kept:?}");
    }
}

#[test]
fn again_it_changes_nothing_and_what_differs_is_not_replaced() {
    let (env, arn) = published();
    let into = env.base().join("copy");
    let place = into.to_str().expect("a path");
    let import = ["import", "--recipe", &arn, "--into", place];
    env.expect(0, &import);
    let outcome = env.expect(0, &[&import[..], &["--format", "json"]].concat());
    let report: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(report["schema"], "amiforge.import/1");
    assert_eq!(report["files"]["written"], serde_json::json!([]));
    std::fs::write(into.join("components/motd.yaml"), "mine\n").expect("a file");
    std::fs::write(into.join("amiforge.yaml"), "project: other\n").expect("a file");
    let outcome = env.expect(11, &import);
    assert!(
        outcome.stderr.contains("components/motd.yaml") && outcome.stderr.contains("--force"),
        "{}",
        outcome.stderr
    );
    assert_eq!(std::fs::read_to_string(into.join("components/motd.yaml")).expect("a file"), "mine\n");
    let outcome = env.expect(0, &[&import[..], &["--force"]].concat());
    assert!(outcome.stdout.contains("amiforge.yaml  left as it is"), "{}", outcome.stdout);
    assert_eq!(std::fs::read_to_string(into.join("amiforge.yaml")).expect("a file"), "project: other\n");
}

#[test]
fn what_is_not_there_is_an_error() {
    let (env, arn) = published();
    let gone = arn.replace("/1.2.", "/9.9.");
    let outcome = env.run(&["import", "--recipe", &gone, "--into", "copy"]);
    assert_ne!(outcome.code, 0);
    assert!(!env.project().join("copy").exists(), "something was written");
    let text = env.expect(2, &["import", "--recipe", &arn, "--os", "debain-12"]).stderr;
    assert!(text.contains("did you mean `debian-12`?"), "{text}");
}

const TRY: &str = "\
schemaVersion: 1.0   # as the account has it
steps:
  - { name: Launch, action: LaunchInstance, inputs: { waitFor: ssmAgent } }
  - { name: End, action: TerminateInstance, inputs: { instanceId.$: \"$.stepOutputs.Launch.instanceId\" } }
";

#[test]
fn what_publish_has_made_of_a_pipeline_is_imported_and_changes_nothing() {
    let env = Env::new();
    let parent = support::fixture::parent(env.base());
    env.write("amiforge.yaml", "project: acme\n");
    let recipe = format!(
        "os: debian-12\nparent:\n  ssm: /aws/service/debian/x\n  local: {{ directory: \"{}\" }}\nbuild: [motd]\ntest: [boots]\n\
         pipeline: {{ schedule: \"cron(0 4 ? * TUE *)\", timezone: Europe/Berlin, start: always, disable_after: 3 }}\n\
         workflows:\n  - aws/build/build-image\n  - test/try: {{ parallel_group: a, on_failure: continue }}\n  - aws/test/test-image\n",
        parent.root.display()
    );
    env.write("recipes/web.yaml", &recipe);
    env.write("components/motd.yaml", include_str!("strangers/motd.yaml"));
    env.write("workflows/test/try.yaml", TRY);
    env.expect(0, &["publish", "web"]);
    let into = env.base().join("copy");
    let place = into.to_str().expect("a path");
    env.expect(0, &["import", "--pipeline", "acme-web-x86-64", "--os", "debian-12", "--into", place]);
    let copy = |name: &str| std::fs::read_to_string(into.join(name)).expect("an imported file");
    assert_eq!(copy("workflows/test/try.yaml"), TRY, "byte for byte");
    let recipe = copy("recipes/web.yaml");
    for line in [
        "  schedule: cron(0 4 ? * TUE *)",
        "  timezone: Europe/Berlin",
        "  start: always",
        "  disable_after: 3",
        "  - aws/build/build-image",
        "  - test/try:",
        "      on_failure: continue",
        "      parallel_group: a",
        "  - aws/test/test-image",
    ] {
        assert!(recipe.lines().any(|one| one == line), "{line} is not in\n{recipe}");
    }
    assert!(!recipe.contains("Not imported"), "{recipe}");
    env.expect(0, &["-C", place, "lint"]);
    // Against the same account everything is there already, under the same names, and belongs to the project.
    std::os::unix::fs::symlink(env.project().join(".amiforge"), into.join(".amiforge")).expect("a link");
    let plan = env.expect(0, &["-C", place, "plan", "web", "--format", "json"]).stdout;
    let plan: Value = serde_json::from_str(&plan).expect("JSON");
    let changes = plan["changes"].as_array().expect("changes").iter();
    let changed: Vec<&Value> = changes.filter(|one| one["action"] != "keep").collect();
    assert_eq!(changed, Vec::<&Value>::new(), "{recipe}");
}
