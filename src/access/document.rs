//! An IAM policy as a document.

use serde::Serialize;
use serde_json::{Value, json};

/// The version of the policy language; the only one with variables, and the current one since 2012.
const VERSION: &str = "2012-10-17";

/// A policy, as `aws iam put-role-policy --policy-document` takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Policy {
    version: &'static str,
    /// What it allows.
    pub statement: Vec<Statement>,
}

/// One allowance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    /// A name: letters and digits only, as IAM wants it.
    pub sid: String,
    effect: &'static str,
    /// Who, in trust policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<Value>,
    /// Actions in alphabetical order.
    pub action: Vec<String>,
    /// ARNs; none in trust policies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource: Vec<String>,
    /// Under which conditions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<Value>,
}

impl Policy {
    /// A policy of these statements.
    #[must_use]
    pub fn new(statement: Vec<Statement>) -> Self {
        Self { version: VERSION, statement }
    }

    /// Indented JSON with a line break at its end.
    #[must_use]
    pub fn json(&self) -> String {
        format!("{:#}\n", json!(self))
    }

    /// Characters without white space, which is how IAM counts (6,144 for a managed policy, 10,240 for all inline ones
    /// of a role; general knowledge of IAM, not in the reference).
    #[must_use]
    pub fn size(&self) -> usize {
        json!(self).to_string().chars().filter(|c| !c.is_whitespace()).count()
    }
}

impl Statement {
    /// Allows actions on resources.
    #[must_use]
    pub fn allow(sid: impl Into<String>, mut action: Vec<String>, resource: Vec<String>) -> Self {
        action.sort();
        action.dedup();
        Self { sid: sid.into(), effect: "Allow", principal: None, action, resource, condition: None }
    }

    /// Lets somebody assume the role whose trust policy this is in.
    #[must_use]
    pub fn trust(sid: impl Into<String>, principal: Value) -> Self {
        Self { principal: Some(principal), ..Self::allow(sid, vec!["sts:AssumeRole".to_owned()], vec![]) }
    }

    /// The same for these actions.
    #[must_use]
    pub fn of(&self, action: Vec<String>) -> Self {
        Self { action, ..self.clone() }
    }

    /// The same under a condition.
    #[must_use]
    pub fn when(self, condition: Option<Value>) -> Self {
        Self { condition, ..self }
    }
}
