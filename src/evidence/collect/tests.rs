use super::fake::{Answer, Fake, INSTANCE, ec2_error, error};
use super::*;
use crate::evidence::{InstalledPackage, PatchNotice};
use crate::patch::State;
use std::sync::Arc;
use time::macros::datetime;

pub(super) fn request() -> CollectRequest {
    CollectRequest {
        location: Location { account: "111122223333".into(), region: "us-east-1".into() },
        project: "acme".into(),
        recipe: "debian-12".into(),
        arch: "x86_64".into(),
        ami: "ami-1".into(),
        image_arn: None,
        image_version: Some("1.0.3/1".into()),
        fingerprint: None,
        tests: None,
        scans: ScansWanted::default(),
        expected_baseline: "AWS-DebianDefaultPatchBaseline".into(),
        baseline: crate::patch::predefined("AWS-DebianDefaultPatchBaseline"),
        caller: "host, process 1".into(),
    }
}

async fn run(fake: &Arc<Fake>) -> Result<Evidence, EvidenceError> {
    collect_at(&fake.site(datetime!(2026-11-23 12:00 UTC)), &request()).await.map(|collected| collected.evidence)
}

/// Collects with one operation answering differently; the instance must be gone afterwards, once.
async fn failing(instead: impl Fn(&str, usize, &str) -> Option<Answer> + Send + Sync + 'static) -> EvidenceError {
    let fake = Arc::new(Fake::new(instead));
    let error = run(&fake).await.unwrap_err();
    assert_eq!(fake.count("TerminateInstances"), fake.count("RunInstances"), "{error}");
    assert_eq!(fake.count("CreateTags"), 0, "no digest of what does not exist");
    error
}

fn only(operation: &'static str, answer: Answer) -> impl Fn(&str, usize, &str) -> Option<Answer> + Send + Sync {
    move |called, _, _| (called == operation).then(|| answer.clone())
}

#[tokio::test(start_paused = true)]
async fn evidence_tells_packages_changes_patches_and_attributes() {
    let dir = tempfile::tempdir().unwrap();
    let before = dir.path().join("before.gz");
    let mut packed = flate2::write::GzEncoder::new(vec![], flate2::Compression::default());
    std::io::Write::write_all(&mut packed, b"bash\tamd64\t5.2-1\ncurl\tamd64\t8-1\n").unwrap();
    std::fs::write(&before, packed.finish().unwrap()).unwrap();
    let mut fake = Fake::new(|_, _, _| None);
    fake.before = before.to_str().unwrap().to_owned();
    fake.missing = vec![("curl.amd64", "8-1+deb12u1"), ("bash.amd64", "5.2-3")];
    let fake = Arc::new(fake);

    let evidence = run(&fake).await.unwrap();

    let package = |name: &str, version: &str| InstalledPackage {
        name: name.into(),
        arch: "amd64".into(),
        version: version.into(),
    };
    assert_eq!(evidence.packages, [package("bash", "5.2-2"), package("curl", "8-1")]);
    let changes = evidence.changes.clone().unwrap();
    assert_eq!((changes.upgraded.len(), changes.unchanged), (1, 1));
    let bash = &changes.upgraded[0];
    assert_eq!((bash.from.as_deref(), bash.to.as_deref()), (Some("5.2-1"), Some("5.2-2")));
    let own = evidence.evaluation.as_ref().unwrap();
    assert_eq!((own.counts.unwrap().missing, own.failed.as_deref()), (1, None));
    assert!(own.open[0].starts_with("curl.amd64 8-1 is Missing: 8-1+deb12u1 is approved by rule 1"), "{own:?}");
    assert_eq!(own.differences, ["bash.amd64 is Missing (5.2-3) for Patch Manager and is not open here"]);
    let scan = evidence.patches.as_ref().unwrap();
    assert_eq!((scan.baseline_id.rsplit('/').next(), scan.counts.missing), (Some("pb-09a5f8eb62bde80b1"), 2));
    assert_eq!(scan.scanned_at, "2026-11-23T12:00:00Z");
    let open: Vec<_> =
        scan.open.iter().map(|i| (i.name.as_str(), i.installed.as_str(), i.available.as_deref())).collect();
    assert_eq!(open, [("bash", "5.2-2", Some("5.2-3")), ("curl", "8-1", Some("8-1+deb12u1"))]);
    assert!(scan.open.iter().all(|item| item.state == State::Missing));
    assert!(evidence.image.imds_v2 && evidence.image.encrypted && !evidence.image.public);
    assert_eq!(evidence.candidate.created_at, "2026-11-23T10:00:00Z");
    assert_eq!(fake.count("CreateTags"), 0, "it counts when its digest stands on the image, which is not said here");
    assert_eq!(scan.baseline_digest, request().baseline.as_ref().map(baseline_digest));
    assert_eq!(scan.notices["curl.amd64"], PatchNotice::default(), "apt has no notices, so no dates");
    assert!(evidence.used_kib.is_some_and(|used| used > 0), "{:?}", evidence.used_kib);
    let hygiene = evidence.hygiene.as_ref().unwrap();
    assert_eq!((hygiene.rules.len(), &hygiene.failed[..]), (crate::evidence::hygiene::RULES.len(), &[][..]));
    assert_eq!(hygiene.looked_at, "2026-11-23T12:00:00Z");
    assert_eq!(evidence.os.as_ref().map(|os| (os.id.as_str(), os.version.as_str())), Some(("debian", "12")));
    assert_eq!(fake.count("TerminateInstances"), 1);
    let order = fake.body("RunInstances");
    for part in ["ImageId=ami-1", "MetadataOptions.HttpTokens=required", "ClientToken=amiforge-", "UserData=I2Nsb3Vk"] {
        assert!(order.contains(part), "{part} in {order}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_recorded_nothing_has_no_changes_to_tell() {
    let evidence = run(&Arc::new(Fake::new(|_, _, _| None))).await.unwrap();
    assert_eq!(evidence.changes, None);
    assert_eq!(evidence.patches.unwrap().open, []);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_launched_starts_nothing() {
    let error = failing(only("DescribeImages", ec2_error("InvalidAMIID.NotFound", "no"))).await;
    assert!(matches!(error, EvidenceError::NoImage { .. }), "{error}");
    let pending = "<DescribeImagesResponse><imagesSet><item><imageState>pending</imageState></item></imagesSet></DescribeImagesResponse>";
    let error = failing(only("DescribeImages", (200, pending.into()))).await;
    assert!(matches!(error, EvidenceError::ImageState { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_instance_is_ended_whatever_fails() {
    let error = failing(only("SendCommand", self::error("InvalidDocument", "no such document"))).await;
    assert!(error.to_string().contains("SendCommand in 111122223333/us-east-1: InvalidDocument"), "{error}");
    let error = failing(only("DescribeInstanceInformation", (200, "{}".into()))).await;
    assert!(matches!(error, EvidenceError::NotOnline { .. }) && error.exit_code() == 13, "{error}");
    let ended = "<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceState><name>terminated</name>\
        </instanceState><stateReason><message>Client.InternalError</message></stateReason></item></instancesSet></item>\
        </reservationSet></DescribeInstancesResponse>";
    let error = failing(only("DescribeInstances", (200, ended.into()))).await;
    assert!(error.to_string().ends_with("is terminated: Client.InternalError"), "{error}");
    let windows = format!(
        r#"{{"InstanceInformationList": [{{"InstanceId": "{INSTANCE}", "PingStatus": "Online", "PlatformType": "Windows"}}]}}"#
    );
    let error = failing(only("DescribeInstanceInformation", (200, windows))).await;
    assert!(matches!(error, EvidenceError::Platform { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_failed_or_is_not_believed_is_an_error() {
    let invocation = |status: &str, code: i32, stdout: &str| {
        let answer = serde_json::json!({"Status": status, "StatusDetails": status, "ResponseCode": code,
            "StandardOutputContent": stdout, "StandardErrorContent": ""});
        only("GetCommandInvocation", (200, answer.to_string()))
    };
    let error = failing(invocation("Failed", 156, "one\ntwo\n")).await;
    assert_eq!(
        error.to_string(),
        format!("the patch scan on instance {INSTANCE} ended with Failed (exit status 156): one\ntwo")
    );
    let error = failing(invocation("Success", 0, "E: Failed to fetch http://x")).await;
    assert!(error.to_string().contains("a package source could not be read: E: Failed"), "{error}");
    let error = failing(invocation("InProgress", -1, "")).await;
    assert!(matches!(error, EvidenceError::CommandTimeout { .. }), "{error}");
    let never = failing(only("GetCommandInvocation", self::error("InvocationDoesNotExist", ""))).await;
    assert!(matches!(never, EvidenceError::Call(_)), "{never}");
    let error = failing(only("DescribeInstancePatchStates", (200, r#"{"InstancePatchStates": []}"#.into()))).await;
    assert!(matches!(error, EvidenceError::NoScanResult { .. }), "{error}");
    let other = r#"{"BaselineIdentities": [{"BaselineId": "x/pb-09a5f8eb62bde80b1", "BaselineName": "AWS-Other"}]}"#;
    let error = failing(only("DescribePatchBaselines", (200, other.into()))).await;
    assert!(matches!(&error, EvidenceError::Baseline { used, .. } if used == "AWS-Other"), "{error}");
    let unlisted = r#"{"Patches": [{"Title": "a.b:1", "KBId": "a.b", "Classification": "", "Severity": "", "State": "Failed", "InstalledTime": 0}]}"#;
    let error = failing(only("DescribeInstancePatches", (200, unlisted.into()))).await;
    assert!(error.to_string().contains("it counts 0 Failed and lists"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_was_cut_is_an_error() {
    let cut = |operation: &str, _: usize, body: &str| {
        let patch_scan = body.contains("PatchLinux");
        let answer = r#"{"Status": "Success", "ResponseCode": 0, "StandardOutputContent": "amiforge-begin 9 "}"#;
        (operation == "GetCommandInvocation" && !patch_scan).then(|| (200, answer.to_owned()))
    };
    let error = failing(cut).await;
    assert!(matches!(error, EvidenceError::Transport { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_cannot_be_ended_is_told_of() {
    let fake = Arc::new(Fake::new(only("TerminateInstances", ec2_error("UnauthorizedOperation", "no"))));
    let error = run(&fake).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("instance {INSTANCE} could not be terminated")), "{error}");
    assert_eq!((error.next().unwrap(), error.exit_code()), (format!("terminate {INSTANCE} by hand"), 12));
    assert_eq!(fake.count("CreateTags"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_inspection_ends_its_instance() {
    let fake = Arc::new(Fake::new(only("DescribeInstanceInformation", (200, "{}".into()))));
    let cancelled = tokio::time::timeout(std::time::Duration::from_secs(20), run(&fake)).await;
    assert!(cancelled.is_err());
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!((fake.count("RunInstances"), fake.count("TerminateInstances")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_order_whose_answer_was_lost_is_looked_up_and_ended() {
    let found = format!(
        "<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>{INSTANCE}</instanceId></item>\
         </instancesSet></item></reservationSet></DescribeInstancesResponse>"
    );
    let fake = Arc::new(Fake::new(move |operation, _, _| match operation {
        "RunInstances" => Some((0, String::new())),
        "DescribeInstances" => Some((200, found.clone())),
        _ => None,
    }));
    let error = run(&fake).await.unwrap_err();
    assert!(error.to_string().contains("connection reset by peer"), "{error}");
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(fake.count("TerminateInstances"), 1);
    assert!(fake.body("DescribeInstances").contains("client-token"));
}

/// What only shows some seconds after it was written, as EC2 has it: until then the operation answers with `early`.
fn late(operation: &'static str, early: Answer) -> impl Fn(&str, usize, &str) -> Option<Answer> + Send + Sync {
    let shows = tokio::time::Instant::now() + std::time::Duration::from_secs(5);
    move |called, _, _| (called == operation && tokio::time::Instant::now() < shows).then(|| early.clone())
}

fn unknown() -> Answer {
    ec2_error("InvalidInstanceID.NotFound", "The instance ID does not exist")
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_does_not_show_yet_is_ended_when_it_does() {
    let broken = |operation: &str| {
        (operation == "DescribeInstanceInformation").then(|| self::error("InternalServerError", "not now"))
    };
    let early = late("TerminateInstances", unknown());
    let fake = Arc::new(Fake::new(move |called, nth, body| broken(called).or_else(|| early(called, nth, body))));
    let error = run(&fake).await.unwrap_err();
    assert!(error.to_string().contains("InternalServerError"), "{error}");
    assert_eq!(fake.count("TerminateInstances"), 3, "at 0, 3 and 6 s");

    // The same when nobody waits any more.
    let early = late("TerminateInstances", unknown());
    let fake = Arc::new(Fake::new(move |called, nth, body| match called {
        "DescribeInstanceInformation" => Some((200, "{}".into())),
        _ => early(called, nth, body),
    }));
    let cancelled = tokio::time::timeout(std::time::Duration::from_secs(1), run(&fake)).await;
    assert!(cancelled.is_err());
    tokio::time::sleep(std::time::Duration::from_mins(1)).await;
    assert_eq!(fake.count("TerminateInstances"), 3, "at 1, 4 and 7 s");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_never_shows_is_told_of_and_one_that_is_forgotten_has_ended() {
    let broken = only("DescribeInstanceInformation", self::error("InternalServerError", "not now"));
    let fake = Arc::new(Fake::new(move |called, nth, body| match called {
        "TerminateInstances" => Some(unknown()),
        _ => broken(called, nth, body),
    }));
    let site = fake.site(datetime!(2026-11-23 12:00 UTC));
    let began = tokio::time::Instant::now();
    let instance = instance::launch(&site, &request()).await.unwrap();
    let error = instance.terminate().await.unwrap_err();
    assert!(matches!(&error, EvidenceError::Terminate { instance, .. } if instance == INSTANCE), "{error}");
    assert_eq!(began.elapsed(), site::UNKNOWN_INSTANCE);

    // It was online, so it is known to have been there.
    let fake = Arc::new(Fake::new(only("TerminateInstances", unknown())));
    run(&fake).await.unwrap();
    assert!(fake.count("TerminateInstances") > 1, "only when it cannot be late any more");
}

#[tokio::test(start_paused = true)]
async fn an_order_whose_answer_was_lost_is_looked_for_until_it_shows() {
    let found = format!(
        "<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>{INSTANCE}</instanceId></item>\
         </instancesSet></item></reservationSet></DescribeInstancesResponse>"
    );
    let with = |early: Answer| {
        let (early, found) = (late("DescribeInstances", early), found.clone());
        Arc::new(Fake::new(move |called, nth, body| match called {
            "RunInstances" => Some((0, String::new())),
            "DescribeInstances" => early(called, nth, body).or_else(|| Some((200, found.clone()))),
            _ => None,
        }))
    };
    let nothing = "<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>";
    for early in [(200, nothing.to_owned()), ec2_error("InternalError", "not now")] {
        let fake = with(early.clone());
        let error = run(&fake).await.unwrap_err();
        assert!(error.to_string().contains("connection reset by peer"), "{error}");
        assert_eq!((fake.count("DescribeInstances"), fake.count("TerminateInstances")), (3, 1), "{early:?}");
        // Nobody waits for the order, nor for what came of it.
        let fake = with(early);
        let cancelled = tokio::time::timeout(std::time::Duration::from_secs(1), run(&fake)).await;
        assert!(cancelled.is_err());
        tokio::time::sleep(std::time::Duration::from_mins(1)).await;
        assert_eq!(fake.count("TerminateInstances"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_that_started_nothing_is_looked_for_by_deadline() {
    let fake = Arc::new(Fake::new(only("RunInstances", (0, String::new()))));
    let began = tokio::time::Instant::now();
    let error = run(&fake).await.unwrap_err();
    assert!(error.to_string().contains("connection reset by peer"), "{error}");
    assert_eq!((began.elapsed(), fake.count("TerminateInstances")), (site::UNKNOWN_INSTANCE, 0));
}

#[tokio::test(start_paused = true)]
async fn the_next_instance_type_is_tried_when_one_is_not_to_be_had() {
    let fake = Arc::new(Fake::new(|operation, nth, _| {
        (operation == "RunInstances" && nth == 0).then(|| ec2_error("InsufficientInstanceCapacity", "none left"))
    }));
    let mut site = fake.site(datetime!(2026-11-23 12:00 UTC));
    site.launch.instance_types = vec!["m7i.large".into(), "m6i.large".into()];
    collect_at(&site, &request()).await.unwrap();
    assert_eq!((fake.count("RunInstances"), fake.count("TerminateInstances")), (2, 1));
    site.launch.instance_types.clear();
    collect_at(&site, &request()).await.unwrap();
}

/// The image's own account may look at its permissions, and the chain of sources is followed to where it ends.
#[tokio::test(start_paused = true)]
async fn what_an_image_is_and_where_it_comes_from_is_read() {
    let image = |id: &str, owner: &str, more: &str| {
        format!(
            "<DescribeImagesResponse><requestId>r</requestId><imagesSet><item><imageId>{id}</imageId><name>{id}</name>\
             <imageState>available</imageState><imageOwnerId>{owner}</imageOwnerId><enaSupport>true</enaSupport>\
             <bootMode>uefi</bootMode><architecture>x86_64</architecture><rootDeviceName>/dev/xvda</rootDeviceName>\
             <creationDate>2026-11-23T10:00:00.000Z</creationDate><blockDeviceMapping><item><deviceName>/dev/xvda</deviceName>\
             <ebs><encrypted>true</encrypted><volumeSize>8</volumeSize></ebs></item></blockDeviceMapping>{more}</item></imagesSet>\
             </DescribeImagesResponse>"
        )
    };
    let source =
        |id: &str| format!("<sourceImageId>{id}</sourceImageId><sourceImageRegion>us-east-1</sourceImageRegion>");
    let elsewhere = "<sourceImageId>ami-4</sourceImageId><sourceImageRegion>eu-west-1</sourceImageRegion>";
    let answers = move |operation: &str, _: usize, body: &str| {
        match operation {
        "DescribeImageAttribute" => Some((
            200,
            "<DescribeImageAttributeResponse><requestId>r</requestId><imageId>ami-1</imageId><launchPermission>\
             <item><userId>444455556666</userId></item><item><group>all</group></item><item><userId>222233334444</userId></item>\
             </launchPermission></DescribeImageAttributeResponse>"
                .to_owned(),
        )),
        "DescribeImages" if body.contains("ami-1") => Some((200, image("ami-1", "111122223333", &source("ami-2")))),
        "DescribeImages" if body.contains("ami-2") => Some((200, image("ami-2", "111122223333", &source("ami-3")))),
        "DescribeImages" if body.contains("ami-3") => {
            let alias = "<imageOwnerAlias>amazon</imageOwnerAlias>";
            Some((200, image("ami-3", "137112412989", &format!("{alias}{elsewhere}"))))
        }
        "DescribeImages" => panic!("{body} is not asked for here"),
        _ => None,
    }
    };
    let evidence = run(&Arc::new(Fake::new(answers))).await.unwrap();
    let image = &evidence.image;
    assert_eq!((image.owner.as_str(), image.ena, image.boot_mode.as_deref()), ("111122223333", true, Some("uefi")));
    assert_eq!(image.shared_with.as_deref(), Some(&["222233334444".to_owned(), "444455556666".to_owned()][..]));
    assert_eq!(image.root().and_then(|root| root.gib), Some(8));
    let chain: Vec<_> = evidence
        .ancestry
        .iter()
        .flat_map(|ancestry| &ancestry.images)
        .map(|image| (image.ami.as_str(), image.seen, image.owner_alias.as_deref()))
        .collect();
    assert_eq!(chain, [("ami-2", true, None), ("ami-3", true, Some("amazon")), ("ami-4", false, None)]);
}

/// The findings count when the scan has ended well; else there is none, which is not "nothing found".
#[tokio::test(start_paused = true)]
async fn findings_of_image_builder_count_when_its_scan_is_complete() {
    let with = async |status: &'static str| {
        let answers = move |operation: &str, nth: usize, body: &str| {
            let answer = match operation {
                "GetImage" => serde_json::json!({ "image": {
                    "arn": "arn", "dateCreated": "2026-11-23T09:30:00Z", "scanState": { "status": status, "reason": "busy" },
                } }),
                "ListImageScanFindings" => {
                    assert!(body.contains("imageBuildVersionArn"), "{body}");
                    let finding = |id: &str| {
                        serde_json::json!({ "severity": "HIGH", "packageVulnerabilityDetails": {
                        "vulnerabilityId": id, "vulnerablePackages": [{ "name": "openssl", "version": "3.0.11" }] } })
                    };
                    match nth {
                        0 => serde_json::json!({ "findings": [finding("CVE-2")], "nextToken": "more" }),
                        _ => serde_json::json!({ "findings": [finding("CVE-1")] }),
                    }
                }
                _ => return None,
            };
            Some((200, answer.to_string()))
        };
        let fake = Arc::new(Fake::new(answers));
        let arn = "arn:aws:imagebuilder:us-east-1:111122223333:image/web/1.0.3/1".to_owned();
        let request = CollectRequest { image_arn: Some(arn), ..request() };
        let site = fake.site(datetime!(2026-11-23 12:00 UTC));
        let collected = collect_at(&site, &request).await.unwrap();
        (collected.evidence.vulnerabilities, fake.count("ListImageScanFindings"))
    };
    let (scan, calls) = with("COMPLETED").await;
    let [scan] = &scan[..] else { panic!("{scan:?}") };
    let ids: Vec<_> = scan.findings.iter().map(|finding| finding.id.as_str()).collect();
    assert_eq!((ids, calls, scan.scanned_at.as_str()), (vec!["CVE-1", "CVE-2"], 2, "2026-11-23T09:30:00Z"));
    for status in ["PENDING", "SCANNING", "COLLECTING", "ABANDONED", "FAILED", "TIMED_OUT"] {
        assert_eq!(with(status).await, (vec![], 0), "{status}");
    }
}
