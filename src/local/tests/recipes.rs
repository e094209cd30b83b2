use super::imagebuilder::{BASE, BUILD, component};
use super::{Bench, Refusal, code};
use serde_json::{Value, json};

const AMI: &str = "ami-0123456789abcdef0";
const PARAMETERS: &str = "parameters:\n  - Scope: { type: string }\n  - Mode: { type: string, default: all }\n";

fn recipe(bench: &Bench, version: &str, change: impl FnOnce(&mut Value)) -> Result<String, Refusal> {
    let mut request = json!({
        "name": "Debian 12", "semanticVersion": version, "parentImage": "ssm:/aws/service/debian/release/12/latest/amd64",
        "components": [{ "componentArn": format!("{BASE}:component/abc/1.x.x") }],
    });
    change(&mut request);
    Ok(bench.builder("CreateImageRecipe", &request)?["imageRecipeArn"].as_str().unwrap().to_owned())
}

fn bench() -> Bench {
    let bench = Bench::new();
    component(&bench, "abc", "1.0.0", BUILD).unwrap();
    component(&bench, "par", "1.0.0", &format!("{PARAMETERS}{BUILD}")).unwrap();
    bench
}

#[test]
fn a_recipe_is_made_once_read_and_listed() {
    let bench = bench();
    let arn = recipe(&bench, "1.0.0", |request| {
        request["amiTags"] = json!({ "a": "b" });
        request["blockDeviceMappings"] =
            json!([{ "deviceName": "/dev/xvda", "ebs": { "volumeSize": 8, "encrypted": true } }]);
        request["additionalInstanceConfiguration"] = json!({ "systemsManagerAgent": { "uninstallAfterBuild": false } });
    })
    .unwrap();
    assert_eq!(arn, format!("{BASE}:image-recipe/debian-12/1.0.0"));
    assert_eq!(code(recipe(&bench, "1.0.0", |_| {})), "ResourceAlreadyExistsException");
    let answer = bench
        .builder("GetImageRecipe", &json!({ "imageRecipeArn": format!("{BASE}:image-recipe/debian-12/x.x.x") }))
        .unwrap();
    let found = &answer["imageRecipe"];
    assert_eq!(
        (&found["arn"], &found["workingDirectory"], &found["platform"]),
        (&json!(arn), &json!("/tmp"), &json!("Linux"))
    );
    assert_eq!(found["components"], json!([{ "componentArn": format!("{BASE}:component/abc/1.x.x") }]));
    assert_eq!(found["blockDeviceMappings"][0]["ebs"]["volumeSize"], 8);
    assert_eq!(found["additionalInstanceConfiguration"]["systemsManagerAgent"]["uninstallAfterBuild"], false);
    let listed = bench
        .builder("ListImageRecipes", &json!({ "filters": [{ "name": "name", "values": ["Debian 12"] }] }))
        .unwrap();
    assert_eq!(listed["imageRecipeSummaryList"][0]["arn"], json!(arn));
}

#[test]
fn an_x_makes_the_next_version() {
    let bench = bench();
    recipe(&bench, "1.0.4", |_| {}).unwrap();
    assert!(recipe(&bench, "1.0.x", |_| {}).unwrap().ends_with("/1.0.5"));
    assert!(recipe(&bench, "1.x.0", |_| {}).unwrap().ends_with("/1.1.0"));
    for bad in ["1.x.x", "1.0", "v1.0.0"] {
        assert_eq!(code(recipe(&bench, bad, |_| {})), "InvalidParameterValueException", "{bad}");
    }
}

#[test]
fn parameters_must_be_declared_and_complete() {
    let bench = bench();
    let with = |parameters: Value| {
        recipe(&bench, "1.0.x", |request| {
            request["components"] =
                json!([{ "componentArn": format!("{BASE}:component/par/1.0.0/1"), "parameters": parameters }]);
        })
    };
    let refusal =
        with(json!([{ "name": "Scope", "value": ["a"] }, { "name": "Colour", "value": ["red"] }])).unwrap_err();
    assert_eq!(refusal.code, "InvalidParameterCombinationException");
    assert_eq!(
        refusal.message,
        "The value supplied for parameter 'components[0].parameters' is not valid. The following parameters are not defined in the provided component: Colour"
    );
    let refusal = with(json!([])).unwrap_err();
    assert_eq!(refusal.code, "InvalidParameterCombinationException");
    assert!(refusal.message.ends_with("must be provided: Scope"), "{}", refusal.message);
    assert_eq!(code(with(json!([{ "name": "Scope", "value": ["a", "b"] }]))), "InvalidParameterValueException");
    assert_eq!(code(with(json!([{ "name": "Scope", "value": ["a".repeat(1025)] }]))), "InvalidParameterValueException");
    let arn = with(json!([{ "name": "Scope", "value": ["a"] }])).unwrap();
    let found = bench.builder("GetImageRecipe", &json!({ "imageRecipeArn": arn })).unwrap();
    assert_eq!(found["imageRecipe"]["components"][0]["parameters"], json!([{ "name": "Scope", "value": ["a"] }]));
}

#[test]
fn components_must_exist_once_and_fit() {
    let bench = bench();
    let windows = json!({ "name": "win", "semanticVersion": "1.0.0", "platform": "Windows", "data": BUILD });
    bench.builder("CreateComponent", &windows).unwrap();
    let with = |arns: &[String]| {
        let components: Vec<Value> = arns.iter().map(|arn| json!({ "componentArn": arn })).collect();
        recipe(&bench, "1.0.x", |request| request["components"] = json!(components)).unwrap_err().message
    };
    let abc = format!("{BASE}:component/abc/1.0.0/1");
    assert!(with(&[format!("{BASE}:component/gone/x.x.x")]).contains("does not exist"));
    assert!(
        with(&["arn:aws:imagebuilder:us-east-1:aws:component/update-linux/x.x.x".to_owned()])
            .contains("Amazon-managed")
    );
    assert!(with(&["nonsense".to_owned()]).contains("not the ARN"));
    assert!(with(&[abc.clone(), format!("{BASE}:component/abc/x.x.x")]).contains("at most once"));
    assert!(with(&[abc.clone(), format!("{BASE}:component/win/x.x.x")]).contains("for Windows"));
    let many: Vec<String> = (0..21).map(|n| format!("{BASE}:component/c{n}/1.0.0")).collect();
    assert!(with(&many).contains("at most 20 components"));
}

#[test]
fn parents_are_images_parameters_and_arns() {
    let bench = bench();
    bench.add_ami(AMI, |_| {});
    let image = format!("{BASE}:image/base/1.2.3/1");
    let put =
        bench.local.store.write(|tx| tx.put(&bench.scope(), "imagebuilder-image", &image, &json!({ "tags": {} })));
    put.map_err(|error: crate::local::store::StoreError| error).unwrap();
    let with = |parent: &str| recipe(&bench, "1.0.x", |request| request["parentImage"] = json!(parent));
    for good in [AMI, "ssm:/a/b", &image, &format!("{BASE}:image/base/1.x.x"), &format!("{BASE}:image/base/1.2.3")] {
        assert!(with(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "ami-0123456789abcdef9",
        "ssm:",
        "ssm:a b",
        "prod-abc",
        "arn:aws:imagebuilder:us-east-1:aws:image/amazon-linux-2023-x86/x.x.x",
        &format!("{BASE}:image/base/2.x.x"),
        &format!("{BASE}:image/base/1.2.3/2"),
        &format!("{BASE}:component/abc/1.0.0"),
    ] {
        let refusal = with(bad).unwrap_err();
        assert_eq!(refusal.code, "InvalidParameterValueException", "{bad}");
        assert!(refusal.message.contains("'parentImage'"), "{}", refusal.message);
    }
}

#[test]
fn other_members_are_checked() {
    let bench = bench();
    for (name, value) in [
        ("amiTags", json!({ "CreatedBy": "me" })),
        ("blockDeviceMappings", json!([{ "ebs": { "volumeSize": 0 } }])),
        ("blockDeviceMappings", json!([{ "ebs": { "volumeType": "gp9" } }])),
        ("blockDeviceMappings", json!([{ "ebs": { "kmsKeyId": "k" } }])),
        ("additionalInstanceConfiguration", json!({ "userDataOverride": "eA==" })),
        ("components", json!("abc")),
    ] {
        let refusal = recipe(&bench, "1.0.x", |request| request[name] = value).unwrap_err();
        assert_eq!(refusal.code, "InvalidParameterValueException", "{name}");
    }
}

#[test]
fn what_is_in_use_cannot_be_deleted() {
    let bench = bench();
    let arn = recipe(&bench, "1.0.0", |_| {}).unwrap();
    let delete = |bench: &Bench, path: &str| {
        bench.builder("DeleteComponent", &json!({ "componentBuildVersionArn": format!("{BASE}:component/{path}") }))
    };
    let refusal = delete(&bench, "abc/1.0.0/1").unwrap_err();
    assert_eq!(refusal.code, "ResourceDependencyException");
    assert!(refusal.message.contains(&arn));
    assert_eq!(code(delete(&bench, "abc/1.0.0")), "InvalidParameterValueException");
    delete(&bench, "par/1.0.0/1").unwrap();
    assert_eq!(code(delete(&bench, "par/1.0.0/1")), "ResourceNotFoundException");
    let image = format!("{BASE}:image/debian-12/1.0.0/1");
    let put = bench
        .local
        .store
        .write(|tx| tx.put(&bench.scope(), "imagebuilder-image", &image, &json!({ "recipe": arn, "tags": {} })));
    put.map_err(|error: crate::local::store::StoreError| error).unwrap();
    let named = json!({ "imageRecipeArn": arn });
    assert_eq!(code(bench.builder("DeleteImageRecipe", &named)), "ResourceDependencyException");
    let gone = bench.local.store.write(|tx| tx.delete(&bench.scope(), "imagebuilder-image", &image));
    gone.map_err(|error: crate::local::store::StoreError| error).unwrap();
    bench.builder("DeleteImageRecipe", &named).unwrap();
    delete(&bench, "abc/1.0.0/1").unwrap();
}
