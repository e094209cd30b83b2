//! The patch baseline: a filter that turns available patches into approved ones (patch-baselines.md section 1).

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// Makes an enum whose variants have a spelling in the service's API.
macro_rules! api_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "the variants are the API's own words")]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The API's spelling.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Reads the API's spelling, which is exact.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

api_enum! {
    /// `OperatingSystem` of a baseline (patch-baselines.md 1.2).
    OperatingSystem {
        Windows = "WINDOWS",
        AmazonLinux = "AMAZON_LINUX",
        AmazonLinux2 = "AMAZON_LINUX_2",
        AmazonLinux2022 = "AMAZON_LINUX_2022",
        AmazonLinux2023 = "AMAZON_LINUX_2023",
        Ubuntu = "UBUNTU",
        Debian = "DEBIAN",
        Raspbian = "RASPBIAN",
        RedHatEnterpriseLinux = "REDHAT_ENTERPRISE_LINUX",
        CentOs = "CENTOS",
        OracleLinux = "ORACLE_LINUX",
        RockyLinux = "ROCKY_LINUX",
        AlmaLinux = "ALMA_LINUX",
        Suse = "SUSE",
        MacOs = "MACOS",
    }
}

impl OperatingSystem {
    /// Whether packages are Debian packages.
    #[must_use]
    pub const fn is_apt(self) -> bool {
        matches!(self, Self::Ubuntu | Self::Debian | Self::Raspbian)
    }

    /// The operating system of baselines for an image, by `ID` and `VERSION_ID` of its os-release (patch-baselines.md
    /// 10.4); nothing for systems Patch Manager does not know. Whether SLES for SAP is patched as SUSE is UNCONFIRMED.
    #[must_use]
    pub fn of_image(os_id: &str, version: &str) -> Option<Self> {
        Some(match (os_id, version) {
            ("debian", _) => Self::Debian,
            ("ubuntu", _) => Self::Ubuntu,
            ("raspbian", _) => Self::Raspbian,
            ("amzn", "2") => Self::AmazonLinux2,
            ("amzn", "2022") => Self::AmazonLinux2022,
            ("amzn", "2023") => Self::AmazonLinux2023,
            ("amzn", version) if version.starts_with("201") => Self::AmazonLinux,
            ("rhel", _) => Self::RedHatEnterpriseLinux,
            ("centos", _) => Self::CentOs,
            ("ol", _) => Self::OracleLinux,
            ("rocky", _) => Self::RockyLinux,
            ("almalinux", _) => Self::AlmaLinux,
            ("sles" | "sles_sap", _) => Self::Suse,
            _ => return None,
        })
    }

    /// The systems it is patched alike with.
    #[must_use]
    pub const fn family(self) -> Family {
        match self {
            Self::Windows => Family::Windows,
            Self::MacOs => Family::MacOs,
            Self::Suse => Family::Suse,
            Self::Ubuntu | Self::Debian | Self::Raspbian => Family::Apt,
            _ => Family::Rpm,
        }
    }
}

/// Operating systems that are evaluated by the same rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// Debian packages (patch-baselines.md 4.5).
    Apt,
    /// RPM packages with update notices: YUM and DNF systems (patch-baselines.md 4.4).
    Rpm,
    /// RPM packages in patches: zypper (patch-baselines.md 4.6).
    Suse,
    /// Patched by the service's own scan (patch-baselines.md 4.8).
    Windows,
    /// Patched by the service's own scan (patch-baselines.md 4.7).
    MacOs,
}

api_enum! {
    /// What a filter looks at. The API's list is longer; the others belong to `DescribeAvailablePatches` and say
    /// nothing in a baseline (patch-baselines.md 1.3).
    FilterKey {
        Product = "PRODUCT",
        ProductFamily = "PRODUCT_FAMILY",
        PatchSet = "PATCH_SET",
        Classification = "CLASSIFICATION",
        Severity = "SEVERITY",
        MsrcSeverity = "MSRC_SEVERITY",
        Priority = "PRIORITY",
        Section = "SECTION",
    }
}

api_enum! {
    /// Severity reported when an approved patch is missing. Ordered from least to most severe.
    Level {
        Unspecified = "UNSPECIFIED",
        Informational = "INFORMATIONAL",
        Low = "LOW",
        Medium = "MEDIUM",
        High = "HIGH",
        Critical = "CRITICAL",
    }
}

api_enum! {
    /// What a rejection means (patch-baselines.md 4.3).
    RejectedAction {
        /// Not selected by itself; when present it is `InstalledOther`.
        AllowAsDependency = "ALLOW_AS_DEPENDENCY",
        /// Never installed; when present it is `InstalledRejected`.
        Block = "BLOCK",
    }
}

api_enum! {
    /// What Windows security updates mean that are available and not approved.
    AvailableSecurityUpdates {
        Compliant = "COMPLIANT",
        NonCompliant = "NON_COMPLIANT",
    }
}

/// A patch baseline with the API's defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    /// `Name`.
    pub name: String,
    /// `BaselineId`. Predefined ones: the id in us-east-1 (ids differ per Region, names do not).
    pub id: Option<String>,
    /// `OperatingSystem`.
    pub operating_system: OperatingSystem,
    /// `Description`.
    pub description: Option<String>,
    /// `GlobalFilters`: all must pass, for every rule.
    pub global_filters: Vec<Filter>,
    /// `ApprovalRules`: one that approves is enough.
    pub rules: Vec<Rule>,
    /// `ApprovedPatches`: approved whatever the rules and the global filters say.
    pub approved: Vec<String>,
    /// `ApprovedPatchesComplianceLevel`.
    pub approved_level: Level,
    /// `ApprovedPatchesEnableNonSecurity`: the list also approves what is no security update.
    pub approved_non_security: bool,
    /// `RejectedPatches`: wins over every approval.
    pub rejected: Vec<String>,
    /// `RejectedPatchesAction`.
    pub rejected_action: RejectedAction,
    /// `Sources`: when present, the only repositories that are used.
    pub sources: Vec<Source>,
    /// `AvailableSecurityUpdatesComplianceStatus`; Windows only.
    pub available_security_updates: Option<AvailableSecurityUpdates>,
}

/// One filter: passes when the attribute equals one of the values, or when a value is `*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// What it looks at.
    pub key: FilterKey,
    /// What it accepts.
    pub values: Vec<String>,
}

/// One approval rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// `PatchFilterGroup`: all must pass.
    pub filters: Vec<Filter>,
    /// When it approves. Without effect on Debian, Ubuntu and Raspbian (patch-baselines.md 1.5).
    pub approval: Approval,
    /// `ComplianceLevel`.
    pub level: Level,
    /// `EnableNonSecurity`: the rule also approves what is no security update.
    pub enable_non_security: bool,
}

/// When a rule approves a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// `ApproveAfterDays`: this many days of 24 hours after the patch's date.
    AfterDays(u16),
    /// `ApproveUntilDate`: patches dated up to and including this day (UTC).
    UntilDate(#[serde(with = "day")] time::Date),
}

impl Approval {
    /// Whether a patch of that moment is approved at `now`. Both limits are exclusive, and days are of 24 hours, not of
    /// the calendar (patch-baselines.md 1.5).
    #[must_use]
    pub fn approves(self, dated: OffsetDateTime, now: OffsetDateTime) -> bool {
        match self {
            // In this order of subtraction no date overflows: `now` is one of today.
            Self::AfterDays(days) => {
                now.checked_sub(Duration::days(i64::from(days))).is_some_and(|limit| dated < limit)
            }
            Self::UntilDate(date) => match date.next_day() {
                Some(next) => dated < next.midnight().assume_utc(),
                None => true,
            },
        }
    }

    /// The moment after which a patch of that moment is approved; nothing for a date that is passed.
    #[must_use]
    pub fn from(self, dated: OffsetDateTime) -> Option<OffsetDateTime> {
        match self {
            Self::AfterDays(days) => dated.checked_add(Duration::days(i64::from(days))),
            Self::UntilDate(_) => None,
        }
    }
}

time::serde::format_description!(day, Date, "[year]-[month]-[day]");

/// An alternative package repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// `Name`.
    pub name: String,
    /// `Products` it is for; `*` for all.
    pub products: Vec<String>,
    /// `Configuration`: text for the package manager's own configuration.
    pub configuration: String,
}

impl Baseline {
    /// Whether it can approve something that is no security update.
    #[must_use]
    pub fn approves_non_security(&self) -> bool {
        self.rules.iter().any(|rule| rule.enable_non_security)
            || (self.approved_non_security && !self.approved.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_severe_level_is_the_greatest() {
        assert!(Level::Critical > Level::High && Level::High > Level::Medium && Level::Medium > Level::Low);
        assert!(Level::Low > Level::Informational && Level::Informational > Level::Unspecified);
    }

    #[test]
    fn a_delay_is_counted_in_hours_and_a_date_in_whole_days() {
        use time::macros::{date, datetime};
        let dated = datetime!(2025-11-09 18:00 UTC);
        let week = Approval::AfterDays(7);
        assert!(!week.approves(dated, datetime!(2025-11-16 18:00 UTC)), "strictly less");
        assert!(week.approves(dated, datetime!(2025-11-16 18:00:01 UTC)));
        assert_eq!(week.from(dated), Some(datetime!(2025-11-16 18:00 UTC)));
        assert!(!Approval::AfterDays(0).approves(dated, dated));
        let until = Approval::UntilDate(date!(2025 - 11 - 09));
        assert!(until.approves(datetime!(2025-11-09 23:59:59 UTC), dated), "the day is included");
        assert!(!until.approves(datetime!(2025-11-10 0:00 UTC), dated));
        let text = serde_json::to_string(&until).unwrap();
        assert_eq!(text, r#"{"until_date":"2025-11-09"}"#);
        assert_eq!(serde_json::from_str::<Approval>(&text).unwrap(), until);
    }

    #[test]
    fn every_system_has_a_family() {
        let of = |family| OperatingSystem::ALL.iter().filter(|os| os.family() == family).count();
        assert_eq!([Family::Apt, Family::Rpm, Family::Suse, Family::Windows, Family::MacOs].map(of), [3, 9, 1, 1, 1]);
    }

    #[test]
    fn the_apis_spelling_is_exact() {
        assert_eq!(OperatingSystem::parse("DEBIAN"), Some(OperatingSystem::Debian));
        assert_eq!(OperatingSystem::parse("debian"), None);
        assert_eq!(OperatingSystem::ALL.len(), 15);
        assert_eq!(FilterKey::parse("CVE_ID"), None, "has no meaning in a baseline");
    }
}
