//! How the Functions host takes messages out of an entity, read in `ServiceBusListener.cs` and in the client's processor: one by one in parallel with locks that are
//! renewed, or a batch at a time without.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::functions_host::FunctionsHost;
use crate::invocation::service_bus::{Delivery, invocation};
use crate::invocation::values::Form;
use crate::invocation::{Binding, Cardinality};
use crate::service_bus::Entity;

/// What `host.json` says of Service Bus, as far as it matters here; times are the broker's.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub max_concurrent_calls: usize,
    pub max_concurrent_sessions: usize,
    pub max_auto_lock_renewal: Duration,
    pub max_message_batch_size: usize,
}

/// A function that listens to an entity.
#[derive(Clone, Debug)]
pub struct Listener<'a> {
    pub host: &'a FunctionsHost,
    pub entity: &'a Entity,
    pub binding: Binding,
    pub namespace: &'a str,
    pub form: Form,
    pub options: Options,
}

impl Default for Options {
    /// As in the app that we ship.
    fn default() -> Self {
        Self {
            max_concurrent_calls: 16,
            max_concurrent_sessions: 16,
            max_auto_lock_renewal: Duration::from_secs(300),
            max_message_batch_size: 32,
        }
    }
}

impl Listener<'_> {
    /// Listens until nothing is left in the entity.
    pub fn drain(&self) {
        self.listen(|| self.entity.is_empty());
    }

    /// The same, while `work` is done beside it. Where that panics, it stops listening.
    pub fn drain_beside(&self, work: impl FnOnce()) {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| self.listen(|| self.entity.is_empty() || over.load(Ordering::SeqCst)));
            let on_panic = OnPanic(&over);
            work();
            drop(on_panic);
        });
    }

    /// Listens until it is told that it is enough; what is under way is finished.
    pub fn listen(&self, enough: impl Fn() -> bool + Sync) {
        let sessions = self.binding.has_sessions();
        let threads = match self.binding.cardinality {
            _ if sessions => self.options.max_concurrent_sessions,
            Cardinality::One => self.options.max_concurrent_calls,
            // The loop over batches awaits each.
            Cardinality::Many => 1,
        };
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while !enough() {
                        if self.host.has_stopped() {
                            // Its listeners have stopped with it.
                            thread::sleep(Duration::from_millis(5));
                        } else if sessions {
                            self.serve_session(&enough);
                        } else {
                            self.serve(None);
                        }
                    }
                });
            }
        });
    }

    fn serve_session(&self, enough: &impl Fn() -> bool) {
        let Some(session) = self.entity.accept_session() else {
            return thread::sleep(Duration::from_millis(5));
        };
        while !enough() && !self.host.has_stopped() && self.serve(Some(&session)) {}
        self.entity.release_session(&session);
    }

    /// Takes what there is, invokes and settles; false where there was nothing.
    fn serve(&self, session: Option<&str>) -> bool {
        let lock = self.entity.rules.lock;
        let (count, held) = match self.binding.cardinality {
            Cardinality::One => (1, held_for(lock, self.options.max_auto_lock_renewal)),
            Cardinality::Many => (self.options.max_message_batch_size, lock),
        };
        let deliveries = self.entity.receive(count, session, held);
        if deliveries.is_empty() {
            return false;
        }
        let result = self.invoke(&deliveries);
        // To the broker and back, for all of them at once.
        thread::sleep(self.entity.rules.pace.real(Duration::from_millis(10)));
        for delivery in &deliveries {
            // A lock that was lost meanwhile settles nothing: it comes again.
            let _ = if result { self.entity.complete(delivery) } else { self.entity.abandon(delivery) };
        }
        true
    }

    fn invoke(&self, deliveries: &[Delivery]) -> bool {
        let system = self.host.system();
        self.host.invoke(&invocation(&self.binding, self.namespace, self.form, &system, deliveries)).is_ok()
    }
}

struct OnPanic<'a>(&'a AtomicBool);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        self.0.store(thread::panicking(), Ordering::SeqCst);
    }
}

/// How long a lock holds that is renewed ten seconds before its end (or halfway, where it is short) until the limit.
fn held_for(lock: Duration, limit: Duration) -> Duration {
    let wait = lock - (lock / 2).min(Duration::from_secs(10));
    let renewals = if wait.is_zero() { 0 } else { u32::try_from(limit.as_nanos() / wait.as_nanos()).unwrap_or(u32::MAX) };
    wait * renewals + lock
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_outlives_the_last_renewal_by_its_own_length() {
        let held = |lock, limit| held_for(Duration::from_secs(lock), Duration::from_secs(limit)).as_secs();
        assert_eq!(held(60, 300), 6 * 50 + 60);
        assert_eq!(held(300, 300), 290 + 300);
        assert_eq!(held(10, 300), 60 * 5 + 10);
        assert_eq!(held(60, 0), 60);
    }
}
