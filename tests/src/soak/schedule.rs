//! Which faults strike, and when: by the count of deliveries, all from the seed.

use crate::random::Random;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The program is killed with SIGKILL, and started again.
    Killed,
    /// It is asked to end, and started again.
    AskedToEnd,
    /// It is stopped for a while, and goes on.
    Stopped,
    /// The broker's connection is cut inside a request.
    PushCut,
    /// The broker closes its connection before it has the reply.
    PushAbandoned,
    /// The broker loses a reply.
    ReplyLost,
    /// The disk has no room left.
    DiskFull,
    /// The store answers with this status, and does nothing.
    Answers(u16),
    /// The store does what it was asked for, and answers with this status.
    AnswersAfter(u16),
    /// The store does what it was asked for, and the connection is cut in place of its reply.
    StoreReplyLost,
    /// The store says nothing.
    StoreHangs,
    /// The store is slow.
    StoreSlow,
    /// The connection to the store is cut inside a request.
    StoreRequestCut,
    /// The connection to the store is cut inside a reply.
    StoreReplyCut,
    /// Nothing passes any more over the connection to the store.
    StoreStalls,
    /// Nobody can connect to the store.
    StoreRefuses,
    /// The store's process is stopped for a while, and goes on.
    StoreStopped,
}

impl Fault {
    /// As the table has it.
    pub fn name(self) -> String {
        match self {
            Self::Killed => "program killed (-9)".to_owned(),
            Self::AskedToEnd => "program asked to end".to_owned(),
            Self::Stopped => "program stopped, continued".to_owned(),
            Self::PushCut => "request cut before its end".to_owned(),
            Self::PushAbandoned => "caller gone before the reply".to_owned(),
            Self::ReplyLost => "reply to the broker lost".to_owned(),
            Self::DiskFull => "refused for a full disk".to_owned(),
            Self::Answers(status) => format!("store answered {status}"),
            Self::AnswersAfter(status) => format!("store stored, answered {status}"),
            Self::StoreReplyLost => "store's reply lost".to_owned(),
            Self::StoreHangs => "store hung".to_owned(),
            Self::StoreSlow => "store slow".to_owned(),
            Self::StoreRequestCut => "cut inside a store request".to_owned(),
            Self::StoreReplyCut => "cut inside a store reply".to_owned(),
            Self::StoreStalls => "store connection stalled".to_owned(),
            Self::StoreRefuses => "store refused connections".to_owned(),
            Self::StoreStopped => "store stopped, continued".to_owned(),
        }
    }

    /// What can happen between a program and a store that it reaches over a connection.
    pub const OF_CONNECTIONS: [Self; 13] = [
        Self::Answers(429),
        Self::Answers(500),
        Self::Answers(503),
        Self::AnswersAfter(500),
        Self::AnswersAfter(503),
        Self::StoreReplyLost,
        Self::StoreHangs,
        Self::StoreSlow,
        Self::StoreRequestCut,
        Self::StoreReplyCut,
        Self::StoreStalls,
        Self::StoreRefuses,
        Self::StoreStopped,
    ];

    /// What can happen to a program.
    pub const OF_PROGRAMS: [Self; 3] = [Self::Killed, Self::AskedToEnd, Self::Stopped];
}

/// One fault that is going to strike.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// The count of deliveries at which it begins.
    pub at: usize,
    pub fault: Fault,
    /// How often it strikes, where it can strike more than once.
    pub times: usize,
    /// Behind how many bytes, where it strikes inside of something.
    pub after: u64,
    /// Of a thousand, how long it lasts, of the longest that it may.
    pub length: u64,
    /// Whether the program is killed in the midst of it.
    pub kills: bool,
}

/// Deliveries to one fault where there are many.
const SPACING: usize = 1500;

/// All faults of so many messages: each kind at least once and then any, spread over nine tenths of the deliveries that there will be at least.
pub fn schedule(seed: u64, kinds: &[Fault], messages: usize) -> Vec<Event> {
    let mut random = Random::of(&[seed, 0x5c4e]);
    let mut faults = kinds.to_vec();
    for last in (1..faults.len()).rev() {
        faults.swap(last, random.between(0, last));
    }
    // A full disk needs messages that are not stored yet: it is the first.
    faults.sort_by_key(|fault| *fault != Fault::DiskFull);
    let rest = (messages / SPACING).saturating_sub(faults.len());
    faults.extend((0..rest).map(|_| *random.pick(kinds)));
    let spacing = messages * 9 / 10 / faults.len().max(1);
    let event = |(number, fault): (usize, Fault)| Event {
        at: if number == 0 { 0 } else { number * spacing + random.between(0, spacing / 2) },
        fault,
        times: random.between(3, 30),
        after: random.between(0, 2500) as u64,
        length: random.between(0, 1000) as u64,
        kills: !Fault::OF_PROGRAMS.contains(&fault) && fault != Fault::DiskFull && random.one_in(4),
    };
    faults.into_iter().enumerate().map(event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_faults_each_time_and_every_kind() {
        let events = |seed| format!("{:?}", schedule(seed, &Fault::OF_CONNECTIONS, 40_000));
        assert_eq!(events(1), events(1));
        assert_ne!(events(1), events(2));
        for messages in [100, 1_000, 100_000] {
            let events = schedule(3, &Fault::OF_CONNECTIONS, messages);
            assert!(Fault::OF_CONNECTIONS.iter().all(|kind| events.iter().any(|event| event.fault == *kind)));
            assert!(events.is_sorted_by_key(|event| event.at) && events.iter().all(|event| event.at < messages));
        }
    }
}
