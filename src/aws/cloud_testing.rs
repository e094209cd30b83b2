//! A cloud for tests: a local environment whose requests a closure answers.

use super::*;
use crate::aws::connector::Handler;

/// Account of [`cloud`].
pub(crate) const ACCOUNT: &str = crate::local::DEFAULT_ACCOUNT;
/// Region of [`cloud`].
pub(crate) const REGION: &str = crate::local::DEFAULT_REGION;

/// A cloud whose every request `handler` answers, with a clock.
pub(crate) fn over(handler: Handler, clock: Clock) -> Cloud {
    let home = Location { account: ACCOUNT.into(), region: REGION.into() };
    let identities = Identities::in_process(home.clone(), crate::local::credentials(ACCOUNT), handler);
    let config = EnvironmentConfig::Local(LocalConfig::default());
    let targets = vec![Target { location: home.clone(), role: None }];
    Cloud::assemble("local", &config, Path::new("/nowhere"), home, targets, clock, identities, None, None)
}

/// The same, followed and paced as AWS is.
pub(crate) fn paced(handler: Handler, clock: Clock) -> Cloud {
    let home = Location { account: ACCOUNT.into(), region: REGION.into() };
    let identities = Identities::in_process(home.clone(), crate::local::credentials(ACCOUNT), handler);
    let config = EnvironmentConfig::Aws(crate::project::AwsConfig::at(home.clone()));
    let targets = vec![Target { location: home.clone(), role: None }];
    let pace = Some(super::Pace::new());
    Cloud::assemble("aws", &config, Path::new("/nowhere"), home, targets, clock, identities, None, pace)
}

/// A cloud on a local environment, as the program connects to one.
pub(crate) fn on(local: &Arc<crate::local::Local>) -> Cloud {
    let home = Location { account: ACCOUNT.into(), region: REGION.into() };
    let embedded = Embedded::over(Arc::clone(local));
    let identities = Identities::in_process(home.clone(), crate::local::credentials(ACCOUNT), embedded.handler());
    let config = EnvironmentConfig::Local(LocalConfig::default());
    let targets = vec![Target { location: home.clone(), role: None }];
    let clock = local.config.clock.clone();
    Cloud::assemble("local", &config, Path::new("/nowhere"), home, targets, clock, identities, Some(embedded), None)
}

/// The same with the settings of an environment on AWS.
pub(crate) fn configured(handler: Handler, clock: Clock, config: &EnvironmentConfig) -> Cloud {
    let home = Location { account: ACCOUNT.into(), region: REGION.into() };
    let identities = Identities::in_process(home.clone(), crate::local::credentials(ACCOUNT), handler);
    Cloud::assemble("aws", config, Path::new("/nowhere"), home, vec![], clock, identities, None, None)
}

/// The same with targets in any account and Region.
pub(crate) fn across(handler: Handler, clock: Clock, places: &[Location]) -> Cloud {
    across_as(handler, clock, places, &EnvironmentConfig::Local(LocalConfig::default()))
}

/// The same with these settings.
pub(crate) fn across_as(handler: Handler, clock: Clock, places: &[Location], config: &EnvironmentConfig) -> Cloud {
    let home = Location { account: ACCOUNT.into(), region: REGION.into() };
    let identities = Identities::in_process(home.clone(), crate::local::credentials(ACCOUNT), handler);
    spread(identities, home, clock, places, (config, None))
}

/// The same with these settings and without chance: every call is answered on the thread that makes it, and calls that
/// are made at the same time come in the same order each time.
pub(crate) fn foreseeable(
    local: &Arc<crate::local::Local>,
    handler: Handler,
    places: &[Location],
    config: &EnvironmentConfig,
) -> Cloud {
    let home = Location { account: ACCOUNT.into(), region: REGION.into() };
    let identities = Identities::in_thread(home.clone(), crate::local::credentials(ACCOUNT), handler);
    let embedded = Some(Embedded::over(Arc::clone(local)));
    spread(identities, home, local.config.clock.clone(), places, (config, embedded))
}

fn spread(
    mut identities: Identities,
    home: Location,
    clock: Clock,
    places: &[Location],
    (config, embedded): (&EnvironmentConfig, Option<Embedded>),
) -> Cloud {
    for place in places {
        identities = identities.and(place, crate::local::credentials(&place.account));
    }
    let targets = places.iter().map(|place| Target { location: place.clone(), role: None }).collect();
    Cloud::assemble("local", config, Path::new("/nowhere"), home, targets, clock, identities, embedded, None)
}

/// The same for an environment in AWS with these settings, whose home and targets are [`ACCOUNT`]'s or have keys of
/// their own.
pub(crate) fn aws(handler: Handler, config: crate::project::AwsConfig) -> Cloud {
    let home = config.home.clone();
    let mut identities = Identities::in_process(home.clone(), crate::local::credentials(&home.account), handler);
    for target in &config.targets {
        identities = identities.and(&target.location, crate::local::credentials(&target.location.account));
    }
    let targets = config.targets.clone();
    let clock = Clock::fixed(time::macros::datetime!(2026-01-02 03:04:05 UTC));
    let config = EnvironmentConfig::Aws(config);
    Cloud::assemble("aws", &config, Path::new("/nowhere"), home, targets, clock, identities, None, None)
}

/// A cloud whose every request `handler` answers; its clock stands at 2026-01-02 03:04:05 UTC.
pub(crate) fn cloud(handler: Handler) -> Cloud {
    over(handler, Clock::fixed(time::macros::datetime!(2026-01-02 03:04:05 UTC)))
}
