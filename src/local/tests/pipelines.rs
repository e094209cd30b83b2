//! Pipelines, distribution configurations and workflows as resources.

use super::{Bench, code};
use serde_json::{Value, json};

const BASE: &str = "arn:aws:imagebuilder:us-east-1:000000000000";
const COMPONENT: &str = "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - { name: Run, action: ExecuteBash, inputs: { commands: [id] } }\n";
const TEST: &str =
    "schemaVersion: 1.0\nsteps:\n  - { name: Launch, action: LaunchInstance, inputs: { waitFor: ssmAgent } }\n";

fn bench() -> Bench {
    let bench = Bench::new();
    bench.add_ami("ami-0000000000000000a", |_| ());
    let component = json!({ "name": "abc", "semanticVersion": "1.0.0", "platform": "Linux", "data": COMPONENT });
    bench.builder("CreateComponent", &component).unwrap();
    let recipe = json!({
        "name": "web", "semanticVersion": "1.0.0", "parentImage": "ami-0000000000000000a",
        "components": [{ "componentArn": format!("{BASE}:component/abc/x.x.x") }],
    });
    bench.builder("CreateImageRecipe", &recipe).unwrap();
    let infrastructure = json!({ "name": "infra", "instanceProfileName": "p" });
    bench.builder("CreateInfrastructureConfiguration", &infrastructure).unwrap();
    bench.builder("CreateDistributionConfiguration", &distribution("dist")).unwrap();
    bench
}

fn distribution(name: &str) -> Value {
    json!({
        "name": name, "clientToken": name, "description": "d",
        "distributions": [
            { "region": "us-east-1", "amiDistributionConfiguration": { "name": "web {{ imagebuilder:buildDate }}" } },
            { "region": "eu-west-1", "ssmParameterConfigurations": [{ "parameterName": "/imagebuilder/web" }] },
        ],
    })
}

fn pipeline(name: &str) -> Value {
    json!({
        "name": name, "clientToken": name,
        "imageRecipeArn": format!("{BASE}:image-recipe/web/x.x.x"),
        "infrastructureConfigurationArn": format!("{BASE}:infrastructure-configuration/infra"),
        "distributionConfigurationArn": format!("{BASE}:distribution-configuration/dist"),
        "schedule": { "scheduleExpression": "cron(0 0 * * ? *)" }, "description": "nightly", "tags": { "a": "b" },
    })
}

fn workflow(name: &str, data: &str) -> Value {
    json!({ "name": name, "semanticVersion": "1.0.0", "type": "TEST", "data": data, "clientToken": format!("{name}{}", data.len()) })
}

#[test]
fn a_pipeline_is_replaced_as_a_whole() {
    let bench = bench();
    let arn = bench.builder("CreateImagePipeline", &pipeline("nightly")).unwrap()["imagePipelineArn"].clone();
    assert_eq!(arn, json!(format!("{BASE}:image-pipeline/nightly")));
    let named = json!({ "imagePipelineArn": arn });
    let get = || bench.builder("GetImagePipeline", &named).unwrap()["imagePipeline"].clone();
    let found = get();
    assert_eq!(
        (&found["status"], &found["platform"], &found["tags"]),
        (&json!("ENABLED"), &json!("Linux"), &json!({ "a": "b" }))
    );
    assert_eq!(found["imageTestsConfiguration"], json!({ "imageTestsEnabled": true, "timeoutMinutes": 720 }));
    let update = json!({
        "imagePipelineArn": arn, "clientToken": "u", "status": "DISABLED",
        "imageRecipeArn": format!("{BASE}:image-recipe/web/1.0.0"),
        "infrastructureConfigurationArn": format!("{BASE}:infrastructure-configuration/infra"),
    });
    bench.builder("UpdateImagePipeline", &update).unwrap();
    let found = get();
    assert_eq!(
        (found.get("schedule"), found.get("description"), found.get("distributionConfigurationArn")),
        (None, None, None)
    );
    assert_eq!((&found["status"], &found["tags"]), (&json!("DISABLED"), &json!({ "a": "b" })));
    let by_status = json!({ "filters": [{ "name": "status", "values": ["DISABLED"] }] });
    let listed = bench.builder("ListImagePipelines", &by_status).unwrap();
    assert_eq!(listed["imagePipelineList"][0]["name"], "nightly");
    bench.builder("DeleteImagePipeline", &named).unwrap();
    assert_eq!(code(bench.builder("GetImagePipeline", &named)), "ResourceNotFoundException");
}

#[test]
fn what_a_pipeline_may_not_be() {
    let bench = bench();
    for (name, value, expected) in [
        ("imageRecipeArn", json!(format!("{BASE}:image-recipe/none/1.0.0")), "InvalidParameterValueException"),
        ("imageRecipeArn", Value::Null, "InvalidParameterCombinationException"),
        ("containerRecipeArn", json!("arn"), "InvalidParameterCombinationException"),
        ("infrastructureConfigurationArn", json!("arn"), "InvalidParameterValueException"),
        ("distributionConfigurationArn", json!("arn"), "InvalidParameterValueException"),
        ("schedule", json!({ "scheduleExpression": "0 0 * * *" }), "InvalidParameterValueException"),
        (
            "schedule",
            json!({ "scheduleExpression": "rate(1 day)", "autoDisablePolicy": { "failureCount": 11 } }),
            "InvalidParameterValueException",
        ),
        ("status", json!("ON"), "InvalidParameterValueException"),
        ("imageTestsConfiguration", json!({ "timeoutMinutes": 5 }), "InvalidParameterValueException"),
        ("workflows", json!([{ "workflowArn": "arn" }]), "InvalidParameterCombinationException"),
        ("clientToken", json!(""), "InvalidParameterValueException"),
    ] {
        let mut request = pipeline("nightly");
        request[name] = value;
        assert_eq!(code(bench.builder("CreateImagePipeline", &request)), expected, "{name}");
    }
    let managed = |arn: &str| {
        let mut request = pipeline("nightly");
        request["executionRole"] = json!("role");
        request["workflows"] = json!([{ "workflowArn": format!("arn:aws:imagebuilder:us-east-1:aws:workflow/{arn}") }]);
        bench.builder("CreateImagePipeline", &request)
    };
    let refusal = managed("build/build-image/1.0.3").unwrap_err();
    assert!(refusal.message.contains("AWS managed workflows must have latest version 'x.x.x' for"), "{refusal:?}");
    assert!(managed("test/test-image/x.x.x").unwrap_err().message.contains("Exactly one build workflow"));
    managed("build/build-image/x.x.x").unwrap();
}

#[test]
fn there_are_75_pipelines_and_no_more() {
    let bench = bench();
    for number in 0..75 {
        bench.builder("CreateImagePipeline", &pipeline(&format!("pipe-{number}"))).unwrap();
    }
    let refusal = bench.builder("CreateImagePipeline", &pipeline("one-more")).unwrap_err();
    assert_eq!((refusal.status, &*refusal.code), (402, "ServiceQuotaExceededException"));
}

#[test]
fn what_a_pipeline_uses_stays() {
    let bench = bench();
    let mut request = pipeline("nightly");
    request["imageRecipeArn"] = json!(format!("{BASE}:image-recipe/web/1.0.0"));
    bench.builder("CreateImagePipeline", &request).unwrap();
    for (operation, member, path) in [
        ("DeleteImageRecipe", "imageRecipeArn", "image-recipe/web/1.0.0"),
        ("DeleteInfrastructureConfiguration", "infrastructureConfigurationArn", "infrastructure-configuration/infra"),
        ("DeleteDistributionConfiguration", "distributionConfigurationArn", "distribution-configuration/dist"),
    ] {
        let refused = bench.builder(operation, &json!({ member: format!("{BASE}:{path}") }));
        assert_eq!(code(refused), "ResourceDependencyException", "{operation}");
    }
}

#[test]
fn a_distribution_configuration_is_replaced_as_a_whole() {
    let bench = bench();
    let arn = format!("{BASE}:distribution-configuration/dist");
    let named = json!({ "distributionConfigurationArn": arn });
    let get = || bench.builder("GetDistributionConfiguration", &named).unwrap()["distributionConfiguration"].clone();
    assert_eq!((&get()["timeoutMinutes"], &get()["description"]), (&json!(720), &json!("d")));
    let listed = bench.builder("ListDistributionConfigurations", &json!({})).unwrap();
    assert_eq!(listed["distributionConfigurationSummaryList"][0]["regions"], json!(["us-east-1", "eu-west-1"]));
    let update = json!({
        "distributionConfigurationArn": arn, "clientToken": "u",
        "distributions": [{ "region": "us-west-2", "amiDistributionConfiguration": {} }],
    });
    bench.builder("UpdateDistributionConfiguration", &update).unwrap();
    assert_eq!((&get()["distributions"], get().get("description")), (&update["distributions"], None));
    bench.builder("DeleteDistributionConfiguration", &named).unwrap();
    assert_eq!(code(bench.builder("GetDistributionConfiguration", &named)), "ResourceNotFoundException");
}

#[test]
fn what_a_distribution_may_not_be() {
    let bench = bench();
    let refused = |entries: Value| {
        let request = json!({ "name": "other", "clientToken": "o", "distributions": entries });
        bench.builder("CreateDistributionConfiguration", &request).unwrap_err().message
    };
    assert_eq!(
        refused(json!([{ "region": "us-east-1" }])),
        "The value supplied for parameter 'distributions[0]' is not valid. One or more outputs should be provided for each region in a distribution configuration."
    );
    let ami = |settings: Value| refused(json!([{ "region": "r", "amiDistributionConfiguration": settings }]));
    for (settings, said) in [
        (json!({ "name": "a/b" }), "must match the pattern"),
        (json!({ "amiTags": { "CreatedBy": "me" } }), "'CreatedBy' is reserved"),
        (json!({ "targetAccountIds": ["1"] }), "'1' is not an account ID"),
        (json!({ "launchPermission": { "userGroups": ["some"] } }), "The only group is 'all'"),
        (json!({ "launchPermission": { "organizationArns": ["arn"] } }), "knows no organizations"),
        (json!({ "kmsKeyId": "" }), "1 to 1024"),
    ] {
        assert!(ami(settings.clone()).contains(said), "{settings}: {}", ami(settings.clone()));
    }
    let twice = json!([{ "region": "r", "amiDistributionConfiguration": {} }, { "region": "r", "amiDistributionConfiguration": {} }]);
    assert!(refused(twice).contains("more than once"));
    let parameters: Vec<Value> = (0..11).map(|n| json!({ "parameterName": format!("/imagebuilder/{n}") })).collect();
    assert!(refused(json!([{ "region": "r", "ssmParameterConfigurations": parameters }])).contains("At most 10"));
    let template = json!([{ "region": "r", "launchTemplateConfigurations": [{ "launchTemplateId": "lt-1" }] }]);
    assert!(refused(template).contains("^lt-[a-z0-9-_]{17}$"));
}

#[test]
fn workflows_have_versions_builds_and_wildcards() {
    let bench = bench();
    let first = bench.builder("CreateWorkflow", &workflow("look", TEST)).unwrap();
    assert_eq!(first["workflowBuildVersionArn"], json!(format!("{BASE}:workflow/test/look/1.0.0/1")));
    assert_eq!(first["latestVersionReferences"]["latestVersionArn"], json!(format!("{BASE}:workflow/test/look/x.x.x")));
    let mut same = workflow("look", TEST);
    same["clientToken"] = json!("again");
    assert_eq!(code(bench.builder("CreateWorkflow", &same)), "ResourceAlreadyExistsException");
    let changed = format!("{TEST}description: other\nparameters: [{{ name: who, type: string, default: me }}]\n");
    bench.builder("CreateWorkflow", &workflow("look", &changed)).unwrap();
    let get = |path: &str| {
        bench.builder("GetWorkflow", &json!({ "workflowBuildVersionArn": format!("{BASE}:workflow/test/look/{path}") }))
    };
    let found = get("x.x.x").unwrap()["workflow"].clone();
    assert_eq!((&found["version"], &found["type"]), (&json!("1.0.0"), &json!("TEST")));
    assert_eq!(found["parameters"], json!([{ "name": "who", "type": "string", "defaultValue": ["me"] }]));
    assert_eq!(get("1.0.0/1").unwrap()["workflow"]["data"], json!(TEST));
    assert_eq!(code(get("2.x.x")), "ResourceNotFoundException");
    let listed = bench.builder("ListWorkflows", &json!({})).unwrap();
    assert_eq!(listed["workflowVersionList"][0]["arn"], json!(format!("{BASE}:workflow/test/look/1.0.0")));
    let of = json!({ "workflowVersionArn": format!("{BASE}:workflow/test/look/1.0.x") });
    let builds = bench.builder("ListWorkflowBuildVersions", &of).unwrap();
    assert_eq!(builds["workflowSummaryList"].as_array().unwrap().len(), 2);
    let mut dry = workflow("other", TEST);
    dry["dryRun"] = json!(true);
    let refusal = bench.builder("CreateWorkflow", &dry).unwrap_err();
    assert_eq!((refusal.status, &*refusal.code), (412, "DryRunOperationException"));
}

#[test]
fn a_workflow_that_a_pipeline_has_stays() {
    let bench = bench();
    let arn = bench.builder("CreateWorkflow", &workflow("look", TEST)).unwrap()["workflowBuildVersionArn"].clone();
    let mut request = pipeline("nightly");
    request["executionRole"] = json!("arn:aws:iam::000000000000:role/x");
    request["workflows"] = json!([
        { "workflowArn": "arn:aws:imagebuilder:us-east-1:aws:workflow/build/build-image/x.x.x" },
        { "workflowArn": format!("{BASE}:workflow/test/look/x.x.x"), "onFailure": "CONTINUE" },
    ]);
    bench.builder("CreateImagePipeline", &request).unwrap();
    let named = json!({ "workflowBuildVersionArn": arn });
    assert_eq!(code(bench.builder("DeleteWorkflow", &named)), "ResourceDependencyException");
    bench
        .builder("DeleteImagePipeline", &json!({ "imagePipelineArn": format!("{BASE}:image-pipeline/nightly") }))
        .unwrap();
    bench.builder("DeleteWorkflow", &named).unwrap();
    assert_eq!(code(bench.builder("DeleteWorkflow", &named)), "ResourceNotFoundException");
}
