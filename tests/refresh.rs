//! Auto Scaling groups that follow a channel, from the command line.

#![allow(clippy::print_stdout, reason = "the README's samples come from here, on request")]

mod harness;
mod support;

use amiforge::aws::{Cloud, Options};
use amiforge::clock::Clock;
use amiforge::event::Events;
use amiforge::project::{self, Location};
use aws_sdk_autoscaling::types::LaunchTemplateSpecification;
use aws_sdk_ec2::types::{InstanceType, RequestLaunchTemplateData};
use harness::Env;
use serde_json::Value;

const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];
const TEMPLATE: &str = "web-production";

/// A project with two Regions, and a channel whose groups are watched by an alarm.
fn project() -> Env {
    let env = Env::new();
    let parent = support::fixture::parent(env.base());
    let settings = format!(
        "project: acme\nenvironments:\n  local:\n    bind: [\"{}\"]\n    targets:\n      \
         - {{ account: \"000000000000\", regions: [us-east-1, eu-west-1] }}\n\
         channels:\n  candidate: {{}}\n  production:\n    after: candidate\n    \
         refresh: {{ min_healthy: 50, checkpoints: [50, 100], checkpoint_delay: 1s, alarms: [web-errors] }}\n",
        parent.repository.display()
    );
    env.write("amiforge.yaml", &settings);
    let recipe = format!(
        "name: web\nos: debian-12\nversion: \"1.0\"\nparent:\n  ssm: /aws/service/debian/x\n  local: {{ directory: \"{}\" }}\n\
         build:\n  - motd\ntest: [boots]\nroot_volume: {{ encrypted: false }}\npromote: {{ launch_template: \"{{{{ name }}}}-{{{{ channel }}}}\" }}\ngates:\n  tests: required\n",
        parent.root.display()
    );
    env.write("recipes/web.yaml", &recipe);
    env.write("components/motd.yaml", include_str!("strangers/motd.yaml"));
    env
}

/// Does something in the project's local environment, as anybody with an SDK can.
fn in_cloud<T>(env: &Env, work: impl AsyncFnOnce(&Cloud) -> T) -> T {
    let project = project::load(&env.project()).expect("the project");
    let options = Options {
        clock: Clock::system(),
        events: Events::none(),
        state: env.project().join(".amiforge"),
        cache: env.base().join("cache"),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let cloud = Cloud::connect(&project, "local", options).await.expect("the local environment");
        let result = work(&cloud).await;
        cloud.shutdown().await;
        result
    })
}

fn place(region: &str) -> Location {
    Location { account: "000000000000".into(), region: region.into() }
}

/// Gives the template of every Region an instance type, which a promotion does not know, and makes a group that follows it.
async fn groups(cloud: &Cloud) {
    for (region, size) in REGIONS.into_iter().zip([4, 1]) {
        let ec2 = cloud.ec2(&place(region));
        let data = RequestLaunchTemplateData::builder().instance_type(InstanceType::M7iLarge).build();
        let version = ec2.create_launch_template_version().launch_template_name(TEMPLATE).source_version("1");
        version.launch_template_data(data).send().await.expect("a version");
        let default = ec2.modify_launch_template().launch_template_name(TEMPLATE).default_version("2");
        default.send().await.expect("the default version");
        let template =
            LaunchTemplateSpecification::builder().launch_template_name(TEMPLATE).version("$Default").build();
        let group = cloud.autoscaling(&place(region)).create_auto_scaling_group().auto_scaling_group_name("web-fleet");
        let group = group.launch_template(template).min_size(1).max_size(8).desired_capacity(size);
        group.availability_zones(format!("{region}a")).send().await.expect("a group");
    }
}

/// What a group launches from, and the versions that its instances run.
async fn state(cloud: &Cloud, region: &str) -> (String, Vec<String>) {
    let request =
        cloud.autoscaling(&place(region)).describe_auto_scaling_groups().auto_scaling_group_names("web-fleet");
    let answer = request.send().await.expect("the group");
    let group = &answer.auto_scaling_groups()[0];
    assert!(group.tags().is_empty(), "nothing is left on it: {:?}", group.tags());
    let version =
        |one: Option<&LaunchTemplateSpecification>| one.and_then(|one| one.version()).unwrap_or("?").to_owned();
    (version(group.launch_template()), group.instances().iter().map(|one| version(one.launch_template())).collect())
}

/// For the README: what a reader sees, when it is asked for.
fn show(command: &str, text: &str) {
    if std::env::var_os("AMIFORGE_SHOW").is_some() {
        println!("$ amiforge {command}\n{text}");
    }
}

#[test]
fn groups_follow_a_channel_and_go_back_when_an_alarm_rings() {
    let env = project();
    let run = |code: i32, command: &str| {
        let arguments: Vec<&str> = command.split_whitespace().collect();
        let output = env.expect(code, &arguments);
        show(command, &format!("{}{}", output.stderr, output.stdout));
        output
    };
    run(0, "run web");
    let none = run(2, "promote web --channel production --refresh").stderr;
    assert!(none.contains("no Auto Scaling group in any target uses the launch template web-production"), "{none}");
    run(8, "resolve web --channel production");
    run(0, "promote web --channel production");
    in_cloud(&env, groups);
    let missing = run(2, "promote web --channel production --refresh web-fleeet").stderr;
    assert!(missing.contains("no Auto Scaling group web-fleeet") && missing.contains("web-fleet"), "{missing}");

    env.write("components/motd.yaml", &include_str!("strangers/motd.yaml").replace("hello", "hello again"));
    run(0, "run web");
    let plan = run(0, "promote web --channel production --plan --refresh").stdout;
    assert!(plan.contains("group web-fleet (4 instances, launches $Default) is pinned to version 2"), "{plan}");
    assert!(plan.contains("then tracks $Default again"), "{plan}");

    let alarm = run(0, "local alarm web-errors").stdout;
    assert_eq!(alarm, "000000000000/us-east-1: alarm web-errors is in the state ALARM\n");
    let failed = run(9, "promote web --channel production --refresh").stdout;
    assert!(failed.contains("channel production now points at"), "{failed}");
    assert!(failed.contains("us-east-1: web-fleet rolled back, version 2 to 3, launches 2: "), "{failed}");
    assert!(failed.contains("eu-west-1: web-fleet left alone: a target before it failed"), "{failed}");
    assert!(failed.contains("the rest: amiforge promote web --channel production --refresh"), "{failed}");
    assert!(failed.contains("undo: amiforge rollback web --channel production --refresh"), "{failed}");

    run(0, "local alarm web-errors --ok");
    let done = run(0, "promote web --channel production --refresh").stdout;
    assert!(done.contains("points already at"), "{done}");
    for region in REGIONS {
        assert!(done.contains(&format!("{region}: web-fleet refreshed, version 2 to 3, launches $Default")), "{done}");
    }
    let now = in_cloud(&env, async |cloud: &Cloud| [state(cloud, REGIONS[0]).await, state(cloud, REGIONS[1]).await]);
    assert_eq!(now, [("$Default".into(), vec!["3".to_owned(); 4]), ("$Default".into(), vec!["3".to_owned()])]);

    let json = run(0, "promote web --channel production --refresh --format json").stdout;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        (&json["schema"], json["refreshes"].as_array().map(Vec::len)),
        (&"amiforge.promotion/1".into(), Some(2))
    );
    let first = &json["refreshes"][0];
    assert_eq!(
        (&first["outcome"], &first["group"], &first["to"]),
        (&"unchanged".into(), &"web-fleet".into(), &3.into())
    );

    let plan = run(0, "rollback web --channel production --plan --refresh web-fleet").stdout;
    assert!(plan.contains("is pinned to version 3, refreshed to the new version"), "{plan}");
    let back = run(0, "rollback web --channel production --yes --refresh").stdout;
    assert!(back.contains("us-east-1: web-fleet refreshed, version 3 to 4, launches $Default"), "{back}");
    assert!(back.contains("forward again: amiforge promote web --channel production --refresh"), "{back}");
    let now = in_cloud(&env, async |cloud: &Cloud| state(cloud, REGIONS[0]).await);
    assert_eq!(now, ("$Default".into(), vec!["4".to_owned(); 4]));
    let drift = run(0, "drift web").stdout;
    assert!(drift.contains("as the release says"), "{drift}");
}
