//! About how many blobs a selection has to list, by looking at a few moments of each stream.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use persistor_core::Result;

use crate::archive::Archive;
use crate::edges::{Edges, Strand};
use crate::selection::Selection;
use crate::survey::stream_names;

/// Moments at which a stream is looked at.
const SAMPLES: i32 = 5;

/// The number of blobs, roughly; none where the layouts do not let it be told without listing them. It takes some ten pages for each stream.
///
/// # Errors
/// The reader's.
pub async fn estimate(archive: &Archive, selection: &Selection, now: DateTime<Utc>) -> Result<Option<u64>> {
    let mut blobs = 0;
    for layout in archive.layouts() {
        let Some(names) = stream_names(archive, layout).await? else { return Ok(None) };
        for stream in names.iter().filter(|stream| selection.has_stream(stream)) {
            let Some(strand) = Strand::new(archive, layout, stream) else { return Ok(None) };
            if let Some(edges) = strand.edges(now.naive_utc()).await? {
                let Some(of_strand) = of_strand(&strand, &edges, selection).await? else { return Ok(None) };
                blobs += of_strand;
            }
        }
    }
    Ok(Some(blobs))
}

async fn of_strand(strand: &Strand<'_>, edges: &Edges, selection: &Selection) -> Result<Option<u64>> {
    let naive = |time: DateTime<Utc>| time.naive_utc();
    let from = selection.since().map_or(edges.first.second, |since| naive(since).max(edges.first.second));
    let to = selection.until().map_or(edges.last.second, |until| naive(until).min(edges.last.second));
    if from > to {
        return Ok(Some(0));
    }
    let mut a_second = 0.0;
    for sample in 0..SAMPLES {
        let at = from + (to - from) * sample / SAMPLES;
        let page = strand.page(Some(at), false).await?;
        let Some((_, end)) = &page.ends else { continue };
        if page.whole && sample == 0 {
            return Ok(Some(page.names as u64));
        }
        // More than a page within what the keys tell apart: they do not say in which time.
        if !page.whole && end.length > TimeDelta::seconds(1) && end.second < at + end.length {
            return Ok(None);
        }
        a_second += page.names as f64 / seconds(at, end.second) / f64::from(SAMPLES);
    }
    Ok(Some((a_second * seconds(from, to)) as u64))
}

fn seconds(from: NaiveDateTime, to: NaiveDateTime) -> f64 {
    (to - from).as_seconds_f64().max(1.0)
}
