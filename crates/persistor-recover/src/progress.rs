//! How much was read so far, for whoever shows it while it grows.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters that only grow.
#[derive(Debug, Default)]
pub struct Progress {
    blobs: AtomicU64,
    bytes: AtomicU64,
}

impl Progress {
    /// Blobs seen in listings.
    pub fn blobs(&self) -> u64 {
        self.blobs.load(Relaxed)
    }

    /// Bytes of payloads read.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    pub(crate) fn listed(&self, blobs: usize) {
        self.blobs.fetch_add(blobs as u64, Relaxed);
    }

    pub(crate) fn read(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Relaxed);
    }
}
