//! Who may do what: the IAM policies that the verbs need, made from one table of the calls they make. Pure.
//!
//! `table` says in the words of `need` which operation of which service each verb calls and on what; a test holds it against the code and
//! another against what the verbs really call. `policy` narrows that to the project, the account and the Region of an
//! environment. `roles` has the roles that are not the caller's: of the instances, of the targets, and of Image Builder.
//!
//! Two kinds of facts are used. What reference/image-builder.md section 18 says is taken as it is. Which resources and
//! condition keys an action knows (the service authorization reference) stands there only in part; the rest is general
//! knowledge of AWS and marked as such in [`On`]. Where it is not certain that an action can be narrowed, it is not:
//! an allowance that does not hold would stop a build.

mod document;
mod need;
mod policy;
mod roles;
mod scope;
mod table;
#[cfg(test)]
mod tests;
mod verb;

pub use document::{Policy, Statement};
pub use need::{At, Need, On};
pub use policy::{caller, caller_notes, only};
pub use roles::{DISTRIBUTION_ROLE, INSTANCE_POLICIES, Role, SERVICE_ROLE, distribution, execution, instance, target};
pub use scope::Site;
pub use table::needs;
pub use verb::Verb;
