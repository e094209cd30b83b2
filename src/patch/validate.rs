//! What the service would refuse in a baseline, or take without complaint and never match (patch-baselines.md 1.1–1.3).

use super::baseline::{Baseline, FilterKey, OperatingSystem};
use super::names;
use super::parse::{Reader, with_suggestion};
use super::service_scan::LONG_DELAY;
use crate::diagnostic::{Diagnostic, Span};
use crate::yaml::Node;

/// Filter keys that mean something for an operating system (patch-baselines.md 1.3).
fn keys_of(os: OperatingSystem) -> &'static [FilterKey] {
    use FilterKey::{Classification, MsrcSeverity, PatchSet, Priority, Product, ProductFamily, Section, Severity};
    match os {
        OperatingSystem::Windows => &[PatchSet, Product, ProductFamily, Classification, MsrcSeverity],
        OperatingSystem::MacOs => &[Product, Classification],
        _ if os.is_apt() => &[Product, Priority, Section],
        _ => &[Product, Classification, Severity],
    }
}

/// Values that a filter is known to meet; empty: free text. Never a closed set, so others are warnings
/// (patch-baselines.md 1.3).
fn values_of(os: OperatingSystem, key: FilterKey) -> &'static [&'static str] {
    const RPM: &[&str] = &["Security", "Bugfix", "Enhancement", "Recommended", "Newpackage"];
    const SUSE: &[&str] = &["Security", "Recommended", "Optional", "Feature", "Document", "Yast"];
    const MACOS: &[&str] = &["softwareupdate", "installer", "brew", "brew_cask"];
    const WINDOWS: &[&str] = &[
        "CriticalUpdates",
        "DefinitionUpdates",
        "Drivers",
        "FeaturePacks",
        "SecurityUpdates",
        "ServicePacks",
        "Tools",
        "UpdateRollups",
        "Updates",
        "Upgrades",
    ];
    match key {
        FilterKey::Classification => match os {
            OperatingSystem::Windows => WINDOWS,
            OperatingSystem::MacOs => MACOS,
            OperatingSystem::Suse => SUSE,
            _ => RPM,
        },
        // `Medium` and `Moderate` are synonyms that different vendors write; `None` is Amazon Linux 2023's.
        FilterKey::Severity => &["Critical", "Important", "Medium", "Moderate", "Low", "None"],
        FilterKey::MsrcSeverity => &["Critical", "Important", "Moderate", "Low", "Unspecified"],
        FilterKey::Priority => &["Required", "Important", "Standard", "Optional", "Extra"],
        FilterKey::PatchSet => &["OS", "APPLICATION"],
        FilterKey::Product | FilterKey::ProductFamily | FilterKey::Section => &[],
    }
}

/// Checks one filter against the operating system.
pub(super) fn filter(
    reader: &mut Reader,
    os: OperatingSystem,
    (key_node, key): (&Node, FilterKey),
    (values_node, values): (&Node, &[String]),
) {
    let keys = keys_of(os);
    if !keys.contains(&key) {
        let possible: Vec<_> = keys.iter().map(|key| key.as_str()).collect();
        let error = Diagnostic::error("B005", format!("{os} patches have no {key}, so this filter would never pass"))
            .note(format!("filters for {os} are {}", possible.join(", ")));
        return reader.say(error, key_node.span, "");
    }
    if values.is_empty() || values.len() > 20 {
        let error = Diagnostic::error("B006", format!("a filter takes 1 to 20 values, this one has {}", values.len()));
        reader.say(error, values_node.span, "");
    }
    let known = values_of(os, key);
    for (node, value) in values_node.items().unwrap_or_default().iter().zip(values) {
        if value.is_empty() || value.chars().count() > 64 {
            reader.say(Diagnostic::error("B006", "a filter value has 1 to 64 characters"), node.span, "");
        } else if value.len() > 1 && value.contains('*') {
            let warning = Diagnostic::warning("B009", format!("`{value}` is taken literally"))
                .note("in a filter only the single character `*` is a wildcard, and it means everything");
            reader.say(warning, node.span, "");
        } else if value != "*" && !known.is_empty() && !known.iter().any(|known| known.eq_ignore_ascii_case(value)) {
            let warning = Diagnostic::warning("B009", format!("`{value}` is no {key} that is known for {os}"))
                .note(format!("known are {}", known.join(", ")));
            reader.say(with_suggestion(warning, value, known), node.span, "");
        }
    }
}

/// A rule's filters are at most four.
pub(super) fn filter_count(reader: &mut Reader, span: Span, count: usize) {
    if count > 4 {
        let error = Diagnostic::error("B006", format!("a filter group has at most 4 filters, this one has {count}"));
        reader.say(error, span, "");
    }
}

/// Checks the sizes of lists and texts.
pub(super) fn limits(reader: &mut Reader, node: &Node, filters: &[Node], rules: &[Node]) {
    if let Some(group) = node.get("GlobalFilters") {
        filter_count(reader, group.span, filters.len());
    }
    if rules.len() > 10 {
        let error = Diagnostic::error("B006", format!("a baseline has at most 10 rules, this one has {}", rules.len()));
        reader.say(error, node.get("ApprovalRules").map_or(node.span, |rules| rules.span), "");
    }
    for (key, most) in [("ApprovedPatches", 50), ("RejectedPatches", 50), ("Sources", 20)] {
        let Some(list) = node.get(key) else { continue };
        let items = list.items().unwrap_or_default();
        if items.len() > most {
            let error =
                Diagnostic::error("B006", format!("`{key}` takes at most {most} entries, this has {}", items.len()));
            reader.say(error, list.span, "");
        }
        let bad = |item: &&Node| item.as_str().is_some_and(|text| text.is_empty() || text.chars().count() > 100);
        for item in items.iter().filter(bad) {
            reader.say(Diagnostic::error("B006", "an entry has 1 to 100 characters"), item.span, "");
        }
    }
    sources(reader, node);
    if let Some((place, text)) = node.get("Description").and_then(|node| Some((node, node.as_str()?)))
        && !(1..=1024).contains(&text.chars().count())
    {
        reader.say(Diagnostic::error("B006", "a description has 1 to 1024 characters"), place.span, "");
    }
    if let Some(name) = node.get("Name")
        && let Some(text) = name.as_str()
    {
        let allowed = text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        if !allowed || !(3..=128).contains(&text.len()) {
            let error = Diagnostic::error("B004", format!("`{text}` cannot be the name of a baseline"))
                .note("a name has 3 to 128 characters: letters, digits, `_`, `-` and `.`");
            reader.say(error, name.span, "");
        }
    }
}

/// Names, products and configurations of alternative repositories (patch-baselines.md 1.6).
fn sources(reader: &mut Reader, node: &Node) {
    for source in node.get("Sources").and_then(Node::items).unwrap_or_default() {
        let text = |key: &str| source.get(key).and_then(|node| Some((node, node.as_str()?)));
        if let Some((place, name)) = text("Name") {
            let allowed = name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
            if !allowed || !(3..=50).contains(&name.len()) {
                let error = Diagnostic::error("B004", format!("`{name}` cannot be the name of a source"))
                    .note("a name has 3 to 50 characters: letters, digits, `_`, `-` and `.`");
                reader.say(error, place.span, "");
            }
        }
        if let Some((place, configuration)) = text("Configuration")
            && !(1..=1024).contains(&configuration.chars().count())
        {
            reader.say(Diagnostic::error("B006", "a configuration has 1 to 1024 characters"), place.span, "");
        }
        let products = source.get("Products").and_then(Node::items).unwrap_or_default();
        if products.is_empty() || products.len() > 20 {
            let error =
                Diagnostic::error("B006", format!("a source takes 1 to 20 products, this one has {}", products.len()))
                    .help("`Products: ['*']` is for all of them");
            reader.say(error, source.span, "");
        }
    }
}

/// Checks what depends on more than one field.
pub(super) fn baseline(reader: &mut Reader, node: &Node, baseline: &Baseline) {
    // Counted in the file: rules that could not be read were reported already.
    let rules = node.get("ApprovalRules").and_then(|group| group.get("PatchRules")).and_then(Node::items);
    if rules.is_none_or(<[Node]>::is_empty) && baseline.approved.is_empty() {
        let error = Diagnostic::error("B008", "this baseline approves nothing, so nothing could ever be missing")
            .help("add a rule to `ApprovalRules`, or names to `ApprovedPatches`");
        reader.say(error, Span::new(node.span.start, node.span.start), "");
    }
    let os = baseline.operating_system;
    let windows_only = "AvailableSecurityUpdatesComplianceStatus";
    if let (Some((key, _)), true) = (node.entry(windows_only), os != OperatingSystem::Windows) {
        let error =
            Diagnostic::error("B005", format!("`{windows_only}` is for WINDOWS only, this baseline is for {os}"));
        reader.say(error, key.span, "");
    }
    // The service answers an empty list for every system.
    let given = node.entry("Sources").filter(|(_, list)| list.items().is_none_or(|items| !items.is_empty()));
    if let (Some((key, _)), OperatingSystem::Windows) = (given, os) {
        reader.say(Diagnostic::error("B005", "`Sources` is for Linux only"), key.span, "");
    }
    let approved = node.get("ApprovedPatches").and_then(Node::items).unwrap_or_default();
    for item in approved {
        let Some(name) = item.as_str() else { continue };
        if baseline.rejected.iter().any(|rejected| rejected == name) {
            let warning = Diagnostic::warning("B010", format!("`{name}` is approved and rejected"))
                .note("a patch named in both lists is rejected");
            reader.say(warning, item.span, "");
        }
    }
    let rejected = node.get("RejectedPatches").and_then(Node::items).unwrap_or_default();
    if os.is_apt() {
        apt_entries(reader, approved);
        apt_entries(reader, rejected);
    } else {
        names::check(reader, os.family(), approved, rejected);
    }
    if os == OperatingSystem::Windows {
        long_delays(reader, node);
    }
}

/// On Windows a long delay may leave neither the old update approved, which is gone, nor the new one (3.7).
fn long_delays(reader: &mut Reader, node: &Node) {
    let rules = node.get("ApprovalRules").and_then(|group| group.get("PatchRules")).and_then(Node::items);
    for days in rules.unwrap_or_default().iter().filter_map(|rule| rule.get("ApproveAfterDays")) {
        if days.as_int().is_some_and(|days| days > i64::from(LONG_DELAY)) {
            let warning =
                Diagnostic::warning("B013", format!("a delay of more than {LONG_DELAY} days may approve nothing"))
                    .note("superseded updates vanish from the catalogue before they are approved");
            reader.say(warning, days.span, "");
        }
    }
}

/// Patch Manager documents bare names only for APT systems; other forms work, but nobody promises it
/// (patch-baselines.md 2.2).
fn apt_entries(reader: &mut Reader, items: &[Node]) {
    for item in items {
        let Some(text) = item.as_str() else { continue };
        let bare =
            !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c));
        if text.to_ascii_uppercase().starts_with("CVE-") {
            let warning =
                Diagnostic::warning("B010", format!("`{text}` matches nothing: APT systems have no CVE data here"))
                    .help("name the packages instead");
            reader.say(warning, item.span, "");
        } else if !bare {
            let warning = Diagnostic::warning("B010", format!("`{text}` is no bare package name"))
                .note("versions, architectures and wildcards were seen to work on APT systems, but only bare names are documented");
            reader.say(warning, item.span, "");
        }
    }
}
