//! Pacing: how fast this process calls Image Builder in one account and Region, all its builds together.
//!
//! Two buckets, one for calls that change something and one for calls that read. Image Builder publishes no limits
//! (image-builder.md section 4: UNCONFIRMED; its advice is one to two mutating calls per second). So the rates are cautious, and they
//! give way: when the service throttles any call both are halved, and they come back by little and little. Time is tokio's, so that
//! tests run in virtual time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Mutating calls per second: the upper end of the advice in image-builder.md section 4.
const MUTATING: f64 = 2.0;
/// Reading calls per second. Nobody says how many are allowed; this is our own choice, and what throttling corrects.
pub const READING: f64 = 5.0;
/// Calls that may go out at once after a pause: a plan reads about this much.
const BURST: f64 = 10.0;
/// Never slower than this share of the full rate, or a process that was throttled would seem to hang.
const FLOOR: f64 = 1.0 / 32.0;
/// Calls that were on their way together are throttled together: that counts once in this time.
const ONE_CUT: Duration = Duration::from_secs(1);
/// Time in which a rate comes back from nothing to all.
const RECOVERY: Duration = Duration::from_mins(2);

/// Rates of EC2 in one account and Region: a bucket of 100 tokens that gets 20 a second for actions that only read (EC2's
/// developer guide, request throttling), and for those that change something the smallest that the guide has for them
/// as far as we know (UNCONFIRMED: 50 tokens and 5 a second). Ours are buckets over all actions together, so they are
/// never too fast.
const EC2: Rates = Rates { mutating: 5.0, reading: 20.0, burst: 20.0 };
/// Rates of Parameter Store in one account and Region: 40 readings a second together (standard throughput). For writing
/// nothing is certain (UNCONFIRMED), 3 a second was the lowest that was ever published.
const SSM: Rates = Rates { mutating: 3.0, reading: 20.0, burst: 10.0 };

/// What a service allows.
#[derive(Debug, Clone, Copy)]
struct Rates {
    mutating: f64,
    reading: f64,
    burst: f64,
}

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It changes something.
    Mutating,
    /// It only reads.
    Reading,
}

impl Kind {
    /// By the operation's name: the request's path in Image Builder's protocol, the end of a header in that of Systems
    /// Manager, a member of the form in EC2's. `PUT /CreateImage` changes something, and so does what is not known.
    pub(super) fn of(path: &str, target: Option<&str>, body: Option<&[u8]>) -> Self {
        const FORM: &[u8] = b"Action=";
        let in_form = || {
            let rest = body?.strip_prefix(FORM)?;
            std::str::from_utf8(rest.split(|byte| *byte == b'&').next()?).ok()
        };
        let operation = match target {
            Some(target) => target.rsplit('.').next().unwrap_or_default(),
            None => in_form().unwrap_or_else(|| path.rsplit('/').next().unwrap_or_default()),
        };
        let reads = ["Get", "List", "Describe"].iter().any(|begin| operation.starts_with(begin));
        if reads || path.starts_with("/tags/") { Self::Reading } else { Self::Mutating }
    }
}

/// The pace of one account and Region. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Pace(Arc<Mutex<Buckets>>);

#[derive(Debug)]
struct Buckets {
    mutating: Bucket,
    reading: Bucket,
    cut: Option<Instant>,
}

/// A token bucket as one number: the time at which it would be full again (the generic cell rate algorithm).
#[derive(Debug)]
struct Bucket {
    full: f64,
    rate: f64,
    /// Calls that may go out at once.
    burst: f64,
    /// When all that was taken so far is paid back.
    paid: Instant,
    /// When `rate` was last brought up to date.
    adjusted: Instant,
}

impl Bucket {
    fn new(rate: f64, burst: f64, now: Instant) -> Self {
        Self { full: rate, rate, burst, paid: now, adjusted: now }
    }

    /// The time in which what may go out at once is paid back, but for one call.
    fn credit(&self) -> Duration {
        Duration::from_secs_f64((self.burst - 1.0) / self.full)
    }

    /// Takes one token; how long to wait for it.
    fn take(&mut self, now: Instant) -> Duration {
        self.recover(now);
        let wait = self.paid.saturating_duration_since(now).saturating_sub(self.credit());
        self.paid = self.paid.max(now) + Duration::from_secs_f64(1.0 / self.rate);
        wait
    }

    fn recover(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.adjusted).as_secs_f64();
        self.rate = (self.rate + self.full * since / RECOVERY.as_secs_f64()).min(self.full);
        self.adjusted = now;
    }

    fn cut(&mut self, now: Instant) {
        self.recover(now);
        self.rate = (self.rate / 2.0).max(self.full * FLOOR);
        // What was saved up is gone as well: the next call waits a whole turn.
        self.paid = self.paid.max(now + self.credit()) + Duration::from_secs_f64(1.0 / self.rate);
    }
}

impl Pace {
    /// A new pace of Image Builder at full rates.
    pub(crate) fn new() -> Self {
        Self::at(Rates { mutating: MUTATING, reading: READING, burst: BURST })
    }

    /// The same of EC2.
    pub(super) fn ec2() -> Self {
        Self::at(EC2)
    }

    /// The same of Systems Manager.
    pub(super) fn ssm() -> Self {
        Self::at(SSM)
    }

    fn at(Rates { mutating, reading, burst }: Rates) -> Self {
        let now = Instant::now();
        let (mutating, reading) = (Bucket::new(mutating, burst, now), Bucket::new(reading, burst, now));
        Self(Arc::new(Mutex::new(Buckets { mutating, reading, cut: None })))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Buckets, Instant) -> T) -> T {
        // Whoever panicked in there left numbers that are still numbers.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), Instant::now())
    }

    /// Waits for this call's turn. Turns are given in the order in which they are asked for.
    pub(super) async fn turn(&self, kind: Kind) {
        let wait = self.with(|buckets, now| match kind {
            Kind::Mutating => buckets.mutating.take(now),
            Kind::Reading => buckets.reading.take(now),
        });
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// The service said that calls come too fast: everything slows down.
    pub(super) fn throttled(&self) {
        self.with(|buckets, now| {
            if buckets.cut.is_some_and(|cut| now.saturating_duration_since(cut) < ONE_CUT) {
                return;
            }
            buckets.cut = Some(now);
            buckets.mutating.cut(now);
            buckets.reading.cut(now);
        });
    }

    /// The share of the full rate that is left, 0 to 1: followers look less often while it is low.
    pub(crate) fn share(&self) -> f64 {
        self.with(|buckets, now| {
            buckets.reading.recover(now);
            buckets.reading.rate / buckets.reading.full
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn seconds(pace: &Pace, kind: Kind, calls: usize) -> f64 {
        let started = Instant::now();
        for _ in 0..calls {
            pace.turn(kind).await;
        }
        started.elapsed().as_secs_f64()
    }

    #[test]
    fn operations_are_told_apart_by_their_names() {
        for path in ["/GetImage", "/ListImages", "/tags/arn:x"] {
            assert_eq!(Kind::of(path, None, None), Kind::Reading, "{path}");
        }
        for path in ["/CreateImage", "/CancelImageCreation", "/SendWorkflowStepAction", "/Something", ""] {
            assert_eq!(Kind::of(path, None, None), Kind::Mutating, "{path}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_free_and_then_the_rate_holds() {
        let pace = Pace::new();
        assert!(seconds(&pace, Kind::Reading, 10).await < 0.001);
        let next = seconds(&pace, Kind::Reading, 100).await;
        assert!((19.9..20.1).contains(&next), "{next}");
        assert!(seconds(&pace, Kind::Mutating, 10).await < 0.001, "the other bucket is full");
        let next = seconds(&pace, Kind::Mutating, 20).await;
        assert!((9.9..10.1).contains(&next), "{next}");
    }

    #[tokio::test(start_paused = true)]
    async fn many_at_once_share_one_bucket() {
        let pace = Pace::new();
        let started = Instant::now();
        let tasks: Vec<_> = (0..110)
            .map(|_| {
                let pace = pace.clone();
                tokio::spawn(async move { pace.turn(Kind::Reading).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let took = started.elapsed().as_secs_f64();
        assert!((19.9..20.1).contains(&took), "{took}");
    }

    #[test]
    fn the_operations_of_ec2_and_systems_manager_are_told_apart_by_their_requests() {
        let form = |body: &'static str| Kind::of("/", None, Some(body.as_bytes()));
        assert_eq!(form("Action=DescribeImages&Version=2016-11-15"), Kind::Reading);
        assert_eq!(form("Action=CreateLaunchTemplateVersion&Version=2016-11-15"), Kind::Mutating);
        assert_eq!(form("Version=2016-11-15&Action=DescribeImages"), Kind::Mutating, "what is not known");
        let target = |name: &'static str| Kind::of("/", Some(name), Some(b"{}"));
        assert_eq!(target("AmazonSSM.GetParameter"), Kind::Reading);
        assert_eq!(target("AmazonSSM.PutParameter"), Kind::Mutating);
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_halves_both_rates_once_per_second_and_they_come_back() {
        let pace = Pace::new();
        for _ in 0..50 {
            pace.throttled();
        }
        assert!((pace.share() - 0.5).abs() < 0.001, "throttled together is throttled once: {}", pace.share());
        let slow = seconds(&pace, Kind::Mutating, 4).await;
        assert!(slow > 2.5, "{slow}");
        for _ in 0..20 {
            tokio::time::advance(Duration::from_millis(1001)).await;
            pace.throttled();
        }
        assert!((0.03..0.05).contains(&pace.share()), "{}", pace.share());
        tokio::time::advance(RECOVERY).await;
        assert!((pace.share() - 1.0).abs() < 0.001);
        let first = seconds(&pace, Kind::Reading, 1).await;
        let then = seconds(&pace, Kind::Reading, 100).await;
        assert!(first < 0.5 && then < 20.1, "{first} {then}");
    }
}
