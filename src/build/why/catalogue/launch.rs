//! Before any component runs: launching the instance, and the SSM Agent on it.

use crate::build::why::model::{Entry, When, fact, line, run, say};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        code: "W001",
        name: "ssm-agent-not-registered",
        title: "the SSM Agent of the build instance did not register with Systems Manager",
        why: "Image Builder runs everything through the SSM Agent. It must be in the parent image (or be installed by user data), \
              reach the endpoints ssm and ssmmessages on port 443, and find an instance profile with AmazonSSMManagedInstanceCore. \
              A parent with a hop limit or metadata switched off, or a subnet without a route, looks the same from outside.",
        signs: &[
            line(r"(?i)verifying the Systems Manager Agent availability", 90),
            line(r"(?i)SSM Agent verification failed", 90),
            line(r"(?i)InvalidInstanceId when calling the SendCommand", 85),
            line(r"(?i)TargetNotConnected|instance .* is not connected to Systems Manager", 85),
        ],
        remedies: &[
            run(
                "see which policies the role of the instance profile has; AmazonSSMManagedInstanceCore and \
                 EC2InstanceProfileForImageBuilder are needed",
                "aws iam list-attached-role-policies --role-name ROLE",
            ),
            run(
                "see whether the subnet has a NAT or the endpoints ssm, ssmmessages, ec2messages, imagebuilder, logs and s3",
                "aws ec2 describe-vpc-endpoints --region {region} --query 'VpcEndpoints[].[ServiceName,State]'",
            ),
            say("see that the parent image has the SSM Agent and that it is enabled at boot"),
        ],
    },
    Entry {
        code: "W002",
        name: "missing-endpoint",
        title: "the instance cannot reach an endpoint of AWS",
        why: "A private subnet needs a NAT or interface endpoints for ssm, ssmmessages, ec2messages, imagebuilder, logs (and kms), \
              and a gateway endpoint for s3. The security group of an endpoint must accept port 443 from the instance, and private \
              DNS must be on.",
        signs: &[
            line(r#"(?i)(?:could not connect to the endpoint URL|connect timeout on endpoint URL): "?https://(?<what>[a-z0-9.-]+)"#, 92),
            line(r"(?i)dial tcp:? .*(?:i/o timeout|no route to host|network is unreachable).*amazonaws", 90),
            line(r"(?i)amazonaws\.com.*(?:i/o timeout|connection timed out|no route to host|dial tcp)", 90),
            line(r"(?i)lookup (?<what>[a-z0-9.-]+\.amazonaws\.com)[^ ]* .*(?:no such host|i/o timeout)", 91),
            line(r"(?i)RequestError: send request failed", 60),
        ],
        remedies: &[
            run(
                "see which endpoints the VPC has",
                "aws ec2 describe-vpc-endpoints --region {region} --query 'VpcEndpoints[].[ServiceName,State,PrivateDnsEnabled]'",
            ),
            run(
                "see whether the subnet has a route to the internet",
                "aws ec2 describe-route-tables --region {region} --filters Name=association.subnet-id,Values=SUBNET",
            ),
            say("let the security group of the endpoint accept port 443 from the security group of the build"),
        ],
    },
    Entry {
        code: "W003",
        name: "launch-denied",
        title: "Image Builder may not launch the instance",
        why: "The service-linked role launches with the infrastructure configuration; a service control policy, a permission \
              boundary or a missing iam:PassRole stops it.",
        signs: &[
            line(r"(?i)UnauthorizedOperation|not authorized to perform: ec2:RunInstances", 90),
            line(r"(?i)not authorized to perform: (?<what>iam:PassRole|iam:CreateServiceLinkedRole)", 90),
        ],
        remedies: &[
            run(
                "decode what was refused",
                "aws sts decode-authorization-message --encoded-message MESSAGE --query DecodedMessage --output text",
            ),
            say("allow iam:PassRole of the instance role to ec2.amazonaws.com and look for a service control policy"),
        ],
    },
    Entry {
        code: "W004",
        name: "instance-profile-unusable",
        title: "the instance profile cannot be used",
        why: "It does not exist, has no role, or was made seconds ago: IAM takes up to half a minute to tell every Region.",
        signs: &[
            line(r"(?i)Invalid IAM Instance Profile", 92),
            line(r"(?i)'?instanceProfileName'? is not valid", 92),
            line(r"(?i)no EC2 instance role found", 85),
        ],
        remedies: &[
            run("see that it exists and has a role", "aws iam get-instance-profile --instance-profile-name PROFILE"),
            run("made a moment ago? Then wait half a minute and build again", "amiforge build {recipe} --fresh"),
        ],
    },
    Entry {
        code: "W005",
        name: "ami-not-found",
        title: "the parent AMI does not exist here, or is not shared with this account",
        why: "AMI ids belong to one Region. An AMI that was deregistered, disabled, or whose launch permission was taken back looks \
              the same. An encrypted AMI needs its key shared as well.",
        signs: &[
            line(r"(?i)InvalidAMIID\.(?:NotFound|Unavailable|Malformed)", 94),
            line(r"(?i)The image id '?\[?(?<what>ami-[0-9a-f]+)\]?'? does not exist", 94),
            line(r"(?i)Not authorized for images: \[?(?<what>ami-[0-9a-f]+)", 94),
        ],
        remedies: &[
            run("see whether this account can see it", "aws ec2 describe-images --region {region} --image-ids {what}"),
            say("let the owner share it (launch permission, and its KMS key when it is encrypted)"),
            run("resolve the parent anew when the recipe names a parameter", "amiforge plan {recipe}"),
        ],
    },
    Entry {
        code: "W006",
        name: "subnet-full",
        title: "the subnet has no free address",
        why: "Every instance takes one; leftovers of failed builds and endpoints take them, too.",
        signs: &[line(r"(?i)InsufficientFreeAddressesInSubnet|not enough free addresses in subnet '?(?<what>subnet-[0-9a-f]+)", 95)],
        remedies: &[
            run(
                "see how many are left",
                "aws ec2 describe-subnets --region {region} --query 'Subnets[].[SubnetId,AvailableIpAddressCount]' --output table",
            ),
            say("name a larger subnet in amiforge.yaml (`subnet:`)"),
        ],
    },
    Entry {
        code: "W007",
        name: "network-not-found",
        title: "the subnet or the security group does not exist, or they are of two networks",
        why: "The infrastructure configuration names them; somebody deleted or replaced them since.",
        signs: &[
            line(r"(?i)InvalidSubnetID\.NotFound|The subnet ID '(?<what>subnet-[0-9a-f]+)' does not exist", 95),
            line(r"(?i)InvalidGroup\.NotFound|The security group '(?<what>sg-[0-9a-f]+)' does not exist", 95),
            line(r"(?i)No default VPC for this user|VPCIdNotSpecified", 95),
            line(r"(?i)Security group .* and subnet .* belong to different networks", 95),
        ],
        remedies: &[
            run("see what there is", "aws ec2 describe-subnets --region {region} --query 'Subnets[].[SubnetId,VpcId]' --output table"),
            run("correct `subnet` and `security_groups` in amiforge.yaml and publish", "amiforge publish {recipe}"),
        ],
    },
    Entry {
        code: "W008",
        name: "insufficient-capacity",
        title: "EC2 has no capacity for this instance type in this zone now",
        why: "It passes, often within the hour. Image Builder tries the instance types of the list in their order.",
        signs: &[line(r"(?i)InsufficientInstanceCapacity|do not (?:currently )?have sufficient (?<what>[a-z0-9.]+) capacity", 95)],
        remedies: &[
            say("name several types in `instance_types` of amiforge.yaml, of several families"),
            run("or try again later", "amiforge build {recipe} --fresh"),
        ],
    },
    Entry {
        code: "W009",
        name: "type-not-supported",
        title: "the instance type does not fit the zone or the image",
        why: "Not every zone has every type, and an arm64 image starts only on types with a processor of that kind.",
        signs: &[
            line(r"(?i)Your requested instance type \((?<what>[a-z0-9.]+)\) is not supported in your requested Availability Zone", 95),
            line(r"(?i)architecture '[a-z0-9_]+' of the specified (?:instance type|AMI)", 95),
            line(r"(?i)does not match the architecture|boot mode .* is not supported", 85),
        ],
        remedies: &[
            run(
                "see where it is offered",
                "aws ec2 describe-instance-type-offerings --region {region} --location-type availability-zone --filters Name=instance-type,Values={what}",
            ),
            say("name another type in `instance_types`, or another subnet"),
        ],
    },
    Entry {
        code: "W010",
        name: "quota-vcpu",
        title: "the account's vCPU quota is used up",
        why: "The quota counts the vCPUs of all running instances of a family, also those of other builds and of production.",
        signs: &[line(r"(?i)VcpuLimitExceeded|requested more vCPU capacity than your current vCPU limit|InstanceLimitExceeded", 95)],
        remedies: &[
            run(
                "ask for more (Running On-Demand Standard instances)",
                "aws service-quotas request-service-quota-increase --region {region} --service-code ec2 --quota-code L-1216C47A --desired-value VCPUS",
            ),
            say("build fewer images at once, or on smaller instances"),
        ],
    },
    Entry {
        code: "W011",
        name: "quota-volumes",
        title: "the account's quota of EBS volumes or IOPS is used up",
        why: "Volumes of terminated instances that were kept count as well.",
        signs: &[line(r"(?i)VolumeLimitExceeded|MaxIOPSLimitExceeded|maximum .*(?:volume storage|IOPS)", 92)],
        remedies: &[
            run(
                "look for volumes that nothing uses",
                "aws ec2 describe-volumes --region {region} --filters Name=status,Values=available --query 'Volumes[].[VolumeId,Size]'",
            ),
            say("ask for a higher quota of EBS"),
        ],
    },
    Entry {
        code: "W012",
        name: "instance-terminated",
        title: "the instance was taken away while it worked",
        why: "Somebody or something terminated it: a clean-up job for untagged instances, a budget action, spot capacity that was \
              taken back, a failed status check.",
        signs: &[
            line(r"(?i)Server\.SpotInstanceTermination|spot instance (?:was )?(?:interrupted|terminated)|instance-action.*terminate", 95),
            line(r"(?i)Client\.UserInitiatedShutdown|Client\.InstanceInitiatedShutdown|User initiated", 92),
            line(r"(?i)instance (?:i-[0-9a-f]+ )?(?:was|has been|is) terminated|terminated while the components ran", 88),
            line(r"(?i)\bUndeliverable\b|InvalidInstanceID\.NotFound", 75),
        ],
        remedies: &[
            run(
                "see who did it",
                "aws cloudtrail lookup-events --region {region} --lookup-attributes AttributeKey=EventName,AttributeValue=TerminateInstances",
            ),
            say("exempt instances with the tag CreatedBy=EC2 Image Builder from clean-up jobs; build on on-demand capacity"),
            run("then build again", "amiforge build {recipe} --fresh"),
        ],
    },
    Entry {
        code: "W013",
        name: "launch-failed",
        title: "the instance could not be launched",
        why: "The step that launches failed for a reason that the catalogue does not know.",
        signs: &[fact(When::WorkflowStep("Launch"), 35)],
        remedies: &[
            say("the message is the service's own: read it for the resource it names"),
            run("see the infrastructure configuration as it was", "aws imagebuilder get-image --region {region} --image-build-version-arn {arn}"),
        ],
    },
    Entry {
        code: "W014",
        name: "namespaces-not-permitted",
        title: "this machine does not permit what a local instance needs",
        why: "Local instances are namespaces and mounts. A container without privileges, or a kernel setting, forbids them.",
        signs: &[line(r"(?i)cannot start instances on this machine|namespaces? .*(?:not permitted|not allowed)|unshare.*Operation not permitted", 85)
            .when(When::Told)],
        remedies: &[
            say("run as root, or install uidmap (newuidmap) and give the user a line in /etc/subuid"),
            run("see what is missing", "amiforge shell debian-12"),
        ],
    },
];
