//! Which names have to be listed for a selection, under all layouts of an archive together.

use persistor_core::{NameRange, NameRanges, Result};

use crate::archive::Archive;
use crate::selection::Selection;
use crate::survey::stream_names;

/// The ranges that hold every selected message, and whether a time or an id narrows them. Where a time is asked for, and no stream, and keys begin with the
/// stream, the streams are asked for first: a request each, where everything would have to be listed else.
///
/// # Errors
/// The reader's.
pub async fn plan(archive: &Archive, selection: &Selection) -> Result<NameRanges> {
    let mut plan = NameRanges { ranges: Vec::new(), narrowed: true };
    for layout in archive.layouts() {
        let mut bounds = selection.bounds();
        let mut found = layout.template().ranges(&bounds);
        let timed = bounds.first.is_some() || bounds.last.is_some();
        if timed
            && !found.narrowed
            && bounds.streams.is_empty()
            && let Some(streams) = stream_names(archive, layout).await?
        {
            if streams.is_empty() {
                continue;
            }
            bounds.streams = streams;
            found = layout.template().ranges(&bounds);
        }
        plan.ranges.extend(found.ranges);
        plan.narrowed &= found.narrowed;
    }
    plan.ranges = NameRange::union(plan.ranges);
    Ok(plan)
}
