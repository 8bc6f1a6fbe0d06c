//! What came of a soak, counted, and the table that people read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::judge::Verdict;
use super::schedule::Fault;

/// What came of one leg.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Messages.
    pub sent: usize,
    /// Messages whose sender got a success.
    pub acknowledged: usize,
    /// Deliveries of a message after its first.
    pub redelivered: usize,
    /// Of these, those that came after a success had been received.
    pub after_acknowledgement: usize,
    /// How often each fault struck.
    pub faults: BTreeMap<Fault, usize>,
    pub verdict: Verdict,
    /// The most memory that any of the programs held, in bytes.
    pub peak_memory: u64,
    pub time: Duration,
}

impl Account {
    /// Takes in what came of another part of the same leg.
    pub fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.acknowledged += other.acknowledged;
        self.redelivered += other.redelivered;
        self.after_acknowledgement += other.after_acknowledgement;
        for (fault, count) in other.faults {
            *self.faults.entry(fault).or_default() += count;
        }
        self.verdict.add(other.verdict);
        self.peak_memory = self.peak_memory.max(other.peak_memory);
        self.time += other.time;
    }
}

/// The table: a column for each leg, by its name, and one for all together.
pub fn table(legs: &[(String, Account)]) -> String {
    let mut all = Account::default();
    legs.iter().for_each(|(_, account)| all.add(account.clone()));
    let accounts: Vec<_> = legs.iter().map(|(_, account)| account).chain([&all]).collect();
    let mut text = String::new();
    let mut line = |name: &str, values: Vec<String>| {
        write!(text, "{name:32}").expect("a string takes all");
        values.iter().for_each(|value| write!(text, " {value:>13}").expect("a string takes all"));
        text.push('\n');
    };
    let names: Vec<_> = legs.iter().map(|(name, _)| name.as_str()).chain(["all"]).collect();
    for part in 0..2 {
        // A name is two words: what brings the messages, and where they go.
        let words = names.iter().map(|name| name.split(' ').nth(part).unwrap_or_default().to_owned());
        line("", words.collect());
    }
    let mut count = |name: &str, of: &dyn Fn(&Account) -> usize| {
        line(name, accounts.iter().map(|account| of(account).to_string()).collect());
    };
    count("sent", &|account| account.sent);
    count("acknowledged", &|account| account.acknowledged);
    count("redelivered", &|account| account.redelivered);
    count("  after an acknowledgement", &|account| account.after_acknowledgement);
    for fault in all.faults.keys() {
        count(&fault.name(), &|account| account.faults.get(fault).copied().unwrap_or_default());
    }
    for (kind, (name, _)) in Verdict::default().faults().into_iter().enumerate() {
        count(name, &|account| account.verdict.faults()[kind].1.len());
    }
    count("temporary files left by kills", &|account| account.verdict.temporary);
    count("most memory of a program, MiB", &|account| usize::try_from(account.peak_memory >> 20).unwrap_or_default());
    count("seconds", &|account| usize::try_from(account.time.as_secs()).unwrap_or_default());
    text
}
