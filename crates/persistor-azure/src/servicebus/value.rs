//! An attribute as a typed value of AMQP 1.0. The table of types is in the documentation of [`AmqpSink`](super::AmqpSink).

use fe2o3_amqp_types::messaging::MessageId;
use fe2o3_amqp_types::primitives::{SimpleValue, Symbol, Timestamp, Uuid};
use persistor_core::{Attribute, PublishTime};
use serde_amqp::primitives::{Binary, Dec32, Dec64, Dec128};

use super::decimal::{decimal32, decimal64, decimal128};

/// The value with its type; a string of its text where AMQP has no such type, or the text is none of it.
pub(super) fn value(attribute: &Attribute) -> SimpleValue {
    typed(attribute).unwrap_or_else(|| SimpleValue::String(attribute.text().to_owned()))
}

fn typed(attribute: &Attribute) -> Option<SimpleValue> {
    let text = attribute.text();
    match attribute.type_name()? {
        "null" => Some(SimpleValue::Null),
        "boolean" => attribute.to().map(SimpleValue::Bool),
        "int8" => attribute.to().map(SimpleValue::Byte),
        "int16" => attribute.to().map(SimpleValue::Short),
        "int32" => attribute.to().map(SimpleValue::Int),
        "int64" => attribute.to().map(SimpleValue::Long),
        "uint8" => attribute.to().map(SimpleValue::Ubyte),
        "uint16" => attribute.to().map(SimpleValue::Ushort),
        "uint32" => attribute.to().map(SimpleValue::Uint),
        "uint64" => attribute.to().map(SimpleValue::Ulong),
        "float" => attribute.to::<f32>().map(SimpleValue::from),
        "double" => attribute.to::<f64>().map(SimpleValue::from),
        "number" => number(text),
        "char" => attribute.to().map(SimpleValue::Char),
        "bytes" => attribute.to::<Vec<u8>>().map(|bytes| SimpleValue::Binary(Binary::from(bytes))),
        "timestamp" => attribute.to::<PublishTime>().map(|time| SimpleValue::Timestamp(Timestamp::from(milliseconds(&time)))),
        "uuid" => uuid(text).map(SimpleValue::Uuid),
        "symbol" => text.is_ascii().then(|| SimpleValue::Symbol(Symbol::from(text))),
        "decimal32" => decimal32(text).map(|bits| SimpleValue::Decimal32(Dec32::from(bits))),
        "decimal64" => decimal64(text).map(|bits| SimpleValue::Decimal64(Dec64::from(bits))),
        "decimal128" => decimal128(text).map(|bits| SimpleValue::Decimal128(Dec128::from(bits))),
        _ => None,
    }
}

/// The id of a message, of which AMQP has four types.
pub(super) fn message_id(attribute: &Attribute) -> MessageId {
    match typed(attribute) {
        Some(SimpleValue::Ulong(number)) => MessageId::Ulong(number),
        Some(SimpleValue::Uuid(uuid)) => MessageId::Uuid(uuid),
        Some(SimpleValue::Binary(bytes)) => MessageId::Binary(bytes),
        _ => MessageId::String(attribute.text().to_owned()),
    }
}

/// A JSON number: whole ones as the integer that holds them.
fn number(text: &str) -> Option<SimpleValue> {
    let long = || text.parse().ok().map(SimpleValue::Long);
    let unsigned = || text.parse().ok().map(SimpleValue::Ulong);
    let double = || text.parse().ok().filter(|double: &f64| double.is_finite());
    // Minus zero is a number of its own.
    let whole = if text == "-0" { None } else { long().or_else(unsigned) };
    whole.or_else(|| double().map(SimpleValue::from))
}

/// Since 1970; what is finer is cut off.
fn milliseconds(time: &PublishTime) -> i64 {
    let digits: String = time.fraction().chars().chain("000".chars()).take(3).collect();
    time.second().and_utc().timestamp() * 1000 + digits.parse::<i64>().unwrap_or_default()
}

fn uuid(text: &str) -> Option<Uuid> {
    let hyphens = [8, 13, 18, 23];
    let bytes = text.as_bytes();
    if bytes.len() != 36 || !hyphens.iter().all(|at| bytes[*at] == b'-') {
        return None;
    }
    let hex: String = text.chars().filter(|character| character.is_ascii_hexdigit()).collect();
    if hex.len() != 32 {
        return None;
    }
    u128::from_str_radix(&hex, 16).ok().map(|number| Uuid::from(number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(type_name: &str, text: &str) -> SimpleValue {
        value(&Attribute::typed(type_name, text).expect("a type"))
    }

    #[test]
    fn each_type_is_restored() {
        assert_eq!(value(&"7".into()), SimpleValue::String("7".to_owned()));
        assert_eq!(of("null", ""), SimpleValue::Null);
        assert_eq!(of("boolean", "true"), SimpleValue::Bool(true));
        assert_eq!(of("int8", "-7"), SimpleValue::Byte(-7));
        assert_eq!(of("int16", "-7"), SimpleValue::Short(-7));
        assert_eq!(of("int32", "-7"), SimpleValue::Int(-7));
        assert_eq!(of("int64", "-7"), SimpleValue::Long(-7));
        assert_eq!(of("uint8", "7"), SimpleValue::Ubyte(7));
        assert_eq!(of("uint16", "7"), SimpleValue::Ushort(7));
        assert_eq!(of("uint32", "7"), SimpleValue::Uint(7));
        assert_eq!(of("uint64", "18446744073709551615"), SimpleValue::Ulong(u64::MAX));
        assert_eq!(of("float", "0.1"), SimpleValue::from(0.1_f32));
        assert_eq!(of("double", "-inf"), SimpleValue::from(f64::NEG_INFINITY));
        assert_eq!(of("char", "\u{1f600}"), SimpleValue::Char('\u{1f600}'));
        assert_eq!(of("bytes", "AP8="), SimpleValue::Binary(Binary::from(vec![0, 255])));
        assert_eq!(of("symbol", "a:b"), SimpleValue::Symbol(Symbol::from("a:b")));
        let uuid = Uuid::from([0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0]);
        assert_eq!(of("uuid", "123e4567-E89b-12d3-a456-426614174000"), SimpleValue::Uuid(uuid));
        assert_eq!(of("decimal128", "1"), SimpleValue::Decimal128(Dec128::from(decimal128("1").expect("a number"))));
    }

    #[test]
    fn times_are_milliseconds() {
        for (text, milliseconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01T00:00:01.5Z", 1500),
            ("1970-01-01T00:00:00.0019999Z", 1),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2026-11-22T05:40:12.503Z", 1_795_326_012_503),
        ] {
            assert_eq!(of("timestamp", text), SimpleValue::Timestamp(Timestamp::from(milliseconds)), "{text}");
        }
    }

    #[test]
    fn a_number_is_whole_where_it_fits() {
        assert_eq!(of("number", "-7"), SimpleValue::Long(-7));
        assert_eq!(of("number", "9223372036854775807"), SimpleValue::Long(i64::MAX));
        assert_eq!(of("number", "9223372036854775808"), SimpleValue::Ulong(1 << 63));
        assert_eq!(of("number", "18446744073709551616"), SimpleValue::from(18_446_744_073_709_551_616.0));
        assert_eq!(of("number", "1e3"), SimpleValue::from(1000.0));
        assert_eq!(of("number", "-0"), SimpleValue::from(-0.0));
        assert_eq!(of("number", "1e999"), SimpleValue::String("1e999".to_owned()));
    }

    #[test]
    fn what_has_no_type_or_no_such_text_is_its_text() {
        for (type_name, text) in [
            ("json", "[1,2]"),
            ("timespan", "PT1S"),
            ("int8", "300"),
            ("boolean", "yes"),
            ("bytes", "?"),
            ("char", "ab"),
            ("timestamp", "yesterday"),
            ("uuid", "123e4567e89b12d3a456426614174000"),
            ("uuid", "123e4567-e89b-12d3-a456-42661417400x"),
            ("symbol", "ü"),
            ("decimal32", "12345678"),
            ("number", "x"),
        ] {
            assert_eq!(of(type_name, text), SimpleValue::String(text.to_owned()), "{type_name}");
        }
    }

    #[test]
    fn an_id_keeps_the_types_that_ids_have() {
        let id = |type_name: &str, text: &str| message_id(&Attribute::typed(type_name, text).expect("a type"));
        assert_eq!(id("uint64", "7"), MessageId::Ulong(7));
        assert_eq!(id("bytes", "AP8="), MessageId::Binary(Binary::from(vec![0, 255])));
        assert_eq!(id("int32", "7"), MessageId::String("7".to_owned()));
        assert_eq!(message_id(&"a".into()), MessageId::String("a".to_owned()));
    }
}
