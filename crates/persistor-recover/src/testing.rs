//! What the unit tests of this crate share: messages and their records.

use bytes::Bytes;
use persistor_core::{Attribute, Entity, Message, MessageId, PublishTime, Record, Stream};

/// A message of a stream, published at a time.
fn message(stream: &str, id: &str, time: &str, payload: &'static [u8]) -> Message {
    Message::new(
        Entity::new(format!("projects/p/subscriptions/{stream}")).expect("text"),
        Stream::new(stream).expect("text"),
        MessageId::new(id).expect("text"),
        PublishTime::parse(time).expect("a time"),
        Bytes::from_static(payload),
    )
}

/// The record of some message with these attributes.
pub(crate) fn record_with<const N: usize>(attributes: [(&str, Attribute); N]) -> Record {
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value)).into();
    Record::from(&message("orders", "1", "2026-11-22T05:40:12.503Z", b"payload").with_attributes(attributes))
}
