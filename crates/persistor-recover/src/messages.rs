//! The selected messages of an archive, with all that is found wrong on the way: listing, names, records, in the order of keys.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use persistor_core::{Entry, Error, ErrorKind, Key, ParsedKey, Record, Result};

use crate::archive::Archive;
use crate::duplicates::Duplicates;
use crate::finding::{Fault, Finding};
use crate::keys::Keys;
use crate::listing::{self, Listed};
use crate::plan::plan;
use crate::selection::Selection;
use crate::sift::{LATER_NAME, Sift, Sifted};
use crate::stored::Stored;

/// Batches whose records are read and decoded at the same time.
const BATCHES: usize = 4;
/// Records of one batch that are read at the same time.
const RECORDS: usize = 16;

/// How much of each message is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Its key, and its record only where the key does not tell whether it is selected, or where there are several layouts.
    Names,
    /// Its record too, which has to agree with the listing.
    Records,
}

/// What is met in an archive.
#[derive(Clone, Debug)]
pub enum Item {
    /// A selected message.
    Message(Box<Stored>),
    /// Something that is not as it should be, and may be a selected message.
    Finding(Finding),
}

/// Where the names to look at come from.
pub enum Source {
    /// The archive's listing, as far as the selection needs it.
    Listing,
    /// These keys, each looked up.
    Keys(Keys),
}

/// The selected messages in the byte order of their keys; before them, what is wrong with the layouts. Findings about what is no message are among them, whatever is selected; those about messages
/// only where the key does not rule them out.
pub fn messages(
    archive: &Arc<Archive>,
    selection: &Arc<Selection>,
    source: Source,
    detail: Detail,
) -> BoxStream<'static, Result<Item>> {
    let (batches, whole) = match source {
        Source::Listing => (listed(archive.clone(), selection.clone()), true),
        Source::Keys(keys) => (keys.batches(archive.reader().clone()), false),
    };
    // Messages of a layout that cannot be read are not met: whoever reads has to learn of that first.
    let layouts: Vec<_> = archive.findings().iter().cloned().map(|finding| Ok(Item::Finding(finding))).collect();
    stream::iter(layouts).chain(read(archive, selection, sifted(archive.clone(), batches, whole), detail)).boxed()
}

fn read(
    archive: &Arc<Archive>,
    selection: &Arc<Selection>,
    batches: impl Stream<Item = Result<Vec<Sifted>>> + Send + 'static,
    detail: Detail,
) -> BoxStream<'static, Result<Item>> {
    // A message can stand under a key of each layout; which one it is, its record knows.
    let several = archive.layouts().len() > 1;
    let work = Arc::new(Work {
        archive: archive.clone(),
        selection: selection.clone(),
        detail: if several { Detail::Records } else { detail },
    });
    let mut duplicates = several.then(|| Duplicates::new(archive.clone()));
    batches
        .map(move |batch| {
            let work = work.clone();
            // A task each, so that records are decoded on every processor.
            tokio::spawn(async move { work.batch(batch?).await })
        })
        .buffered(BATCHES)
        .flat_map(|batch| match batch {
            Ok(Ok(items)) => stream::iter(items.into_iter().map(Ok).collect::<Vec<_>>()),
            Ok(Err(error)) => stream::iter(vec![Err(error)]),
            Err(error) => stream::iter(vec![Err(Error::new(ErrorKind::Unavailable, "read the archive").with_source(error))]),
        })
        .map(move |item| match (item, &mut duplicates) {
            (Ok(Item::Message(stored)), Some(duplicates)) => Ok(Item::Message(Box::new(duplicates.mark(*stored)))),
            (item, _) => item,
        })
        .boxed()
}

/// What has to be listed for a selection.
fn listed(archive: Arc<Archive>, selection: Arc<Selection>) -> BoxStream<'static, Result<Vec<Listed>>> {
    let plan = async move {
        let ranges = plan(&archive, &selection).await?.ranges;
        Ok(listing::batches(archive.reader().clone(), ranges))
    };
    stream::once(plan).try_flatten().boxed()
}

/// What the names say, batch by batch.
fn sifted(
    archive: Arc<Archive>,
    batches: BoxStream<'static, Result<Vec<Listed>>>,
    whole: bool,
) -> impl Stream<Item = Result<Vec<Sifted>>> + Send {
    let sift = Sift::new(archive.clone(), whole);
    stream::unfold(Some((batches, sift, archive)), |state| async {
        let (mut batches, mut sift, archive) = state?;
        let mut sifted = Vec::new();
        match batches.next().await {
            Some(Ok(batch)) => {
                archive.progress().listed(batch.len());
                for listed in batch {
                    match listed {
                        Listed::Entry(entry) => sift.next(entry, &mut sifted),
                        Listed::Absent(name) => {
                            sifted.push(Sifted::Finding(Finding::new(Fault::Absent, name, "the archive has no such blob")));
                        }
                    }
                }
                Some((Ok(sifted), Some((batches, sift, archive))))
            }
            Some(Err(error)) => Some((Err(error), None)),
            None => {
                sift.end(&mut sifted);
                Some((Ok(sifted), None))
            }
        }
    })
}

struct Work {
    archive: Arc<Archive>,
    selection: Arc<Selection>,
    detail: Detail,
}

impl Work {
    async fn batch(&self, batch: Vec<Sifted>) -> Result<Vec<Item>> {
        let items: Vec<_> = stream::iter(batch).map(|sifted| self.item(sifted)).buffered(RECORDS).collect().await;
        items.into_iter().filter_map(Result::transpose).collect()
    }

    async fn item(&self, sifted: Sifted) -> Result<Option<Item>> {
        match sifted {
            Sifted::Finding(finding) => Ok(Some(Item::Finding(finding))),
            Sifted::Misnamed { key, entry } => self.misnamed(&key, &entry).await.map(Some),
            Sifted::Payload { key, parsed, entry } => self.payload(key, parsed, entry).await,
        }
    }

    async fn payload(&self, key: Key, parsed: ParsedKey, entry: Entry) -> Result<Option<Item>> {
        let by_key = self.selection.by_key(&parsed);
        if by_key == Some(false) {
            return Ok(None);
        }
        let record = if by_key.is_none() || self.detail == Detail::Records {
            match self.archive.record(&key, &entry).await {
                Ok(record) => {
                    if let Some(fault) = self.fault(&key, &entry, &record) {
                        return Ok(Some(Item::Finding(fault)));
                    }
                    if !self.selection.matches(&record) {
                        return Ok(None);
                    }
                    Some(record)
                }
                Err(error) => return record_fault(&key, error).map(|finding| Some(Item::Finding(finding))),
            }
        } else {
            None
        };
        let stored = Stored { key, parsed, size: entry.size, created: entry.created, record, duplicate_of: None };
        Ok(Some(Item::Message(Box::new(stored))))
    }

    /// What the listing shows of a message that does not agree with its record.
    fn fault(&self, key: &Key, entry: &Entry, record: &Record) -> Option<Finding> {
        if !self.archive.makes(key, record) {
            let text = "its record gives it another key: the blob was renamed, or it is another message's record";
            return Some(Finding::new(Fault::KeyDiffers, key.as_str(), text));
        }
        if entry.size != record.length() {
            let text = format!("the payload has {} bytes, its record says {}", entry.size, record.length());
            return Some(Finding::new(Fault::SizeDiffers, key.as_str(), text));
        }
        let sum = entry.crc32c.as_ref().filter(|sum| *sum != record.crc32c())?;
        let text = format!("the store says that the payload's CRC32C is {sum}, its record says {}", record.crc32c());
        Some(Finding::new(Fault::ChecksumDiffers, key.as_str(), text))
    }

    async fn misnamed(&self, key: &Key, entry: &Entry) -> Result<Item> {
        if self.archive.has_later_layouts() {
            return Ok(Item::Finding(Finding::new(Fault::Later, key.as_str(), LATER_NAME)));
        }
        let finding = match self.archive.record(key, entry).await {
            Ok(_) => {
                let text = "it has the record of a message, and no layout makes its name: it was renamed, or the layout is gone";
                Finding::new(Fault::KeyDiffers, key.as_str(), text)
            }
            // What only looks like a record makes nobody's blob a message; nor does a name that is too long for one.
            Err(error) if matches!(error.kind(), ErrorKind::Damaged | ErrorKind::NotFound | ErrorKind::Invalid) => {
                Finding::new(Fault::Foreign, key.as_str(), "no layout makes its name, and there is no record for it")
            }
            Err(error) => record_fault(key, error)?,
        };
        Ok(Item::Finding(finding))
    }
}

/// What a record that cannot be had means for its message.
///
/// # Errors
/// The error itself where it says nothing about the archive.
pub(crate) fn record_fault(key: &Key, error: Error) -> Result<Finding> {
    let fault = match error.kind() {
        ErrorKind::NotFound => return Ok(Finding::new(Fault::RecordMissing, key.as_str(), "the payload has no record")),
        ErrorKind::Damaged => Fault::RecordDamaged,
        ErrorKind::Unsupported => Fault::Later,
        _ => return Err(error),
    };
    Ok(Finding::new(fault, key.as_str(), error.to_string()))
}
