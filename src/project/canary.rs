//! `channels.NAME.canary`: whether a real instance proves that a release can be launched.

use super::fields::{Fields, Findings};
use super::{codes, environment_settings, settings};
use crate::yaml::Node;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What is waited for; each one in front of the next.
pub(super) const CHECKS: [&str; 3] = ["running", "status", "ssm"];
/// Words for where canaries are launched, besides a list of Regions.
pub(super) const PLACES: [&str; 2] = ["all", "home"];
/// How long it is waited when nothing is said: an instance runs after seconds, its status checks are over after some minutes.
pub(super) const TIMEOUT: Duration = Duration::from_mins(10);

/// A real instance from the staged launch template version, in the places of a promotion, before anything is moved. It shows what
/// a dry run cannot: that the account may use the key of the snapshots, and that the image comes up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// Where.
    pub places: CanaryPlaces,
    /// What is waited for.
    pub check: CanaryCheck,
    /// How long.
    pub timeout: Duration,
    /// Instead of the launch template's instance type.
    pub instance_type: Option<String>,
    /// Instead of the launch template's subnet; with [`CanaryPlaces::Home`] only, because a subnet is of one account and Region.
    pub subnet: Option<String>,
}

impl Default for Canary {
    fn default() -> Self {
        Self {
            places: CanaryPlaces::All,
            check: CanaryCheck::Running,
            timeout: TIMEOUT,
            instance_type: None,
            subnet: None,
        }
    }
}

/// Where canaries are launched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CanaryPlaces {
    /// In every account and Region of the promotion.
    All,
    /// In the home account and Region.
    Home,
    /// In these Regions, in every account.
    Regions(Vec<String>),
}

/// What an instance must have come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CanaryCheck {
    /// It is `running`.
    Running,
    /// Both status checks of EC2 are `ok`, too.
    Status,
    /// Its agent is online in Systems Manager, too.
    Ssm,
}

/// The canary of a channel: `true` for the usual one, or a mapping.
pub(super) fn read(fields: &mut Fields<'_>, out: &mut Findings) -> Option<Canary> {
    let path = fields.path("canary");
    let node = fields.take("canary")?;
    match node.as_bool() {
        Some(wanted) => return wanted.then(Canary::default),
        None if node.entries().is_none() => {
            out.wrong_type(&path, "true, false or a mapping", node);
            return None;
        }
        None => {}
    }
    let mut own = Fields::new(node, &path, false, out)?;
    let check = match own.choice("check", &CHECKS, out) {
        Some("status") => CanaryCheck::Status,
        Some("ssm") => CanaryCheck::Ssm,
        _ => CanaryCheck::Running,
    };
    let timeout = own.duration("timeout", out);
    let places = places(&mut own, out);
    let read = Canary {
        places,
        check,
        timeout: timeout.unwrap_or(TIMEOUT),
        instance_type: own.text("instance_type", out),
        subnet: own.text("subnet", out),
    };
    own.finish(out);
    if let (Some(_), true, Some((key, _))) = (&read.subnet, read.places != CanaryPlaces::Home, node.entry("subnet")) {
        let message = format!("`{path}.subnet` needs `places: home`");
        let found = out.error(codes::NOT_ALLOWED, key.span, message, "in which account and Region?");
        found.help.push("leave it out: the launch template's subnet is used, or the default network".to_owned());
    }
    Some(read)
}

fn places(fields: &mut Fields<'_>, out: &mut Findings) -> CanaryPlaces {
    let path = fields.path("places");
    let Some(node) = fields.take("places") else { return CanaryPlaces::All };
    if node.items().is_some() {
        let items: &[Node] = settings::list(node, &path, out);
        let mut regions: Vec<String> = vec![];
        for item in items {
            let Some(region) = environment_settings::region(item, &path, out) else { continue };
            if regions.contains(&region) {
                out.error(codes::TWICE, item.span, format!("{region} stands here twice"), "again here");
            } else {
                regions.push(region);
            }
        }
        return CanaryPlaces::Regions(regions);
    }
    match fields.choice("places", &PLACES, out) {
        Some("home") => CanaryPlaces::Home,
        _ => CanaryPlaces::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::load;

    fn read(canary: &str) -> Result<Option<Canary>, Vec<(&'static str, String, String)>> {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("project: acme\nchannels:\n  dev: {{ canary: {canary} }}\n");
        std::fs::write(folder.path().join("amiforge.yaml"), text).unwrap();
        let told = |found: crate::diagnostic::Diagnostic| (found.code, found.place().unwrap(), found.message);
        let project = load(folder.path()).map_err(|found| found.into_iter().map(told).collect::<Vec<_>>())?;
        Ok(project.channels[0].canary.clone())
    }

    #[test]
    fn true_is_the_usual_one_and_false_none() {
        assert_eq!(read("true").unwrap(), Some(Canary::default()));
        assert_eq!(read("{}").unwrap(), Some(Canary::default()));
        assert_eq!(read("false").unwrap(), None);
        let all = "{ places: home, check: ssm, timeout: 15m, instance_type: m7i.large, subnet: subnet-1 }";
        let expected = Canary {
            places: CanaryPlaces::Home,
            check: CanaryCheck::Ssm,
            timeout: Duration::from_mins(15),
            instance_type: Some("m7i.large".into()),
            subnet: Some("subnet-1".into()),
        };
        assert_eq!(read(all).unwrap(), Some(expected));
        let regions = read("{ places: [us-east-1, eu-west-1] }").unwrap().unwrap();
        assert_eq!(regions.places, CanaryPlaces::Regions(vec!["us-east-1".into(), "eu-west-1".into()]));
    }

    #[test]
    fn what_is_wrong_is_shown_where_it_stands() {
        for (canary, code, column, says) in [
            ("maybe", "P003", 18, "true, false or a mapping"),
            ("[home]", "P003", 18, "true, false or a mapping"),
            ("{ check: ping }", "P005", 27, "cannot be `ping`"),
            ("{ places: everywhere }", "P005", 28, "cannot be `everywhere`"),
            ("{ places: [mars] }", "P014", 29, "`mars` is not a Region"),
            ("{ places: [] }", "P004", 28, "is empty"),
            ("{ places: [us-east-1, us-east-1] }", "P009", 40, "stands here twice"),
            ("{ timeout: soon }", "P006", 29, "not a duration"),
            ("{ subnet: subnet-1 }", "P005", 20, "needs `places: home`"),
            ("{ size: big }", "P002", 20, "`size` is not a key"),
        ] {
            let found = read(canary).unwrap_err();
            assert_eq!(found.len(), 1, "{canary}: {found:?}");
            assert_eq!(
                (found[0].0, &*found[0].1),
                (code, &*format!("amiforge.yaml:3:{column}")),
                "{canary}: {found:?}"
            );
            assert!(found[0].2.contains(says), "{canary}: {found:?}");
        }
    }
}
