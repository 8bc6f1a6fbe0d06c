//! The first and the last message of a stream, found with few pages: keys of a stream are in the order of time, so the end is looked for by halving.

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use futures_util::TryStreamExt as _;
use persistor_core::{Key, KeyBounds, Layout, NameRange, Result, escape};

use crate::archive::Archive;
use crate::listing::entries;
use crate::selection::interval;

/// Names that one look asks for: a page.
const PAGE: usize = 1000;
/// Longer than all the years that keys have; steps are no longer.
const ALL_YEARS: TimeDelta = TimeDelta::days(366 * 10_000);

/// The ends of a stream under one layout.
#[derive(Clone, Debug)]
pub(crate) struct Edges {
    pub(crate) first: Mark,
    pub(crate) last: Mark,
    /// How many messages there are, if that came to be known.
    pub(crate) messages: Option<u64>,
}

/// A message by its key.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) key: Key,
    /// The beginning of what the key says of its time.
    pub(crate) second: NaiveDateTime,
    /// How long what the key says of its time is.
    pub(crate) length: TimeDelta,
}

/// One stream under one layout, of which listings from a moment on are one range.
#[derive(Debug)]
pub(crate) struct Strand<'a> {
    archive: &'a Archive,
    layout: &'a Layout,
    stream: &'a str,
    /// How many parts of the time, from the year on, the order of names is by. Keys can hold more, behind what is in no order of time.
    parts: usize,
}

/// One look at a strand.
#[derive(Debug)]
pub(crate) struct Page {
    /// Names of all kinds.
    pub(crate) names: usize,
    pub(crate) messages: u64,
    pub(crate) ends: Option<(Mark, Mark)>,
    /// Whether nothing is behind it.
    pub(crate) whole: bool,
}

impl Mark {
    pub(crate) fn of(key: Key, date: &[u32]) -> Option<Self> {
        let (from, to) = interval(date)?;
        Some(Self { key, second: from, length: to - from })
    }
}

impl<'a> Strand<'a> {
    /// None where the stream's names are not in the order of time.
    pub(crate) fn new(archive: &'a Archive, layout: &'a Layout, stream: &'a str) -> Option<Self> {
        let mut strand = Self { archive, layout, stream, parts: 0 };
        // A listing that begins a unit later begins elsewhere where names are in the order of that unit.
        let start = NaiveDateTime::default();
        let ranges = strand.ranges(Some(start));
        let units = [TimeDelta::seconds(1), TimeDelta::minutes(1), TimeDelta::hours(1), TimeDelta::days(1)];
        let finest = units.iter().position(|unit| strand.ranges(Some(start + *unit)) != ranges)?;
        strand.parts = 6 - finest;
        (ranges.len() == 1).then_some(strand)
    }

    fn ranges(&self, first: Option<NaiveDateTime>) -> Vec<NameRange> {
        let bounds = KeyBounds { streams: vec![self.stream.to_owned()], first, ..KeyBounds::default() };
        self.layout.template().ranges(&bounds).ranges
    }

    fn mark(&self, name: &str) -> Option<Mark> {
        let key = Key::parse(name).ok()?;
        let parsed = self.layout.template().read(&key)?;
        let own = parsed.stream.as_ref().is_some_and(|stream| *stream == escape(self.stream));
        Mark::of(key, &parsed.date[..self.parts]).filter(|_| own)
    }

    /// What is there from a moment on, at most a page, or with `all` to the end.
    pub(crate) async fn page(&self, from: Option<NaiveDateTime>, all: bool) -> Result<Page> {
        let mut page = Page { names: 0, messages: 0, ends: None, whole: true };
        let Some(range) = self.ranges(from).into_iter().next() else { return Ok(page) };
        let mut entries = entries(self.archive.reader().as_ref(), range);
        while let Some(entry) = entries.try_next().await? {
            page.names += 1;
            if all {
                self.archive.progress().listed(1);
            }
            if let Some(mark) = self.mark(&entry.name) {
                page.messages += 1;
                let first = page.ends.take().map_or_else(|| mark.clone(), |(first, _)| first);
                page.ends = Some((first, mark));
            }
            if page.names == PAGE && !all {
                page.whole = false;
                break;
            }
        }
        Ok(page)
    }

    /// The first and the last message. `now` is where the end is looked for first.
    pub(crate) async fn edges(&self, now: NaiveDateTime) -> Result<Option<Edges>> {
        let mut page = self.page(None, false).await?;
        if page.ends.is_none() && !page.whole {
            // A page of other names in front.
            page = self.page(None, true).await?;
        }
        let Some((first, mut last)) = page.ends else { return Ok(None) };
        if page.whole {
            return Ok(Some(Edges { first, last, messages: Some(page.messages) }));
        }
        // The end is not before `last`, and before `limit` or the end of the years.
        let years = NaiveDate::from_ymd_opt(10_000, 1, 1).map(NaiveDateTime::from).unwrap_or_default();
        let mut limit = None;
        let (mut step, mut next) = (TimeDelta::minutes(1), now.clamp(last.second, years - last.length));
        loop {
            let page = self.page(Some(next), false).await?;
            match page.ends {
                Some((_, end)) if page.whole => return Ok(Some(Edges { first, last: end, messages: None })),
                Some((_, end)) => last = end,
                None => limit = Some(next),
            }
            if limit.unwrap_or(years) - last.second <= last.length {
                // Nothing but what is in one stretch of the keys' own time is left: that is read to its end.
                let end = self.page(Some(last.second), true).await?.ends.map_or(last, |(_, end)| end);
                return Ok(Some(Edges { first, last: end, messages: None }));
            }
            next = match limit {
                // Not far back from now, most likely; else in the middle.
                Some(limit) if limit - last.second > step => limit - step,
                Some(limit) => last.second + ((limit - last.second) / 2).max(last.length),
                None => (last.second + step).min(years - last.length),
            };
            step = (step * 8).min(ALL_YEARS);
        }
    }
}
