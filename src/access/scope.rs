//! What a policy is narrowed to: the project, the account, the Region, and the names that the project's files hold.

use crate::project::{AwsConfig, EvidenceBucket, INSTANCE_PROFILE, Location, ParentReference, Project, Target};
use crate::render::promote_name;
use std::collections::{BTreeMap, BTreeSet};

/// One environment of one project, as far as policies depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Project name, the prefix of resource names.
    pub project: String,
    /// Environment name.
    pub environment: String,
    /// Where images are built.
    pub home: Location,
    /// The role that is assumed at home.
    pub home_role: Option<String>,
    /// Where promotions move pointers.
    pub targets: Vec<Target>,
    /// Instance profile of build instances.
    pub profile: String,
    /// The role in it.
    pub instance_role: String,
    /// Bucket of build logs.
    pub log_bucket: Option<String>,
    /// Bucket of long documents.
    pub document_bucket: Option<String>,
    /// Role of custom workflows.
    pub execution_role: Option<String>,
    /// Subnet and security groups of build instances.
    pub network: Option<(String, Vec<String>)>,
    /// Names of parameters that promotions move, with a `*` where the channel stands.
    pub pointers: BTreeSet<String>,
    /// Names of parameters that hold parent images.
    pub parents: BTreeSet<String>,
    /// Key in KMS that signs evidence, as the project names it.
    pub signing_key: Option<String>,
    /// Keys in KMS that are trusted, as the project names them.
    pub trusted_keys: Vec<String>,
    /// Where evidence is kept.
    pub evidence: Option<EvidenceBucket>,
    /// Other accounts whose keys encrypt images, as the environment names them.
    pub key_owners: BTreeSet<String>,
    /// Objects (`bucket/key`) that builds fetch: install override lists.
    pub objects: BTreeSet<String>,
}

impl Site {
    /// The site of an environment in AWS. The role of the instance profile is taken to have the profile's name unless
    /// `instance_role` says otherwise: nothing is asked of AWS here.
    #[must_use]
    pub fn of(project: &Project, environment: &str, config: &AwsConfig, instance_role: Option<&str>) -> Self {
        let profile = config.instance_profile.clone().unwrap_or_else(|| INSTANCE_PROFILE.to_owned());
        let network = config.subnet.clone().map(|subnet| (subnet, config.security_groups.clone()));
        let mut site = Self {
            project: project.name.clone(),
            environment: environment.to_owned(),
            home: config.home.clone(),
            home_role: config.role.clone(),
            targets: config.targets.clone(),
            instance_role: instance_role.unwrap_or(&profile).to_owned(),
            profile,
            log_bucket: config.log_bucket.clone(),
            document_bucket: config.document_bucket.clone(),
            execution_role: config.execution_role.clone(),
            network,
            pointers: BTreeSet::new(),
            parents: BTreeSet::new(),
            evidence: config.evidence.clone(),
            signing_key: project.signing.kms.clone(),
            trusted_keys: project.signing.trusted_kms.clone(),
            key_owners: config.encryption.kms_keys.values().filter_map(|key| owner(key)).collect(),
            objects: BTreeSet::new(),
        };
        for recipe in project.recipes.values() {
            let fetched = recipe.patch_overrides.iter().filter_map(|list| list.from.strip_prefix("s3://"));
            site.objects.extend(fetched.map(str::to_owned));
            for arch in &recipe.architectures {
                // A template that does not render was told when the project was read; all of its kind stands for it.
                let fill = |text: &str| promote_name(text, recipe, *arch, "*").unwrap_or_else(|_| "/*".to_owned());
                site.pointers.extend(recipe.promote.parameters.iter().map(|one| fill(&one.text)));
                if let ParentReference::Ssm(text) = &recipe.parent.reference {
                    site.parents.insert(fill(text));
                }
            }
        }
        site
    }

    /// The ARN partition of the environment.
    #[must_use]
    pub fn partition(&self) -> &'static str {
        self.home.partition()
    }

    /// Targets that the home credentials reach by themselves.
    pub(super) fn near(&self) -> Vec<Location> {
        let role = |target: &&Target| target.role.is_none() || target.role == self.home_role;
        let near = self.targets.iter().filter(role).map(|target| &target.location);
        near.filter(|place| place.account == self.home.account).cloned().collect()
    }

    /// The roles of targets that are assumed, each with its places.
    #[must_use]
    pub fn target_roles(&self) -> BTreeMap<String, Vec<Location>> {
        let near = self.near();
        let mut roles: BTreeMap<String, Vec<Location>> = BTreeMap::new();
        for Target { location, role } in self.targets.iter().filter(|target| !near.contains(&target.location)) {
            if let Some(role) = role {
                roles.entry(location.role_arn(role)).or_default().push(location.clone());
            }
        }
        roles
    }

    /// What builds write into the log bucket: the prefix is the infrastructure configuration's name.
    pub(super) fn log_objects(&self) -> Option<String> {
        let bucket = self.log_bucket.as_ref()?;
        Some(format!("arn:{}:s3:::{bucket}/{}-{}/*", self.partition(), self.project, self.environment))
    }

    /// The roles that are assumed from home, as ARNs: those of targets, and the home role's own.
    pub(super) fn assumed(&self) -> Vec<String> {
        let mut arns: BTreeSet<String> = BTreeSet::new();
        arns.extend(self.home_role.as_deref().map(|role| self.home.role_arn(role)));
        arns.extend(self.target_roles().into_keys());
        arns.into_iter().collect()
    }
}

/// The account of a key that is named by its ARN.
fn owner(key: &str) -> Option<String> {
    key.starts_with("arn:").then(|| key.split(':').nth(4).map(str::to_owned)).flatten()
}
