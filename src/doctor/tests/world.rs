//! What AWS says to `doctor`: good answers, changed call by call.

use super::super::*;
use crate::aws::testing;
use crate::project::{Location, Target};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const HOME: &str = "111122223333";
pub(super) const TARGET: &str = "444455556666";
pub(super) const ROLE: &str = "arn:aws:iam::111122223333:role/ci/amiforge";

/// The service.
#[derive(Clone)]
pub(super) struct World {
    /// Status and body by operation, instead of the good answer.
    pub(super) instead: BTreeMap<&'static str, (u16, String)>,
    /// Actions that IAM does not allow.
    pub(super) denied: BTreeSet<&'static str>,
    /// The Date of every answer.
    pub(super) date: Option<&'static str>,
    pub(super) config: AwsConfig,
}

pub(super) fn place(account: &str, region: &str) -> Location {
    Location { account: account.into(), region: region.into() }
}

impl World {
    pub(super) fn new() -> Self {
        let home = place(HOME, "eu-central-1");
        let config = AwsConfig {
            instance_types: vec!["m7i.large".into(), "m7g.large".into()],
            instance_profile: Some("build".into()),
            subnet: Some("subnet-1".into()),
            security_groups: vec!["sg-1".into()],
            log_bucket: Some("acme-logs".into()),
            targets: vec![
                Target { location: home.clone(), role: None },
                Target { location: place(TARGET, "us-east-1"), role: Some("target".into()) },
            ],
            ..AwsConfig::at(home)
        };
        let date = Some("Fri, 02 Jan 2026 03:04:05 GMT");
        Self { instead: BTreeMap::new(), denied: BTreeSet::new(), date, config }
    }

    pub(super) fn with(mut self, operation: &'static str, status: u16, body: impl Into<String>) -> Self {
        self.instead.insert(operation, (status, body.into()));
        self
    }

    pub(super) fn answer(&self, request: &http::Request<Bytes>) -> http::Response<Bytes> {
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let operation = operation(request, &body);
        let account = if request.headers()["authorization"].to_str().unwrap().contains(TARGET) { TARGET } else { HOME };
        let (status, text) = match self.instead.get(operation.as_str()) {
            Some(answer) => answer.clone(),
            None => self.good(&operation, account, &body),
        };
        let mut answer = http::Response::builder().status(status);
        if let Some(date) = self.date {
            answer = answer.header("date", date);
        }
        if let Some(code) = text.strip_prefix("code:") {
            return answer.header("x-amzn-errortype", code).body(Bytes::from(r#"{"message":"no"}"#)).unwrap();
        }
        if operation == "HeadBucket" && !text.is_empty() {
            answer = answer.header("x-amz-bucket-region", text.clone());
        }
        answer.body(Bytes::from(text)).unwrap()
    }

    pub(super) fn good(&self, operation: &str, account: &str, body: &str) -> (u16, String) {
        let query = |inside: &str| {
            let xml =
                format!("<{operation}Response><{operation}Result>{inside}</{operation}Result></{operation}Response>");
            (200, xml)
        };
        let ec2 = |inside: &str| (200, format!("<{operation}Response>{inside}</{operation}Response>"));
        match operation {
            "GetCallerIdentity" => query(&format!(
                "<Arn>arn:aws:sts::{account}:assumed-role/amiforge/x</Arn><UserId>u</UserId><Account>{account}</Account>"
            )),
            "GetRole" => query(&role("amiforge")),
            "SimulatePrincipalPolicy" => query(&self.simulate(body)),
            "GetInstanceProfile" => query(&profile(&format!("<member>{}</member>", inner_role("build-role")))),
            "ListAttachedRolePolicies" => query(
                "<AttachedPolicies><member><PolicyName>EC2InstanceProfileForImageBuilder</PolicyName></member>\
                 <member><PolicyName>AmazonSSMManagedInstanceCore</PolicyName></member></AttachedPolicies>",
            ),
            "DescribeSubnets" => ec2(&subnet(false)),
            "DescribeRouteTables" => ec2(&routes("<natGatewayId>nat-1</natGatewayId><state>active</state>")),
            "DescribeVpcEndpoints" => ec2("<vpcEndpointSet/>"),
            "DescribeSecurityGroups" => ec2(&group("vpc-1", &https(), &https())),
            "DescribeInstanceTypeOfferings" => ec2(&offered(&["m7i.large", "m7g.large"])),
            "DescribeRegions" => ec2(&regions("opted-in")),
            "DescribeImages" => {
                ec2("<imagesSet><item><imageId>ami-0123456789abcdef0</imageId><imageState>available</imageState>\
                 <architecture>x86_64</architecture></item></imagesSet>")
            }
            "CreateLaunchTemplate" => (412, refusal("DryRunOperation")),
            "CreateComponent" => (412, "code:DryRunOperationException".into()),
            "GetParameter" => (200, r#"{"Parameter":{"Value":"ami-0123456789abcdef0"}}"#.into()),
            "HeadBucket" => (200, "eu-central-1".into()),
            "GetEbsDefaultKmsKeyId" => ec2("<kmsKeyId>arn:aws:kms:us-east-1:111122223333:key/k</kmsKeyId>"),
            "DescribeKey" => (200, key("CUSTOMER", "Enabled")),
            _ => (200, "{}".into()),
        }
    }

    /// What IAM evaluates: all of the actions asked about, but for those denied.
    pub(super) fn simulate(&self, body: &str) -> String {
        let actions = body.split('&').filter(|pair| pair.starts_with("ActionNames.member."));
        let actions = actions.filter_map(|pair| pair.split_once('=')).map(|(_, name)| name.replace("%3A", ":"));
        let result = |action: String| {
            let decision = if self.denied.contains(action.as_str()) { "implicitDeny" } else { "allowed" };
            format!("<member><EvalActionName>{action}</EvalActionName><EvalDecision>{decision}</EvalDecision></member>")
        };
        let all: String = actions.map(result).collect();
        format!("<EvaluationResults>{all}</EvaluationResults><IsTruncated>false</IsTruncated>")
    }

    pub(super) fn context(&self) -> Context {
        let world = self.clone();
        let cloud = testing::aws(Arc::new(move |request| world.answer(&request)), self.config.clone());
        context(Ok(cloud))
    }

    pub(super) async fn look(&self, id: &str) -> CheckReport {
        one(self.context(), id).await
    }
}

pub(super) fn context(cloud: Result<Cloud, AwsError>) -> Context {
    let (mut project, recipe) = crate::plan::project_fixture();
    project.recipes.insert(recipe.name.clone(), recipe);
    let nowhere: PathBuf = "/nowhere".into();
    let verbs = Verb::ENVIRONMENT.to_vec();
    Context { project, environment: "aws".into(), verbs, cloud, state: nowhere.clone(), cache: nowhere }
}

pub(super) async fn one(context: Context, id: &str) -> CheckReport {
    let check = IN_AWS.iter().find(|check| check.id == id).unwrap();
    examine(context, &[*check]).await.checks.remove(0)
}

pub(super) fn operation(request: &http::Request<Bytes>, body: &str) -> String {
    if request.method() == "HEAD" {
        return "HeadBucket".into();
    }
    if let Some(target) = request.headers().get("x-amz-target") {
        return target.to_str().unwrap().rsplit('.').next().unwrap().to_owned();
    }
    match body.split('&').find_map(|pair| pair.strip_prefix("Action=")) {
        Some(action) => action.to_owned(),
        None => request.uri().path().trim_matches('/').to_owned(),
    }
}

pub(super) fn key(manager: &str, state: &str) -> String {
    format!(r#"{{"KeyMetadata":{{"KeyId":"k","KeyManager":"{manager}","KeyState":"{state}"}}}}"#)
}

pub(super) fn refusal(code: &str) -> String {
    format!("<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors></Response>")
}

pub(super) fn iam_refusal(code: &str) -> String {
    format!("<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>")
}

pub(super) fn inner_role(name: &str) -> String {
    format!(
        "<Path>/ci/</Path><RoleName>{name}</RoleName><RoleId>r</RoleId><Arn>arn:aws:iam::{HOME}:role/ci/{name}</Arn>\
         <CreateDate>2026-01-01T00:00:00Z</CreateDate>"
    )
}

pub(super) fn role(name: &str) -> String {
    format!("<Role>{}</Role>", inner_role(name))
}

pub(super) fn profile(roles: &str) -> String {
    format!(
        "<InstanceProfile><Path>/</Path><InstanceProfileName>build</InstanceProfileName><InstanceProfileId>i</InstanceProfileId>\
         <Arn>arn:aws:iam::{HOME}:instance-profile/build</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate>\
         <Roles>{roles}</Roles></InstanceProfile>"
    )
}

pub(super) fn subnet(public: bool) -> String {
    format!(
        "<subnetSet><item><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId><availabilityZone>eu-central-1a</availabilityZone>\
         <availableIpAddressCount>100</availableIpAddressCount><mapPublicIpOnLaunch>{public}</mapPublicIpOnLaunch></item></subnetSet>"
    )
}

pub(super) fn routes(hop: &str) -> String {
    let default = match hop {
        "" => String::new(),
        hop => format!("<item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock>{hop}</item>"),
    };
    format!(
        "<routeTableSet><item><routeTableId>rtb-main</routeTableId><vpcId>vpc-1</vpcId><routeSet/>\
         <associationSet><item><main>true</main></item></associationSet></item>\
         <item><routeTableId>rtb-1</routeTableId><vpcId>vpc-1</vpcId><routeSet>{default}</routeSet>\
         <associationSet><item><main>false</main><subnetId>subnet-1</subnetId></item></associationSet></item></routeTableSet>"
    )
}

pub(super) fn described(operation: &str, inside: &str) -> String {
    format!("<{operation}Response>{inside}</{operation}Response>")
}

pub(super) fn https() -> String {
    "<item><ipProtocol>tcp</ipProtocol><fromPort>443</fromPort><toPort>443</toPort></item>".into()
}

pub(super) fn group(vpc: &str, inbound: &str, outbound: &str) -> String {
    format!(
        "<securityGroupInfo><item><groupId>sg-1</groupId><vpcId>{vpc}</vpcId><ipPermissions>{inbound}</ipPermissions>\
         <ipPermissionsEgress>{outbound}</ipPermissionsEgress></item></securityGroupInfo>"
    )
}

pub(super) fn offered(names: &[&str]) -> String {
    let item = |name: &&str| format!("<item><instanceType>{name}</instanceType></item>");
    let items = names.iter().map(item).collect::<Vec<_>>().concat();
    format!("<instanceTypeOfferingSet>{items}</instanceTypeOfferingSet>")
}

pub(super) fn regions(status: &str) -> String {
    let item = |name: &str, status: &str| {
        format!("<item><regionName>{name}</regionName><optInStatus>{status}</optInStatus></item>")
    };
    format!("<regionInfo>{}{}</regionInfo>", item("eu-central-1", "opt-in-not-required"), item("us-east-1", status))
}

pub(super) fn endpoint(service: &str, dns: bool) -> String {
    format!(
        "<item><vpcEndpointId>vpce-{service}</vpcEndpointId><vpcEndpointType>Interface</vpcEndpointType><vpcId>vpc-1</vpcId>\
         <serviceName>com.amazonaws.eu-central-1.{service}</serviceName><state>available</state>\
         <privateDnsEnabled>{dns}</privateDnsEnabled><groupSet><item><groupId>sg-9</groupId></item></groupSet></item>"
    )
}

pub(super) fn gateway(table: &str) -> String {
    format!(
        "<item><vpcEndpointId>vpce-s3</vpcEndpointId><vpcEndpointType>Gateway</vpcEndpointType><vpcId>vpc-1</vpcId>\
         <serviceName>com.amazonaws.eu-central-1.s3</serviceName><state>available</state>\
         <routeTableIdSet><item>{table}</item></routeTableIdSet></item>"
    )
}

/// A network without a way out, with these endpoints.
pub(super) fn closed(endpoints: &str) -> World {
    World::new().with("DescribeRouteTables", 200, described("DescribeRouteTables", &routes(""))).with(
        "DescribeVpcEndpoints",
        200,
        described("DescribeVpcEndpoints", &format!("<vpcEndpointSet>{endpoints}</vpcEndpointSet>")),
    )
}

pub(super) fn six(dns: bool, table: &str) -> String {
    let interfaces: String =
        ["ssm", "ssmmessages", "ec2messages", "imagebuilder", "logs"].map(|service| endpoint(service, dns)).concat();
    interfaces + &gateway(table)
}

pub(super) fn words(report: &CheckReport) -> String {
    let line = |one: &Finding| format!("{}: {}\n", one.status.word(), one.what);
    report.findings.iter().map(line).collect::<Vec<_>>().concat()
}

#[track_caller]
pub(super) fn found(report: &CheckReport, status: Status, text: &str) {
    assert_eq!(report.status, status, "{}", words(report));
    let hit = report.findings.iter().find(|one| one.status == status && one.what.contains(text));
    assert!(hit.is_some(), "`{text}` is not in:\n{}", words(report));
    let told = |one: &Finding| one.why.is_some() || !one.next.is_empty() || one.status == Status::Ok;
    assert!(status == Status::Unknown || report.findings.iter().any(told), "no way out: {}", words(report));
}
