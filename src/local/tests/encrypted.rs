//! Keys of disks: EC2 obeys them when it copies and launches, and so do Auto Scaling and Image Builder.

use super::copies::Hands;
use super::groups::{described, group};
use super::{Bench, Refusal, code, element, elements, scripted};
use crate::local::{Builds, Script};
use serde_json::json;

const A: &str = "ami-0123456789abcdef0";
const OTHER: &str = "111122223333";
/// What EC2 needs of the key of what it reads.
const READING: [&str; 4] = ["DescribeKey", "CreateGrant", "Decrypt", "ReEncryptFrom"];

fn bench(hands: &Hands) -> Bench {
    Bench::scripted(hands.clock(), Builds::scripted(|_| Script::default()))
}

fn copy(bench: &Bench, rest: &str) -> Result<String, Refusal> {
    let done = bench.ec2(&format!("Action=CopyImage&SourceRegion=us-east-1&SourceImageId={A}&{rest}"))?;
    Ok(element(&done, "imageId").unwrap())
}

/// The state of an AMI and the message of its reason.
fn state(bench: &Bench, id: &str) -> (String, String) {
    let shown = bench.ec2(&format!("Action=DescribeImages&ImageId.1={id}")).unwrap();
    (element(&shown, "imageState").unwrap(), element(&shown, "message").unwrap_or_default())
}

/// The key of the snapshot of an AMI.
fn key_of(bench: &Bench, id: &str) -> String {
    let shown = bench.ec2(&format!("Action=DescribeImages&ImageId.1={id}")).unwrap();
    let snapshot = element(&shown, "snapshotId").unwrap();
    let shown = bench.ec2(&format!("Action=DescribeSnapshots&SnapshotId.1={snapshot}")).unwrap();
    element(&shown, "kmsKeyId").unwrap()
}

fn managed(bench: &Bench) -> String {
    let shown = bench.kms("DescribeKey", &json!({ "KeyId": "alias/aws/ebs" })).unwrap();
    shown["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
}

fn grant(bench: &Bench, key: &str, to: &str, operations: &[&str]) {
    let request = json!({ "KeyId": key, "GranteePrincipal": to, "Operations": operations });
    bench.kms("CreateGrant", &request).unwrap();
}

fn root(account: &str) -> String {
    format!("arn:aws:iam::{account}:root")
}

#[test]
fn without_a_name_a_copy_has_the_default_key_of_its_account_and_region() {
    let bench = Bench::new();
    let there = bench.region("eu-west-1");
    bench.add_encrypted_ami(A, &bench.disk_key(), &[]);
    let default = |operation: &str, rest: &str| {
        element(&there.ec2(&format!("Action={operation}EbsDefaultKmsKeyId{rest}")).unwrap(), "kmsKeyId").unwrap()
    };
    assert_eq!(default("Get", ""), "alias/aws/ebs");
    assert_eq!(key_of(&there, &copy(&there, "Name=one1").unwrap()), managed(&there));
    let key = there.disk_key();
    there.kms("CreateAlias", &json!({ "AliasName": "alias/disks", "TargetKeyId": key })).unwrap();
    assert_eq!(default("Modify", "&KmsKeyId=alias/disks"), key);
    assert_eq!(default("Get", ""), key);
    assert_eq!(key_of(&there, &copy(&there, "Name=two2").unwrap()), key);
    // A key that cannot be used does not become the default one.
    assert_eq!(default("Modify", "&KmsKeyId=alias/none"), "alias/none");
    assert_eq!(default("Get", ""), key);
    assert_eq!(default("Modify", "&KmsKeyId=alias/aws/ebs"), managed(&there));
    assert_eq!(default("Get", ""), "alias/aws/ebs");
    default("Modify", &format!("&KmsKeyId={key}"));
    assert_eq!(default("Reset", ""), "alias/aws/ebs");
    assert_eq!(default("Get", ""), "alias/aws/ebs");
    assert_eq!(code(there.ec2("Action=ModifyEbsDefaultKmsKeyId")), "MissingParameter");
    assert_eq!(code(there.ec2("Action=GetEbsDefaultKmsKeyId&DryRun=true")), "DryRunOperation");
    // A default key that is gone fails what would need it.
    default("Modify", &format!("&KmsKeyId={key}"));
    there.kms("ScheduleKeyDeletion", &json!({ "KeyId": key })).unwrap();
    assert_eq!(state(&there, &copy(&there, "Name=three").unwrap()).0, "failed");
}

#[test]
fn a_copy_with_a_key_that_cannot_be_used_fails() {
    let bench = Bench::new();
    bench.add_ami(A, |_| {});
    let (key, other) = (bench.disk_key(), bench.by(OTHER));
    let id = key.rsplit('/').next().unwrap();
    bench.kms("CreateAlias", &json!({ "AliasName": "alias/disks", "TargetKeyId": key })).unwrap();
    let alias = format!("arn:aws:kms:us-east-1:{}:alias/disks", bench.scope().account);
    for (at, name) in [id, &key, "alias/disks", &alias].into_iter().enumerate() {
        let made = copy(&bench, &format!("Name=good{at}&Encrypted=true&KmsKeyId={name}")).unwrap();
        assert_eq!((state(&bench, &made).0, key_of(&bench, &made)), ("available".into(), key.clone()), "{name}");
    }
    let (disabled, dying) = (bench.disk_key(), bench.disk_key());
    bench.kms("DisableKey", &json!({ "KeyId": disabled })).unwrap();
    bench.kms("ScheduleKeyDeletion", &json!({ "KeyId": dying })).unwrap();
    for (at, (name, said)) in [
        ("alias/none", "is not found"),
        ("00000000-0000-4000-8000-000000000000", "does not exist"),
        ("some-key", "Invalid keyId"),
        (&*bench.region("eu-west-1").disk_key(), "Invalid arn eu-west-1"),
        (&*bench.new_key("ECC_NIST_P256"), "SYMMETRIC_DEFAULT"),
        (&*disabled, "is disabled"),
        (&*dying, "is pending deletion"),
        (&*other.disk_key(), "is not authorized to perform: kms:DescribeKey"),
        (&*managed(&other), "is not authorized to perform"),
    ]
    .into_iter()
    .enumerate()
    {
        let made = copy(&bench, &format!("Name=bad{at}&Encrypted=true&KmsKeyId={name}")).unwrap();
        let (state, message) = state(&bench, &made);
        assert_eq!(state, "failed", "{name}");
        assert!(message.starts_with("Client.InvalidKmsKey: ") && message.contains(said), "{message}");
    }
}

#[test]
fn copying_what_somebody_else_has_encrypted_needs_its_key() {
    let bench = Bench::new();
    let (key, other) = (bench.disk_key(), bench.by(OTHER));
    bench.add_encrypted_ami(A, &key, &[OTHER]);
    let failed = copy(&other, "Name=without").unwrap();
    let (said, message) = state(&other, &failed);
    assert!(said == "failed" && message.contains(&key) && message.contains("kms:DescribeKey"), "{message}");
    grant(&bench, &key, &root(OTHER), &READING[..3]);
    assert!(state(&other, &copy(&other, "Name=partly").unwrap()).1.contains("kms:ReEncryptFrom"));
    grant(&bench, &key, &root(OTHER), &READING);
    let made = copy(&other, "Name=granted").unwrap();
    assert_eq!((state(&other, &made).0, key_of(&other, &made)), ("available".into(), managed(&other)));
    // The policy that AWS's documentation has for keys of shared images.
    let second = bench.disk_key();
    bench.share_key(&second, OTHER);
    bench.add_encrypted_ami(A, &second, &[OTHER]);
    assert_eq!(state(&other, &copy(&other, "Name=allowed").unwrap()).0, "available");
    bench.kms("DisableKey", &json!({ "KeyId": second })).unwrap();
    assert_eq!(state(&other, &copy(&other, "Name=disabled").unwrap()).0, "failed");
    assert_eq!(state(&bench, &copy(&bench, "Name=own").unwrap()).0, "failed", "of the owner, too");
}

/// Launches one: its id.
fn launch(bench: &Bench) -> String {
    let request = format!("Action=RunInstances&ImageId={A}&InstanceType=m7i.large&MinCount=1&MaxCount=1");
    let answer = bench.ec2(&request).unwrap();
    assert!(answer.contains("<name>pending</name>"), "{answer}");
    element(&answer, "instanceId").unwrap()
}

/// The state of an instance and the message of its reason.
fn instance(bench: &Bench, id: &str) -> (String, String) {
    let body = bench.ec2(&format!("Action=DescribeInstances&InstanceId.1={id}")).unwrap();
    let state = body.split("<instanceState>").nth(1).and_then(|rest| element(rest, "name")).unwrap();
    let reason = body.split("<stateReason>").nth(1).and_then(|rest| element(rest, "message"));
    (state, reason.unwrap_or_default())
}

#[test]
fn an_instance_whose_key_cannot_be_used_ends_by_itself() {
    let hands = Hands::new();
    let bench = bench(&hands);
    let (key, other) = (bench.disk_key(), bench.by(OTHER));
    bench.add_encrypted_ami(A, &key, &[OTHER]);
    let dry = format!("Action=RunInstances&ImageId={A}&InstanceType=m7i.large&MinCount=1&MaxCount=1&DryRun=true");
    assert_eq!(code(other.ec2(&dry)), "DryRunOperation", "a dry run does not look at keys");
    let (failed, own) = (launch(&other), launch(&bench));
    assert_eq!((instance(&other, &failed).0, instance(&bench, &own).0), ("pending".into(), "pending".into()));
    hands.forward(15);
    let ended = ("terminated".into(), "Client.InternalError: Client error on launch".into());
    assert_eq!(instance(&other, &failed), ended);
    assert_eq!(instance(&bench, &own).0, "running");
    grant(&bench, &key, &root(OTHER), &READING);
    let allowed = launch(&other);
    hands.forward(15);
    assert_eq!(instance(&other, &allowed).0, "running");
    // The disk of what is somebody else's is encrypted with the default key.
    let own = other.disk_key();
    other.ec2(&format!("Action=ModifyEbsDefaultKmsKeyId&KmsKeyId={own}")).unwrap();
    other.kms("DisableKey", &json!({ "KeyId": own })).unwrap();
    let failed = launch(&other);
    hands.forward(15);
    assert_eq!(instance(&other, &failed), ended);
}

#[test]
fn it_does_so_where_instances_are_real() {
    let bench = Bench::new();
    bench.add_encrypted_ami(A, &bench.disk_key(), &[OTHER]);
    let other = bench.by(OTHER);
    let failed = launch(&other);
    assert_eq!(instance(&other, &failed), ("terminated".into(), "Client.InternalError: Client error on launch".into()));
    other.ec2(&format!("Action=TerminateInstances&InstanceId.1={failed}")).unwrap();
}

#[test]
fn a_group_launches_in_the_name_of_its_role() {
    let hands = Hands::new();
    let bench = bench(&hands);
    let (key, other) = (bench.disk_key(), bench.by(OTHER));
    bench.add_encrypted_ami(A, &key, &[OTHER]);
    let template = format!(
        "Action=CreateLaunchTemplate&LaunchTemplateName=web&LaunchTemplateData.ImageId={A}&LaunchTemplateData.InstanceType=m7i.large"
    );
    other.ec2(&template).unwrap();
    group(&other, "fleet", "1", 2);
    let all = || other.ec2("Action=DescribeInstances").unwrap();
    assert_eq!(elements(&described(&other, "fleet"), "InstanceId").len(), 0);
    let messages = || all().matches("<code>Client.InternalError</code>").count();
    assert_eq!(messages(), 1, "{}", all());
    hands.forward(61);
    described(&other, "fleet");
    assert_eq!(messages(), 2, "it is tried again");
    let role = "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling";
    grant(&bench, &key, &format!("arn:aws:iam::{OTHER}:role/AWSServiceRoleForAutoScaling"), &READING);
    assert_eq!(elements(&described(&other, "fleet"), "InstanceId").len(), 0, "that is another role");
    grant(&bench, &key, &format!("arn:aws:iam::{OTHER}:{role}"), &READING);
    assert_eq!(elements(&described(&other, "fleet"), "InstanceId").len(), 2);
    // With the key's default policy it works in the key's own account.
    bench.ec2(&template).unwrap();
    group(&bench, "own", "1", 1);
    assert_eq!(elements(&described(&bench, "own"), "InstanceId").len(), 1);
}

/// Builds and distributes to another account with that key: the end of the image.
fn distribute(key: &str, prepare: impl FnOnce(&Bench)) -> (Bench, serde_json::Value) {
    let hands = scripted::Hands::new();
    let bench = scripted::bench(&hands, scripted::script());
    prepare(&bench);
    scripted::start(&bench);
    let entry = json!({ "region": "eu-west-1", "amiDistributionConfiguration": {
        "targetAccountIds": [OTHER], "kmsKeyId": key,
    } });
    let distribution = scripted::distribute(&bench, &json!([entry]));
    let pipeline = scripted::pipeline(&bench, &json!({ "distributionConfigurationArn": distribution }));
    let arn = scripted::run(&bench, &pipeline);
    hands.to(60);
    let image = scripted::image(&bench, &arn);
    (bench, image)
}

#[test]
fn image_builder_copies_with_keys_that_can_be_used() {
    let (_, image) = distribute("alias/disks", |_| {});
    let failure = &image["state"]["failureContext"]["distributionFailure"]["regionFailures"][0];
    assert_eq!((&failure["region"], &failure["targetAccountId"]), (&json!("eu-west-1"), &json!(OTHER)));
    assert!(failure["errorMessage"].as_str().unwrap().contains("alias/disks cannot be used in eu-west-1"), "{failure}");
    let mut made = String::new();
    let (bench, image) = distribute("alias/disks", |bench| {
        let there = bench.by(OTHER).region("eu-west-1");
        made = there.disk_key();
        there.kms("CreateAlias", &json!({ "AliasName": "alias/disks", "TargetKeyId": made })).unwrap();
    });
    let ami = image["outputResources"]["amis"][1]["image"].as_str().unwrap();
    assert_eq!(key_of(&bench.by(OTHER).region("eu-west-1"), ami), made);
}

#[test]
fn a_build_has_the_key_of_its_recipe() {
    let hands = scripted::Hands::new();
    let bench = scripted::bench(&hands, scripted::script());
    scripted::start(&bench);
    let key = bench.disk_key();
    bench.kms("CreateAlias", &json!({ "AliasName": "alias/disks", "TargetKeyId": key })).unwrap();
    let base = "arn:aws:imagebuilder:us-east-1:000000000000";
    let build = |name: &str, key: &str| {
        let recipe = json!({
            "name": name, "semanticVersion": "1.0.0", "parentImage": "ami-0000000000000000a",
            "components": [{ "componentArn": format!("{base}:component/abc/1.0.0/1") }],
            "blockDeviceMappings": [{ "deviceName": "/dev/xvda", "ebs": { "encrypted": true, "kmsKeyId": key } }],
        });
        let recipe = bench.builder("CreateImageRecipe", &recipe).unwrap()["imageRecipeArn"].clone();
        let infrastructure = format!("{base}:infrastructure-configuration/infra");
        let request = json!({
            "imageRecipeArn": recipe, "infrastructureConfigurationArn": infrastructure, "clientToken": name,
        });
        bench.builder("CreateImage", &request).unwrap()["imageBuildVersionArn"].as_str().unwrap().to_owned()
    };
    let (good, bad) = (build("good", "alias/disks"), build("bad", "alias/none"));
    hands.to(60);
    let made = scripted::image(&bench, &good);
    assert_eq!(key_of(&bench, made["outputResources"]["amis"][0]["image"].as_str().unwrap()), key);
    let state = scripted::image(&bench, &bad)["state"].clone();
    assert_eq!(state["status"], "FAILED");
    assert!(state["reason"].as_str().unwrap().contains("alias/none is not found"), "{state}");
}
