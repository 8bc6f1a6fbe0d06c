//! A model of an Event Grid subscription whose webhook is a function, read in `EventGridExtensionConfigProvider.cs`: the events of a delivery are invoked at once, one by one
//! or as a batch; where one fails the webhook answers 500, and the whole delivery comes again.

use std::thread;

use crate::functions_host::FunctionsHost;
use crate::invocation::event_grid::invocation;
use crate::invocation::json::Json;
use crate::invocation::values::Form;
use crate::invocation::{Binding, Cardinality};

/// A function behind a webhook.
#[derive(Clone, Debug)]
pub struct Webhook<'a> {
    pub host: &'a FunctionsHost,
    pub binding: Binding,
    pub form: Form,
}

impl Webhook<'_> {
    /// Brings one delivery, and gives the status that the publisher sees.
    pub fn deliver(&self, events: &[Json]) -> u16 {
        let all_succeeded = match self.binding.cardinality {
            Cardinality::One => thread::scope(|scope| {
                let invocations: Vec<_> = events.chunks(1).map(|event| scope.spawn(|| self.invoke(event))).collect();
                invocations
                    .into_iter()
                    .map(|thread| thread.join().expect("an invocation does not panic"))
                    .filter(|done| !done)
                    .count()
                    == 0
            }),
            Cardinality::Many => self.invoke(events),
        };
        if all_succeeded { 202 } else { 500 }
    }

    /// Brings it again until it is taken, and gives how often it was not.
    ///
    /// # Panics
    /// If it is not taken in a hundred deliveries: Event Grid gives up after a day.
    pub fn deliver_until_taken(&self, events: &[Json]) -> usize {
        (0..100).find(|_| self.deliver(events) == 202).expect("Event Grid gave up")
    }

    fn invoke(&self, events: &[Json]) -> bool {
        self.host.invoke(&invocation(&self.binding, self.form, &self.host.system(), events)).is_ok()
    }
}
