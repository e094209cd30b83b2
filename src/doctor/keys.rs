//! Whether images that are built with these settings could be promoted, as far as their keys say.

use super::{Context, Finding};
use crate::aws::CallError;
use crate::promote;

fn unseen(error: &CallError) -> Finding {
    Finding::unknown(format!("could not be looked at: {error}")).of_call(error)
}

/// `image-keys`: every account that is to launch or copy an image can be let use its key.
pub(super) async fn looked(context: &Context) -> Vec<Finding> {
    let Ok(cloud) = &context.cloud else {
        return vec![Finding::unknown("not looked at: the environment cannot be opened").next("mend that first")];
    };
    let mut encrypted = context.project.recipes.values().filter(|recipe| recipe.root_volume.encrypted);
    let Some(recipe) = encrypted.next() else {
        return vec![Finding::ok("no recipe encrypts its images")];
    };
    let config = cloud.config();
    let keys = match promote::foreseen_keys(cloud, config.kms_key(config.home_region())).await {
        Ok(keys) => keys,
        Err(error) => return vec![unseen(&error)],
    };
    if keys.is_empty() {
        return vec![Finding::ok("no other account has to use the keys of images")];
    }
    let finding = |key: &promote::KeyNow| match (key.check(&recipe.name), key.unseen()) {
        (Err(error), _) => {
            let finding = Finding::problem(error.to_string()).why("what is built could not be promoted");
            error.next().into_iter().fold(finding, Finding::next)
        }
        (Ok(()), Some(error)) => unseen(error),
        (Ok(()), None) => Finding::ok(format!("KMS key {}", key.label())),
    };
    keys.iter().map(finding).collect()
}
