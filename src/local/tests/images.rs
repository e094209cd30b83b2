use super::{Bench, code, element, elements};

const A: &str = "ami-0123456789abcdef0";
const B: &str = "ami-0123456789abcdef1";
const OTHER: &str = "111122223333";

fn ids(bench: &Bench, parameters: &str) -> Vec<String> {
    elements(&bench.ec2(&format!("Action=DescribeImages&{parameters}")).unwrap(), "imageId")
}

#[test]
fn images_are_seen_by_their_owner_the_permitted_and_the_public() {
    let bench = Bench::new();
    let other = bench.by(OTHER);
    bench.add_ami(A, |_| {});
    assert_eq!(ids(&bench, "Owner.1=self"), [A]);
    assert_eq!(code(other.ec2(&format!("Action=DescribeImages&ImageId.1={A}"))), "InvalidAMIID.NotFound");
    let modify = format!("Action=ModifyImageAttribute&ImageId={A}");
    bench.ec2(&format!("{modify}&LaunchPermission.Add.1.UserId={OTHER}")).unwrap();
    assert_eq!(ids(&other, &format!("ImageId.1={A}")), [A]);
    assert!(ids(&other, "Owner.1=self").is_empty());
    assert_eq!(ids(&other, "ExecutableBy.1=self"), [A]);
    let described =
        bench.ec2(&format!("Action=DescribeImageAttribute&ImageId={A}&Attribute=launchPermission")).unwrap();
    assert_eq!(element(&described, "launchPermission").unwrap(), format!("<item><userId>{OTHER}</userId></item>"));
    assert_eq!(code(other.ec2(&format!("{modify}&LaunchPermission.Add.1.Group=all"))), "AuthFailure");
    // The older form of the same.
    bench.ec2(&format!("{modify}&Attribute=launchPermission&OperationType=remove&UserId.1={OTHER}")).unwrap();
    assert!(ids(&other, "").is_empty());
    bench.ec2(&format!("{modify}&LaunchPermission.Add.1.Group=all")).unwrap();
    assert_eq!(ids(&other, "ExecutableBy.1=all"), [A]);
}

#[test]
fn permissions_that_make_no_sense_are_refused() {
    let bench = Bench::new();
    bench.add_ami(A, |ami| ami.encrypted = true);
    let modify = |rest: &str| code(bench.ec2(&format!("Action=ModifyImageAttribute&ImageId={A}&{rest}")));
    assert_eq!(modify("LaunchPermission.Add.1.UserId=123"), "InvalidAMIAttributeItemValue");
    assert_eq!(modify("LaunchPermission.Add.1.Group=some"), "InvalidAMIAttributeItemValue");
    assert_eq!(modify("LaunchPermission.Add.1.Group=all"), "InvalidParameter");
    assert_eq!(modify("LaunchPermission.Add.1.OrganizationArn=arn:aws:x"), "InvalidParameterValue");
    assert_eq!(modify(""), "MissingParameter");
    assert_eq!(modify("UserId.1=111122223333"), "MissingParameter");
    assert_eq!(modify("ImdsSupport.Value=v1.0"), "InvalidParameterValue");
}

#[test]
fn filters_choose() {
    let bench = Bench::new();
    bench.add_ami(A, |ami| ami.name = "golden-1".to_owned());
    bench.add_ami(B, |ami| {
        ami.name = "golden-2".to_owned();
        ami.tags.clear();
        ami.state = "pending".to_owned();
    });
    let filter = |name: &str, value: &str| ids(&bench, &format!("Filter.1.Name={name}&Filter.1.Value.1={value}"));
    assert_eq!(filter("name", "golden-*"), [A, B]);
    assert_eq!(filter("name", "golden-?"), [A, B]);
    assert_eq!(filter("name", "golden-2"), [B]);
    assert_eq!(filter("state", "available"), [A]);
    assert_eq!(filter("tag:team", "plat*"), [A]);
    assert_eq!(filter("tag-key", "team"), [A]);
    assert_eq!(filter("architecture", "arm64"), Vec::<String>::new());
    assert_eq!(filter("image-id", B), [B]);
    assert_eq!(filter("owner-id", "000000000000"), [A, B]);
    let refusal = bench.ec2("Action=DescribeImages&Filter.1.Name=colour&Filter.1.Value.1=red").unwrap_err();
    assert_eq!(refusal.code, "InvalidParameterValue");
    assert!(refusal.message.contains("'colour'"));
}

#[test]
fn unknown_and_malformed_ids_are_told_apart() {
    let bench = Bench::new();
    bench.add_ami(A, |_| {});
    let refusal = bench.ec2(&format!("Action=DescribeImages&ImageId.1={A}&ImageId.2={B}")).unwrap_err();
    assert_eq!(
        (&*refusal.code, &*refusal.message),
        ("InvalidAMIID.NotFound", &*format!("The image id '[{B}]' does not exist"))
    );
    assert_eq!(code(bench.ec2("Action=DescribeImages&ImageId.1=ami-xyz")), "InvalidAMIID.Malformed");
    assert_eq!(
        code(bench.ec2(&format!("Action=DescribeImages&ImageId.1={A}&MaxResults=5"))),
        "InvalidParameterCombination"
    );
}

#[test]
fn pages() {
    let bench = Bench::new();
    bench.add_ami(A, |_| {});
    bench.add_ami(B, |_| {});
    let first = bench.ec2("Action=DescribeImages&MaxResults=1").unwrap();
    let token = element(&first, "nextToken").unwrap();
    let second = bench.ec2(&format!("Action=DescribeImages&MaxResults=1&NextToken={token}")).unwrap();
    assert_eq!((elements(&second, "imageId"), element(&second, "nextToken")), (vec![B.to_owned()], None));
    assert_eq!(code(bench.ec2("Action=DescribeImages&NextToken=x")), "InvalidNextToken");
}

#[test]
fn a_deregistered_image_is_gone() {
    let bench = Bench::new();
    bench.add_ami(A, |ami| ami.launch_permissions = vec![OTHER.to_owned()]);
    assert_eq!(code(bench.by(OTHER).ec2(&format!("Action=DeregisterImage&ImageId={A}"))), "AuthFailure");
    bench.ec2(&format!("Action=DeregisterImage&ImageId={A}")).unwrap();
    assert!(ids(&bench, "").is_empty());
    for action in ["DescribeImages&ImageId.1", "DeregisterImage&ImageId", "CreateTags&Tag.1.Key=a&ResourceId.1"] {
        assert_eq!(code(bench.ec2(&format!("Action={action}={A}"))), "InvalidAMIID.NotFound", "{action}");
    }
}

#[test]
fn tags_are_each_accounts_own() {
    let bench = Bench::new();
    let other = bench.by(OTHER);
    bench.add_ami(A, |ami| ami.launch_permissions = vec![OTHER.to_owned()]);
    bench.ec2(&format!("Action=CreateTags&ResourceId.1={A}&Tag.1.Key=stage&Tag.1.Value=prod")).unwrap();
    assert!(ids(&other, "Filter.1.Name=tag-key&Filter.1.Value.1=stage").is_empty());
    other.ec2(&format!("Action=CreateTags&ResourceId.1={A}&Tag.1.Key=mine&Tag.1.Value=")).unwrap();
    assert_eq!(ids(&other, "Filter.1.Name=tag-key&Filter.1.Value.1=mine"), [A]);
    assert!(ids(&bench, "Filter.1.Name=tag-key&Filter.1.Value.1=mine").is_empty());
    let described = bench.ec2("Action=DescribeTags&Filter.1.Name=key&Filter.1.Value.1=stage").unwrap();
    assert_eq!(element(&described, "resourceType").unwrap(), "image");
    // A value that differs protects the tag, no value does not.
    bench.ec2(&format!("Action=DeleteTags&ResourceId.1={A}&Tag.1.Key=stage&Tag.1.Value=other")).unwrap();
    assert_eq!(ids(&bench, "Filter.1.Name=tag:stage&Filter.1.Value.1=prod"), [A]);
    bench.ec2(&format!("Action=DeleteTags&ResourceId.1={A}&Tag.1.Key=stage")).unwrap();
    assert!(ids(&bench, "Filter.1.Name=tag-key&Filter.1.Value.1=stage").is_empty());
    bench.ec2(&format!("Action=DeleteTags&ResourceId.1={A}")).unwrap();
    assert!(ids(&bench, "Filter.1.Name=tag-key&Filter.1.Value.1=team").is_empty());
}

#[test]
fn tags_are_all_or_nothing_and_limited() {
    let bench = Bench::new();
    bench.add_ami(A, |_| {});
    let create = |rest: &str| code(bench.ec2(&format!("Action=CreateTags&{rest}")));
    assert_eq!(create(&format!("ResourceId.1={A}&ResourceId.2={B}&Tag.1.Key=x")), "InvalidAMIID.NotFound");
    assert!(ids(&bench, "Filter.1.Name=tag-key&Filter.1.Value.1=x").is_empty());
    assert_eq!(create(&format!("ResourceId.1={A}&Tag.1.Key=aws:x")), "InvalidParameterValue");
    assert_eq!(create("ResourceId.1=vpc-1&Tag.1.Key=x"), "InvalidID");
    assert_eq!(create("ResourceId.1=i-0123456789abcdef0&Tag.1.Key=x"), "InvalidInstanceID.NotFound");
    let many: Vec<String> = (1..=50).map(|n| format!("Tag.{n}.Key=k{n}")).collect();
    assert_eq!(create(&format!("ResourceId.1={A}&{}", many.join("&"))), "TagLimitExceeded");
}

#[test]
fn an_image_looks_like_one() {
    let bench = Bench::new();
    bench.add_ami(A, |_| {});
    let body = bench.ec2("Action=DescribeImages").unwrap();
    for (name, value) in [
        ("creationDate", "2026-03-01T10:00:00.000Z"),
        ("imageOwnerId", "000000000000"),
        ("imdsSupport", "v2.0"),
        ("isPublic", "false"),
        ("volumeSize", "8"),
        ("platformDetails", "Linux/UNIX"),
        ("tagSet", "<item><key>team</key><value>platform</value></item>"),
    ] {
        assert_eq!(element(&body, name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(element(&body, "platform"), None);
}
