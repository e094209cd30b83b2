//! What the database of the local environment says, read without a call.

use super::world::*;
use crate::aws::tags;
use crate::local::records::AMI;
use crate::local::store::Dump;
use crate::project::Location;
use serde_json::Value;
use std::collections::BTreeMap;

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
    pub(super) fn on(dump: &Dump) -> Self {
        let parse = |row: &[String; 5]| {
            let [account, region, kind, id, body] = row.clone();
            ((account, region, kind, id), serde_json::from_str(&body).unwrap())
        };
        Self { rows: dump.iter().map(parse).collect() }
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

    /// The image at home that an image is, or is a copy of.
    pub(super) fn source(&self, id: &str) -> String {
        self.ami(id)["tags"][tags::SOURCE].as_str().unwrap_or(id).to_owned()
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

    /// Nothing that anybody can see is unproven: whatever a target points to besides `before` is an available image with
    /// its evidence and the mark of approval, the target may launch it, and it is staged in every other target as well.
    pub(super) fn check(&self, before: &Eyes, place_of_case: &str) {
        for place in places() {
            let old = before.template(&place).map(|(default, all)| all[&default].clone());
            let now = self.template(&place).map(|(default, all)| all[&default].clone());
            let old_parameter = before.parameter(&place, PARAMETER);
            let new_parameter = self.parameter(&place, PARAMETER);
            // A template that was made for the promotion is there before anything is flipped, as DESIGN's staging has it.
            let created = old.is_none();
            let flipped = [(old, now.filter(|_| !created)), (old_parameter, new_parameter)];
            for ami in flipped.into_iter().filter(|(old, now)| old != now).filter_map(|(_, now)| now) {
                self.proven(&place, &ami, place_of_case);
            }
        }
    }

    pub(super) fn proven(&self, place: &Location, id: &str, case: &str) {
        let ami = self.ami(id);
        let at = format!("{case}: {id} at {place:?}: {ami}");
        assert_eq!(ami["state"], "available", "{at}");
        let permitted = ami["launch_permissions"].as_array().unwrap().iter().any(|one| *one == *place.account);
        assert!(ami["owner"] == *place.account || permitted, "{at}");
        let source = self.source(id);
        assert_eq!(ami["tags"][tags::EVIDENCE], digest(&source), "{at}");
        assert!(ami["tags"].get(tags::APPROVED).is_some(), "{at}");
        for other in places() {
            let staged =
                self.template(&other).is_some_and(|(_, all)| all.values().any(|ami| self.source(ami) == source));
            assert!(staged, "{at}: nothing is staged at {other:?}");
        }
    }
}
