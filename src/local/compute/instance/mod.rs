//! EC2 instances: their records, and the operations on them.

mod describe;
pub(in crate::local) mod fleet;
mod launch;
mod left;
mod modelled;
mod run;
mod terminate;

pub(super) use describe::{describe_instance_status, describe_instances, get_console_output};
pub(super) use launch::{Order, launch};
pub(super) use left::{leave, shelve};
pub(in crate::local) use modelled::{is_due, settle, spoil};
pub(super) use run::run_instances;
pub(super) use terminate::{discard, record_terminated, terminate, terminate_instances};

use super::process::Owner;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Kind of [`InstanceRecord`] documents; the id is the instance id.
pub(super) const INSTANCE: &str = "ec2-instance";

/// An instance. Records of terminated ones are kept for an hour, as EC2 shows them for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct InstanceRecord {
    pub(super) id: String,
    pub(super) reservation: String,
    pub(super) image: String,
    pub(super) architecture: String,
    pub(super) instance_type: String,
    pub(super) state: InstanceState,
    /// Code and message of the last state change.
    pub(super) state_reason: Option<(String, String)>,
    /// RFC 3339.
    pub(super) launched_at: String,
    /// RFC 3339.
    pub(super) terminated_at: Option<String>,
    pub(super) tags: BTreeMap<String, String>,
    /// `required` or `optional`.
    pub(super) http_tokens: String,
    pub(super) hop_limit: i64,
    pub(super) client_token: String,
    pub(super) address: String,
    /// `ID` of the image's os-release.
    pub(super) os_id: String,
    /// `NAME`.
    pub(super) os_name: String,
    /// `VERSION_ID`.
    pub(super) os_version: String,
    /// The process it runs in.
    pub(super) owner: Owner,
}

/// EC2's instance states, as far as they occur here. Stopped is only what a failed build has left when its process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum InstanceState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopped,
}

impl InstanceRecord {
    /// Whether it is a record of an Auto Scaling group's: no machine runs behind it.
    pub(super) fn is_of_fleet(&self) -> bool {
        self.tags.contains_key(fleet::GROUP)
    }
}

impl InstanceState {
    /// EC2's number of the state.
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopped => 80,
        }
    }

    /// EC2's name of the state.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopped => "stopped",
        }
    }

    /// As `instanceState` of an answer.
    pub(super) fn json(self) -> serde_json::Value {
        serde_json::json!({"code": self.code(), "name": self.name()})
    }

    /// Whether the instance takes part in anything.
    pub(super) const fn is_up(self) -> bool {
        matches!(self, Self::Pending | Self::Running)
    }
}

/// The host name EC2 gives to an address: `ip-10-0-1-2`.
pub(super) fn hostname(address: &str) -> String {
    format!("ip-{}", address.replace('.', "-"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A running instance of this process, for tests of record logic.
    pub(in super::super) fn record(id: &str) -> InstanceRecord {
        InstanceRecord {
            id: id.to_owned(),
            reservation: "r-1".into(),
            image: "ami-1".into(),
            architecture: "x86_64".into(),
            instance_type: "m7i.large".into(),
            state: InstanceState::Running,
            state_reason: None,
            launched_at: "2026-01-02T03:04:05Z".into(),
            terminated_at: None,
            tags: BTreeMap::from([("Name".to_owned(), "web".to_owned())]),
            http_tokens: "required".into(),
            hop_limit: 1,
            client_token: String::new(),
            address: "10.0.1.2".into(),
            os_id: "debian".into(),
            os_name: "Debian GNU/Linux".into(),
            os_version: "12".into(),
            owner: Owner::current().unwrap(),
        }
    }

    #[test]
    fn states_have_ec2s_codes() {
        assert_eq!(InstanceState::Running.json(), serde_json::json!({"code": 16, "name": "running"}));
        assert_eq!(hostname("10.0.1.2"), "ip-10-0-1-2");
    }
}
