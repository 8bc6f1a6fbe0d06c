//! A model of an event hub and of how the Functions host reads it, read in `PartitionProcessor.cs`: a batch at a time of each partition, and a checkpoint after each,
//! whether its function succeeded or not; only a function's own retries come before that.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::expected::Expected;
use crate::functions_host::FunctionsHost;
use crate::invocation::event_hubs::{Event, invocation};
use crate::invocation::service_bus::Message;
use crate::invocation::values::{Form, ticks, whole_seconds};
use crate::invocation::{Binding, Cardinality, Trigger};
use crate::service_bus::corpus::typed;
use crate::service_bus::stored::attribute;

/// What a function is retried by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// No policy.
    Never,
    /// `maxRetryCount` is -1.
    Forever { pause: Duration },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub invoked: usize,
    pub failed: usize,
    /// Events in all invocations together.
    pub delivered: usize,
    /// Of them, those that a function had succeeded with before.
    pub after_success: usize,
    /// Events behind a checkpoint.
    pub passed: usize,
    /// Of them, those whose function had failed: nobody will see them again.
    pub lost: usize,
}

/// A hub with its partitions.
#[derive(Debug)]
pub struct Hub {
    partitions: Vec<Partition>,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Partition {
    events: Vec<Event>,
    /// The first event that is not behind the checkpoint.
    checkpoint: Mutex<usize>,
    /// The first event that no function has succeeded with.
    succeeded: Mutex<i64>,
}

/// A function that listens to a hub.
#[derive(Clone, Debug)]
pub struct Listener<'a> {
    pub host: &'a FunctionsHost,
    pub hub: &'a Hub,
    pub binding: Binding,
    pub namespace: &'a str,
    pub form: Form,
    pub retry: Retry,
    pub max_event_batch_size: usize,
}

/// An event that has what a message has, as far as it fits; what else it has comes from its number.
pub fn event_of(number: usize, message: Message) -> Event {
    let types = typed();
    let (name, property) = &types[number % types.len()];
    Event {
        body: message.body,
        sequence: 0,
        offset: String::new(),
        enqueued: DateTime::UNIX_EPOCH,
        partition_key: message.partition_key,
        properties: vec![((*name).to_owned(), property.clone())],
        amqp_properties: [("message-id", message.message_id), ("content-type", message.content_type)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect(),
    }
}

/// What must stand in an archive of an event that came first through this binding.
///
/// # Panics
/// If that is no hub's.
pub fn expected(binding: &Binding, namespace: &str, partition: &str, event: &Event) -> Expected {
    let Trigger::Hub { hub, .. } = &binding.trigger else { panic!("{:?} is no hub", binding.trigger) };
    let (time, fidelity) = match binding.cardinality {
        Cardinality::One => (whole_seconds(event.enqueued), json!(["whole-seconds"])),
        Cardinality::Many => (ticks(event.enqueued), json!([])),
    };
    let attributes: BTreeMap<_, _> =
        event.properties.iter().map(|(name, value)| (name.as_str(), attribute(&value.json()))).collect();
    let mut properties = BTreeMap::from([("partition", partition.to_owned()), ("sequence", event.sequence.to_string())]);
    properties.extend(event.partition_key.clone().map(|key| ("partition_key", key)));
    for (name, value) in &event.amqp_properties {
        properties.insert(if *name == "message-id" { "message_id" } else { "content_type" }, value.clone());
    }
    Expected {
        entity: format!("{namespace}/{hub}"),
        stream: format!("{}.{hub}", namespace.split('.').next().unwrap_or(namespace)),
        id: format!("{partition}-{:020}", event.sequence),
        publish_time: time + "Z",
        attributes: json!(attributes),
        properties: json!(properties),
        fidelity,
        payload: event.body.clone(),
    }
}

impl Hub {
    /// A hub whose events are spread over its partitions in turn. Numbers begin anew in each, and so do times.
    pub fn new(partitions: usize, events: impl IntoIterator<Item = Event>) -> Self {
        let mut spread = vec![Vec::new(); partitions];
        let start: DateTime<Utc> = "2026-11-22T05:50:40Z".parse().expect("a time");
        for (number, event) in events.into_iter().enumerate() {
            let partition = &mut spread[number % partitions];
            let sequence = i64::try_from(partition.len()).expect("not so many");
            let enqueued = start + TimeDelta::milliseconds(sequence * 250);
            partition.push(Event { sequence, offset: (sequence * 1024).to_string(), enqueued, ..event });
        }
        let partitions = spread
            .into_iter()
            .map(|events| Partition { events, checkpoint: Mutex::default(), succeeded: Mutex::default() })
            .collect();
        Self { partitions, counts: Mutex::default() }
    }

    pub fn counts(&self) -> Counts {
        *self.counts.lock().expect("no thread panics with it")
    }

    /// The events of each partition.
    pub fn events(&self) -> impl Iterator<Item = (String, &Event)> {
        let partitions = self.partitions.iter().enumerate();
        partitions.flat_map(|(id, partition)| partition.events.iter().map(move |event| (id.to_string(), event)))
    }

    /// Whether a function has succeeded with an event.
    ///
    /// # Panics
    /// If there is no such partition.
    pub fn has_succeeded(&self, partition: &str, sequence: i64) -> bool {
        let partition = &self.partitions[partition.parse::<usize>().expect("a number")];
        sequence < *partition.succeeded.lock().expect("no thread panics with it")
    }

    /// Reads from the beginning again, as a consumer group without checkpoints does.
    pub fn rewind(&self) {
        self.rewind_every(1);
    }

    /// The same of every `step`-th partition, as where some checkpoints are gone.
    pub fn rewind_every(&self, step: usize) {
        for partition in self.partitions.iter().step_by(step) {
            *partition.checkpoint.lock().expect("no thread panics with it") = 0;
        }
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().expect("no thread panics with it"));
    }
}

impl Listener<'_> {
    /// Reads every partition to its end, each by itself.
    pub fn drain(&self) {
        thread::scope(|scope| {
            for (id, partition) in self.hub.partitions.iter().enumerate() {
                scope.spawn(move || self.read(&id.to_string(), partition));
            }
        });
    }

    fn read(&self, id: &str, partition: &Partition) {
        loop {
            let first = *partition.checkpoint.lock().expect("no thread panics with it");
            let batch = &partition.events[first..partition.events.len().min(first + self.max_event_batch_size)];
            if batch.is_empty() {
                return;
            }
            let lost: usize = match self.binding.cardinality {
                Cardinality::One => batch.chunks(1).map(|event| usize::from(!self.execute(id, partition, event))).sum(),
                Cardinality::Many => {
                    if self.execute(id, partition, batch) {
                        0
                    } else {
                        batch.len()
                    }
                }
            };
            *partition.checkpoint.lock().expect("no thread panics with it") = first + batch.len();
            self.hub.count(|counts| {
                counts.passed += batch.len();
                counts.lost += lost;
            });
        }
    }

    /// Invokes the function, again and again where it is retried.
    fn execute(&self, id: &str, partition: &Partition, events: &[Event]) -> bool {
        let behind = events.last().map_or(0, |event| event.sequence + 1);
        loop {
            let succeeded = *partition.succeeded.lock().expect("no thread panics with it");
            let system = self.host.system();
            let invocation = invocation(&self.binding, self.namespace, id, self.form, &system, events);
            let done = self.host.invoke(&invocation).is_ok();
            self.hub.count(|counts| {
                counts.invoked += 1;
                counts.failed += usize::from(!done);
                counts.delivered += events.len();
                counts.after_success += events.iter().filter(|event| event.sequence < succeeded).count();
            });
            if done {
                // One after the other, so what is behind it has succeeded, too.
                *partition.succeeded.lock().expect("no thread panics with it") = succeeded.max(behind);
            }
            match self.retry {
                Retry::Forever { pause } if !done => thread::sleep(pause),
                Retry::Forever { .. } | Retry::Never => return done,
            }
        }
    }
}
