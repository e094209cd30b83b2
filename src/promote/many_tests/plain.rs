//! What the database of the local environment says, row by row, and ends by what users of a channel see: for deeds that are
//! tried in their own way.

use super::world::*;
use crate::aws::tags;
use crate::local::Fault;
use crate::local::picture::{Key, Picture};
use crate::local::records::AMI;
use crate::project::Location;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the database says, read without a call.
pub(super) struct Eyes {
    pub(super) rows: BTreeMap<(String, String, String, String), Value>,
}

/// What a target points to, by the images at home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The default version, and its image.
    pub(super) template: Option<(u64, String)>,
    pub(super) parameter: Option<String>,
    pub(super) versions: usize,
}

/// What there is at an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub(super) targets: BTreeMap<String, Target>,
    pub(super) record: Option<String>,
    /// Parameters of journals and locks: none.
    pub(super) books: Vec<String>,
    /// Images with the mark of approval, as copies of which image and where.
    pub(super) approved: Vec<(String, String)>,
}

impl Eyes {
    pub(super) fn on(picture: &Picture) -> Self {
        let row = |row: &std::sync::Arc<crate::local::picture::Row>| {
            let Key { account, region, kind, id } = (*row.key).clone();
            ((account, region, kind, id), row.value().clone())
        };
        Self { rows: picture.rows().map(row).collect() }
    }

    pub(super) fn of(&self, place: &Location, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        let (account, region, kind) = (place.account.clone(), place.region.clone(), kind.to_owned());
        self.rows
            .iter()
            .filter(move |((a, r, k, _), _)| *a == account && *r == region && *k == kind)
            .map(|((_, _, _, id), value)| (id.as_str(), value))
    }

    pub(super) fn amis(&self) -> impl Iterator<Item = &Value> {
        self.rows.iter().filter(|((_, _, kind, _), _)| kind == AMI).map(|(_, value)| value)
    }

    pub(super) fn ami(&self, id: &str) -> &Value {
        self.amis().find(|ami| ami["id"] == id).unwrap_or_else(|| panic!("no image {id}"))
    }

    /// The image at home that an image is, or is a copy of: what EC2 says, whatever tags say.
    pub(super) fn source(&self, id: &str) -> String {
        self.ami(id)["source"].as_str().unwrap_or(id).to_owned()
    }

    pub(super) fn parameter(&self, place: &Location, name: &str) -> Option<String> {
        let found = self.of(place, "ssm-parameter").find(|(id, _)| *id == name)?.1;
        Some(found["versions"].as_array()?.last()?["value"].as_str()?.to_owned())
    }

    /// Number and image of every version of a target's template, and the default.
    pub(super) fn template(&self, place: &Location) -> Option<(u64, BTreeMap<u64, String>)> {
        let (id, template) = self.of(place, "ec2-launch-template").find(|(_, one)| one["name"] == TEMPLATE)?;
        let versions = self.of(place, "ec2-launch-template-version").filter(|(key, _)| key.starts_with(id));
        let image = |one: &Value| one["data"]["imageId"].as_str().unwrap().to_owned();
        let versions = versions.map(|(_, one)| (one["number"].as_u64().unwrap(), image(one))).collect();
        Some((template["default_version"].as_u64().unwrap(), versions))
    }

    pub(super) fn end(&self) -> End {
        let home = &places()[0];
        let target = |place: &Location| {
            let template = self.template(place);
            let (versions, default) = match &template {
                Some((default, all)) => (all.len(), Some((*default, self.source(&all[default])))),
                None => (0, None),
            };
            let parameter = self.parameter(place, PARAMETER).map(|ami| self.source(&ami));
            (format!("{}/{}", place.account, place.region), Target { template: default, parameter, versions })
        };
        let books = self.of(home, "ssm-parameter").map(|(id, _)| id.to_owned());
        let record = self.of(home, "ssm-parameter").find(|(id, _)| *id == "/amiforge/acme/debian-12/x86_64/candidate");
        let amis = self.amis().filter(|ami| ami["tags"].get(tags::APPROVED).is_some());
        let mut approved: Vec<(String, String)> = amis
            .map(|ami| (self.source(ami["id"].as_str().unwrap()), ami["owner"].as_str().unwrap().to_owned()))
            .collect();
        approved.sort();
        End {
            targets: places().iter().map(target).collect(),
            record: record.map(|(_, one)| Self::recorded(one)),
            books: books.filter(|id| id.contains("/journal/") || id.contains("/locks/")).collect(),
            approved,
        }
    }

    /// The release that the record is about: the id of its promotion stands in it also when it is packed.
    pub(super) fn recorded(parameter: &Value) -> String {
        let text = parameter["versions"].as_array().unwrap().last().unwrap()["value"].as_str().unwrap();
        let head: Value = serde_json::from_str(text).unwrap();
        head["id"].as_str().unwrap().to_owned()
    }
}

pub(super) const FAULTS: [Fault; 4] = [Fault::Deny, Fault::LoseResponse, Fault::Fail, Fault::Throttle];

/// Numbers that look like chance and are the same for the same seed (splitmix64).
pub(super) fn chance(state: &AtomicU64) -> u64 {
    let mut z = state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
