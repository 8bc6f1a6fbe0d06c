//! What was published, kept to be compared with what is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use chrono::{DateTime, Utc};

use crate::archive::{Archive, Stored};
use crate::expected::Expected;
use crate::pubsub::{Publication, Pubsub};

/// The messages of one test, with the ids that the broker gave them, and the time in which it was done.
#[derive(Debug)]
pub struct Published {
    messages: BTreeMap<String, Publication>,
    began: DateTime<Utc>,
    ended: DateTime<Utc>,
}

impl Published {
    /// Publishes all.
    ///
    /// # Panics
    /// If the broker gives an id twice.
    pub fn publish(pubsub: &Pubsub, topic: &str, publications: Vec<Publication>) -> Self {
        let began: DateTime<Utc> = SystemTime::now().into();
        let ids = pubsub.publish(topic, publications.iter().cloned());
        let ended: DateTime<Utc> = SystemTime::now().into();
        let count = publications.len();
        let messages: BTreeMap<_, _> = ids.into_iter().zip(publications).collect();
        assert_eq!(messages.len(), count, "the broker gave an id twice, or not to all");
        Self { messages, began, ended }
    }

    pub fn ids(&self) -> BTreeSet<String> {
        self.messages.keys().cloned().collect()
    }

    /// Holds against an archive: it has every message whole and nothing else.
    pub fn assert_stored(&self, archive: &Archive, stream: &str, subscription: &str) {
        let stored = archive.by_id();
        let (stored_ids, ids): (BTreeSet<_>, BTreeSet<_>) =
            (stored.keys().copied().collect(), self.messages.keys().map(String::as_str).collect());
        let missing: Vec<_> = ids.difference(&stored_ids).collect();
        let extra: Vec<_> = stored_ids.difference(&ids).collect();
        assert!(missing.is_empty() && extra.is_empty(), "missing: {missing:?}; never published: {extra:?}");
        assert!(archive.lone_records.is_empty(), "records without payloads: {:?}", archive.lone_records);
        for (id, publication) in &self.messages {
            self.assert_same(id, publication, stored[id.as_str()], stream, subscription);
        }
    }

    /// The record's own digests are the archive's reader's to check; here is what only the publisher knows.
    fn assert_same(&self, id: &str, publication: &Publication, stored: &Stored, stream: &str, subscription: &str) {
        // The emulator gives milliseconds, cut.
        let time = stored.publish_time();
        let plausible = self.began.timestamp_millis()..=self.ended.timestamp_millis();
        assert!(
            plausible.contains(&time.timestamp_millis()),
            "{id} was published at {time}, not from {} to {}",
            self.began,
            self.ended
        );
        let expected = Expected::published(id, stored.text("publish_time"), publication.clone(), stream, subscription);
        expected.assert_same(stored);
    }
}
