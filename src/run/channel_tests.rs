//! Who may approve what somebody has built, from the build to the channel.

use super::*;
use crate::aws::{Cloud, Options, tags};
use crate::build::{Begun, BuildOptions, finish};
use crate::clock::Clock;
use crate::local::{Builds, Fault, Script};
use crate::project::{Arch, Project};
use std::time::Duration;

const POLICY: &str =
    "project: acme\nchannels:\n  candidate: {}\n  production: { after: candidate, approval: by-another }\n";
const RECIPE: &str = "name: web\nos: debian-12\nversion: \"1.0\"\nparent:\n  ssm: /p/{{ debian_arch }}\n  \
    local: { bootstrap: bookworm }\nbuild: [baseline-config]\ntest: [boots]\n\
    promote: { parameter: \"/golden/{{ name }}/{{ arch }}/{{ channel }}\" }\n";
const DIGEST: &str = "sha256:e";

async fn built(work: &Work<'_>) -> Built {
    match work.begin(&BuildOptions::default(), None, &Events::none()).await.unwrap() {
        Begun::Available(built) => built,
        Begun::Building { arn, .. } => {
            finish(work.cloud, &arn, "web", Duration::from_hours(4), &Events::none()).await.unwrap()
        }
    }
}

fn approval() -> Approval {
    let passed = gate::Verdict {
        gate: "age".into(),
        status: gate::VerdictStatus::Pass,
        summary: String::new(),
        details: vec![],
        findings: vec![],
    };
    Approval { digest: DIGEST.into(), verdicts: vec![passed] }
}

async fn move_to(work: &Work<'_>, built: &Built, channel: usize, caller: &str) -> Result<Promotion, PromoteError> {
    let order = work.order(&work.project.channels[channel], "test").unwrap();
    let order = Order { caller: Some(caller.into()), ..order };
    let (image_arn, image_version) = (Some(built.image_arn.clone()), Some(built.image_version.clone()));
    let candidate = Candidate { ami: built.ami.clone(), image_arn, image_version };
    promote::promote(work.cloud, &order, &candidate, &approval(), &Events::none()).await
}

async fn tag(cloud: &Cloud, arn: &str, key: &str) -> Option<String> {
    let answer = cloud.imagebuilder().get_image().image_build_version_arn(arn).send().await.unwrap();
    answer.image.unwrap().tags.unwrap_or_default().remove(key)
}

/// A project and its environment, in which builds follow a script.
async fn site(folder: &std::path::Path) -> (Project, Cloud) {
    std::fs::create_dir(folder.join("recipes")).unwrap();
    std::fs::write(folder.join("amiforge.yaml"), POLICY).unwrap();
    std::fs::write(folder.join("recipes/web.yaml"), RECIPE).unwrap();
    let project: Project = crate::project::load(folder).unwrap();
    let options = Options {
        clock: Clock::with_tokio(time::macros::datetime!(2026-03-01 12:00 UTC)),
        events: Events::none(),
        state: folder.join("state"),
        cache: folder.join("cache"),
    };
    let cloud = Cloud::rehearse(&project, "local", options, Builds::scripted(|_| Script::default())).await.unwrap();
    (project, cloud)
}

/// Who may build and not tag can build all the same.
#[tokio::test(start_paused = true)]
async fn a_build_that_cannot_be_signed_is_one_of_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (project, cloud) = site(folder.path()).await;
    let work = Work { cloud: &cloud, project: &project, recipe: &project.recipes["web"], arch: Arch::X86_64 };
    let local = cloud.local().unwrap();
    local.set_faults(Some(Box::new(|_, operation, _| (operation == "TagResource").then_some(Fault::Deny))));
    let built = built(&work).await;
    local.set_faults(None);
    assert_eq!(tag(&cloud, &built.image_arn, tags::BUILDER).await, None);
}

#[tokio::test(start_paused = true)]
async fn who_has_built_it_is_no_other_one() {
    let folder = tempfile::tempdir().unwrap();
    let (project, cloud) = site(folder.path()).await;
    let work = Work { cloud: &cloud, project: &project, recipe: &project.recipes["web"], arch: Arch::X86_64 };
    let built = built(&work).await;
    let me = aws::caller(&cloud).await.unwrap();
    assert_eq!(tag(&cloud, &built.image_arn, tags::BUILDER).await.as_ref(), Some(&me), "it is written down");
    let evidence = aws_sdk_ec2::types::Tag::builder().key(tags::EVIDENCE).value(DIGEST).build();
    cloud.ec2(cloud.home()).create_tags().resources(&built.ami).tags(evidence).send().await.unwrap();
    // Somebody else has brought it to the channel before.
    move_to(&work, &built, 0, "arn:somebody-else").await.unwrap();
    let order = work.order(&project.channels[1], "it is good").unwrap();
    promote::approve(&cloud, &order, &built.ami, DIGEST).await.unwrap();
    let refused = move_to(&work, &built, 1, "arn:somebody-else").await.unwrap_err();
    assert!(refused.to_string().contains(&format!("{me} has built it: another one must")), "{refused}");
    assert_eq!(refused.exit_code(), 8);
    let untag = cloud.imagebuilder().untag_resource().resource_arn(&built.image_arn).tag_keys(tags::BUILDER);
    untag.send().await.unwrap();
    let refused = move_to(&work, &built, 1, "arn:somebody-else").await.unwrap_err();
    assert!(refused.to_string().contains("it is not known who built it"), "{refused}");
    let other = cloud.imagebuilder().tag_resource().resource_arn(&built.image_arn).tags(tags::BUILDER, "arn:a-builder");
    other.send().await.unwrap();
    assert!(move_to(&work, &built, 1, "arn:somebody-else").await.unwrap().changed, "and so it may");
}
