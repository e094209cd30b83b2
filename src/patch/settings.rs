//! Where the sources about Patch Manager contradict each other: what is assumed (patch-baselines.md 14.1).

use serde::{Deserialize, Serialize};

/// Defines an enum of positions, each with the sentence a report says about it.
macro_rules! position {
    ($(#[$meta:meta])* $name:ident { $($(#[$default:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $(#[doc = concat!("As a report says it: `", $text, "`.")] $(#[$default])* $variant,)+
        }

        impl $name {
            /// Every position, the recommended one first.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// What it means, as a report says it.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

position! {
    /// Which date a delay is counted from (conflict 1).
    DateOrder {
        #[default] UpdatedFirst = "updated date, else issued date, else build time, else 1970",
        IssuedOnly = "issued date, else 1970; build time without a notice (the DNF payload of 2021)",
        LatestOfNoticeAndBuild = "the later of the notice's date and the build time (the YUM payload of 2021)",
    }
}

position! {
    /// A notice without severity against a SEVERITY filter (conflict 2; patch-baselines.md 3.5).
    MissingSeverity {
        #[default] Ignored = "a notice without severity is matched on its classification alone",
        Fails = "a notice without severity fails a SEVERITY filter (the payload of 2021)",
    }
}

position! {
    /// Advisory and CVE ids in `RejectedPatches` (conflict 3).
    RejectedIds {
        #[default] Inert = "ids of notices and CVEs reject nothing",
        Reject = "ids of notices and CVEs reject (one page of the guide)",
    }
}

position! {
    /// `GlobalFilters` and the list of approved patches (conflict 4).
    ApprovedList {
        #[default] BypassesGlobalFilters = "approved patches need not pass the global filters",
        PassesGlobalFilters = "approved patches have to pass the global filters (the APT payload of 2021)",
    }
}

position! {
    /// When an installed package that is rejected counts as such (conflict 5).
    InstalledRejected {
        #[default] WithBlock = "rejected and installed is InstalledRejected with BLOCK only",
        Always = "rejected and installed is always InstalledRejected (the RPM payload of 2021)",
    }
}

position! {
    /// A notice without a date and a rule with one (conflict 7).
    MissingDate {
        #[default] BuildTime = "a notice without a date has the build time, else 1970",
        Excluded = "a notice without a date is approved by no rule without EnableNonSecurity (the page on alternative sources)",
    }
}

position! {
    /// What has to come from a security suite on APT systems (conflict 8).
    AptSecurity {
        #[default] HighestSecurityVersion = "the highest version from a security suite counts",
        CandidateOnly = "the highest version of all must come from a security suite (the guide's wording)",
    }
}

position! {
    /// A notice about a version that the repositories no longer have (conflict 9; patch-baselines.md 3.4).
    Vanished {
        #[default] PerSystem = "a vanished version's notice counts for the newer build on AlmaLinux and Rocky Linux, and nowhere else",
        Dropped = "a vanished version's notice is dropped everywhere",
        UsesNewer = "a vanished version's notice counts for the newer build everywhere",
    }
}

position! {
    /// Repositories without update notices (conflict 11).
    NoNotices {
        #[default] ByRule = "packages of a repository without notices depend on EnableNonSecurity and the delay",
        Nothing = "no rule approves packages of a repository without notices (the guide's older text)",
    }
}

position! {
    /// What a notice needs for its packages to count as security updates (patch-baselines.md 3.6 and 4.4).
    SecurityNotice {
        #[default] Any = "every package in a notice counts as a security update",
        WithTypeAndSeverity = "only packages in a notice with type and severity do (the DNF payload of 2021)",
    }
}

position! {
    /// Packages installed after the last boot by somebody else than Patch Manager (patch-baselines.md 5.2). That they
    /// count is documented; how the service finds them is UNCONFIRMED, we compare the install time with the boot time.
    PendingReboot {
        #[default] InstallTime = "whatever was installed after the last boot waits for a restart",
        RecordedOnly = "only what Patch Manager recorded waits for a restart (the payload of 2021)",
    }
}

/// One position per conflict. The default is what patch-baselines.md 14.1 recommends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "each position documents itself")]
pub struct Settings {
    pub date_order: DateOrder,
    pub missing_severity: MissingSeverity,
    pub rejected_ids: RejectedIds,
    pub approved_list: ApprovedList,
    pub installed_rejected: InstalledRejected,
    pub missing_date: MissingDate,
    pub apt_security: AptSecurity,
    pub vanished: Vanished,
    pub no_notices: NoNotices,
    pub security_notice: SecurityNotice,
    pub pending_reboot: PendingReboot,
}

/// One position as a report names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SettingLine {
    /// Number of the conflict in patch-baselines.md 14.1; absent for the two that stand elsewhere.
    pub conflict: Option<u8>,
    /// What is assumed.
    pub assumed: &'static str,
    /// Whether it is the recommended position.
    pub recommended: bool,
}

/// A position that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// No conflict has that name.
    #[error("nothing to assume is called `{name}`; there is: {}", known.join(", "))]
    Name {
        /// The name.
        name: String,
        /// All that there is.
        known: Vec<String>,
    },
    /// The conflict has no such position.
    #[error("`{name}` cannot be `{value}`: {why}")]
    Value {
        /// The name.
        name: String,
        /// The value.
        value: String,
        /// What it can be.
        why: String,
    },
}

impl Settings {
    /// With another position, both by their names in the document of an evaluation: `date_order`, `issued_only`.
    pub fn with(self, name: &str, value: &str) -> Result<Self, SettingError> {
        let wrong = |why: String| SettingError::Value { name: name.to_owned(), value: value.to_owned(), why };
        let mut all = serde_json::to_value(self).map_err(|error| wrong(error.to_string()))?;
        let known: Vec<String> = all.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        match all.get_mut(name) {
            Some(position) => *position = value.into(),
            None => return Err(SettingError::Name { name: name.to_owned(), known }),
        }
        serde_json::from_value(all).map_err(|error| wrong(error.to_string()))
    }

    /// Every position, by number of its conflict.
    #[must_use]
    pub fn lines(&self) -> Vec<SettingLine> {
        let line = |conflict: u8, assumed, recommended| SettingLine {
            conflict: (conflict > 0).then_some(conflict),
            assumed,
            recommended,
        };
        macro_rules! lines {
            ($($number:literal $field:ident)+) => {
                vec![$(line($number, self.$field.sentence(), self.$field == Default::default()),)+]
            };
        }
        lines! {
            1 date_order  2 missing_severity  3 rejected_ids  4 approved_list  5 installed_rejected  7 missing_date
            8 apt_security  9 vanished  11 no_notices  0 security_notice  0 pending_reboot
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_recommended_ones_and_all_are_named() {
        let lines = Settings::default().lines();
        assert!(lines.iter().all(|line| line.recommended));
        let numbers: Vec<u8> = lines.iter().filter_map(|line| line.conflict).collect();
        // 6 is not evaluated, 10 is data, 12 is spelling.
        assert_eq!(numbers, [1, 2, 3, 4, 5, 7, 8, 9, 11]);
        let other = Settings { vanished: Vanished::Dropped, ..Settings::default() };
        assert_eq!(other.lines().iter().filter(|line| !line.recommended).count(), 1);
    }

    #[test]
    fn settings_are_read_from_data_and_unknown_ones_are_refused() {
        let read = |text: &str| serde_json::from_str::<Settings>(text);
        assert_eq!(read("{}").unwrap(), Settings::default());
        assert_eq!(read(r#"{"date_order":"issued_only"}"#).unwrap().date_order, DateOrder::IssuedOnly);
        assert!(read(r#"{"dates":"issued_only"}"#).is_err());
        let text = serde_json::to_string(&Settings::default()).unwrap();
        assert_eq!(read(&text).unwrap(), Settings::default());
    }
}
