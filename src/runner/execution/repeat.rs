//! The loop of a step (reference/component-documents.md section 7).

use super::step::{At, Seen, Went};
use super::{Execution, World};
use crate::component::repeat::{Loop, Over, RESERVED_NAME, count};
use crate::runner::actions::{Outputs, StepError};
use crate::runner::capture::{MOST_KEPT, Sink};
use crate::runner::model::LoopResult;
use crate::runner::process::Limit;
use crate::runner::state::Repeat;
use crate::runner::values::{Records, Turn};
use crate::runner::visible::{self, quoted};

impl Execution {
    /// Runs all iterations; the first that fails ends it. The time limit is for all of them together.
    ///
    /// An iteration that asks for a reboot is run again after it; those before it are not (UNCONFIRMED: section 18). The
    /// clock of the time limit begins anew then.
    pub(super) fn iterations(
        &mut self,
        world: &mut World<'_>,
        at: &At<'_>,
        (repeat, over): (&Loop, &Over),
        limit: Limit,
        seen: &mut Seen,
        sink: &mut Sink<'_>,
    ) -> Result<(Went, Outputs), StepError> {
        let mut state = match self.frame.current.repeat.take() {
            Some(saved) => saved,
            None => Repeat { items: self.items(world, at, over, sink)?, ..Repeat::default() },
        };
        let iterations = match (over, &state.items) {
            (Over::Range { start, end, step, .. }, _) => count(*start, *end, *step),
            (_, items) => items.as_ref().map_or(0, |items| items.len() as u64),
        };
        let name = repeat.name.as_ref().map(|(name, _)| name.clone());
        let told = visible::line(name.as_deref().unwrap_or(RESERVED_NAME)).into_owned();
        seen.repeat = Some(LoopResult { name: told, iterations, succeeded: state.next, failed: None });
        if iterations == 0 {
            sink.notice("the loop has nothing to go over");
            // Joined, the outputs of no iterations are empty texts.
            let nothing = at.step.module.outputs.iter().map(|output| (output.name.to_owned(), Some(String::new())));
            return Ok((Went::On, vec![nothing.collect()]));
        }
        while state.next < iterations {
            let turn = Turn { name: name.clone(), index: state.next, value: value(over, &state) };
            let outcome = limit.check().and_then(|()| self.once(world, at, Some(&turn), limit, seen, sink));
            let (went, outputs) = match outcome {
                Ok(outcome) => outcome,
                Err(source) => {
                    if let Some(repeat) = &mut seen.repeat {
                        repeat.failed = Some(turn.index);
                    }
                    let value = quoted(&world.secrets.redact(&turn.value));
                    let source = Box::new(source);
                    return Err(StepError::Iteration { index: turn.index, value, source });
                }
            };
            if went != Went::Again {
                join(&mut state.outputs, outputs, state.next == 0);
                state.next += 1;
                self.frame.current.reboots = 0;
                if let Some(repeat) = &mut seen.repeat {
                    repeat.succeeded = state.next;
                }
            }
            // Behind a reboot that an iteration asks for on purpose comes the next one, if there is one.
            let last = state.next == iterations;
            match went {
                Went::On => {}
                Went::Behind if last => return Ok((Went::Behind, state.outputs)),
                Went::Behind | Went::Again => {
                    self.frame.current.repeat = Some(state);
                    return Ok((Went::Again, Outputs::new()));
                }
            }
        }
        Ok((Went::On, state.outputs))
    }

    /// The items of a loop over items, with their expressions replaced once for all iterations.
    fn items(
        &mut self,
        world: &mut World<'_>,
        at: &At<'_>,
        over: &Over,
        sink: &mut Sink<'_>,
    ) -> Result<Option<Vec<String>>, StepError> {
        let nothing = Records::new();
        let (mut scope, _) = self.scope(world, at, None, &nothing, sink);
        Ok(match over {
            Over::Range { .. } => None,
            Over::Items(items) => Some(items.iter().map(|item| scope.text(item)).collect::<Result<_, _>>()?),
            Over::Split { list, delimiter } => {
                let list = scope.text(list)?;
                let split = list.split(delimiter.as_str()).map(str::to_owned);
                // Nothing is no item (UNCONFIRMED); so an empty list of files has no iterations.
                Some(if list.is_empty() { Vec::new() } else { split.collect() })
            }
        })
    }
}

/// The value of the iteration that comes next.
fn value(over: &Over, state: &Repeat) -> String {
    match (over, &state.items) {
        (Over::Range { start, step, .. }, _) => {
            // Inside of the range, so that it fits.
            (i128::from(*start) + i128::from(*step) * i128::from(state.next)).to_string()
        }
        (_, Some(items)) => {
            usize::try_from(state.next).ok().and_then(|index| items.get(index)).cloned().unwrap_or_default()
        }
        (_, None) => String::new(),
    }
}

/// Joins what an iteration produced to what those before it did: per key, with line breaks. What becomes too long is not
/// half kept.
fn join(all: &mut Outputs, more: Outputs, first: bool) {
    if first {
        *all = more;
        return;
    }
    for (set, more) in all.iter_mut().zip(more) {
        for (key, text) in more {
            let joined = set.entry(key).or_default();
            *joined = match (joined.take(), text) {
                (Some(before), Some(text)) if before.len() + text.len() < MOST_KEPT => Some(before + "\n" + &text),
                _ => None,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn outputs_are_joined_per_item_and_key() {
        let outputs = |texts: &[&str]| -> Outputs {
            texts.iter().map(|text| BTreeMap::from([("content".to_owned(), Some((*text).to_owned()))])).collect()
        };
        let mut all = Outputs::new();
        join(&mut all, outputs(&["a", ""]), true);
        join(&mut all, outputs(&["b", "c"]), false);
        assert_eq!(all, outputs(&["a\nb", "\nc"]));
        let long = "x".repeat(MOST_KEPT);
        join(&mut all, outputs(&[&long, "d"]), false);
        assert_eq!((&all[0]["content"], all[1]["content"].as_deref()), (&None, Some("\nc\nd")));
        join(&mut all, outputs(&["short", "e"]), false);
        assert_eq!(all[0]["content"], None, "the middle is missing");
    }

    #[test]
    fn ranges_count_from_their_start() {
        let over = Over::Range { start: 5, end: -5, step: -5, span: crate::diagnostic::Span::new(0, 0) };
        let at = |next| value(&over, &Repeat { next, ..Repeat::default() });
        assert_eq!([at(0), at(1), at(2)], ["5", "0", "-5"]);
    }
}
