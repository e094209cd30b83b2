use super::{Bench, code};
use serde_json::{Value, json};

const DEBIAN: &str = "arn:aws:ssm:us-east-1:075727635805:patchbaseline/pb-09a5f8eb62bde80b1";

fn identities(bench: &Bench, filters: &Value) -> Vec<Value> {
    let answer = bench.ssm("DescribePatchBaselines", &json!({ "Filters": filters })).unwrap();
    answer["BaselineIdentities"].as_array().unwrap().clone()
}

#[test]
fn the_baselines_of_aws_are_there() {
    let bench = Bench::new();
    assert_eq!(identities(&bench, &json!([{ "Key": "OWNER", "Values": ["AWS"] }])).len(), 17);
    assert!(identities(&bench, &json!([{ "Key": "OWNER", "Values": ["Self"] }])).is_empty());
    let debian = identities(&bench, &json!([{ "Key": "NAME_PREFIX", "Values": ["AWS-Debian"] }]));
    assert_eq!((debian[0]["BaselineId"].as_str(), &debian[0]["DefaultBaseline"]), (Some(DEBIAN), &json!(true)));
    let baseline = bench.ssm("GetPatchBaseline", &json!({ "BaselineId": DEBIAN })).unwrap();
    let rule = &baseline["ApprovalRules"]["PatchRules"][0];
    assert_eq!(rule["PatchFilterGroup"]["PatchFilters"][0]["Key"], "PRIORITY");
    assert_eq!(rule["ApproveAfterDays"], 7);
    // AWS's own are named by their ARN.
    assert_eq!(
        code(bench.ssm("GetPatchBaseline", &json!({ "BaselineId": "pb-09a5f8eb62bde80b1" }))),
        "DoesNotExistException"
    );
    let refused = json!({ "Filters": [{ "Key": "COLOUR", "Values": ["x"] }] });
    assert_eq!(code(bench.ssm("DescribePatchBaselines", &refused)), "ValidationException");
}

#[test]
fn an_own_baseline_can_become_the_default() {
    let bench = Bench::new();
    let default = |os: &str| {
        let answer = bench.ssm("GetDefaultPatchBaseline", &json!({ "OperatingSystem": os })).unwrap();
        answer["BaselineId"].as_str().unwrap().to_owned()
    };
    assert_eq!(default("DEBIAN"), DEBIAN);
    let request = json!({
        "Name": "own", "OperatingSystem": "DEBIAN", "ClientToken": "t", "Tags": [{ "Key": "a", "Value": "b" }],
        "ApprovalRules": { "PatchRules": [{
            "PatchFilterGroup": { "PatchFilters": [{ "Key": "PRIORITY", "Values": ["Required"] }] }, "ApproveAfterDays": 0,
        }] },
        "RejectedPatches": ["curl"],
    });
    let id = bench.ssm("CreatePatchBaseline", &request).unwrap()["BaselineId"].clone();
    assert_eq!(bench.ssm("CreatePatchBaseline", &request).unwrap()["BaselineId"], id);
    let mut other = request.clone();
    other["Name"] = json!("other");
    assert_eq!(code(bench.ssm("CreatePatchBaseline", &other)), "IdempotentParameterMismatch");
    let named = json!({ "BaselineId": id });
    let baseline = bench.ssm("GetPatchBaseline", &named).unwrap();
    assert_eq!(
        (&baseline["RejectedPatches"], &baseline["RejectedPatchesAction"]),
        (&json!(["curl"]), &json!("ALLOW_AS_DEPENDENCY"))
    );
    bench.ssm("RegisterDefaultPatchBaseline", &named).unwrap();
    assert_eq!(json!(default("DEBIAN")), id);
    assert_eq!(default("UBUNTU").len(), DEBIAN.len());
    assert_eq!(code(bench.ssm("DeletePatchBaseline", &named)), "ResourceInUseException");
    bench.ssm("RegisterDefaultPatchBaseline", &json!({ "BaselineId": DEBIAN })).unwrap();
    bench.ssm("DeletePatchBaseline", &named).unwrap();
    assert_eq!(code(bench.ssm("GetPatchBaseline", &named)), "DoesNotExistException");
    assert_eq!(code(bench.ssm("DeletePatchBaseline", &json!({ "BaselineId": DEBIAN }))), "AccessDeniedException");
}

#[test]
fn what_a_baseline_may_not_be() {
    let bench = Bench::new();
    let rule = |rule: Value| json!({ "Name": "own", "ApprovalRules": { "PatchRules": [rule] } });
    let group = json!({ "PatchFilters": [{ "Key": "PRODUCT", "Values": ["*"] }] });
    for request in [
        json!({ "Name": "a" }),
        json!({ "Name": "own", "OperatingSystem": "PLAN9" }),
        rule(json!({ "PatchFilterGroup": group })),
        rule(json!({ "PatchFilterGroup": group, "ApproveAfterDays": 1, "ApproveUntilDate": "2026-01-01" })),
        rule(json!({ "PatchFilterGroup": group, "ApproveUntilDate": "2026-02-30" })),
        rule(json!({ "PatchFilterGroup": group, "ApproveAfterDays": 361 })),
        rule(json!({ "ApproveAfterDays": 1 })),
        rule(
            json!({ "PatchFilterGroup": { "PatchFilters": [{ "Key": "CVE_ID", "Values": ["x"] }] }, "ApproveAfterDays": 1 }),
        ),
        json!({ "Name": "own", "RejectedPatches": vec!["x"; 51] }),
    ] {
        assert_eq!(code(bench.ssm("CreatePatchBaseline", &request)), "ValidationException", "{request}");
    }
}
