//! A writer that meets faults by a plan, and counts them, so that a test can say that what it is about did happen.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::fault_plan::{Fault, FaultPlan};
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::time::PublishTime;
use crate::writer::{Creation, Metadata, Writer};

/// A [`Writer`] above another one, with faults on the way to it and back.
#[derive(Debug)]
pub struct FaultyWriter {
    store: Arc<dyn Writer>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    plan: FaultPlan,
    /// The number of the plan's next call.
    next: u64,
    calls: u64,
    counts: FaultCounts,
}

/// How many faults took effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaultCounts {
    /// Calls that were answered with an error, with nothing done.
    pub failed: u64,
    /// Calls that were done, with their answer lost. One that the store itself refused has no answer to lose.
    pub lost: u64,
    /// Calls that were never answered, with nothing done.
    pub hung: u64,
    /// Calls that were made to wait, whether or not their caller had the patience.
    pub slowed: u64,
}

impl FaultyWriter {
    /// Writes to `store`, as far as `plan` lets it.
    pub fn new(store: Arc<dyn Writer>, plan: FaultPlan) -> Self {
        let state = State { plan, next: 0, calls: 0, counts: FaultCounts::default() };
        Self { store, state: Mutex::new(state) }
    }

    /// Changes to another plan, from its first call on. Calls under way keep the faults they met; all counts go on.
    pub fn follow(&self, plan: FaultPlan) {
        let mut state = self.state();
        state.plan = plan;
        state.next = 0;
    }

    /// How many calls there were, with and without faults.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// How many faults took effect.
    pub fn counts(&self) -> FaultCounts {
        self.state().counts
    }

    /// Counts a call and says what it meets.
    fn met(&self) -> Option<Fault> {
        let mut state = self.state();
        let fault = state.plan.at(state.next);
        state.next += 1;
        state.calls += 1;
        fault
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave numbers half changed that matter to a test which has failed anyway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Writer for FaultyWriter {
    fn keeps_metadata(&self) -> bool {
        self.store.keeps_metadata()
    }

    async fn create(&self, key: &Key, content: &[Bytes], metadata: &Metadata, time: Option<&PublishTime>) -> Result<Creation> {
        match self.met() {
            None => {}
            Some(Fault::Fail(kind)) => {
                self.state().counts.failed += 1;
                return Err(Error::new(kind, format!("create `{key}`: failed by the plan of a test")));
            }
            Some(Fault::LoseReply) => {
                self.store.create(key, content, metadata, time).await?;
                self.state().counts.lost += 1;
                let message = format!("create `{key}`: answer lost by the plan of a test");
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
            Some(Fault::Hang) => {
                self.state().counts.hung += 1;
                return std::future::pending().await;
            }
            Some(Fault::Slow(time)) => {
                self.state().counts.slowed += 1;
                tokio::time::sleep(time).await;
            }
        }
        self.store.create(key, content, metadata, time).await
    }
}
