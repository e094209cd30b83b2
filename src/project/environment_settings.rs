//! `environments` in `amiforge.yaml`.

use super::fields::{Fields, Findings, text};
use super::settings::{DISTRIBUTES, INSTANCE_PROFILE, kms_key, list, name};
use super::{
    AwsConfig, Distribute, Distribution, Encryption, EnvironmentConfig, EvidenceBucket, Grantee, LOCAL_REGION,
    LocalConfig, Location, Target, codes,
};
use crate::diagnostic::Span;
use crate::yaml::Node;
use regex_lite::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

pub(super) fn environments(node: &Node, into: &mut BTreeMap<String, EnvironmentConfig>, out: &mut Findings) {
    let Some(entries) = Fields::new(node, "environments", true, out).and(node.entries()) else { return };
    for (key, value) in entries {
        let Some(name) = name(key, "environment", false, out) else { continue };
        let config = if name == "local" {
            local(value, out).map(EnvironmentConfig::Local)
        } else {
            aws(&name, value, out).map(EnvironmentConfig::Aws)
        };
        if let Some(config) = config {
            into.insert(name, config);
        }
    }
}

fn local(node: &Node, out: &mut Findings) -> Option<LocalConfig> {
    let mut fields = Fields::new(node, "environments.local", true, out)?;
    let mut config = LocalConfig {
        mirror: fields.text("mirror", out),
        bind: fields.texts("bind", out).into_iter().map(|(path, _)| PathBuf::from(path)).collect(),
        targets: vec![],
        distribute: distribute(&mut fields, out),
        evidence: evidence(&mut fields, out),
        encryption: Encryption::default(),
    };
    let path = fields.path("targets");
    if let Some(node) = fields.take("targets") {
        config.targets = targets(node, &path, out);
    }
    if let Some(read) = encryption(&mut fields, LOCAL_REGION, &config.targets, out) {
        config.encryption = read;
    }
    fields.finish(out);
    Some(config)
}

fn aws(name: &str, node: &Node, out: &mut Findings) -> Option<AwsConfig> {
    let mut fields = Fields::new(node, &format!("environments.{name}"), false, out)?;
    let (home, role) = match fields.required("home", out) {
        Some(home) => read_home(home, &fields.path("home"), out),
        None => (None, None),
    };
    let mut config = AwsConfig {
        role: role.clone(),
        instance_profile: Some(INSTANCE_PROFILE.to_owned()),
        targets: home.iter().map(|home| Target { location: home.clone(), role: role.clone() }).collect(),
        distribute: distribute(&mut fields, out),
        evidence: evidence(&mut fields, out),
        ..AwsConfig::at(home.clone().unwrap_or(Location { account: String::new(), region: String::new() }))
    };
    if let Some(node) = fields.take("infrastructure") {
        infrastructure(node, &fields.path("infrastructure"), &mut config, out);
    }
    let path = fields.path("targets");
    if let Some(node) = fields.take("targets") {
        config.targets = targets(node, &path, out);
    }
    let path = fields.path("distribution");
    if let Some(node) = fields.take("distribution") {
        config.distribution = distribution(node, &path, &config.home, out);
    }
    if let Some(read) = encryption(&mut fields, &config.home.region, &config.targets, out) {
        config.encryption = read;
    }
    fields.finish(out);
    home.is_some().then_some(config)
}

fn distribute(fields: &mut Fields<'_>, out: &mut Findings) -> Distribute {
    match fields.choice("distribute", &DISTRIBUTES, out) {
        Some("copy") => Distribute::Copy,
        _ => Distribute::Share,
    }
}

/// What keys of evidence begin with when nothing else is said.
pub(super) const EVIDENCE_PREFIX: &str = "amiforge/evidence";
/// Names of buckets.
pub(super) const BUCKET: &str = "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$";
/// What keys can begin with: parts of a path that need no encoding.
pub(super) const PREFIX: &str = "^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$";

/// Where evidence is kept besides the project.
fn evidence(fields: &mut Fields<'_>, out: &mut Findings) -> Option<EvidenceBucket> {
    let path = fields.path("evidence");
    let node = fields.take("evidence")?;
    let mut fields = Fields::new(node, &path, false, out)?;
    let shaped = |node: &Node, name: &str, form: &str, example: &str, out: &mut Findings| {
        let text = text(node, name, out)?;
        if Regex::new(form).is_ok_and(|form| form.is_match(&text)) {
            return Some(text);
        }
        let found = out.error(codes::NOT_ALLOWED, node.span, format!("`{name}` cannot be `{text}`"), "not such a name");
        found.help.push(format!("for example {example}"));
        None
    };
    let (bucket_path, prefix_path) = (fields.path("bucket"), fields.path("prefix"));
    let (region_path, key_path) = (fields.path("region"), fields.path("kms_key"));
    let bucket =
        fields.required("bucket", out).and_then(|node| shaped(node, &bucket_path, BUCKET, "acme-evidence", out));
    let prefix = match fields.take("prefix") {
        Some(node) => shaped(node, &prefix_path, PREFIX, EVIDENCE_PREFIX, out),
        None => Some(EVIDENCE_PREFIX.to_owned()),
    };
    let region = fields.take("region").and_then(|node| region(node, &region_path, out));
    let key = fields.take("kms_key").and_then(|node| Some((text(node, &key_path, out)?, node.span)));
    let key = key.and_then(|(key, span)| kms_key(key, span, &key_path, out));
    fields.finish(out);
    Some(EvidenceBucket { bucket: bucket?, prefix: prefix?, region, kms_key: key })
}

fn read_home(node: &Node, path: &str, out: &mut Findings) -> (Option<Location>, Option<String>) {
    let Some(mut fields) = Fields::new(node, path, false, out) else { return (None, None) };
    let account = account(&mut fields, out);
    let region = fields.required("region", out).and_then(|node| region(node, &fields.path("region"), out));
    let role = fields.text("role", out);
    fields.finish(out);
    (account.zip(region).map(|(account, region)| Location { account, region }), role)
}

fn infrastructure(node: &Node, path: &str, config: &mut AwsConfig, out: &mut Findings) {
    let Some(mut fields) = Fields::new(node, path, true, out) else { return };
    config.instance_types = fields.texts("instance_types", out).into_iter().map(|(text, _)| text).collect();
    if let Some(profile) = fields.text("instance_profile", out) {
        config.instance_profile = Some(profile);
    }
    config.subnet = fields.text("subnet", out);
    config.security_groups = fields.texts("security_groups", out).into_iter().map(|(text, _)| text).collect();
    config.log_bucket = fields.text("log_bucket", out);
    config.document_bucket = fields.text("document_bucket", out);
    config.execution_role = fields.text("execution_role", out);
    let path = fields.path("hourly_cost");
    config.hourly_cost = fields.take("hourly_cost").and_then(|node| amount(node, &path, out));
    // A subnet requires security groups (image-builder.md 8); groups alone belong to an unknown network.
    if config.subnet.is_some() == config.security_groups.is_empty() {
        let (has, lacks) =
            if config.subnet.is_some() { ("subnet", "security_groups") } else { ("security_groups", "subnet") };
        let span = node.entry(has).map_or(node.span, |(key, _)| key.span);
        let message = format!("`{}` needs `{}`", fields.path(has), fields.path(lacks));
        let found = out.error(codes::MISSING, span, message, format!("`{lacks}` is missing"));
        found.help.push("give both, or neither to build in the default network".to_owned());
    }
    fields.finish(out);
}

/// An amount of money, in quotes so that it stays as it was written.
fn amount(node: &Node, path: &str, out: &mut Findings) -> Option<f64> {
    let text = text(node, path, out)?;
    let digits = |part: &str| (1..=6).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    if !digits(whole) || rest.is_some_and(|rest| !digits(rest)) {
        let found = out.error(codes::NOT_ALLOWED, node.span, format!("`{path}` is no amount"), "not an amount");
        found.help.push(
            "an amount is a number with at most six digits before and behind the point, as in \"0.1008\"".to_owned(),
        );
        return None;
    }
    text.parse().ok()
}

fn targets(node: &Node, path: &str, out: &mut Findings) -> Vec<Target> {
    let Some(items) = node.items() else {
        out.wrong_type(path, "a list", node);
        return vec![];
    };
    if items.is_empty() {
        let found = out.error(codes::MISSING, node.span, format!("`{path}` is empty"), "no target");
        found.help.push("leave it out to promote in the home account and Region only".to_owned());
    }
    let mut seen = BTreeSet::new();
    let mut targets = vec![];
    for item in items {
        let Some(mut fields) = Fields::new(item, path, false, out) else { continue };
        let account = account(&mut fields, out);
        let role = fields.text("role", out);
        let regions_path = fields.path("regions");
        let regions = fields.required("regions", out);
        fields.finish(out);
        for node in regions.map(|node| list(node, &regions_path, out)).unwrap_or_default() {
            let (Some(region), Some(account)) = (region(node, &regions_path, out), account.clone()) else { continue };
            let location = Location { account, region };
            if seen.insert(location.clone()) {
                targets.push(Target { location, role: role.clone() });
            } else {
                let message = format!("{} in account {} is a target twice", location.region, location.account);
                out.error(codes::TWICE, node.span, message, "again here");
            }
        }
    }
    targets
}

/// What builds do with finished images. The home Region always has one and is not named.
fn distribution(node: &Node, path: &str, home: &Location, out: &mut Findings) -> Option<Distribution> {
    let mut fields = Fields::new(node, path, true, out)?;
    let mut read = Distribution::default();
    let (regions_path, accounts_path) = (fields.path("regions"), fields.path("accounts"));
    for node in fields.list("regions", out) {
        let Some(region) = region(node, &regions_path, out) else { continue };
        if region == home.region {
            let found =
                out.error(codes::TWICE, node.span, format!("{region} is the home Region"), "has the image anyway");
            found.help.push("leave it out".to_owned());
        } else if read.regions.contains(&region) {
            out.error(codes::TWICE, node.span, format!("{region} stands here twice"), "again here");
        } else {
            read.regions.push(region);
        }
    }
    for node in fields.list("accounts", out) {
        let Some(account) = text(node, &accounts_path, out).and_then(|text| twelve_digits(text, node.span, out)) else {
            continue;
        };
        if read.accounts.contains(&account) {
            out.error(codes::TWICE, node.span, format!("account {account} stands here twice"), "again here");
        } else {
            read.accounts.push(account);
        }
    }
    // The AMI in the home Region is encrypted by the recipe's volume, never by a distribution (image-builder.md 9.1).
    if let Some(node) = fields.take("kms_keys") {
        let whose = (read.regions.as_slice(), "the Regions that get a copy");
        read.kms_keys = keys(node, &fields.path("kms_keys"), whose, out, |key, _, _| Some(key));
    }
    fields.finish(out);
    Some(read)
}

/// Keys by Region, which must be one of those; `check` is asked about the keys.
fn keys(
    node: &Node,
    path: &str,
    (regions, whose): (&[String], &str),
    out: &mut Findings,
    check: impl Fn(String, Span, &mut Findings) -> Option<String>,
) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    let Some(entries) = Fields::new(node, path, true, out).and(node.entries()) else { return keys };
    for (name, value) in entries {
        let (Some(region), Some(key)) = (text(name, path, out), text(value, path, out)) else { continue };
        let key = check(key, value.span, out);
        if regions.contains(&region) {
            keys.extend(key.map(|key| (region, key)));
        } else {
            let known: Vec<&str> = regions.iter().map(String::as_str).collect();
            let message = format!("`{region}` is not one of {whose}");
            out.unknown(codes::NOT_ALLOWED, name.span, message, &region, &known);
        }
    }
    keys
}

/// What `grants` may name beside roles.
pub(super) const GRANTEES: [&str; 2] = ["account", "autoscaling"];
/// Roles that `grants` may name: path and name, as they stand in an ARN (general knowledge of AWS).
pub(super) const ROLE: &str = "^role/[A-Za-z0-9_+=,.@/-]{1,512}$";

/// What images are encrypted with, and to whom promotions open keys.
fn encryption(fields: &mut Fields<'_>, home: &str, targets: &[Target], out: &mut Findings) -> Option<Encryption> {
    let path = fields.path("encryption");
    let node = fields.take("encryption")?;
    let mut fields = Fields::new(node, &path, true, out)?;
    let mut read = Encryption::default();
    let regions = targets.iter().map(|target| target.location.region.as_str()).chain([home]);
    let regions: BTreeSet<String> = regions.map(str::to_owned).collect();
    if let Some(node) = fields.take("kms_keys") {
        let path = fields.path("kms_keys");
        let regions = Vec::from_iter(regions);
        let whose = (regions.as_slice(), "the Regions of `home` and `targets`");
        read.kms_keys = keys(node, &path, whose, out, |key, span, out| kms_key(key, span, &path, out));
    }
    let path = fields.path("grants");
    if let Some(node) = fields.take("grants") {
        read.grants = grants(node, &path, out);
    }
    fields.finish(out);
    Some(read)
}

/// Nobody is an answer, too: an empty list says that the keys' policies let them in.
fn grants(node: &Node, path: &str, out: &mut Findings) -> Vec<Grantee> {
    let mut all = Vec::new();
    let Some(items) = node.items() else {
        out.wrong_type(path, "a list", node);
        return all;
    };
    for node in items {
        let Some(name) = text(node, path, out) else { continue };
        let grantee = match (name.as_str(), name.strip_prefix("role/")) {
            ("account", _) => Grantee::Account,
            ("autoscaling", _) => Grantee::AutoScaling,
            (_, Some(role)) if Regex::new(ROLE).is_ok_and(|form| form.is_match(&name)) => {
                Grantee::Role(role.to_owned())
            }
            _ => {
                let message = format!("`{name}` is nobody that `{path}` can name");
                let found = out.error(codes::NOT_ALLOWED, node.span, message, "not a grantee");
                found.help.push(format!("{}, or a role of the accounts as role/PATH/NAME", GRANTEES.join(", ")));
                continue;
            }
        };
        if all.contains(&grantee) {
            out.error(codes::TWICE, node.span, format!("`{name}` stands here twice"), "again here");
        } else {
            all.push(grantee);
        }
    }
    all
}

fn account(fields: &mut Fields<'_>, out: &mut Findings) -> Option<String> {
    let node = fields.required("account", out)?;
    let path = fields.path("account");
    twelve_digits(text(node, &path, out)?, node.span, out)
}

pub(super) fn twelve_digits(text: String, span: Span, out: &mut Findings) -> Option<String> {
    if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(text);
    }
    out.error(codes::LOCATION, span, format!("`{text}` is not an account: twelve digits are"), "not an account");
    None
}

pub(super) fn region(node: &Node, path: &str, out: &mut Findings) -> Option<String> {
    let text = text(node, path, out)?;
    // `[a-z]{2,}(-[a-z]+)+-[0-9]+`, the pattern of the service's own models (image-builder.md 2.2).
    let parts: Vec<&str> = text.split('-').collect();
    let letters = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let fits = parts.len() >= 3
        && parts[0].len() >= 2
        && parts[..parts.len() - 1].iter().all(letters)
        && parts.last().is_some_and(|last| !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()));
    if fits {
        return Some(text);
    }
    let found = out.error(codes::LOCATION, node.span, format!("`{text}` is not a Region"), "not a Region");
    found.help.push("for example us-east-1".to_owned());
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::load;

    /// Of an environment whose home is in us-east-1 and whose one target is in eu-west-1.
    fn read(encryption: &str) -> Result<EnvironmentConfig, Vec<(&'static str, String, String)>> {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "project: acme\nenvironments:\n  prod:\n    home: {{ account: '111122223333', region: us-east-1 }}\n    \
             targets: [{{ account: '444455556666', regions: [eu-west-1] }}]\n    distribution: {{ regions: [eu-west-1], \
             kms_keys: {{ eu-west-1: alias/builds }} }}\n    encryption: {encryption}\n"
        );
        std::fs::write(folder.path().join("amiforge.yaml"), text).unwrap();
        let told = |found: crate::diagnostic::Diagnostic| (found.code, found.place().unwrap(), found.message);
        let project = load(folder.path()).map_err(|found| found.into_iter().map(told).collect::<Vec<_>>())?;
        Ok(project.environments["prod"].clone())
    }

    #[test]
    fn a_grant_to_the_account_is_what_is_usual_and_nobody_can_be_said() {
        for usual in ["", "{}", "{ kms_keys: }"] {
            assert_eq!(*read(usual).unwrap().encryption(), Encryption::default(), "{usual}");
        }
        assert_eq!(Encryption::default().grants, [Grantee::Account]);
        assert_eq!(read("{ grants: [] }").unwrap().encryption().grants, []);
    }

    #[test]
    fn keys_are_by_region_and_go_before_those_of_builds() {
        let config = read("{ kms_keys: { us-east-1: alias/home } }").unwrap();
        assert_eq!(
            (config.kms_key("us-east-1"), config.kms_key("eu-west-1")),
            (Some("alias/home"), Some("alias/builds"))
        );
        let config = read("{ kms_keys: { eu-west-1: alias/far } }").unwrap();
        assert_eq!((config.kms_key("us-east-1"), config.kms_key("eu-west-1")), (None, Some("alias/far")));
    }

    #[test]
    fn grantees_are_principals_of_the_account_that_needs_the_key() {
        let config = read("{ grants: [account, autoscaling, role/deploy/web] }").unwrap();
        let place = Location { account: "444455556666".into(), region: "cn-north-1".into() };
        let arns: Vec<String> = config.encryption().grants.iter().map(|one| one.arn(&place)).collect();
        let role = "arn:aws-cn:iam::444455556666:role/";
        let service = format!("{role}aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling");
        assert_eq!(arns, ["arn:aws-cn:iam::444455556666:root".to_owned(), service, format!("{role}deploy/web")]);
    }

    #[test]
    fn what_is_wrong_is_shown_where_it_stands() {
        for (encryption, code, column, says) in [
            ("alias/golden", "P003", 17, "has to be a mapping"),
            ("{ kms_keys: { mars-north-1: alias/x } }", "P005", 31, "not one of the Regions of `home` and `targets`"),
            ("{ kms_keys: { us-east-1: golden } }", "P042", 42, "names no key in KMS"),
            ("{ grants: account }", "P003", 27, "has to be a list"),
            ("{ grants: [everybody] }", "P005", 28, "`everybody` is nobody that"),
            ("{ grants: [role/] }", "P005", 28, "`role/` is nobody that"),
            ("{ grants: [account, account] }", "P009", 37, "`account` stands here twice"),
            ("{ key: alias/x }", "P002", 19, "`key` is not a key"),
        ] {
            let found = read(encryption).unwrap_err();
            assert_eq!(found.len(), 1, "{encryption}: {found:?}");
            let place = format!("amiforge.yaml:7:{column}");
            assert_eq!((found[0].0, &*found[0].1), (code, &*place), "{encryption}: {found:?}");
            assert!(found[0].2.contains(says), "{encryption}: {found:?}");
        }
    }
}
