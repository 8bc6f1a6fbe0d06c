//! The soak on Azure with events: of Event Hubs, read partition by partition, and of Event Grid, which calls by itself.

use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use super::account::Account;
use super::called::Worker;
use super::load::Load;
use super::queue::{Broker, Queue};
use super::schedule::Event;
use super::site::Site;
use super::trouble::{self, Traffic};
use crate::event_grid::{self, Webhook};
use crate::event_hubs::{self, Hub, Listener, Retry};
use crate::function_app::NAMESPACE;
use crate::functions_host::FunctionsHost;
use crate::invocation::json::Json;
use crate::invocation::values::Form;
use crate::invocation::{Binding, Cardinality};

const PARTITIONS: usize = 8;
const RETRY: Retry = Retry::Forever { pause: Duration::from_millis(10) };
/// Deliveries of Event Grid that are on their way at once, and the events of one.
const SENDERS: usize = 8;
const TOGETHER: usize = 4;

/// By the seed, so that a leg of several rounds has both.
fn cardinality(load: Load) -> Cardinality {
    if load.seed.is_multiple_of(2) { Cardinality::One } else { Cardinality::Many }
}

struct Reading<'a> {
    host: &'a FunctionsHost,
    hub: &'a Hub,
}

/// One round of Event Hubs. Half of the partitions are read again and again; of the others, nothing comes twice but what failed, so that nothing makes up for a loss.
pub(super) fn hub(load: Load, site: &Site, events: &[Event]) -> Account {
    let start = Instant::now();
    let binding = Binding::hub("Telemetry", "telemetry", cardinality(load));
    let worker = Worker::start(site, &binding);
    let hub = Hub::new(PARTITIONS, (0..load.count).map(|number| event_hubs::event_of(number, load.message(number))));
    let (host, listened) = (&worker.host, binding.clone());
    let form = Form::Doubled;
    let listener =
        Listener { host, hub: &hub, binding: listened, namespace: NAMESPACE, form, retry: RETRY, max_event_batch_size: 8 };
    let over = OnceLock::new();
    let (faults, before) = thread::scope(|scope| {
        let read = || {
            while over.get().is_none() {
                listener.drain();
                hub.rewind_every(2);
            }
            listener.drain();
        };
        let begin = || drop(scope.spawn(read));
        let faults = trouble::make(events, &Reading { host, hub: &hub }, &worker, site, &begin);
        let before = site.made();
        over.get_or_init(|| ());
        (faults, before)
    });
    host.assert_no_faults();
    let counts = hub.counts();
    let succeeded = |(partition, event): &(String, &_)| {
        let event: &crate::invocation::event_hubs::Event = event;
        hub.has_succeeded(partition, event.sequence)
    };
    let sent = hub.events().map(|pair| (event_hubs::expected(&binding, NAMESPACE, &pair.0, pair.1), succeeded(&pair)));
    let verdict = site.judge(sent, &before);
    Account {
        sent: load.count,
        acknowledged: hub.events().filter(succeeded).count(),
        redelivered: counts.delivered - load.count,
        after_acknowledgement: counts.after_success,
        faults,
        verdict,
        peak_memory: worker.peak_memory(),
        time: start.elapsed(),
    }
}

impl Traffic for Reading<'_> {
    fn deliveries(&self) -> usize {
        self.hub.counts().delivered
    }

    fn refused(&self) -> usize {
        self.host.failures().values().sum()
    }

    fn keep_up(&self) {}

    fn lose_replies(&self, count: usize) {
        self.host.lose_replies(count);
    }
}

struct Calling<'a> {
    host: &'a FunctionsHost,
    broker: &'a Broker,
}

/// One round of Event Grid.
pub(super) fn grid(load: Load, site: &Site, events: &[Event]) -> Account {
    let start = Instant::now();
    let binding = Binding::event_grid("Grid", cardinality(load));
    let worker = Worker::start(site, &binding);
    let host = &worker.host;
    let webhook = Webhook { host, binding: binding.clone(), form: Form::Doubled };
    let numbers = |delivery: usize| delivery * TOGETHER..load.count.min((delivery + 1) * TOGETHER);
    let deliveries = load.count.div_ceil(TOGETHER);
    let broker = Broker::new(Queue::new(load.seed, (0..deliveries).map(|delivery| numbers(delivery).len())));
    let event = |number| event_grid::event_of(number, &mut load.random(number));
    let deliver = |delivery, _| webhook.deliver(&numbers(delivery).map(event).collect::<Vec<Json>>()) == 202;
    let (faults, before) = thread::scope(|scope| {
        let begin = || (0..SENDERS).for_each(|_| drop(scope.spawn(|| broker.send(&deliver))));
        let faults = trouble::make(events, &Calling { host, broker: &broker }, &worker, site, &begin);
        let before = site.made();
        broker.queue().heal();
        (faults, before)
    });
    host.assert_no_faults();
    let queue = broker.queue();
    let sent =
        (0..load.count).map(|number| (event_grid::expected(&binding, &event(number)), queue.is_acknowledged(number / TOGETHER)));
    let verdict = site.judge(sent, &before);
    Account { faults, verdict, peak_memory: worker.peak_memory(), time: start.elapsed(), ..queue.account(load.count) }
}

impl Traffic for Calling<'_> {
    fn deliveries(&self) -> usize {
        self.broker.queue().counts.deliveries
    }

    fn refused(&self) -> usize {
        self.broker.queue().counts.refused
    }

    fn keep_up(&self) {}

    fn lose_replies(&self, count: usize) {
        self.host.lose_replies(count);
    }
}
