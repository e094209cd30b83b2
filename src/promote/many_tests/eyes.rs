//! What the database of the local environment says, read without a call.

use super::world::*;
use crate::aws::tags;
use crate::local::picture::{Picture, Row};
use crate::local::records::AMI;
use crate::project::Location;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Kinds of rows by which pointers and what they point to are known.
const TEMPLATE_KIND: &str = "ec2-launch-template";
const VERSION_KIND: &str = "ec2-launch-template-version";
const PARAMETER_KIND: &str = "ssm-parameter";
/// What parameters for app teams begin with.
const POINTERS: &str = "/golden/";

/// What the database says, read without a call.
#[derive(Debug, Default)]
pub(super) struct Eyes {
    places: BTreeMap<Location, Place>,
    amis: BTreeMap<String, Arc<Row>>,
}

/// One account in one Region.
#[derive(Debug, Default)]
struct Place {
    /// By name.
    templates: BTreeMap<String, Template>,
    /// By name.
    parameters: BTreeMap<String, Arc<Row>>,
}

#[derive(Debug, Default, Clone)]
struct Template {
    id: String,
    default_version: u64,
    /// The image of every version.
    versions: BTreeMap<u64, String>,
}

/// What a target points to, by the images at home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The default version, and its image.
    pub(super) template: Option<(u64, String)>,
    pub(super) parameter: Option<String>,
    pub(super) versions: usize,
}

/// Who looks, and what it was like when it began.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    pub(super) before: Arc<Eyes>,
    pub(super) places: Vec<Location>,
    /// How many of them may be done without.
    pub(super) missing: usize,
}

impl Watch {
    /// From how it is now, over all targets.
    pub(super) fn from(picture: &Picture) -> Self {
        Self { before: Arc::new(Eyes::on(picture)), places: places(), missing: 0 }
    }
}

impl Eyes {
    pub(super) fn on(picture: &Picture) -> Self {
        let mut eyes = Self::default();
        let mut versions: BTreeMap<(Location, String), BTreeMap<u64, String>> = BTreeMap::new();
        for row in picture.rows() {
            let place = || Location { account: row.key.account.clone(), region: row.key.region.clone() };
            match row.key.kind.as_str() {
                AMI => drop(eyes.amis.insert(row.key.id.clone(), Arc::clone(row))),
                TEMPLATE_KIND => {
                    let (value, id) = (row.value(), row.key.id.clone());
                    let default_version = value["default_version"].as_u64().unwrap();
                    let template = Template { id, default_version, versions: BTreeMap::new() };
                    let name = value["name"].as_str().unwrap().to_owned();
                    eyes.places.entry(place()).or_default().templates.insert(name, template);
                }
                VERSION_KIND => {
                    let id = row.key.id.split('/').next().unwrap().to_owned();
                    let image = row.value()["data"]["imageId"].as_str().unwrap().to_owned();
                    let number = row.value()["number"].as_u64().unwrap();
                    versions.entry((place(), id)).or_default().insert(number, image);
                }
                PARAMETER_KIND => {
                    let parameters = &mut eyes.places.entry(place()).or_default().parameters;
                    parameters.insert(row.key.id.clone(), Arc::clone(row));
                }
                _ => {}
            }
        }
        for (location, place) in &mut eyes.places {
            for template in place.templates.values_mut() {
                template.versions = versions.remove(&(location.clone(), template.id.clone())).unwrap_or_default();
            }
        }
        eyes
    }

    /// Whether what differs between two pictures has to do with pointers or what they point to.
    pub(super) fn concerns(one: &Picture, other: &Picture) -> bool {
        one.differences(other).into_iter().any(|(a, b)| {
            let key = &a.or(b).unwrap().key;
            match key.kind.as_str() {
                AMI | TEMPLATE_KIND | VERSION_KIND => true,
                PARAMETER_KIND => key.id.starts_with(POINTERS),
                _ => false,
            }
        })
    }

    pub(super) fn ami(&self, id: &str) -> &Value {
        self.amis.get(id).unwrap_or_else(|| panic!("no image {id}")).value()
    }

    /// The image at home that an image is, or is a copy of: what EC2 says, whatever tags say.
    pub(super) fn source(&self, id: &str) -> String {
        self.ami(id)["source"].as_str().unwrap_or(id).to_owned()
    }

    pub(super) fn parameter(&self, place: &Location, name: &str) -> Option<String> {
        let found = self.places.get(place)?.parameters.get(name)?.value();
        Some(found["versions"].as_array()?.last()?["value"].as_str()?.to_owned())
    }

    /// Number and image of every version of a target's template, and the default.
    pub(super) fn template(&self, place: &Location) -> Option<(u64, BTreeMap<u64, String>)> {
        let found = self.places.get(place)?.templates.get(TEMPLATE)?;
        Some((found.default_version, found.versions.clone()))
    }

    /// What every target points to, by `account/Region`.
    pub(super) fn targets(&self) -> BTreeMap<String, Target> {
        let target = |place: &Location| {
            let template = self.template(place);
            let versions = template.as_ref().map_or(0, |(_, all)| all.len());
            let template = template.map(|(default, all)| (default, self.source(&all[&default])));
            let parameter = self.parameter(place, PARAMETER).map(|ami| self.source(&ami));
            (format!("{}/{}", place.account, place.region), Target { template, parameter, versions })
        };
        places().iter().map(target).collect()
    }

    /// Whatever a place's users can see: the image that every launch template has by default and every parameter names, by
    /// the pointer's name.
    fn pointers(&self, place: &Location) -> BTreeMap<String, String> {
        let Some(place) = self.places.get(place) else { return BTreeMap::new() };
        let template = |(name, one): (&String, &Template)| {
            (format!("launch template {name}"), one.versions[&one.default_version].clone())
        };
        let parameter = |(name, row): (&String, &Arc<Row>)| {
            let value = row.value()["versions"].as_array()?.last()?["value"].as_str()?;
            Some((format!("parameter {name}"), value.to_owned()))
        };
        let named = place.parameters.iter().filter(|(name, _)| name.starts_with(POINTERS));
        place.templates.iter().map(template).chain(named.filter_map(parameter)).collect()
    }

    /// Nothing that anybody can see is unproven: whatever a target points to that it did not point to before is an available
    /// image with its evidence and the mark of approval, the target may launch it, and it is staged in every other target as
    /// well. A launch template that is made for the promotion is there before anything is flipped, as DESIGN's staging has it.
    pub(super) fn check(&self, watch: &Watch, case: &str) {
        let mut moved = BTreeSet::new();
        for place in &watch.places {
            let before = watch.before.pointers(place);
            for (name, ami) in self.pointers(place) {
                let is_new = match before.get(&name) {
                    Some(old) => *old != ami,
                    None => name.starts_with("parameter"),
                };
                if is_new {
                    self.proven(place, &ami, case);
                    moved.insert(self.source(&ami));
                }
            }
        }
        for source in moved {
            let lacks = |place: &&Location| !self.is_staged(place, &source);
            let missing: Vec<&Location> = watch.places.iter().filter(lacks).collect();
            assert!(missing.len() <= watch.missing, "{case}: {source} is in use and not staged at {missing:?}");
        }
    }

    fn proven(&self, place: &Location, id: &str, case: &str) {
        let ami = self.ami(id);
        let at = || format!("{case}: {id} at {place:?}: {ami}");
        assert_eq!(ami["state"], "available", "{}", at());
        let permitted = ami["launch_permissions"].as_array().unwrap().iter().any(|one| *one == *place.account);
        assert!(ami["owner"] == *place.account || permitted, "{}", at());
        assert_eq!(ami["tags"][tags::EVIDENCE], digest(&self.source(id)), "{}", at());
        assert!(ami["tags"].get(tags::APPROVED).is_some(), "{}", at());
    }

    /// Whether some version of a launch template of a place has an image or a copy of it.
    fn is_staged(&self, place: &Location, source: &str) -> bool {
        let templates = self.places.get(place).into_iter().flat_map(|place| place.templates.values());
        templates.flat_map(|one| one.versions.values()).any(|ami| self.source(ami) == source)
    }
}
