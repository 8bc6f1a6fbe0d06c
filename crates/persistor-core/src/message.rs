//! One message as the broker gave it: payload, identity, and everything around the payload that outlives a delivery.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::attribute::Attribute;
use crate::digest::{crc32c_hex, sha256_hex};
use crate::identity::{Entity, MessageId, Stream};
use crate::time::PublishTime;

/// What the broker itself says of a message beside its attributes. Nothing that belongs to one delivery is here
/// (delivery count, lock token, receive time): a record must not differ between two deliveries of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Property {
    /// Pub/Sub's ordering key: messages with the same one keep their order.
    OrderingKey,
    /// Service Bus' session id: messages with the same one keep their order.
    SessionId,
    /// The broker's running number within the entity or partition.
    Sequence,
    /// The partition a message was read from.
    Partition,
    /// The key that chose the partition.
    PartitionKey,
    /// The media type of the payload.
    ContentType,
    /// The id of the message that this one answers or belongs to.
    CorrelationId,
    /// The message id that the publisher chose, where the broker has an identity of its own.
    MessageId,
    /// What the message is about; a label.
    Subject,
    /// The address that an answer is asked for at.
    ReplyTo,
    /// The session that an answer is asked for in.
    ReplyToSessionId,
    /// The address the publisher sent to.
    To,
}

impl Property {
    /// Its name in a record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrderingKey => "ordering_key",
            Self::SessionId => "session_id",
            Self::Sequence => "sequence",
            Self::Partition => "partition",
            Self::PartitionKey => "partition_key",
            Self::ContentType => "content_type",
            Self::CorrelationId => "correlation_id",
            Self::MessageId => "message_id",
            Self::Subject => "subject",
            Self::ReplyTo => "reply_to",
            Self::ReplyToSessionId => "reply_to_session_id",
            Self::To => "to",
        }
    }
}

/// What the way in could not give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Fidelity {
    /// Attributes came as HTTP headers: lower-case names, and no way to tell them from headers that others added.
    Headers,
    /// The payload is text that the host wrote anew.
    HostText,
    /// The publish time came without its fraction.
    WholeSeconds,
}

impl Fidelity {
    /// Its name in a record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Headers => "headers",
            Self::HostText => "host-text",
            Self::WholeSeconds => "whole-seconds",
        }
    }
}

/// One message. Its payload is hashed once, when it is made.
#[derive(Clone, Debug)]
pub struct Message {
    pub(crate) entity: Entity,
    pub(crate) stream: Stream,
    pub(crate) id: MessageId,
    pub(crate) publish_time: PublishTime,
    pub(crate) attributes: BTreeMap<String, Attribute>,
    pub(crate) properties: BTreeMap<Property, Attribute>,
    pub(crate) fidelity: BTreeSet<Fidelity>,
    payload: Bytes,
    sha256: String,
    crc32c: String,
}

impl Message {
    /// A message without attributes and properties, of full fidelity.
    pub fn new(entity: Entity, stream: Stream, id: MessageId, publish_time: PublishTime, payload: Bytes) -> Self {
        let (sha256, crc32c) = (sha256_hex(&payload), crc32c_hex(&payload));
        Self {
            entity,
            stream,
            id,
            publish_time,
            attributes: BTreeMap::new(),
            properties: BTreeMap::new(),
            fidelity: BTreeSet::new(),
            payload,
            sha256,
            crc32c,
        }
    }

    /// The same message with these attributes, by name.
    #[must_use]
    pub fn with_attributes(mut self, attributes: BTreeMap<String, Attribute>) -> Self {
        self.attributes = attributes;
        self
    }

    /// The same message with one more property.
    #[must_use]
    pub fn with_property(mut self, property: Property, value: impl Into<Attribute>) -> Self {
        self.properties.insert(property, value.into());
        self
    }

    /// The same message, said to lack something that the way in could not give.
    #[must_use]
    pub fn with_fidelity(mut self, fidelity: Fidelity) -> Self {
        self.fidelity.insert(fidelity);
        self
    }

    /// The broker's full name of where it came from.
    pub fn entity(&self) -> &Entity {
        &self.entity
    }

    /// The short name of that entity in the archive.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The broker's identity of it.
    pub fn id(&self) -> &MessageId {
        &self.id
    }

    /// When the broker took it.
    pub fn publish_time(&self) -> &PublishTime {
        &self.publish_time
    }

    /// Its attributes by name.
    pub fn attributes(&self) -> &BTreeMap<String, Attribute> {
        &self.attributes
    }

    /// Its bytes, exactly as published.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// SHA-256 of the payload, 64 lower-case hex digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// CRC32C of the payload, 8 lower-case hex digits.
    pub fn crc32c(&self) -> &str {
        &self.crc32c
    }
}
