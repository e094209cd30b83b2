//! The actions of workflow steps: their inputs, time limits and stages (image-builder.md section 14).

/// An action.
#[derive(Debug)]
pub(super) struct Action {
    pub(super) name: &'static str,
    default_minutes: u64,
    most_minutes: u64,
    pub(super) inputs: &'static [&'static str],
    pub(super) required: &'static [&'static str],
    /// Types of workflows that may have it; empty: all.
    stages: &'static [&'static str],
}

impl Action {
    /// Seconds after which it times out when the step says nothing.
    pub(super) const fn default_seconds(&self) -> u64 {
        self.default_minutes * 60
    }

    /// Most seconds that a step may allow it.
    pub(super) const fn most_seconds(&self) -> u64 {
        self.most_minutes * 60
    }

    /// Whether workflows of that type may have it.
    pub(super) fn is_allowed_in(&self, kind: &str) -> bool {
        self.stages.is_empty() || self.stages.contains(&kind)
    }
}

const fn action(
    name: &'static str,
    (default_minutes, most_minutes): (u64, u64),
    inputs: &'static [&'static str],
    required: &'static [&'static str],
    stages: &'static [&'static str],
) -> Action {
    Action { name, default_minutes, most_minutes, inputs, required, stages }
}

const INSTANCE: &[&str] = &["instanceId"];
const DISTRIBUTION: &[&str] = &["DISTRIBUTION"];

/// The table of section 14, in its order.
const ACTIONS: [Action; 19] = [
    action(
        "LaunchInstance",
        (75, 720),
        &["waitFor", "imageIdOverride", "instanceTypesOverride", "healthCheck"],
        &["waitFor"],
        &[],
    ),
    action("BootstrapInstanceForContainer", (60, 720), INSTANCE, INSTANCE, &[]),
    action("ExecuteComponents", (720, 1_440), INSTANCE, INSTANCE, &["BUILD", "TEST"]),
    action("CollectImageMetadata", (30, 720), INSTANCE, INSTANCE, &[]),
    action("CollectImageScanFindings", (120, 720), INSTANCE, INSTANCE, &["TEST"]),
    action("SanitizeInstance", (60, 720), INSTANCE, INSTANCE, &[]),
    action("RunSysPrep", (60, 720), INSTANCE, INSTANCE, &[]),
    action("CreateImage", (720, 4_320), INSTANCE, INSTANCE, &[]),
    action(
        "RegisterImage",
        (540, 720),
        &[
            "architecture",
            "blockDeviceMapping",
            "bootMode",
            "description",
            "enaSupport",
            "imageLocation",
            "imdsSupport",
            "includeSnapshotTags",
            "kernelId",
            "ramdiskId",
            "rootDeviceName",
            "sriovNetSupport",
            "tpmSupport",
            "uefiData",
            "virtualizationType",
        ],
        &[],
        &[],
    ),
    action("CreateImageFromIso", (720, 720), INSTANCE, INSTANCE, &[]),
    action(
        "RunCommand",
        (720, 720),
        &["instanceId", "documentName", "parameters", "documentVersion"],
        &["instanceId", "documentName"],
        &[],
    ),
    action("WaitForSSMAgent", (60, 180), INSTANCE, INSTANCE, &[]),
    action("WaitForAction", (4_320, 10_080), &["snsTopicArn", "lambdaFunctionName", "payload"], &[], &[]),
    action("ExecuteStateMachine", (360, 1_440), &["stateMachineArn", "input"], &["stateMachineArn"], &[]),
    action("TerminateInstance", (30, 720), &["instanceId", "waitForTermination"], INSTANCE, &[]),
    action("DistributeImage", (360, 720), &["distributions"], &[], DISTRIBUTION),
    action(
        "ModifyImageAttributes",
        (120, 180),
        &["distributedImages", "attributes"],
        &["distributedImages"],
        DISTRIBUTION,
    ),
    action(
        "ApplyImageConfigurations",
        (360, 720),
        &["distributedImages", "configurations"],
        &["distributedImages"],
        DISTRIBUTION,
    ),
    action("DistributeContainerImage", (120, 720), INSTANCE, INSTANCE, DISTRIBUTION),
];

/// The action of that name.
pub(super) fn find(name: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|action| action.name == name)
}
