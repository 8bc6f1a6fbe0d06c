//! Bytes sent over connections, whatever they mean, and what came back.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::thread;

use persistor_tests::http::Connection;

/// What became of connections, and how many of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally(BTreeMap<String, usize>);

impl Tally {
    pub(crate) fn add(&mut self, end: impl ToString) {
        *self.0.entry(end.to_string()).or_default() += 1;
    }

    pub(crate) fn count(&self) -> usize {
        self.0.values().sum()
    }

    /// Whether there is nothing but these.
    pub(crate) fn only(&self, ends: &[&str]) -> bool {
        self.0.keys().all(|end| ends.contains(&end.as_str()))
    }
}

impl FromIterator<String> for Tally {
    fn from_iter<I: IntoIterator<Item = String>>(ends: I) -> Self {
        let mut tally = Self::default();
        ends.into_iter().for_each(|end| tally.add(end));
        tally
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.iter().map(|(end, count)| format!("{end} × {count}")).collect();
        f.pad(&parts.join(", "))
    }
}

/// Sends bytes over a new connection and reads so many replies, if there are as many, while they are sent.
pub(crate) fn exchange(port: u16, bytes: &[u8], replies: usize) -> (Vec<u16>, Connection) {
    let mut connection = Connection::open(port).expect("it listens");
    let mut writer = connection.writer().expect("a handle");
    let statuses = thread::scope(|scope| {
        // What is refused before its end may not be taken to its end.
        scope.spawn(move || drop(writer.write_all(bytes)));
        let mut statuses = Vec::new();
        while statuses.len() < replies
            && let Ok(Some(answer)) = connection.next_answer()
        {
            statuses.push(answer.status);
        }
        statuses
    });
    (statuses, connection)
}

/// Whether the other side closes the connection without another reply.
pub(crate) fn is_closed(connection: &mut Connection) -> bool {
    !matches!(connection.next_answer(), Ok(Some(_)))
}
