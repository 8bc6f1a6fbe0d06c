//! A budget of bytes: whoever wants to hold bytes reserves them first and gives them back when done.
//!
//! What the bytes are for is left to the holder; `intake` uses it for request bodies.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Instant, sleep};

/// What is reserved for every request beside its body, in bytes: for its connection, and for what becomes of its metadata.
pub const SPARE: u64 = 64 * 1024;
/// The wait before a holder asks for more again.
const AGAIN: Duration = Duration::from_millis(10);

/// A number of bytes that all holders share. Clones share the same bytes.
///
/// Newcomers are served in the order in which they came. A holder that needs more may wait too, ahead of
/// every newcomer, but only one holder at a time: two that wait for what the other holds would wait for
/// ever, so the second is refused at once. A need larger than the whole budget counts as the whole, so it is
/// served when it is alone.
#[derive(Clone, Debug)]
pub struct Budget {
    shared: Arc<Shared>,
}

impl Budget {
    /// A budget of that many bytes, all free.
    pub fn new(bytes: u64) -> Self {
        let state = State { free: bytes, waiting: VecDeque::new() };
        Self { shared: Arc::new(Shared { total: bytes, state: Mutex::new(state) }) }
    }

    /// The bytes that there are, reserved or not.
    pub fn total(&self) -> u64 {
        self.shared.total
    }

    /// The bytes that are reserved now.
    pub fn in_flight(&self) -> u64 {
        self.shared.total - self.shared.lock().free
    }

    /// Reserves `bytes`, after waiting up to `wait` for room. Dropping the future gives up the place in the
    /// queue.
    ///
    /// # Errors
    /// [`Full`] where no room came in time.
    pub async fn reserve(&self, bytes: u64, wait: Duration) -> Result<Reservation, Full> {
        let bytes = bytes.min(self.shared.total);
        let waiting = {
            let mut state = self.shared.lock();
            state.forget_gone();
            if state.waiting.is_empty() && bytes <= state.free {
                return Ok(self.shared.take(&mut state, bytes));
            }
            let (waiter, waiting) = self.shared.waiter(bytes, false);
            state.waiting.push_back(waiter);
            waiting
        };
        waiting.granted(wait).await
    }
}

/// Bytes that are held until this is dropped.
#[derive(Debug)]
pub struct Reservation {
    shared: Arc<Shared>,
    bytes: u64,
    /// A permit that is given back with the bytes.
    permit: Option<OwnedSemaphorePermit>,
}

impl Reservation {
    /// Holds a permit, if there is one, as long as the bytes.
    pub(crate) fn keep(&mut self, permit: Option<OwnedSemaphorePermit>) {
        self.permit = permit;
    }

    /// The bytes held.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Holds `bytes` in all from now on, after waiting up to `wait` for room. Holding that many already, it
    /// does nothing.
    ///
    /// # Errors
    /// [`Full`] where no room came in time, and at once where there is none and another holder waits to
    /// grow. What was held stays held.
    pub async fn grow_to(&mut self, bytes: u64, wait: Duration) -> Result<(), Full> {
        let more = bytes.min(self.shared.total).saturating_sub(self.bytes);
        let waiting = {
            let mut state = self.shared.lock();
            state.forget_gone();
            if more <= state.free {
                state.free -= more;
                self.bytes += more;
                return Ok(());
            }
            if state.waiting.front().is_some_and(|first| first.grows) {
                return Err(Full);
            }
            let (waiter, waiting) = self.shared.waiter(more, true);
            state.waiting.push_front(waiter);
            waiting
        };
        let mut grant = waiting.granted(wait).await?;
        self.bytes += std::mem::take(&mut grant.bytes);
        Ok(())
    }

    /// Like [`grow_to`](Self::grow_to), but where another holder waits to grow it is tried again until the deadline.
    ///
    /// # Errors
    /// [`Full`] where no room came by the deadline. What was held stays held.
    pub async fn grow_by(&mut self, bytes: u64, deadline: Instant) -> Result<(), Full> {
        while self.grow_to(bytes, deadline.saturating_duration_since(Instant::now())).await.is_err() {
            if Instant::now() >= deadline {
                return Err(Full);
            }
            sleep(AGAIN).await;
        }
        Ok(())
    }

    /// Reserves room for what metadata of so many bytes becomes on its way to a record, and returns it. Most requests have little, and
    /// room for it already.
    ///
    /// # Errors
    /// [`Full`] where no room came by the deadline.
    pub async fn for_metadata(&mut self, metadata: usize, deadline: Instant) -> Result<u64, Full> {
        /// Texts, maps and the record's canonical forms, each escaped to up to three times the bytes.
        const COPIES: u64 = 16;
        // Two that each wanted all of it would wait for each other.
        let room = (metadata as u64 * COPIES).min(self.shared.total / 4);
        if room > SPARE {
            self.grow_by(self.bytes + room, deadline).await?;
        }
        Ok(room.max(SPARE))
    }

    /// Gives back what is held beyond `bytes`.
    pub fn shrink_to(&mut self, bytes: u64) {
        let surplus = self.bytes.saturating_sub(bytes);
        self.bytes -= surplus;
        self.shared.give_back(surplus);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // One whose bytes were moved elsewhere must not touch the lock: it may be dropped under it.
        if self.bytes > 0 {
            self.shared.give_back(self.bytes);
        }
    }
}

/// The budget had no room in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no room in memory in time")
    }
}

impl Error for Full {}

#[derive(Debug)]
struct Shared {
    total: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: u64,
    /// At most one that grows, at the front.
    waiting: VecDeque<Waiter>,
}

/// Somebody who waits. The grant travels through the channel, so one that comes too late gives itself back.
#[derive(Debug)]
struct Waiter {
    bytes: u64,
    grows: bool,
    sender: oneshot::Sender<Reservation>,
}

impl State {
    /// Whoever gave up must not stand in the way of the next, nor count as the one that grows.
    fn forget_gone(&mut self) {
        while self.waiting.front().is_some_and(|w| w.sender.is_closed()) {
            self.waiting.pop_front();
        }
    }
}

impl Shared {
    /// A panic under the lock leaves the numbers right, since each changes in one step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(self: &Arc<Self>, state: &mut State, bytes: u64) -> Reservation {
        state.free -= bytes;
        Reservation { shared: Arc::clone(self), bytes, permit: None }
    }

    fn give_back(self: &Arc<Self>, bytes: u64) {
        let mut state = self.lock();
        state.free += bytes;
        self.hand_out(&mut state);
    }

    /// Serves those who wait, in their order, as long as the first one fits.
    fn hand_out(self: &Arc<Self>, state: &mut State) {
        state.forget_gone();
        while let Some(first) = state.waiting.pop_front_if(|first| first.bytes <= state.free) {
            let grant = self.take(state, first.bytes);
            if let Err(mut refused) = first.sender.send(grant) {
                state.free += std::mem::take(&mut refused.bytes);
            }
            state.forget_gone();
        }
    }

    fn waiter(self: &Arc<Self>, bytes: u64, grows: bool) -> (Waiter, Waiting) {
        let (sender, receiver) = oneshot::channel();
        let waiter = Waiter { bytes, grows, sender };
        let waiting = Waiting { shared: Arc::clone(self), receiver: Some(receiver) };
        (waiter, waiting)
    }
}

/// A place in the queue, given up when this is dropped.
struct Waiting {
    shared: Arc<Shared>,
    receiver: Option<oneshot::Receiver<Reservation>>,
}

impl Waiting {
    async fn granted(mut self, wait: Duration) -> Result<Reservation, Full> {
        let Some(receiver) = self.receiver.as_mut() else {
            return Err(Full);
        };
        let granted = tokio::time::timeout(wait, receiver).await;
        granted.map_err(|_| Full)?.map_err(|_| Full)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // First the receiver, and with it a grant that nobody took; then those behind may move up.
        self.receiver = None;
        let mut state = self.shared.lock();
        self.shared.hand_out(&mut state);
    }
}

#[cfg(test)]
mod tests;
