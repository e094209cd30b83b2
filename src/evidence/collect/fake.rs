//! Just enough of EC2 and Systems Manager to be inspected with: what the service says in the good case, to be changed
//! call by call.

use super::site::{LaunchSettings, Site};
use crate::clock::Clock;
use crate::event::Events;
use crate::project::Location;
use aws_sdk_ssm::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(super) const INSTANCE: &str = "i-0123456789abcdef0";
const BASELINE_ARN: &str = "arn:aws:ssm:us-east-1:075727635805:patchbaseline/pb-09a5f8eb62bde80b1";

/// Status and body of an answer.
pub(super) type Answer = (u16, String);
/// Answers a call instead of the fake: operation, how many of them came before, body.
type Override = Box<dyn Fn(&str, usize, &str) -> Option<Answer> + Send + Sync>;

#[derive(Default)]
struct State {
    calls: Vec<(String, String)>,
    /// Scripts and snapshot ids by command id.
    commands: BTreeMap<String, Value>,
}

/// The service.
pub(super) struct Fake {
    state: Mutex<State>,
    instead: Override,
    /// Its package database and package lists, as files.
    system: tempfile::TempDir,
    /// Missing patches: `name.arch`, version.
    pub(super) missing: Vec<(&'static str, &'static str)>,
    /// Where the list from before patching lies; the real path is not there.
    pub(super) before: String,
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fake")
    }
}

impl Fake {
    pub(super) fn new(instead: impl Fn(&str, usize, &str) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let (missing, before) = (vec![], "/nowhere".into());
        Self { state: Mutex::default(), instead: Box::new(instead), system: system(), missing, before }
    }

    /// How often an operation was called.
    pub(super) fn count(&self, operation: &str) -> usize {
        self.state.lock().unwrap().calls.iter().filter(|(name, _)| name == operation).count()
    }

    /// The body of the first call of an operation.
    pub(super) fn body(&self, operation: &str) -> String {
        let state = self.state.lock().unwrap();
        state.calls.iter().find(|(name, _)| name == operation).map(|(_, body)| body.clone()).unwrap()
    }

    pub(super) fn site(self: &Arc<Self>, at: time::OffsetDateTime) -> Site {
        let credentials = Credentials::new("key", "secret", None, None, "test");
        let (region, http) = (Region::new("us-east-1"), self.http());
        let ssm = aws_sdk_ssm::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(region.clone())
            .credentials_provider(credentials.clone())
            .retry_config(RetryConfig::disabled())
            .http_client(http.clone())
            .build();
        let ec2 = aws_sdk_ec2::Config::builder()
            .behavior_version(aws_sdk_ec2::config::BehaviorVersion::latest())
            .region(region)
            .credentials_provider(credentials)
            .retry_config(RetryConfig::disabled())
            .http_client(http)
            .build();
        let imagebuilder = aws_sdk_imagebuilder::Config::builder()
            .behavior_version(aws_sdk_imagebuilder::config::BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(self.http())
            .build();
        let inspector = aws_sdk_inspector2::Config::builder()
            .behavior_version(aws_sdk_inspector2::config::BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(self.http())
            .build();
        Site {
            inspector: aws_sdk_inspector2::Client::from_conf(inspector),
            slow: Duration::from_secs(15),
            imagebuilder: aws_sdk_imagebuilder::Client::from_conf(imagebuilder),
            ec2: aws_sdk_ec2::Client::from_conf(ec2),
            ssm: aws_sdk_ssm::Client::from_conf(ssm),
            location: Location { account: "111122223333".into(), region: "us-east-1".into() },
            clock: Clock::fixed(at),
            events: Events::none(),
            duties: crate::aws::Duties::default(),
            poll: Duration::from_secs(3),
            launch: LaunchSettings::default(),
        }
    }

    fn http(self: &Arc<Self>) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(Connector(Arc::clone(self)));
        http_client_fn(move |_, _| connector.clone())
    }

    fn answer(&self, operation: &str, body: &str) -> Answer {
        let nth = self.count(operation);
        self.state.lock().unwrap().calls.push((operation.to_owned(), body.to_owned()));
        if let Some(answer) = (self.instead)(operation, nth, body) {
            return answer;
        }
        match operation {
            "DescribeImages" => xml(operation, IMAGE),
            "RunInstances" => xml(
                operation,
                &format!("<instancesSet><item><instanceId>{INSTANCE}</instanceId></item></instancesSet>"),
            ),
            "DescribeInstances" => xml(operation, ""),
            "TerminateInstances" | "CreateTags" => xml(operation, "<return>true</return>"),
            _ => self.ssm(operation, nth, &serde_json::from_str(body).unwrap()),
        }
    }

    fn ssm(&self, operation: &str, nth: usize, body: &Value) -> Answer {
        let answer = match operation {
            "DescribeInstanceInformation" if nth == 0 => json!({}),
            "DescribeInstanceInformation" => json!({"InstanceInformationList": [
                {"InstanceId": INSTANCE, "PingStatus": "Online", "PlatformType": "Linux"}]}),
            "SendCommand" => {
                let mut state = self.state.lock().unwrap();
                let id = format!("{:08}-0000-0000-0000-000000000000", state.commands.len());
                state.commands.insert(id.clone(), body["Parameters"].clone());
                json!({"Command": {"CommandId": id}})
            }
            "GetCommandInvocation" => return self.invocation(nth, body["CommandId"].as_str().unwrap()),
            "DescribeInstancePatchStates" => self.patch_states(nth),
            "DescribeInstancePatches" => self.patches(body),
            "DescribePatchBaselines" => json!({"BaselineIdentities": [
                {"BaselineId": BASELINE_ARN, "BaselineName": "AWS-DebianDefaultPatchBaseline"}]}),
            other => panic!("{other} is not expected"),
        };
        (200, answer.to_string())
    }

    /// Unknown at first, then in progress, then done.
    fn invocation(&self, nth: usize, id: &str) -> Answer {
        if nth == 0 {
            return error("InvocationDoesNotExist", "");
        }
        let parameters = self.state.lock().unwrap().commands[id].clone();
        let status = if nth == 1 { "InProgress" } else { "Success" };
        let stdout = match parameters["commands"][0].as_str() {
            Some(script) => self.shell(script),
            None => "root [INFO]: Summary: {}\n".to_owned(),
        };
        (200, json!({"Status": status, "ResponseCode": 0, "StandardOutputContent": stdout}).to_string())
    }

    /// Runs the script as the agent does, with another package database.
    fn shell(&self, script: &str) -> String {
        let mut script = script.replace("/usr/share/amiforge/packages-before.tsv.gz", &self.before);
        if script.contains("look world-writable") {
            script = crate::evidence::hygiene::tests::elsewhere(&script, self.system.path());
            return run(&script);
        }
        for path in ["/etc/os-release", "/var/lib/dpkg/status", "/var/lib/apt/lists", "/etc/apt/"] {
            script = script.replace(path, &format!("{}{path}", self.system.path().display()));
        }
        // This machine is no image whose size anybody wants to know.
        script = script.replace("du -skx /", &format!("du -skx {}", self.system.path().display()));
        run(&script)
    }

    /// An older scan at first, then ours.
    fn patch_states(&self, nth: usize) -> Value {
        let state = self.state.lock().unwrap();
        let scans: Vec<&str> = state.commands.values().filter_map(|p| p["SnapshotId"][0].as_str()).collect();
        let snapshot = if nth == 0 { "00000000-0000-0000-0000-000000000000" } else { scans[0] };
        json!({"InstancePatchStates": [{
            "InstanceId": INSTANCE, "PatchGroup": "", "BaselineId": BASELINE_ARN, "SnapshotId": snapshot,
            "InstalledCount": 1, "InstalledOtherCount": 1, "MissingCount": self.missing.len(), "FailedCount": 0,
            "NotApplicableCount": 2841, "OperationStartTime": 1_795_435_000.0, "OperationEndTime": 1_795_435_200.5,
            "Operation": "Scan"}]})
    }

    /// One patch per page.
    fn patches(&self, body: &Value) -> Value {
        if body["Filters"][0]["Values"][0] != "Missing" {
            return json!({"Patches": []});
        }
        let page: usize = body["NextToken"].as_str().map_or(0, |token| token.parse().unwrap());
        let Some((id, version)) = self.missing.get(page) else { return json!({"Patches": []}) };
        let patch = json!({"Title": format!("{id}:{version}"), "KBId": id, "Classification": "Security",
            "Severity": "optional", "State": "Missing", "InstalledTime": 0.0});
        let mut answer = json!({"Patches": [patch]});
        if page + 1 < self.missing.len() {
            answer["NextToken"] = (page + 1).to_string().into();
        }
        answer
    }
}

fn run(script: &str) -> String {
    let output = std::process::Command::new("sh").args(["-c", script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A Debian with two packages and the remains of a third; `curl` has an update among the security updates.
fn system() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let stanza = |name: &str, status: &str, version: &str| {
        let status = if status.is_empty() { String::new() } else { format!("Status: {status}\n") };
        format!("Package: {name}\n{status}Priority: optional\nArchitecture: amd64\nVersion: {version}\n\n")
    };
    let installed = [("bash", "install ok installed", "5.2-2"), ("old", "deinstall ok config-files", "1")];
    let status: String = installed.iter().map(|(name, status, version)| stanza(name, status, version)).collect();
    write("var/lib/dpkg/status", &(status + &stanza("curl", "hold ok installed", "8-1")));
    write("etc/os-release", "ID=debian\nVERSION_ID=12\nVERSION_CODENAME=bookworm\n");
    write("etc/apt/sources.list", "deb [trusted=yes] http://repo.example/debian bookworm-security main\n");
    let stem = "var/lib/apt/lists/repo.example_debian_dists_bookworm-security_";
    write(&format!("{stem}Release"), "Suite: stable-security\nCodename: bookworm-security\n");
    write(
        &format!("{stem}main_binary-amd64_Packages"),
        &(stanza("bash", "", "5.2-2") + &stanza("curl", "", "8-1+deb12u1")),
    );
    folder
}

const IMAGE: &str = "<imagesSet><item><imageId>ami-1</imageId><name>acme-debian-12 1.0.3</name><imageState>available</imageState>\
    <imdsSupport>v2.0</imdsSupport><architecture>x86_64</architecture><isPublic>false</isPublic>\
    <creationDate>2026-11-23T10:00:00.000Z</creationDate><blockDeviceMapping><item><deviceName>/dev/xvda</deviceName>\
    <ebs><encrypted>true</encrypted></ebs></item></blockDeviceMapping></item></imagesSet>";

fn xml(operation: &str, inner: &str) -> Answer {
    (200, format!("<{operation}Response><requestId>r</requestId>{inner}</{operation}Response>"))
}

/// An error answer of Systems Manager.
pub(super) fn error(code: &str, message: &str) -> Answer {
    (400, json!({"__type": code, "message": message}).to_string())
}

/// The operation in the path of a URI: `GetImage` of `https://host/GetImage?imageBuildVersionArn=…`.
fn http_path(uri: &str) -> String {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    path.split('?').next().unwrap_or_default().to_owned()
}

/// An error answer of EC2.
pub(super) fn ec2_error(code: &str, message: &str) -> Answer {
    (
        400,
        format!("<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors></Response>"),
    )
}

#[derive(Debug)]
struct Connector(Arc<Fake>);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let fake = Arc::clone(&self.0);
        let body = String::from_utf8(request.body().bytes().unwrap_or_default().to_vec()).unwrap();
        let target = request.headers().get("x-amz-target").map(str::to_owned);
        // Image Builder's operations are paths.
        let path = http_path(request.uri());
        let target = target.or_else(|| Some(path).filter(|path| !path.is_empty()));
        let operation = match &target {
            Some(target) => target.trim_start_matches("AmazonSSM.").to_owned(),
            None => body.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap().to_owned(),
        };
        HttpConnectorFuture::new(async move {
            let (status, body) = fake.answer(&operation, &body);
            if status == 0 {
                return Err(ConnectorError::io("connection reset by peer".into()));
            }
            let response = http::Response::builder().status(status).body(SdkBody::from(body)).unwrap();
            HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}
