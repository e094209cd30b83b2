//! Several launch templates and parameters per place, and canaries, from the command line: over two accounts and two Regions of the
//! local environment, whose instances are real ones of this machine.

#![allow(clippy::print_stdout, reason = "the README's samples come from here, on request")]

mod harness;
mod support;

use harness::{Env, Outcome};
use serde_json::Value;

const PLACES: [&str; 4] =
    ["000000000000/us-east-1", "000000000000/eu-west-1", "111122223333/us-east-1", "111122223333/eu-west-1"];

struct Site {
    env: Env,
    bind: String,
    root: String,
}

impl Site {
    fn new() -> Self {
        let env = Env::new();
        let parent = support::fixture::parent(env.base());
        let (bind, root) = (parent.repository.display().to_string(), parent.root.display().to_string());
        env.write("components/motd.yaml", include_str!("strangers/motd.yaml"));
        Self { env, bind, root }
    }

    fn channel(&self, keys: &str) {
        let settings = format!(
            "project: acme\nenvironments:\n  local:\n    bind: [\"{}\"]\n    targets:\n      \
             - {{ account: \"000000000000\", regions: [us-east-1, eu-west-1] }}\n      \
             - {{ account: \"111122223333\", regions: [us-east-1, eu-west-1] }}\n\
             channels:\n  candidate: {{{keys}}}\n",
            self.bind
        );
        self.env.write("amiforge.yaml", &settings);
    }

    fn moves(&self, promote: &str) {
        let recipe = format!(
            "name: web\nos: debian-12\nversion: \"1.0\"\nparent:\n  ssm: /aws/service/debian/x\n  local: {{ directory: \"{}\" }}\n\
             build:\n  - motd\ntest: [boots]\nroot_volume: {{ encrypted: false }}\ngates:\n  tests: required\npromote:\n{promote}",
            self.root
        );
        self.env.write("recipes/web.yaml", &recipe);
    }

    fn run(&self, code: i32, command: &str) -> Outcome {
        let arguments: Vec<&str> = command.split_whitespace().collect();
        let output = self.env.expect(code, &arguments);
        // For the README: what a reader sees, when it is asked for.
        if std::env::var_os("AMIFORGE_SHOW").is_some() {
            println!("$ amiforge {command}\n{}{}", output.stdout, output.stderr);
        }
        output
    }

    fn json(&self, command: &str) -> Value {
        serde_json::from_str(&self.run(0, &format!("{command} --format json")).stdout).expect("JSON")
    }
}

const MANY: &str = "  launch_template: [\"{{ name }}-{{ channel }}\", \"{{ name }}-{{ channel }}-spot\"]\n  \
                    parameter: [\"/golden/{{ name }}/{{ channel }}\", \"/apps/shop/{{ channel }}/image\"]\n";

#[test]
fn every_place_has_all_launch_templates_and_all_parameters() {
    let site = Site::new();
    site.channel("");
    site.moves(MANY);
    let first = site.run(0, "run web").stdout;
    for place in PLACES {
        for pointer in
            ["web-candidate lt-", "web-candidate-spot lt-", "/golden/web/candidate (", "/apps/shop/candidate/image ("]
        {
            assert!(first.contains(&format!("{place}: {pointer}")), "{place} {pointer} in {first}");
        }
    }
    let ami = site.run(0, "resolve web --channel candidate").stdout;
    assert!(site.run(0, "drift").stdout.contains("4 targets are as the release says"));
    let history = site.json("history web --channel candidate");
    let target = &history["releases"][0]["targets"][3];
    assert_eq!(history["releases"][0]["schema"], "amiforge.release/2");
    assert_eq!(
        (target["launch_templates"].as_array().map(Vec::len), target["parameters"].as_array().map(Vec::len)),
        (Some(2), Some(2))
    );
    site.env.write("components/motd.yaml", &include_str!("strangers/motd.yaml").replace("hello", "hello again"));
    site.run(0, "build web");
    site.run(0, "validate web");
    let plan = site.run(0, "promote web --plan").stdout;
    assert_eq!(plan.matches("default is 1").count(), 8, "{plan}");
    for parameter in ["/golden/web/candidate is ami-", "/apps/shop/candidate/image is ami-"] {
        assert_eq!(plan.matches(parameter).count(), 4, "{plan}");
    }
    let json = site.json("promote web --plan");
    assert_eq!(json["schema"], "amiforge.promotion-plan/2");
    assert_eq!(
        json["moves"][0]["launch_templates"][1],
        serde_json::json!({ "name": "web-candidate-spot", "default_version": 1 })
    );
    site.run(0, "promote web");
    assert_ne!(site.run(0, "resolve web --channel candidate").stdout, ami);
    site.run(0, "rollback web --channel candidate --yes");
    assert_eq!(site.run(0, "resolve web --channel candidate").stdout, ami);
    assert!(site.run(0, "drift").stdout.contains("4 targets are as the release says"));
}

#[test]
fn a_recipe_without_parameters_is_resolved_by_its_launch_template() {
    let site = Site::new();
    site.channel("");
    site.moves("  launch_template: \"{{ name }}-{{ channel }}\"\n  parameter: []\n");
    let empty = site.run(8, "resolve web --channel candidate").stderr;
    assert!(empty.contains("there is no launch template web-candidate"), "{empty}");
    let first = site.run(0, "run web").stdout;
    assert!(first.contains("launch template") && !first.contains("parameter  "), "{first}");
    let ami = site.run(0, "resolve web --channel candidate").stdout;
    assert!(first.contains(ami.trim()) && ami.starts_with("ami-"), "{ami}");
    site.moves("  launch_template: []\n  parameter: []\n");
    let refused = site.run(2, "lint").stdout;
    assert!(refused.contains("names neither a launch template nor a parameter"), "{refused}");
}

#[test]
fn a_canary_is_launched_and_ended_and_one_that_cannot_be_stops_everything() {
    let site = Site::new();
    site.channel(" canary: { check: status } ");
    site.moves("  launch_template: \"{{ name }}-{{ channel }}\"\n");
    let first = site.run(0, "run web");
    let told = first.stderr + &first.stdout;
    for place in PLACES {
        assert!(told.contains(&format!("{place}: launching a canary from web-candidate")), "{place} in {told}");
    }
    let ami = site.run(0, "resolve web --channel candidate").stdout;
    assert!(site.run(0, "status").stdout.starts_with("web"), "nothing is under way");
    site.env.write("components/motd.yaml", &include_str!("strangers/motd.yaml").replace("hello", "hello again"));
    site.channel(" canary: { instance_type: m7g.large, places: [eu-west-1] } ");
    let failed = site.run(1, "run web");
    let told = failed.stderr + &failed.stdout;
    assert!(told.contains("RunInstances") && told.contains("eu-west-1") && told.contains("architecture"), "{told}");
    assert!(told.contains("is removed again"), "the staged versions: {told}");
    assert_eq!(site.run(0, "resolve web --channel candidate").stdout, ami);
    let plan = site.run(0, "promote web --plan").stdout;
    let line = "canary           an instance is launched before anything is moved, until it runs, at most 10 min 00 s";
    assert_eq!(plan.matches(line).count(), 2, "{plan}");
    site.channel(" canary: true ");
    site.run(0, "promote web");
    site.run(0, "drift");
}
