//! Makes the faults of a schedule, one after the other, at the counts of deliveries for which they are planned.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use super::schedule::{Event, Fault};
use super::site::Site;
use crate::random::Random;

/// What faults need to know of the traffic that they strike.
pub(super) trait Traffic {
    /// Deliveries that have begun.
    fn deliveries(&self) -> usize;
    /// Deliveries that were not acknowledged.
    fn refused(&self) -> usize;
    /// Called again and again: whoever runs out of messages before the faults are over delivers some again.
    fn keep_up(&self);
    /// Loses so many of the next replies of the program on their way to the broker.
    fn lose_replies(&self, count: usize);
}

/// A program that is treated badly.
pub(super) trait Function {
    /// Kills it with SIGKILL and starts it again.
    fn kill(&self);
    /// Asks it to end and starts it again.
    fn end(&self);
    /// Stops it for so long.
    fn stop(&self, time: Duration);
}

/// Makes all faults, and says how often each struck. `start` lets the traffic begin; where the first fault is a full disk, it is full before that.
pub(super) fn make(
    events: &[Event],
    traffic: &dyn Traffic,
    function: &dyn Function,
    site: &Site,
    start: &dyn Fn(),
) -> BTreeMap<Fault, usize> {
    let mut struck = BTreeMap::new();
    let mut held = events.first().is_some_and(|event| event.fault == Fault::DiskFull);
    if !held {
        start();
    }
    for event in events {
        while traffic.deliveries() < event.at {
            traffic.keep_up();
            thread::sleep(Duration::from_millis(1));
        }
        let refused = || {
            traffic.keep_up();
            traffic.refused()
        };
        let meanwhile = || {
            if held {
                start();
            }
            if event.kills {
                // Wherever it is then.
                thread::sleep(Duration::from_millis(Random::new(event.at as u64).number() % 50));
                function.kill();
            }
        };
        let times = match event.fault {
            Fault::Killed => {
                function.kill();
                1
            }
            Fault::AskedToEnd => {
                function.end();
                1
            }
            Fault::Stopped => {
                function.stop(Duration::from_millis(100 + event.length / 2));
                1
            }
            Fault::ReplyLost => {
                traffic.lose_replies(event.times);
                event.times
            }
            _ => site.make(event, &refused, &meanwhile),
        };
        held = false;
        *struck.entry(event.fault).or_insert(0) += times;
        if event.kills {
            *struck.entry(Fault::Killed).or_insert(0) += 1;
        }
    }
    struck
}
