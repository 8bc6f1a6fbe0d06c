//! Entries of ranges of names, in the order of names: several ranges are asked for at the same time, and pages come ahead of whoever takes them.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use persistor_core::{Entry, NameRange, Reader, Result};
use tokio::sync::mpsc;

/// Entries that are handed on together.
const BATCH: usize = 250;
/// Batches that wait to be taken, for each range.
const AHEAD: usize = 4;
/// Ranges that are listed at the same time.
const AT_ONCE: usize = 8;

/// What a listing has, or has not.
#[derive(Debug)]
pub(crate) enum Listed {
    Entry(Entry),
    /// A name that was asked for, and is not there.
    Absent(String),
}

/// All entries of the ranges, in batches that are never empty. Dropped, nothing more is asked for.
pub(crate) fn batches(reader: Arc<dyn Reader>, ranges: Vec<NameRange>) -> BoxStream<'static, Result<Vec<Listed>>> {
    stream::iter(ranges)
        .map(move |range| std::future::ready(spawn(entries(reader.as_ref(), range))))
        .buffered(AT_ONCE)
        .flat_map(|receiver| {
            stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|batch| (batch, receiver)) })
        })
        .boxed()
}

/// The entries of one range; what lies behind its end is not asked for.
pub(crate) fn entries(reader: &dyn Reader, range: NameRange) -> BoxStream<'static, Result<Entry>> {
    let NameRange { prefix, from, end } = range;
    let from = (from != prefix).then_some(from);
    let entries = reader.list(&prefix, from.as_deref());
    let inside = move |entry: &Result<Entry>| {
        let inside = entry.as_ref().map_or(true, |entry| end.as_ref().is_none_or(|end| entry.name < *end));
        std::future::ready(inside)
    };
    entries.take_while(inside).boxed()
}

fn spawn(entries: BoxStream<'static, Result<Entry>>) -> mpsc::Receiver<Result<Vec<Listed>>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        let mut batches = entries.ready_chunks(BATCH);
        while let Some(batch) = batches.next().await {
            let batch: Result<Vec<_>> = batch.into_iter().map(|entry| entry.map(Listed::Entry)).collect();
            let failed = batch.is_err();
            // Nobody takes it any more, or there is nothing behind an error.
            if sender.send(batch).await.is_err() || failed {
                break;
            }
        }
    });
    receiver
}
