//! The AWS CLI as a client: its own parsing of parameters, `--query`, its pages.

use crate::harness::Env;
use crate::programs::{Served, aws_cli};
use crate::{ACCOUNT, folder};
use std::process::Output;

/// The AWS CLI on the served environment.
struct Cli {
    served: Served,
}

impl Cli {
    fn run(&self, arguments: &[&str]) -> Output {
        self.with(arguments, &[])
    }

    /// The same with variables of its own.
    fn with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        aws_cli()
            .args(["--endpoint-url", self.served.address()])
            .env("AWS_DEFAULT_OUTPUT", "text")
            .args(arguments)
            .env("AWS_ACCESS_KEY_ID", self.served.keys().0)
            .env("AWS_SECRET_ACCESS_KEY", self.served.keys().1)
            .env("AWS_DEFAULT_REGION", "eu-central-1")
            .env("AWS_MAX_ATTEMPTS", "1")
            .envs(variables.iter().copied())
            .output()
            .expect("the AWS CLI starts")
    }

    /// What it prints, with blanks between the words.
    fn says(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "aws {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        said.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// What it prints, as JSON.
    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON from the AWS CLI")
    }

    /// What it complains about.
    fn complains(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "aws {} succeeds", arguments.join(" "));
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

fn parameters(cli: &Cli) {
    for number in ["1", "2", "3"] {
        let name = format!("/cli/{number}");
        cli.says(&["ssm", "put-parameter", "--name", &name, "--type", "String", "--value", number]);
    }
    // Pages of two, which the CLI puts together.
    let by_path = ["ssm", "get-parameters-by-path", "--path", "/cli", "--page-size", "2"];
    assert_eq!(cli.says(&[&by_path[..], &["--query", "Parameters[].Value"]].concat()), "1 2 3");
    // The CLI's own token carries the service's.
    let list = ["ssm", "describe-parameters", "--output", "json"];
    let first = cli.json(&[&list[..], &["--max-items", "2"]].concat());
    assert_eq!(first["Parameters"].as_array().map(Vec::len), Some(2), "{first}");
    let token = first["NextToken"].as_str().expect("a token");
    let rest = cli.json(&[&list[..], &["--starting-token", token]].concat());
    assert_eq!((&rest["Parameters"][0]["Name"], rest.get("NextToken")), (&"/cli/3".into(), None), "{rest}");
}

fn components(cli: &Cli) {
    let document = format!("file://{}", folder().join("motd.yaml").display());
    let create = ["imagebuilder", "create-component", "--name", "cli-motd", "--platform", "Linux", "--data", &document];
    for version in ["1.0.0", "1.0.1"] {
        let query = ["--semantic-version", version, "--query", "componentBuildVersionArn"];
        let arn = cli.says(&[&create[..], &query].concat());
        assert_eq!(arn, format!("arn:aws:imagebuilder:eu-central-1:{ACCOUNT}:component/cli-motd/{version}/1"));
    }
    let list = ["imagebuilder", "list-components", "--owner", "Self", "--query", "componentVersionList[].version"];
    assert_eq!(cli.says(&[&list[..], &["--page-size", "1"]].concat()), "1.0.0 1.0.1");
    let newest = format!("arn:aws:imagebuilder:eu-central-1:{ACCOUNT}:component/cli-motd/x.x.x");
    let get = ["imagebuilder", "get-component", "--component-build-version-arn", &newest];
    assert_eq!(cli.says(&[&get[..], &["--query", "component.[version,type]"]].concat()), "1.0.1 BUILD");
}

fn launch_templates(cli: &Cli) {
    let create = ["ec2", "create-launch-template", "--launch-template-name", "cli", "--launch-template-data"];
    let data = r#"{"InstanceType":"m7i.large","MetadataOptions":{"HttpTokens":"required"}}"#;
    let tags = "ResourceType=launch-template,Tags=[{Key=team,Value=cli}]";
    let id = ["--tag-specifications", tags, "--query", "LaunchTemplate.LaunchTemplateId"];
    let id = cli.says(&[&create[..], &[data], &id].concat());
    let versions = ["ec2", "describe-launch-template-versions", "--launch-template-id", &id, "--versions", "$Latest"];
    let query = ["--query", "LaunchTemplateVersions[0].LaunchTemplateData.[InstanceType,MetadataOptions.HttpTokens]"];
    assert_eq!(cli.says(&[&versions[..], &query].concat()), "m7i.large required");
    let filter = ["--filters", "Name=tag:team,Values=c*", "--query", "LaunchTemplates[].LaunchTemplateName"];
    assert_eq!(cli.says(&[&["ec2", "describe-launch-templates"][..], &filter].concat()), "cli");
}

#[test]
fn the_aws_cli_lists_gets_describes_queries_and_pages() {
    let env = Env::new();
    env.write("amiforge.yaml", "project: acme\n");
    let cli = Cli { served: Served::with(&env, &["--account", ACCOUNT]) };
    assert_eq!(cli.says(&["sts", "get-caller-identity", "--query", "Account"]), ACCOUNT);
    parameters(&cli);
    components(&cli);
    launch_templates(&cli);

    let owned = ["ssm", "describe-patch-baselines", "--filters", "Key=OWNER,Values=AWS", "--page-size", "5"];
    let debian = ["--query", "BaselineIdentities[?OperatingSystem==`DEBIAN`].BaselineName"];
    assert_eq!(cli.says(&[&owned[..], &debian].concat()), "AWS-DebianDefaultPatchBaseline");

    let said = cli.complains(&["ec2", "describe-vpcs"]);
    assert!(said.contains("InvalidAction") && said.contains("is not in the local environment"), "{said}");
    let said = cli.complains(&["ssm", "get-parameter", "--name", "/cli/4"]);
    assert!(said.contains("ParameterNotFound"), "{said}");
}

#[test]
fn faults_that_were_asked_for_are_what_a_client_sees() {
    let env = Env::new();
    env.write("amiforge.yaml", "project: acme\nenvironments:\n  local: {}\nchannels:\n  candidate: {}\n");
    env.expect(2, &["local", "serve", "--fault", "ssm:PutParameters:fail"]);
    let faults = ["--fault", "ssm:PutParameter:lose-response@1", "--fault", "ec2:*:throttle"];
    let cli = Cli { served: Served::with(&env, &faults) };
    let put = ["ssm", "put-parameter", "--name", "/cli/lost", "--type", "String", "--value", "1"];
    assert!(cli.complains(&put).contains("InternalServerError"));
    // The answer was lost, not the work.
    assert!(cli.complains(&put).contains("ParameterAlreadyExists"));
    assert!(cli.complains(&["ec2", "describe-images", "--owners", "self"]).contains("RequestLimitExceeded"));
}

#[test]
fn who_has_no_keys_of_the_environment_is_refused() {
    let env = Env::new();
    env.write("amiforge.yaml", "project: acme\n");
    let cli = Cli { served: Served::with(&env, &["--account", ACCOUNT]) };
    let refused = |arguments: &[&str], variables: &[(&str, &str)]| {
        let output = cli.with(arguments, variables);
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let foreign = [("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")];
    let guessed = [("AWS_SECRET_ACCESS_KEY", "guessed")];
    let (identity, images) = (["sts", "get-caller-identity"], ["ec2", "describe-images"]);
    let (parameters, components) = (["ssm", "describe-parameters"], ["imagebuilder", "list-components"]);
    for (arguments, variables, code) in [
        (identity, foreign, "InvalidClientTokenId"),
        (identity, guessed, "SignatureDoesNotMatch"),
        (images, foreign, "AuthFailure"),
        (images, guessed, "AuthFailure"),
        (parameters, foreign, "UnrecognizedClientException"),
        (parameters, guessed, "InvalidSignatureException"),
        (components, foreign, "UnrecognizedClientException"),
        (components, guessed, "InvalidSignatureException"),
    ] {
        let said = refused(&arguments, &variables);
        assert!(said.contains(&format!("({code})")), "{arguments:?}: {said}");
    }
    let role = "arn:aws:iam::444455556666:role/deploy";
    let assume = ["sts", "assume-role", "--role-arn", role, "--role-session-name", "stranger", "--query"];
    let keys = cli.says(&[&assume[..], &["Credentials.[AccessKeyId,SecretAccessKey,SessionToken]"]].concat());
    let keys: Vec<&str> = keys.split(' ').collect();
    let session = [("AWS_ACCESS_KEY_ID", keys[0]), ("AWS_SECRET_ACCESS_KEY", keys[1]), ("AWS_SESSION_TOKEN", keys[2])];
    let who = cli.with(&["sts", "get-caller-identity", "--query", "Arn"], &session);
    let who = String::from_utf8_lossy(&who.stdout).trim().to_owned();
    assert_eq!(who, "arn:aws:sts::444455556666:assumed-role/deploy/stranger");
    let said = refused(&identity, &session[..2]);
    assert!(said.contains("(InvalidClientTokenId)"), "{said}");
}
