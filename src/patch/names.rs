//! Entries of the lists of approved and rejected patches that may not do what they seem to (patch-baselines.md 2).

use super::baseline::Family;
use super::glob::is_pattern;
use super::parse::Reader;
use crate::diagnostic::Diagnostic;
use crate::yaml::Node;

/// Warns about entries of every family but APT.
pub(super) fn check(reader: &mut Reader, family: Family, approved: &[Node], rejected: &[Node]) {
    let lists = [(approved, false), (rejected, true)];
    for (node, text, rejects) in lists
        .into_iter()
        .flat_map(|(nodes, rejects)| nodes.iter().filter_map(move |node| Some((node, node.as_str()?, rejects))))
    {
        let warning = match family {
            Family::Rpm => rpm(text, rejects),
            Family::MacOs => macos(text),
            Family::Windows => windows(text),
            Family::Suse | Family::Apt => None,
        };
        if let Some(warning) = warning {
            reader.say(warning, node.span, "");
        }
    }
}

/// Ids reject nothing according to the page on formats and to the payload (conflict 3 of 14.1), and they are exact.
fn rpm(text: &str, rejects: bool) -> Option<Diagnostic> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let id = digits || is_notice(text);
    if id && rejects {
        let warning =
            Diagnostic::warning("B010", format!("`{text}` rejects nothing: ids are for `ApprovedPatches` only"))
                .note("one page of the guide says otherwise; the service was never seen to do it")
                .help("name the packages instead");
        return Some(warning);
    }
    if digits {
        let note = "a number alone is never compared with versions";
        return Some(Diagnostic::warning("B010", format!("`{text}` is read as a Bugzilla id")).note(note));
    }
    // Packages have names in lower case, some of them names as ids have (`alsa-lib`).
    (text.to_ascii_uppercase().starts_with("CVE-") && !id).then(|| {
        Diagnostic::warning("B010", format!("`{text}` is no id as the service compares them"))
            .note("ids are compared letter by letter and take no wildcards, for example `CVE-2026-12345`")
    })
}

/// Whether it is the id of a CVE or of a vendor's notice.
pub(super) fn is_notice(text: &str) -> bool {
    is_cve(text) || is_advisory(text)
}

fn is_cve(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    matches!(parts[..], ["CVE", year, number] if year.len() == 4 && digits(year) && digits(number))
}

/// Whether it begins as the ids of the vendors do (patch-baselines.md 10.1).
fn is_advisory(text: &str) -> bool {
    let kinds =
        ["RHSA-", "RHBA-", "RHEA-", "ALSA-", "ALBA-", "ALEA-", "RLSA-", "RLBA-", "RLEA-", "ELSA-", "ELBA-", "ELEA-"];
    let amazon = text.strip_prefix("ALAS").is_some_and(|rest| rest.contains('-'));
    (amazon || kinds.iter().any(|kind| text.starts_with(kind))) && !is_pattern(text)
}

fn macos(text: &str) -> Option<Diagnostic> {
    is_pattern(text).then(|| {
        Diagnostic::warning("B010", format!("`{text}` is compared letter by letter"))
            .note("on macOS there are no wildcards in these lists")
    })
}

fn windows(text: &str) -> Option<Diagnostic> {
    (!is_windows_id(text)).then(|| {
        Diagnostic::warning("B010", format!("`{text}` is neither a KB id nor a bulletin id"))
            .note("ids are as `KB2032276` or `MS10-048`")
    })
}

/// `KB2032276`, `MS10-048`.
pub(super) fn is_windows_id(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let bulletin = |rest: &str| rest.split_once('-').is_some_and(|(year, number)| digits(year) && digits(number));
    text.strip_prefix("KB").is_some_and(digits) || text.strip_prefix("MS").is_some_and(bulletin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_known_by_their_form() {
        assert!(is_cve("CVE-2018-1234567") && !is_cve("CVE-18-1") && !is_cve("cve-2018-1"));
        assert!(
            is_advisory("ALAS2023-2025-123") && is_advisory("RHSA-2017:0864") && is_advisory("ALAS2KERNEL-5.10-2024-1")
        );
        assert!(!is_advisory("alsa-lib") && !is_advisory("ALAS") && !is_advisory("RHSA-*"));
        assert!(is_windows_id("KB2032276") && is_windows_id("MS10-048"));
        assert!(!is_windows_id("2032276") && !is_windows_id("KB") && !is_windows_id("MS10"));
    }

    #[test]
    fn entries_that_name_nothing_are_warned_about() {
        for text in ["dbus*", "dbus-1.12.28", "CVE-2018-1234567", "RHSA-2017:0864", "alsa-lib"] {
            assert_eq!(rpm(text, false), None, "{text}");
        }
        assert!(rpm("1234567", false).is_some_and(|d| d.message.contains("Bugzilla")));
        for text in ["CVE-2018-*", "cve-2018-1234567"] {
            assert!(rpm(text, false).is_some(), "{text}");
        }
        for text in ["CVE-2018-1234567", "RHSA-2017:0864", "1234567"] {
            assert!(rpm(text, true).is_some_and(|d| d.message.contains("rejects nothing")), "{text}");
        }
        assert!(macos("MRT*").is_some() && macos("MRT").is_none());
        assert!(windows("bash").is_some() && windows("KB1").is_none());
    }
}
