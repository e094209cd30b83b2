//! What there is at an end, in a form in which ends can be compared.

use super::super::document;
use super::super::model::{Placed, Release};
use super::world::*;
use crate::aws::tags;
use crate::local::picture::Picture;
use crate::local::records::AMI;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What there is at an end: everything but what nobody can tell apart, such as how often a parameter was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct End {
    /// Everything in every account and Region, besides the books at home: launch templates and their versions, images with
    /// tags and permissions, snapshots, parameters.
    pub(super) rows: BTreeMap<String, Value>,
    /// What the channel's record says.
    pub(super) record: Option<Release>,
    /// Parameters that the record has beside its own.
    pub(super) parts: Vec<String>,
    /// Parameters of journals and locks: none.
    pub(super) books: Vec<String>,
}

/// What nobody sees: what makes repeated calls safe, and the environment's keys.
const HIDDEN: [&str; 2] = ["client-token", "local-secret"];
/// What our own parameters at home begin with.
const OURS: &str = "/amiforge/";

impl End {
    pub(super) fn of(picture: &Picture) -> Self {
        let mut end = Self { rows: BTreeMap::new(), record: None, parts: vec![], books: vec![] };
        let mut ours = BTreeMap::new();
        for row in picture.rows().filter(|row| !HIDDEN.contains(&row.key.kind.as_str())) {
            let (key, value) = (&row.key, row.value());
            if key.kind == "ssm-parameter" && key.id.starts_with(OURS) {
                let value = value["versions"].as_array().unwrap().last().unwrap()["value"].as_str().unwrap();
                ours.insert(key.id.clone(), value.to_owned());
                continue;
            }
            let name = format!("{}/{} {} {}", key.account, key.region, key.kind, key.id);
            end.rows.insert(name, comparable(&key.kind, value));
        }
        end.record = ours.contains_key(RECORD).then(|| recorded(&ours));
        for name in ours.into_keys().filter(|name| name != RECORD) {
            let is_part = name.starts_with(&format!("{RECORD}/"));
            if is_part { end.parts.push(name) } else { end.books.push(name) }
        }
        end
    }

    /// Id of the promotion that the record is of.
    pub(super) fn id(&self) -> Option<&str> {
        self.record.as_ref().map(|release| release.id.as_str())
    }

    /// This end as it is to be when the targets that `other` has left out are as they were at the `old` end.
    pub(super) fn without(&self, other: &Self, old: &Self) -> Self {
        let left_out = other.record.as_ref().map(|release| release.left_out.clone()).unwrap_or_default();
        if left_out.is_empty() {
            return self.clone();
        }
        let places: Vec<String> = left_out.iter().map(|one| format!("{}/{} ", one.account, one.region)).collect();
        let regions: Vec<String> = left_out.iter().map(|one| format!("/{} ", one.region)).collect();
        let is_out = |name: &String| !is_image(name) && places.iter().any(|place| name.starts_with(place));
        // Whether there is a copy that only such targets would use is left open.
        let is_open = |name: &String| is_image(name) && regions.iter().any(|region| name.contains(region));
        let pick = |end: &Self, wanted: &dyn Fn(&String) -> bool| {
            end.rows.clone().into_iter().filter(|(name, _)| wanted(name)).collect::<Vec<_>>()
        };
        let stays = |name: &String| !is_out(name) && !is_open(name);
        let rows = [pick(self, &stays), pick(old, &is_out), pick(other, &is_open)].concat();
        let record = self.record.clone().map(|release| {
            let stays = |one: &Placed| !places.contains(&format!("{}/{} ", one.account, one.region));
            Release { targets: release.targets.into_iter().filter(stays).collect(), left_out, ..release }
        });
        // The text of the record has another length.
        Self { rows: rows.into_iter().collect(), record, parts: other.parts.clone(), books: self.books.clone() }
    }

    /// This end without what an undone promotion leaves where it was `old` before: copies that nothing points to and nobody
    /// approves, accounts to which images were opened, and grants on their keys.
    pub(super) fn swept(&self, old: &Self) -> Self {
        let mut rows = self.rows.clone();
        rows.retain(|name, value| {
            let approved = || value["tags"].get(tags::APPROVED).is_some();
            let left = if is_image(name) { !approved() } else { name.contains(" kms-grant ") };
            old.rows.contains_key(name) || !left
        });
        for (name, value) in &mut rows {
            let Some(before) = old.rows.get(name) else { continue };
            for list in ["launch_permissions", "accounts"] {
                if let (Some(now), Some(then)) = (value.get_mut(list), before.get(list))
                    && contains(now, then)
                {
                    *now = then.clone();
                }
            }
        }
        Self { rows, ..self.clone() }
    }

    /// What differs, for people.
    pub(super) fn difference(&self, other: &Self) -> String {
        let mut told = String::new();
        let names: std::collections::BTreeSet<_> = self.rows.keys().chain(other.rows.keys()).collect();
        for name in names.into_iter().filter(|name| self.rows.get(*name) != other.rows.get(*name)) {
            let _ = writeln!(told, "  {name}:\n    {:?}\n    {:?}", self.rows.get(name), other.rows.get(name));
        }
        let rest = |end: &Self| format!("{:#?}\n{:?}\n{:?}", end.record, end.parts, end.books);
        if rest(self) != rest(other) {
            let _ = writeln!(told, "{}\nand\n{}", rest(self), rest(other));
        }
        told
    }
}

/// Whether a row is about an image, which is left when a promotion is undone.
fn is_image(name: &str) -> bool {
    name.split(' ').nth(1).is_some_and(|kind| [AMI, "ec2-snapshot"].contains(&kind))
}

fn contains(now: &Value, then: &Value) -> bool {
    let (Some(now), Some(then)) = (now.as_array(), then.as_array()) else { return false };
    then.iter().all(|one| now.contains(one))
}

/// A row without what does not matter.
fn comparable(kind: &str, value: &Value) -> Value {
    let mut value = value.clone();
    match kind {
        // Numbers are not used again.
        "ec2-launch-template" => drop(value.as_object_mut().unwrap().remove("last_version")),
        "ssm-parameter" => {
            let last = value["versions"].as_array().unwrap().last().unwrap();
            let last = json!([last["value"], last["data_type"], last["tier"], last["description"]]);
            value["versions"] = last;
        }
        _ => {}
    }
    value
}

/// What the record says, without how often parameters were written and who has finished it.
fn recorded(ours: &BTreeMap<String, String>) -> Release {
    let mut release: Release = serde_json::from_str(&document::whole_among(RECORD, ours).unwrap()).unwrap();
    for parameter in release.targets.iter_mut().flat_map(|placed| &mut placed.parameters) {
        parameter.version = 0;
    }
    release.resumed_by.clear();
    release
}
