//! What rules look at.

use crate::component::model::{Document, Phase, Step};
use crate::component::modules::{Action, Platform};
use crate::component::rules::shell::{Commands, PowerShellCommands};
use crate::diagnostic::{SourceFile, Span};
use crate::yaml::{Comment, Node};
use std::cell::OnceCell;
use std::sync::Arc;

/// What is known about where a document will run. What is not known is not guessed: rules that need it stay silent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Target {
    /// The platform of the image.
    pub platform: Option<Platform>,
    /// The operating system as recipes name it, for example `amazon-linux-2023`.
    pub os: Option<String>,
    /// What the component is used as in a recipe.
    pub role: Option<Role>,
    /// For a container image rather than an AMI.
    pub container: bool,
    /// Run by awstoe alone, not by Image Builder: any phase will do.
    pub standalone: bool,
    /// An old awstoe is pinned, one that does not know `env:`, `context:` and `aws:imds:`.
    pub old_awstoe: bool,
    /// The document is given to the API as text (`data`), not through S3 (`uri`).
    pub inline: bool,
    /// Accounts whose buckets may be read and written; empty: not known.
    pub accounts: Vec<String>,
}

/// What a component is used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Under `build` of a recipe.
    Build,
    /// Under `test` of a recipe.
    Test,
}

/// A document that could be read, with all that rules want to know.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The file.
    pub source: &'a Arc<SourceFile>,
    /// The tree of the file.
    pub root: &'a Node,
    /// The document. Steps that could not be read are missing from it.
    pub document: &'a Document,
    /// Whether nothing is missing from `document`.
    pub complete: bool,
    /// What the file says to people.
    pub comments: &'a [Comment],
    /// Where it will run.
    pub target: &'a Target,
    /// The scripts, once a rule has asked for them.
    pub(super) bash: OnceCell<Vec<Commands<'a>>>,
    /// The PowerShell scripts, once a rule has asked for them.
    pub(super) powershell: OnceCell<Vec<PowerShellCommands<'a>>>,
}

impl<'a> Subject<'a> {
    /// A document to be looked at.
    pub(super) fn new(
        source: &'a Arc<SourceFile>,
        root: &'a Node,
        document: &'a Document,
        complete: bool,
        comments: &'a [Comment],
        target: &'a Target,
    ) -> Self {
        let (bash, powershell) = (OnceCell::new(), OnceCell::new());
        Self { source, root, document, complete, comments, target, bash, powershell }
    }

    /// All steps with their phases, in document order.
    pub fn steps(&self) -> impl Iterator<Item = (&'a Phase, &'a Step)> + use<'a> {
        self.document.steps()
    }

    /// The steps of an action.
    pub fn steps_of(&self, action: Action) -> impl Iterator<Item = (&'a Phase, &'a Step)> + use<'a> {
        self.document.steps().filter(move |(_, step)| step.module.action == action)
    }

    /// Whether a comment explains a place: in its line, or alone in the line above.
    pub fn is_commented(&self, span: Span) -> bool {
        let line = self.source.line(span.start);
        // In file order, one per line at most.
        let first = self.comments.partition_point(|comment| comment.line + 1 < line);
        let mut near = self.comments[first..].iter().take_while(|comment| comment.line <= line);
        near.any(|comment| comment.line == line || comment.alone)
    }
}
