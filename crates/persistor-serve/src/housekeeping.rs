//! Removes, now and then, what a crash left behind.
//!
//! What that is, and what is safe to remove, is left to whoever does it.

use std::error::Error;
use std::time::Duration;

use crate::log::causes;

/// How often.
const INTERVAL: Duration = Duration::from_secs(3600);

/// Calls `remove` at once and every hour, for as long as the program runs; it gives the number of files that it removed. May block.
pub fn keep_house<E: Error + Send + 'static>(remove: impl Fn() -> Result<usize, E> + Clone + Send + 'static) {
    tokio::spawn(async move {
        let mut interval = tokio::time::interval(INTERVAL);
        loop {
            interval.tick().await;
            match tokio::task::spawn_blocking(remove.clone()).await {
                Ok(Ok(0)) => {}
                Ok(Ok(files)) => tracing::info!(files, "removed temporary files that a crash left"),
                Ok(Err(error)) => tracing::warn!(cause = causes(&error), "{error}"),
                // A panic, which had its line; its text stays out of this one.
                Err(_) => tracing::warn!("left-over temporary files were not looked for"),
            }
        }
    });
}
