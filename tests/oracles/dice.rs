//! Numbers that are the same in every run.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// `SplitMix64`: small, well known, and the same everywhere and always, which crates of random numbers do not promise.
pub struct Dice(u64);

impl Dice {
    /// Those of one round: every round is made without the others.
    pub fn of_round(round: usize) -> Self {
        let mut dice = Self(seed() ^ 0x6f72_6163_6c65);
        dice.0 = dice.next().wrapping_add(u64::try_from(round).unwrap());
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    pub fn within(&mut self, range: Range<usize>) -> usize {
        range.start + self.below(range.len())
    }

    /// True in that many of a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

pub fn seed() -> u64 {
    number("AMIFORGE_ORACLE_SEED").unwrap_or(2_026)
}

/// How many rounds there are.
pub fn rounds(usual: usize) -> usize {
    number("AMIFORGE_ORACLE_ROUNDS").map_or(usual, |rounds| usize::try_from(rounds).unwrap())
}

/// Does rounds on all processors. What failed first is said with what makes it again.
pub fn every_round<T: Send>(rounds: usize, round: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= rounds {
                return done;
            }
            done.push(round(at));
        }
    };
    let count = thread::available_parallelism().map_or(2, usize::from).min(8);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(work)).collect();
        // A panic of one has said what it had to say.
        threads.into_iter().flat_map(|thread| thread.join().expect("a round failed")).collect()
    })
}
