//! Sends what is loaded: lane by lane, at the pace, through the journal, until everything is confirmed, somebody stops it, or the sink is given up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::stream::{BoxStream, StreamExt as _};
use persistor_core::{Error, ErrorKind, Result, backoff};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::finding::Finding;
use crate::outgoing::Outgoing;
use crate::replay::itinerary::{Amount, Misfit};
use crate::replay::journal::{Answer, Journal};
use crate::replay::lanes::{Batch, LaneId, Lanes, Order};
use crate::replay::load::{Load, Loaded};
use crate::replay::pace::{Pace, Rate};
use crate::sink::Sink;

/// Refusals in a row after which the sink is given up: it is not about single messages then.
const MOST_REFUSED: u64 = 100;
/// Messages that wait in lanes, at least.
const LEAST_WAITING: usize = 1000;
/// Refused messages that are named in the end.
const NAMED: usize = 1000;

/// How messages are sent.
#[derive(Clone, Debug)]
pub struct Manner {
    /// In which order.
    pub order: Order,
    /// How fast at most.
    pub rate: Option<Rate>,
    /// Sendings that are under way at the same time, at most.
    pub at_once: usize,
    /// How long the sink may fail without taking anything before it is given up.
    pub patience: Duration,
    /// Selected messages that were found damaged when they were planned: they count as not sent.
    pub damaged: u64,
}

/// How far a replay has come, for whoever shows it.
#[derive(Debug, Default)]
pub struct Headway {
    /// Messages that the sink has confirmed.
    messages: AtomicU64,
    /// Bytes of their payloads.
    bytes: AtomicU64,
    /// Messages that are done with: confirmed now or before, refused, or damaged.
    passed: AtomicU64,
    /// Sendings that were not confirmed and are repeated.
    failures: AtomicU64,
}

impl Headway {
    /// Messages that the sink has confirmed, and bytes of their payloads.
    pub fn confirmed(&self) -> Amount {
        Amount { messages: self.messages.load(Relaxed), bytes: self.bytes.load(Relaxed) }
    }

    /// Messages that are done with: confirmed now or before, refused, or damaged.
    pub fn passed(&self) -> u64 {
        self.passed.load(Relaxed)
    }

    /// Sendings that were not confirmed, and were repeated.
    pub fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }
}

/// How a replay ended.
#[derive(Debug)]
pub enum Ended {
    /// There is nothing left to send.
    Done,
    /// It was asked to stop.
    Stopped,
    /// The sink, the archive or the journal failed; what was confirmed stays so.
    Failed(Error),
}

/// What a replay came to.
#[derive(Debug)]
pub struct Account {
    /// What was confirmed now.
    pub confirmed: Amount,
    /// Messages that earlier runs of the same name had sent.
    pub before: u64,
    /// Messages that the sink refused; the first ones.
    pub refused: Vec<Misfit>,
    /// How many these are.
    pub refusals: u64,
    /// Messages that were not sent, since their stored bytes are not what they were.
    pub damaged: u64,
    /// Messages that had no room for marks.
    pub unmarked: u64,
    /// Sendings that were not confirmed, and repeated.
    pub failures: u64,
    /// How it ended.
    pub ended: Ended,
}

/// Sends everything that is loaded. What is damaged is handed over.
pub async fn run(
    items: BoxStream<'static, Result<Load>>,
    sink: &Arc<dyn Sink>,
    journal: Option<&mut Journal>,
    manner: &Manner,
    headway: &Arc<Headway>,
    stop: watch::Receiver<bool>,
    found: &mut (dyn FnMut(Finding) + Send),
) -> Account {
    let mut run = Run {
        sink: sink.clone(),
        journal,
        manner: manner.clone(),
        headway: headway.clone(),
        lanes: Lanes::new(manner.order),
        pace: Pace::new(manner.rate),
        sendings: JoinSet::new(),
        unjournalled: 0,
        refused_in_a_row: 0,
        failing_since: None,
        account: Account {
            confirmed: Amount::default(),
            before: 0,
            refused: Vec::new(),
            refusals: 0,
            damaged: manner.damaged,
            unmarked: 0,
            failures: 0,
            ended: Ended::Done,
        },
        ending: None,
        found,
    };
    run.all(items, stop).await;
    run.end().await
}

/// Of a sending, what is needed when it has ended.
struct Sending {
    number: u64,
    lane: LaneId,
    keys: Vec<String>,
    rooms: Vec<(bool, Option<tokio::sync::OwnedSemaphorePermit>)>,
    messages: Vec<Outgoing>,
    results: Vec<Result<String>>,
}

struct Run<'a> {
    sink: Arc<dyn Sink>,
    journal: Option<&'a mut Journal>,
    manner: Manner,
    headway: Arc<Headway>,
    lanes: Lanes,
    pace: Pace,
    sendings: JoinSet<Sending>,
    /// The number of the next sending where there is no journal.
    unjournalled: u64,
    refused_in_a_row: u64,
    failing_since: Option<Instant>,
    account: Account,
    /// Why nothing more is sent; what is under way is waited for.
    ending: Option<Ended>,
    found: &'a mut (dyn FnMut(Finding) + Send),
}

impl Run<'_> {
    async fn all(&mut self, mut items: BoxStream<'static, Result<Load>>, mut stop: watch::Receiver<bool>) {
        let (mut exhausted, mut stoppable) = (false, true);
        let window = LEAST_WAITING.max(2 * self.manner.at_once * self.sink.capabilities().batch.0.min(1000));
        loop {
            self.dispatch().await;
            let over = self.ending.is_some() || (exhausted && self.lanes.waiting() == 0);
            if over && self.sendings.is_empty() {
                return;
            }
            // Where all sendings are under way, only the end of one makes something possible.
            let free = !over && self.sendings.len() < self.manner.at_once;
            let wake = if free { self.lanes.wake(&self.pace) } else { None };
            tokio::select! {
                biased;
                asked = stop.wait_for(|stop| *stop), if stoppable => {
                    stoppable = false;
                    if asked.is_ok() && self.ending.is_none() {
                        self.ending = Some(Ended::Stopped);
                    }
                }
                Some(sending) = self.sendings.join_next() => {
                    self.ended(sending);
                    while let Some(sending) = self.sendings.try_join_next() {
                        self.ended(sending);
                    }
                }
                item = items.next(), if !exhausted && !over && self.lanes.waiting() < window => {
                    exhausted = self.loaded(item);
                    // All that is ready already goes together.
                    while !exhausted && self.lanes.waiting() < window && self.ending.is_none()
                        && let Some(item) = items.next().now_or_never()
                    {
                        exhausted = self.loaded(item);
                    }
                }
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
        }
    }

    /// Takes what was loaded; whether that was all.
    fn loaded(&mut self, item: Option<Result<Load>>) -> bool {
        match item {
            None => return true,
            Some(Ok(Load::Ready(loaded))) => {
                self.lanes.join(*loaded);
            }
            Some(Ok(Load::Sent)) => {
                self.account.before += 1;
                self.headway.passed.fetch_add(1, Relaxed);
            }
            Some(Ok(Load::Damaged(finding))) => {
                self.account.damaged += 1;
                self.headway.passed.fetch_add(1, Relaxed);
                if let Some(journal) = &mut self.journal {
                    journal.damaged(&finding.name, finding.fault.as_str());
                }
                (self.found)(finding);
            }
            Some(Err(error)) => {
                self.fail(error);
                return true;
            }
        }
        false
    }

    fn fail(&mut self, error: Error) {
        if !matches!(self.ending, Some(Ended::Failed(_))) {
            self.ending = Some(Ended::Failed(error));
        }
    }

    /// Sends what may go now; before that, the journal says so.
    async fn dispatch(&mut self) {
        let mut batches = Vec::new();
        while self.ending.is_none() && self.sendings.len() + batches.len() < self.manner.at_once {
            let Some(batch) = self.lanes.next(self.sink.capabilities().batch, &mut self.pace) else { break };
            let keys = batch.messages.iter().map(|message| message.key.as_str());
            let unmarked = batch.messages.iter().enumerate().filter(|(_, message)| message.unmarked).map(|(at, _)| at).collect();
            let number = match &mut self.journal {
                Some(journal) => journal.sending(keys, unmarked),
                None => {
                    self.unjournalled += 1;
                    self.unjournalled
                }
            };
            batches.push((number, batch));
        }
        if let Some(journal) = &mut self.journal
            && let Err(error) = journal.commit(!batches.is_empty()).await
        {
            // Nothing of it was sent.
            self.fail(error);
            return;
        }
        for (number, batch) in batches {
            let sink = self.sink.clone();
            self.sendings.spawn(send(sink, number, batch));
        }
    }

    fn ended(&mut self, sending: std::result::Result<Sending, tokio::task::JoinError>) {
        let sending = sending.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        let Sending { number, lane, keys, rooms, messages, results } = sending;
        let (mut answers, mut unconfirmed, mut confirmed, mut failure) = (Vec::new(), Vec::new(), false, None);
        for (((key, message), (unmarked, room)), result) in keys.into_iter().zip(messages).zip(rooms).zip(results) {
            answers.push(match result {
                Ok(receipt) => {
                    confirmed = true;
                    self.confirmed(message.payload.len() as u64);
                    self.account.unmarked += u64::from(unmarked);
                    Answer::Confirmed(receipt)
                }
                Err(error) if error.kind() == ErrorKind::Invalid => {
                    let reason = in_words(&error);
                    self.refused(&key, &reason, error);
                    Answer::Refused(reason)
                }
                Err(error) => {
                    failure.get_or_insert(error);
                    unconfirmed.push(Loaded { key, message, unmarked, room });
                    Answer::Unconfirmed
                }
            });
        }
        let refused = answers.iter().any(|answer| matches!(answer, Answer::Refused(_)));
        if let Some(journal) = &mut self.journal {
            journal.answered(number, answers.into_iter());
        }
        // What comes after a refused message of a lane was not sent, and nothing is wrong with the sink.
        let failing = failure.filter(|_| !refused);
        self.lanes.back(lane, unconfirmed, confirmed, |failures| failing.is_some().then(|| Instant::now() + backoff(failures)));
        if confirmed {
            self.failing_since = None;
        }
        if let Some(error) = failing {
            // It does not fail, it refuses us: nothing is gained by asking again.
            if matches!(error.kind(), ErrorKind::Denied | ErrorKind::NotFound) {
                self.fail(error);
                return;
            }
            let since = *self.failing_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= self.manner.patience {
                self.fail(error);
            }
            if self.ending.is_none() {
                self.account.failures += 1;
                self.headway.failures.fetch_add(1, Relaxed);
            }
        }
    }

    fn confirmed(&mut self, bytes: u64) {
        self.account.confirmed.messages += 1;
        self.account.confirmed.bytes += bytes;
        self.headway.messages.fetch_add(1, Relaxed);
        self.headway.bytes.fetch_add(bytes, Relaxed);
        self.headway.passed.fetch_add(1, Relaxed);
        self.refused_in_a_row = 0;
    }

    fn refused(&mut self, key: &str, reason: &str, error: Error) {
        self.account.refusals += 1;
        self.headway.passed.fetch_add(1, Relaxed);
        if self.account.refused.len() < NAMED {
            self.account.refused.push(Misfit { key: key.to_owned(), reason: reason.to_owned() });
        }
        self.refused_in_a_row += 1;
        if self.refused_in_a_row >= MOST_REFUSED {
            self.fail(error);
        }
    }

    /// What is confirmed is complete, and the journal says how it ended.
    async fn end(mut self) -> Account {
        let closed = self.sink.close().await;
        let ended = self.ending.take().unwrap_or(Ended::Done);
        let complete = matches!(ended, Ended::Done) && closed.is_ok() && self.account.refusals + self.account.damaged == 0;
        let mut kept = Ok(());
        if let Some(journal) = &mut self.journal {
            if complete {
                journal.end(self.account.before + self.account.confirmed.messages);
            }
            kept = journal.commit(true).await;
        }
        self.account.ended = match (ended, closed.and(kept)) {
            (Ended::Failed(error), _) | (_, Err(error)) => Ended::Failed(error),
            (ended, Ok(())) => ended,
        };
        self.account
    }
}

async fn send(sink: Arc<dyn Sink>, number: u64, batch: Batch) -> Sending {
    let Batch { lane, ordered, messages } = batch;
    let (mut keys, mut rooms, mut outgoing) = (Vec::new(), Vec::new(), Vec::new());
    for loaded in messages {
        let Loaded { key, message, unmarked, room } = loaded;
        keys.push(key);
        outgoing.push(message);
        rooms.push((unmarked, room));
    }
    let mut results = sink.send(&outgoing, ordered).await;
    // One that says too little has confirmed nothing more.
    results.truncate(outgoing.len());
    while results.len() < outgoing.len() {
        results.push(Err(Error::new(ErrorKind::Unavailable, "the sink gave no answer")));
    }
    Sending { number, lane, keys, rooms, messages: outgoing, results }
}

/// An error with its causes.
fn in_words(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
