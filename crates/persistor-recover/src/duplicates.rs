//! The same message under keys of several layouts, as it lies in an archive whose template was changed between two deliveries.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::archive::Archive;
use crate::stored::Stored;

/// Which messages were met, by digests of their identities: some 40 bytes a message, and only where there are several layouts.
#[derive(Debug)]
pub(crate) struct Duplicates {
    archive: Arc<Archive>,
    /// The number of the layout that the first key is of.
    seen: HashMap<[u8; 16], u8>,
}

impl Duplicates {
    pub(crate) fn new(archive: Arc<Archive>) -> Self {
        Self { archive, seen: HashMap::new() }
    }

    /// Says of a message under which other key it was met before.
    pub(crate) fn mark(&mut self, mut stored: Stored) -> Stored {
        let Some(record) = &stored.record else { return stored };
        let layouts = self.archive.layouts().iter();
        let mut keys: Vec<_> = layouts.map(|layout| layout.template().render_record(record)).collect();
        let own = keys.iter().position(|key| *key == stored.key);
        let own = own.and_then(|own| u8::try_from(own).ok()).unwrap_or_default();
        // The keys count too, since they can hold attributes: only so is the first one's key certain, and nothing hidden that differs.
        let mut digest = Sha256::new_with_prefix(identity(record, true));
        keys.iter().for_each(|key| digest.update(format!("{key} ")));
        let first = *self.seen.entry(shortened(&digest.finalize())).or_insert(own);
        let key = keys.swap_remove(usize::from(first));
        stored.duplicate_of = (key != stored.key).then_some(key);
        stored
    }
}

/// The digest of what identifies a message: entity, id, publish second, and the payload's digest where it is to count.
pub(crate) fn identity(record: &persistor_core::Record, with_payload: bool) -> [u8; 16] {
    let mut digest = Sha256::new();
    for part in [record.entity().as_str(), record.id().as_str()] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.update(record.publish_time().second().and_utc().timestamp().to_be_bytes());
    if with_payload {
        digest.update(record.sha256());
    }
    shortened(&digest.finalize())
}

fn shortened(digest: &[u8]) -> [u8; 16] {
    std::array::from_fn(|at| digest[at])
}
