//! Versions in what a group launches from: a launch template, or a mixed instances policy, which can name several.

use super::note::Tracks;
use aws_sdk_autoscaling::types::{
    AutoScalingGroup, DesiredConfiguration, LaunchTemplateOverrides, LaunchTemplateSpecification, MixedInstancesPolicy,
};

/// What the service takes for a version that is not named.
pub(super) const DEFAULT: &str = "$Default";

/// What a group launches from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Launch {
    /// A launch configuration, the older kind, which has no versions.
    Configuration(String),
    Template(LaunchTemplateSpecification),
    Mixed(Box<MixedInstancesPolicy>),
    /// Nothing that is known here.
    Nothing,
}

/// A place in it that names a launch template: 0 is the main one, 1 and up are overrides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spot<'a> {
    pub(super) at: usize,
    specification: &'a LaunchTemplateSpecification,
}

impl Spot<'_> {
    /// Whether it names that template, by id or by name.
    pub(super) fn names(&self, id: Option<&str>, name: &str) -> bool {
        match (&self.specification.launch_template_id, id) {
            (Some(own), Some(id)) => own == id,
            _ => self.specification.launch_template_name.as_deref() == Some(name),
        }
    }

    /// The version as it stands there.
    pub(super) fn version(&self) -> &str {
        self.specification.version.as_deref().unwrap_or(DEFAULT)
    }

    /// Its number; absent when it tracks.
    pub(super) fn number(&self) -> Option<i64> {
        self.version().parse().ok()
    }
}

impl Launch {
    /// Of a group.
    pub(super) fn of(group: &AutoScalingGroup) -> Self {
        match (&group.launch_template, &group.mixed_instances_policy, &group.launch_configuration_name) {
            (Some(template), ..) => Self::Template(template.clone()),
            (_, Some(policy), _) => Self::Mixed(Box::new(policy.clone())),
            (.., Some(name)) => Self::Configuration(name.clone()),
            _ => Self::Nothing,
        }
    }

    /// Of what a refresh brings a group to.
    pub(super) fn desired(desired: Option<&DesiredConfiguration>) -> Self {
        let Some(desired) = desired else { return Self::Nothing };
        match (&desired.launch_template, &desired.mixed_instances_policy) {
            (Some(template), _) => Self::Template(template.clone()),
            (_, Some(policy)) => Self::Mixed(Box::new(policy.clone())),
            _ => Self::Nothing,
        }
    }

    /// The overrides of a policy.
    pub(super) fn overrides(&self) -> &[LaunchTemplateOverrides] {
        match self {
            Self::Mixed(policy) => policy.launch_template.as_ref().map_or(&[], |template| template.overrides()),
            _ => &[],
        }
    }

    /// Every place that names a launch template.
    pub(super) fn spots(&self) -> Vec<Spot<'_>> {
        let main = match self {
            Self::Template(one) => Some(one),
            Self::Mixed(policy) => {
                policy.launch_template.as_ref().and_then(|template| template.launch_template_specification.as_ref())
            }
            Self::Configuration(_) | Self::Nothing => None,
        };
        let own = self.overrides().iter().enumerate();
        let own = own.filter_map(|(index, one)| Some((index + 1, one.launch_template_specification.as_ref()?)));
        let main = main.into_iter().map(|one| (0, one));
        main.chain(own).map(|(at, specification)| Spot { at, specification }).collect()
    }

    /// The places that name this template.
    pub(super) fn spots_of(&self, id: Option<&str>, name: &str) -> Vec<Spot<'_>> {
        self.spots().into_iter().filter(|spot| spot.names(id, name)).collect()
    }

    /// The same with another version at each of these places.
    pub(super) fn with(&self, versions: &Tracks) -> Self {
        let mut launch = self.clone();
        for (at, version) in versions {
            if let Some(one) = launch.specification(*at) {
                one.version = Some(version.clone());
            }
        }
        launch.slim();
        launch
    }

    fn specification(&mut self, at: usize) -> Option<&mut LaunchTemplateSpecification> {
        match self {
            Self::Template(one) => (at == 0).then_some(one),
            Self::Mixed(policy) => {
                let template = policy.launch_template.as_mut()?;
                match at.checked_sub(1) {
                    None => template.launch_template_specification.as_mut(),
                    Some(index) => template.overrides.as_mut()?.get_mut(index)?.launch_template_specification.as_mut(),
                }
            }
            Self::Configuration(_) | Self::Nothing => None,
        }
    }

    /// Takes the names out where there are ids: answers have both, requests may have one.
    fn slim(&mut self) {
        let all: Vec<usize> = self.spots().iter().map(|spot| spot.at).collect();
        for at in all {
            if let Some(one) = self.specification(at).filter(|one| one.launch_template_id.is_some()) {
                one.launch_template_name = None;
            }
        }
    }

    /// As a request to the service has it.
    pub(super) fn parts(&self) -> (Option<LaunchTemplateSpecification>, Option<MixedInstancesPolicy>) {
        match self {
            Self::Template(one) => (Some(one.clone()), None),
            Self::Mixed(policy) => (None, Some((**policy).clone())),
            Self::Configuration(_) | Self::Nothing => (None, None),
        }
    }

    /// As a refresh has it.
    pub(super) fn as_desired(&self) -> DesiredConfiguration {
        let (template, policy) = self.parts();
        DesiredConfiguration::builder().set_launch_template(template).set_mixed_instances_policy(policy).build()
    }

    /// The versions of these places, for people: one word when all are the same.
    pub(super) fn versions(&self, id: Option<&str>, name: &str) -> String {
        let mut all: Vec<&str> = Vec::new();
        let spots = self.spots_of(id, name);
        for spot in &spots {
            if !all.contains(&spot.version()) {
                all.push(spot.version());
            }
        }
        all.join(", ")
    }
}
