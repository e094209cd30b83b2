//! The SDK's own clients, which hand their requests to the local environment in-process.

use super::Bench;
use super::imagebuilder::BUILD;
use crate::local::{Fault, Local, credentials};
use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use http_body_util::BodyExt;
use std::sync::Arc;

#[derive(Debug, Clone)]
struct InProcess(Arc<Local>);

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let local = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            let other = |error: Box<dyn std::error::Error + Send + Sync>| ConnectorError::other(error, None);
            let (head, body) = request.try_into_http1x().map_err(|error| other(error.into()))?.into_parts();
            let body = body.collect().await.map_err(other)?.to_bytes();
            let request = http::Request::from_parts(head, body);
            let response = tokio::task::spawn_blocking(move || local.handle(request)).await;
            let response = response.map_err(|error| other(error.into()))?.map(SdkBody::from);
            response.try_into().map_err(|error: aws_smithy_runtime_api::http::HttpError| other(error.into()))
        })
    }
}

fn client(bench: &Bench) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(InProcess(Arc::clone(&bench.local)));
    http_client_fn(move |_, _| connector.clone())
}

macro_rules! configure {
    ($sdk:ident, $bench:expr) => {{
        let (key, secret) = credentials("111122223333");
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version($sdk::config::BehaviorVersion::v2026_01_12())
                .region($sdk::config::Region::new("eu-west-1"))
                .credentials_provider(Credentials::new(key, secret, None, None, "test"))
                .http_client(client($bench))
                .build(),
        )
    }};
}

#[tokio::test]
async fn launch_templates_through_the_sdk() {
    use aws_sdk_ec2::types::{
        LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest,
        LaunchTemplateInstanceNetworkInterfaceSpecificationRequest, RequestLaunchTemplateData, ResourceType, Tag,
        TagSpecification,
    };
    let bench = Bench::new();
    let ec2 = configure!(aws_sdk_ec2, &bench);
    let ebs = LaunchTemplateEbsBlockDeviceRequest::builder().volume_size(8).encrypted(true).build();
    let data = RequestLaunchTemplateData::builder()
        .image_id("ami-0123456789abcdef0")
        .instance_type("m7i.large".into())
        .block_device_mappings(
            LaunchTemplateBlockDeviceMappingRequest::builder().device_name("/dev/xvda").ebs(ebs).build(),
        )
        .network_interfaces(
            LaunchTemplateInstanceNetworkInterfaceSpecificationRequest::builder()
                .device_index(0)
                .groups("sg-1")
                .build(),
        )
        .build();
    let tags = TagSpecification::builder()
        .resource_type(ResourceType::LaunchTemplate)
        .tags(Tag::builder().key("a").value("b").build())
        .build();
    let created = ec2
        .create_launch_template()
        .launch_template_name("golden")
        .launch_template_data(data)
        .tag_specifications(tags)
        .send()
        .await
        .unwrap();
    let warning = created.warning().unwrap().errors();
    assert_eq!(warning[0].code(), Some("InvalidAMIID.NotFound"));
    let template = created.launch_template().unwrap();
    assert_eq!((template.default_version_number(), template.tags()[0].key()), (Some(1), Some("a")));
    assert_eq!(template.create_time().unwrap().secs(), 1_772_366_400);
    let id = template.launch_template_id().unwrap();
    let version = ec2
        .create_launch_template_version()
        .launch_template_id(id)
        .source_version("1")
        .client_token("token")
        .launch_template_data(RequestLaunchTemplateData::builder().image_id("ami-0123456789abcdef1").build())
        .send()
        .await
        .unwrap();
    assert_eq!(version.launch_template_version().unwrap().version_number(), Some(2));
    ec2.modify_launch_template().launch_template_id(id).default_version("2").send().await.unwrap();
    let versions =
        ec2.describe_launch_template_versions().launch_template_id(id).versions("$Default").send().await.unwrap();
    let data = versions.launch_template_versions()[0].launch_template_data().unwrap();
    assert_eq!(data.image_id(), Some("ami-0123456789abcdef1"));
    assert_eq!(data.block_device_mappings()[0].ebs().unwrap().volume_size(), Some(8));
    assert_eq!(data.network_interfaces()[0].groups(), ["sg-1"]);
    let error = ec2.modify_launch_template().launch_template_id(id).default_version("9").send().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidLaunchTemplateId.VersionNotFound"));
    let deleted = ec2.delete_launch_template_versions().launch_template_id(id).versions("1").send().await.unwrap();
    assert_eq!(deleted.successfully_deleted_launch_template_versions()[0].version_number(), Some(1));
}

#[tokio::test]
async fn images_through_the_sdk() {
    use aws_sdk_ec2::types::{Filter, LaunchPermission, LaunchPermissionModifications, PermissionGroup, Tag};
    const AMI: &str = "ami-0123456789abcdef0";
    let bench = Bench::new();
    let ec2 = configure!(aws_sdk_ec2, &bench);
    let scope = crate::local::store::Scope { account: "111122223333".into(), region: "eu-west-1".into() };
    bench.by("111122223333").add_ami(AMI, |_| {});
    let ami: Option<crate::local::records::Ami> = bench
        .local
        .store
        .read(|tx| tx.get(&bench.by("111122223333").scope(), "ami", AMI))
        .map_err(|e: crate::local::store::StoreError| e)
        .unwrap();
    bench
        .local
        .store
        .write(|tx| tx.put(&scope, "ami", AMI, &ami))
        .map_err(|e: crate::local::store::StoreError| e)
        .unwrap();
    ec2.create_tags().resources(AMI).tags(Tag::builder().key("k").value("v").build()).send().await.unwrap();
    let images = ec2
        .describe_images()
        .owners("self")
        .filters(Filter::builder().name("tag:k").values("v").build())
        .send()
        .await
        .unwrap();
    let image = &images.images()[0];
    assert_eq!((image.image_id(), image.root_device_name()), (Some(AMI), Some("/dev/xvda")));
    assert_eq!(image.state().unwrap().as_str(), "available");
    assert_eq!(image.imds_support().unwrap().as_str(), "v2.0");
    assert_eq!(image.block_device_mappings()[0].ebs().unwrap().volume_size(), Some(8));
    let add = LaunchPermissionModifications::builder()
        .add(LaunchPermission::builder().user_id("444455556666").build())
        .add(LaunchPermission::builder().group(PermissionGroup::All).build())
        .build();
    ec2.modify_image_attribute().image_id(AMI).launch_permission(add).send().await.unwrap();
    let attribute =
        ec2.describe_image_attribute().image_id(AMI).attribute("launchPermission".into()).send().await.unwrap();
    assert_eq!(attribute.launch_permissions().len(), 2);
    let tags = ec2.describe_tags().send().await.unwrap();
    assert_eq!(tags.tags().len(), 2);
    assert_eq!(ec2.deregister_image().image_id(AMI).send().await.unwrap().r#return(), Some(true));
    let error = ec2.describe_images().image_ids(AMI).send().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidAMIID.NotFound"));
    assert_eq!(ec2.describe_regions().send().await.unwrap().regions().len(), 17);
}

#[tokio::test]
async fn parameters_through_the_sdk() {
    use aws_sdk_ssm::types::{OperatingSystem, ParameterType, PatchOrchestratorFilter, Tag};
    let bench = Bench::new();
    let ssm = configure!(aws_sdk_ssm, &bench);
    let put = || ssm.put_parameter().name("/a/b").value("1").r#type(ParameterType::String);
    let made = put().tags(Tag::builder().key("k").value("v").build().unwrap()).send().await.unwrap();
    assert_eq!(made.version(), 1);
    let error = put().send().await.unwrap_err().into_service_error();
    assert!(error.is_parameter_already_exists());
    let parameter = ssm.get_parameter().name("/a/b:1").send().await.unwrap();
    let parameter = parameter.parameter().unwrap();
    assert_eq!((parameter.value(), parameter.selector()), (Some("1"), Some(":1")));
    assert_eq!(parameter.last_modified_date().unwrap().secs(), 1_772_366_400);
    let error = ssm.get_parameter().name("gone").send().await.unwrap_err().into_service_error();
    assert!(error.is_parameter_not_found());
    let by_path = ssm.get_parameters_by_path().path("/a").send().await.unwrap();
    assert_eq!((by_path.parameters().len(), by_path.next_token()), (1, None));
    let owner = PatchOrchestratorFilter::builder().key("OWNER").values("AWS").build();
    let baselines = ssm.describe_patch_baselines().filters(owner).send().await.unwrap();
    assert_eq!(baselines.baseline_identities().len(), 17);
    let debian = ssm.get_default_patch_baseline().operating_system(OperatingSystem::Debian).send().await.unwrap();
    let baseline = ssm.get_patch_baseline().baseline_id(debian.baseline_id().unwrap()).send().await.unwrap();
    assert_eq!(baseline.approval_rules().unwrap().patch_rules()[0].approve_after_days(), Some(7));
}

#[tokio::test]
async fn patch_groups_through_the_sdk() {
    use aws_sdk_ssm::types::OperatingSystem::Debian;
    let bench = Bench::new();
    let ssm = configure!(aws_sdk_ssm, &bench);
    let create = |name: &str| ssm.create_patch_baseline().name(name).operating_system(Debian).send();
    let id = |created: aws_sdk_ssm::operation::create_patch_baseline::CreatePatchBaselineOutput| {
        created.baseline_id.unwrap()
    };
    let (one, two) = (id(create("one").await.unwrap()), id(create("two").await.unwrap()));
    let updated = ssm.update_patch_baseline().baseline_id(&one).replace(true).name("other").send().await.unwrap();
    assert_eq!((updated.name(), updated.modified_date().unwrap().secs()), (Some("other"), 1_772_366_400));
    let gone = ssm.update_patch_baseline().baseline_id("pb-00000000000000000").name("abc").send().await.unwrap_err();
    assert!(gone.into_service_error().is_does_not_exist_exception());
    let register = |id: &str| ssm.register_patch_baseline_for_patch_group().baseline_id(id).patch_group("web").send();
    register(&one).await.unwrap();
    assert!(register(&two).await.unwrap_err().into_service_error().is_already_exists_exception());
    assert!(register("short").await.unwrap_err().into_service_error().is_invalid_resource_id());
    let asked =
        ssm.get_patch_baseline_for_patch_group().patch_group("web").operating_system(Debian).send().await.unwrap();
    assert_eq!(asked.baseline_id(), Some(one.as_str()));
    let groups = ssm.describe_patch_groups().send().await.unwrap();
    let identity = groups.mappings()[0].baseline_identity().unwrap();
    assert_eq!((identity.baseline_name(), identity.operating_system()), (Some("other"), Some(&Debian)));
    let used = ssm.delete_patch_baseline().baseline_id(&one).send().await.unwrap_err();
    assert!(used.into_service_error().is_resource_in_use_exception());
    ssm.deregister_patch_baseline_for_patch_group().baseline_id(&one).patch_group("web").send().await.unwrap();
    ssm.delete_patch_baseline().baseline_id(&one).send().await.unwrap();
}

#[tokio::test]
async fn image_builder_through_the_sdk() {
    use aws_sdk_imagebuilder::types::{ComponentConfiguration, Ownership, Platform};
    let bench = Bench::new();
    let builder = configure!(aws_sdk_imagebuilder, &bench);
    let create = || {
        let create = builder.create_component().name("patch linux").semantic_version("1.0.0").platform(Platform::Linux);
        create.data(BUILD).tags("amiforge:project", "acme")
    };
    let arn = create().send().await.unwrap().component_build_version_arn().unwrap().to_owned();
    assert_eq!(arn, "arn:aws:imagebuilder:eu-west-1:111122223333:component/patch-linux/1.0.0/1");
    let error = create().send().await.unwrap_err();
    assert_eq!(error.code(), Some("ResourceAlreadyExistsException"));
    assert!(error.message().unwrap().contains(&arn));
    let error = create().dry_run(true).data(BUILD.replace("build", "test")).send().await.unwrap_err();
    assert!(error.into_service_error().is_dry_run_operation_exception());
    let component = builder.get_component().component_build_version_arn(&arn).send().await.unwrap();
    assert_eq!(component.component().unwrap().data(), Some(BUILD));
    let infrastructure =
        builder.create_infrastructure_configuration().name("infra").instance_profile_name("p").send().await.unwrap();
    assert!(infrastructure.infrastructure_configuration_arn().is_some());
    let used = ComponentConfiguration::builder().component_arn(&arn).build().unwrap();
    let recipe = builder
        .create_image_recipe()
        .name("debian-12")
        .semantic_version("1.0.0")
        .parent_image("ssm:/aws/service/debian/release/12/latest/amd64")
        .components(used)
        .send()
        .await
        .unwrap();
    let recipe_arn = recipe.image_recipe_arn().unwrap();
    builder.tag_resource().resource_arn(recipe_arn).tags("a", "b").tags("c", "d").send().await.unwrap();
    builder.untag_resource().resource_arn(recipe_arn).tag_keys("a").tag_keys("x y").send().await.unwrap();
    let tags = builder.list_tags_for_resource().resource_arn(recipe_arn).send().await.unwrap();
    assert_eq!(tags.tags().unwrap().iter().collect::<Vec<_>>(), [(&"c".to_owned(), &"d".to_owned())]);
    let recipe = builder.get_image_recipe().image_recipe_arn(recipe_arn).send().await.unwrap();
    assert_eq!(recipe.image_recipe().unwrap().components()[0].component_arn(), arn);
    let listed = builder.list_components().owner(Ownership::SelfValue).send().await.unwrap();
    assert_eq!(listed.component_version_list().len(), 1);
    let error = builder.delete_component().component_build_version_arn(&arn).send().await.unwrap_err();
    assert!(error.into_service_error().is_resource_dependency_exception());
    builder.delete_image_recipe().image_recipe_arn(recipe_arn).send().await.unwrap();
    builder.delete_component().component_build_version_arn(&arn).send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_after_a_lost_answer_makes_nothing_twice() {
    let bench = Bench::new();
    let builder = configure!(aws_sdk_imagebuilder, &bench);
    bench.local.set_faults(Some(Box::new(|_, _, nth| (nth == 1).then_some(Fault::LoseResponse))));
    // The SDK repeats the call with the client token it made for it.
    let create = builder.create_component().name("abc").semantic_version("1.0.0").data(BUILD).platform("Linux".into());
    let made = create.send().await.unwrap();
    assert!(made.component_build_version_arn().unwrap().ends_with("/1.0.0/1"));
    let listed = builder.list_component_build_versions().send().await.unwrap();
    assert_eq!(listed.component_summary_list().len(), 1);
}

#[tokio::test]
async fn an_operation_that_is_missing_is_not_repeated() {
    use std::sync::atomic::{AtomicU64, Ordering};
    let bench = Bench::new();
    let ec2 = configure!(aws_sdk_ec2, &bench);
    let calls = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&calls);
    bench.local.set_faults(Some(Box::new(move |_, _, nth| {
        counter.store(nth, Ordering::SeqCst);
        None
    })));
    let error = ec2.describe_vpcs().send().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidAction"));
    assert!(error.message().unwrap().contains("DescribeVpcs of ec2"));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}
