//! Storing until the deadline: a store that fails is tried again and again, since a broker that is told of a failure delivers again at once,
//! counts it, and gives a message up in the end.

use std::time::Duration;

use persistor_core::{Error, ErrorKind, Message, Outcome, Persist};
use persistor_serve::causes;
use tokio::time::{Instant, sleep, timeout_at};

use crate::invocation::Raw;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Stores messages: all of them are tried, and what failed is tried again until the deadline. Outcomes are in no particular order.
pub(crate) async fn store(persist: &Persist, messages: Vec<Message>, deadline: Instant) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(messages.len());
    let (mut left, mut failed) = (messages, Vec::new());
    let mut pauses = Pauses::new(deadline);
    while !left.is_empty() {
        // Cut off, nothing is known of any of them; what was stored is found by the next delivery. Why the round before failed says more.
        let Ok(round) = timeout_at(deadline, persist.persist(&left)).await else {
            if failed.is_empty() {
                failed.extend(left.iter().map(|_| not_in_time()));
            }
            break;
        };
        failed.clear();
        let mut again = Vec::new();
        for (message, outcome) in left.into_iter().zip(round) {
            match outcome {
                Outcome::Retryable(error) => {
                    again.push(message);
                    failed.push(error);
                }
                durable_or_refused => outcomes.push(durable_or_refused),
            }
        }
        left = again;
        if let Some(error) = failed.first()
            && !pauses.pause(left.len(), error).await
        {
            break;
        }
    }
    outcomes.extend(failed.into_iter().map(Outcome::Retryable));
    outcomes
}

/// Keeps a call that holds what cannot be read, likewise.
pub(crate) async fn keep(persist: &Persist, raw: &Raw, deadline: Instant) -> Result<(), Error> {
    let mut pauses = Pauses::new(deadline);
    loop {
        let kept = timeout_at(deadline, persist.keep_rejected(&raw.name, raw.body.clone())).await;
        match kept.unwrap_or_else(|_| Err(not_in_time())) {
            Ok(_) => return Ok(()),
            Err(error) if !error.is_retryable() || !pauses.pause(1, &error).await => return Err(error),
            Err(_) => {}
        }
    }
}

fn not_in_time() -> Error {
    Error::new(ErrorKind::Unavailable, "not confirmed before the deadline")
}

/// The pauses between attempts, each longer than the one before.
struct Pauses {
    next: Duration,
    deadline: Instant,
}

impl Pauses {
    fn new(deadline: Instant) -> Self {
        Self { next: FIRST_PAUSE, deadline }
    }

    /// Waits; says no, at once, where the deadline is not later.
    async fn pause(&mut self, messages: usize, error: &Error) -> bool {
        if Instant::now() + self.next >= self.deadline {
            return false;
        }
        if self.next == FIRST_PAUSE {
            let (reason, cause) = (error.to_string(), causes(error));
            tracing::warn!(messages, reason, cause, "not stored yet; trying again until the deadline");
        }
        sleep(self.next).await;
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        true
    }
}
