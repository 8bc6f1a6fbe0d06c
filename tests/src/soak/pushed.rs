//! Pub/Sub's part, played by senders of our own: pushes of many messages at once, redelivered as the broker does it, with connections that break and replies that are
//! lost on the way.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::account::Account;
use super::load::Load;
use super::queue::{Broker, Queue};
use super::schedule::{Event, Fault};
use super::site::Site;
use super::trouble::{self, Function, Traffic};
use crate::http::Connection;
use crate::ports;
use crate::program::{Program, Setup};
use crate::random::Random;
use crate::witness::is_acknowledgement;

/// Longer than any fault lasts.
const PATIENCE: Duration = Duration::from_secs(20);
/// The program's time for a write: short, so that what hangs is refused soon.
pub(super) const WRITE_TIMEOUT: &str = "3s";

/// The push handler that runs, and is started again wherever it was ended.
#[derive(Debug)]
pub(super) struct Handler {
    setup: Setup,
    program: Mutex<Program>,
    peak: AtomicU64,
}

impl Handler {
    pub(super) fn start(site: &Site) -> Self {
        let setup = site.reach(Setup::gcp_function(&site.archive())).set("PERSISTOR_WRITE_TIMEOUT", WRITE_TIMEOUT);
        let setup = setup.port(ports::free());
        Self { program: Mutex::new(setup.start()), setup, peak: AtomicU64::new(0) }
    }

    pub(super) fn port(&self) -> u16 {
        self.program().port()
    }

    /// The most memory that it held so far.
    pub(super) fn peak_memory(&self) -> u64 {
        self.note_peak(&self.program());
        self.peak.load(Ordering::SeqCst)
    }

    fn note_peak(&self, program: &Program) {
        self.peak.fetch_max(program.peak_memory(), Ordering::SeqCst);
    }

    fn program(&self) -> MutexGuard<'_, Program> {
        self.program.lock().expect("no thread panics with it")
    }
}

impl Function for Handler {
    fn kill(&self) {
        let mut program = self.program();
        self.note_peak(&program);
        program.kill9();
        *program = self.setup.start();
    }

    fn end(&self) {
        let mut program = self.program();
        self.note_peak(&program);
        program.terminate();
        assert_eq!(program.wait().code(), Some(0), "it was asked to end");
        *program = self.setup.start();
    }

    fn stop(&self, time: Duration) {
        let program = self.program();
        program.pause();
        thread::sleep(time);
        program.go_on();
    }
}

/// The senders of one round.
struct Senders {
    load: Load,
    port: u16,
    broker: Broker,
    faults: Mutex<BTreeMap<Fault, usize>>,
}

/// One round: messages, faults, and what came of them.
pub(super) fn round(load: Load, site: &Site, events: &[Event]) -> Account {
    let start = Instant::now();
    let handler = Handler::start(site);
    let senders = Senders {
        load,
        port: handler.port(),
        broker: Broker::new(Queue::new(load.seed, (0..load.count).map(|_| 1))),
        faults: Mutex::default(),
    };
    let (mut faults, before) = thread::scope(|scope| {
        let begin = || {
            for _ in 0..site.senders() {
                scope.spawn(|| {
                    let mut connection = None;
                    senders
                        .broker
                        .send(|number, delivery| senders.deliver(number, delivery, &mut connection).unwrap_or_default());
                });
            }
        };
        let faults = trouble::make(events, &senders, &handler, site, &begin);
        let before = site.made();
        senders.broker.queue().heal();
        (faults, before)
    });
    for (fault, count) in senders.faults.lock().expect("no thread panics with it").iter() {
        *faults.entry(*fault).or_default() += count;
    }
    let queue = senders.broker.queue();
    let sent = (0..load.count).map(|number| (load.expected_push(number), queue.is_acknowledged(number)));
    let verdict = site.judge(sent, &before);
    Account { faults, verdict, peak_memory: handler.peak_memory(), time: start.elapsed(), ..queue.account(load.count) }
}

impl Traffic for Senders {
    fn deliveries(&self) -> usize {
        self.broker.queue().counts.deliveries
    }

    fn refused(&self) -> usize {
        self.broker.queue().counts.refused
    }

    fn keep_up(&self) {}

    fn lose_replies(&self, count: usize) {
        unreachable!("{count} replies: they are lost push by push");
    }
}

impl Senders {
    /// One delivery: whether it was acknowledged, as far as the broker knows.
    fn deliver(&self, number: usize, delivery: usize, kept: &mut Option<Connection>) -> io::Result<bool> {
        let (subscription, push) = self.load.push(number);
        let request = push.request_from(&subscription);
        let mut connection = match kept.take() {
            Some(connection) if connection.is_open() => connection,
            _ => Connection::open(self.port)?,
        };
        connection.set_time_limit(PATIENCE)?;
        let mut random = Random::of(&[self.load.seed, 0xde11, number as u64, delivery as u64]);
        // Not for ever: what is delivered for the fourth time gets through.
        let fault = if delivery <= 3 { random.between(0, 299) } else { usize::MAX };
        match fault {
            0..=2 => {
                connection.send_first(random.between(1, request.wire_length() - 1), &request)?;
                self.struck(Fault::PushCut);
                return Ok(false);
            }
            3..=5 => {
                connection.send_first(usize::MAX, &request)?;
                thread::sleep(Duration::from_micros(random.number() % 3000));
                self.struck(Fault::PushAbandoned);
                return Ok(false);
            }
            _ => {}
        }
        let answer = connection.exchange(&request)?;
        let acknowledged = is_acknowledgement(answer.status);
        *kept = Some(connection);
        if acknowledged && (6..=8).contains(&fault) {
            self.struck(Fault::ReplyLost);
            return Ok(false);
        }
        Ok(acknowledged)
    }

    fn struck(&self, fault: Fault) {
        *self.faults.lock().expect("no thread panics with it").entry(fault).or_default() += 1;
    }
}
