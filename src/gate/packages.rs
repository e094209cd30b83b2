//! The gate on packages that must and must not be there.

use super::AGAIN;
use super::case::{Case, Outcome};
use super::verdict::{Found, Verdict};
use crate::evidence::{Evidence, InstalledPackage};
use crate::patch::{glob, version_order};
use crate::project::{PackageGate, PackageRule, VersionBound};

const GATE: &str = "packages";

/// Too much is each package that is missing, or there although it must not be.
pub(super) fn check<'a>(gate: &'a PackageGate, evidence: &'a Evidence) -> Outcome<'a> {
    if evidence.packages.is_empty() {
        return Err(Verdict::error(GATE, "no installed package is known").detail(AGAIN));
    }
    let mut wrong = vec![];
    for rule in &gate.must_have {
        let named = named(rule, evidence);
        if any_in_range(rule, &named, evidence)? {
            continue;
        }
        let what = if named.is_empty() {
            format!("{} is not installed", rule.name)
        } else {
            let versions: Vec<&str> = named.iter().map(|package| package.version.as_str()).collect();
            format!("{} is {}, it has to be {}", rule.name, versions.join(" and "), range(rule))
        };
        let version = named.first().map(|package| package.version.as_str());
        wrong.push(Found::new(&rule.name, what).in_package(&rule.name, version));
    }
    for rule in &gate.must_not_have {
        for package in named(rule, evidence) {
            if in_range(rule, package, evidence)? {
                let range = if rule.versions.is_empty() { String::new() } else { format!(" ({})", range(rule)) };
                let what = format!("{} {} is installed and must not be{range}", package.name, package.version);
                wrong.push(Found::new(&rule.name, what).in_package(&package.name, Some(&package.version)));
            }
        }
    }
    let (must, must_not) = (gate.must_have.len(), gate.must_not_have.len());
    let good = format!("{must} rules of what must be there and {must_not} of what must not hold");
    Ok(Case::strict(GATE, wrong, good).looked_at(format!("looked at: {} installed packages", evidence.packages.len())))
}

/// The packages that a rule is about.
fn named<'a>(rule: &PackageRule, evidence: &'a Evidence) -> Vec<&'a InstalledPackage> {
    let is =
        |name: &str| if glob::is_pattern(&rule.name) { glob::matches(&rule.name, name) } else { rule.name == name };
    evidence.packages.iter().filter(|package| is(&package.name)).collect()
}

fn any_in_range(rule: &PackageRule, packages: &[&InstalledPackage], evidence: &Evidence) -> Result<bool, Verdict> {
    let mut any = false;
    for package in packages {
        any |= in_range(rule, package, evidence)?;
    }
    Ok(any)
}

/// Whether the version is one of those meant. Versions that cannot be compared are an error, whatever the rule.
fn in_range(rule: &PackageRule, package: &InstalledPackage, evidence: &Evidence) -> Result<bool, Verdict> {
    let mut all = true;
    for bound in &rule.versions {
        all &= holds(bound, package, evidence)?;
    }
    Ok(all)
}

fn holds(bound: &VersionBound, package: &InstalledPackage, evidence: &Evidence) -> Result<bool, Verdict> {
    let Some(os) = evidence.os.as_ref().filter(|os| !os.id.is_empty()) else {
        let why = "the system in the image is not known, so versions cannot be compared";
        return Err(Verdict::error(GATE, why).detail(AGAIN));
    };
    let order = version_order(&os.id, &package.version, &bound.version).ok_or_else(|| {
        let InstalledPackage { name, version, .. } = package;
        Verdict::error(GATE, format!("versions `{version}` and `{}` of {name} cannot be compared", bound.version))
    })?;
    Ok(bound.relation.holds(order))
}

fn range(rule: &PackageRule) -> String {
    if rule.versions.is_empty() {
        return "there".to_owned();
    }
    rule.versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, one};
    use super::super::verdict::VerdictStatus::{Error, Fail, Pass};
    use super::*;
    use crate::project::{Gates, Relation};

    fn rule(name: &str, bounds: &[(Relation, &str)]) -> PackageRule {
        let bound = |(relation, version): &(Relation, &str)| VersionBound {
            relation: *relation,
            version: (*version).to_owned(),
        };
        PackageRule { name: name.into(), versions: bounds.iter().map(bound).collect() }
    }

    fn verdict(must_have: Vec<PackageRule>, must_not_have: Vec<PackageRule>) -> Verdict {
        let gates = Gates { packages: Some(PackageGate { must_have, must_not_have }), ..Gates::default() };
        one(&gates, NOW, |evidence| {
            let package = |name: &str, version: &str| InstalledPackage {
                name: name.into(),
                arch: "amd64".into(),
                version: version.into(),
            };
            evidence.packages = vec![package("bash", "5.2-1"), package("openssl", "3.0.11-1~deb12u2")];
        })
    }

    #[test]
    fn what_must_be_there_is_there_in_a_version_of_the_range() {
        assert_eq!(verdict(vec![rule("bash", &[])], vec![]).status, Pass);
        let range = [(Relation::GreaterOrEqual, "3.0.11-1~deb12u2"), (Relation::Less, "3.0.11-1")];
        assert_eq!(verdict(vec![rule("openssl", &range)], vec![]).status, Pass, "dpkg's order, not that of text");
        let old = verdict(vec![rule("openssl", &[(Relation::Greater, "3.0.11-1~deb12u2")])], vec![]);
        assert_eq!(
            (old.status, old.summary.as_str()),
            (Fail, "openssl is 3.0.11-1~deb12u2, it has to be > 3.0.11-1~deb12u2")
        );
        let missing = verdict(vec![rule("chrony", &[])], vec![]);
        assert_eq!((missing.status, missing.summary.as_str()), (Fail, "chrony is not installed"));
        assert_eq!(missing.findings[0].id, "chrony");
    }

    #[test]
    fn what_must_not_be_there_is_found_by_pattern_and_range() {
        assert_eq!(verdict(vec![], vec![rule("telnet*", &[])]).status, Pass);
        let found = verdict(vec![], vec![rule("open*", &[])]);
        assert_eq!(found.findings[0].package.as_deref(), Some("openssl"));
        assert_eq!((found.status, found.findings[0].id.as_str()), (Fail, "open*"));
        assert_eq!(verdict(vec![], vec![rule("bash", &[(Relation::Less, "5.2-1")])]).status, Pass);
        assert_eq!(verdict(vec![], vec![rule("bash", &[(Relation::Equal, "5.2-1")])]).status, Fail);
    }

    #[test]
    fn what_cannot_be_compared_is_an_error() {
        assert_eq!(verdict(vec![rule("bash", &[(Relation::Less, "no version")])], vec![]).status, Error);
        let gate = PackageGate { must_have: vec![rule("bash", &[(Relation::Less, "6")])], must_not_have: vec![] };
        let gates = Gates { packages: Some(gate), ..Gates::default() };
        assert_eq!(one(&gates, NOW, |evidence| evidence.os = None).status, Error);
        assert_eq!(one(&gates, NOW, |evidence| evidence.packages.clear()).status, Error);
    }
}
