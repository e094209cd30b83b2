//! Carries out works that depend on each other, a bounded number at a time.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// A work under way. It borrows what it works on, so it runs where it is polled and not as a task of its own.
pub type Running<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What became of a work.
#[derive(Debug, PartialEq, Eq)]
pub enum End<T> {
    /// It ran to its end, good or bad.
    Ran(T),
    /// It was not begun, because this one, which it needs, did not succeed.
    Needs(usize),
    /// It was not begun, because another one failed and that was to stop the rest.
    Stopped,
    /// It was not begun, because it needs itself, over others or directly.
    Cycle,
}

/// How to carry them out.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Most works at a time; at least one.
    pub jobs: usize,
    /// Begin nothing more once one has failed. What runs is still waited for.
    pub fail_fast: bool,
}

/// Runs every work whose needs have succeeded. `needs` has for each work the ones before it; `begin` makes its future, `succeeded`
/// says whether a result lets the ones after it begin. The ends stand in the order of the works.
pub async fn run<'a, T>(
    needs: &[Vec<usize>],
    rules: Rules,
    mut begin: impl FnMut(usize) -> Running<'a, T>,
    succeeded: impl Fn(&T) -> bool,
) -> Vec<End<T>> {
    let mut ends: Vec<Option<End<T>>> = needs.iter().map(|_| None).collect();
    let mut running: BTreeMap<usize, Running<'a, T>> = BTreeMap::new();
    let good = |end: &Option<End<T>>| matches!(end, Some(End::Ran(result)) if succeeded(result));
    loop {
        skip(needs, &mut ends, &running, &good);
        let stopped = rules.fail_fast && ends.iter().any(|end| end.is_some() && !good(end));
        for (index, before) in needs.iter().enumerate() {
            let open = ends[index].is_none() && !running.contains_key(&index);
            if open && !stopped && running.len() < rules.jobs.max(1) && before.iter().all(|need| good(&ends[*need])) {
                running.insert(index, begin(index));
            }
        }
        if running.is_empty() {
            break;
        }
        let (index, result) = next(&mut running).await;
        ends[index] = Some(End::Ran(result));
    }
    let left = |end: Option<End<T>>| end.unwrap_or(if rules.fail_fast { End::Stopped } else { End::Cycle });
    ends.into_iter().map(left).collect()
}

/// Marks what cannot begin any more because something it needs did not succeed; over any number of steps.
fn skip<T>(
    needs: &[Vec<usize>],
    ends: &mut [Option<End<T>>],
    running: &BTreeMap<usize, Running<'_, T>>,
    good: &impl Fn(&Option<End<T>>) -> bool,
) {
    loop {
        let bad = |need: &usize| ends[*need].is_some() && !good(&ends[*need]);
        let open = |index: usize| ends[index].is_none() && !running.contains_key(&index);
        let found = needs.iter().enumerate().find_map(|(index, before)| {
            let need = before.iter().find(|need| bad(need))?;
            open(index).then_some((index, *need))
        });
        let Some((index, need)) = found else { return };
        ends[index] = Some(End::Needs(need));
    }
}

/// Waits for whichever ends first. The few that run at a time are all asked when one of them stirs.
async fn next<T>(running: &mut BTreeMap<usize, Running<'_, T>>) -> (usize, T) {
    let (index, result) = poll_fn(|context| {
        for (index, work) in running.iter_mut() {
            if let Poll::Ready(result) = work.as_mut().poll(context) {
                return Poll::Ready((*index, result));
            }
        }
        Poll::Pending
    })
    .await;
    running.remove(&index);
    (index, result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;
    use tokio::time::Instant;

    /// Runs works that take as many seconds as their number says, those in `bad` without success.
    async fn times(needs: &[Vec<usize>], rules: Rules, bad: &[usize]) -> (Vec<End<bool>>, Vec<(usize, u64)>) {
        let began = Arc::new(Mutex::new(vec![]));
        let start = Instant::now();
        let ends = run(
            needs,
            rules,
            |index| {
                began.lock().unwrap().push((index, start.elapsed().as_secs()));
                let good = !bad.contains(&index);
                Box::pin(async move {
                    tokio::time::sleep(Duration::from_secs(1 + index as u64)).await;
                    good
                })
            },
            |good| *good,
        )
        .await;
        let began = began.lock().unwrap().clone();
        (ends, began)
    }

    const ALL: Rules = Rules { jobs: 10, fail_fast: false };

    #[tokio::test(start_paused = true)]
    async fn no_more_run_at_a_time_than_allowed() {
        let needs = vec![vec![]; 5];
        let (ends, began) = times(&needs, Rules { jobs: 2, ..ALL }, &[1]).await;
        assert_eq!(began, [(0, 0), (1, 0), (2, 1), (3, 2), (4, 4)]);
        assert_eq!(ends.iter().filter(|end| **end == End::Ran(true)).count(), 4, "one that fails stops no other");
        let (_, began) = times(&needs, Rules { jobs: 0, ..ALL }, &[]).await;
        assert_eq!(began.len(), 5, "none at a time would be nothing for ever");
    }

    #[tokio::test(start_paused = true)]
    async fn a_base_comes_before_what_stands_on_it() {
        let (ends, began) = times(&[vec![1], vec![], vec![0, 1]], ALL, &[]).await;
        assert_eq!(began, [(1, 0), (0, 2), (2, 3)]);
        assert!(ends.iter().all(|end| *end == End::Ran(true)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_stands_on_a_failed_base_is_skipped_with_the_reason() {
        let (ends, began) = times(&[vec![], vec![0], vec![1], vec![]], ALL, &[0]).await;
        assert_eq!(ends, [End::Ran(false), End::Needs(0), End::Needs(1), End::Ran(true)]);
        assert_eq!(began.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_failure_stops_what_has_not_begun_if_wanted() {
        let needs = vec![vec![]; 4];
        let (ends, _) = times(&needs, Rules { jobs: 2, fail_fast: true }, &[0]).await;
        assert_eq!(ends, [End::Ran(false), End::Ran(true), End::Stopped, End::Stopped]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_circle_comes_to_an_end() {
        let (ends, began) = times(&[vec![1], vec![0], vec![2], vec![]], ALL, &[]).await;
        assert_eq!(ends, [End::Cycle, End::Cycle, End::Cycle, End::Ran(true)]);
        assert_eq!(began, [(3, 0)]);
    }
}
