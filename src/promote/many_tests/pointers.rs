//! Several launch templates and parameters in every place.

use super::*;
use serde_json::Value;
use std::collections::BTreeMap;

const TEMPLATES: [&str; 2] = [TEMPLATE, "debian-12-x86_64-spot"];
const PARAMETERS: [&str; 3] = [PARAMETER, "/golden/debian-12/x86_64/candidate-too", "/apps/web/image"];

/// What every pointer says, by account, Region and name: the image at home. Versions of launch templates are counted.
type Said = BTreeMap<String, (String, usize)>;

fn said(world: &World) -> Said {
    let eyes = Eyes::on(&world.local.store.picture());
    let mut said = Said::new();
    for place in places() {
        let at = format!("{}/{}", place.account, place.region);
        for (id, template) in eyes.of(&place, "ec2-launch-template") {
            let versions: Vec<&Value> = eyes
                .of(&place, "ec2-launch-template-version")
                .filter(|(key, _)| key.starts_with(id))
                .map(|(_, version)| version)
                .collect();
            let default = versions.iter().find(|one| one["number"] == template["default_version"]).unwrap();
            let image = eyes.source(default["data"]["imageId"].as_str().unwrap());
            said.insert(format!("{at} {}", template["name"].as_str().unwrap()), (image, versions.len()));
        }
        for (name, _) in eyes.of(&place, "ssm-parameter").filter(|(name, _)| !name.starts_with("/amiforge/")) {
            said.insert(format!("{at} {name}"), (eyes.source(&eyes.parameter(&place, name).unwrap()), 0));
        }
    }
    said
}

/// Every pointer of every place is at an image.
fn all_at(said: &Said, ami: &str, count: usize) {
    assert_eq!(said.len(), places().len() * count, "{said:#?}");
    assert!(said.values().all(|(image, _)| image == ami), "{said:#?}");
}

fn order<'a>(world: &'a World, templates: &[&str], parameters: &[&str]) -> Order<'a> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Order { launch_templates: owned(templates), parameters: owned(parameters), ..world.order() }
}

async fn go(world: &World, templates: &[&str], parameters: &[&str], ami: &str) -> Result<Promotion, PromoteError> {
    let order = order(world, templates, parameters);
    promote(&world.cloud, &order, &candidate(ami), &approval(ami), &Events::none()).await
}

async fn full(world: &World, ami: &str) -> Result<Promotion, PromoteError> {
    go(world, &TEMPLATES, &PARAMETERS, ami).await
}

#[tokio::test(start_paused = true)]
async fn all_pointers_of_all_places_move_together_and_back() {
    let world = World::new(Distribute::Copy);
    let first = full(&world, AMIS[0]).await.unwrap();
    let placed = &first.release.targets[5];
    assert_eq!((placed.launch_templates.len(), placed.parameters.len()), (2, 3));
    all_at(&said(&world), AMIS[0], 5);
    assert!(!full(&world, AMIS[0]).await.unwrap().changed);
    full(&world, AMIS[1]).await.unwrap();
    all_at(&said(&world), AMIS[1], 5);
    let order = order(&world, &TEMPLATES, &PARAMETERS);
    assert_eq!(drift(&world.cloud, &order).await.unwrap().unwrap().1, []);
    rollback(&world.cloud, &order, None, &Events::none()).await.unwrap();
    all_at(&said(&world), AMIS[0], 5);
    // A pointer that the recipe names since is a reason to move.
    let more = [PARAMETERS.as_slice(), &["/golden/another"]].concat();
    assert!(go(&world, &TEMPLATES, &more, AMIS[0]).await.unwrap().changed);
    all_at(&said(&world), AMIS[0], 6);
}

#[tokio::test(start_paused = true)]
async fn a_recipe_may_have_one_kind_of_pointer_only_but_not_none() {
    for (templates, parameters) in [(&TEMPLATES[..], &PARAMETERS[..0]), (&TEMPLATES[..0], &PARAMETERS[..])] {
        for distribute in [Distribute::Share, Distribute::Copy] {
            let world = World::new(distribute);
            let count = templates.len() + parameters.len();
            for ami in &AMIS[..2] {
                let moved = go(&world, templates, parameters, ami).await.unwrap();
                assert!(moved.changed && moved.release.targets.len() == 12);
                all_at(&said(&world), ami, count);
                assert!(!go(&world, templates, parameters, ami).await.unwrap().changed);
            }
            let order = order(&world, templates, parameters);
            assert_eq!(drift(&world.cloud, &order).await.unwrap().unwrap().1, []);
            rollback(&world.cloud, &order, None, &Events::none()).await.unwrap();
            all_at(&said(&world), AMIS[0], count);
        }
    }
    let world = World::new(Distribute::Share);
    assert_eq!(go(&world, &[], &[], AMIS[0]).await.unwrap_err().exit_code(), 2);
}

/// Somebody takes the permission away after it was given: without a launch template nothing is launched to find out.
#[tokio::test(start_paused = true)]
async fn an_image_that_a_place_does_not_see_is_not_written_into_its_parameter() {
    let world = World::by(&Clock::with_tokio(START), Distribute::Share);
    let (shared, local) = (AtomicU64::new(0), Arc::downgrade(&world.local));
    world.faults(move |_, operation, _| {
        shared.fetch_or(u64::from(operation == "ModifyImageAttribute"), Ordering::SeqCst);
        if operation == "DescribeImages" && shared.load(Ordering::SeqCst) == 1 {
            world::unshare(&local.upgrade().unwrap(), AMIS[0]);
        }
        None
    });
    let error = go(&world, &[], &PARAMETERS, AMIS[0]).await.unwrap_err();
    world.calm();
    assert!(error.to_string().contains("is not there for this account"), "{error}");
    assert_eq!(said(&world), Said::new());
}

#[tokio::test(start_paused = true)]
async fn each_pointer_that_was_moved_by_hand_is_seen() {
    let world = World::new(Distribute::Share);
    let release = full(&world, AMIS[0]).await.unwrap().release;
    let placed = &release.targets[7];
    let at = Location { account: placed.account.clone(), region: placed.region.clone() };
    let (ec2, id) = (world.cloud.ec2(&at), &placed.launch_templates[1].id);
    let data = aws_sdk_ec2::types::RequestLaunchTemplateData::builder().image_id(AMIS[2]).build();
    ec2.create_launch_template_version().launch_template_id(id).launch_template_data(data).send().await.unwrap();
    ec2.modify_launch_template().launch_template_id(id).default_version("2").send().await.unwrap();
    store::delete(&world.cloud, &at, PARAMETERS[2]).await.unwrap();
    let order = order(&world, &TEMPLATES, &PARAMETERS);
    let seen = drift(&world.cloud, &order).await.unwrap().unwrap().1;
    let told: Vec<_> = seen.iter().map(|one| (one.what, one.expected.split(' ').next().unwrap())).collect();
    assert_eq!(told, [("launch template", TEMPLATES[1]), ("parameter", PARAMETERS[2])], "{seen:?}");
    repair(&world.cloud, &order, &Events::none()).await.unwrap();
    assert_eq!(drift(&world.cloud, &order).await.unwrap().unwrap().1, []);
    all_at(&said(&world), AMIS[0], 5);
}

/// One call fails for good while pointers are moved: all of them are put back, also those of the place in which it failed.
#[tokio::test(start_paused = true)]
async fn a_failure_at_any_flip_puts_every_pointer_back() {
    let world = World::new(Distribute::Share);
    full(&world, AMIS[0]).await.unwrap();
    let (start, old) = (world.local.store.picture(), said(&world));
    for (operation, calls) in [("ModifyLaunchTemplate", 24), ("PutParameter", 36)] {
        for nth in (0..calls).step_by(if everything() { 1 } else { 11 }) {
            world.local.store.restore(&start);
            let (count, books) = (AtomicU64::new(0), AtomicU64::new(0));
            world.faults(move |_, name, _| {
                // Journal and lock are parameters, too: they are written before anything is flipped.
                if name == "CreateLaunchTemplateVersion" {
                    books.store(1, Ordering::SeqCst);
                }
                let counts = name == operation && books.load(Ordering::SeqCst) == 1;
                let this = counts && count.fetch_add(1, Ordering::SeqCst) == nth;
                this.then_some(Fault::Deny)
            });
            let error = full(&world, AMIS[1]).await.unwrap_err();
            world.calm();
            assert!(matches!(error, PromoteError::Failed { .. }), "{operation} {nth}: {error}");
            assert_eq!(said(&world), old, "{operation} {nth}");
        }
    }
}

/// Killed at calls all over it, then finished or undone: every pointer is at the same image.
#[tokio::test(start_paused = true)]
async fn a_promotion_of_several_pointers_is_killed_and_resumed() {
    let world = World::new(Distribute::Share);
    full(&world, AMIS[0]).await.unwrap();
    let old = said(&world);
    let (moments, local) = (Arc::new(Mutex::new(Vec::new())), Arc::downgrade(&world.local));
    let seen = Arc::clone(&moments);
    world.faults(move |_, _, _| {
        seen.lock().unwrap().push(local.upgrade().unwrap().store.picture());
        None
    });
    full(&world, AMIS[1]).await.unwrap();
    world.calm();
    let new = said(&world);
    all_at(&new, AMIS[1], 5);
    let moments = std::mem::take(&mut *moments.lock().unwrap());
    let every = if everything() { 1 } else { 53 };
    for (nth, moment) in moments.iter().enumerate().step_by(every) {
        for direction in [Direction::Finish, Direction::Undo] {
            world.local.store.restore(moment);
            let order = order(&world, &TEMPLATES, &PARAMETERS);
            let resumed = world.resume_as(&order, direction, async |ami: &str| Ok(approval(ami))).await;
            let (end, case) = (said(&world), format!("killed before call {}, {direction:?}", nth + 1));
            match resumed {
                Ok(Resumed::Finished(_)) => assert_eq!(end, new, "{case}"),
                Ok(_) | Err(PromoteError::NothingToResume { .. }) => {
                    assert!(end == old || end == new, "{case}: {end:#?}");
                }
                Err(error) => panic!("{case}: {error}"),
            }
        }
    }
}

/// A recipe without parameters is resolved by its launch template.
#[tokio::test(start_paused = true)]
async fn a_channel_without_parameters_gives_the_image_of_its_launch_template() {
    let world = World::new(Distribute::Share);
    let (_, mut recipe) = crate::plan::project_fixture();
    recipe.promote.launch_templates = TEMPLATES.map(Into::into).to_vec();
    recipe.promote.parameters.clear();
    let resolve = async || {
        crate::consume::resolve(&world.cloud, &world.project, &recipe, crate::project::Arch::X86_64, "candidate").await
    };
    let error = resolve().await.unwrap_err();
    assert!(error.exit_code() == 8 && error.to_string().contains(&format!("no launch template {TEMPLATE}")), "{error}");
    go(&world, &TEMPLATES, &[], AMIS[0]).await.unwrap();
    assert_eq!(resolve().await.unwrap(), AMIS[0]);
    go(&world, &TEMPLATES, &[], AMIS[1]).await.unwrap();
    assert_eq!(resolve().await.unwrap(), AMIS[1]);
}
