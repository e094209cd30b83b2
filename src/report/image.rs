//! Reports about images: plan, verdicts, channels, and the closing block of a run.

use super::verdicts;
use crate::consume::Listing;
use crate::diagnostic::render::printable;
use crate::event::human_minutes;
use crate::patch::PackageDiff;
use crate::plan::quota::Room;
use crate::plan::{Action, Change, Estimate, ImagePlan, Plan};
use crate::run::{Planned, RunReport};
use std::fmt::Write as _;
use std::time::Duration;

/// How many patched packages the closing block names before it counts the rest.
const PACKAGES: usize = 30;
/// Per cent of a quota from which on a plan says how much is used.
const NEARLY: usize = 80;

/// What `plan` prints.
#[must_use]
pub fn plan(plan: &Plan) -> String {
    let mut text = format!(
        "plan for {} ({}) in environment {}\n  parent image {}, fingerprint {}\n\n",
        plan.recipe,
        plan.arch,
        plan.environment,
        plan.parent_image,
        short(&plan.fingerprint)
    );
    for change in &plan.changes {
        let _ = writeln!(text, "  {}", change_line(change));
    }
    let _ = writeln!(text, "  {}", image_line(&plan.image));
    text.push_str(&rooms(&plan.quotas));
    if matches!(plan.image, ImagePlan::Build { .. }) {
        let _ = writeln!(text, "  {}", estimate_line(plan.estimate.as_ref()));
    }
    let count = |action: Action| plan.changes.iter().filter(|change| change.action == action).count();
    let (created, updated, deleted) = (count(Action::Create), count(Action::Update), count(Action::Delete));
    let (kept, foreign) = (count(Action::Keep), count(Action::Foreign));
    let gone = if deleted > 0 { format!(", {deleted} to delete") } else { String::new() };
    let stops = if foreign > 0 { format!(", {foreign} foreign: `publish` refuses") } else { String::new() };
    let _ = match (plan.is_empty(), plan.publishes_nothing()) {
        (true, _) => writeln!(text, "\nNothing to create: everything is there already."),
        (false, true) => writeln!(text, "\nThe resources are there already; the image is not."),
        (false, false) => writeln!(text, "\n{created} to create, {updated} to update{gone}, {kept} kept{stops}."),
    };
    text
}

/// The quotas that would be passed, or nearly: one line each.
fn rooms(rooms: &[Room]) -> String {
    let mut text = String::new();
    for room in rooms {
        if room.passed() {
            let _ = writeln!(text, "  ! quota  {room}: `publish` refuses, unless the quota was raised (--over-quota)");
        } else if (room.used + room.create) * 100 >= room.limit * NEARLY {
            let _ = writeln!(text, "  ! quota  {room}");
        }
    }
    text
}

/// What the build will take.
fn estimate_line(estimate: Option<&Estimate>) -> String {
    let Some(estimate) = estimate else { return "takes  unknown: nothing like it was built here yet".to_owned() };
    let about = |seconds| human_minutes(Duration::from_secs(seconds));
    let time = match estimate.seconds {
        (least, most) if least == most => format!("about {}", about(most)),
        (least, most) => format!("{} to {}", about(least), about(most)),
    };
    let cost = match estimate.cost {
        Some((least, most)) if (most - least).abs() < f64::EPSILON => format!("instances cost about {most:.2}"),
        Some((least, most)) => format!("instances cost {least:.2} to {most:.2}"),
        None => "cost unknown (infrastructure.hourly_cost states it)".to_owned(),
    };
    let on = estimate.instance_type.as_ref().map_or_else(String::new, |name| format!(" on {name}"));
    format!("takes  {time}{on} ({}); {cost}", printable(&estimate.basis))
}

/// What `plan --all` prints: a plan after the other, then what it comes to.
#[must_use]
pub fn plans(planned: &Planned) -> String {
    let plans = &planned.plans;
    let mut text: String = plans.iter().map(|plan| self::plan(plan) + "\n").collect();
    text.push_str(&rooms(&planned.quotas));
    let with_changes = plans.iter().filter(|plan| !plan.is_empty()).count();
    let drifted = plans.iter().flat_map(|plan| &plan.changes).filter(|change| !change.drift.is_empty()).count();
    let _ = write!(text, "{} images: {with_changes} with something to do", plans.len());
    let _ = if drifted > 0 { writeln!(text, ", {drifted} resources changed by hand.") } else { writeln!(text, ".") };
    text
}

/// The plans of several images as JSON.
#[derive(Debug, serde::Serialize)]
pub struct Plans<'a> {
    schema: &'static str,
    #[serde(rename = "plans")]
    each: &'a [Plan],
    #[serde(skip_serializing_if = "<[Room]>::is_empty")]
    quotas: &'a [Room],
}

impl<'a> Plans<'a> {
    /// The document about these plans.
    #[must_use]
    pub fn new(planned: &'a Planned) -> Self {
        Self { schema: "amiforge.plans/1", each: &planned.plans, quotas: &planned.quotas }
    }
}

/// One line of a plan: what is done to which resource, and why.
#[must_use]
pub fn change_line(change: &Change) -> String {
    let sign = match change.action {
        Action::Create => '+',
        Action::Update => '~',
        Action::Delete => '-',
        Action::Keep => '=',
        Action::Foreign => '!',
    };
    let foreign = if change.foreign() { "foreign " } else { "" };
    let version = change.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
    let (kind, name, reason) = (change.kind.word(), &change.name, printable(&change.reason));
    format!("{sign} {foreign}{kind} {name}{version}  [{}]  {reason}", change.fingerprint)
}

fn image_line(image: &ImagePlan) -> String {
    match image {
        ImagePlan::Build { reason } => format!("+ image  {reason}"),
        ImagePlan::Join { arn, status } => format!("~ image  joins the build under way: {arn} ({status})"),
        ImagePlan::Keep { version, ami, .. } => format!("= image {version}  {ami} has this fingerprint"),
    }
}

/// What `channels` prints: one line per recipe, architecture and channel.
#[must_use]
pub fn channels(listing: &Listing) -> String {
    let mut text = String::new();
    for entry in &listing.channels {
        let image = format!("{} ({})", entry.recipe, entry.arch);
        let _ = match (&entry.release, &entry.empty_since) {
            (Some(release), _) => writeln!(
                text,
                "{image:<28} {:<12} {}  {}  since {}",
                entry.channel,
                release.ami,
                release.image_version.as_deref().unwrap_or("-"),
                release.promoted_at
            ),
            (None, Some(since)) => writeln!(text, "{image:<28} {:<12} empty since {since}", entry.channel),
            (None, None) => writeln!(text, "{image:<28} {:<12} nothing promoted yet", entry.channel),
        };
    }
    text
}

/// The closing block of a run: what was made and where, what was patched, how to look further and how to undo.
#[must_use]
pub fn closing(report: &RunReport) -> String {
    let mut text = String::new();
    let region = &report.region;
    let _ = if report.changed {
        writeln!(text, "{} ({}) is in channel {}", report.recipe, report.arch, report.promotion.channel)
    } else {
        writeln!(text, "Nothing to do: {} ({}) is unchanged, nothing was created", report.recipe, report.arch)
    };
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<16} {value}");
    };
    row("AMI", &format!("{region}: {}", report.image.ami));
    row("image version", &format!("{}  {}", report.image.image_version, report.image.image_arn));
    for (name, value) in super::promotion::pointers(&report.promotion.release) {
        row(name, &value);
    }
    row("evidence", &format!("{}  {}", report.evidence_file.display(), short(&report.digest)));
    text.push_str("  gates\n");
    for line in verdicts(&report.verdicts).lines() {
        let _ = writeln!(text, "  {line}");
    }
    text.push_str(&packages(report.evidence.changes.as_ref()));
    let arch = if report.arch == "x86_64" { String::new() } else { format!(" --arch {}", report.arch) };
    let (recipe, channel) = (&report.recipe, &report.promotion.channel);
    let mut next = vec![
        (format!("amiforge resolve {recipe} --channel {channel}{arch}"), "prints the AMI id".to_owned()),
        (format!("amiforge channels {recipe}"), "shows where every channel points".to_owned()),
        ("amiforge local serve".to_owned(), "lets the AWS CLI look at all of it".to_owned()),
    ];
    let previous = report.promotion.release.previous.as_ref();
    let back = previous.map_or("moves the channel back, once there was an earlier release".to_owned(), |previous| {
        format!("moves the channel back to {}", previous.ami)
    });
    next.insert(1, (format!("amiforge rollback {recipe} --channel {channel}{arch}"), back));
    let width = next.iter().map(|(command, _)| command.len()).max().unwrap_or_default();
    text.push_str("next\n");
    for (command, what) in next {
        let _ = writeln!(text, "  {command:<width$}   {what}");
    }
    text
}

/// The packages the build changed, from → to.
pub(super) fn packages(changes: Option<&PackageDiff>) -> String {
    let Some(changes) = changes else {
        return "  patched          unknown: the image did not record what it had before\n".to_owned();
    };
    let PackageDiff { upgraded, added, removed, downgraded, .. } = changes;
    let mut text =
        format!("  patched          {} packages, {} added, {} removed", upgraded.len(), added.len(), removed.len());
    if !downgraded.is_empty() {
        let _ = write!(text, ", {} downgraded", downgraded.len());
    }
    if changes.notices_known {
        let _ = write!(text, ", {} CVEs fixed", changes.fixed_cves().len());
    }
    text.push('\n');
    for row in downgraded.iter().chain(upgraded).take(PACKAGES) {
        let (from, to) = (row.from.as_deref().unwrap_or("-"), row.to.as_deref().unwrap_or("-"));
        let _ = writeln!(text, "    {:<24} {from} → {to}", row.name);
    }
    let changed = downgraded.len() + upgraded.len();
    if changed > PACKAGES {
        let _ = writeln!(text, "    … and {} more in the evidence", changed - PACKAGES);
    }
    text
}

/// The first twelve digits of a digest, with its algorithm if it names one.
fn short(digest: &str) -> String {
    let (algorithm, digits) = digest.split_once(':').map_or(("", digest), |(algorithm, digits)| (algorithm, digits));
    let digits: String = digits.chars().take(12).collect();
    if algorithm.is_empty() { digits } else { format!("{algorithm}:{digits}…") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patched_packages_are_named_from_and_to_and_others_counted() {
        let inventory = |packages: &[(&str, &str)]| crate::patch::Inventory {
            os_id: "debian".into(),
            installed: packages
                .iter()
                .map(|(name, version)| crate::patch::Package {
                    name: (*name).into(),
                    arch: "amd64".into(),
                    version: (*version).into(),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        };
        let (before, after) =
            (inventory(&[("openssl", "1"), ("old", "3")]), inventory(&[("openssl", "2"), ("new", "1")]));
        let text = packages(Some(&crate::patch::package_diff(&before, &after).unwrap()));
        assert_eq!(text, "  patched          1 packages, 1 added, 1 removed\n    openssl                  1 → 2\n");
        let back = packages(Some(&crate::patch::package_diff(&after, &before).unwrap()));
        assert!(back.contains("1 downgraded\n    openssl                  2 → 1\n"), "{back}");
    }

    #[test]
    fn what_is_foreign_passes_a_quota_or_costs_something_is_said() {
        let mut plan = crate::plan::diff(&crate::plan::fixture(), &crate::plan::Observed::default());
        plan.changes[2].action = Action::Foreign;
        plan.changes[2].reason = "exists already".into();
        let room = |used| Room { kind: crate::plan::Kind::Pipeline, used, create: 1, limit: 75 };
        plan.quotas = vec![room(75), room(60), room(3)];
        plan.estimate = Some(Estimate {
            seconds: (900, 1800),
            basis: "samples".into(),
            instance_type: Some("m7i.large".into()),
            cost: Some((0.025, 0.05)),
        });
        let text = super::plan(&plan).replace(&plan.changes[0].fingerprint, "[a]");
        let text = text.replace(&plan.changes[1].fingerprint, "[b]").replace(&plan.changes[2].fingerprint, "[c]");
        insta::assert_snapshot!(text, @r"
        plan for debian-12 (x86_64) in environment local
          parent image ami-0, fingerprint [b]

          + component acme-a 1.0.0  [[a]]  new
          + image recipe acme-debian-12-x86-64 1.0.0  [[b]]  new
          ! foreign infrastructure configuration acme-local  [[c]]  exists already
          + image  no image with this fingerprint
          ! quota  75 of 75 image pipelines are used, 1 to create: `publish` refuses, unless the quota was raised (--over-quota)
          ! quota  60 of 75 image pipelines are used, 1 to create
          takes  15 min to 30 min on m7i.large (samples); instances cost 0.03 to 0.05

        2 to create, 0 to update, 0 kept, 1 foreign: `publish` refuses.
        ");
        plan.estimate = None;
        assert!(super::plan(&plan).contains("takes  unknown"));
    }

    #[test]
    fn an_image_that_recorded_nothing_is_not_an_image_without_patches() {
        assert!(packages(None).contains("unknown"));
    }

    #[test]
    fn digests_are_cut_to_twelve_digits() {
        assert_eq!(short("sha256:0123456789abcdef"), "sha256:0123456789ab…");
        assert_eq!(short("0123456789abcdef"), "0123456789ab");
    }
}
