//! Where in a request a connection is, and how long it may stay there.
//!
//! hyper has one timer for a request's head, which also runs between requests; ours are apart. The stream below
//! hyper and the service above it say where the connection is. All of them live in the connection's one task, so
//! whatever changes the phase is followed by a poll of [`Phase::late`].

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// A connection's phase; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Phase(Arc<State>);

#[derive(Debug, Default)]
struct State {
    at: AtomicU8,
    /// Requests so far, so that two idle times are told apart.
    requests: AtomicU32,
    body_pending: AtomicBool,
    large_head: AtomicBool,
    /// When the peer last sent something, as the number of that event among those of all connections.
    heard: AtomicU64,
}

/// Counts what peers sent, and so orders it without a clock.
static HEARD: AtomicU64 = AtomicU64::new(0);

/// Between requests, or before the first.
pub(crate) const IDLE: u8 = 0;
/// A request's first byte was read, its head is not complete.
pub(crate) const HEAD: u8 = 1;
/// The service was called, its reply is not complete.
pub(crate) const REQUEST: u8 = 2;

// One task alone writes these, and its moves between threads order them. Others look at them only to choose whose place is needed, and ask that task, which
// looks again: relaxed is enough.
impl Phase {
    /// One of the three above.
    pub(crate) fn at(&self) -> u8 {
        self.0.at.load(Ordering::Relaxed)
    }

    /// The first byte of a request was read.
    pub(crate) fn head(&self) {
        self.0.at.store(HEAD, Ordering::Relaxed);
    }

    /// The service was called: the head is there, and the body too unless it is pending.
    pub(crate) fn request(&self, body_pending: bool) {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        self.set_body_pending(body_pending);
        self.0.at.store(REQUEST, Ordering::Relaxed);
    }

    /// The reply was given.
    pub(crate) fn idle(&self) {
        self.0.at.store(IDLE, Ordering::Relaxed);
    }

    /// Whether bytes of the request's body are still to come.
    pub(crate) fn set_body_pending(&self, pending: bool) {
        self.0.body_pending.store(pending, Ordering::Relaxed);
    }

    /// The peer sent something.
    pub(crate) fn hear(&self) {
        self.0.heard.store(HEARD.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// The later the peer sent something, the larger.
    pub(crate) fn heard(&self) -> u64 {
        self.0.heard.load(Ordering::Relaxed)
    }

    /// Whether it is the peer's turn: nothing is being served.
    pub(crate) fn waits_for_peer(&self) -> bool {
        self.at() != REQUEST || self.0.body_pending.load(Ordering::Relaxed)
    }

    /// This connection holds a large head.
    pub(crate) fn set_large_head(&self) {
        self.0.large_head.store(true, Ordering::Relaxed);
    }

    /// Whether this connection held a large head, so that its buffer must not be kept.
    pub(crate) fn had_large_head(&self) -> bool {
        self.0.large_head.load(Ordering::Relaxed)
    }

    /// Whether the peer may still be sending what nobody will read.
    pub(crate) fn is_unread(&self) -> bool {
        self.0.body_pending.load(Ordering::Relaxed) || self.at() == HEAD
    }

    /// Completes when the connection was idle for longer than `idle`, or reading a head for longer than `head`.
    pub(crate) async fn late(&self, idle: Duration, head: Duration) {
        let mut deadline = pin!(sleep(idle));
        let mut armed = None;
        poll_fn(|context| {
            let now = (self.at(), self.0.requests.load(Ordering::Relaxed));
            if armed != Some(now) {
                armed = Some(now);
                let limit = if now.0 == HEAD { head } else { idle };
                deadline.as_mut().reset(Instant::now() + limit);
            }
            if now.0 == REQUEST {
                return std::task::Poll::Pending;
            }
            deadline.as_mut().poll(context)
        })
        .await;
    }
}
