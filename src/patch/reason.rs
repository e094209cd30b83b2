//! Why a patch has the state it has: as data, and as sentences.

use super::baseline::{Approval, FilterKey, Level, RejectedAction};
use super::moment::{Dated, minute};
use serde::{Deserialize, Serialize};
use std::fmt;
use time::OffsetDateTime;

/// One link of the chain that led to a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// The version it is about; empty when it is about the package.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The notice that brought the version up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advisory: Option<String>,
    /// What was found.
    pub why: Why,
}

/// What was found about a package or one of its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Why {
    /// An entry of `RejectedPatches` names the version.
    Rejected {
        /// The entry.
        entry: String,
        /// The name it matched.
        matched: String,
        /// `RejectedPatchesAction`.
        action: RejectedAction,
    },
    /// An entry of `ApprovedPatches` names the version.
    Listed {
        /// The entry.
        entry: String,
        /// The name it matched.
        matched: String,
        /// `ApprovedPatchesComplianceLevel`.
        level: Level,
    },
    /// An entry of `ApprovedPatches` names the version, but it is no security update.
    ListedNotSecurity {
        /// The entry.
        entry: String,
    },
    /// A rule approves.
    Approved {
        /// Number of the rule, from 1.
        rule: usize,
        /// `ComplianceLevel` of the rule.
        level: Level,
        /// The date that was compared; absent where no date counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        date: Option<Dated>,
        /// The rule's date condition; absent where no date counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approval: Option<Approval>,
    },
    /// A filter does not let it through.
    Filtered {
        /// Number of the rule, from 1; 0 is the global filters.
        rule: usize,
        /// What the filter looks at.
        key: FilterKey,
        /// What it accepts.
        values: Vec<String>,
        /// What the version has; absent when it has nothing there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attribute: Option<String>,
    },
    /// The rule is for security updates only, and this is none.
    NotSecurity {
        /// Number of the rule, from 1.
        rule: usize,
    },
    /// The rule's date condition does not hold.
    NotInTime {
        /// Number of the rule, from 1.
        rule: usize,
        /// The date that was compared.
        date: Dated,
        /// The rule's condition.
        approval: Approval,
        /// From when it holds; absent when it never will.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
        from: Option<OffsetDateTime>,
    },
    /// The notice has no date and the setting for conflict 7 wants one.
    Undated {
        /// Number of the rule, from 1.
        rule: usize,
    },
    /// The repository has no notices and the setting for conflict 11 wants some.
    SourceWithoutNotices {
        /// Number of the rule, from 1.
        rule: usize,
    },
    /// The notice is about a version that is gone; it counts for this newer one (patch-baselines.md 3.4).
    Inherited {
        /// The version of the notice.
        from: String,
    },
    /// No source offers the installed version or a newer one.
    NotOffered,
    /// Nothing at or above the installed version is approved.
    NothingApproved,
    /// It is rejected with BLOCK, and installed.
    Blocked,
    /// It was installed after the last boot.
    SinceBoot {
        /// When it was installed.
        #[serde(with = "time::serde::rfc3339")]
        installed: OffsetDateTime,
        /// When the system was booted.
        #[serde(with = "time::serde::rfc3339")]
        booted: OffsetDateTime,
        /// Whether Patch Manager recorded it; otherwise the package's install time tells.
        recorded: bool,
    },
    /// An installation was attempted, and it is still missing.
    StillMissing,
    /// The administrator holds the package.
    Held {
        /// Where that stands.
        by: String,
    },
    /// The state is the service's own finding, which is not judged here.
    Scanned,
    /// The service's finding agrees with, or differs from, what a list says.
    ListNote {
        /// What there is to say.
        text: String,
    },
}

impl Reason {
    /// Whether it speaks for the version.
    pub(super) const fn approves(&self) -> bool {
        matches!(self.why, Why::Approved { .. } | Why::Listed { .. } | Why::Inherited { .. })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.version.as_str(), &self.advisory) {
            ("", _) => {}
            (version, Some(advisory)) => write!(f, "{version} ({advisory}) ")?,
            (version, None) => write!(f, "{version} ")?,
        }
        self.why.fmt(f)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected { entry, matched, action } => {
                write!(f, "is rejected by the entry `{entry}` ({}{action})", unless_same(entry, matched))
            }
            Self::Listed { entry, matched, level } => {
                write!(f, "is approved by the entry `{entry}` ({}level {level})", unless_same(entry, matched))
            }
            Self::ListedNotSecurity { entry } => write!(
                f,
                "is named by the entry `{entry}`, but is no security update, and ApprovedPatchesEnableNonSecurity is off"
            ),
            Self::Inherited { from } => {
                write!(f, "takes the place of {from}, which the notice names and no source has")
            }
            Self::NotOffered => f.write_str("no source offers the installed version or a newer one"),
            Self::NothingApproved => f.write_str("no version from the installed one on is approved"),
            Self::Blocked => f.write_str("it is installed, and rejected with BLOCK"),
            Self::SinceBoot { installed, booted, recorded } => {
                let how = if *recorded { "Patch Manager installed it" } else { "it was installed" };
                write!(f, "{how} {}, the last boot was {}", minute(*installed), minute(*booted))
            }
            Self::StillMissing => f.write_str("an installation was attempted, and it is still not there"),
            Self::Held { by } => {
                write!(f, "the package is held ({by}); whether Patch Manager honours that is UNCONFIRMED")
            }
            Self::Scanned => f.write_str("the state is what the service's own scan found"),
            Self::ListNote { text } => f.write_str(text),
            _ => self.about_rule(f),
        }
    }
}

impl Why {
    /// What a rule has to do with it.
    fn about_rule(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approved { rule, level, date, approval } => {
                write!(f, "is approved by rule {rule} (level {level}")?;
                if let (Some(date), Some(approval)) = (date, approval) {
                    write!(f, "; {}", in_time(date, *approval))?;
                }
                f.write_str(")")
            }
            Self::Filtered { rule, key, values, attribute } => {
                let has =
                    attribute.as_ref().map_or_else(|| format!("has no {key}"), |text| format!("has {key} {text}"));
                let values = values.join(" or ");
                match rule {
                    0 => write!(f, "{has}, the global filters want {values}"),
                    rule => write!(f, "{has}, rule {rule} wants {values}"),
                }
            }
            Self::NotSecurity { rule } => {
                write!(f, "is no security update, and rule {rule} does not have EnableNonSecurity")
            }
            Self::NotInTime { rule, date, approval, from } => match (approval, from) {
                (Approval::AfterDays(days), Some(from)) => {
                    write!(f, "waits for rule {rule}: {date}, {days} days later is {}", minute(*from))
                }
                (Approval::AfterDays(days), None) => write!(f, "waits for rule {rule}: {date}, delay {days} days"),
                (Approval::UntilDate(until), _) => {
                    write!(f, "is too new for rule {rule}: {date}, approved until {until}")
                }
            },
            Self::Undated { rule } => write!(f, "has no date, which rule {rule} needs by the setting for conflict 7"),
            Self::SourceWithoutNotices { rule } => write!(
                f,
                "comes from a repository without notices, from which rule {rule} approves nothing by the setting for \
                 conflict 11"
            ),
            // The others are said above.
            _ => Ok(()),
        }
    }
}

/// What an entry matched, when that is not the entry itself.
fn unless_same(entry: &str, matched: &str) -> String {
    if entry == matched { String::new() } else { format!("names `{matched}`; ") }
}

fn in_time(date: &Dated, approval: Approval) -> String {
    match approval {
        Approval::AfterDays(0) => format!("{date}, no delay"),
        Approval::AfterDays(days) => match approval.from(date.at) {
            Some(from) => format!("{date}, {days} days later is {}", minute(from)),
            None => format!("{date}, delay {days} days"),
        },
        Approval::UntilDate(until) => format!("{date}, approved until {until}"),
    }
}

/// A chain that is kept, or only passed through where nobody will ask why.
pub(super) struct Chain(Option<Vec<Why>>);

impl Chain {
    pub(super) const fn kept() -> Self {
        Self(Some(vec![]))
    }

    pub(super) const fn dropped() -> Self {
        Self(None)
    }

    pub(super) fn say(&mut self, why: impl FnOnce() -> Why) {
        if let Some(chain) = &mut self.0 {
            chain.push(why());
        }
    }

    /// The chain, as reasons about a version.
    pub(super) fn about(self, version: &str, advisory: Option<&str>) -> impl Iterator<Item = Reason> {
        let (version, advisory) = (version.to_owned(), advisory.map(str::to_owned));
        self.0.unwrap_or_default().into_iter().map(move |why| Reason {
            version: version.clone(),
            advisory: advisory.clone(),
            why,
        })
    }
}

impl From<Why> for Reason {
    fn from(why: Why) -> Self {
        Self { version: String::new(), advisory: None, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::moment::DateOrigin;
    use time::macros::{date, datetime};

    #[test]
    fn reasons_are_sentences_with_rule_date_and_delay() {
        let dated = Dated { at: datetime!(2025-11-09 18:00 UTC), origin: DateOrigin::Updated };
        let say = |why: Why| Reason { version: "1:1-1".into(), advisory: Some("ALAS-1".into()), why }.to_string();
        let week = Approval::AfterDays(7);
        assert_eq!(
            say(Why::Approved { rule: 2, level: Level::High, date: Some(dated), approval: Some(week) }),
            "1:1-1 (ALAS-1) is approved by rule 2 (level HIGH; updated 2025-11-09 18:00 UTC, 7 days later is 2025-11-16 18:00 UTC)"
        );
        assert_eq!(
            say(Why::NotInTime { rule: 1, date: dated, approval: week, from: week.from(dated.at) }),
            "1:1-1 (ALAS-1) waits for rule 1: updated 2025-11-09 18:00 UTC, 7 days later is 2025-11-16 18:00 UTC"
        );
        let until = Approval::UntilDate(date!(2025 - 01 - 31));
        assert!(
            say(Why::NotInTime { rule: 1, date: dated, approval: until, from: None })
                .contains("approved until 2025-01-31")
        );
        let filtered =
            Why::Filtered { rule: 0, key: FilterKey::Severity, values: vec!["A".into(), "B".into()], attribute: None };
        assert!(say(filtered).ends_with("has no SEVERITY, the global filters want A or B"));
        let rejected = Why::Rejected { entry: "d*".into(), matched: "dbus".into(), action: RejectedAction::Block };
        assert_eq!(Reason::from(rejected).to_string(), "is rejected by the entry `d*` (names `dbus`; BLOCK)");
    }

    #[test]
    fn reasons_are_data_and_read_back() {
        let dated = Dated { at: datetime!(2025-11-09 18:00 UTC), origin: DateOrigin::None };
        for why in [
            Why::NotOffered,
            Why::Blocked,
            Why::Held { by: "apt-mark".into() },
            Why::NotInTime { rule: 1, date: dated, approval: Approval::AfterDays(1), from: Some(dated.at) },
            Why::SinceBoot { installed: dated.at, booted: dated.at, recorded: true },
        ] {
            let reason = Reason::from(why);
            let text = serde_json::to_string(&reason).unwrap();
            assert_eq!(serde_json::from_str::<Reason>(&text).unwrap(), reason, "{text}");
        }
    }
}
