//! Whether a recipe asks for less than the project requires.

use crate::project::codes;
use crate::project::fields::Findings;
use crate::project::policy::{Gates, PatchGate, ProjectGates, Rating};
use crate::yaml::Node;
use std::time::Duration;

/// The key that says how old evidence may be.
const VALIDATED_WITHIN: &str = "validated_within";

/// The ratings that a patch may have.
const RATINGS: [Rating; 6] =
    [Rating::Informational, Rating::Low, Rating::Medium, Rating::High, Rating::Critical, Rating::Unrated];

/// Refuses each key of a recipe that makes a required gate weaker.
pub(super) fn refuse(node: &Node, recipe: &Gates, project: &ProjectGates, out: &mut Findings) {
    let Some(wanted) = &project.gates else { return };
    if let (Some((key, _)), false) = (node.entry(VALIDATED_WITHIN), project.required.is_empty())
        && recipe.valid_within() > wanted.valid_within()
    {
        let message = format!("`gates.{VALIDATED_WITHIN}` asks for less than amiforge.yaml requires");
        let found = out.error(codes::WEAKER, key.span, message, "longer than the project's");
        found.notes.push("amiforge.yaml has gates under `gates.required`, which look at evidence, too".to_owned());
        found.help.push("recipes can ask for newer evidence; to allow older one, change amiforge.yaml".to_owned());
    }
    for gate in &project.required {
        for key in weaker(gate, wanted, recipe) {
            let Some((name, value)) = node.entry(gate) else { continue };
            let place = value.entry(key).map_or(name.span, |(key, _)| key.span);
            let what = if key.is_empty() { (*gate).to_owned() } else { format!("{gate}.{key}") };
            let message = format!("`gates.{what}` asks for less than amiforge.yaml requires");
            let found = out.error(codes::WEAKER, place, message, "weaker than the project's");
            found.notes.push(format!("amiforge.yaml has `{gate}` under `gates.required`"));
            found.help.push("recipes can make a required gate stricter; to weaken it, change amiforge.yaml".to_owned());
        }
    }
}

/// The keys by which one gate of a recipe is weaker than the project's.
fn weaker(gate: &str, project: &Gates, recipe: &Gates) -> Vec<&'static str> {
    match gate {
        "patches" => both(project.patches.as_ref(), recipe.patches.as_ref(), patches),
        "vulnerabilities" => {
            both(project.vulnerabilities.as_ref(), recipe.vulnerabilities.as_ref(), |project, recipe| {
                let rank = |word: &str| if word == "none" { None } else { Some(Rating::of(word)) };
                vec![
                    (rank(&recipe.max_severity) > rank(&project.max_severity), "max_severity"),
                    (recipe.with_fix_only && !project.with_fix_only, "with_fix_only"),
                    (recipe.only_new && !project.only_new, "only_new"),
                    (recipe.scanned_within > project.scanned_within, "scanned_within"),
                    (project.scanned_by.iter().any(|scanner| !recipe.scanned_by.contains(scanner)), "scanned_by"),
                ]
            })
        }
        "image" => both(project.image.as_ref(), recipe.image.as_ref(), |project, recipe| {
            let modes = |recipe: &[String], project: &[String]| {
                !project.is_empty() && (recipe.is_empty() || recipe.iter().any(|mode| !project.contains(mode)))
            };
            let accounts = project.accounts.as_ref().is_some_and(|allowed| {
                recipe.accounts.as_ref().is_none_or(|own| own.iter().any(|account| !allowed.contains(account)))
            });
            vec![
                (project.imds_v2 && !recipe.imds_v2, "imds_v2"),
                (project.encrypted && !recipe.encrypted, "encrypted"),
                (project.ena && !recipe.ena, "ena"),
                (accounts, "accounts"),
                (modes(&recipe.boot_modes, &project.boot_modes), "boot_modes"),
                (above(recipe.max_root_gib, project.max_root_gib), "max_root_gib"),
                (above(recipe.max_volumes, project.max_volumes), "max_volumes"),
            ]
        }),
        // What must be real, what must have run, and what must and must not be there can only grow.
        "tests" => both(project.tests.as_ref(), recipe.tests.as_ref(), |project, recipe| {
            vec![(above(recipe.max_skipped, project.max_skipped), "max_skipped")]
        }),
        "size" => both(project.size.as_ref(), recipe.size.as_ref(), |project, recipe| {
            vec![
                (above(recipe.max_mib, project.max_mib), "max_mib"),
                (above(recipe.max_growth, project.max_growth), "max_growth"),
            ]
        }),
        "age" => {
            both(project.max_age.as_ref(), recipe.max_age.as_ref(), |project, recipe| vec![(recipe > project, "max")])
        }
        "parent" => both(project.parent.as_ref(), recipe.parent.as_ref(), |project, recipe| {
            let others = recipe.owners.is_empty() || recipe.owners.iter().any(|owner| !project.owners.contains(owner));
            vec![(!project.owners.is_empty() && others, "owners"), (above(recipe.max_age, project.max_age), "max_age")]
        }),
        "hygiene" => both(project.hygiene.as_ref(), recipe.hygiene.as_ref(), |project, recipe| {
            vec![(recipe.allow.iter().any(|rule| !project.allow.contains(rule)), "allow")]
        }),
        "commands" => {
            let changed = project.commands.iter().any(|(name, command)| recipe.commands.get(name) != Some(command));
            if changed { vec![""] } else { vec![] }
        }
        _ => vec![],
    }
}

/// The keys that are weaker; a gate that is gone is told where it was left out.
fn both<T>(
    project: Option<&T>,
    recipe: Option<&T>,
    compare: impl Fn(&T, &T) -> Vec<(bool, &'static str)>,
) -> Vec<&'static str> {
    let (Some(project), Some(recipe)) = (project, recipe) else { return vec![] };
    compare(project, recipe).into_iter().filter(|(weaker, _)| *weaker).map(|(_, key)| key).collect()
}

/// Whether there is a limit, and the other one is above it or none.
fn above<T: PartialOrd>(recipe: Option<T>, project: Option<T>) -> bool {
    match (recipe, project) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(recipe), Some(project)) => recipe > project,
    }
}

fn patches(project: &PatchGate, recipe: &PatchGate) -> Vec<(bool, &'static str)> {
    let grace = |gate: &PatchGate, rating: Rating| gate.grace_of(rating).unwrap_or(Duration::ZERO);
    vec![
        (recipe.missing > project.missing, "missing"),
        (recipe.rejected > project.rejected, "rejected"),
        (recipe.scanned_within > project.scanned_within, "scanned_within"),
        (RATINGS.iter().any(|rating| above(recipe.limit(*rating), project.limit(*rating))), "levels"),
        (RATINGS.iter().any(|rating| grace(recipe, *rating) > grace(project, *rating)), "grace"),
    ]
}
