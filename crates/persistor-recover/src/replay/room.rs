//! Memory that payloads take while they are on their way, as permits that are waited for.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory that payloads take while they are read and sent.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    kibibytes: Arc<Semaphore>,
    all: u32,
}

impl Room {
    pub(crate) fn new(bytes: u64) -> Self {
        let all = u32::try_from(bytes / 1024).unwrap_or(u32::MAX >> 4).clamp(1, u32::MAX >> 4);
        Self { kibibytes: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// Waits for so many bytes; what is larger than all there is takes all.
    pub(crate) async fn take(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let kibibytes = u32::try_from(bytes / 1024 + 1).unwrap_or(self.all).min(self.all);
        // The semaphore is never closed.
        self.kibibytes.clone().acquire_many_owned(kibibytes).await.ok()
    }
}
