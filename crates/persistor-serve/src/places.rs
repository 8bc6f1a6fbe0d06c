//! The places for connections: so many, and who gives one up when all are taken and somebody comes.
//!
//! A connection whose peer is waited for, between requests or within one, gives up its place when it has been silent for longer than all others. One
//! whose request is being served keeps it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::phase::Phase;

/// The most open connections, if the system lets the program have twice as many files: others are for the store.
const MOST: usize = 1024;
/// The wait before another one is asked to leave, where the first was on its way to a request.
const AGAIN: Duration = Duration::from_millis(50);

/// The places; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    free: Arc<Semaphore>,
    next: AtomicU64,
    taken: Mutex<HashMap<u64, (Phase, Arc<Notify>)>>,
}

/// One place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    shared: Arc<Shared>,
    number: u64,
    /// Where the connection on it is.
    pub(crate) phase: Phase,
    leave: Arc<Notify>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Places {
    /// So many as the system's limit of open files allows, and no more than 1,024.
    pub(crate) fn of_this_process() -> Self {
        let files = getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok());
        Self::new(files.map_or(MOST, |files| (files / 2).clamp(1, MOST)))
    }

    pub(crate) fn new(count: usize) -> Self {
        Self(Arc::new(Shared { free: Arc::new(Semaphore::new(count)), next: AtomicU64::new(0), taken: Mutex::default() }))
    }

    /// A place for a connection that has come. Where all are taken, the one that was silent the longest is asked to leave; where all are being served,
    /// this waits for one to end.
    pub(crate) async fn take(&self) -> Place {
        let free = &self.0.free;
        let mut permit = Arc::clone(free).try_acquire_owned().ok();
        while permit.is_none() {
            self.0.ask_to_leave();
            // The semaphore is never closed.
            permit = timeout(AGAIN, Arc::clone(free).acquire_owned()).await.ok().and_then(Result::ok);
        }
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (phase, leave) = (Phase::default(), Arc::new(Notify::new()));
        phase.hear();
        self.0.taken().insert(number, (phase.clone(), leave.clone()));
        Place { shared: Arc::clone(&self.0), number, phase, leave, _permit: permit }
    }
}

impl Shared {
    /// A panic under the lock leaves the map right.
    fn taken(&self) -> MutexGuard<'_, HashMap<u64, (Phase, Arc<Notify>)>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask_to_leave(&self) {
        let taken = self.taken();
        let waited_for = taken.values().filter(|(phase, _)| phase.waits_for_peer());
        if let Some((_, leave)) = waited_for.min_by_key(|(phase, _)| phase.heard()) {
            leave.notify_one();
        }
    }
}

impl Place {
    /// Completes when the place is wanted for another and the peer is still waited for.
    pub(crate) async fn wanted(&self) {
        loop {
            self.leave.notified().await;
            if self.phase.waits_for_peer() {
                return;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.taken().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_longest_silent_gives_up_its_place() {
        let places = Places::new(3);
        let (first, second, third) = (places.take().await, places.take().await, places.take().await);
        // The first has said something since, the second is being served.
        first.phase.hear();
        second.phase.request(false);
        let next = tokio::spawn({
            let places = places.clone();
            async move { places.take().await }
        });
        third.wanted().await;
        drop(third);
        next.await.expect("no panic");
        assert!(timeout(Duration::from_secs(1), first.wanted()).await.is_err(), "it was not the longest silent");
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_served_keeps_its_place() {
        let places = Places::new(1);
        let place = places.take().await;
        place.phase.request(false);
        assert!(timeout(Duration::from_secs(60), places.take()).await.is_err());
        assert!(timeout(Duration::from_secs(1), place.wanted()).await.is_err());
        // A body that is still to come is waited for.
        place.phase.request(true);
        let (_, next) = tokio::join!(
            async {
                place.wanted().await;
                drop(place);
            },
            places.take()
        );
        drop(next);
    }
}
