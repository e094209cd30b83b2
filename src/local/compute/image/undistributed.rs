//! Why an image was not distributed, in the words of Image Builder.

use super::distribute::PATIENCE;
use crate::local::store::Scope;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Why an image was not distributed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct DistributionFailure {
    region: String,
    account: String,
    /// `imageConfigurationStep`, when it happened in one.
    step: Option<String>,
    message: String,
    /// The state in which the image was.
    status: String,
    /// Whether it took too long.
    #[serde(default)]
    late: bool,
}

impl DistributionFailure {
    /// That something went wrong there while the image was distributed.
    pub(super) fn at(scope: &Scope, message: String) -> Self {
        let (region, account) = (scope.region.clone(), scope.account.clone());
        Self { region, account, step: None, message, status: "DISTRIBUTING".to_owned(), late: false }
    }

    /// The same while what follows from it was brought in, in that step.
    pub(super) fn in_step(self, step: &str) -> Self {
        Self { step: Some(step.to_owned()), status: "INTEGRATING".to_owned(), ..self }
    }

    /// That it took longer than it may.
    pub(super) fn late(arn: &str) -> Self {
        let mut parts = arn.split(':').skip(3).map(str::to_owned);
        let (region, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let message = format!("The distribution took longer than {} minutes.", PATIENCE.as_secs() / 60);
        Self { region, account, step: None, message, status: "DISTRIBUTING".to_owned(), late: true }
    }

    /// `state.reason`.
    pub(super) fn reason(&self) -> String {
        format!(
            "Not all distribution jobs are completed. 1) {} Account {}, Region {}.",
            self.message, self.account, self.region
        )
    }

    /// `state.failureContext`.
    pub(super) fn context(&self) -> Value {
        let mut failure = json!({
            "region": self.region,
            "status": if self.late { "TIMED_OUT" } else { "FAILED" },
            "errorMessage": self.message,
            "targetAccountId": self.account,
        });
        if let Some(step) = &self.step {
            failure["imageConfigurationStep"] = json!(step);
        }
        json!({
            "imageStatus": self.status,
            "distributionFailure": {"errorMessage": self.reason(), "regionFailures": [failure]},
        })
    }
}
