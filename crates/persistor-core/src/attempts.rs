//! Time limits and retries of what asks a service: each attempt has a limit, all of them together have another, and between two is a pause
//! with jitter.
//!
//! The providers' clients have no limit for a write's attempt, so a connection that hangs would take all the time there is.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long to try. For stores whose creates and reads are safe to repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// Of the first attempt. Each one that is cut off lets the next one take twice as long: a connection that hangs costs little, and
    /// a slow one gets its chance.
    first: Duration,
    /// Of all attempts.
    total: Duration,
}

/// Why an attempt failed, and whether another one is worth its time.
#[derive(Debug)]
pub enum Failure {
    /// It may pass: try again.
    Passing(Error),
    /// The same again would fail in the same way.
    Lasting(Error),
}

impl Attempts {
    /// Of something that the caller gives up after `time_limit`. A little less is used, so that the reason of the last attempt reaches the
    /// caller before it gives up.
    pub fn within(time_limit: Duration) -> Self {
        let total = time_limit - time_limit / 16;
        Self { first: total / 4, total }
    }

    /// Attempts until one succeeds, fails lastingly, or the time is up. `what` names the operation in errors.
    ///
    /// # Errors
    /// That of the last attempt, and [`ErrorKind::Unavailable`] where that one had no answer in its time.
    pub async fn make<T, F>(self, what: &str, mut attempt: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let deadline = Instant::now() + self.total;
        let (mut limit, mut attempts) = (self.first, 0_u32);
        loop {
            attempts += 1;
            let allowed = limit.min(deadline - Instant::now());
            let error = match tokio::time::timeout(allowed, attempt()).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(Failure::Lasting(error))) => return Err(named(what, attempts, error)),
                Ok(Err(Failure::Passing(error))) => error,
                Err(_) => {
                    limit *= 2;
                    Error::new(ErrorKind::Unavailable, format!("no answer within {allowed:.1?}"))
                }
            };
            let resumed = Instant::now() + backoff(attempts);
            if resumed >= deadline {
                return Err(named(what, attempts, error));
            }
            tokio::time::sleep_until(resumed).await;
        }
    }
}

fn named(what: &str, attempts: u32, error: Error) -> Error {
    let text = if attempts == 1 { what.to_owned() } else { format!("{what}: {attempts} attempts failed, the last one") };
    Error::new(error.kind(), text).with_source(error)
}

/// How long to wait after so many failed attempts: anything from nothing to what doubles with each, at most 2 s, so that many who failed together do not come back together.
pub fn backoff(attempts: u32) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    // The keys of the standard library's hash are random ones, which is chance enough to spread pauses.
    let chance = RandomState::new().hash_one(attempts);
    longest.mul_f64(chance as f64 / u64::MAX as f64)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn unavailable() -> Error {
        Error::new(ErrorKind::Unavailable, "busy")
    }

    /// Runs attempts on a paused clock; returns the outcome, how many there were, and how long it all took.
    async fn run(limit: u64, attempt: impl AsyncFn(u32) -> Result<u32, Failure>) -> (Result<u32>, u32, Duration) {
        let (start, count) = (Instant::now(), Cell::new(0));
        let outcome = Attempts::within(Duration::from_secs(limit))
            .make("create `a`", || {
                count.set(count.get() + 1);
                attempt(count.get())
            })
            .await;
        (outcome, count.get(), start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_tried_again_and_what_lasts_is_not() {
        let (outcome, count, _) = run(8, async |n| if n < 3 { Err(Failure::Passing(unavailable())) } else { Ok(n) }).await;
        assert_eq!((outcome.expect("the third succeeds"), count), (3, 3));
        let (outcome, count, took) = run(8, async |_| Err(Failure::Lasting(Error::new(ErrorKind::Denied, "no right")))).await;
        assert_eq!((outcome.expect_err("no right").kind(), count, took), (ErrorKind::Denied, 1, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_hangs_is_cut_off_and_tried_again_inside_the_total() {
        let hang_first = async |n| if n == 1 { std::future::pending().await } else { Ok(n) };
        let (outcome, count, took) = run(8, hang_first).await;
        assert_eq!((outcome.expect("the second succeeds"), count), (2, 2));
        assert!(took < Duration::from_secs(3), "{took:?}");
        // A slow one succeeds at last, although the first attempts were cut off.
        let slow = async |n| {
            tokio::time::sleep(Duration::from_millis(3500)).await;
            Ok(n)
        };
        let (outcome, _, _) = run(8, slow).await;
        assert_eq!(outcome.expect("the second has more time"), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_before_the_caller_gives_up_and_says_why() {
        for limit in [1, 8, 60] {
            let (outcome, count, took) = run(limit, async |_| std::future::pending().await).await;
            assert!(took < Duration::from_secs(limit) && count >= 2, "{count} attempts in {took:?}");
            assert_eq!(outcome.expect_err("it hangs").kind(), ErrorKind::Unavailable);
            let (outcome, count, took) = run(limit, async |_| Err(Failure::Passing(unavailable()))).await;
            assert!(took < Duration::from_secs(limit) && count > 2, "{count} attempts in {took:?}");
            let error = outcome.expect_err("it is busy");
            assert_eq!(error.to_string(), format!("create `a`: {count} attempts failed, the last one"));
            assert_eq!(std::error::Error::source(&error).map(ToString::to_string).as_deref(), Some("busy"));
        }
    }

    #[test]
    fn pauses_differ_grow_and_are_bounded() {
        for (attempts, longest) in [(1, 100), (2, 200), (3, 400), (6, 2000), (7, 2000), (u32::MAX, 2000)] {
            let longest = Duration::from_millis(longest);
            let pauses: Vec<_> = (0..200).map(|_| backoff(attempts)).collect();
            assert!(pauses.iter().all(|pause| *pause <= longest), "{attempts}: {pauses:?}");
            // One in 2^100 runs would see no pause in either half.
            assert!(pauses.iter().any(|pause| *pause < longest / 2) && pauses.iter().any(|pause| *pause > longest / 2));
        }
    }
}
