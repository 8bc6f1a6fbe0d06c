//! The soak: messages by the hundred thousand through the built programs while everything around them fails, from one seed; and then every acknowledged message is
//! compared, byte by byte and with its record.
//!
//! The seed fixes the messages ([`load`]), which of them come again, what breaks on the way to the program, and the faults with the counts of deliveries at which
//! they strike ([`mod@schedule`]). What is under way at one moment, and so what a fault meets, is the machine's.
//!
//! A leg is one way in and one store. It is cut into rounds, each with an archive of its own, so that neither memory nor disk grows with the number of messages.

pub mod account;
mod called;
mod emulated;
mod events;
pub mod judge;
pub mod load;
mod pushed;
mod queue;
pub mod schedule;
pub mod site;
mod trouble;

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use account::{Account, table};
use load::Load;
use schedule::{Fault, schedule};
use site::Site;

use crate::invocation::Cardinality;
use crate::random::Random;
use crate::scratch;

/// Where an archive is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    Folder,
    /// Of fake-gcs-server.
    Bucket,
    /// Of Azurite.
    Container,
}

/// What brings the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Pushes of our own.
    Pushes,
    /// Those of Google's emulator of Pub/Sub.
    Emulator,
    /// Calls of the double of the Functions host, with one message of Service Bus each.
    Single,
    /// The same with batches.
    Batch,
    /// Calls with events of Event Hubs.
    Hub,
    /// Calls with events of Event Grid.
    Grid,
}

/// Lines that are shown of each kind of what is wrong.
const SHOWN: usize = 20;
/// The fewest messages that every kind of fault finds its place between.
const LEAST: usize = 50;

/// One way in and one store, with so many messages.
#[derive(Clone, Copy, Debug)]
pub struct Leg {
    pub way: Way,
    pub store: Store,
    pub messages: usize,
}

/// A soak that is going to run.
#[derive(Clone, Debug)]
pub struct Soak {
    pub seed: u64,
    pub legs: Vec<Leg>,
    /// No round begins after this time.
    pub limit: Option<Duration>,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    pub legs: Vec<(Leg, Account)>,
    /// Archives in which something is wrong, kept.
    pub kept: Vec<PathBuf>,
}

impl Leg {
    /// As the table has it.
    pub fn name(self) -> String {
        format!("{:?} {:?}", self.way, self.store).to_lowercase()
    }

    /// Every kind of fault that it has.
    fn faults(self) -> Vec<Fault> {
        let broker: &[Fault] = match self.way {
            Way::Pushes => &[Fault::PushCut, Fault::PushAbandoned, Fault::ReplyLost],
            _ => &[Fault::ReplyLost],
        };
        broker.iter().chain(&Fault::OF_PROGRAMS).chain(Site::faults(self.store)).copied().collect()
    }

    /// Those that are made by schedule: what breaks on the way of a push of our own is decided push by push.
    fn scheduled(self) -> Vec<Fault> {
        let mut faults = self.faults();
        faults
            .retain(|fault| self.way != Way::Pushes || ![Fault::PushCut, Fault::PushAbandoned, Fault::ReplyLost].contains(fault));
        faults
    }

    /// Messages with one archive.
    fn round(self) -> usize {
        match (self.way, self.store) {
            (Way::Pushes, Store::Folder) => 25_000,
            (Way::Pushes, _) => 10_000,
            _ => 5_000,
        }
    }

    fn run(self, seed: u64, limit: Option<Duration>, kept: &mut Vec<PathBuf>) -> Option<Account> {
        let (start, mut account) = (Instant::now(), Account::default());
        let rounds = self.messages.div_ceil(self.round());
        for round in 0..rounds {
            if limit.is_some_and(|limit| start.elapsed() > limit) {
                eprintln!("{}: the time is up after {round} of {rounds} rounds", self.name());
                break;
            }
            let own = Random::of(&[seed, self.way as u64, self.store as u64, round as u64]).number();
            let (first, last) = (self.messages * round / rounds, self.messages * (round + 1) / rounds);
            let site = Site::new(self.store)?;
            let load = Load { seed: own, count: last - first };
            let events = schedule(own, &self.scheduled(), load.count);
            let of_round = match self.way {
                Way::Pushes => pushed::round(load, &site, &events),
                Way::Emulator => emulated::round(load, &site, &events)?,
                Way::Single => called::round(load, &site, &events, Cardinality::One),
                Way::Batch => called::round(load, &site, &events, Cardinality::Many),
                Way::Hub => events::hub(load, &site, &events),
                Way::Grid => events::grid(load, &site, &events),
            };
            if !of_round.verdict.is_clean() {
                let folder = scratch::target().join(format!("soak/{seed}-{}-{round}", self.name().replace(' ', "-")));
                match site.keep(&folder) {
                    Ok(()) => kept.push(folder),
                    Err(error) => eprintln!("the archive could not be kept: {error}"),
                }
            }
            account.add(of_round);
            let (name, Account { sent, acknowledged, redelivered, time, .. }) = (self.name(), &account);
            let wrong: usize = account.verdict.faults().iter().map(|(_, lines)| lines.len()).sum();
            eprintln!(
                "{name}: round {} of {rounds}: {sent} sent, {acknowledged} acknowledged, {redelivered} redelivered, {wrong} wrong, {time:.0?}",
                round + 1
            );
        }
        Some(account)
    }
}

/// What `tests/soak` takes.
const USAGE: &str = "tests/soak N [--google] [--emulator] [--azure] [--store folder|bucket|container] [--minutes M]";

impl Soak {
    /// What the words behind `tests/soak` ask for: of `N`, all are pushed by senders of our own, four fifths of them into a folder and the others into a bucket; a tenth as
    /// many goes through Google's emulator, half of it into each; and a fifth as many comes through the Functions host, three quarters into a folder and the others into a
    /// container: messages of Service Bus mostly, and into the folder some events of Event Hubs and Event Grid. Without `--google`, `--emulator` or `--azure` all three.
    ///
    /// # Errors
    /// Where the words ask for nothing that there is; with the usage.
    pub fn parse(words: &[&str], seed: u64) -> Result<Self, String> {
        let (mut total, mut paths, mut only, mut limit) = (None, Vec::new(), None, None);
        let number = |word: &str| word.replace('_', "").parse::<usize>().map_err(|_| format!("`{word}`: {USAGE}"));
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--google" | "--emulator" | "--azure" => paths.push(*word),
                "--store" => {
                    only = Some(match words.next().copied() {
                        Some("folder") => Store::Folder,
                        Some("bucket") => Store::Bucket,
                        Some("container") => Store::Container,
                        other => return Err(format!("no store {other:?}: {USAGE}")),
                    });
                }
                "--minutes" => limit = Some(Duration::from_secs(60 * number(words.next().unwrap_or(&""))? as u64)),
                word => total = Some(number(word)?),
            }
        }
        let total = total.ok_or(USAGE)?;
        let leg = |way, store, messages| Leg { way, store, messages };
        let asked = |path| paths.is_empty() || paths.contains(&path);
        let mut legs = Vec::new();
        if asked("--google") {
            legs.extend([leg(Way::Pushes, Store::Folder, total * 4 / 5), leg(Way::Pushes, Store::Bucket, total / 5)]);
        }
        if asked("--emulator") {
            legs.extend([Store::Folder, Store::Bucket].map(|store| leg(Way::Emulator, store, total / 20)));
        }
        if asked("--azure") {
            let share = |way, store, share| leg(way, store, total * share / 200);
            legs.extend([Way::Single, Way::Batch].map(|way| share(way, Store::Folder, 12)));
            legs.extend([Way::Single, Way::Batch].map(|way| share(way, Store::Container, 5)));
            legs.extend([share(Way::Hub, Store::Folder, 4), share(Way::Grid, Store::Folder, 2)]);
        }
        legs.retain(|leg| only.is_none_or(|only| only == leg.store));
        match legs.iter().map(|leg| leg.messages).min() {
            None => Err(format!("no such store on this path: {USAGE}")),
            Some(fewest) if fewest < LEAST => {
                Err(format!("a leg with {fewest} messages shows nothing, it needs {LEAST}: {USAGE}"))
            }
            Some(_) => Ok(Self { seed, legs, limit }),
        }
    }

    /// Runs all legs beside each other; nothing where a part that they need is missing.
    pub fn run(&self) -> Option<Outcome> {
        let outcomes: Option<Vec<_>> = thread::scope(|scope| {
            let threads: Vec<_> = self
                .legs
                .iter()
                .map(|leg| {
                    scope.spawn(|| {
                        let mut kept = Vec::new();
                        leg.run(self.seed, self.limit, &mut kept).map(|account| ((*leg, account), kept))
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("a leg does not panic")).collect()
        });
        let (legs, kept): (Vec<_>, Vec<_>) = outcomes?.into_iter().unzip();
        Some(Outcome { legs, kept: kept.into_iter().flatten().collect() })
    }
}

impl Outcome {
    /// What people read.
    pub fn table(&self) -> String {
        table(&self.legs.iter().map(|(leg, account)| (leg.name(), account.clone())).collect::<Vec<_>>())
    }

    /// # Panics
    /// If anything was lost, altered, doubled, or is otherwise not as it should be; with the first of each kind by their keys, and where the archives are.
    pub fn assert_clean(&self) {
        let mut wrong = String::new();
        for (leg, account) in &self.legs {
            for (name, lines) in account.verdict.faults().into_iter().filter(|(_, lines)| !lines.is_empty()) {
                let first = lines[..lines.len().min(SHOWN)].join("\n  ");
                wrong.push_str(&format!("{}: {} {name}:\n  {first}\n", leg.name(), lines.len()));
            }
        }
        assert!(wrong.is_empty(), "{wrong}kept in {:?}", self.kept);
    }

    /// # Panics
    /// If a kind of fault that a leg can have never struck there, or nothing at all came again that was acknowledged.
    pub fn assert_every_fault_struck(&self) {
        for (leg, account) in &self.legs {
            let struck = |fault: &Fault| account.faults.get(fault).is_some_and(|count| *count > 0);
            let never: Vec<_> = leg.faults().into_iter().filter(|fault| !struck(fault)).collect();
            assert!(never.is_empty(), "{}: {never:?} never struck", leg.name());
        }
        // Of all legs together: in a small one chance may have it that none does.
        assert!(self.legs.iter().any(|(_, account)| account.after_acknowledgement > 0), "nothing acknowledged came again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_say_which_legs_there_are() {
        let legs = |words: &[&str]| {
            Soak::parse(words, 1).map(|soak| soak.legs.iter().map(|leg| (leg.name(), leg.messages)).collect::<Vec<_>>())
        };
        let named = |legs: &[(&str, usize)]| Ok(legs.iter().map(|(name, messages)| ((*name).to_owned(), *messages)).collect());
        assert_eq!(legs(&["1_000_000", "--google"]), named(&[("pushes folder", 800_000), ("pushes bucket", 200_000)]));
        assert_eq!(Soak::parse(&["20000", "--minutes", "5"], 1).map(|soak| soak.limit), Ok(Some(Duration::from_secs(300))));
        assert_eq!(legs(&["20000", "--emulator", "--store", "bucket"]), named(&[("emulator bucket", 1000)]));
        let sum = legs(&["20000"]).map(|legs| legs.iter().map(|(_, messages)| messages).sum());
        assert_eq!(sum, Ok(20_000 + 2_000 + 4_000));
        for wrong in [
            &["1000"][..],
            &[],
            &["x"],
            &["20000", "--minutes"],
            &["20000", "--store", "disk"],
            &["20000", "--azure", "--store", "bucket"],
        ] {
            assert!(legs(wrong).is_err(), "{wrong:?}");
        }
    }
}
