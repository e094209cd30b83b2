//! The steps of a promotion, their order and their undo, as data.

use super::model::{How, Move, Plan, place};

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
    /// A version with the AMI is made of every launch template of the place; nothing points at them.
    Stage(usize),
    /// The AMI is available, carries its evidence, and can be launched from every staged version.
    Prove(usize),
    /// An instance is launched from every staged version, waited for, and ended.
    Canary(usize),
    /// The lock is still ours: the last look before anything that is in use changes.
    Hold,
    /// The default versions of the launch templates are moved and read back.
    FlipTemplate(usize),
    /// The parameters are written and read back.
    FlipParameter(usize),
    /// The parameter of a channel that becomes empty is removed.
    RemoveParameter(usize),
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
    /// promotion of the image finds it and need not wait for one. So do permissions to launch and to copy it, and grants on its
    /// keys, which are for all images of the project.
    Unmark(usize),
    /// The staged versions, or the templates that were made for them, are removed.
    RemoveStaged(usize),
    /// Instances that this promotion has launched and that still run are ended.
    EndCanary(usize),
    /// The default versions are put back.
    TemplateBack(usize),
    /// The parameters get their old values again, or are removed.
    ParameterBack(usize),
    /// The removed parameter is made again.
    ParameterAgain(usize),
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
            Self::Canary(target) => Undo::EndCanary(target),
            Self::FlipTemplate(target) => Undo::TemplateBack(target),
            Self::FlipParameter(target) => Undo::ParameterBack(target),
            Self::RemoveParameter(target) => Undo::ParameterAgain(target),
            Self::Record => Undo::RecordBack,
            Self::Clear | Self::Unlock => Undo::Finish,
        }
    }

    /// The target that it is about.
    #[must_use]
    pub const fn target(self) -> Option<usize> {
        match self {
            Self::Stage(target)
            | Self::Prove(target)
            | Self::Canary(target)
            | Self::FlipTemplate(target)
            | Self::FlipParameter(target)
            | Self::RemoveParameter(target) => Some(target),
            _ => None,
        }
    }

    /// Whether what it does can be seen by users of the channel.
    #[must_use]
    pub const fn is_flip(self) -> bool {
        matches!(self, Self::FlipTemplate(_) | Self::FlipParameter(_) | Self::RemoveParameter(_))
    }

    /// Where it works, for people: nothing for steps about the whole promotion.
    #[must_use]
    pub fn place(self, plan: &Plan) -> Option<String> {
        match self {
            Self::Distribute(supply) => plan.supplies.get(supply).map(|one| place(&one.location())),
            _ => self.target().and_then(|target| plan.moves.get(target)).map(Move::place),
        }
    }

    /// What is told while it runs.
    #[must_use]
    pub fn describe(self, plan: &Plan) -> String {
        let ami = &plan.release.ami;
        let at = self.place(plan).map_or_else(String::new, |place| format!("{place}: "));
        let one = self.target().and_then(|target| plan.moves.get(target));
        let list = |names: Vec<&str>| names.join(", ");
        let templates =
            || list(one.iter().flat_map(|one| &one.launch_templates).map(|one| one.name.as_str()).collect());
        let parameters = || list(one.iter().flat_map(|one| &one.parameters).map(|one| one.name.as_str()).collect());
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
            Self::Stage(_) => format!("{at}staging a version of launch template {}", templates()),
            Self::Prove(_) => format!("{at}proving that the image can be launched"),
            Self::Canary(_) => format!("{at}launching a canary from {}", templates()),
            Self::Hold => "checking the lock".to_owned(),
            Self::FlipTemplate(_) => format!("{at}moving the default of {}", templates()),
            Self::FlipParameter(_) => format!("{at}writing {}", parameters()),
            Self::RemoveParameter(_) => format!("{at}removing {}", parameters()),
            Self::Record if plan.release.empty => format!("recording that channel {} is empty", plan.release.channel),
            Self::Record => format!("recording the release in channel {}", plan.release.channel),
            Self::Clear => "removing the journal".to_owned(),
            Self::Unlock => "unlocking".to_owned(),
        }
    }
}

impl Plan {
    /// The steps in DESIGN section 8's order, in phases: the steps of one phase are about different places and run at
    /// the same time, and a phase begins when all of the one before has succeeded. So nothing is flipped anywhere before
    /// everything is proven everywhere. A channel that becomes empty has nothing to be distributed or proven.
    #[must_use]
    pub fn phases(&self) -> Vec<Vec<Step>> {
        let those = |wanted: fn(&Move) -> bool, step: fn(usize) -> Step| {
            let moves = self.moves.iter().enumerate().filter(|(_, one)| wanted(one));
            moves.map(|(target, _)| step(target)).collect::<Vec<_>>()
        };
        let templates = |one: &Move| !one.launch_templates.is_empty();
        let parameters = |one: &Move| !one.parameters.is_empty();
        let mut phases = vec![vec![Step::Lock], vec![Step::Verify], vec![Step::Journal]];
        let ends = [vec![Step::Record], vec![Step::Clear], vec![Step::Unlock]];
        if self.release.empty {
            phases.extend([vec![Step::Hold], those(parameters, Step::RemoveParameter)].into_iter().chain(ends));
            phases.retain(|phase| !phase.is_empty());
            return phases;
        }
        let copies = self.supplies.len().max(1);
        phases.push(vec![Step::Distribute(0)]);
        phases.push((1..copies).map(Step::Distribute).collect());
        if self.supplies.iter().any(|one| one.ami.is_none()) {
            phases.push(vec![Step::Note]);
        }
        phases.extend([those(templates, Step::Stage), those(|_| true, Step::Prove)]);
        phases.extend([those(|one| one.canary, Step::Canary), vec![Step::Hold]]);
        phases.extend([those(templates, Step::FlipTemplate), those(parameters, Step::FlipParameter)]);
        phases.extend(ends);
        phases.retain(|phase| !phase.is_empty());
        phases
    }

    /// The same in one list.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        self.phases().concat()
    }
}
