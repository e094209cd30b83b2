//! Evidence kept, signed and judged.

use super::before::Before;
use super::commands;
use super::error::RunError;
use super::stages::{Judged, Work};
use crate::event::{Ending, Events, Stage};
use crate::evidence::sign::kms::{KmsKey, KmsSigner};
use crate::evidence::sign::{PrivateKey, Unsigned};
use crate::evidence::{self, Evidence, EvidenceError, Store};
use crate::gate::{self, BaselineNow, Context, Judgement, Subject, WaiverReport};
use std::path::PathBuf;

/// What signs evidence.
pub(super) enum Signer {
    /// A key in a file.
    File(PrivateKey),
    /// A key in KMS.
    Kms(Box<KmsSigner>),
}

impl Signer {
    /// Signs a statement; the envelope.
    async fn sign(&self, unsigned: &Unsigned) -> Result<String, EvidenceError> {
        match self {
            Self::File(key) => Ok(key.sign(unsigned)),
            Self::Kms(signer) => signer.sign(unsigned).await,
        }
    }
}

impl Work<'_> {
    /// Has the project's own commands look at the evidence, stores it with what became of them, and says on the image which
    /// evidence counts.
    pub(super) async fn keep(
        &self,
        mut evidence: Evidence,
        inventory: &str,
        signer: Option<&Signer>,
        events: &Events,
    ) -> Result<(Evidence, PathBuf), RunError> {
        let folder = self.evidence_folder();
        let commands = &self.recipe.gates.commands;
        evidence::file::save_inventory(&folder, &evidence, inventory).map_err(EvidenceError::from)?;
        let mut file = evidence::file::save(&folder, &evidence).map_err(EvidenceError::from)?;
        if !commands.is_empty() {
            let clock = self.cloud.clock();
            evidence.commands = commands::run(&self.project.root, commands, &evidence, &file, clock, events).await;
            file = evidence::file::save(&folder, &evidence).map_err(EvidenceError::from)?;
        }
        let tests = crate::report::tests_junit(&evidence);
        evidence::file::save_tests(&file, tests.as_deref()).map_err(EvidenceError::from)?;
        let envelope = match signer {
            Some(signer) => {
                let bytes = evidence::file::bytes(&file).map_err(EvidenceError::from)?;
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                Some(signer.sign(&Unsigned::about(&evidence, &bytes, &name)).await?)
            }
            None => None,
        };
        evidence::file::save_envelope(&file, envelope.as_deref()).map_err(EvidenceError::from)?;
        // First what the digest names, then the digest.
        if let Some(store) = Store::of(self.cloud) {
            events.progress(Stage::Validate, format!("keeping evidence in {}", store.address()));
            store.keep(&evidence, &file).await?;
        }
        let digest = evidence::digest(&evidence);
        evidence::record_digest(self.cloud, self.cloud.home(), &evidence.candidate.ami, &digest).await?;
        Ok((evidence, file))
    }

    /// What the project signs evidence with.
    pub(super) async fn signer(&self) -> Result<Option<Signer>, RunError> {
        let signing = &self.project.signing;
        if let Some(name) = &signing.kms {
            let signer = KmsSigner::open(KmsKey::of(self.cloud, name)).await?;
            return Ok(Some(Signer::Kms(Box::new(signer))));
        }
        let path = signing.key.as_ref().map(|key| self.project.root.join(key));
        let key = path.map(|path| PrivateKey::read(&path)).transpose();
        Ok(key.map_err(EvidenceError::from)?.map(Signer::File))
    }

    /// The verdicts about an image by this evidence, as of now.
    pub(super) async fn judged(&self, ami: &str, evidence: Evidence, file: PathBuf) -> Judged {
        let before = self.predecessor(ami).await;
        self.judged_against(&before, ami, evidence, file)
    }

    /// What gates compare the image with; nothing when none does.
    pub(super) async fn predecessor(&self, ami: &str) -> Before {
        let gates = &self.recipe.gates;
        let compares = gates.vulnerabilities.as_ref().is_some_and(|gate| gate.only_new)
            || gates.size.as_ref().is_some_and(|size| size.max_growth.is_some());
        if compares { self.promoted(ami).await } else { Before::Nothing }
    }

    pub(super) fn judged_against(&self, before: &Before, ami: &str, evidence: Evidence, file: PathBuf) -> Judged {
        let home = self.cloud.home();
        let baseline = self.project.baseline(&self.recipe.baseline);
        let name = self.project.baseline_name(&self.recipe.baseline);
        let context = Context {
            now: self.cloud.clock().now(),
            subject: Some(Subject {
                project: &self.project.name,
                recipe: &self.recipe.name,
                arch: self.arch.name(),
                account: &home.account,
                region: &home.region,
                ami,
            }),
            baseline: Some(BaselineNow { name: &name, digest: baseline.as_ref().map(evidence::baseline_digest) }),
            promoted: before.for_gates(),
            waivers: &self.project.waivers,
        };
        let Judgement { verdicts, waivers } = gate::judge(&self.recipe.gates, &evidence, &context);
        let digest = evidence::digest(&evidence);
        Judged { evidence, digest, file, verdicts, waivers, reused: false }
    }
}

/// Tells the verdicts and what is to be known of the waivers.
pub(super) fn tell(judged: &Judged, events: &Events) {
    events.started(Stage::Gate, "gates");
    for verdict in &judged.verdicts {
        let line = format!("{} {}: {}", crate::report::word(verdict.status), verdict.gate, verdict.summary);
        events.note(Stage::Gate, line);
    }
    for note in judged.waivers.iter().filter_map(WaiverReport::note) {
        events.note(Stage::Gate, note);
    }
    match judged.refusal() {
        None => events.finished(Stage::Gate, Ending::Done, format!("all {} gates pass", judged.verdicts.len())),
        Some(error) => events.finished(Stage::Gate, Ending::Failed, error.to_string()),
    }
}
