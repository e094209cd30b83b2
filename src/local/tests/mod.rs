//! The local environment through its front door: HTTP requests made by hand, and the SDK's clients.

mod baselines;
mod buckets;
mod concurrency;
mod copies;
mod encrypted;
mod faults;
mod followed;
mod grants;
mod groups;
mod imagebuilder;
mod images;
mod instances;
mod keys;
mod lagging;
mod parameters;
mod pipelines;
mod protocols;
mod recipes;
mod refreshes;
mod scripted;
mod sdk;
mod serve;
mod signatures;
mod templates;
mod workflows;

use super::records::{AMI, Ami};
use super::store::{Scope, StoreError};
use super::{Beyond, Config, DEFAULT_ACCOUNT, DEFAULT_REGION, Local};
use crate::clock::Clock;
use crate::event::Events;
use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use time::macros::datetime;

/// A local environment in a folder of its own, and who calls it.
pub(super) struct Bench {
    pub(super) local: Arc<Local>,
    account: String,
    region: String,
    folder: Arc<TempDir>,
}

/// What an error answer says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
}

pub(super) fn open(state: &Path) -> Arc<Local> {
    Local::open(config(state)).unwrap()
}

fn config(state: &Path) -> Config {
    Config {
        state: state.join("state"),
        cache: state.join("cache"),
        clock: Clock::fixed(datetime!(2026-03-01 12:00 UTC)),
        events: Events::none(),
        mirror: None,
        bind: Vec::new(),
        beyond: Beyond::default(),
        builds: super::Builds::Real,
    }
}

impl Bench {
    pub(super) fn new() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self {
            local: open(folder.path()),
            account: DEFAULT_ACCOUNT.to_owned(),
            region: DEFAULT_REGION.to_owned(),
            folder,
        }
    }

    /// An environment with that clock, whose builds follow scripts.
    pub(super) fn scripted(clock: Clock, builds: super::Builds) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let local = Local::open(Config { clock, builds, ..config(folder.path()) }).unwrap();
        Self { local, account: DEFAULT_ACCOUNT.to_owned(), region: DEFAULT_REGION.to_owned(), folder }
    }

    /// The same environment, called by another account.
    pub(super) fn by(&self, account: &str) -> Self {
        Self { account: account.to_owned(), ..self.same() }
    }

    /// The same environment, called in another Region.
    pub(super) fn region(&self, region: &str) -> Self {
        Self { region: region.to_owned(), ..self.same() }
    }

    fn same(&self) -> Self {
        Self {
            local: Arc::clone(&self.local),
            account: self.account.clone(),
            region: self.region.clone(),
            folder: Arc::clone(&self.folder),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn scope(&self) -> Scope {
        Scope { account: self.account.clone(), region: self.region.clone() }
    }

    /// Signs a request of the caller.
    pub(super) fn sign(&self, service: &str, request: &mut Request<Bytes>) {
        let (key, secret) = self.local.credentials(&self.account);
        super::sigv4::sign(request, (&key, &secret), (&self.region, service), self.local.config.clock.now());
    }

    pub(super) fn send(&self, service: &str, request: http::request::Builder, body: &str) -> Response<Bytes> {
        let mut request = request.body(Bytes::from(body.to_owned())).unwrap();
        self.sign(service, &mut request);
        self.local.handle(request)
    }

    /// Systems Manager.
    pub(super) fn ssm(&self, operation: &str, request: &Value) -> Result<Value, Refusal> {
        let head = Request::post("/").header("x-amz-target", format!("AmazonSSM.{operation}"));
        json_answer(&self.send("ssm", head, &request.to_string()))
    }

    /// Image Builder.
    pub(super) fn builder(&self, operation: &str, request: &Value) -> Result<Value, Refusal> {
        let method = match operation {
            _ if operation.starts_with("Get") => "GET",
            _ if operation.starts_with("List") => "POST",
            _ if operation.starts_with("Delete") => "DELETE",
            _ => "PUT",
        };
        let (mut uri, mut body) = (format!("/{operation}"), request.to_string());
        if matches!(method, "GET" | "DELETE") {
            let pairs = request.as_object().unwrap().iter();
            let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={}", value.as_str().unwrap())).collect();
            uri = format!("{uri}?{}", pairs.join("&"));
            body = String::new();
        }
        json_answer(&self.send("imagebuilder", Request::builder().method(method).uri(uri), &body))
    }

    /// EC2: the answer's text.
    pub(super) fn ec2(&self, parameters: &str) -> Result<String, Refusal> {
        self.query("ec2", "2016-11-15", parameters)
    }

    /// Auto Scaling: the answer's text.
    pub(super) fn autoscaling(&self, parameters: &str) -> Result<String, Refusal> {
        self.query("autoscaling", "2011-01-01", parameters)
    }

    fn query(&self, service: &str, version: &str, parameters: &str) -> Result<String, Refusal> {
        let head = Request::post("/").header("content-type", "application/x-www-form-urlencoded");
        let response = self.send(service, head, &format!("{parameters}&Version={version}"));
        let body = text(&response);
        if response.status() == 200 {
            return Ok(body);
        }
        Err(Refusal {
            status: response.status().as_u16(),
            code: element(&body, "Code").unwrap(),
            message: element(&body, "Message").unwrap(),
        })
    }

    /// Puts an AMI of the caller into the state, as a build would.
    pub(super) fn add_ami(&self, id: &str, change: impl FnOnce(&mut Ami)) {
        let mut ami = Ami {
            id: id.to_owned(),
            name: format!("debian-12 {id}"),
            description: "a root".to_owned(),
            owner: self.account.clone(),
            public: false,
            architecture: "x86_64".to_owned(),
            state: "available".to_owned(),
            created_at: "2026-03-01T10:00:00Z".to_owned(),
            root_device: "/dev/xvda".to_owned(),
            snapshot: "snap-0123456789abcdef0".to_owned(),
            volume_size: 8,
            volume_type: "gp3".to_owned(),
            encrypted: false,
            imds_v2: true,
            platform: "Linux".to_owned(),
            tags: BTreeMap::from([("team".to_owned(), "platform".to_owned())]),
            layers: vec!["/nowhere".into()],
            launch_permissions: Vec::new(),
            source: None,
            ..Ami::default()
        };
        change(&mut ami);
        self.local.store.write(|tx| tx.put(&self.scope(), AMI, id, &ami)).map_err(|error: StoreError| error).unwrap();
    }

    /// An AMI of the caller that is encrypted with that key, and that those accounts may launch and copy as far as EC2 has a say.
    pub(super) fn add_encrypted_ami(&self, id: &str, key: &str, shared: &[&str]) {
        let snapshot = id.replacen("ami-", "snap-", 1);
        self.add_ami(id, |ami| {
            ami.snapshot.clone_from(&snapshot);
            (ami.encrypted, ami.kms_key) = (true, Some(key.to_owned()));
            ami.launch_permissions = shared.iter().map(|account| (*account).to_owned()).collect();
        });
        for account in shared {
            let share = format!(
                "Action=ModifySnapshotAttribute&SnapshotId={snapshot}&CreateVolumePermission.Add.1.UserId={account}"
            );
            self.ec2(&share).unwrap();
        }
    }
}

pub(super) fn text(response: &Response<Bytes>) -> String {
    String::from_utf8(response.body().to_vec()).unwrap()
}

/// The text of the first element of that name.
pub(super) fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
}

/// The texts of all elements of that name.
pub(super) fn elements(xml: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&open).skip(1).filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned())).collect()
}

fn json_answer(response: &Response<Bytes>) -> Result<Value, Refusal> {
    let body: Value = serde_json::from_slice(response.body()).unwrap_or(json!({}));
    if response.status() == 200 {
        return Ok(body);
    }
    Err(Refusal {
        status: response.status().as_u16(),
        code: response.headers()["x-amzn-errortype"].to_str().unwrap().to_owned(),
        message: body["message"].as_str().unwrap().to_owned(),
    })
}

/// The code of a refusal.
#[track_caller]
pub(super) fn code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> String {
    result.unwrap_err().code
}
