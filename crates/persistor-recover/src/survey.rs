//! Which streams an archive has, and from when to when: found with few pages where the keys' order allows it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use persistor_core::{Key, Layout, NameRange, Result, unescape};

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
    /// When its first message was published, as far as its key says it.
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
    let mut found: BTreeMap<String, Edges> = BTreeMap::new();
    for layout in archive.layouts() {
        for (stream, edges) in of_layout(archive, layout, now.naive_utc(), count).await? {
            let joined = match found.remove(&stream) {
                Some(earlier) => joined(earlier, edges),
                None => edges,
            };
            found.insert(stream, joined);
        }
    }
    let surveys = found.into_iter().map(|(stream, edges)| async move {
        let mut entities = BTreeSet::new();
        for key in [&edges.first.key, &edges.last.key] {
            if let Some(entry) = archive.entry(key).await? {
                // A record that cannot be read is for `verify` to report.
                entities.extend(archive.record(key, &entry).await.ok().map(|record| record.entity().to_string()));
            }
        }
        let (first, last) = (edges.first.second.and_utc(), edges.last.second.and_utc());
        Ok(StreamSurvey { stream, entities, first, last, messages: edges.messages })
    });
    stream::iter(surveys).buffered(AT_ONCE).try_collect().await
}

/// The streams that have keys of one layout.
async fn of_layout(archive: &Archive, layout: &Layout, now: NaiveDateTime, count: bool) -> Result<BTreeMap<String, Edges>> {
    let Some(names) = stream_names(archive, layout).await? else { return walk(archive, layout).await };
    let edges = names.into_iter().map(|stream| async move {
        let Some(strand) = Strand::new(archive, layout, &stream) else { return Ok(None) };
        let edges = if count {
            let page = strand.page(None, true).await?;
            page.ends.map(|(first, last)| Edges { first, last, messages: Some(page.messages) })
        } else {
            strand.edges(now).await?
        };
        Ok(edges.map(|edges| (stream, edges)))
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
        names.extend(unescape(&segment).map(|stream| stream.unwrap_or(segment.clone())));
        // The first text behind all that is in that folder.
        from = Some(format!("{before}{segment}0"));
    }
}

async fn walk(archive: &Archive, layout: &Layout) -> Result<BTreeMap<String, Edges>> {
    let mut found: BTreeMap<String, Edges> = BTreeMap::new();
    let mut entries = entries(archive.reader().as_ref(), NameRange::of(String::new()));
    while let Some(entry) = entries.try_next().await? {
        archive.progress().listed(1);
        let parsed = Key::parse(entry.name).ok().and_then(|key| layout.template().read(&key).map(|parsed| (key, parsed)));
        let Some((key, parsed)) = parsed else { continue };
        let (Some(encoded), Some(mark)) = (parsed.stream.clone(), Mark::of(key, &parsed)) else { continue };
        let stream = unescape(&encoded).flatten().unwrap_or(encoded);
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
