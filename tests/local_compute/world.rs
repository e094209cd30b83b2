//! A local environment of its own for each test, its SDK clients, and short ways to build.

use crate::fixture::fixture;
use amiforge::clock::Clock;
use amiforge::event::{Event, Events};
use amiforge::local::compute::ParentSpec;
use amiforge::local::{self, Config, Local};
use amiforge::project::LocalParent;
use aws_credential_types::Credentials;
use aws_sdk_imagebuilder::types::{ComponentConfiguration, Image, ImageStatus, Platform};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt as _;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Long enough for any step of these tests on a busy machine; reached only when something hangs.
const PATIENCE: Duration = Duration::from_mins(2);

pub struct World {
    pub local: Arc<Local>,
    pub builder: aws_sdk_imagebuilder::Client,
    pub ec2: aws_sdk_ec2::Client,
    pub ssm: aws_sdk_ssm::Client,
    pub inspector: aws_sdk_inspector2::Client,
    pub events: Arc<Mutex<Vec<Event>>>,
    runtime: Arc<tokio::runtime::Runtime>,
    folder: PathBuf,
    /// The root that is the parent of all images.
    root: PathBuf,
    /// Removed with the last world on it.
    own: Option<Arc<tempfile::TempDir>>,
}

impl World {
    pub fn new() -> Self {
        let own = Arc::new(tempfile::tempdir().expect("a folder for the test"));
        Self { own: Some(Arc::clone(&own)), ..Self::at(own.path()) }
    }

    /// With another root than the fixture's.
    pub fn on(root: &Path) -> Self {
        Self { root: root.to_owned(), ..Self::new() }
    }

    /// On a folder that somebody else removes.
    pub fn at(folder: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        Self::open(folder, Arc::new(runtime.expect("a runtime")))
    }

    /// The same state, opened again, as another process would.
    pub fn reopen(&self) -> Self {
        Self { own: self.own.clone(), ..Self::open(&self.folder, Arc::clone(&self.runtime)) }
    }

    fn open(folder: &Path, runtime: Arc<tokio::runtime::Runtime>) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&events);
        let local = Local::open(Config {
            state: folder.join("state"),
            cache: folder.join("cache"),
            clock: Clock::system(),
            events: Events::new(move |event| sink.lock().expect("events").push(event)),
            mirror: None,
            bind: vec![fixture().repository.clone()],
            beyond: local::Beyond::default(),
            builds: local::Builds::Real,
        })
        .expect("the local environment opens");
        let client = in_process(&local);
        let (key, secret) = local.credentials(local::DEFAULT_ACCOUNT);
        let credentials = Credentials::new(key, secret, None, None, "test");
        macro_rules! client {
            ($service:ident) => {
                $service::Client::from_conf(
                    $service::Config::builder()
                        .behavior_version($service::config::BehaviorVersion::latest())
                        .region($service::config::Region::new(local::DEFAULT_REGION))
                        .credentials_provider(credentials.clone())
                        .http_client(client.clone())
                        .build(),
                )
            };
        }
        Self {
            builder: client!(aws_sdk_imagebuilder),
            ec2: client!(aws_sdk_ec2),
            ssm: client!(aws_sdk_ssm),
            inspector: client!(aws_sdk_inspector2),
            local,
            events,
            runtime,
            folder: folder.to_owned(),
            root: fixture().root.clone(),
            own: None,
        }
    }

    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Waits for an answer of a client.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { tokio::time::timeout(PATIENCE, future).await.expect("an answer in time") })
    }

    /// Asks again until the answer is one.
    pub fn until<T>(&self, mut ask: impl FnMut() -> Option<T>) -> T {
        let begun = std::time::Instant::now();
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            assert!(begun.elapsed() < PATIENCE, "nothing happened in time");
            self.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(20)).await });
        }
    }

    /// The AMI of the parent root.
    pub fn parent(&self) -> String {
        self.local.ensure_parent(&parent_spec(&self.root), &|_| ()).expect("the parent")
    }

    /// Publishes components and a recipe on the fixture root and asks for an image; its ARN.
    pub fn create(&self, name: &str, components: &[&str]) -> String {
        self.parent();
        let arns: Vec<String> =
            components.iter().enumerate().map(|(i, data)| self.component(&format!("{name}-{i}"), data)).collect();
        self.wait(async {
            let configurations =
                arns.iter().map(|arn| ComponentConfiguration::builder().component_arn(arn).build().expect("complete"));
            let recipe = self
                .builder
                .create_image_recipe()
                .name(name)
                .semantic_version("1.0.0")
                .parent_image(format!("ssm:{PARAMETER}"))
                .set_components(Some(configurations.collect()))
                .client_token(format!("recipe-{name}"))
                .send()
                .await
                .expect("the recipe");
            let infrastructure = self
                .builder
                .create_infrastructure_configuration()
                .name(format!("{name}-infrastructure"))
                .instance_profile_name("profile")
                .client_token(format!("infrastructure-{name}"))
                .send()
                .await
                .expect("the infrastructure configuration");
            let image = self
                .builder
                .create_image()
                .image_recipe_arn(recipe.image_recipe_arn().expect("an ARN"))
                .infrastructure_configuration_arn(infrastructure.infrastructure_configuration_arn().expect("an ARN"))
                .client_token(format!("image-{name}"))
                .send()
                .await
                .expect("the image");
            image.image_build_version_arn().expect("an ARN").to_owned()
        })
    }

    fn component(&self, name: &str, data: &str) -> String {
        let request = self
            .builder
            .create_component()
            .name(name)
            .semantic_version("1.0.0")
            .platform(Platform::Linux)
            .data(data)
            .client_token(format!("component-{name}"));
        let answer = self.wait(request.send()).expect("the component");
        answer.component_build_version_arn().expect("an ARN").to_owned()
    }

    /// The image as it is now.
    pub fn image(&self, arn: &str) -> Image {
        let answer = self.wait(self.builder.get_image().image_build_version_arn(arn).send());
        answer.expect("GetImage").image.expect("an image")
    }

    /// The image when its build has ended.
    pub fn finished(&self, arn: &str) -> Image {
        self.until(|| {
            let image = self.image(arn);
            let status = image.state()?.status()?.clone();
            let ended = [ImageStatus::Available, ImageStatus::Failed, ImageStatus::Cancelled].contains(&status);
            ended.then_some(image)
        })
    }

    /// Nothing runs and nothing is mounted; no folder of an instance is left.
    pub fn assert_nothing_left(&self) {
        let state = self.state();
        let instances = std::fs::read_dir(state.join("instances")).map_or(0, Iterator::count);
        assert_eq!(instances, 0, "folders of instances are left");
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
        let ours = mounts.lines().find(|line| line.contains(&*state.to_string_lossy()));
        assert_eq!(ours, None, "something is still mounted");
    }
}

/// The SSM parameter of the fixture root.
pub const PARAMETER: &str = "/aws/service/fixture/latest";

/// The fixture root as a recipe's parent.
pub fn parent_spec(root: &Path) -> ParentSpec {
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    ParentSpec {
        parameter: Some(PARAMETER.to_owned()),
        name: "fixture".to_owned(),
        arch: arch.to_owned(),
        source: LocalParent::Directory { path: root.to_owned() },
    }
}

fn in_process(local: &Arc<Local>) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(InProcess(Arc::clone(local)));
    http_client_fn(move |_, _| connector.clone())
}

#[derive(Debug)]
struct InProcess(Arc<Local>);

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let local = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(ConnectorError::user)?.to_bytes();
            let answer = tokio::task::spawn_blocking(move || local.handle(http::Request::from_parts(parts, body)));
            let answer = answer.await.map_err(|error| ConnectorError::other(error.into(), None))?;
            HttpResponse::try_from(answer.map(SdkBody::from)).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}
