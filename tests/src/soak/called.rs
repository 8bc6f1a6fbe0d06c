//! The soak on Azure: a double of the Functions host takes messages out of a model of Service Bus and brings them to the custom handler.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::account::Account;
use super::load::Load;
use super::pushed::WRITE_TIMEOUT;
use super::schedule::Event;
use super::site::Site;
use super::trouble::{self, Function, Traffic};
use crate::function_app::{FunctionApp, NAMESPACE};
use crate::functions_host::FunctionsHost;
use crate::invocation::values::Form;
use crate::invocation::{Binding, Cardinality};
use crate::random::Random;
use crate::service_bus::listener::{Listener, Options};
use crate::service_bus::stored::expected;
use crate::service_bus::{Entity, Pace, Rules};
use crate::waiting;

/// The limit of a function; nothing that is made here is to reach it.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(100);
/// Nobody renews it, so what is slow is delivered to another beside.
const LOCK: Duration = Duration::from_secs(5);
/// The program's time for an invocation: longer than a lock holds.
const DEADLINE: &str = "8s";
/// What is not acknowledged so long after the last fault never will be.
const HOPELESS: Duration = Duration::from_secs(300);
/// Of so many completions one does not reach the broker.
const LOST_COMPLETIONS: usize = 30;

/// The custom handler under its host.
pub(super) struct Worker {
    pub(super) host: FunctionsHost,
    peak: AtomicU64,
}

impl Worker {
    pub(super) fn start(site: &Site, binding: &Binding) -> Self {
        let app = FunctionApp::with(std::slice::from_ref(binding));
        let setup = site.reach(app.setup(&site.archive()));
        let setup = setup.set("PERSISTOR_WRITE_TIMEOUT", WRITE_TIMEOUT).set("PERSISTOR_DEADLINE", DEADLINE);
        Self { host: FunctionsHost::start(app, setup, FUNCTION_TIMEOUT), peak: AtomicU64::new(0) }
    }

    /// The most memory that it held so far.
    pub(super) fn peak_memory(&self) -> u64 {
        self.peak.fetch_max(self.host.peak_memory_if_running().unwrap_or_default(), Ordering::SeqCst);
        self.peak.load(Ordering::SeqCst)
    }

    /// Waits until the host has seen its end; where that was one too many, the platform starts another host.
    fn after(&self, exits: usize) {
        waiting::until("the host to see its worker's end", || (self.host.exits().len() > exits).then_some(()));
        if self.host.has_stopped() {
            self.host.replace();
        }
    }
}

impl Function for Worker {
    fn kill(&self) {
        let exits = self.host.exits().len();
        self.peak_memory();
        self.host.kill_worker();
        self.after(exits);
    }

    fn end(&self) {
        let exits = self.host.exits().len();
        self.peak_memory();
        self.host.terminate_worker();
        self.after(exits);
    }

    fn stop(&self, time: Duration) {
        self.host.pause_worker(time);
    }
}

struct Queue<'a> {
    host: &'a FunctionsHost,
    entity: &'a Entity,
    random: Mutex<Random>,
    load: Load,
}

/// One round of Service Bus.
pub(super) fn round(load: Load, site: &Site, events: &[Event], cardinality: Cardinality) -> Account {
    let start = Instant::now();
    let binding = match cardinality {
        Cardinality::One => Binding::queue("Orders", "orders", cardinality),
        Cardinality::Many => Binding::subscription("Orders", "orders", "archive", cardinality),
    };
    let worker = Worker::start(site, &binding);
    let entity = Entity::new(Rules { lock: LOCK, max_delivery_count: u32::MAX, pace: Pace::REAL, first_sequence: FIRST });
    entity.lose_completions(load.seed, LOST_COMPLETIONS);
    entity.send((0..load.count).map(|number| load.message(number)));
    // A batch is as large as what is on its way at once.
    let options = Options {
        max_auto_lock_renewal: Duration::ZERO,
        max_concurrent_calls: site.senders(),
        max_message_batch_size: site.senders(),
        ..Options::default()
    };
    let form = if load.seed.is_multiple_of(2) { Form::Doubled } else { Form::Plain };
    let listener =
        Listener { host: &worker.host, entity: &entity, binding: binding.clone(), namespace: NAMESPACE, form, options };
    let queue = Queue { host: &worker.host, entity: &entity, random: Mutex::new(Random::new(load.seed)), load };
    // Since when nothing is wrong any more.
    let over = OnceLock::new();
    // In batches, three instances take turns; one by one, there are as many as are called at once.
    let instances = if cardinality == Cardinality::One { 1 } else { 3 };
    let enough = || over.get().is_some_and(|since: &Instant| entity.is_empty() || since.elapsed() > HOPELESS);
    let (faults, before) = thread::scope(|scope| {
        let begin = || (0..instances).for_each(|_| drop(scope.spawn(|| listener.listen(enough))));
        let faults = trouble::make(events, &queue, &worker, site, &begin);
        let before = site.made();
        // Much later, some come again that were settled long ago.
        queue.redeliver(load.count / 20);
        over.get_or_init(Instant::now);
        (faults, before)
    });
    worker.host.assert_no_faults();
    let counts = entity.counts();
    let succeeded = entity.succeeded();
    let sent = entity.all().into_iter().map(|(sequence, (message, enqueued)): (i64, (Arc<_>, _))| {
        (expected(&binding, NAMESPACE, sequence, &message, enqueued), succeeded.contains(&sequence))
    });
    let verdict = site.judge(sent, &before);
    Account {
        sent: load.count,
        acknowledged: succeeded.len(),
        redelivered: counts.delivered - counts.sent,
        after_acknowledgement: counts.after_success,
        faults,
        verdict,
        peak_memory: worker.peak_memory(),
        time: start.elapsed(),
    }
}

/// Where sequence numbers begin: they pass a limit of JavaScript's numbers on the way.
const FIRST: i64 = (1 << 53) - 1000;

impl Queue<'_> {
    /// Puts so many messages back, whichever they are.
    fn redeliver(&self, count: usize) {
        let mut random = self.random.lock().expect("no thread panics with it");
        let any = (0..count).map(|_| FIRST + i64::try_from(random.between(0, self.load.count - 1)).expect("not so many"));
        self.entity.redeliver(any);
    }
}

impl Traffic for Queue<'_> {
    fn deliveries(&self) -> usize {
        self.entity.counts().delivered
    }

    fn refused(&self) -> usize {
        self.host.failures().values().sum()
    }

    fn keep_up(&self) {
        if self.entity.count() < 100 {
            self.redeliver(100);
        }
    }

    fn lose_replies(&self, count: usize) {
        self.host.lose_replies(count);
    }
}
