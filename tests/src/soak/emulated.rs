//! The soak with Google's own broker: published with its client, pushed by its emulator, and sought back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::account::Account;
use super::judge::Verdict;
use super::load::Load;
use super::pushed::Handler;
use super::schedule::Event;
use super::site::Site;
use super::trouble::{self, Traffic};
use crate::emulator::Emulator;
use crate::expected::Expected;
use crate::pubsub::Pubsub;
use crate::witness::{End, Witness, is_acknowledgement};

/// The acknowledgement deadline: short, so that what is not acknowledged comes back soon.
const DEADLINE_SECONDS: i32 = 10;
const STREAM: &str = "orders";
/// Without a push for so long, everything is delivered again.
const QUIET: Duration = Duration::from_millis(700);

struct Broker<'a> {
    witness: &'a Witness,
    pubsub: &'a Pubsub,
    subscription: &'a str,
    began: SystemTime,
    /// Pushes at the last look, and since when there were so many.
    last: Mutex<(usize, Instant)>,
}

/// One round, or a skip.
pub(super) fn round(load: Load, site: &Site, events: &[Event]) -> Option<Account> {
    let start = Instant::now();
    let emulator = Emulator::start()?;
    let handler = Handler::start(site);
    let witness = Witness::before(handler.port());
    let pubsub = Pubsub::new(&emulator);
    let topic = pubsub.create_topic("orders");
    let subscription = pubsub.create_push("archive", &topic, &witness.url(STREAM), DEADLINE_SECONDS);
    let began = SystemTime::now() - Duration::from_secs(5);
    let broker = Broker { witness: &witness, pubsub: &pubsub, subscription: &subscription, began, last: Mutex::new((0, start)) };
    let ids = Mutex::new(Vec::new());
    let faults = thread::scope(|scope| {
        let publish = || {
            let publications = (0..load.count).map(|number| load.publication(number));
            *ids.lock().expect("no thread panics with it") = pubsub.publish(&topic, publications);
        };
        trouble::make(events, &broker, &handler, site, &|| drop(scope.spawn(publish)))
    });
    let ids = ids.into_inner().expect("no thread panics with it");
    let numbers: BTreeMap<_, _> = ids.iter().cloned().zip(0..).collect();
    assert_eq!(numbers.len(), load.count, "the broker gave an id twice, or not to all");
    let all: BTreeSet<_> = numbers.keys().cloned().collect();
    let complete = witness.all_acknowledged(&all, 0);
    // Judged before everything comes again, which could make up for a loss.
    let (archive, before) = (site.read(), site.made());
    if complete {
        let mark = witness.mark();
        pubsub.seek(&subscription, began);
        witness.all_acknowledged(&all, mark);
    }
    let exchanges = witness.since(0);
    let (mut times, mut acknowledged, mut after_acknowledgement) = (BTreeMap::new(), BTreeSet::new(), 0);
    for exchange in &exchanges {
        after_acknowledgement += usize::from(acknowledged.contains(exchange.id.as_str()));
        times.insert(exchange.id.as_str(), exchange.publish_time.clone());
        if matches!(exchange.end, End::Answered(status) if is_acknowledgement(status)) {
            acknowledged.insert(exchange.id.as_str());
        }
    }
    // What was never pushed has no time, and is not acknowledged either.
    let time = |id: &str| times.get(id).cloned().unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned());
    let sent = numbers.iter().map(|(id, number)| {
        let expected = Expected::published(id, &time(id), load.publication(*number), STREAM, &subscription);
        (expected, acknowledged.contains(id.as_str()))
    });
    let mut verdict = Verdict::of(&archive, sent);
    let after = site.made();
    verdict.compare(&before, &after);
    verdict.doubled.extend(after.into_keys().filter(|name| !before.contains_key(name)));
    Some(Account {
        sent: load.count,
        acknowledged: acknowledged.len(),
        redelivered: exchanges.len() - times.len(),
        after_acknowledgement,
        faults,
        verdict,
        peak_memory: handler.peak_memory(),
        time: start.elapsed(),
    })
}

impl Traffic for Broker<'_> {
    fn deliveries(&self) -> usize {
        self.witness.begun()
    }

    fn refused(&self) -> usize {
        let refused = |end: End| !matches!(end, End::Answered(status) | End::Lost(status) if is_acknowledgement(status));
        self.witness.count(refused)
    }

    fn keep_up(&self) {
        let begun = self.witness.begun();
        let mut last = self.last.lock().expect("no thread panics with it");
        if last.0 != begun {
            *last = (begun, Instant::now());
        } else if last.1.elapsed() > QUIET && begun > 0 {
            self.pubsub.seek(self.subscription, self.began);
            last.1 = Instant::now();
        }
    }

    fn lose_replies(&self, count: usize) {
        self.witness.lose_replies(count);
    }
}
