//! Instance refreshes by the clock.

use super::copies::Hands;
use super::groups::{NEW, OLD, described, group, images, template, version};
use super::{Bench, code, element, elements};
use crate::local::{Builds, Fault, Script};

/// A group of four at version 1, and version 2 with the new image. Instances take half a minute to launch.
fn fleet(tracked: &str) -> (Hands, Bench) {
    let hands = Hands::new();
    let bench = Bench::scripted(hands.clock(), Builds::scripted(|_| Script::default()));
    template(&bench);
    // A number has to be there before the group, what is tracked goes on from the one before.
    if tracked == "2" {
        version(&bench, NEW);
    }
    group(&bench, "fleet", tracked, 4);
    if tracked != "2" {
        version(&bench, NEW);
    }
    hands.forward(60);
    (hands, bench)
}

const DESIRED: &str =
    "DesiredConfiguration.LaunchTemplate.LaunchTemplateName=web&DesiredConfiguration.LaunchTemplate.Version=2";

fn start(bench: &Bench, rest: &str) -> Result<String, super::Refusal> {
    let answer = bench.autoscaling(&format!("Action=StartInstanceRefresh&AutoScalingGroupName=fleet&{rest}"))?;
    Ok(element(&answer, "InstanceRefreshId").unwrap())
}

/// Status and percentage of the newest refresh.
fn status(bench: &Bench) -> (String, String) {
    let shown = refreshes(bench);
    (element(&shown, "Status").unwrap(), element(&shown, "PercentageComplete").unwrap())
}

fn refreshes(bench: &Bench) -> String {
    bench.autoscaling("Action=DescribeInstanceRefreshes&AutoScalingGroupName=fleet").unwrap()
}

fn is(bench: &Bench, name: &str, percent: &str) {
    assert_eq!(status(bench), (name.to_owned(), percent.to_owned()));
}

fn new_ones(bench: &Bench) -> usize {
    images(bench).iter().filter(|image| *image == NEW).count()
}

#[test]
fn instances_are_replaced_in_batches_with_checkpoints_and_bake_time() {
    let (hands, bench) = fleet("1");
    let preferences = "Preferences.MinHealthyPercentage=50&Preferences.InstanceWarmup=60\
        &Preferences.CheckpointPercentages.member.1=20&Preferences.CheckpointPercentages.member.2=100\
        &Preferences.CheckpointDelay=600&Preferences.BakeTime=300";
    start(&bench, &format!("{DESIRED}&{preferences}")).unwrap();
    is(&bench, "Pending", "0");
    hands.forward(30);
    is(&bench, "InProgress", "0");
    assert_eq!((images(&bench).len(), new_ones(&bench)), (4, 1), "one of four is a fifth, rounded up");
    hands.forward(90);
    is(&bench, "InProgress", "25");
    assert!(element(&refreshes(&bench), "StatusReason").unwrap().contains("checkpoint of 20 %"));
    hands.forward(599);
    assert_eq!(new_ones(&bench), 1);
    hands.forward(1);
    assert_eq!(new_ones(&bench), 3, "two at once keep half of them");
    hands.forward(90);
    is(&bench, "InProgress", "75");
    hands.forward(90);
    is(&bench, "Baking", "100");
    assert_eq!(new_ones(&bench), 4);
    let launched_from = || elements(&described(&bench, "fleet"), "Version").last().cloned().unwrap();
    assert_eq!(launched_from(), "1", "the group is what it was until the end");
    hands.forward(300);
    is(&bench, "Successful", "100");
    assert_eq!(launched_from(), "2");
    assert!(element(&refreshes(&bench), "EndTime").is_some());
}

#[test]
fn whoever_looks_late_sees_the_same() {
    let (hands, bench) = fleet("1");
    start(&bench, &format!("{DESIRED}&Preferences.InstanceWarmup=60")).unwrap();
    hands.forward(100_000);
    is(&bench, "Successful", "100");
    assert_eq!(new_ones(&bench), 4);
    // Pending for half a minute, and four batches of one and a half.
    let (start, end) =
        (element(&refreshes(&bench), "StartTime").unwrap(), element(&refreshes(&bench), "EndTime").unwrap());
    let minutes = |text: &str| text[14..16].parse::<u32>().unwrap() * 60 + text[17..19].parse::<u32>().unwrap();
    assert_eq!(minutes(&end) - minutes(&start), 30 + 4 * 90);
}

#[test]
fn with_skip_matching_nothing_is_replaced_that_fits() {
    let (hands, bench) = fleet("2");
    start(&bench, &format!("{DESIRED}&Preferences.SkipMatching=true")).unwrap();
    hands.forward(30);
    is(&bench, "Successful", "100");
    let before = elements(&described(&bench, "fleet"), "InstanceId");
    hands.forward(1);
    start(&bench, DESIRED).unwrap();
    hands.forward(1000);
    is(&bench, "Successful", "100");
    let after = elements(&described(&bench, "fleet"), "InstanceId");
    assert!(before.iter().all(|id| !after.contains(id)), "without it all are");
}

#[test]
fn an_alarm_fails_it_and_rolls_back() {
    let preferences = "Preferences.AlarmSpecification.Alarms.member.1=errors&Preferences.InstanceWarmup=60";
    for (rollback, end) in [("true", "RollbackSuccessful"), ("false", "Failed")] {
        let (hands, bench) = fleet("1");
        start(&bench, &format!("{DESIRED}&{preferences}&Preferences.AutoRollback={rollback}")).unwrap();
        hands.forward(30 + 90 + 30);
        is(&bench, "InProgress", "25");
        bench.local.set_alarm(&bench.scope(), "other", true).unwrap();
        is(&bench, "InProgress", "25");
        bench.local.set_alarm(&bench.scope(), "errors", true).unwrap();
        if rollback == "true" {
            is(&bench, "RollbackInProgress", "25");
            assert!(element(&refreshes(&bench), "RollbackReason").unwrap().contains("errors"));
            hands.forward(1000);
            assert_eq!(images(&bench), [OLD; 4]);
        } else {
            assert!(element(&refreshes(&bench), "StatusReason").unwrap().contains("errors"));
            assert_eq!((images(&bench).len(), new_ones(&bench)), (4, 2), "nothing is put back");
        }
        is(&bench, end, "25");
        assert_eq!(elements(&described(&bench, "fleet"), "Version").last().unwrap(), "1");
        // It rings on, so the next one fails as well, until it is quiet.
        hands.forward(1);
        start(&bench, &format!("{DESIRED}&{preferences}")).unwrap();
        is(&bench, "Failed", "0");
        bench.local.set_alarm(&bench.scope(), "errors", false).unwrap();
        hands.forward(1);
        start(&bench, &format!("{DESIRED}&{preferences}")).unwrap();
        hands.forward(1000);
        is(&bench, "Successful", "100");
    }
}

#[test]
fn one_at_a_time_and_the_group_is_not_changed_meanwhile() {
    let (hands, bench) = fleet("1");
    let first = start(&bench, DESIRED).unwrap();
    assert_eq!(code(start(&bench, DESIRED)), "InstanceRefreshInProgress");
    let update = "Action=UpdateAutoScalingGroup&AutoScalingGroupName=fleet";
    let changed = format!("{update}&LaunchTemplate.LaunchTemplateName=web&LaunchTemplate.Version=2");
    assert!(bench.autoscaling(&changed).unwrap_err().message.contains("active instance refresh"));
    bench.autoscaling(&format!("{update}&DefaultCooldown=10")).unwrap();
    hands.forward(1000);
    bench.autoscaling(&changed).unwrap();
    hands.forward(1);
    let second = start(&bench, "Preferences.InstanceWarmup=1").unwrap();
    assert_eq!(elements(&refreshes(&bench), "InstanceRefreshId"), [second, first.clone()]);
    let one =
        format!("Action=DescribeInstanceRefreshes&AutoScalingGroupName=fleet&InstanceRefreshIds.member.1={first}");
    assert_eq!(elements(&bench.autoscaling(&one).unwrap(), "Status"), ["Successful"]);
    let page = bench.autoscaling("Action=DescribeInstanceRefreshes&AutoScalingGroupName=fleet&MaxRecords=1").unwrap();
    assert!(element(&page, "NextToken").is_some());
    hands.forward(43 * 24 * 3600);
    assert!(elements(&refreshes(&bench), "Status").is_empty(), "six weeks of history");
}

#[test]
fn a_refresh_is_cancelled_or_rolled_back_by_hand() {
    let call = |bench: &Bench, action: &str| bench.autoscaling(&format!("Action={action}&AutoScalingGroupName=fleet"));
    let (hands, bench) = fleet("1");
    for action in ["CancelInstanceRefresh", "RollbackInstanceRefresh"] {
        assert_eq!(code(call(&bench, action)), "ActiveInstanceRefreshNotFound");
    }
    let preferences = "Preferences.InstanceWarmup=60";
    start(&bench, &format!("{DESIRED}&{preferences}")).unwrap();
    hands.forward(150);
    call(&bench, "CancelInstanceRefresh").unwrap();
    is(&bench, "Cancelling", "25");
    hands.forward(60);
    is(&bench, "Cancelled", "25");
    assert_eq!(new_ones(&bench), 2, "nothing is put back");
    start(&bench, &format!("{DESIRED}&{preferences}&Preferences.SkipMatching=true")).unwrap();
    hands.forward(30);
    assert_eq!(new_ones(&bench), 3);
    call(&bench, "RollbackInstanceRefresh").unwrap();
    is(&bench, "RollbackInProgress", "0");
    assert_eq!(code(call(&bench, "RollbackInstanceRefresh")), "ActiveInstanceRefreshNotFound");
    hands.forward(1000);
    is(&bench, "RollbackSuccessful", "0");
    assert_eq!(new_ones(&bench), 2, "what this refresh had replaced");

    let (_, bench) = fleet("$Default");
    start(&bench, DESIRED).unwrap();
    assert_eq!(code(call(&bench, "RollbackInstanceRefresh")), "IrreversibleInstanceRefresh");
}

#[test]
fn what_a_refresh_may_not_be() {
    let (_, bench) = fleet("$Latest");
    for (rest, said) in [
        ("Preferences.AutoRollback=true".to_owned(), "when the DesiredConfiguration parameter is empty"),
        (format!("{DESIRED}&Preferences.AutoRollback=true"), "$Latest or $Default"),
        ("Strategy=ReplaceRootVolume".to_owned(), "ReplaceRootVolume"),
        (DESIRED.replace("Version=2", "Version=9"), "version 9"),
        ("Preferences.CheckpointDelay=5".to_owned(), "without CheckpointPercentages"),
        ("Colour=red".to_owned(), "Colour"),
    ] {
        let error = start(&bench, &rest).unwrap_err();
        assert!(error.code == "ValidationError" && error.message.contains(said), "{rest}: {error:?}");
    }
    let missing = bench.autoscaling("Action=StartInstanceRefresh&AutoScalingGroupName=other").unwrap_err();
    assert!(missing.message.contains("not found"), "{missing:?}");
    // Groups that choose instance types by attributes take neither.
    let create = "Action=CreateAutoScalingGroup&AutoScalingGroupName=byattributes&MinSize=1&MaxSize=1&AvailabilityZones.member.1=us-east-1a\
        &MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification.LaunchTemplateName=web\
        &MixedInstancesPolicy.LaunchTemplate.Overrides.member.1.InstanceRequirements.VCpuCount.Min=1";
    bench.autoscaling(create).unwrap();
    let refresh = "Action=StartInstanceRefresh&AutoScalingGroupName=byattributes";
    for rest in [DESIRED, "Preferences.SkipMatching=true"] {
        let error = bench.autoscaling(&format!("{refresh}&{rest}")).unwrap_err();
        assert!(error.message.contains("attribute-based"), "{error:?}");
    }
    bench.autoscaling(refresh).unwrap();
}

#[test]
fn what_cannot_be_launched_fails_after_an_hour() {
    let (hands, bench) = fleet("1");
    start(&bench, &format!("{DESIRED}&Preferences.AutoRollback=true")).unwrap();
    bench.add_ami(NEW, |ami| "disabled".clone_into(&mut ami.state));
    hands.forward(30);
    is(&bench, "InProgress", "0");
    assert!(element(&refreshes(&bench), "StatusReason").unwrap().contains("not available for launch"));
    assert_eq!(images(&bench), [OLD; 4]);
    hands.forward(3600);
    is(&bench, "RollbackSuccessful", "0");
    assert!(element(&refreshes(&bench), "RollbackReason").unwrap().contains("not available for launch"));
}

#[test]
fn a_spoiled_one_fails_in_the_end() {
    let (hands, bench) = fleet("1");
    bench
        .local
        .set_faults(Some(Box::new(|_, operation, _| (operation == "StartInstanceRefresh").then_some(Fault::Spoil))));
    start(&bench, DESIRED).unwrap();
    hands.forward(1000);
    is(&bench, "Failed", "25");
    assert!(element(&refreshes(&bench), "StatusReason").unwrap().contains("did not become healthy"));
}
