//! The order in which messages are sent: publish time, then the broker's sequence number where there is one, then the id, as a number if it is one. As bytes that sort so.

use persistor_core::{Property, Record};

use crate::selection::instant;

/// What sorts a message among others, by its bytes; no one is the beginning of another.
pub(crate) fn sequence(record: &Record) -> Vec<u8> {
    let time = instant(record.publish_time()).and_utc();
    let mut bytes = Vec::with_capacity(64);
    // The sign is turned over, so that times before 1970 come first.
    bytes.extend_from_slice(&(time.timestamp() ^ i64::MIN).to_be_bytes());
    bytes.extend_from_slice(&time.timestamp_subsec_nanos().to_be_bytes());
    let sequence = record.properties().get(Property::Sequence.as_str()).and_then(|value| value.text().parse::<i128>().ok());
    bytes.extend_from_slice(&(sequence.unwrap_or(i128::MIN) ^ i128::MIN).to_be_bytes());
    let id = record.id().as_str();
    match id.parse::<u128>() {
        // A sign is no digit.
        Ok(number) if id.bytes().all(|byte| byte.is_ascii_digit()) => {
            bytes.push(0);
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        _ => {
            bytes.push(1);
            for byte in id.bytes() {
                bytes.push(byte);
                if byte == 0 {
                    bytes.push(0xFF);
                }
            }
            bytes.extend_from_slice(&[0, 0]);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use persistor_core::{Entity, Message, MessageId, PublishTime, Stream};

    use super::*;

    fn record(time: &str, number: Option<&str>, id: &str) -> Record {
        let entity = Entity::new("projects/p/subscriptions/s").expect("entity");
        let stream = Stream::new("orders").expect("stream");
        let time = PublishTime::parse(time).expect("time");
        let message = Message::new(entity, stream, MessageId::new(id).expect("id"), time, Bytes::new());
        Record::from(&match number {
            Some(number) => message.with_property(Property::Sequence, number),
            None => message,
        })
    }

    #[test]
    fn time_comes_before_sequence_and_sequence_before_id() {
        let ordered = [
            record("0001-01-01T00:00:00Z", None, "9"),
            record("1969-12-31T23:59:59.9Z", None, "9"),
            record("1970-01-01T00:00:00Z", None, "9"),
            record("2026-11-22T05:40:12Z", None, "9"),
            record("2026-11-22T05:40:12Z", None, "10"),
            record("2026-11-22T05:40:12Z", None, "100"),
            record("2026-11-22T05:40:12Z", None, "a"),
            record("2026-11-22T05:40:12Z", None, "a\0"),
            record("2026-11-22T05:40:12Z", None, "a\0a"),
            record("2026-11-22T05:40:12Z", None, "ab"),
            record("2026-11-22T05:40:12Z", Some("-7"), "x"),
            record("2026-11-22T05:40:12Z", Some("9"), "x"),
            record("2026-11-22T05:40:12Z", Some("10"), "a"),
            record("2026-11-22T05:40:12.000000001Z", Some("1"), "a"),
            record("2026-11-22T05:40:12.1Z", None, "1"),
            record("2026-11-22T05:40:12.12Z", None, "0"),
            record("9999-12-31T23:59:59.999999999Z", None, "0"),
        ];
        let sequences: Vec<_> = ordered.iter().map(sequence).collect();
        for (at, pair) in sequences.windows(2).enumerate() {
            assert!(pair[0] < pair[1], "{at}");
        }
        let longer = |a: &[u8], b: &[u8]| a != b && b.starts_with(a);
        assert!(!sequences.iter().any(|a| sequences.iter().any(|b| longer(a, b))));
        // The digits of a fraction are the broker's, and the moment is the same.
        let same = |fraction: &str| sequence(&record(&format!("2026-11-22T05:40:12{fraction}Z"), None, "1"));
        assert_eq!(same(".5"), same(".500"));
    }
}
