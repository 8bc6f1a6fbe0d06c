//! What arrived elsewhere, compared with the selected messages.

use std::sync::Arc;

use futures_util::stream::{BoxStream, TryStreamExt as _};
use persistor_core::Result;

use crate::archive::Archive;
use crate::difference::Difference;
use crate::finding::Finding;
use crate::match_by::MatchBy;
use crate::messages::Item;
use crate::search::with_payloads;
use crate::stored::Stored;

/// Keys that are kept of messages that cannot be compared.
const SHOWN: usize = 3;

/// What was compared.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    /// Messages that had a value to compare, each once however often it is stored.
    pub messages: u64,
    /// Messages without such a value.
    pub without: u64,
    /// The first keys of those.
    pub examples: Vec<String>,
}

/// Puts the value of each selected message on the archive's side of a difference. Findings are handed over. A message that stands under two keys counts
/// once, with the first. Messages' records have to be there ([`Detail::Records`](crate::Detail)).
///
/// # Errors
/// The reader's, and where a temporary file cannot be written.
pub async fn stored_values(
    archive: &Arc<Archive>,
    items: BoxStream<'static, Result<Item>>,
    match_by: MatchBy,
    difference: &mut Difference,
    found: &mut (dyn FnMut(Finding) + Send),
) -> Result<Compared> {
    let mut compared = Compared::default();
    let needs_payload = match_by.needs_payload();
    let value =
        move |stored: &Stored, payload: Option<&[u8]>| stored.record.as_ref().and_then(|record| match_by.value(record, payload));
    let mut values = with_payloads(archive, items, needs_payload, value);
    while let Some((item, value)) = values.try_next().await? {
        match (item, value.flatten()) {
            (Item::Finding(finding), _) => found(finding),
            (Item::Message(stored), _) if stored.duplicate_of.is_some() => {}
            (Item::Message(stored), Some(value)) => {
                compared.messages += 1;
                difference.stored(value.as_bytes(), stored.key.as_str())?;
            }
            (Item::Message(stored), None) => {
                compared.without += 1;
                if compared.examples.len() < SHOWN {
                    compared.examples.push(stored.key.to_string());
                }
            }
        }
    }
    Ok(compared)
}
