//! `gates.packages`: which packages must and must not be there.

use crate::project::codes;
use crate::project::fields::{Fields, Findings};
use crate::project::policy::{PackageGate, PackageRule, Relation, VersionBound};
use crate::yaml::Node;

/// A name, with wildcards or not, and a range of versions: `openssl >= 3.0.11, < 4`.
pub(in crate::project) const PACKAGE: &str =
    "^[A-Za-z0-9*?+._-]+( (<=|>=|<|>|=) [A-Za-z0-9.+~:^_-]+(, (<=|>=|<|>|=) [A-Za-z0-9.+~:^_-]+)*)?$";

/// Reads the rules; those of the project stay.
pub(super) fn read(node: &Node, base: Option<PackageGate>, out: &mut Findings) -> Option<PackageGate> {
    let mut fields = Fields::new(node, "gates.packages", false, out)?;
    let mut gate = base.unwrap_or_default();
    let (must_have, must_not_have) = (rules(&mut fields, "must_have", out), rules(&mut fields, "must_not_have", out));
    let none = |key: &str| node.get(key).and_then(Node::items).is_none_or(<[_]>::is_empty);
    if none("must_have") && none("must_not_have") {
        let found = out.error(codes::NO_GATE, node.span, "`gates.packages` has no rule", "nothing would be checked");
        found.help.push("name packages under `must_have` or `must_not_have`".to_owned());
    }
    fields.finish(out);
    for (into, rules) in [(&mut gate.must_have, must_have), (&mut gate.must_not_have, must_not_have)] {
        for rule in rules {
            if !into.contains(&rule) {
                into.push(rule);
            }
        }
    }
    Some(gate)
}

fn rules(fields: &mut Fields<'_>, key: &'static str, out: &mut Findings) -> Vec<PackageRule> {
    let mut rules = vec![];
    for (text, span) in fields.texts(key, out) {
        if let Some(rule) = rule(&text) {
            rules.push(rule);
            continue;
        }
        let message = format!("`{text}` is not a package with a range of versions");
        let found = out.error(codes::NOT_ALLOWED, span, message, "cannot be read");
        found.help.push("write the name, and if need be versions: `openssl`, `openssl >= 3.0.11, < 4`".to_owned());
    }
    rules
}

/// Reads one rule.
fn rule(text: &str) -> Option<PackageRule> {
    if !regex_lite::Regex::new(PACKAGE).is_ok_and(|pattern| pattern.is_match(text)) {
        return None;
    }
    let (name, range) = text.split_once(' ').unwrap_or((text, ""));
    let bound = |text: &str| {
        let (sign, relation) = Relation::SIGNS.into_iter().find(|(sign, _)| text.starts_with(sign))?;
        Some(VersionBound { relation, version: text[sign.len()..].trim().to_owned() })
    };
    let bounds = range.split(", ").filter(|bound| !bound.is_empty()).map(bound);
    Some(PackageRule { name: name.to_owned(), versions: bounds.collect::<Option<_>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_a_name_and_a_range() {
        let read = |text| {
            rule(text).map(|rule| {
                let versions: Vec<String> = rule.versions.iter().map(ToString::to_string).collect();
                (rule.name, versions)
            })
        };
        assert_eq!(read("openssl"), Some(("openssl".into(), vec![])));
        assert_eq!(
            read("libssl3 >= 3.0.11-1~deb12u2, < 1:4"),
            Some(("libssl3".into(), vec![">= 3.0.11-1~deb12u2".into(), "< 1:4".into()]))
        );
        assert_eq!(read("*-dev = 2"), Some(("*-dev".into(), vec!["= 2".into()])));
        for bad in ["", " ", "openssl >=3", "openssl 3", "openssl > ", "openssl > 1 < 2", "a b", "openssl ~> 3"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
