//! Waiting for a state: look, wait, look again, until a deadline.

use std::time::Duration;
use tokio::time::Instant;

/// How to wait.
///
/// ```ignore
/// let mut waiting = Poller { every: cloud.poll(), deadline: Duration::from_secs(600) }.start();
/// loop {
///     if look().await? == wanted { break; }
///     waiting.pause().await?;
/// }
/// ```
///
/// Nothing but the start time is kept between looks, so dropping the future at any point loses nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Poller {
    /// Time between two looks.
    pub every: Duration,
    /// Time from the start after which it is given up.
    pub deadline: Duration,
}

/// A wait that has begun.
#[derive(Debug, Clone)]
pub struct Waiting {
    poller: Poller,
    started: Instant,
}

/// The deadline passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not finished after {}", crate::event::human_duration(*.after))]
pub struct TimedOut {
    /// How long it was waited.
    pub after: Duration,
}

impl Poller {
    /// Begins to wait: the deadline counts from now.
    #[must_use]
    pub fn start(self) -> Waiting {
        Waiting { poller: self, started: Instant::now() }
    }
}

impl Waiting {
    /// Time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits until the next look is due; the last one falls on the deadline exactly.
    ///
    /// # Errors
    /// When the deadline has passed.
    pub async fn pause(&mut self) -> Result<(), TimedOut> {
        self.pause_for(self.poller.every).await
    }

    /// The same with another time to the next look than the poller's.
    ///
    /// # Errors
    /// When the deadline has passed.
    pub async fn pause_for(&mut self, every: Duration) -> Result<(), TimedOut> {
        let left = self.poller.deadline.saturating_sub(self.started.elapsed());
        if left.is_zero() {
            return Err(TimedOut { after: self.started.elapsed() });
        }
        tokio::time::sleep(every.min(left)).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn looks_until_the_deadline_and_once_on_it() {
        let mut waiting = Poller { every: Duration::from_secs(4), deadline: Duration::from_secs(10) }.start();
        let mut looks = vec![];
        let error = loop {
            looks.push(waiting.elapsed().as_secs());
            if let Err(error) = waiting.pause().await {
                break error;
            }
        };
        assert_eq!(looks, [0, 4, 8, 10]);
        assert_eq!(error.after, Duration::from_secs(10));
        assert_eq!(error.to_string(), "not finished after 10.0 s");
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_of_zero_still_looks_once() {
        let mut waiting = Poller { every: Duration::from_secs(1), deadline: Duration::ZERO }.start();
        assert!(waiting.pause().await.is_err());
    }
}
