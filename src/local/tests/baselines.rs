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

/// A baseline for Debian with one rule; its id.
fn own(bench: &Bench, name: &str) -> String {
    let request = json!({
        "Name": name, "OperatingSystem": "DEBIAN", "Description": "first", "RejectedPatches": ["curl"],
        "ApprovalRules": { "PatchRules": [{
            "PatchFilterGroup": { "PatchFilters": [{ "Key": "PRIORITY", "Values": ["Required"] }] }, "ApproveAfterDays": 0,
        }] },
    });
    bench.ssm("CreatePatchBaseline", &request).unwrap()["BaselineId"].as_str().unwrap().to_owned()
}

#[test]
fn an_update_changes_what_is_given_or_everything() {
    let bench = Bench::new();
    let id = own(&bench, "own");
    let partly = json!({ "BaselineId": id, "ApprovedPatches": ["bash"] });
    let answer = bench.ssm("UpdatePatchBaseline", &partly).unwrap();
    assert_eq!((&answer["RejectedPatches"], &answer["ApprovedPatches"]), (&json!(["curl"]), &json!(["bash"])));
    assert_eq!((&answer["Description"], &answer["OperatingSystem"]), (&json!("first"), &json!("DEBIAN")));
    assert!(answer.get("PatchGroups").is_none());
    let all = json!({ "BaselineId": id, "Replace": true, "Name": "other", "ApprovedPatches": ["vim"] });
    bench.ssm("UpdatePatchBaseline", &all).unwrap();
    let there = bench.ssm("GetPatchBaseline", &json!({ "BaselineId": id })).unwrap();
    assert_eq!((&there["Name"], &there["ApprovedPatches"]), (&json!("other"), &json!(["vim"])));
    assert_eq!((&there["RejectedPatches"], &there["ApprovalRules"]["PatchRules"]), (&json!([]), &json!([])));
    assert!(there.get("Description").is_none());
    assert_eq!(there["ModifiedDate"], 1_772_366_400);
    for (request, refusal) in [
        (json!({ "BaselineId": id, "Replace": true }), "ValidationException"),
        (json!({ "BaselineId": id, "Name": "a" }), "ValidationException"),
        (json!({ "BaselineId": id, "ApprovedPatches": vec!["x"; 51] }), "ValidationException"),
        (json!({ "BaselineId": "pb-00000000000000000", "Name": "abc" }), "DoesNotExistException"),
        (json!({ "BaselineId": DEBIAN, "Name": "abc" }), "AccessDeniedException"),
    ] {
        assert_eq!(code(bench.ssm("UpdatePatchBaseline", &request)), refusal, "{request}");
    }
}

#[test]
fn a_patch_group_has_one_baseline_per_system() {
    let bench = Bench::new();
    let (one, two) = (own(&bench, "one"), own(&bench, "two"));
    let named = |id: &str, group: &str| json!({ "BaselineId": id, "PatchGroup": group });
    let register = |id: &str, group: &str| bench.ssm("RegisterPatchBaselineForPatchGroup", &named(id, group));
    let asked = |group: &str, os: &str| {
        let request = json!({ "PatchGroup": group, "OperatingSystem": os });
        bench.ssm("GetPatchBaselineForPatchGroup", &request).unwrap()["BaselineId"].as_str().unwrap().to_owned()
    };
    assert_eq!(asked("web", "DEBIAN"), DEBIAN, "a group of nobody has the default");
    register(&one, "web").unwrap();
    register(&one, "web").unwrap();
    assert_eq!((asked("web", "DEBIAN"), asked("Web", "DEBIAN")), (one.clone(), DEBIAN.to_owned()));
    assert!(asked("web", "UBUNTU").starts_with("arn:"), "the other systems keep theirs");
    assert_eq!(code(register(&two, "web")), "AlreadyExistsException");
    assert_eq!(bench.ssm("GetPatchBaseline", &json!({ "BaselineId": one })).unwrap()["PatchGroups"], json!(["web"]));
    assert_eq!(code(bench.ssm("DeletePatchBaseline", &json!({ "BaselineId": one }))), "ResourceInUseException");
    let deregister = |id: &str, group: &str| bench.ssm("DeregisterPatchBaselineForPatchGroup", &named(id, group));
    assert_eq!(code(deregister(&two, "web")), "InvalidResourceId");
    deregister(&one, "web").unwrap();
    assert_eq!(code(deregister(&one, "web")), "InvalidResourceId");
    register(&two, "web").unwrap();
    bench.ssm("DeletePatchBaseline", &json!({ "BaselineId": one })).unwrap();
    register(DEBIAN, "aws").unwrap();
    assert_eq!(asked("aws", "DEBIAN"), DEBIAN);
    assert_eq!(bench.by("444455556666").ssm("DescribePatchGroups", &json!({})).unwrap()["Mappings"], json!([]));
}

#[test]
fn what_a_patch_group_may_not_be() {
    let bench = Bench::new();
    let id = own(&bench, "own");
    let register = |id: &str, group: &str| {
        bench.ssm("RegisterPatchBaselineForPatchGroup", &json!({ "BaselineId": id, "PatchGroup": group }))
    };
    for (id, group, refusal) in [
        ("short", "web", "InvalidResourceId"),
        ("pb-0000000000000000 !", "web", "InvalidResourceId"),
        ("pb-00000000000000000", "web", "DoesNotExistException"),
        (id.as_str(), "a*b", "ValidationException"),
        (id.as_str(), "", "ValidationException"),
        (id.as_str(), &"x".repeat(257), "ValidationException"),
    ] {
        assert_eq!(code(register(id, group)), refusal, "{id} {group}");
    }
    for number in 0..25 {
        register(&id, &format!("Größe {number}")).unwrap();
    }
    assert_eq!(code(register(&id, "one more")), "ResourceLimitExceededException");
    register(&id, "Größe 3").unwrap();
}

#[test]
fn patch_groups_are_listed_in_pages() {
    let bench = Bench::new();
    let id = own(&bench, "own");
    for group in ["b", "a", "ab"] {
        bench.ssm("RegisterPatchBaselineForPatchGroup", &json!({ "BaselineId": id, "PatchGroup": group })).unwrap();
    }
    let names = |answer: &Value| -> Vec<String> {
        let mappings = answer["Mappings"].as_array().unwrap().iter();
        mappings.map(|mapping| mapping["PatchGroup"].as_str().unwrap().to_owned()).collect()
    };
    let first = bench.ssm("DescribePatchGroups", &json!({ "MaxResults": 2 })).unwrap();
    assert_eq!(names(&first), ["a", "ab"]);
    assert_eq!(first["Mappings"][0]["BaselineIdentity"]["BaselineName"], "own");
    let next = json!({ "MaxResults": 2, "NextToken": first["NextToken"] });
    assert_eq!(names(&bench.ssm("DescribePatchGroups", &next).unwrap()), ["b"]);
    let filtered = |key: &str, value: &str| {
        let answer = bench.ssm("DescribePatchGroups", &json!({ "Filters": [{ "Key": key, "Values": [value] }] }));
        names(&answer.unwrap())
    };
    assert_eq!(filtered("NAME_PREFIX", "a"), ["a", "ab"]);
    assert_eq!(filtered("OPERATING_SYSTEM", "UBUNTU"), Vec::<String>::new());
    let colour = json!({ "Filters": [{ "Key": "COLOUR", "Values": ["x"] }] });
    assert_eq!(code(bench.ssm("DescribePatchGroups", &colour)), "ValidationException");
}
