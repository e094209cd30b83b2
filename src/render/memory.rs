//! What has been worked out about the files of a project. Two hundred recipes use the same few components: each template is
//! compiled once, and each text is read and linted once.
//!
//! Everything is asked for by all that it follows from, texts included, so the answer is the one that would be worked out now,
//! whatever was changed in the project meanwhile.

use super::engine::{Templates, held};
use super::targets::{Movers, Moving, movers, moving};
use crate::component::rules::{self, Levels, Target};
use crate::component::{self, Document};
use crate::diagnostic::{Diagnostic, Severity, SourceFile};
use crate::project::Project;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// What rendering remembers of a project.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(super) templates: Templates,
    documents: Mutex<HashMap<Question, Judged>>,
    movers: Mutex<Option<(Moving, Arc<Movers>)>>,
}

/// Whether a document will do.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Question {
    source: Arc<SourceFile>,
    target: Target,
    levels: Levels,
}

/// A document as it was read.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    /// The document, unless something of it could not be read.
    pub document: Option<Arc<Document>>,
    /// The errors in it.
    pub errors: Vec<Diagnostic>,
}

impl Memory {
    /// Who moves what in a project.
    pub(super) fn movers(&self, project: &Project) -> Arc<Movers> {
        let question = moving(project);
        if let Some((asked, known)) = held(&self.movers).as_ref()
            && *asked == question
        {
            return Arc::clone(known);
        }
        let answer = Arc::new(movers(project));
        *held(&self.movers) = Some((question, Arc::clone(&answer)));
        answer
    }

    /// Reads and lints a document.
    pub(super) fn judge(&self, source: &Arc<SourceFile>, target: Target, levels: &Levels) -> Judged {
        let question = Question { source: Arc::clone(source), target, levels: levels.clone() };
        if let Some(known) = held(&self.documents).get(&question) {
            return known.clone();
        }
        let parsed = component::parse(source);
        let found = rules::lint(source, &parsed, &question.target, levels);
        let errors = found.into_iter().filter(|diagnostic| diagnostic.severity == Severity::Error).collect();
        let judged = Judged { document: parsed.readable.filter(|_| parsed.complete).map(Arc::new), errors };
        held(&self.documents).insert(question, judged.clone());
        judged
    }
}
