//! Plans of images: what they would create, what quotas that takes, and what the builds will take.

use super::Work;
use super::error::RunError;
use crate::build;
use crate::event::Events;
use crate::plan::quota::{self, Room};
use crate::plan::{self, Desired, Estimate, ImagePlan, Plan, PlanError};
use crate::project::EnvironmentConfig;
use crate::render::RenderedRecipe;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::time::Duration;

/// Parent images that are looked up at the same time.
const AT_ONCE: usize = 8;
/// Images to build whose earlier builds are looked at: some ten calls each.
const FEW: usize = 3;
/// How long a build with tests takes when nobody knows better: what the READMEs of AWS's own samples say, as read in mid 2026
/// (reference/field.md, part d).
const TYPICAL: (Duration, Duration) = (Duration::from_mins(15), Duration::from_mins(30));

/// Plans of several images.
#[derive(Debug)]
pub struct Planned {
    /// In the order of the images.
    pub plans: Vec<Plan>,
    /// What all of them together take of the account's quotas; of one image it stands in its plan.
    pub quotas: Vec<Room>,
}

/// Plans for several images, in their order, and what they come to. Nothing is created.
///
/// # Errors
/// The first that cannot be made, in the order given.
pub async fn plans(works: &[Work<'_>]) -> Result<Planned, RunError> {
    let rendered = works.iter().map(|work| work.check(&Events::none())).collect::<Result<Vec<_>, _>>()?;
    let parents = parents(works, &rendered).await?;
    let each = works.iter().zip(&rendered).zip(&parents);
    let desired: Vec<Desired> = each.map(|((work, rendered), parent)| work.desired(rendered, parent)).collect();
    let Some(cloud) = works.first().map(|work| work.cloud) else {
        return Ok(Planned { plans: vec![], quotas: vec![] });
    };
    let observed = plan::observe_many(cloud, &desired).await?;
    let mut plans: Vec<Plan> =
        desired.iter().zip(&observed).map(|(desired, observed)| plan::diff(desired, observed)).collect();
    let mut quotas = quota::rooms(cloud, &plans).await.map_err(PlanError::from)?;
    if let [only] = plans.as_mut_slice() {
        only.quotas = std::mem::take(&mut quotas);
    }
    estimate(works, &mut plans).await?;
    Ok(Planned { plans, quotas })
}

/// The parent images, each looked up once.
async fn parents(works: &[Work<'_>], rendered: &[RenderedRecipe]) -> Result<Vec<String>, RunError> {
    let key = |work: &Work<'_>, rendered: &RenderedRecipe| {
        // On this machine each recipe makes its own.
        let own = if work.cloud.is_local() { work.recipe.name.as_str() } else { "" };
        format!("{:?} {} {own}", rendered.parent, work.arch.name())
    };
    let keys: Vec<String> = works.iter().zip(rendered).map(|(work, rendered)| key(work, rendered)).collect();
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, key) in keys.iter().enumerate() {
        first.entry(key).or_insert(index);
    }
    let mut order: Vec<usize> = first.values().copied().collect();
    order.sort_unstable();
    let mut found: BTreeMap<&str, String> = BTreeMap::new();
    for some in order.chunks(AT_ONCE) {
        let amis = join_all(some.iter().map(|index| works[*index].parent_ami(&rendered[*index]))).await;
        for (index, ami) in some.iter().zip(amis) {
            found.insert(&keys[*index], ami?);
        }
    }
    Ok(keys.iter().map(|key| found.get(key.as_str()).cloned().unwrap_or_default()).collect())
}

/// Says of every image that has to be built how long that takes, and what its instances cost.
async fn estimate(works: &[Work<'_>], plans: &mut [Plan]) -> Result<(), RunError> {
    let builds = |plan: &&Plan| matches!(plan.image, ImagePlan::Build { .. });
    let few = plans.iter().filter(builds).count() <= FEW;
    for (work, plan) in works.iter().zip(plans).filter(|(_, plan)| matches!(plan.image, ImagePlan::Build { .. })) {
        let name = &plan.desired().recipe.resource_name;
        let usual = if few { build::usual(work.cloud, name).await? } else { None };
        plan.estimate = estimated(work.cloud.config(), usual);
    }
    Ok(())
}

/// What a build takes. Pure.
fn estimated(config: &EnvironmentConfig, usual: Option<(Duration, usize)>) -> Option<Estimate> {
    let aws = match config {
        EnvironmentConfig::Aws(aws) => Some(aws),
        EnvironmentConfig::Local(_) => None,
    };
    let ((least, most), basis) = match (usual, aws) {
        (Some((median, 1)), _) => ((median, median), "the last build".to_owned()),
        (Some((median, builds)), _) => ((median, median), format!("median of the last {builds} builds")),
        (None, Some(_)) => {
            (TYPICAL, "no earlier build looked at; what AWS's samples say (READMEs, mid 2026)".to_owned())
        }
        // How fast this machine is nobody knows.
        (None, None) => return None,
    };
    let hours = |time: Duration| time.as_secs_f64() / 3600.0;
    let cost = aws.and_then(|aws| aws.hourly_cost).map(|hourly| (hours(least) * hourly, hours(most) * hourly));
    Some(Estimate {
        seconds: (least.as_secs(), most.as_secs()),
        basis,
        instance_type: aws.and_then(|aws| aws.instance_types.first().cloned()),
        cost,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{AwsConfig, LocalConfig, Location};

    #[test]
    fn what_is_known_is_said_and_what_is_not_is_not() {
        let local = EnvironmentConfig::Local(LocalConfig::default());
        assert_eq!(estimated(&local, None), None);
        let usual = Some((Duration::from_mins(12), 3));
        let known = estimated(&local, usual).unwrap();
        assert_eq!(
            (known.seconds, known.basis.as_str(), known.cost),
            ((720, 720), "median of the last 3 builds", None)
        );
        let home = Location { account: "111122223333".into(), region: "us-east-1".into() };
        let aws = |hourly_cost| EnvironmentConfig::Aws(AwsConfig { hourly_cost, ..AwsConfig::at(home.clone()) });
        let typical = estimated(&aws(None), None).unwrap();
        assert_eq!((typical.seconds, typical.cost), ((900, 1800), None), "no price is invented");
        let (least, most) = estimated(&aws(Some(0.2)), None).unwrap().cost.unwrap();
        assert!((least - 0.05).abs() < 1e-9 && (most - 0.1).abs() < 1e-9);
        assert_eq!(estimated(&aws(Some(0.2)), Some((Duration::from_mins(30), 1))).unwrap().basis, "the last build");
    }
}
