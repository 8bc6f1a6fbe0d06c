//! Which of the selected messages hold a pattern; payloads are read side by side, within a bound on memory.

use std::sync::Arc;

use futures_util::stream::{BoxStream, StreamExt as _, TryStreamExt as _};
use persistor_core::{ErrorKind, Result};
use tokio::sync::Semaphore;

use crate::archive::Archive;
use crate::finding::{Fault, Finding};
use crate::messages::Item;
use crate::pattern::Pattern;
use crate::stored::Stored;

/// Payloads that are read at the same time.
const READS: usize = 16;
/// Bytes of payloads that are held at the same time, in KiB; a larger one is read alone.
const MEMORY: u32 = 256 << 10;

/// The messages whose payloads, as they are read, a test accepts, with what it said; findings pass. The order stays.
pub(crate) fn with_payloads<T: Send + 'static>(
    archive: &Arc<Archive>,
    items: BoxStream<'static, Result<Item>>,
    needs_payload: bool,
    look: impl Fn(&Stored, Option<&[u8]>) -> T + Send + Sync + 'static,
) -> BoxStream<'static, Result<(Item, Option<T>)>> {
    let (archive, look, memory) = (archive.clone(), Arc::new(look), Arc::new(Semaphore::new(MEMORY as usize)));
    items
        .map_ok(move |item| {
            let (archive, look, memory) = (archive.clone(), look.clone(), memory.clone());
            // A task each, so that payloads are looked at on every processor.
            let task = tokio::spawn(async move {
                let Item::Message(stored) = item else { return Ok((item, None)) };
                if !needs_payload {
                    let said = look(&stored, None);
                    return Ok((Item::Message(stored), Some(said)));
                }
                let kibibytes = u32::try_from(stored.size / 1024 + 1).unwrap_or(MEMORY).min(MEMORY);
                // The semaphore is never closed.
                let _room = memory.acquire_many(kibibytes).await;
                match archive.payload(&stored.key, stored.size).await {
                    Ok(payload) => {
                        let said = look(&stored, Some(&payload));
                        Ok((Item::Message(stored), Some(said)))
                    }
                    Err(error) => {
                        let (fault, text) = match error.kind() {
                            ErrorKind::NotFound => (Fault::Vanished, "it was listed, and is gone"),
                            ErrorKind::Damaged => {
                                (Fault::PayloadDiffers, "the store's own checksum of the payload does not hold")
                            }
                            _ => return Err(error),
                        };
                        Ok((Item::Finding(Finding::new(fault, stored.key.as_str(), text)), None))
                    }
                }
            });
            async move { task.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())) }
        })
        .try_buffered(READS)
        .boxed()
}

/// The messages in which the pattern is found: in their payloads, and if asked for in their attributes. Findings pass.
pub fn search(
    archive: &Arc<Archive>,
    items: BoxStream<'static, Result<Item>>,
    pattern: Pattern,
    attributes: bool,
) -> BoxStream<'static, Result<Item>> {
    let look = move |stored: &Stored, payload: Option<&[u8]>| {
        let in_attributes = attributes && stored.record.as_ref().is_some_and(|record| pattern.is_in_attributes(record));
        in_attributes || payload.is_some_and(|payload| pattern.is_in_payload(payload))
    };
    let found = with_payloads(archive, items, true, look);
    found.try_filter_map(|(item, found)| async move { Ok((found != Some(false)).then_some(item)) }).boxed()
}
