//! Waiting for what will come. The limits here only end a test that would hang for ever; none measures anything.

use std::time::{Duration, Instant};

/// Longer than anything takes that is going to happen at all.
pub const LIMIT: Duration = Duration::from_secs(120);

/// Asks until there is an answer.
///
/// # Panics
/// After [`LIMIT`] without one; `what` says what was waited for.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < LIMIT, "still waiting for {what} after {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
