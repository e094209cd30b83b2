//! The steps of a promotion, their order and their undo, as data.

use super::model::Plan;

/// One step. Numbers are indices into [`Plan::moves`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The lock is written, without overwriting one.
    Lock,
    /// Under the lock it is looked again: everything must be as it was when the plan was made.
    Verify,
    /// The journal is written.
    Journal,
    /// The AMI is brought to the target. At home it is there.
    Distribute(usize),
    /// A launch template version with the AMI is made; nothing points at it.
    Stage(usize),
    /// The AMI is available, carries its evidence, and can be launched from the staged version.
    Prove(usize),
    /// The lock is still ours: the last look before anything that is in use changes.
    Hold,
    /// The launch template's default version is moved and read back.
    FlipTemplate(usize),
    /// The parameter is written and read back.
    FlipParameter(usize),
    /// The channel's record is written: from here on it has happened.
    Record,
    /// The journal is removed.
    Clear,
    /// The lock is removed.
    Unlock,
}

/// How a step is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undo {
    /// It changed nothing.
    Nothing,
    /// The lock is removed.
    Unlock,
    /// The journal is removed.
    RemoveJournal,
    /// The staged version, or the template that was made for it, is removed.
    RemoveStaged(usize),
    /// The default version is put back.
    TemplateBack(usize),
    /// The parameter gets its old value again, or is removed.
    ParameterBack(usize),
    /// The record gets its old text again, or is removed.
    RecordBack,
    /// It cannot be undone, only finished: the promotion has happened.
    Finish,
}

impl Step {
    /// How it is undone.
    #[must_use]
    pub const fn undo(self) -> Undo {
        match self {
            Self::Lock => Undo::Unlock,
            Self::Verify | Self::Distribute(_) | Self::Prove(_) | Self::Hold => Undo::Nothing,
            Self::Journal => Undo::RemoveJournal,
            Self::Stage(target) => Undo::RemoveStaged(target),
            Self::FlipTemplate(target) => Undo::TemplateBack(target),
            Self::FlipParameter(target) => Undo::ParameterBack(target),
            Self::Record => Undo::RecordBack,
            Self::Clear | Self::Unlock => Undo::Finish,
        }
    }

    /// What is told while it runs.
    #[must_use]
    pub fn describe(self, plan: &Plan) -> String {
        let at = |target: usize| plan.moves.get(target).map_or_else(String::new, |one| format!("{}: ", one.region));
        let template = |target: usize| plan.moves.get(target).map_or("", |one| one.launch_template.as_str());
        let parameter = |target: usize| plan.moves.get(target).map_or("", |one| one.parameter.as_str());
        match self {
            Self::Lock => format!("locking channel {}", plan.release.channel),
            Self::Verify => "looking again under the lock".to_owned(),
            Self::Journal => "writing the journal".to_owned(),
            Self::Distribute(target) => format!("{}{} is there", at(target), plan.release.ami),
            Self::Stage(target) => format!("{}staging a version of launch template {}", at(target), template(target)),
            Self::Prove(target) => format!("{}proving that {} can be launched from it", at(target), plan.release.ami),
            Self::Hold => "checking the lock".to_owned(),
            Self::FlipTemplate(target) => format!("{}moving the default of {}", at(target), template(target)),
            Self::FlipParameter(target) => format!("{}writing {}", at(target), parameter(target)),
            Self::Record => format!("recording the release in channel {}", plan.release.channel),
            Self::Clear => "removing the journal".to_owned(),
            Self::Unlock => "unlocking".to_owned(),
        }
    }
}

impl Plan {
    /// The steps, in DESIGN section 8's order: each kind over all targets before the next kind begins, so that nothing
    /// is flipped anywhere before everything is proven everywhere.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        let targets = || 0..self.moves.len();
        let mut steps = vec![Step::Lock, Step::Verify, Step::Journal];
        steps.extend(targets().map(Step::Distribute));
        steps.extend(targets().map(Step::Stage));
        steps.extend(targets().map(Step::Prove));
        steps.push(Step::Hold);
        steps.extend(targets().flat_map(|target| [Step::FlipTemplate(target), Step::FlipParameter(target)]));
        steps.extend([Step::Record, Step::Clear, Step::Unlock]);
        steps
    }
}
