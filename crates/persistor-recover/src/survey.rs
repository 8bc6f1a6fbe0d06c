//! Which streams an archive has, and from when to when: found with few pages where the keys' order allows it.

use std::collections::btree_map::Entry::{Occupied, Vacant};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use persistor_core::{Key, Layout, NameRange, Result, escape, unescape};

use crate::archive::Archive;
use crate::edges::{Edges, Mark, Strand};
use crate::listing::entries;

/// Streams that are looked at the same time.
const AT_ONCE: usize = 8;

/// One stream.
#[derive(Clone, Debug)]
pub struct StreamSurvey {
    /// Its name.
    pub stream: String,
    /// The entities that its first and its last message name.
    pub entities: BTreeSet<String>,
    /// When its first message was published, as far as its key says it: the beginning of the second, or of the day.
    pub first: DateTime<Utc>,
    /// When its last message was published, likewise.
    pub last: DateTime<Utc>,
    /// How many keys of messages it has, if that is known.
    pub messages: Option<u64>,
}

/// Every stream, by its name. With `count` every name is listed to know how many messages there are. `now` is where ends are looked for first.
///
/// # Errors
/// The reader's.
pub async fn streams(archive: &Arc<Archive>, now: DateTime<Utc>, count: bool) -> Result<Vec<StreamSurvey>> {
    let mut found: BTreeMap<String, Vec<Edges>> = BTreeMap::new();
    for layout in archive.layouts() {
        for (stream, edges) in of_layout(archive, layout, now.naive_utc(), count).await? {
            found.entry(stream).or_default().push(edges);
        }
    }
    let surveys = found.into_iter().map(|(stream, edges)| survey(archive, stream, edges));
    stream::iter(surveys).buffered(AT_ONCE).try_collect().await
}

/// Puts together what was found of a stream under each layout.
async fn survey(archive: &Archive, stream: String, layouts: Vec<Edges>) -> Result<StreamSurvey> {
    let mut survey = StreamSurvey {
        stream,
        entities: BTreeSet::new(),
        first: DateTime::<Utc>::MAX_UTC,
        last: DateTime::<Utc>::MIN_UTC,
        messages: layouts.iter().map(|edges| edges.messages).sum(),
    };
    for mark in layouts.iter().flat_map(|edges| [&edges.first, &edges.last]) {
        let entry = archive.entry(&mark.key).await?;
        let record = match &entry {
            // One that cannot be read is for `verify` to report.
            Some(entry) => archive.record(&mark.key, entry).await.ok(),
            None => None,
        };
        // What the key says, also where that is no more than the day: the first by name need not be the first of that day.
        survey.first = survey.first.min(mark.second.and_utc());
        survey.last = survey.last.max(mark.second.and_utc());
        survey.entities.extend(record.map(|record| record.entity().to_string()));
    }
    Ok(survey)
}

/// The streams that have keys of one layout.
async fn of_layout(archive: &Archive, layout: &Layout, now: NaiveDateTime, count: bool) -> Result<BTreeMap<String, Edges>> {
    let Some(names) = stream_names(archive, layout).await? else { return walk(archive, layout).await };
    let strands: Option<Vec<_>> = names.iter().map(|stream| Some((stream, Strand::new(archive, layout, stream)?))).collect();
    let Some(strands) = strands else { return walk(archive, layout).await };
    let edges = strands.into_iter().map(|(stream, strand)| async move {
        let edges = if count {
            let page = strand.page(None, true).await?;
            page.ends.map(|(first, last)| Edges { first, last, messages: Some(page.messages) })
        } else {
            strand.edges(now).await?
        };
        Ok(edges.map(|edges| (stream.clone(), edges)))
    });
    let edges: Vec<_> = stream::iter(edges).buffered(AT_ONCE).try_collect().await?;
    Ok(edges.into_iter().flatten().collect())
}

/// The streams that stand in names, a request each; none where the layout puts something else in front of them.
pub(crate) async fn stream_names(archive: &Archive, layout: &Layout) -> Result<Option<Vec<String>>> {
    let Some(before) = layout.template().before_stream() else { return Ok(None) };
    let (mut names, mut from) = (Vec::new(), None::<String>);
    loop {
        let mut entries = archive.reader().list(&before, from.as_deref());
        // Names that lie beside the streams' folders are passed over.
        let segment = loop {
            let Some(entry) = entries.try_next().await? else { return Ok(Some(names)) };
            if let Some((segment, _)) = entry.name[before.len()..].split_once('/') {
                break segment.to_owned();
            }
        };
        match unescape(&segment) {
            Some(Some(stream)) => names.push(stream),
            Some(None) => names.push(cut_stream(archive, &format!("{before}{segment}/"), &segment).await?),
            None => {}
        }
        // The first text behind all that is in that folder.
        from = Some(format!("{before}{segment}0"));
    }
}

/// The whole name of a stream that is too long for a key: what a record below `prefix` says, or where none says it, what stands in the key.
async fn cut_stream(archive: &Archive, prefix: &str, encoded: &str) -> Result<String> {
    let mut entries = archive.reader().list(prefix, None);
    while let Some(entry) = entries.try_next().await? {
        let Ok(key) = entry.key() else { continue };
        match archive.record(&key, &entry).await {
            Ok(record) if escape(record.stream().as_str()) == encoded => return Ok(record.stream().to_string()),
            _ => {}
        }
    }
    Ok(encoded.to_owned())
}

async fn walk(archive: &Archive, layout: &Layout) -> Result<BTreeMap<String, Edges>> {
    let mut found: BTreeMap<String, Edges> = BTreeMap::new();
    // By what stands in keys.
    let mut streams: BTreeMap<String, String> = BTreeMap::new();
    let mut entries = entries(archive.reader().as_ref(), NameRange::of(String::new()));
    while let Some(entry) = entries.try_next().await? {
        archive.progress().listed(1);
        let parsed = Key::parse(entry.name).ok().and_then(|key| layout.template().read(&key).map(|parsed| (key, parsed)));
        let Some((key, parsed)) = parsed else { continue };
        let (Some(encoded), Some(mark)) = (parsed.stream, Mark::of(key, &parsed.date)) else { continue };
        let stream = match streams.entry(encoded) {
            Occupied(stream) => stream.get().clone(),
            Vacant(vacant) => {
                let stream = match unescape(vacant.key()).flatten() {
                    Some(stream) => stream,
                    None => cut_stream(archive, mark.key.as_str(), vacant.key()).await?,
                };
                vacant.insert(stream).clone()
            }
        };
        let one = Edges { first: mark.clone(), last: mark, messages: Some(1) };
        let joined = match found.remove(&stream) {
            Some(earlier) => joined(earlier, one),
            None => one,
        };
        found.insert(stream, joined);
    }
    Ok(found)
}

fn joined(a: Edges, b: Edges) -> Edges {
    Edges {
        first: if b.first.second < a.first.second { b.first } else { a.first },
        last: if b.last.second > a.last.second { b.last } else { a.last },
        messages: a.messages.zip(b.messages).map(|(a, b)| a + b),
    }
}
