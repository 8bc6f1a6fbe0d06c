//! What a message may have, before a broker says it and after.

use persistor_recover::{Audience, Capabilities};

/// A message in the tier Standard, with all that is around it: <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-quotas>.
const STANDARD: u64 = 256 * 1024;
/// Application properties, all and each.
const PROPERTIES: u64 = 64 * 1024;
const PROPERTY: usize = 32 * 1024;
/// What is around a message on the wire, at most: the heads of its sections and their fields.
const OVERHEAD: u64 = 256;
/// The heads of a name and a value, and what a number has more bytes than digits.
const PER_ATTRIBUTE: u64 = 24;
/// The most messages that are worth handing over at once.
const AT_ONCE: usize = 500;
/// The bytes of a call to a broker that says no limit.
const BYTES_AT_ONCE: u64 = 1024 * 1024;

/// Of Service Bus, before it says what its link takes.
pub(super) fn of_service_bus() -> Capabilities {
    Capabilities {
        message: Some(STANDARD),
        attribute_value: Some(PROPERTY),
        attributes_total: Some(PROPERTIES),
        batch: (AT_ONCE, STANDARD),
        ..limits()
    }
}

/// Of any other broker.
pub(super) fn of_a_broker() -> Capabilities {
    Capabilities { batch: (AT_ONCE, BYTES_AT_ONCE), ..limits() }
}

/// The same with what the link takes; none is no limit.
pub(super) fn learnt(presumed: &Capabilities, message: Option<u64>) -> Capabilities {
    let bytes = message.map_or(presumed.batch.1, |limit| limit.min(BYTES_AT_ONCE));
    Capabilities { message, batch: (AT_ONCE, bytes), ..presumed.clone() }
}

/// What holds for every broker. An address does not tell a queue from a topic, so all that might read are said to.
fn limits() -> Capabilities {
    Capabilities {
        overhead: OVERHEAD,
        attribute_overhead: PER_ATTRIBUTE,
        audience: Audience::AllSubscribers,
        ..Capabilities::unlimited()
    }
}

#[cfg(test)]
mod tests {
    use persistor_core::Attribute;
    use persistor_recover::Outgoing;

    use super::super::message::{Dialect, amqp, encoded};
    use super::*;

    /// The bounds of the capabilities are above what really goes over the wire.
    #[test]
    fn nothing_is_larger_on_the_wire_than_it_counts_for() {
        let typed = |name: &str, text: &str| Attribute::typed(name, text).expect("a type");
        let long = "x".repeat(300);
        let mut message = Outgoing { payload: vec![0; 300].into(), ordering_key: Some(long.clone()), ..Outgoing::default() };
        message.original.id = "7".repeat(128);
        for (at, value) in [
            typed("decimal128", "1"),
            typed("int64", "300"),
            typed("uuid", "123e4567-e89b-12d3-a456-426614174000"),
            typed("double", "1"),
            typed("null", ""),
            typed("number", "1"),
            typed("timestamp", "2026-11-22T05:40:12Z"),
            long.as_str().into(),
            "".into(),
        ]
        .into_iter()
        .enumerate()
        {
            message.attributes.insert(format!("{at}{long}"), value);
        }
        for name in ["content_type", "correlation_id", "subject", "to", "reply_to", "reply_to_session_id"] {
            message.properties.insert(name.to_owned(), long.as_str().into());
        }
        let wire = encoded(&amqp(&message, Dialect::ServiceBus)).expect("encodable").len() as u64;
        let counted = limits().size(&message, 300);
        assert!(wire <= counted, "{wire} {counted}");
        let keyed = |key: &str| {
            let properties = [("partition_key".to_owned(), Attribute::from(key))].into_iter().collect();
            Outgoing { properties, ..Outgoing::default() }
        };
        let wire = encoded(&amqp(&keyed(&long), Dialect::ServiceBus)).expect("encodable").len() as u64;
        assert!(wire <= limits().size(&keyed(&long), 0));
    }
}
