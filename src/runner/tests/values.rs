//! Expressions beyond parameters and chains: what the world, the environment and the execution itself know (6.4, 6.5).

use super::*;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Runs a step that prints an expression; its line, or why it failed.
fn printed(bench: &mut Bench, expression: &str) -> String {
    let text = "parameters: [{ Path: { type: string, default: /named } }]\nconstants: [{ Fixed: { type: string, value: /fixed } }]\n"
        .to_owned()
        + &document(&format!(
            "- {{ name: Print, action: ExecuteBinary, inputs: {{ path: echo, arguments: ['{{{{ {expression} }}}}'] }} }}\n"
        ));
    let mut request = bench.request(&[&text]);
    request.environment.insert("ODD (x86)".into(), "odd value".into());
    request.context = Context {
        account_id: Some("111122223333".into()),
        region: None,
        now: Some(OffsetDateTime::parse("2026-11-26T05:00:00Z", &Rfc3339).unwrap()),
    };
    match bench.run(&request).status {
        RunStatus::Success => bench.lines().join("|"),
        _ => bench.message("Print"),
    }
}

fn world() -> Bench {
    let mut bench = bench();
    for (name, value) in [
        ("/plain", "value"),
        ("/named", "from the parameter"),
        ("/fixed", "from the constant"),
        ("/pointer", "/plain"),
        ("/list", "a,b,c"),
        ("/lines", "one\ntwo"),
        ("/versioned:3", "third"),
    ] {
        bench.outside.parameters.insert(name.into(), (value.into(), false));
    }
    bench.outside.metadata.insert("placement/region".into(), "eu-west-1".into());
    bench
}

#[test]
fn values_of_parameter_store() {
    let mut bench = world();
    for (expression, expected) in [
        ("aws:ssm:/plain", "value"),
        ("aws:ssm:/list", "a,b,c"),
        ("aws:ssm:/versioned:3", "third"),
        ("aws:ssm:resolve(Path)", "from the parameter"),
        ("aws:ssm:resolve( Fixed )", "from the constant"),
        ("aws:ssm:resolve(aws:ssm:/pointer)", "value"),
        ("aws:ssm:/none", "`aws:ssm:/none` has no value: /none is not in the table"),
        (
            "aws:ssm:resolve(aws:ssm:/plain)",
            "`aws:ssm:resolve(aws:ssm:/plain)` has no value: value is not in the table",
        ),
        (
            "aws:ssm:/lines",
            "`aws:ssm:/lines` has a value of several lines, which cannot be put in its place; fetch it in a script instead",
        ),
    ] {
        assert_eq!(printed(&mut bench, expression), expected, "{expression}");
    }
}

#[test]
fn metadata_environment_and_context() {
    let mut bench = world();
    for (expression, expected) in [
        ("aws:imds:placement/region", "eu-west-1"),
        ("aws:imds:ami-id", "`aws:imds:ami-id` has no value: ami-id is not in the table"),
        ("env:PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        ("env:ODD (x86)", "odd value"),
        ("env:NONE", "`env:NONE` has no value: the environment of commands has no such variable"),
        ("context:executionId", "test"),
        ("context:accountId", "111122223333"),
        ("context:region", "`context:region` has no value: who started this execution did not say; it is known on AWS"),
        ("context:osPlatform", "linux"),
        ("context:date", "2026-11-26"),
        ("context:dateTime", "2026-11-26T05:00:00Z"),
        ("context:phase", "build"),
        ("context:step", "Print"),
    ] {
        assert_eq!(printed(&mut bench, expression), expected, "{expression}");
    }
    assert_eq!(printed(&mut bench, "context:uuid").len(), 36);
    assert_eq!(printed(&mut bench, "context:hostname"), nix::unistd::gethostname().unwrap().to_str().unwrap());
}

#[test]
fn what_was_put_in_place_is_told() {
    let mut bench = world();
    printed(&mut bench, "aws:ssm:/plain");
    let told = |event: &RunEvent| match event {
        RunEvent::Substituted { expression, value } => Some((expression.clone(), value.clone())),
        _ => None,
    };
    let told: Vec<_> = bench.events.iter().filter_map(told).collect();
    assert_eq!(told, [("aws:ssm:/plain".to_owned(), "value".to_owned())]);
}

#[test]
fn a_request_of_before_has_no_context_and_blocks_nothing() {
    let mut json = serde_json::to_value(bench().request(&[])).unwrap();
    json.as_object_mut().unwrap().retain(|key, _| key != "context" && key != "blocked_modules");
    let request: Request = serde_json::from_value(json).unwrap();
    assert_eq!((request.context, request.blocked_modules), (Context::default(), vec![]));
}
