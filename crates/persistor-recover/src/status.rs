//! Whether messages are being archived now: what came of each stream in the last hour, and whether the silence since is longer than usual.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use futures_util::TryStreamExt as _;
use persistor_core::{Result, escape, unescape};

use crate::archive::Archive;
use crate::finding::Finding;
use crate::messages::{Detail, Item, Source, messages};
use crate::selection::Selection;
use crate::survey::streams;

/// Minutes that are looked at.
pub const MINUTES: usize = 60;
/// The last minutes, of which the rate now is told.
pub const RECENT: usize = 5;

/// How far clocks may differ.
const AHEAD: TimeDelta = TimeDelta::minutes(2);

/// What a stream is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Messages come as they came before.
    Archiving,
    /// For longer than twice the longest pause of the hour, and for more than two minutes, nothing came.
    Silent,
    /// Nothing came within the hour.
    Idle,
}

impl State {
    /// Its name in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Archiving => "archiving",
            Self::Silent => "silent",
            Self::Idle => "idle",
        }
    }
}

/// One stream, now.
#[derive(Clone, Debug)]
pub struct StreamStatus {
    /// Its name.
    pub stream: String,
    /// The second in which its last message was published, as far as its key says it.
    pub last: DateTime<Utc>,
    /// Messages in each minute of the last hour, the oldest first; the last one ends now.
    pub minutes: [u64; MINUTES],
    /// How many minutes in a row were empty within the hour at most, before its last message.
    pub longest_pause: usize,
    /// What it is doing.
    pub state: State,
}

impl StreamStatus {
    /// Messages of the hour.
    pub fn hour(&self) -> u64 {
        self.minutes.iter().sum()
    }

    /// Messages of the last minutes.
    pub fn recent(&self) -> u64 {
        self.minutes[MINUTES - RECENT..].iter().sum()
    }
}

/// Every selected stream, by its name; findings on the way are handed over.
///
/// # Errors
/// The reader's.
pub async fn status(
    archive: &Arc<Archive>,
    chosen: &Selection,
    now: DateTime<Utc>,
    found: &mut (dyn FnMut(Finding) + Send),
) -> Result<Vec<StreamStatus>> {
    let since = now - TimeDelta::minutes(MINUTES as i64);
    let hour = Arc::new(chosen.clone().between(Some(since), None));
    let mut counts: BTreeMap<String, ([u64; MINUTES], NaiveDateTime)> = BTreeMap::new();
    let mut items = messages(archive, &hour, Source::Listing, Detail::Names);
    while let Some(item) = items.try_next().await? {
        match item {
            Item::Finding(finding) => found(finding),
            Item::Message(stored) if stored.duplicate_of.is_some() => {}
            // What is dated into the future says nothing about now.
            Item::Message(stored) if stored.second() > (now + AHEAD).naive_utc() => {}
            Item::Message(stored) => {
                let second = stored.second();
                let (minutes, last) = counts.entry(stored.stream()).or_insert(([0; MINUTES], second));
                // Clocks differ a little: what is just ahead counts as now.
                let minute = usize::try_from((second - since.naive_utc()).num_minutes()).unwrap_or(0).min(MINUTES - 1);
                minutes[minute] += 1;
                *last = second.max(*last);
            }
        }
    }
    let surveys = streams(archive, now, false).await?;
    let statuses = surveys.into_iter().filter(|survey| chosen.has_stream(&survey.stream)).map(|survey| {
        // A name that is too long for a key is counted by what stands there.
        let encoded = escape(&survey.stream);
        let by_key = if unescape(&encoded) == Some(None) { &encoded } else { &survey.stream };
        let counted = counts.remove(&survey.stream).or_else(|| counts.remove(by_key));
        let (minutes, last) = counted.unwrap_or(([0; MINUTES], survey.last.naive_utc()));
        judged(survey.stream, minutes, last.and_utc())
    });
    Ok(statuses.collect())
}

fn judged(stream: String, minutes: [u64; MINUTES], last: DateTime<Utc>) -> StreamStatus {
    let filled: Vec<usize> = (0..MINUTES).filter(|minute| minutes[*minute] > 0).collect();
    let longest_pause = filled.windows(2).map(|two| two[1] - two[0] - 1).max().unwrap_or(0);
    let state = match filled.last() {
        None => State::Idle,
        Some(minute) if MINUTES - 1 - minute > (2 * longest_pause).max(2) => State::Silent,
        Some(_) => State::Archiving,
    };
    StreamStatus { stream, last, minutes, longest_pause, state }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(filled: impl IntoIterator<Item = usize>) -> State {
        let mut minutes = [0; MINUTES];
        filled.into_iter().for_each(|minute| minutes[minute] = 3);
        judged("orders".into(), minutes, DateTime::default()).state
    }

    #[test]
    fn silence_is_held_against_the_pauses_before() {
        assert_eq!(state(0..60), State::Archiving);
        assert_eq!(state(0..58), State::Archiving);
        assert_eq!(state(0..57), State::Silent);
        assert_eq!(state((0..50).step_by(5)), State::Silent);
        assert_eq!(state((1..52).step_by(5)), State::Archiving);
        assert_eq!(state((0..51).step_by(5)), State::Silent);
        assert_eq!(state([]), State::Idle);
    }
}
