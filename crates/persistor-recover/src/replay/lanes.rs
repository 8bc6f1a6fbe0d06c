//! Messages that wait to be sent, in lanes: what is in one lane goes in its order, and lanes go side by side.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use tokio::time::Instant;

use crate::replay::load::Loaded;
use crate::replay::pace::Pace;

/// In which order messages are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Those with the same ordering key one after the other, the others as it comes.
    #[default]
    Key,
    /// All of them one after the other.
    All,
    /// As it comes.
    None,
}

/// A lane's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum LaneId {
    /// Messages without an order, which can go in several sendings at the same time.
    Free,
    /// Those of an ordering key.
    Key(String),
    /// All there are.
    All,
    /// Those of a sending without an order that were not confirmed.
    Again(u64),
}

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Loaded>,
    /// Whether it is among those that can go, is under way, or rests.
    engaged: bool,
    /// Failures since something was confirmed.
    failures: u32,
}

/// All lanes.
#[derive(Debug)]
pub(crate) struct Lanes {
    order: Order,
    lanes: HashMap<LaneId, Lane>,
    /// Those that have something to send and may.
    ready: VecDeque<LaneId>,
    /// Those that have something to send and have to wait, by the time until when.
    resting: BinaryHeap<Reverse<(Instant, LaneId)>>,
    waiting: usize,
    again: u64,
}

/// Messages that go together.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) lane: LaneId,
    pub(crate) ordered: bool,
    pub(crate) messages: Vec<Loaded>,
}

impl Lanes {
    pub(crate) fn new(order: Order) -> Self {
        Self { order, lanes: HashMap::new(), ready: VecDeque::new(), resting: BinaryHeap::new(), waiting: 0, again: 0 }
    }

    /// How many messages wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// A message joins the end of its lane.
    pub(crate) fn join(&mut self, message: Loaded) {
        let id = match (self.order, &message.message.ordering_key) {
            (Order::All, _) => LaneId::All,
            (Order::Key, Some(key)) => LaneId::Key(key.clone()),
            (Order::Key, None) | (Order::None, _) => LaneId::Free,
        };
        let lane = self.lanes.entry(id.clone()).or_default();
        lane.waiting.push_back(message);
        self.waiting += 1;
        if !lane.engaged {
            lane.engaged = true;
            self.ready.push_back(id);
        }
    }

    /// The next messages to go together: no more than `most`, in number and bytes, and as many as the pace allows, but one.
    pub(crate) fn next(&mut self, most: (usize, u64), pace: &mut Pace) -> Option<Batch> {
        let now = Instant::now();
        while let Some(Reverse((until, _))) = self.resting.peek()
            && *until <= now
            && let Some(Reverse((_, id))) = self.resting.pop()
        {
            self.ready.push_back(id);
        }
        if pace.wait().is_some() {
            return None;
        }
        let id = self.ready.pop_front()?;
        let lane = self.lanes.get_mut(&id)?;
        let ordered = matches!(id, LaneId::Key(_) | LaneId::All);
        let (mut messages, mut bytes) = (Vec::new(), 0);
        while let Some(next) = lane.waiting.front() {
            let size = next.message.payload.len() as u64;
            // A sink keeps the order of one ordering key; that of all is kept here.
            let other = |first: &Loaded| ordered && first.message.ordering_key != next.message.ordering_key;
            let full = messages.len() >= most.0 || bytes + size > most.1 || pace.wait().is_some();
            if !messages.is_empty() && (full || messages.first().is_some_and(other)) {
                break;
            }
            pace.take(size);
            bytes += size;
            messages.extend(lane.waiting.pop_front());
        }
        self.waiting -= messages.len();
        if id == LaneId::Free {
            if lane.waiting.is_empty() {
                lane.engaged = false;
            } else {
                self.ready.push_back(LaneId::Free);
            }
        }
        Some(Batch { lane: id, ordered, messages })
    }

    /// A sending of a lane has ended. What was not confirmed goes again, before everything else of its lane: at once, or after a pause where the sink has failed.
    pub(crate) fn back(
        &mut self,
        lane: LaneId,
        unconfirmed: Vec<Loaded>,
        confirmed: bool,
        pause: impl FnOnce(u32) -> Option<Instant>,
    ) {
        self.waiting += unconfirmed.len();
        let id = match lane {
            LaneId::Free if unconfirmed.is_empty() => return,
            LaneId::Free => {
                self.again += 1;
                LaneId::Again(self.again)
            }
            id => id,
        };
        let lane = self.lanes.entry(id.clone()).or_default();
        for message in unconfirmed.into_iter().rev() {
            lane.waiting.push_front(message);
        }
        lane.failures = if confirmed { 0 } else { lane.failures };
        let until = pause(lane.failures + 1);
        lane.failures += u32::from(until.is_some());
        if lane.waiting.is_empty() {
            self.lanes.remove(&id);
            return;
        }
        lane.engaged = true;
        match until {
            Some(until) => self.resting.push(Reverse((until, id))),
            None => self.ready.push_back(id),
        }
    }

    /// When the next messages may go: a lane has rested, or the pace allows more. Where they may go already it is at once, also if the moment came after [`Lanes::next`] was asked.
    pub(crate) fn wake(&self, pace: &Pace) -> Option<Instant> {
        let rested = self.resting.peek().map(|Reverse((until, _))| *until);
        let paced = (!self.ready.is_empty()).then(|| pace.wait().unwrap_or_else(Instant::now));
        [rested, paced].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outgoing::Outgoing;

    #[tokio::test(start_paused = true)]
    async fn what_may_go_is_never_slept_over() {
        let (mut lanes, mut pace) = (Lanes::new(Order::Key), Pace::new("10/s".parse().ok()));
        assert_eq!(lanes.wake(&pace), None);
        for number in 0..5 {
            lanes.join(Loaded { key: number.to_string(), message: Outgoing::default(), unmarked: false, room: None });
        }
        let sent = std::iter::from_fn(|| lanes.next((1, 1), &mut pace)).count();
        assert_eq!(sent, 2);
        let due = lanes.wake(&pace).expect("three wait");
        assert!(due > Instant::now());
        // The moment comes between being asked for messages and being asked when to ask again.
        tokio::time::sleep_until(due).await;
        assert_eq!(pace.wait(), None);
        assert_eq!(lanes.wake(&pace), Some(Instant::now()));
    }

    #[tokio::test]
    async fn what_goes_together_is_within_the_limits_of_the_sink() {
        let loaded = |size: usize, key: &str| Loaded {
            key: String::new(),
            message: Outgoing {
                payload: vec![0; size].into(),
                ordering_key: Some(key.to_owned()).filter(|key| !key.is_empty()),
                ..Outgoing::default()
            },
            unmarked: false,
            room: None,
        };
        let some = [(40, "a"), (40, "a"), (20, "b"), (1, "b"), (150, "b"), (0, "b"), (0, ""), (100, ""), (1, "c")];
        for (order, expected) in [
            // Of each key by itself, and what has none.
            (Order::Key, vec![vec![40, 40], vec![20, 1], vec![150], vec![0], vec![0, 100], vec![1]]),
            (Order::All, vec![vec![40, 40], vec![20, 1], vec![150], vec![0], vec![0, 100], vec![1]]),
            (Order::None, vec![vec![40, 40, 20], vec![1], vec![150], vec![0, 0, 100], vec![1]]),
        ] {
            let mut lanes = Lanes::new(order);
            some.iter().for_each(|(size, key)| lanes.join(loaded(*size, key)));
            let mut batches = Vec::new();
            while let Some(Batch { lane, messages, .. }) = lanes.next((3, 100), &mut Pace::new(None)) {
                batches.push(messages.iter().map(|loaded| loaded.message.payload.len()).collect::<Vec<_>>());
                lanes.back(lane, Vec::new(), true, |_| None);
            }
            batches.sort();
            let mut expected = expected;
            expected.sort();
            assert_eq!(batches, expected, "{order:?}");
            assert_eq!(lanes.waiting(), 0);
        }
        // So many at most, however small.
        let mut lanes = Lanes::new(Order::None);
        (0..7).for_each(|_| lanes.join(loaded(0, "")));
        let counts = std::iter::from_fn(|| lanes.next((3, 100), &mut Pace::new(None))).map(|batch| batch.messages.len());
        assert_eq!(counts.collect::<Vec<_>>(), [3, 3, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_rests_by_itself_and_is_told_how_often_it_failed() {
        let (mut lanes, mut pace) = (Lanes::new(Order::None), Pace::new(None));
        for key in ["a", "b"] {
            lanes.join(Loaded { key: key.to_owned(), message: Outgoing::default(), unmarked: false, room: None });
        }
        let pause = std::time::Duration::from_secs(10);
        let mut told = Vec::new();
        for round in 0..3 {
            let batches: Vec<_> = std::iter::from_fn(|| lanes.next((1, 1), &mut pace)).collect();
            assert_eq!(batches.iter().map(|batch| batch.messages[0].key.as_str()).collect::<Vec<_>>(), ["a", "b"]);
            for Batch { lane, messages, .. } in batches {
                lanes.back(lane, messages, round == 2, |failures| {
                    told.push(failures);
                    Some(Instant::now() + pause)
                });
            }
            assert_eq!((lanes.waiting(), lanes.wake(&pace)), (2, Some(Instant::now() + pause)));
            tokio::time::advance(pause - std::time::Duration::from_millis(1)).await;
            assert!(lanes.next((1, 1), &mut pace).is_none(), "it does not rest");
            tokio::time::advance(std::time::Duration::from_millis(1)).await;
        }
        // Where a part of it was taken, it begins anew.
        assert_eq!(told, [1, 1, 2, 2, 1, 1]);
    }
}
