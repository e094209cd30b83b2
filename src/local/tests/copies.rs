//! Copies of AMIs, their snapshots, and what other accounts may do with them.

use super::{Bench, Refusal, code, element, elements};
use crate::clock::Clock;
use crate::local::records::{AMI, Ami};
use crate::local::store::{Scope, StoreError};
use crate::local::{Builds, Fault, Script};
use std::sync::{Arc, Mutex};
use time::OffsetDateTime;
use time::macros::datetime;

const A: &str = "ami-0123456789abcdef0";
const B: &str = "ami-0123456789abcdef1";
const SNAPSHOT: &str = "snap-0123456789abcdef0";
const OTHER: &str = "111122223333";

/// A clock with hands.
#[derive(Clone)]
pub(super) struct Hands(Arc<Mutex<OffsetDateTime>>);

impl Hands {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(datetime!(2026-03-01 12:00 UTC))))
    }

    pub(super) fn clock(&self) -> Clock {
        let hands = self.clone();
        Clock::ticking(move || *hands.0.lock().unwrap())
    }

    pub(super) fn forward(&self, seconds: i64) {
        *self.0.lock().unwrap() += time::Duration::seconds(seconds);
    }
}

fn scripted(hands: &Hands) -> Bench {
    Bench::scripted(hands.clock(), Builds::scripted(|_| Script::default()))
}

fn copy(bench: &Bench, rest: &str) -> Result<String, Refusal> {
    let done = bench.ec2(&format!("Action=CopyImage&SourceRegion=us-east-1&SourceImageId={A}&{rest}"))?;
    Ok(element(&done, "imageId").unwrap())
}

fn describe(bench: &Bench, id: &str) -> String {
    bench.ec2(&format!("Action=DescribeImages&ImageId.1={id}")).unwrap()
}

fn state(bench: &Bench, id: &str) -> String {
    element(&describe(bench, id), "imageState").unwrap()
}

fn dry_run(bench: &Bench, id: &str) -> String {
    let launch = format!("Action=RunInstances&ImageId={id}&InstanceType=m7i.large&MinCount=1&MaxCount=1&DryRun=true");
    code(bench.ec2(&launch))
}

fn record(bench: &Bench, id: &str, region: &str) -> Ami {
    let scope = Scope { region: region.into(), ..bench.scope() };
    bench.local.store.read(|tx| tx.get::<Ami>(&scope, AMI, id)).map_err(|error: StoreError| error).unwrap().unwrap()
}

#[test]
fn a_copy_is_pending_until_its_time_has_come() {
    let hands = Hands::new();
    let bench = scripted(&hands);
    bench.add_ami(A, |ami| ami.launch_permissions = vec![OTHER.to_owned()]);
    let there = bench.region("eu-west-1");
    let id = copy(&there, "Name=golden").unwrap();
    let body = describe(&there, &id);
    for (name, value) in [
        ("imageState", "pending"),
        ("name", "golden"),
        ("description", &*format!("[Copied {A} from us-east-1] debian-12 {A}")),
        ("sourceImageId", A),
        ("sourceImageRegion", "us-east-1"),
        ("isPublic", "false"),
        ("tagSet", ""),
    ] {
        assert_eq!(element(&body, name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(dry_run(&there, &id), "InvalidAMIID.Unavailable");
    assert_eq!(code(bench.ec2(&format!("Action=DescribeImages&ImageId.1={id}"))), "InvalidAMIID.NotFound");
    // Eight GiB take three minutes.
    hands.forward(90);
    let snapshots = there.ec2("Action=DescribeSnapshots&Owner.1=self").unwrap();
    assert_eq!(
        (element(&snapshots, "progress"), element(&snapshots, "status")),
        (Some("50%".into()), Some("pending".into()))
    );
    hands.forward(89);
    assert_eq!(state(&there, &id), "pending");
    hands.forward(1);
    assert_eq!(state(&there, &id), "available");
    assert_eq!(dry_run(&there, &id), "DryRunOperation");
    let snapshots = there.ec2("Action=DescribeSnapshots&Owner.1=self").unwrap();
    assert_eq!(
        (element(&snapshots, "progress"), element(&snapshots, "status")),
        (Some("100%".into()), Some("completed".into()))
    );
    let made = record(&there, &id, "eu-west-1");
    assert_eq!((made.layers, made.launch_permissions), (record(&bench, A, "us-east-1").layers, Vec::<String>::new()));
}

#[test]
fn a_copy_that_goes_wrong_has_failed_and_says_why() {
    let hands = Hands::new();
    let bench = scripted(&hands);
    bench.add_ami(A, |_| {});
    bench
        .local
        .set_faults(Some(Box::new(|_, operation, nth| (operation == "CopyImage" && nth == 1).then_some(Fault::Spoil))));
    let spoilt = copy(&bench, "Name=spoilt").unwrap();
    let unkeyed =
        copy(&bench, "Name=unkeyed&Encrypted=true&KmsKeyId=arn:aws:kms:eu-west-1:000000000000:key/1").unwrap();
    assert_eq!((state(&bench, &spoilt), state(&bench, &unkeyed)), ("pending".into(), "pending".into()));
    hands.forward(180);
    for (id, code) in [(&spoilt, "Server.InternalError"), (&unkeyed, "Client.InvalidKmsKey")] {
        let body = describe(&bench, id);
        assert_eq!((&*element(&body, "imageState").unwrap(), &*element(&body, "code").unwrap()), ("failed", code));
        assert_eq!(dry_run(&bench, id), "InvalidAMIID.Unavailable");
    }
    // Its name and its snapshot are free again once it is deregistered.
    let snapshot = element(&describe(&bench, &spoilt), "snapshotId").unwrap();
    bench.ec2(&format!("Action=DeregisterImage&ImageId={spoilt}")).unwrap();
    bench.ec2(&format!("Action=DeleteSnapshot&SnapshotId={snapshot}")).unwrap();
    copy(&bench, "Name=spoilt").unwrap();
}

#[test]
fn a_copy_given_up_does_not_come_back() {
    let hands = Hands::new();
    let bench = scripted(&hands);
    bench.add_ami(A, |_| {});
    let id = copy(&bench, "Name=golden").unwrap();
    bench.ec2(&format!("Action=DeregisterImage&ImageId={id}")).unwrap();
    hands.forward(600);
    assert_eq!(code(bench.ec2(&format!("Action=DescribeImages&ImageId.1={id}"))), "InvalidAMIID.NotFound");
}

#[test]
fn where_builds_are_real_a_copy_is_there_at_once() {
    let bench = Bench::new();
    bench.add_ami(A, |_| {});
    let id = copy(&bench, "Name=golden&Description=mine").unwrap();
    let body = describe(&bench, &id);
    assert_eq!(
        (element(&body, "imageState").unwrap(), element(&body, "description").unwrap()),
        ("available".into(), "mine".into())
    );
}

#[test]
fn a_repeated_copy_is_the_same_one() {
    let bench = Bench::new();
    bench.add_ami(A, |_| {});
    let first = copy(&bench, "Name=golden&ClientToken=t").unwrap();
    assert_eq!(copy(&bench, "Name=golden&ClientToken=t").unwrap(), first);
    assert_eq!(code(copy(&bench, "Name=other&ClientToken=t")), "IdempotentParameterMismatch");
    assert_eq!(code(copy(&bench, "Name=golden&ClientToken=u")), "InvalidAMIName.Duplicate");
}

#[test]
fn copies_that_make_no_sense_are_refused() {
    let bench = Bench::new();
    bench.add_ami(A, |_| {});
    bench.add_ami(B, |ami| ami.state = "pending".to_owned());
    assert_eq!(code(copy(&bench, "")), "MissingParameter");
    assert_eq!(code(copy(&bench, "Name=a:b")), "InvalidAMIName.Malformed");
    assert_eq!(code(copy(&bench, "Name=golden&KmsKeyId=alias/x")), "InvalidParameterDependency");
    assert_eq!(code(copy(&bench, "Name=golden&DestinationOutpostArn=arn")), "InvalidParameterValue");
    let from = |region: &str, id: &str| {
        code(bench.ec2(&format!("Action=CopyImage&Name=golden&SourceRegion={region}&SourceImageId={id}")))
    };
    assert_eq!(from("eu-west-1", A), "InvalidAMIID.NotFound");
    assert_eq!(from("us-east-1", B), "InvalidAMIID.Unavailable");
    assert_eq!(from("us-east-1", "image"), "InvalidAMIID.Malformed");
}

#[test]
fn tags_are_copied_on_request_only() {
    let bench = Bench::new();
    bench.add_ami(A, |ami| drop(ami.tags.insert("aws:own".into(), "x".into())));
    let tags = |id: &str| elements(&describe(&bench, id), "key");
    assert_eq!(tags(&copy(&bench, "Name=one1").unwrap()), Vec::<String>::new());
    let added = "TagSpecification.1.ResourceType=image&TagSpecification.1.Tag.1.Key=new&TagSpecification.2.ResourceType=snapshot&TagSpecification.2.Tag.1.Key=disk";
    let id = copy(&bench, &format!("Name=two2&CopyImageTags=true&{added}")).unwrap();
    assert_eq!(tags(&id), ["new", "team"]);
    let tagged = bench.ec2("Action=DescribeSnapshots&Filter.1.Name=tag-key&Filter.1.Value.1=disk").unwrap();
    assert_eq!(elements(&tagged, "snapshotId"), [element(&describe(&bench, &id), "snapshotId").unwrap()]);
}

#[test]
fn what_is_encrypted_stays_so_and_only_with_an_own_key_it_can_be_shared() {
    let bench = Bench::new();
    bench.add_ami(A, |ami| ami.encrypted = true);
    let sealed = copy(&bench, "Name=sealed&Encrypted=false").unwrap();
    let key = bench.disk_key();
    let keyed = copy(&bench, &format!("Name=keyed&Encrypted=true&KmsKeyId={key}")).unwrap();
    for id in [&sealed, &keyed] {
        assert_eq!(element(&describe(&bench, id), "encrypted").unwrap(), "true");
    }
    let share = |id: &str, to: &str| {
        bench.ec2(&format!("Action=ModifyImageAttribute&ImageId={id}&LaunchPermission.Add.1.{to}"))
    };
    assert_eq!(code(share(&sealed, &format!("UserId={OTHER}"))), "InvalidParameter");
    assert_eq!(code(share(&keyed, "Group=all")), "InvalidParameter");
    share(&keyed, &format!("UserId={OTHER}")).unwrap();
    let snapshot = |id: &str| element(&describe(&bench, id), "snapshotId").unwrap();
    let open = |id: &str, to: &str| {
        bench.ec2(&format!(
            "Action=ModifySnapshotAttribute&SnapshotId={}&CreateVolumePermission.Add.1.{to}",
            snapshot(id)
        ))
    };
    assert_eq!(code(open(&sealed, &format!("UserId={OTHER}"))), "OperationNotPermitted");
    assert_eq!(code(open(&keyed, "Group=all")), "OperationNotPermitted");
    open(&keyed, &format!("UserId={OTHER}")).unwrap();
    assert_eq!(dry_run(&bench.by(OTHER), &keyed), "DryRunOperation");
}

#[test]
fn a_shared_image_is_launched_by_permission_and_copied_with_that_of_its_snapshot() {
    let bench = Bench::new();
    let other = bench.by(OTHER);
    bench.add_ami(A, |_| {});
    assert_eq!(
        (dry_run(&other, A), code(copy(&other, "Name=mine"))),
        ("InvalidAMIID.NotFound".into(), "InvalidAMIID.NotFound".into())
    );
    let modify = |rest: &str| {
        bench.ec2(&format!("Action=ModifyImageAttribute&ImageId={A}&LaunchPermission.{rest}.1.UserId={OTHER}")).unwrap()
    };
    modify("Add");
    assert_eq!(elements(&other.ec2("Action=DescribeImages&ExecutableBy.1=self").unwrap(), "imageId"), [A]);
    assert_eq!(dry_run(&other, A), "DryRunOperation");
    let refusal = copy(&other, "Name=mine").unwrap_err();
    assert_eq!((&*refusal.code, refusal.message.contains("the storage of this ami")), ("InvalidRequest", true));
    let attribute = format!("SnapshotId={SNAPSHOT}&Attribute=createVolumePermission");
    bench.ec2(&format!("Action=ModifySnapshotAttribute&{attribute}&OperationType=add&UserId.1={OTHER}")).unwrap();
    let described = bench.ec2(&format!("Action=DescribeSnapshotAttribute&{attribute}")).unwrap();
    assert_eq!(
        element(&described, "createVolumePermission").unwrap(),
        format!("<item><userId>{OTHER}</userId></item>")
    );
    assert_eq!(elements(&other.ec2("Action=DescribeSnapshots&RestorableBy.1=self").unwrap(), "snapshotId"), [SNAPSHOT]);
    let mine = copy(&other, "Name=mine&CopyImageTags=true").unwrap();
    let body = describe(&other, &mine);
    assert_eq!(
        (element(&body, "imageOwnerId").unwrap(), element(&body, "tagSet").unwrap()),
        (OTHER.into(), String::new())
    );
    bench.ec2(&format!("Action=ResetSnapshotAttribute&{attribute}")).unwrap();
    assert_eq!(code(copy(&other, "Name=again")), "InvalidRequest");
    modify("Remove");
    assert_eq!(dry_run(&other, A), "InvalidAMIID.NotFound");
    modify("Add");
    bench.ec2(&format!("Action=ResetImageAttribute&ImageId={A}&Attribute=launchPermission")).unwrap();
    assert_eq!(dry_run(&other, A), "InvalidAMIID.NotFound");
    // What was copied is the other account's own.
    assert_eq!(dry_run(&other, &mine), "DryRunOperation");
}

#[test]
fn a_disabled_image_is_hidden_and_cannot_be_used() {
    let bench = Bench::new();
    bench.add_ami(A, |ami| ami.launch_permissions = vec![OTHER.to_owned()]);
    assert_eq!(code(bench.by(OTHER).ec2(&format!("Action=DisableImage&ImageId={A}"))), "AuthFailure");
    bench.ec2(&format!("Action=DisableImage&ImageId={A}")).unwrap();
    assert!(elements(&bench.ec2("Action=DescribeImages&Owner.1=self").unwrap(), "imageId").is_empty());
    let shown = bench.ec2("Action=DescribeImages&IncludeDisabled=true").unwrap();
    assert_eq!(
        (element(&shown, "imageId").unwrap(), element(&shown, "imageState").unwrap()),
        (A.into(), "disabled".into())
    );
    assert_eq!(dry_run(&bench, A), "InvalidAMIID.Unavailable");
    assert_eq!(dry_run(&bench.by(OTHER), A), "InvalidAMIID.NotFound");
    assert_eq!(code(copy(&bench, "Name=golden")), "InvalidAMIID.Unavailable");
    let share = format!("Action=ModifyImageAttribute&ImageId={A}&LaunchPermission.Add.1.UserId={OTHER}");
    assert_eq!(code(bench.ec2(&share)), "InvalidAMIID.Unavailable");
    assert_eq!(code(bench.ec2(&format!("Action=DeleteSnapshot&SnapshotId={SNAPSHOT}"))), "InvalidSnapshot.InUse");
    bench.ec2(&format!("Action=EnableImage&ImageId={A}")).unwrap();
    assert_eq!(dry_run(&bench, A), "DryRunOperation");
    // The permissions that it has lost do not come back by themselves.
    assert_eq!(dry_run(&bench.by(OTHER), A), "InvalidAMIID.NotFound");
    bench.add_ami(B, |ami| ami.state = "pending".to_owned());
    assert_eq!(code(bench.ec2(&format!("Action=DisableImage&ImageId={B}"))), "IncorrectState");
}

#[test]
fn a_snapshot_goes_when_no_image_needs_it() {
    let bench = Bench::new();
    bench.add_ami(A, |_| {});
    bench.add_ami(B, |_| {});
    let delete = || bench.ec2(&format!("Action=DeleteSnapshot&SnapshotId={SNAPSHOT}"));
    let refusal = delete().unwrap_err();
    assert_eq!(
        (&*refusal.code, refusal.message),
        ("InvalidSnapshot.InUse", format!("The snapshot {SNAPSHOT} is currently in use by {A}"))
    );
    let deregister =
        |id: &str| bench.ec2(&format!("Action=DeregisterImage&ImageId={id}&DeleteAssociatedSnapshots=true")).unwrap();
    assert_eq!(element(&deregister(A), "returnCode").unwrap(), "skipped");
    assert_eq!(code(delete()), "InvalidSnapshot.InUse");
    let tag = format!("Action=CreateTags&ResourceId.1={SNAPSHOT}&Tag.1.Key=a&Tag.1.Value=b");
    bench.ec2(&tag).unwrap();
    assert_eq!(
        element(
            &bench.ec2("Action=DescribeTags&Filter.1.Name=resource-type&Filter.1.Value.1=snapshot").unwrap(),
            "key"
        )
        .unwrap(),
        "a"
    );
    assert_eq!(element(&deregister(B), "returnCode").unwrap(), "success");
    for gone in [
        code(delete()),
        code(bench.ec2(&tag)),
        code(bench.ec2(&format!("Action=DescribeSnapshots&SnapshotId.1={SNAPSHOT}"))),
    ] {
        assert_eq!(gone, "InvalidSnapshot.NotFound");
    }
    assert!(!bench.ec2("Action=DescribeTags").unwrap().contains("snapshot"));
    assert_eq!(code(bench.ec2("Action=DescribeSnapshots&SnapshotId.1=disk")), "InvalidParameterValue");
}

#[test]
fn copies_are_found_by_what_they_were_made_of() {
    let bench = Bench::new();
    bench.add_ami(A, |_| {});
    let there = bench.region("eu-west-1");
    let id = copy(&there, "Name=golden").unwrap();
    let found = |filters: &[(&str, &str)]| {
        let filters: Vec<String> = filters
            .iter()
            .enumerate()
            .map(|(at, (name, value))| format!("Filter.{0}.Name={name}&Filter.{0}.Value.1={value}", at + 1))
            .collect();
        elements(&there.ec2(&format!("Action=DescribeImages&{}", filters.join("&"))).unwrap(), "imageId")
    };
    assert_eq!(found(&[("source-image-id", A), ("source-image-region", "us-east-1")]), std::slice::from_ref(&id));
    assert_eq!(found(&[("source-image-region", "eu-*")]), Vec::<String>::new());
    assert_eq!(found(&[("name", "gold*"), ("state", "available"), ("owner-id", "000000000000")]), [id]);
}
