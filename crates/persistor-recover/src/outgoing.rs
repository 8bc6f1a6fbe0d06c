//! One message as it is to be sent: what a sink is given.

use std::collections::BTreeMap;

use bytes::Bytes;
use persistor_core::{Attribute, Property, Record};

/// A message on its way out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// The message's bytes.
    pub payload: Bytes,
    /// Attributes by name, with their types.
    pub attributes: BTreeMap<String, Attribute>,
    /// Pub/Sub's ordering key or Service Bus' session id: messages with the same one keep their order.
    pub ordering_key: Option<String>,
    /// What else a broker says of a message, by the names of [`Property`]: `content_type`, `correlation_id`, `message_id`, `subject`, `reply_to`, `reply_to_session_id`,
    /// `to`, `partition_key`. Nothing that a broker gives by itself.
    pub properties: BTreeMap<String, Attribute>,
    /// Which stored message it is, as far as that is known.
    pub original: Original,
}

/// Which stored message one is that is sent again. Texts as records have them; empty where nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Original {
    /// Its key in the archive.
    pub key: String,
    /// Its stream.
    pub stream: String,
    /// The broker's full name of where it came from.
    pub entity: String,
    /// The broker's identity of it.
    pub id: String,
    /// When the broker took it: RFC 3339 in UTC with `Z`.
    pub publish_time: String,
}

/// Properties that a broker gives by itself, so that nobody can send them.
pub(crate) const OF_BROKERS: [Property; 2] = [Property::Sequence, Property::Partition];
/// The properties that are an ordering key; the first one that a message has is it.
const ORDERING_KEYS: [Property; 2] = [Property::OrderingKey, Property::SessionId];

impl Outgoing {
    /// The message of a record, with its payload, as it was stored.
    pub fn new(key: &str, record: &Record, payload: Bytes) -> Self {
        let mut properties = record.properties().clone();
        for property in OF_BROKERS {
            properties.remove(property.as_str());
        }
        let mut ordering_key = None;
        for property in ORDERING_KEYS {
            let value = properties.remove(property.as_str());
            ordering_key = ordering_key.or(value.map(|value| value.text().to_owned()));
        }
        Self {
            payload,
            attributes: record.attributes().clone(),
            // The empty one is none, by the brokers' own rule.
            ordering_key: ordering_key.filter(|key| !key.is_empty()),
            properties,
            original: Original {
                key: key.to_owned(),
                stream: record.stream().to_string(),
                entity: record.entity().to_string(),
                id: record.id().to_string(),
                publish_time: record.publish_time().to_string(),
            },
        }
    }

    /// The text of a property.
    pub fn property(&self, property: Property) -> Option<&str> {
        self.properties.get(property.as_str()).map(Attribute::text)
    }
}
