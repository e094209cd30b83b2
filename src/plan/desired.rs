//! What should be in the account, from the project alone.

use super::configuration::{distribution, infrastructure, pipeline, tagged};
use super::fingerprint::digest;
use super::model::{
    ComponentContent, Desired, DesiredComponent, DesiredInfrastructure, DesiredRecipe, DesiredWorkflow,
};
use crate::aws::tags;
use crate::project::{EnvironmentConfig, Project, Recipe};
use crate::render::{RenderedComponent, RenderedRecipe};
use serde_json::json;

/// What should be there for one recipe and architecture. `parent_ami` is the AMI the recipe starts from: its id is
/// part of the fingerprint, so a new parent image makes a new recipe version.
#[must_use]
pub fn desired(
    project: &Project,
    rendered: &RenderedRecipe,
    recipe: &Recipe,
    config: &EnvironmentConfig,
    parent_ami: &str,
) -> Desired {
    let environment = environment_name(project, config);
    let infrastructure = infrastructure(project, &environment, config);
    let components: Vec<_> = rendered.components.iter().map(|component| self::component(project, component)).collect();
    let workflows = super::workflow::desired(project, recipe);
    let distribution = distribution(project, rendered, config);
    let pipeline = pipeline(project, rendered, recipe);
    let baseline = super::baseline::desired(project, recipe);
    let recipe = self::recipe(
        project,
        rendered,
        recipe,
        parent_ami,
        &Parts {
            components: &components,
            workflows: &workflows,
            infrastructure: &infrastructure,
            kms_key: key(recipe, config),
        },
    );
    Desired {
        project: project.name.clone(),
        environment,
        arch: rendered.arch.name().to_owned(),
        components,
        recipe,
        workflows,
        infrastructure,
        distribution,
        pipeline,
        baseline,
    }
}

/// The key of the root volume: that of the environment's home Region, when the recipe encrypts at all.
fn key<'a>(recipe: &Recipe, config: &'a EnvironmentConfig) -> Option<&'a str> {
    config.kms_key(config.home_region()).filter(|_| recipe.root_volume.encrypted)
}

/// The name under which the project has these settings. Environments with equal settings are the same place.
fn environment_name(project: &Project, config: &EnvironmentConfig) -> String {
    let named = project.environments.iter().find(|(_, known)| *known == config);
    named.map_or_else(|| "local".to_owned(), |(name, _)| name.clone())
}

fn component(project: &Project, rendered: &RenderedComponent) -> DesiredComponent {
    let content = ComponentContent {
        document: rendered.document.text.clone(),
        description: rendered.description.clone(),
        supported_os: rendered.supported_os.clone(),
    };
    let fingerprint = digest(&json!({
        "schema": "amiforge.component/1",
        "name": rendered.resource_name,
        "platform": rendered.platform,
        "document": content.document,
        "description": content.description,
        "supported_os": content.supported_os,
    }));
    let own = [(tags::COMPONENT, rendered.name.as_str()), (tags::FINGERPRINT, &fingerprint)];
    DesiredComponent {
        name: rendered.name.clone(),
        resource_name: rendered.resource_name.clone(),
        platform: rendered.platform.to_owned(),
        content,
        parameters: rendered.parameters.clone(),
        tags: tagged(project, &own),
        fingerprint,
    }
}

/// What a recipe's fingerprint covers beside the recipe.
struct Parts<'a> {
    components: &'a [DesiredComponent],
    workflows: &'a [DesiredWorkflow],
    infrastructure: &'a DesiredInfrastructure,
    kms_key: Option<&'a str>,
}

fn recipe(
    project: &Project,
    rendered: &RenderedRecipe,
    recipe: &Recipe,
    parent_ami: &str,
    parts: &Parts<'_>,
) -> DesiredRecipe {
    let (components, infrastructure) = (parts.components, parts.infrastructure);
    let ami_tags = tagged(project, &[(tags::RECIPE, &rendered.recipe)]);
    let working_directory = if rendered.platform == "Windows" { "C:/" } else { "/tmp" };
    let used: Vec<_> = components
        .iter()
        .map(|component| json!({ "fingerprint": component.fingerprint, "parameters": component.parameters }))
        .collect();
    let mut content = json!({
        "schema": "amiforge.recipe/1",
        "name": rendered.resource_name,
        "version": [recipe.version.0, recipe.version.1],
        "description": rendered.description,
        "platform": rendered.platform,
        "parent": parent_ami,
        "components": used,
        "root_volume": {
            "device": rendered.root_device,
            "size_gib": recipe.root_volume.size_gib,
            "type": recipe.root_volume.volume_type,
            "encrypted": recipe.root_volume.encrypted,
        },
        "working_directory": working_directory,
        "ami_tags": ami_tags,
        // An initial RAM disk may fit the hardware it was made on, and the profile decides what a build can fetch.
        "built_on": { "instance_types": infrastructure.instance_types, "profile": infrastructure.instance_profile },
    });
    // Only where there are any: images that were built before there could be some keep their fingerprint.
    if let Some(key) = parts.kms_key {
        content["root_volume"]["kms_key"] = json!(key);
    }
    if !parts.workflows.is_empty() {
        content["workflows"] = parts.workflows.iter().map(DesiredWorkflow::value).collect();
    }
    let fingerprint = digest(&content);
    let own = [(tags::RECIPE, rendered.recipe.as_str()), (tags::FINGERPRINT, &fingerprint)];
    DesiredRecipe {
        name: rendered.recipe.clone(),
        resource_name: rendered.resource_name.clone(),
        version: recipe.version,
        description: rendered.description.clone(),
        platform: rendered.platform.to_owned(),
        parent_ami: parent_ami.to_owned(),
        root_device: rendered.root_device.to_owned(),
        volume_gib: recipe.root_volume.size_gib,
        volume_type: recipe.root_volume.volume_type.clone(),
        encrypted: recipe.root_volume.encrypted,
        kms_key: parts.kms_key.map(str::to_owned),
        working_directory: working_directory.to_owned(),
        ami_tags,
        tags: tagged(project, &own),
        fingerprint,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::diagnostic::{SourceFile, Span};
    use crate::project::{
        Arch, AwsConfig, Encryption, Gates, LOCAL_REGION, LocalConfig, Os, Parent, ParentReference, Promote, RootVolume,
    };
    use std::collections::BTreeMap;

    /// A project with one recipe whose components are `(name, document)`.
    pub(in crate::plan) fn fixture(components: &[(&str, &str)]) -> (Project, RenderedRecipe, Recipe) {
        let source = SourceFile::new("recipes/debian-12.yaml", "name: debian-12\n");
        let recipe = Recipe {
            name: "debian-12".into(),
            os: Os::Debian12,
            architectures: vec![Arch::X86_64],
            version: (1, 0),
            parent: Parent { reference: ParentReference::Ssm("/p".into()), local: None },
            build: vec![],
            test: vec![],
            baseline: "AWS-DebianDefaultPatchBaseline".into(),
            patch_overrides: None,
            root_volume: RootVolume { size_gib: 8, volume_type: "gp3".into(), encrypted: true },
            gates: Gates::default(),
            workflows: vec![],
            pipeline: None,
            promote: Promote { launch_templates: vec!["lt".into()], parameters: vec!["/golden".into()] },
            source: source.clone(),
            span: Span::default(),
        };
        let rendered = RenderedRecipe {
            recipe: "debian-12".into(),
            resource_name: "acme-debian-12-x86-64".into(),
            os: Os::Debian12,
            arch: Arch::X86_64,
            platform: "Linux",
            parent: ParentReference::Ssm("/p".into()),
            components: components
                .iter()
                .map(|(name, text)| RenderedComponent {
                    name: (*name).into(),
                    resource_name: format!("acme-{name}"),
                    test: false,
                    platform: "Linux",
                    supported_os: vec![],
                    description: String::new(),
                    document: SourceFile::new(format!("components/{name}.yaml"), *text),
                    parameters: BTreeMap::new(),
                })
                .collect(),
            description: "Debian 12".into(),
            root_device: "/dev/xvda",
        };
        let project = Project {
            root: "/p".into(),
            name: "acme".into(),
            environments: BTreeMap::from([("local".into(), local())]),
            channels: vec![],
            tags: BTreeMap::from([("owner".into(), "platform".into())]),
            lint: crate::project::LintConfig::default(),
            gates: crate::project::ProjectGates::default(),
            waivers: vec![],
            signing: crate::project::Signing::default(),
            recipes: BTreeMap::new(),
            components: BTreeMap::new(),
            partials: BTreeMap::new(),
            workflows: BTreeMap::new(),
            baselines: BTreeMap::new(),
            warnings: vec![],
            memory: std::sync::Arc::default(),
        };
        (project, rendered, recipe)
    }

    pub(in crate::plan) fn local() -> EnvironmentConfig {
        EnvironmentConfig::Local(LocalConfig::default())
    }

    /// The desired state of [`fixture`] on a parent AMI.
    pub(in crate::plan) fn of(components: &[(&str, &str)], parent: &str) -> Desired {
        let (project, rendered, recipe) = fixture(components);
        desired(&project, &rendered, &recipe, &local(), parent)
    }

    #[test]
    fn every_input_changes_the_fingerprint_of_the_image() {
        let base = of(&[("a", "one"), ("b", "two")], "ami-1").recipe.fingerprint;
        assert_eq!(base, of(&[("a", "one"), ("b", "two")], "ami-1").recipe.fingerprint);
        assert_ne!(base, of(&[("a", "ONE"), ("b", "two")], "ami-1").recipe.fingerprint, "a document");
        assert_ne!(base, of(&[("b", "two"), ("a", "one")], "ami-1").recipe.fingerprint, "the order");
        assert_ne!(base, of(&[("a", "one"), ("b", "two")], "ami-2").recipe.fingerprint, "the parent");
        let (mut project, mut rendered, mut recipe) = fixture(&[("a", "one"), ("b", "two")]);
        rendered.components[0].parameters.insert("scope".into(), "security".into());
        assert_ne!(base, desired(&project, &rendered, &recipe, &local(), "ami-1").recipe.fingerprint, "a parameter");
        rendered.components[0].parameters.clear();
        recipe.root_volume.size_gib = 9;
        assert_ne!(base, desired(&project, &rendered, &recipe, &local(), "ami-1").recipe.fingerprint, "the volume");
        recipe.root_volume.size_gib = 8;
        project.tags.insert("cost".into(), "1".into());
        assert_ne!(base, desired(&project, &rendered, &recipe, &local(), "ami-1").recipe.fingerprint, "AMI tags");
    }

    #[test]
    fn parameters_and_tags_are_no_part_of_a_component() {
        let (mut project, mut rendered, recipe) = fixture(&[("a", "one")]);
        let before = desired(&project, &rendered, &recipe, &local(), "ami-1");
        rendered.components[0].parameters.insert("scope".into(), "security".into());
        project.tags.clear();
        let after = desired(&project, &rendered, &recipe, &local(), "ami-1");
        assert_eq!(before.components[0].fingerprint, after.components[0].fingerprint);
    }

    #[test]
    fn a_log_bucket_changes_the_infrastructure_and_not_the_image() {
        let (mut project, rendered, recipe) = fixture(&[("a", "one")]);
        let home = crate::project::Location { account: "111122223333".into(), region: "us-east-1".into() };
        let mut aws = AwsConfig { instance_types: vec!["m7i.large".into()], ..AwsConfig::at(home) };
        let mut make = |aws: &AwsConfig| {
            project.environments.insert("prod".into(), EnvironmentConfig::Aws(aws.clone()));
            desired(&project, &rendered, &recipe, &EnvironmentConfig::Aws(aws.clone()), "ami-1")
        };
        let before = make(&aws);
        assert_eq!(before.infrastructure.name, "acme-prod");
        aws.log_bucket = Some("logs".into());
        let after = make(&aws);
        assert_eq!(before.recipe.fingerprint, after.recipe.fingerprint);
        assert_ne!(before.infrastructure.fingerprint, after.infrastructure.fingerprint);
        aws.instance_types = vec!["m7g.large".into()];
        assert_ne!(after.recipe.fingerprint, make(&aws).recipe.fingerprint);
    }

    #[test]
    fn the_key_of_the_home_region_encrypts_the_root_volume_and_no_other_does() {
        let (project, rendered, mut recipe) = fixture(&[("a", "one")]);
        let make = |recipe: &Recipe, region: &str| {
            let kms_keys = BTreeMap::from([(region.to_owned(), "alias/golden".to_owned())]);
            let encryption = Encryption { kms_keys, ..Encryption::default() };
            let config = EnvironmentConfig::Local(LocalConfig { encryption, ..LocalConfig::default() });
            desired(&project, &rendered, recipe, &config, "ami-1").recipe
        };
        let (home, far) = (make(&recipe, LOCAL_REGION), make(&recipe, "eu-west-1"));
        assert_eq!((home.kms_key.as_deref(), far.kms_key.as_deref()), (Some("alias/golden"), None));
        let plain = of(&[("a", "one")], "ami-1").recipe.fingerprint;
        assert_ne!(home.fingerprint, plain, "it is another image");
        assert_eq!(far.fingerprint, plain);
        recipe.root_volume.encrypted = false;
        assert_eq!(make(&recipe, LOCAL_REGION).kms_key, None);
    }

    #[test]
    fn own_tags_win_over_the_projects() {
        let (mut project, rendered, recipe) = fixture(&[("a", "one")]);
        project.tags.insert(tags::PROJECT.into(), "other".into());
        let made = desired(&project, &rendered, &recipe, &local(), "ami-1");
        assert_eq!(made.components[0].tags[tags::PROJECT], "acme");
        assert_eq!(made.recipe.tags[tags::FINGERPRINT], made.recipe.fingerprint);
        assert_eq!(made.recipe.ami_tags["owner"], "platform");
    }
}
