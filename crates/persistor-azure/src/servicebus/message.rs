//! A message as AMQP 1.0 has it, and what of it Service Bus would not take.

use fe2o3_amqp_types::messaging::annotations::OwnedKey;
use fe2o3_amqp_types::messaging::message::__private::Serializable;
use fe2o3_amqp_types::messaging::{
    ApplicationProperties, Data, Header, Message, MessageAnnotations, MessageId, Properties, SerializableBody,
};
use fe2o3_amqp_types::primitives::{Symbol, Value};
use persistor_core::Property;
use persistor_recover::Outgoing;
use serde_amqp::primitives::Binary;

use super::value::{message_id, value};

/// The annotation that chooses a partition: <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide>.
pub(super) const PARTITION_KEY: &str = "x-opt-partition-key";
/// The longest message id, session id and partition key of Service Bus, in UTF-16 code units:
/// <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-quotas>.
const LONGEST: usize = 128;

/// Whose rules hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    ServiceBus,
    /// Of any other broker: AMQP's own.
    Plain,
}

/// The message. Neither a time to live nor a scheduled time is set: both belong to the day it was first sent on.
pub(super) fn amqp(message: &Outgoing, dialect: Dialect) -> Message<Data> {
    let text = |property: Property| message.property(property).map(str::to_owned);
    let id = |property: Property| message.properties.get(property.as_str()).map(message_id);
    let properties = Properties {
        message_id: id(Property::MessageId).or_else(|| original_id(message)),
        to: text(Property::To),
        subject: text(Property::Subject),
        reply_to: text(Property::ReplyTo),
        correlation_id: id(Property::CorrelationId),
        content_type: text(Property::ContentType).map(Symbol::from),
        group_id: message.ordering_key.clone(),
        reply_to_group_id: text(Property::ReplyToSessionId),
        ..Properties::default()
    };
    let mut application_properties = ApplicationProperties::builder().build();
    for (name, attribute) in &message.attributes {
        application_properties.0.insert(name.clone(), value(attribute));
    }
    Message {
        header: Some(Header { durable: true, ..Header::default() }),
        delivery_annotations: None,
        message_annotations: partition_key(message, dialect).map(annotations),
        properties: Some(properties),
        application_properties: Some(application_properties).filter(|properties| !properties.0.is_empty()),
        body: Data(Binary::from(message.payload.to_vec())),
        footer: None,
    }
}

/// With a session there is none: the session chooses the partition.
pub(super) fn partition_key(message: &Outgoing, dialect: Dialect) -> Option<&str> {
    let key = message.property(Property::PartitionKey).filter(|key| !key.is_empty());
    key.filter(|_| dialect == Dialect::ServiceBus && message.ordering_key.is_none())
}

pub(super) fn annotations(partition_key: &str) -> MessageAnnotations {
    let mut annotations = MessageAnnotations::builder().build();
    annotations.0.insert(OwnedKey::from(PARTITION_KEY), Value::String(partition_key.to_owned()));
    annotations
}

/// The broker's own id, so that the same stored message has the same one whenever it is sent; none where it would be too long.
fn original_id(message: &Outgoing) -> Option<MessageId> {
    let id = &message.original.id;
    (!id.is_empty() && units(id) <= LONGEST).then(|| MessageId::String(id.clone()))
}

/// The bytes that go over the wire.
pub(super) fn encoded<B: SerializableBody>(message: &Message<B>) -> Result<Vec<u8>, serde_amqp::Error> {
    serde_amqp::to_vec(&Serializable(message))
}

/// Why it cannot be sent, in words without values.
pub(super) fn refusal(message: &Outgoing, dialect: Dialect) -> Option<String> {
    if message.property(Property::ContentType).is_some_and(|text| !text.is_ascii()) {
        return Some("its content type is not ASCII, as AMQP wants it".to_owned());
    }
    if dialect == Dialect::Plain {
        return None;
    }
    let named = [
        ("message id", message.property(Property::MessageId)),
        ("session id", message.ordering_key.as_deref()),
        ("reply-to session id", message.property(Property::ReplyToSessionId)),
        ("partition key", partition_key(message, dialect)),
    ];
    named.into_iter().find_map(|(name, text)| {
        let length = units(text?);
        (length > LONGEST).then(|| format!("its {name} has {length} characters, and Service Bus takes {LONGEST}"))
    })
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use persistor_core::Attribute;

    use super::*;

    fn message(properties: &[(Property, &str)]) -> Outgoing {
        let properties = properties.iter().map(|(name, text)| (name.as_str().to_owned(), Attribute::from(*text))).collect();
        Outgoing { payload: vec![0, 255].into(), properties, ..Outgoing::default() }
    }

    #[test]
    fn what_a_broker_says_of_a_message_is_said_again() {
        let mut all = message(&[
            (Property::ContentType, "text/plain"),
            (Property::CorrelationId, "c"),
            (Property::MessageId, "m"),
            (Property::Subject, "s"),
            (Property::To, "t"),
            (Property::ReplyTo, "r"),
            (Property::ReplyToSessionId, "rs"),
            (Property::PartitionKey, "p"),
        ]);
        all.original.id = "7-m".to_owned();
        let sent = amqp(&all, Dialect::ServiceBus);
        let properties = sent.properties.expect("properties");
        let expected = Properties {
            message_id: Some("m".to_owned().into()),
            to: Some("t".to_owned()),
            subject: Some("s".to_owned()),
            reply_to: Some("r".to_owned()),
            correlation_id: Some("c".to_owned().into()),
            content_type: Some(Symbol::from("text/plain")),
            reply_to_group_id: Some("rs".to_owned()),
            ..Properties::default()
        };
        assert_eq!(properties, expected);
        assert_eq!(sent.message_annotations, Some(annotations("p")));
        assert_eq!(sent.body, Data(Binary::from(vec![0, 255])));
        let header = sent.header.expect("a header");
        assert!(header.durable && header.ttl.is_none());
        assert_eq!(sent.application_properties, None);
    }

    #[test]
    fn a_session_is_the_group_and_leaves_no_partition_key() {
        let mut keyed = message(&[(Property::PartitionKey, "p")]);
        assert_eq!(amqp(&keyed, Dialect::Plain).message_annotations, None);
        keyed.ordering_key = Some("k".to_owned());
        let sent = amqp(&keyed, Dialect::ServiceBus);
        assert_eq!(sent.message_annotations, None);
        assert_eq!(sent.properties.and_then(|properties| properties.group_id).as_deref(), Some("k"));
    }

    #[test]
    fn the_brokers_id_stands_in_for_the_publishers_where_it_fits() {
        let id = |length: usize| {
            let mut stored = message(&[]);
            stored.original.id = "ü".repeat(length);
            amqp(&stored, Dialect::ServiceBus).properties.and_then(|properties| properties.message_id)
        };
        assert_eq!(id(0), None);
        assert_eq!(id(128), Some("ü".repeat(128).into()));
        assert_eq!(id(129), None);
    }

    #[test]
    fn what_is_too_long_is_refused_by_name() {
        let long = "ü".repeat(129);
        for property in [Property::MessageId, Property::ReplyToSessionId, Property::PartitionKey] {
            assert_eq!(refusal(&message(&[(property, &long[2..])]), Dialect::ServiceBus), None);
            let words = refusal(&message(&[(property, &long)]), Dialect::ServiceBus).expect("too long");
            assert!(words.contains("129") && !words.contains('ü'), "{words}");
            assert_eq!(refusal(&message(&[(property, &long)]), Dialect::Plain), None);
        }
        let session = Outgoing { ordering_key: Some(long), ..Outgoing::default() };
        assert!(refusal(&session, Dialect::ServiceBus).is_some() && refusal(&session, Dialect::Plain).is_none());
        assert!(refusal(&message(&[(Property::ContentType, "ü")]), Dialect::Plain).is_some());
    }
}
