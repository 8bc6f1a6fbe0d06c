//! The pace that a body has to keep while memory is held for it, so that one byte now and then does not hold it for long.

use std::time::Duration;

use tokio::time::Instant;

/// In this time so many bytes have to come, unless the body ends.
const TIME: Duration = Duration::from_secs(20);
const BYTES: usize = 64 * 1024;

/// One body's pace.
#[derive(Debug)]
pub(crate) struct Pace {
    deadline: Instant,
    bytes: usize,
}

impl Pace {
    /// Begins now.
    pub(crate) fn new() -> Self {
        Self { deadline: Instant::now() + TIME, bytes: 0 }
    }

    /// When the next bytes have to have come.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// So many have come.
    pub(crate) fn note(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.bytes >= BYTES {
            *self = Self::new();
        }
    }

    /// Time in which nothing was read does not count.
    pub(crate) fn restart(&mut self) {
        *self = Self::new();
    }
}
