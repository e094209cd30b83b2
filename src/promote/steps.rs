//! The steps of a promotion, their order and their undo, as data.

use super::model::{How, Plan, place};

/// One step. Numbers are indices into [`Plan::supplies`] (`Distribute`) and [`Plan::moves`] (all others).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The lock is written, without overwriting one.
    Lock,
    /// Under the lock it is looked again: everything must be as it was when the plan was made.
    Verify,
    /// The journal is written, and read back.
    Journal,
    /// The image is marked as approved, and brought to where it is used. The first one is the source of the others.
    Distribute(usize),
    /// The journal learns the ids of the copies.
    Note,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Undo {
    /// It changed nothing.
    Nothing,
    /// The lock is removed.
    Unlock,
    /// The journal is removed.
    RemoveJournal,
    /// The mark of approval is removed, if this promotion has set it. The copy stays: nothing points at it, and the next
    /// promotion of the image finds it and need not wait for one. So do permissions to launch and to copy it.
    Unmark(usize),
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
            Self::Verify | Self::Note | Self::Prove(_) | Self::Hold => Undo::Nothing,
            Self::Journal => Undo::RemoveJournal,
            Self::Distribute(supply) => Undo::Unmark(supply),
            Self::Stage(target) => Undo::RemoveStaged(target),
            Self::FlipTemplate(target) => Undo::TemplateBack(target),
            Self::FlipParameter(target) => Undo::ParameterBack(target),
            Self::Record => Undo::RecordBack,
            Self::Clear | Self::Unlock => Undo::Finish,
        }
    }

    /// The target that it is about.
    #[must_use]
    pub const fn target(self) -> Option<usize> {
        match self {
            Self::Stage(target) | Self::Prove(target) | Self::FlipTemplate(target) | Self::FlipParameter(target) => {
                Some(target)
            }
            _ => None,
        }
    }

    /// Whether what it does can be seen by users of the channel.
    #[must_use]
    pub const fn is_flip(self) -> bool {
        matches!(self, Self::FlipTemplate(_) | Self::FlipParameter(_))
    }

    /// Where it works, for people: nothing for steps about the whole promotion.
    #[must_use]
    pub fn place(self, plan: &Plan) -> Option<String> {
        match self {
            Self::Distribute(supply) => plan.supplies.get(supply).map(|one| place(&one.location())),
            _ => self.target().and_then(|target| plan.moves.get(target)).map(super::model::Move::place),
        }
    }

    /// What is told while it runs.
    #[must_use]
    pub fn describe(self, plan: &Plan) -> String {
        let ami = &plan.release.ami;
        let at = self.place(plan).map_or_else(String::new, |place| format!("{place}: "));
        let one = self.target().and_then(|target| plan.moves.get(target));
        let template = one.map_or("", |one| one.launch_template.as_str());
        let parameter = one.map_or("", |one| one.parameter.as_str());
        match self {
            Self::Lock => format!("locking channel {}", plan.release.channel),
            Self::Verify => "looking again under the lock".to_owned(),
            Self::Journal => "writing the journal".to_owned(),
            Self::Distribute(supply) => match plan.supplies.get(supply).map(|one| (one.how, &one.ami)) {
                Some((How::Copied, None)) => format!("{at}copying {ami}"),
                Some((_, Some(there))) => format!("{at}marking {there} as approved"),
                _ => format!("{at}marking {ami} as approved"),
            },
            Self::Note => "writing the ids of the copies into the journal".to_owned(),
            Self::Stage(_) => format!("{at}staging a version of launch template {template}"),
            Self::Prove(_) => format!("{at}proving that the image can be launched from it"),
            Self::Hold => "checking the lock".to_owned(),
            Self::FlipTemplate(_) => format!("{at}moving the default of {template}"),
            Self::FlipParameter(_) => format!("{at}writing {parameter}"),
            Self::Record => format!("recording the release in channel {}", plan.release.channel),
            Self::Clear => "removing the journal".to_owned(),
            Self::Unlock => "unlocking".to_owned(),
        }
    }
}

impl Plan {
    /// The steps in DESIGN section 8's order, in phases: the steps of one phase are about different places and run at
    /// the same time, and a phase begins when all of the one before has succeeded. So nothing is flipped anywhere before
    /// everything is proven everywhere.
    #[must_use]
    pub fn phases(&self) -> Vec<Vec<Step>> {
        let targets = |step: fn(usize) -> Step| (0..self.moves.len()).map(step).collect::<Vec<_>>();
        let copies = self.supplies.len().max(1);
        let mut phases = vec![vec![Step::Lock], vec![Step::Verify], vec![Step::Journal], vec![Step::Distribute(0)]];
        phases.push((1..copies).map(Step::Distribute).collect());
        if self.supplies.iter().any(|one| one.ami.is_none()) {
            phases.push(vec![Step::Note]);
        }
        phases.extend([targets(Step::Stage), targets(Step::Prove), vec![Step::Hold]]);
        phases.extend([targets(Step::FlipTemplate), targets(Step::FlipParameter)]);
        phases.extend([vec![Step::Record], vec![Step::Clear], vec![Step::Unlock]]);
        phases.retain(|phase| !phase.is_empty());
        phases
    }

    /// The same in one list.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        self.phases().concat()
    }
}
