//! The instances of a group: launched, ended, and as many as there have to be.

use super::super::compute::fleet;
use super::super::ec2::keys;
use super::super::kms::Principal;
use super::super::store::{Scope, StoreError, Transaction};
use super::super::wire::ServiceError;
use super::launch::Launch;
use super::record::{Group, Member, Refresh};
use std::time::Duration;
use time::OffsetDateTime;

/// Where and when instances are launched.
pub(super) struct Ground<'a> {
    pub(super) tx: &'a Transaction<'a>,
    pub(super) scope: &'a Scope,
    pub(super) at: OffsetDateTime,
    /// How long one is pending.
    pub(super) launching: Duration,
}

impl Ground<'_> {
    /// Launches one, by the first way there is.
    ///
    /// # Errors
    /// What EC2 says; also of an instance that ends by itself because its key cannot be used, which it shows for a while.
    pub(super) fn launch(&self, group: &mut Group, from: &Launch) -> Result<String, ServiceError> {
        let ways = from.ways(self.tx, self.scope)?;
        let way = &ways[0];
        let ami = way.ami(self.tx, self.scope)?;
        let chosen = &way.chosen;
        // Attributes stand for many types; one of them is as good as another here.
        let instance_type = way
            .instance_type
            .clone()
            .unwrap_or_else(|| if ami.architecture == "arm64" { "m7g.large" } else { "m7i.large" }.to_owned());
        let mut tags =
            group.tags.iter().filter(|(_, (_, too))| *too).map(|(k, (v, _))| (k.clone(), v.clone())).collect();
        let own = [
            (fleet::GROUP, group.name.clone()),
            ("aws:ec2launchtemplate:id", chosen.id.clone()),
            ("aws:ec2launchtemplate:version", chosen.number.to_string()),
        ];
        std::collections::BTreeMap::extend(&mut tags, own.map(|(key, value)| (key.to_owned(), value)));
        let order = fleet::Order { ami: &ami, instance_type: &instance_type, tags, at: self.at };
        let who = Principal::of_role(self.scope, keys::AUTO_SCALING);
        if let Some((code, message)) = keys::launch_failure(self.tx, (&who, self.at), &ami)? {
            fleet::fail(self.tx, self.scope, order, (code.clone(), message.clone()))?;
            return Err(ServiceError::client(&code, message));
        }
        let id = fleet::start(self.tx, self.scope, order)?;
        let zone = group.zones[group.members.len() % group.zones.len()].clone();
        group.members.push(Member {
            id: id.clone(),
            template: chosen.id.clone(),
            template_name: chosen.name.clone(),
            version: chosen.number,
            image: ami.id,
            instance_type,
            zone,
            ready: self.at + self.launching,
        });
        Ok(id)
    }

    /// Ends one and takes it out of the group.
    pub(super) fn end(&self, group: &mut Group, id: &str) -> Result<(), StoreError> {
        group.members.retain(|member| member.id != id);
        fleet::end(self.tx, self.scope, id, self.at)
    }

    /// Makes the group as large as it has to be: instances that somebody has ended are replaced, the newest are the first to go.
    /// What cannot be launched is tried again at the next look, as the service does.
    pub(super) fn heal(&self, group: &mut Group, refresh: Option<&Refresh>) -> Result<(), ServiceError> {
        let mut up = Vec::new();
        for member in std::mem::take(&mut group.members) {
            if fleet::is_up(self.tx, self.scope, &member.id)? {
                up.push(member);
            }
        }
        group.members = up;
        let from = refresh.and_then(|refresh| refresh.desired.clone()).unwrap_or_else(|| group.launch.clone());
        while group.members.len() < group.desired as usize {
            match self.launch(group, &from) {
                Ok(_) => {}
                Err(error) if error.status >= 500 => return Err(error),
                Err(error) => {
                    tracing::warn!(group = group.name, %error, "an instance of an Auto Scaling group cannot be launched");
                    break;
                }
            }
        }
        while group.members.len() > group.desired as usize {
            let Some(last) = group.members.last().map(|member| member.id.clone()) else { break };
            self.end(group, &last)?;
        }
        Ok(())
    }
}
