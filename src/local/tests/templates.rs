use super::{Bench, code, element, elements};
use serde_json::json;

const AMI: &str = "ami-0123456789abcdef0";

fn create(bench: &Bench, name: &str) -> String {
    let parameters = format!(
        "Action=CreateLaunchTemplate&LaunchTemplateName={name}&LaunchTemplateData.ImageId={AMI}\
         &LaunchTemplateData.InstanceType=m7i.large&LaunchTemplateData.BlockDeviceMapping.1.DeviceName=/dev/xvda\
         &LaunchTemplateData.BlockDeviceMapping.1.Ebs.SnapshotId=snap-1&LaunchTemplateData.BlockDeviceMapping.1.Ebs.VolumeSize=8\
         &TagSpecification.1.ResourceType=launch-template&TagSpecification.1.Tag.1.Key=team&TagSpecification.1.Tag.1.Value=a"
    );
    element(&bench.ec2(&parameters).unwrap(), "launchTemplateId").unwrap()
}

fn versions(bench: &Bench, parameters: &str) -> Vec<String> {
    let body = bench.ec2(&format!("Action=DescribeLaunchTemplateVersions&{parameters}")).unwrap();
    elements(&body, "versionNumber")
}

#[test]
fn a_template_is_made_found_and_deleted() {
    let bench = Bench::new();
    let id = create(&bench, "golden-x86_64");
    let described = bench.ec2("Action=DescribeLaunchTemplates&LaunchTemplateName.1=golden-x86_64").unwrap();
    assert_eq!(element(&described, "launchTemplateId").unwrap(), id);
    assert_eq!(element(&described, "defaultVersionNumber").unwrap(), "1");
    assert_eq!(element(&described, "createTime").unwrap(), "2026-03-01T12:00:00.000Z");
    let by_tag = bench.ec2("Action=DescribeLaunchTemplates&Filter.1.Name=tag:team&Filter.1.Value.1=a").unwrap();
    assert_eq!(elements(&by_tag, "launchTemplateId"), [&*id]);
    let again = "Action=CreateLaunchTemplate&LaunchTemplateName=golden-x86_64&LaunchTemplateData.ImageId=ami-1";
    assert_eq!(code(bench.ec2(again)), "InvalidLaunchTemplateName.AlreadyExistsException");
    bench.ec2(&format!("Action=DeleteLaunchTemplate&LaunchTemplateId={id}")).unwrap();
    let describe = |rest: &str| code(bench.ec2(&format!("Action=DescribeLaunchTemplates&{rest}")));
    assert_eq!(describe(&format!("LaunchTemplateId.1={id}")), "InvalidLaunchTemplateId.NotFound");
    assert_eq!(describe("LaunchTemplateName.1=golden-x86_64"), "InvalidLaunchTemplateName.NotFoundException");
    assert_eq!(describe("LaunchTemplateId.1=lt-1"), "InvalidLaunchTemplateId.Malformed");
    create(&bench, "golden-x86_64");
}

#[test]
fn what_a_template_may_not_be() {
    let bench = Bench::new();
    let create = |rest: &str| code(bench.ec2(&format!("Action=CreateLaunchTemplate&{rest}")));
    assert_eq!(
        create("LaunchTemplateName=ab&LaunchTemplateData.ImageId=x"),
        "InvalidLaunchTemplateName.MalformedException"
    );
    assert_eq!(
        create("LaunchTemplateName=a%20b&LaunchTemplateData.ImageId=x"),
        "InvalidLaunchTemplateName.MalformedException"
    );
    assert_eq!(create("LaunchTemplateName=abc"), "MissingParameter");
    assert_eq!(create("LaunchTemplateData.ImageId=x"), "MissingParameter");
    assert_eq!(create("LaunchTemplateName=abc&LaunchTemplateData.Colour=x"), "UnknownParameter");
}

#[test]
fn a_new_version_inherits_from_its_source_and_moves_nothing() {
    let bench = Bench::new();
    bench.add_ami(AMI, |_| {});
    let id = create(&bench, "golden");
    let version = format!(
        "Action=CreateLaunchTemplateVersion&LaunchTemplateId={id}&LaunchTemplateData.ImageId=ami-0123456789abcdef9"
    );
    let merged = bench.ec2(&format!("{version}&SourceVersion=1&VersionDescription=new")).unwrap();
    assert_eq!(element(&merged, "versionNumber").unwrap(), "2");
    assert_eq!(element(&merged, "instanceType").unwrap(), "m7i.large");
    assert_eq!((element(&merged, "volumeSize").as_deref(), element(&merged, "snapshotId")), (Some("8"), None));
    assert_eq!(element(&merged, "defaultVersion").unwrap(), "false");
    // Stored, but with a warning: there is no such image.
    assert_eq!(element(&merged, "code").unwrap(), "InvalidAMIID.NotFound");
    let bare = bench.ec2(&version).unwrap();
    assert_eq!(element(&bare, "instanceType"), None);
    assert_eq!(versions(&bench, &format!("LaunchTemplateId={id}")), ["3", "2", "1"]);
    assert_eq!(versions(&bench, &format!("LaunchTemplateId={id}&LaunchTemplateVersion.1=$Default")), ["1"]);
    assert_eq!(
        versions(&bench, &format!("LaunchTemplateId={id}&LaunchTemplateVersion.1=$Latest&LaunchTemplateVersion.2=2")),
        ["3", "2"]
    );
    assert_eq!(versions(&bench, &format!("LaunchTemplateId={id}&MinVersion=2&MaxVersion=2")), ["2"]);
    assert_eq!(
        versions(&bench, &format!("LaunchTemplateId={id}&Filter.1.Name=image-id&Filter.1.Value.1={AMI}")),
        ["1"]
    );
    let missing = format!("Action=DescribeLaunchTemplateVersions&LaunchTemplateId={id}&LaunchTemplateVersion.1=9");
    assert_eq!(code(bench.ec2(&missing)), "InvalidLaunchTemplateId.VersionNotFound");
    assert_eq!(code(bench.ec2(&format!("{version}&SourceVersion=9"))), "InvalidLaunchTemplateId.VersionNotFound");
}

#[test]
fn a_client_token_makes_one_version() {
    let bench = Bench::new();
    let id = create(&bench, "golden");
    let version =
        format!("Action=CreateLaunchTemplateVersion&LaunchTemplateId={id}&ClientToken=t&LaunchTemplateData.ImageId=");
    let first = bench.ec2(&format!("{version}ami-2")).unwrap();
    let again = bench.ec2(&format!("{version}ami-2")).unwrap();
    assert_eq!(element(&first, "versionNumber"), element(&again, "versionNumber"));
    assert_eq!(versions(&bench, &format!("LaunchTemplateId={id}")), ["2", "1"]);
    assert_eq!(code(bench.ec2(&format!("{version}ami-3"))), "IdempotentParameterMismatch");
}

#[test]
fn the_default_moves_and_stays_deletable_only_elsewhere() {
    let bench = Bench::new();
    let id = create(&bench, "golden");
    for _ in 0..2 {
        bench.ec2("Action=CreateLaunchTemplateVersion&LaunchTemplateName=golden&SourceVersion=$Latest").unwrap();
    }
    let modify = |version: &str| {
        bench.ec2(&format!("Action=ModifyLaunchTemplate&LaunchTemplateId={id}&SetDefaultVersion={version}"))
    };
    assert_eq!(element(&modify("2").unwrap(), "defaultVersionNumber").unwrap(), "2");
    assert_eq!(code(modify("9")), "InvalidLaunchTemplateId.VersionNotFound");
    assert_eq!(code(modify("two")), "InvalidParameterValue");
    let delete = format!(
        "Action=DeleteLaunchTemplateVersions&LaunchTemplateId={id}&LaunchTemplateVersion.1=2&LaunchTemplateVersion.2=3&LaunchTemplateVersion.3=9"
    );
    let body = bench.ec2(&delete).unwrap();
    let gone = element(&body, "successfullyDeletedLaunchTemplateVersionSet").unwrap();
    assert_eq!(elements(&gone, "versionNumber"), ["3"]);
    let kept = element(&body, "unsuccessfullyDeletedLaunchTemplateVersionSet").unwrap();
    assert_eq!(elements(&kept, "code"), ["unexpectedError", "launchTemplateVersionDoesNotExist"]);
    // A number is given out once.
    let next = bench.ec2("Action=CreateLaunchTemplateVersion&LaunchTemplateName=golden&SourceVersion=1").unwrap();
    assert_eq!(element(&next, "versionNumber").unwrap(), "4");
}

#[test]
fn an_alias_is_resolved_on_request() {
    let bench = Bench::new();
    bench.ssm("PutParameter", &json!({ "Name": "/g/a", "Type": "String", "Value": AMI })).unwrap();
    let data = "LaunchTemplateData.ImageId=resolve:ssm:/g/a";
    let created = bench.ec2(&format!("Action=CreateLaunchTemplate&LaunchTemplateName=golden&{data}")).unwrap();
    assert_eq!(element(&created, "warning"), None);
    let describe = "Action=DescribeLaunchTemplateVersions&LaunchTemplateName=golden&ResolveAlias=";
    assert_eq!(element(&bench.ec2(&format!("{describe}false")).unwrap(), "imageId").unwrap(), "resolve:ssm:/g/a");
    assert_eq!(element(&bench.ec2(&format!("{describe}true")).unwrap(), "imageId").unwrap(), AMI);
    bench.ssm("DeleteParameter", &json!({ "Name": "/g/a" })).unwrap();
    assert_eq!(code(bench.ec2(&format!("{describe}true"))), "InvalidParameterValue");
}

#[test]
fn versions_come_in_pages() {
    let bench = Bench::new();
    let id = create(&bench, "golden");
    for _ in 0..4 {
        bench.ec2(&format!("Action=CreateLaunchTemplateVersion&LaunchTemplateId={id}&SourceVersion=1")).unwrap();
    }
    let describe = format!("Action=DescribeLaunchTemplateVersions&LaunchTemplateId={id}&MaxResults=3");
    let first = bench.ec2(&describe).unwrap();
    assert_eq!(elements(&first, "versionNumber"), ["5", "4", "3"]);
    let token = element(&first, "nextToken").unwrap();
    let second = bench.ec2(&format!("{describe}&NextToken={token}")).unwrap();
    assert_eq!(
        (elements(&second, "versionNumber"), element(&second, "nextToken")),
        (vec!["2".into(), "1".into()], None)
    );
    let everywhere = "Action=DescribeLaunchTemplateVersions&LaunchTemplateVersion.1=$Latest";
    assert_eq!(elements(&bench.ec2(everywhere).unwrap(), "versionNumber"), ["5"]);
    assert_eq!(code(bench.ec2("Action=DescribeLaunchTemplateVersions")), "MissingParameter");
}

#[test]
fn templates_have_tags() {
    let bench = Bench::new();
    let id = create(&bench, "golden");
    bench.ec2(&format!("Action=CreateTags&ResourceId.1={id}&Tag.1.Key=b&Tag.1.Value=c")).unwrap();
    let described =
        bench.ec2("Action=DescribeTags&Filter.1.Name=resource-type&Filter.1.Value.1=launch-template").unwrap();
    assert_eq!(elements(&described, "key"), ["b", "team"]);
}
