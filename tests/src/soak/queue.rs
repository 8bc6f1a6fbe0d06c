//! What a broker delivers next: messages that were never delivered, those that were not acknowledged, and some that were, at once, later, and much later.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use super::account::Account;
use crate::random::Random;

/// What a sender is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Deliver this message, for the `delivery`-th time.
    Deliver { number: usize, delivery: usize },
    /// Everything is under way.
    Wait,
    /// Everything is acknowledged, or given up.
    Over,
}

/// The messages of one round. Memory is a few bytes for each.
#[derive(Debug)]
pub(super) struct Queue {
    seed: u64,
    fresh: usize,
    messages: Vec<State>,
    /// What comes again, by the count of deliveries at which it is due.
    again: BinaryHeap<Reverse<(usize, usize)>>,
    in_flight: usize,
    /// Whether faults are still made; as long as they are, it never runs dry.
    faults: bool,
    /// Deliveries that failed after the last fault, of each message.
    failed_since: BTreeMap<usize, u32>,
    pub(super) counts: Counts,
    idle: Random,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    deliveries: u16,
    acknowledged: bool,
    /// How many messages it stands for.
    weight: u16,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) deliveries: usize,
    pub(super) redelivered: usize,
    pub(super) after_acknowledgement: usize,
    /// Deliveries that were not acknowledged.
    pub(super) refused: usize,
    pub(super) acknowledged: usize,
}

/// A queue and those who deliver what is in it.
#[derive(Debug)]
pub(super) struct Broker(Mutex<Queue>);

/// A message that fails so often when nothing is wrong any more is given up.
const HOPELESS: u32 = 40;
/// Due behind everything else, the faults too.
const MUCH_LATER: usize = usize::MAX;

impl Queue {
    /// What is delivered together has one number, and counts for as many messages as it has.
    pub(super) fn new(seed: u64, weights: impl IntoIterator<Item = usize>) -> Self {
        let state = |weight| State { weight: u16::try_from(weight).expect("not so many together"), ..State::default() };
        Self {
            seed,
            fresh: 0,
            messages: weights.into_iter().map(state).collect(),
            again: BinaryHeap::new(),
            in_flight: 0,
            faults: true,
            failed_since: BTreeMap::new(),
            counts: Counts::default(),
            idle: Random::of(&[seed, 0x1d1e]),
        }
    }

    /// What it has counted of so many messages.
    pub(super) fn account(&self, sent: usize) -> Account {
        let Counts { acknowledged, redelivered, after_acknowledgement, .. } = self.counts;
        Account { sent, acknowledged, redelivered, after_acknowledgement, ..Account::default() }
    }

    /// No more faults are made.
    pub(super) fn heal(&mut self) {
        self.faults = false;
    }

    pub(super) fn is_acknowledged(&self, number: usize) -> bool {
        self.messages[number].acknowledged
    }

    pub(super) fn next(&mut self) -> Next {
        let due = self.again.peek().map(|Reverse((due, _))| *due).filter(|due| *due != MUCH_LATER || !self.faults);
        let number = if due.is_some_and(|due| due <= self.counts.deliveries) {
            self.pop()
        } else if self.fresh < self.messages.len() {
            let number = self.fresh;
            self.fresh += 1;
            if self.random(number).one_in(33) {
                // Beside the first delivery.
                self.again.push(Reverse((0, number)));
            }
            number
        } else if due.is_some() {
            self.pop()
        } else if self.faults && self.in_flight * 2 < self.messages.len() {
            self.idle.between(0, self.messages.len() - 1)
        } else if self.in_flight > 0 || self.faults {
            return Next::Wait;
        } else {
            return Next::Over;
        };
        let state = &mut self.messages[number];
        let weight = usize::from(state.weight);
        self.counts.redelivered += if state.deliveries > 0 { weight } else { 0 };
        self.counts.after_acknowledgement += if state.acknowledged { weight } else { 0 };
        self.counts.deliveries += weight;
        state.deliveries = state.deliveries.saturating_add(1);
        self.in_flight += 1;
        Next::Deliver { number, delivery: usize::from(state.deliveries) }
    }

    /// A delivery has ended; what was not acknowledged comes again.
    pub(super) fn ended(&mut self, number: usize, acknowledged: bool) {
        self.in_flight -= 1;
        let (deliveries, mut random) = (self.counts.deliveries, self.random(number));
        let state = &mut self.messages[number];
        if !acknowledged {
            self.counts.refused += 1;
            let hopeless = !self.faults && {
                let failed = self.failed_since.entry(number).or_default();
                *failed += 1;
                *failed > HOPELESS
            };
            if !hopeless && !state.acknowledged {
                self.again.push(Reverse((deliveries + self.idle.between(1, 200), number)));
            }
        } else if !state.acknowledged {
            state.acknowledged = true;
            self.counts.acknowledged += usize::from(state.weight);
            let _ = random.number();
            match random.between(0, 99) {
                0..=2 => self.again.push(Reverse((deliveries, number))),
                3..=4 => self.again.push(Reverse((deliveries + random.between(100, 3000), number))),
                5..=6 => self.again.push(Reverse((MUCH_LATER, number))),
                _ => {}
            }
        }
    }

    fn pop(&mut self) -> usize {
        let Reverse((_, number)) = self.again.pop().expect("one is due");
        number
    }

    fn random(&self, number: usize) -> Random {
        Random::of(&[self.seed, 0xa9a1, number as u64])
    }
}

impl Broker {
    pub(super) fn new(queue: Queue) -> Self {
        Self(Mutex::new(queue))
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().expect("no thread panics with it")
    }

    /// Delivers until all is over. `deliver` is given a message's number and how often it is delivered with this time, and says whether it was acknowledged, as far as
    /// a broker knows.
    pub(super) fn send(&self, mut deliver: impl FnMut(usize, usize) -> bool) {
        loop {
            let next = self.queue().next();
            match next {
                Next::Over => return,
                Next::Wait => thread::sleep(Duration::from_millis(2)),
                Next::Deliver { number, delivery } => {
                    let acknowledged = deliver(number, delivery);
                    self.queue().ended(number, acknowledged);
                    if !acknowledged {
                        // As brokers do, which slow down where they are refused.
                        thread::sleep(Duration::from_millis(20));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_comes_until_it_is_acknowledged_and_some_comes_again() {
        let mut queue = Queue::new(1, [1; 1000]);
        queue.heal();
        let mut random = Random::new(2);
        let mut ended = 0;
        while let Next::Deliver { number, .. } = queue.next() {
            queue.ended(number, !random.one_in(3));
            ended += 1;
        }
        assert_eq!(queue.next(), Next::Over);
        assert!((0..1000).all(|number| queue.is_acknowledged(number)));
        let counts = queue.counts;
        assert_eq!((counts.deliveries, counts.acknowledged, counts.redelivered), (ended, 1000, ended - 1000));
        assert!(counts.after_acknowledgement > 50 && counts.refused > 300, "{counts:?}");
    }

    #[test]
    fn what_fails_for_ever_is_given_up_once_nothing_is_wrong() {
        let mut queue = Queue::new(1, [1; 3]);
        assert!(
            (0..500).all(|_| matches!(queue.next(), Next::Deliver { number, .. } if { queue.ended(number, number != 1); true }))
        );
        queue.heal();
        while let Next::Deliver { number, .. } = queue.next() {
            queue.ended(number, number != 1);
        }
        assert_eq!([0, 1, 2].map(|number| queue.is_acknowledged(number)), [true, false, true]);
    }
}
