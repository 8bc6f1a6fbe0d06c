//! What a replay is going to send, worked out before anything is sent: every message's record is read and held against the sink, and the messages are put into the order in which they go.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, NaiveDateTime, Timelike as _, Utc};
use futures_util::{Stream, TryStreamExt as _};
use persistor_core::{Attribute, PublishTime, Record, Result};
use sha2::{Digest as _, Sha256};

use crate::archive::Archive;
use crate::capabilities::MARK_REPLAY;
use crate::finding::Finding;
use crate::messages::{Detail, Item, Source, messages};
use crate::outgoing::Outgoing;
use crate::replay::sequence::sequence;
use crate::selection::{Selection, instant};
use crate::sink::Sink;
use crate::sorter::{Sorted, Sorter};
use crate::stored::Stored;

/// Memory for sorting, in bytes; what does not fit is sorted in temporary files.
const MEMORY: usize = 64 << 20;
/// Misfits that are kept with their reasons, names of replays, names of attributes: the rest is counted.
const KEPT: usize = 1000;

/// What is sent, and how.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The replay's name, which marks what is sent; none sends messages as they were.
    pub mark: Option<String>,
    /// Whether messages are sent too that are marked as sent by a replay.
    pub replays: bool,
    /// The most messages, the first ones in the order of keys.
    pub limit: Option<u64>,
    /// Of a replay that goes on, when it began and what time it is now: what was published between is not what it began with.
    pub went_on: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// A message that the sink cannot carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Its key.
    pub key: String,
    /// Why, in words.
    pub reason: String,
}

/// Messages and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub messages: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.messages += 1;
        self.bytes += bytes;
    }
}

/// What is going to be sent.
#[derive(Debug, Default)]
pub struct Itinerary {
    /// All of it.
    pub total: Amount,
    /// By stream and hour of publishing.
    pub hours: BTreeMap<(String, NaiveDateTime), Amount>,
    /// By the broker's full name of where the messages came from.
    pub entities: BTreeMap<String, u64>,
    /// The publish times of the first and the last message, as the broker wrote them.
    pub ends: Option<(String, String)>,
    /// Messages with an ordering key.
    pub ordered: u64,
    /// Messages that are left out since an earlier replay sent them, by its name.
    pub replays: BTreeMap<String, u64>,
    /// Messages that are left out since they were published after the replay began, which goes on now.
    pub later: u64,
    /// Messages that are sent once although they are stored under the keys of several layouts.
    pub duplicates: u64,
    /// Attributes that nobody may send, by name, with the number of messages that lose them.
    pub stripped: BTreeMap<String, u64>,
    /// Properties that the sink does not have, by name, with the number of messages that lose them.
    pub dropped: BTreeMap<String, u64>,
    /// Messages with attributes whose types the sink does not have.
    pub retyped: u64,
    /// Messages that have no room for the marks.
    pub unmarked: u64,
    /// Messages that the sink cannot carry: the first ones.
    pub misfits: Vec<Misfit>,
    /// How many there are of these.
    pub misfit: u64,
    /// SHA-256 of the keys, as far as they are counted.
    digest: Sha256,
    /// The first and last of `ends`, as moments.
    bounds: Option<(NaiveDateTime, NaiveDateTime)>,
}

/// An itinerary, and the messages on it.
pub struct Planned {
    /// What is going to be sent.
    pub itinerary: Itinerary,
    sorted: Sorted,
}

/// Reads the records of the selected messages, and says what would be sent. What is found on the way is handed over.
///
/// # Errors
/// The reader's, and where a temporary file cannot be written.
pub async fn plan_replay(
    archive: &Arc<Archive>,
    selection: &Arc<Selection>,
    source: Source,
    terms: &Terms,
    sink: &dyn Sink,
    found: &mut (dyn FnMut(Finding) + Send),
) -> Result<Planned> {
    let (mut itinerary, mut sorter) = (Itinerary::default(), Sorter::new(MEMORY));
    let mut items = messages(archive, selection, source, Detail::Records);
    while terms.limit.is_none_or(|limit| itinerary.total.messages < limit)
        && let Some(item) = items.try_next().await?
    {
        match item {
            Item::Finding(finding) => found(finding),
            Item::Message(stored) => {
                if let Some(place) = itinerary.add(&stored, terms, sink) {
                    sorter.push(&pack(&place, &stored))?;
                }
            }
        }
    }
    drop(items);
    Ok(Planned { itinerary, sorted: sorter.sorted()? })
}

impl Itinerary {
    /// Takes a stored message in, or says why not; where it comes in the order if it is sent.
    fn add(&mut self, stored: &Stored, terms: &Terms, sink: &dyn Sink) -> Option<Vec<u8>> {
        let record = stored.record.as_ref()?;
        if stored.duplicate_of.is_some() {
            self.duplicates += 1;
            return None;
        }
        if let Some(name) = record.attributes().get(MARK_REPLAY).map(Attribute::text).filter(|_| !terms.replays) {
            count(&mut self.replays, name);
            return None;
        }
        let time = instant(record.publish_time()).and_utc();
        if terms.went_on.is_some_and(|(began, now)| began < time && time <= now) {
            self.later += 1;
            return None;
        }
        let key = stored.key.as_str();
        let mut outgoing = Outgoing::new(key, record, Bytes::new());
        self.admit(&mut outgoing, key, stored.size, terms.mark.as_deref(), sink).then(|| sequence(record))
    }

    /// Makes a message fit the sink and counts it; whether the sink can carry it. `name` is what a misfit is called.
    pub(crate) fn admit(&mut self, outgoing: &mut Outgoing, name: &str, size: u64, mark: Option<&str>, sink: &dyn Sink) -> bool {
        let fit = sink.capabilities().fit(outgoing, size, mark);
        let changes = match fit.and_then(|changes| sink.refuses(outgoing).map_or(Ok(changes), Err)) {
            Ok(changes) => changes,
            Err(reason) => {
                self.misfit += 1;
                if self.misfits.len() < KEPT {
                    self.misfits.push(Misfit { key: name.to_owned(), reason });
                }
                return false;
            }
        };
        self.total.add(size);
        self.digest.update(name);
        self.digest.update([0]);
        // Lines may say nothing of it.
        if let Ok(time) = PublishTime::parse(&outgoing.original.publish_time) {
            let second = time.second();
            let hour = second.date().and_hms_opt(second.hour(), 0, 0).unwrap_or(second);
            self.hours.entry((outgoing.original.stream.clone(), hour)).or_default().add(size);
            self.bound(&time);
        }
        if !outgoing.original.entity.is_empty() {
            *self.entities.entry(outgoing.original.entity.clone()).or_default() += 1;
        }
        self.ordered += u64::from(outgoing.ordering_key.is_some());
        for name in &changes.stripped {
            count(&mut self.stripped, name);
        }
        for name in &changes.dropped {
            count(&mut self.dropped, name);
        }
        self.retyped += u64::from(changes.retyped > 0);
        self.unmarked += u64::from(changes.unmarked);
        true
    }

    /// SHA-256 of the keys of all messages that are sent, in hex: other messages have another.
    pub fn sha256(&self) -> String {
        self.digest.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn bound(&mut self, time: &PublishTime) {
        let at = instant(time);
        match (&mut self.bounds, &mut self.ends) {
            (Some((first, last)), Some(ends)) => {
                if at < *first {
                    (*first, ends.0) = (at, time.to_string());
                }
                if at > *last {
                    (*last, ends.1) = (at, time.to_string());
                }
            }
            (bounds, ends) => {
                *bounds = Some((at, at));
                *ends = Some((time.to_string(), time.to_string()));
            }
        }
    }
}

/// Names come from senders: there can be any number of them.
fn count(names: &mut BTreeMap<String, u64>, name: &str) {
    if let Some(count) = names.get_mut(name) {
        *count += 1;
    } else {
        let name = if names.len() < KEPT { name } else { "(others)" };
        *names.entry(name.to_owned()).or_default() += 1;
    }
}

/// A message on an itinerary.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) key: String,
    pub(crate) record: Record,
}

/// Where it comes in the order, its key, its record, and the lengths of the last two.
fn pack(place: &[u8], stored: &Stored) -> Vec<u8> {
    let (key, record) = (stored.key.as_str(), stored.record.as_ref().map(Record::encode).unwrap_or_default());
    let length = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
    [place, key.as_bytes(), record.as_bytes(), &length(key), &length(&record)].concat()
}

fn unpack(item: &[u8]) -> Option<Stop> {
    let number = |bytes: &[u8]| bytes.try_into().ok().map(|bytes| u32::from_be_bytes(bytes) as usize);
    let (rest, record) = item.split_at_checked(item.len().checked_sub(4)?)?;
    let (rest, key) = rest.split_at_checked(rest.len().checked_sub(4)?)?;
    let (rest, record) = rest.split_at_checked(rest.len().checked_sub(number(record)?)?)?;
    let (_, key) = rest.split_at_checked(rest.len().checked_sub(number(key)?)?)?;
    let record = Record::decode(str::from_utf8(record).ok()?).ok()?;
    Some(Stop { key: str::from_utf8(key).ok()?.to_owned(), record })
}

impl Planned {
    /// The messages in their order.
    pub(crate) fn stops(self) -> impl Stream<Item = Result<Stop>> + Send + 'static {
        futures_util::stream::try_unfold((self.sorted, Vec::new()), |(mut sorted, mut item)| async move {
            if !sorted.next_into(&mut item)? {
                return Ok(None);
            }
            let damaged = || {
                let text = "a temporary file gave back other bytes than were written into it";
                persistor_core::Error::new(persistor_core::ErrorKind::Damaged, text)
            };
            let stop = unpack(&item).ok_or_else(damaged)?;
            Ok(Some((stop, (sorted, item))))
        })
    }
}
