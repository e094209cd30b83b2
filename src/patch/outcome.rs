//! What a baseline says about packages: states, items, counts.

use serde::{Deserialize, Serialize};

/// `PatchComplianceDataState` in the spelling of the service's answers (patch-baselines.md 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum State {
    /// Approved and present.
    Installed,
    /// Present, not approved.
    InstalledOther,
    /// Installed since the last boot.
    InstalledPendingReboot,
    /// Present and rejected with BLOCK.
    InstalledRejected,
    /// Approved, newer than what is installed.
    Missing,
    /// Approved, not installed; counted, never listed.
    NotApplicable,
    /// Install attempted, still not there.
    Failed,
    /// Windows: a security update that the baseline does not approve, or not yet.
    AvailableSecurityUpdate,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Installed,
        Self::InstalledOther,
        Self::InstalledPendingReboot,
        Self::InstalledRejected,
        Self::Missing,
        Self::NotApplicable,
        Self::Failed,
        Self::AvailableSecurityUpdate,
    ];

    /// States whose items have to be listed one by one in a scan: something is to be done about them. The service may leave
    /// the others out.
    pub const OPEN: [Self; 5] = [
        Self::Missing,
        Self::Failed,
        Self::InstalledRejected,
        Self::InstalledPendingReboot,
        Self::AvailableSecurityUpdate,
    ];

    /// The spelling of the service's answers and of the `State` filter of `DescribeInstancePatches`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Installed => "Installed",
            Self::InstalledOther => "InstalledOther",
            Self::InstalledPendingReboot => "InstalledPendingReboot",
            Self::InstalledRejected => "InstalledRejected",
            Self::Missing => "Missing",
            Self::NotApplicable => "NotApplicable",
            Self::Failed => "Failed",
            Self::AvailableSecurityUpdate => "AvailableSecurityUpdate",
        }
    }

    /// Whether it makes an image non-compliant whatever the baseline says (patch-baselines.md 5.1 and 5.6).
    #[must_use]
    pub const fn is_non_compliant(self) -> bool {
        matches!(self, Self::Missing | Self::Failed | Self::InstalledPendingReboot | Self::InstalledRejected)
    }

    /// Reads a state in any of the spellings in use: the API model has `INSTALLED_OTHER`, the answers have
    /// `InstalledOther` (patch-baselines.md 5.1, "spelling trap").
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain: String = text.chars().filter(|&c| c != '_').collect();
        // The compliance page writes AVAILABLE_SECURITY_UPDATES, with a plural S.
        let plain =
            if plain.eq_ignore_ascii_case("AvailableSecurityUpdates") { &plain[..plain.len() - 1] } else { &plain };
        Self::ALL.into_iter().find(|state| state.as_str().eq_ignore_ascii_case(plain))
    }
}

/// What a baseline says about one package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchItem {
    /// Name.
    pub name: String,
    /// Architecture.
    pub arch: String,
    /// Version that is installed.
    pub installed: String,
    /// Highest approved version when it is newer.
    pub available: Option<String>,
    /// State.
    pub state: State,
    /// Classification of the version that decided. APT knows one: `Security`, or empty.
    pub classification: String,
    /// Severity of the version that decided; on APT systems its priority (patch-baselines.md 5.5).
    #[serde(default)]
    pub severity: String,
    /// Compliance level of the rule that approved; `UNSPECIFIED` when none did.
    pub level: String,
}

/// The counts of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[allow(missing_docs, reason = "one counter per State, named like it")]
pub struct Counts {
    pub installed: u32,
    pub installed_other: u32,
    pub installed_pending_reboot: u32,
    pub installed_rejected: u32,
    pub missing: u32,
    pub failed: u32,
    pub not_applicable: u32,
    #[serde(default)]
    pub available_security_update: u32,
}

impl Counts {
    /// The counter of a state.
    #[must_use]
    pub const fn of(&self, state: State) -> u32 {
        match state {
            State::Installed => self.installed,
            State::InstalledOther => self.installed_other,
            State::InstalledPendingReboot => self.installed_pending_reboot,
            State::InstalledRejected => self.installed_rejected,
            State::Missing => self.missing,
            State::NotApplicable => self.not_applicable,
            State::Failed => self.failed,
            State::AvailableSecurityUpdate => self.available_security_update,
        }
    }

    /// Adds one to the counter of a state.
    pub const fn add(&mut self, state: State) {
        let counter = match state {
            State::Installed => &mut self.installed,
            State::InstalledOther => &mut self.installed_other,
            State::InstalledPendingReboot => &mut self.installed_pending_reboot,
            State::InstalledRejected => &mut self.installed_rejected,
            State::Missing => &mut self.missing,
            State::NotApplicable => &mut self.not_applicable,
            State::Failed => &mut self.failed,
            State::AvailableSecurityUpdate => &mut self.available_security_update,
        };
        *counter = counter.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_in_both_spellings() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
        assert_eq!(State::parse("INSTALLED_PENDING_REBOOT"), Some(State::InstalledPendingReboot));
        assert_eq!(State::parse("AVAILABLE_SECURITY_UPDATES"), Some(State::AvailableSecurityUpdate));
        assert_eq!(State::parse("installed"), Some(State::Installed));
        assert_eq!(State::parse(""), None);
        assert_eq!(State::parse("Installing"), None);
    }

    #[test]
    fn a_counter_is_read_back_where_it_was_added() {
        let mut counts = Counts::default();
        for state in State::ALL {
            counts.add(state);
            assert_eq!(counts.of(state), 1, "{state:?}");
        }
    }
}
