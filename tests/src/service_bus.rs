//! A model of a Service Bus entity, a queue or a topic's subscription: locks, delivery counts, sessions, and the dead-letter queue. Who takes messages out of it,
//! and when, is the [`listener`]'s.

pub mod corpus;
pub mod listener;
pub mod stored;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use crate::invocation::guid;
use crate::invocation::service_bus::{Delivery, Message};
use crate::random::Random;
use crate::waiting;

/// How fast the broker's time runs: so many of its seconds in one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace(pub u32);

/// What an entity was made with.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Of the broker's time.
    pub lock: Duration,
    pub max_delivery_count: u32,
    pub pace: Pace,
    /// Where sequence numbers begin.
    pub first_sequence: i64,
}

/// What happened to the messages of an entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub sent: usize,
    pub delivered: usize,
    pub completed: usize,
    pub abandoned: usize,
    /// Locks that ran out before they were settled.
    pub locks_lost: usize,
    pub dead_lettered: usize,
    /// The most deliveries of one message.
    pub most_deliveries: u32,
    /// Deliveries of a message that a function had succeeded with before.
    pub after_success: usize,
}

/// A running entity.
#[derive(Debug)]
pub struct Entity {
    rules: Rules,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// What is in it: neither completed nor dead-lettered.
    held: BTreeMap<i64, Held>,
    /// Every message that ever was.
    all: BTreeMap<i64, (Arc<Message>, DateTime<Utc>)>,
    dead: BTreeSet<i64>,
    locked_sessions: BTreeSet<String>,
    /// What a function succeeded with, whether the broker heard of it or not.
    succeeded: BTreeSet<i64>,
    /// Of so many settlements one does not arrive, by a seed.
    loses: Option<(u64, usize)>,
    counts: Counts,
    random: Random,
}

#[derive(Debug)]
struct Held {
    delivery_count: u32,
    lock: Option<(String, Instant)>,
}

impl Pace {
    /// The broker's own.
    pub const REAL: Self = Self(1);

    /// How long we wait for that much of the broker's time.
    pub fn real(self, broker: Duration) -> Duration {
        broker / self.0
    }

    /// The same as a setting.
    pub fn setting(self, broker: Duration) -> String {
        format!("{}ms", self.real(broker).as_millis())
    }
}

impl Default for Rules {
    /// What Azure gives an entity that nothing was said about.
    fn default() -> Self {
        Self { lock: Duration::from_secs(60), max_delivery_count: 10, pace: Pace::REAL, first_sequence: 1 }
    }
}

impl Entity {
    pub fn new(rules: Rules) -> Self {
        let state = State {
            held: BTreeMap::new(),
            all: BTreeMap::new(),
            dead: BTreeSet::new(),
            locked_sessions: BTreeSet::new(),
            succeeded: BTreeSet::new(),
            loses: None,
            counts: Counts::default(),
            random: Random::new(rules.first_sequence.unsigned_abs()),
        };
        Self { rules, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Sends messages; their times are those of a morning, each a little later than the one before.
    pub fn send(&self, messages: impl IntoIterator<Item = Message>) {
        let mut state = self.lock();
        for message in messages {
            let number = i64::try_from(state.all.len()).expect("not so many");
            let start: DateTime<Utc> = "2026-11-22T05:50:40Z".parse().expect("a time");
            // In ticks of 100 ns, some of which end with zeros.
            let enqueued = start + TimeDelta::nanoseconds(number * 123_456_700);
            let sequence = self.rules.first_sequence + number;
            state.all.insert(sequence, (Arc::new(message), enqueued));
            state.held.insert(sequence, Held { delivery_count: 0, lock: None });
            state.counts.sent += 1;
        }
        self.changed.notify_all();
    }

    /// Puts everything back that ever was in it, as if nothing had been settled: the same messages with the same numbers and times.
    pub fn redeliver_everything(&self) {
        let mut state = self.lock();
        state.held = state.all.keys().map(|sequence| (*sequence, Held { delivery_count: 0, lock: None })).collect();
        state.dead.clear();
        self.changed.notify_all();
    }

    /// Of so many completions, one is lost on its way to the broker, which delivers the message again.
    pub fn lose_completions(&self, seed: u64, one_in: usize) {
        self.lock().loses = Some((seed, one_in));
    }

    /// Puts some messages back that were settled.
    pub fn redeliver(&self, sequences: impl IntoIterator<Item = i64>) {
        let mut state = self.lock();
        for sequence in sequences {
            state.held.entry(sequence).or_insert(Held { delivery_count: 0, lock: None });
        }
        self.changed.notify_all();
    }

    /// Up to so many messages that nobody has locked, the oldest first; of one session, if it is named. They are locked for `time`, of the broker's. Waits a moment
    /// where there is none.
    fn receive(&self, count: usize, session: Option<&str>, time: Duration) -> Vec<Delivery> {
        let mut state = self.lock();
        state.expire(&self.rules);
        let free = state.free(session).take(count).collect::<Vec<_>>();
        if free.is_empty() {
            let (waited, _) = self.changed.wait_timeout(state, Duration::from_millis(5)).expect("no thread panics with it");
            drop(waited);
            return Vec::new();
        }
        let until = Instant::now() + self.rules.pace.real(time);
        free.into_iter().map(|sequence| state.deliver(sequence, until)).collect()
    }

    /// A session with messages that nobody has, if there is one.
    fn accept_session(&self) -> Option<String> {
        let mut state = self.lock();
        state.expire(&self.rules);
        let sessions = state.held.keys().filter_map(|sequence| state.all[sequence].0.session_id.clone());
        let session = sessions.into_iter().find(|session| !state.locked_sessions.contains(session))?;
        state.locked_sessions.insert(session.clone());
        Some(session)
    }

    fn release_session(&self, session: &str) {
        self.lock().locked_sessions.remove(session);
        self.changed.notify_all();
    }

    /// Settles a message for good, if its lock still holds.
    fn complete(&self, delivery: &Delivery) -> bool {
        self.lock().succeeded.insert(delivery.sequence);
        let most = self.rules.max_delivery_count;
        self.settle(delivery, |state, sequence| {
            let lost =
                |(seed, one_in)| Random::of(&[seed, sequence.unsigned_abs(), u64::from(delivery.delivery_count)]).one_in(one_in);
            if state.loses.is_some_and(lost) {
                return state.give_back(sequence, most);
            }
            state.held.remove(&sequence);
            state.counts.completed += 1;
        })
    }

    /// Gives a message back: it is there again at once.
    fn abandon(&self, delivery: &Delivery) -> bool {
        let most = self.rules.max_delivery_count;
        self.settle(delivery, |state, sequence| {
            state.counts.abandoned += 1;
            state.give_back(sequence, most);
        })
    }

    fn settle(&self, delivery: &Delivery, settle: impl FnOnce(&mut State, i64)) -> bool {
        let mut state = self.lock();
        state.expire(&self.rules);
        let held = state.held.get(&delivery.sequence).and_then(|held| held.lock.as_ref());
        let locked = held.is_some_and(|(token, _)| *token == delivery.lock_token);
        if locked {
            settle(&mut state, delivery.sequence);
        }
        self.changed.notify_all();
        locked
    }

    /// Whether nothing is in it any more.
    pub fn is_empty(&self) -> bool {
        let mut state = self.lock();
        state.expire(&self.rules);
        state.held.is_empty()
    }

    /// How many messages are in it.
    pub fn count(&self) -> usize {
        self.lock().held.len()
    }

    /// The numbers of the messages that a function succeeded with.
    pub fn succeeded(&self) -> BTreeSet<i64> {
        self.lock().succeeded.clone()
    }

    /// The numbers of the messages that are in it.
    pub fn held(&self) -> BTreeSet<i64> {
        self.lock().held.keys().copied().collect()
    }

    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// The numbers of the messages in the dead-letter queue.
    pub fn dead(&self) -> BTreeSet<i64> {
        self.lock().dead.clone()
    }

    /// Every message that was ever sent, with its number and time.
    pub fn all(&self) -> BTreeMap<i64, (Arc<Message>, DateTime<Utc>)> {
        self.lock().all.clone()
    }

    /// Waits until so many messages have been completed.
    pub fn wait_for_completed(&self, count: usize) {
        waiting::until("messages to be completed", || (self.counts().completed >= count || self.is_empty()).then_some(()));
        let counts = self.counts();
        assert!(counts.completed >= count, "nothing is left, and not {count} are completed: {counts:?}");
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics with it")
    }
}

impl State {
    /// Messages that may be handed out, in the order of their numbers. Those of a session come one after the other, by whoever has the session.
    fn free<'a>(&'a self, session: Option<&'a str>) -> impl Iterator<Item = i64> + 'a {
        self.held
            .iter()
            .filter(move |(sequence, held)| {
                held.lock.is_none() && (session.is_none() || self.all[*sequence].0.session_id.as_deref() == session)
            })
            .map(|(sequence, _)| *sequence)
    }

    fn deliver(&mut self, sequence: i64, until: Instant) -> Delivery {
        let lock_token = guid(&mut self.random);
        let held = self.held.get_mut(&sequence).expect("it is free");
        held.delivery_count += 1;
        held.lock = Some((lock_token.clone(), until));
        let delivery_count = held.delivery_count;
        self.counts.delivered += 1;
        self.counts.after_success += usize::from(self.succeeded.contains(&sequence));
        self.counts.most_deliveries = self.counts.most_deliveries.max(delivery_count);
        let (message, enqueued) = self.all[&sequence].clone();
        // No time to live: the end of .NET's time.
        let expires = "9999-12-31T23:59:59.9999999Z".parse().expect("a time");
        Delivery { message, sequence, enqueued, expires, delivery_count, lock_token, dead_letter_source: None }
    }

    fn give_back(&mut self, sequence: i64, most: u32) {
        let held = self.held.get_mut(&sequence).expect("it is held");
        held.lock = None;
        if held.delivery_count >= most {
            self.held.remove(&sequence);
            self.dead.insert(sequence);
            self.counts.dead_lettered += 1;
        }
    }

    /// Takes back what was locked for too long.
    fn expire(&mut self, rules: &Rules) {
        let now = Instant::now();
        let lost = |held: &Held| held.lock.as_ref().is_some_and(|(_, until)| *until <= now);
        let lost: Vec<_> = self.held.iter().filter(|(_, held)| lost(held)).map(|(sequence, _)| *sequence).collect();
        for sequence in lost {
            self.counts.locks_lost += 1;
            self.give_back(sequence, rules.max_delivery_count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn with(count: usize, rules: Rules) -> Entity {
        let entity = Entity::new(rules);
        entity.send((0..count).map(|number| Message::new(number.to_string(), "")));
        entity
    }

    fn sequences(deliveries: &[Delivery]) -> Vec<i64> {
        deliveries.iter().map(|delivery| delivery.sequence).collect()
    }

    #[test]
    fn what_is_abandoned_comes_again_at_once_and_dies_at_its_limit() {
        let entity = with(2, Rules { max_delivery_count: 3, first_sequence: 40, ..Rules::default() });
        for count in 1..=3 {
            let deliveries = entity.receive(1, None, LONG);
            assert_eq!((sequences(&deliveries), deliveries[0].delivery_count), (vec![40], count));
            assert!(entity.abandon(&deliveries[0]));
        }
        let second = entity.receive(5, None, LONG);
        assert_eq!(sequences(&second), [41], "the first is dead");
        assert!(entity.complete(&second[0]));
        assert!(!entity.complete(&second[0]), "it is settled once");
        assert!(entity.is_empty());
        let expected = Counts {
            sent: 2,
            delivered: 4,
            completed: 1,
            abandoned: 3,
            dead_lettered: 1,
            most_deliveries: 3,
            ..Counts::default()
        };
        assert_eq!(entity.counts(), expected);
        assert_eq!(entity.dead(), BTreeSet::from([40]));
        entity.redeliver_everything();
        let again = entity.receive(5, None, LONG);
        assert_eq!((sequences(&again), again[0].delivery_count, again[0].enqueued), (vec![40, 41], 1, entity.all()[&40].1));
    }

    #[test]
    fn a_lock_that_runs_out_counts_as_a_delivery_and_settles_nothing() {
        let entity = with(1, Rules { pace: Pace(1000), ..Rules::default() });
        let first = entity.receive(1, None, Duration::from_secs(50));
        assert_eq!(entity.receive(1, None, LONG).len(), 0, "it is locked");
        let second = waiting::until("the lock to run out", || entity.receive(1, None, Duration::from_secs(3600)).pop());
        assert_eq!(second.delivery_count, 2);
        assert!(!entity.complete(&first[0]), "another has it");
        assert!(entity.complete(&second));
        assert_eq!(entity.counts().locks_lost, 1);
    }

    #[test]
    fn a_completion_that_is_lost_brings_the_message_again() {
        let entity = with(1, Rules::default());
        entity.lose_completions(1, 1);
        let first = entity.receive(1, None, LONG);
        assert!(entity.complete(&first[0]));
        entity.lose_completions(1, usize::MAX);
        let second = entity.receive(1, None, LONG);
        assert_eq!((sequences(&second), second[0].delivery_count), (vec![1], 2));
        assert!(entity.complete(&second[0]) && entity.is_empty());
        assert_eq!((entity.counts().completed, entity.counts().after_success), (1, 1));
        entity.redeliver([1]);
        assert_eq!(sequences(&entity.receive(5, None, LONG)), [1]);
    }

    #[test]
    fn a_session_has_one_owner() {
        let entity = Entity::new(Rules::default());
        entity.send(["a", "b", "a"].map(|session| Message::new(session, "").in_session(session)));
        let (first, second) = (entity.accept_session(), entity.accept_session());
        assert_eq!((first.as_deref(), second.as_deref(), entity.accept_session()), (Some("a"), Some("b"), None));
        assert_eq!(sequences(&entity.receive(9, Some("a"), LONG)), [1, 3]);
        entity.release_session("b");
        assert_eq!(entity.accept_session().as_deref(), Some("b"));
    }
}
