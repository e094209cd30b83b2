//! What promotions print: before, when they are done, and what channels held.

use crate::event::human_duration;
use crate::project::CanaryCheck;
use crate::promote::{
    Canary, Consent, Decision, Difference, GroupPreview, How, LeftOut, Move, ParameterMove, ParameterPointer, Placed,
    Plan, Promotion, RefreshOutcome, Refreshed, Release, TemplateMove, TemplatePointer,
};
use serde::Serialize;
use std::fmt::Write as _;
use std::time::Duration;

/// What `promote --plan` and `rollback --plan` print.
#[derive(Debug, Serialize)]
pub struct Preview<'a> {
    schema: &'static str,
    /// Whether anything would be moved.
    changes: bool,
    channel: &'a str,
    recipe: &'a str,
    arch: &'a str,
    /// AMI id in the home Region.
    ami: &'a str,
    image_version: Option<&'a str>,
    /// Where the channel points now.
    from: Option<&'a str>,
    moves: Vec<Moving<'a>>,
    /// How instances are launched to prove it, where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    canary: Option<&'a Canary>,
    left_out: &'a [LeftOut],
    /// What would become of Auto Scaling groups, with `--refresh`.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<GroupPreview>>,
}

/// What would be moved at one target.
#[derive(Debug, Serialize)]
struct Moving<'a> {
    account: &'a str,
    region: &'a str,
    /// The image there; absent when it has to be copied first.
    ami: Option<&'a str>,
    launch_templates: Vec<MovingTemplate<'a>>,
    parameters: Vec<MovingParameter<'a>>,
    /// Whether instances are launched from the launch templates.
    canary: bool,
}

#[derive(Debug, Serialize)]
struct MovingTemplate<'a> {
    name: &'a str,
    /// Absent when there is no such launch template.
    default_version: Option<i64>,
}

#[derive(Debug, Serialize)]
struct MovingParameter<'a> {
    name: &'a str,
    /// Absent when there is no such parameter.
    value: Option<&'a str>,
}

impl<'a> Preview<'a> {
    /// Of what was decided.
    #[must_use]
    pub fn new(decision: &'a Decision) -> Self {
        match decision {
            Decision::Nothing(release) => Self::of(release, Some(&release.ami), vec![], &[], false),
            Decision::Go(plan) => {
                let moves = plan.moves.iter().map(|one| moving(plan, one)).collect();
                let canary = plan.canary.as_ref();
                Self { canary, ..Self::of(&plan.release, plan.from.as_deref(), moves, &plan.left_out, true) }
            }
        }
    }

    fn of(
        release: &'a Release,
        from: Option<&'a str>,
        moves: Vec<Moving<'a>>,
        left_out: &'a [LeftOut],
        changes: bool,
    ) -> Self {
        Self {
            schema: "amiforge.promotion-plan/2",
            changes,
            channel: &release.channel,
            recipe: &release.recipe,
            arch: &release.arch,
            ami: &release.ami,
            image_version: release.image_version.as_deref(),
            from,
            moves,
            canary: None,
            left_out,
            groups: None,
        }
    }

    /// The same with the groups that would be refreshed.
    #[must_use]
    pub fn with(self, groups: Option<Vec<GroupPreview>>) -> Self {
        Self { groups, ..self }
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let (channel, ami) = (self.channel, self.ami);
        if !self.changes {
            return format!("channel {channel} points already at {ami}, and every target too\n") + &self.group_lines();
        }
        let from = self.from.map_or_else(|| "is empty".to_owned(), |from| format!("points at {from}"));
        let version = self.image_version.map_or_else(String::new, |version| format!(" ({version})"));
        let mut text = format!("channel {channel} {from} and would point at {ami}{version}\n");
        for one in &self.moves {
            let image = one.ami.unwrap_or("a copy, to be made");
            let _ = writeln!(text, "  {}/{}  {image}", one.account, one.region);
            for MovingTemplate { name, default_version } in &one.launch_templates {
                let now = default_version.map_or_else(|| "is made".to_owned(), |now| format!("default is {now}"));
                let _ = writeln!(text, "    launch template  {name} {now}");
            }
            for MovingParameter { name, value } in &one.parameters {
                let now = value.map_or_else(|| "is made".to_owned(), |now| format!("is {now}"));
                let _ = writeln!(text, "    parameter        {name} {now}");
            }
            if let (true, Some(canary)) = (one.canary, self.canary) {
                let _ = writeln!(text, "    canary           {}", launching(canary, one.launch_templates.len()));
            }
        }
        for one in self.left_out {
            let _ = writeln!(text, "  {}/{}  is left out: {}", one.account, one.region, one.reason);
        }
        text + &self.group_lines()
    }

    fn group_lines(&self) -> String {
        let mut text = String::new();
        for one in self.groups.iter().flatten() {
            let GroupPreview { account, region, group, instances, launches, what, .. } = one;
            let launches = if launches.is_empty() { "" } else { &format!(", launches {launches}") };
            let _ =
                writeln!(text, "  {account}/{region}  group {group} ({}{launches}) {what}", instances_of(*instances));
        }
        text
    }
}

/// What a canary costs in time and instances.
fn launching(canary: &Canary, count: usize) -> String {
    let instances = if count == 1 { "an instance is".to_owned() } else { format!("{count} instances are") };
    let until = match canary.check {
        CanaryCheck::Running => "it runs",
        CanaryCheck::Status => "its status checks are ok",
        CanaryCheck::Ssm => "Systems Manager reaches it",
    };
    let most = human_duration(Duration::from_secs(canary.timeout));
    format!("{instances} launched before anything is moved, until {until}, at most {most}")
}

fn instances_of(count: usize) -> String {
    if count == 1 { "1 instance".to_owned() } else { format!("{count} instances") }
}

/// A line per group that was to be refreshed, and what is left to do.
pub(super) fn refreshes(promotion: &Promotion) -> String {
    let mut text = String::new();
    for one in &promotion.refreshes {
        let _ = writeln!(text, "  {:<16} {}/{}: {} {}", "group", one.account, one.region, one.group, refreshed(one));
    }
    let release = &promotion.release;
    let running = promotion.refreshes.iter().filter(|one| one.outcome == RefreshOutcome::TimedOut);
    for one in running {
        let (group, region) = (&one.group, &one.region);
        let _ = writeln!(
            text,
            "look at it: aws autoscaling describe-instance-refreshes --auto-scaling-group-name {group} --region {region}"
        );
    }
    if promotion.refreshes.iter().any(|one| !one.outcome.is_done() && one.outcome != RefreshOutcome::Cannot) {
        let _ = writeln!(text, "the rest: {} (what runs already is joined)", crate::promote::resume_command(release));
    }
    text
}

fn refreshed(one: &Refreshed) -> String {
    let mut text = one.outcome.word().to_owned();
    if one.outcome == RefreshOutcome::TimedOut
        && let Some(percent) = one.percent
    {
        let _ = write!(text, " ({percent} %)");
    }
    match (one.from, one.to) {
        (Some(from), Some(to)) if from != to => {
            let _ = write!(text, ", version {from} to {to}");
        }
        (_, Some(to)) => {
            let _ = write!(text, ", version {to}");
        }
        (_, None) => {}
    }
    if let Some(launches) = &one.launches {
        let _ = write!(text, ", launches {launches}");
    }
    if let Some(reason) = &one.reason {
        let _ = write!(text, ": {reason}");
    }
    text
}

fn moving<'a>(plan: &'a Plan, one: &'a Move) -> Moving<'a> {
    let supply = plan.supplies.get(one.supply);
    Moving {
        account: &one.account,
        region: &one.region,
        ami: supply
            .filter(|supply| supply.how != How::Copied || supply.ami.is_some())
            .and_then(|one| one.ami.as_deref()),
        launch_templates: one.launch_templates.iter().map(moving_template).collect(),
        parameters: one.parameters.iter().map(moving_parameter).collect(),
        canary: one.canary,
    }
}

fn moving_template(one: &TemplateMove) -> MovingTemplate<'_> {
    let default_version = one.before.as_ref().map(|before| before.default_version);
    MovingTemplate { name: &one.name, default_version }
}

fn moving_parameter(one: &ParameterMove) -> MovingParameter<'_> {
    MovingParameter { name: &one.name, value: one.before.as_deref() }
}

/// The launch templates and parameters of every target, the image where there is more than one, and what was left out.
pub(super) fn pointers(release: &Release) -> Vec<(&'static str, String)> {
    let mut accounts: Vec<&str> = release.targets.iter().map(|one| one.account.as_str()).collect();
    accounts.dedup();
    let many = release.targets.len() > 1;
    let place = |account: &str, region: &str| {
        if accounts.len() > 1 { format!("{account}/{region}") } else { region.to_owned() }
    };
    let target = |placed: &Placed| {
        let at = place(&placed.account, &placed.region);
        let mut lines = vec![];
        if many {
            lines.push(("image", format!("{at}: {}", placed.ami)));
        }
        for TemplatePointer { name, id, version, .. } in &placed.launch_templates {
            lines.push(("launch template", format!("{at}: {name} {id} default version {version}")));
        }
        for ParameterPointer { name, version } in &placed.parameters {
            lines.push(("parameter", format!("{at}: {name} (version {version})")));
        }
        lines
    };
    let out = |one: &LeftOut| ("left out", format!("{}/{}: {}", one.account, one.region, one.reason));
    release.targets.iter().flat_map(target).chain(release.left_out.iter().map(out)).collect()
}

/// What `approve` prints about a channel.
#[must_use]
pub fn consent(consent: &Consent, channel: &str, recipe: &str) -> String {
    let Consent { ami, by, reason, .. } = consent;
    format!(
        "{ami} is approved for channel {channel} by {by}: {reason}\nnext: amiforge promote {recipe} --channel {channel}\n"
    )
}

/// What `history` prints.
#[derive(Debug, Serialize)]
pub struct History<'a> {
    schema: &'static str,
    recipe: &'a str,
    arch: &'a str,
    channel: &'a str,
    /// Newest first.
    releases: &'a [Release],
}

impl<'a> History<'a> {
    /// Of a channel.
    #[must_use]
    pub fn new(recipe: &'a str, arch: &'a str, channel: &'a str, releases: &'a [Release]) -> Self {
        Self { schema: "amiforge.history/1", recipe, arch, channel, releases }
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("channel {} of {} ({})\n", self.channel, self.recipe, self.arch);
        for one in self.releases {
            let version = one.image_version.as_deref().unwrap_or("-");
            let who = one.caller.as_ref().unwrap_or(&one.by);
            let without = if one.empty { "empty, without " } else { "" };
            let _ = writeln!(text, "  {}  {without}{}  {version}  {} by {who}", one.promoted_at, one.ami, one.reason);
            if !one.resumed_by.is_empty() {
                let _ = writeln!(text, "    cut off, and carried on by {}", one.resumed_by.join(", "));
            }
            if let Some(why) = &one.overridden {
                let _ = writeln!(text, "    rules were passed over: {why}");
            }
            for out in &one.left_out {
                let _ = writeln!(text, "    without {}/{}: {}", out.account, out.region, out.reason);
            }
        }
        if self.releases.is_empty() {
            text.push_str("  nothing was promoted to it yet\n");
        }
        text
    }
}

/// What `drift` prints.
#[derive(Debug, Serialize)]
pub struct Drift {
    schema: &'static str,
    channels: Vec<Looked>,
}

/// A channel that was looked at.
#[derive(Debug, Serialize)]
struct Looked {
    recipe: String,
    arch: String,
    channel: String,
    /// What it is said to point at, at home.
    ami: String,
    targets: usize,
    differences: Vec<Difference>,
}

impl Default for Drift {
    fn default() -> Self {
        Self { schema: "amiforge.drift/1", channels: vec![] }
    }
}

impl Drift {
    /// Adds a channel.
    pub fn add(&mut self, release: &Release, differences: Vec<Difference>) {
        self.channels.push(Looked {
            recipe: release.recipe.clone(),
            arch: release.arch.clone(),
            channel: release.channel.clone(),
            ami: release.ami.clone(),
            targets: release.targets.len(),
            differences,
        });
    }

    /// Whether everything is as it should be.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.channels.iter().all(|one| one.differences.is_empty())
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        if self.channels.is_empty() {
            return "nothing was promoted yet\n".to_owned();
        }
        let mut text = String::new();
        for one in &self.channels {
            let (recipe, arch, channel) = (&one.recipe, &one.arch, &one.channel);
            let verdict = match one.differences.len() {
                0 => format!("{} targets are as the release says", one.targets),
                count => format!("{count} differences"),
            };
            let _ = writeln!(text, "{recipe} ({arch}) {channel}: {}, {verdict}", one.ami);
            for difference in &one.differences {
                let Difference { account, region, what, expected, found } = difference;
                let _ = writeln!(text, "  {account}/{region} {what}: {found}, expected: {expected}");
            }
            if !one.differences.is_empty() {
                let _ = writeln!(text, "  next: amiforge repair {recipe} --channel {channel}");
            }
        }
        text
    }
}
