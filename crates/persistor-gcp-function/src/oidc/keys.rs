//! Keeps the issuer's keys: when they are asked for, who waits for the answer, and how long they are good. Who is asked, and how, is left to `key_server`.
//!
//! There is one fetch at a time, and it runs by itself: whoever needs it waits for it, and whoever goes away takes it with them from nobody. Callers can force few fetches: those are
//! bounded in time whatever callers send.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jsonwebtoken::DecodingKey;
use persistor_serve::causes;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::denied::Denied;
use super::key_set::KeySet;

/// For one fetch, from the connection to the last byte.
const PATIENCE: Duration = Duration::from_secs(5);
/// A server that has failed is left alone for so long.
const REST: Duration = Duration::from_secs(5);
/// A key that is not there, though the others are fresh, may be new: but only so often is that looked up.
const UNKNOWN: Duration = Duration::from_secs(30);
/// Keys are good for so long after they were fetched, if the server does not answer any more.
const GOOD: Duration = Duration::from_secs(24 * 3600);

/// What a server has answered.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) keys: KeySet,
    /// How long they need not be asked for again.
    pub(crate) fresh: Duration,
}

type Answer = anyhow::Result<Fetched>;
pub(crate) type Fetching = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// The kept keys.
pub(crate) struct Keys(Arc<Shared>);

struct Shared {
    fetch: Box<dyn Fn() -> Fetching + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keys: KeySet,
    /// When they were fetched, and until when they are fresh.
    times: Option<(Instant, Instant)>,
    /// When the last fetch failed; none if it did not.
    failed: Option<Instant>,
    /// When an unknown key last forced a fetch.
    forced: Option<Instant>,
    /// The fetch that is under way: its other end is dropped when it is over.
    fetch: Option<watch::Receiver<()>>,
}

/// How much the keys are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worth {
    Fresh,
    /// To be asked for again, and good where that fails.
    Stale,
    None,
}

/// What a caller does next.
enum Next {
    Done(Result<Arc<DecodingKey>, Denied>),
    Wait(watch::Receiver<()>),
}

impl Keys {
    /// Nothing is fetched before a key is asked for.
    pub(crate) fn new(fetch: impl Fn() -> Fetching + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared { fetch: Box::new(fetch), state: Mutex::default() }))
    }

    /// The key of this name.
    ///
    /// # Errors
    /// [`Denied::UnknownKey`] if the server has answered and has none, [`Denied::NoKeys`] if it cannot be known.
    pub(crate) async fn get(&self, name: &str) -> Result<Arc<DecodingKey>, Denied> {
        let mut over = match self.next(name) {
            Next::Done(found) => return found,
            Next::Wait(over) => over,
        };
        // Nothing is ever sent: it ends with the fetch.
        while over.changed().await.is_ok() {}
        let state = self.0.state();
        match state.worth(Instant::now()) {
            Worth::None => Err(Denied::NoKeys),
            Worth::Fresh | Worth::Stale => state.find(name),
        }
    }

    fn next(&self, name: &str) -> Next {
        let mut state = self.0.state();
        let now = Instant::now();
        let worth = state.worth(now);
        match (worth, state.find(name)) {
            (Worth::Fresh, Ok(key)) => return Next::Done(Ok(key)),
            // The server is known not to answer: nobody waits for what most likely fails again.
            (Worth::Stale, Ok(key)) if state.failed.is_some() => {
                if state.fetch.is_none() && !state.rests(now) {
                    self.start(&mut state);
                }
                return Next::Done(Ok(key));
            }
            _ => {}
        }
        if let Some(fetch) = &state.fetch {
            return Next::Wait(fetch.clone());
        }
        let forced = worth == Worth::Fresh;
        if state.rests(now) || forced && state.forced.is_some_and(|at| now < at + UNKNOWN) {
            return Next::Done(if worth == Worth::None { Err(Denied::NoKeys) } else { state.find(name) });
        }
        if forced {
            state.forced = Some(now);
        }
        Next::Wait(self.start(&mut state))
    }

    /// Begins a fetch, which ends by itself whether somebody waits for it or not.
    fn start(&self, state: &mut State) -> watch::Receiver<()> {
        let (over, fetch) = watch::channel(());
        state.fetch = Some(fetch.clone());
        let flight = Flight { shared: Arc::clone(&self.0), answer: None, _over: over };
        tokio::spawn(async move {
            let answer = timeout(PATIENCE, (flight.shared.fetch)()).await;
            flight.land(answer.ok());
        });
        fetch
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn worth(&self, now: Instant) -> Worth {
        match self.times {
            Some((_, until)) if now < until => Worth::Fresh,
            Some((at, _)) if now < at + GOOD => Worth::Stale,
            _ => Worth::None,
        }
    }

    fn rests(&self, now: Instant) -> bool {
        self.failed.is_some_and(|at| now < at + REST)
    }

    /// The key among those that are here. Where it is not, a server that fails may have it.
    fn find(&self, name: &str) -> Result<Arc<DecodingKey>, Denied> {
        let absent = if self.failed.is_some() { Denied::NoKeys } else { Denied::UnknownKey };
        self.keys.get(name).cloned().ok_or(absent)
    }

    fn settle(&mut self, answer: Option<Answer>) {
        let now = Instant::now();
        self.fetch = None;
        match answer {
            Some(Ok(Fetched { keys, fresh })) => {
                if self.failed.take().is_some() {
                    tracing::info!(keys = keys.len(), "the key server answers again");
                }
                // What it does not have any more is gone.
                self.keys = keys;
                self.times = Some((now, now + fresh));
            }
            failed => {
                let (reason, cause) = match failed {
                    Some(Err(error)) => (error.to_string(), causes(error.as_ref())),
                    _ => (format!("no answer within {PATIENCE:?}"), String::new()),
                };
                self.failed = Some(now);
                let good = self.worth(now) != Worth::None;
                tracing::warn!(
                    reason,
                    cause,
                    keys = if good { self.keys.len() } else { 0 },
                    "the key server does not answer: pushes are verified with the keys that are here, for a day after they were fetched, and refused with 503 without any"
                );
            }
        }
    }
}

/// A fetch. Dropped, also by a panic or at the end of the program, it is over, and only after that its waiters go on.
struct Flight {
    shared: Arc<Shared>,
    answer: Option<Answer>,
    _over: watch::Sender<()>,
}

impl Flight {
    fn land(mut self, answer: Option<Answer>) {
        self.answer = answer;
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let answer = self.answer.take();
        self.shared.state().settle(answer);
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
