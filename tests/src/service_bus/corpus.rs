//! Awkward messages for Service Bus, the same in every run: those of [`crate::corpus`] as far as they fit, with properties of every type.

use chrono::DateTime;

use crate::corpus::corpus as publications;
use crate::invocation::service_bus::{Message, Property};
use crate::pubsub::Publication;

/// The largest body of the Standard tier.
pub const LARGEST: usize = 256 * 1024;
/// All application properties of a message together.
const PROPERTIES: usize = 64 * 1024;
/// The longest message id.
const LONGEST_ID: usize = 128;

/// A property of every type that AMQP and Azure have, by the type's name.
///
/// # Panics
/// Never: its times are times.
pub fn typed() -> Vec<(&'static str, Property)> {
    let time = |text: &str| text.parse::<DateTime<chrono::Utc>>().expect("a time");
    vec![
        ("null", Property::Null),
        ("boolean", Property::Boolean(true)),
        ("byte", Property::Byte(i8::MIN)),
        ("ubyte", Property::UByte(u8::MAX)),
        ("short", Property::Short(i16::MIN)),
        ("ushort", Property::UShort(u16::MAX)),
        ("int", Property::Int(i32::MIN)),
        ("uint", Property::UInt(u32::MAX)),
        ("long", Property::Long(i64::MIN)),
        ("ulong", Property::ULong(u64::MAX)),
        ("float", Property::Float("0.1")),
        ("float whole", Property::Float("1.0")),
        ("double", Property::Double("1.7976931348623157E+308")),
        ("double not a number", Property::Double("NaN")),
        ("double infinite", Property::Double("-Infinity")),
        ("decimal", Property::Decimal("79228162514264337593543950335.0")),
        ("char", Property::Char('\u{e9}')),
        ("string", Property::text("\u{1F600}\0\"\\")),
        ("uuid", Property::Uuid("5a8e6f6e-9f3c-4c8d-9a51-0a3f6d0f7b11")),
        ("timestamp", Property::Timestamp(time("2026-11-22T05:50:39.120Z"))),
        ("binary", Property::Binary(vec![0, 255])),
        ("timespan", Property::TimeSpan("1.02:03:04.0050000")),
        ("datetime-offset", Property::DateTimeOffset(time("2026-11-22T05:50:39.1234567Z"))),
        ("uri", Property::Uri("https://example.com/a?b=%20")),
    ]
}

/// So many messages; equal seeds give equal ones.
pub fn corpus(count: usize, seed: u64) -> Vec<Message> {
    publications(count, seed).into_iter().enumerate().map(|(number, publication)| of(number, publication)).collect()
}

/// A message of Service Bus that has what a publication has, as far as it fits; what else it has comes from its number.
pub fn of(number: usize, publication: Publication) -> Message {
    let typed = typed();
    let mut size = 0;
    let text = publication.attributes.into_iter().take_while(|(name, value)| {
        size += name.len() + value.len();
        size <= PROPERTIES
    });
    let names: Vec<_> = text.collect();
    let id = names.first().map(|(name, _)| name.chars().take(LONGEST_ID / 4).collect::<String>()).filter(|id| !id.is_empty());
    let some = |every: usize, text: &str| number.is_multiple_of(every).then(|| format!("{text}-{number}\u{e9}\"\\"));
    let (name, property) = &typed[number % typed.len()];
    let mut application_properties: Vec<_> = names.into_iter().map(|(name, value)| (name, Property::Text(value))).collect();
    application_properties.push((format!("a {name}"), property.clone()));
    Message {
        body: publication.payload.slice(..publication.payload.len().min(LARGEST)),
        // Every tenth has none, and many have one that others have, too.
        message_id: if number.is_multiple_of(10) { None } else { id.or_else(|| Some(format!("message-{}", number % 7))) },
        content_type: some(3, "type"),
        correlation_id: some(4, "correlation"),
        subject: some(5, "subject"),
        to: some(6, "to"),
        reply_to: some(7, "reply"),
        session_id: Some(format!("session-{}", number % 20)),
        reply_to_session_id: some(8, "reply-session"),
        partition_key: some(9, "key"),
        transaction_partition_key: some(11, "transaction"),
        application_properties,
    }
}
