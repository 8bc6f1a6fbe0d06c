//! The count of requests in flight, and of how they ended once draining began.
//!
//! When draining begins and how long it may take is left to the listener.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How the requests ended that were in flight at the shutdown signal, or came after it on an open connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Requests that got their reply.
    pub finished: usize,
    /// Requests that got none: time was up, or their sender went away.
    pub cut: usize,
}

/// The count; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    draining: AtomicBool,
    finished: AtomicUsize,
    cut: AtomicUsize,
}

impl Requests {
    /// A request begins: it is in flight until the result is dropped.
    pub(crate) fn begin(&self) -> InFlight {
        InFlight { requests: self.clone(), answered: false }
    }

    /// From now on, ends of requests are counted.
    pub(crate) fn drain(&self) {
        self.0.draining.store(true, Ordering::SeqCst);
    }

    pub(crate) fn drained(&self) -> Drained {
        Drained { finished: self.0.finished.load(Ordering::SeqCst), cut: self.0.cut.load(Ordering::SeqCst) }
    }
}

/// One request in flight.
#[derive(Debug)]
pub(crate) struct InFlight {
    requests: Requests,
    answered: bool,
}

impl InFlight {
    /// The whole reply was handed to the connection.
    pub(crate) fn answered(&mut self) {
        self.answered = true;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let counts = &self.requests.0;
        if counts.draining.load(Ordering::SeqCst) {
            let end = if self.answered { &counts.finished } else { &counts.cut };
            end.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ends_after_the_signal_count() {
        let requests = Requests::default();
        requests.begin().answered();
        let (mut finished, cut) = (requests.begin(), requests.begin());
        requests.drain();
        finished.answered();
        drop((finished, cut, requests.begin()));
        assert_eq!(requests.drained(), Drained { finished: 1, cut: 2 });
    }
}
