//! The stored form is held by files: a change of a byte is a change of the format. `UPDATE_GOLDEN=1 cargo test` writes them anew.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use persistor_core::{
    Attribute, Entity, ErrorKind, Fidelity, Layout, Message, MessageId, Property, PublishTime, Record, Stream, Template,
};

fn message(payload: &[u8]) -> Message {
    Message::new(
        Entity::new("projects/shop/subscriptions/orders-archive").expect("not empty"),
        Stream::new("orders").expect("not empty"),
        MessageId::new("14217110643").expect("not empty"),
        PublishTime::parse("2026-11-22T05:40:12.503Z").expect("valid"),
        Bytes::copy_from_slice(payload),
    )
}

/// Compares with the file of that name, which is what FORMAT.md promises to readers.
fn check(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).expect("write");
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(text, golden, "{name}");
}

fn check_record(name: &str, message: &Message) {
    let text = Record::from(message).encode();
    check(name, &text);
    assert_eq!(Record::decode(&text).expect("a golden record").encode(), text, "{name}");
}

#[test]
fn records() {
    check_record("record-empty.json", &message(b""));
    let attributes = [("source", "web"), ("größe", "x\u{7f}\u{1F600}\n\"\\/"), ("", "")];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), Attribute::from(value))).into();
    check_record(
        "record-pubsub.json",
        &message(b"hello").with_attributes(attributes).with_property(Property::OrderingKey, "customer 7"),
    );
    check_record(
        "record-headers.json",
        &message(b"\0\xff").with_fidelity(Fidelity::WholeSeconds).with_fidelity(Fidelity::Headers),
    );
}

#[test]
fn one_record_of_each_type() {
    let time = PublishTime::parse("2026-11-22T05:40:12.123456789Z").expect("valid");
    let typed = |name: &str, text: &str| Attribute::typed(name, text).expect("a name");
    let types: Vec<(&str, Vec<Attribute>)> = vec![
        ("string", vec!["".into(), "7".into()]),
        ("boolean", vec![true.into(), false.into()]),
        ("int8", vec![i8::MIN.into(), i8::MAX.into()]),
        ("int16", vec![i16::MIN.into(), i16::MAX.into()]),
        ("int32", vec![i32::MIN.into(), i32::MAX.into()]),
        ("int64", vec![i64::MIN.into(), i64::MAX.into()]),
        ("uint8", vec![u8::MAX.into()]),
        ("uint16", vec![u16::MAX.into()]),
        ("uint32", vec![u32::MAX.into()]),
        ("uint64", vec![u64::MAX.into()]),
        ("float", vec![0.1_f32.into(), (-0.0_f32).into(), f32::NAN.into(), f32::INFINITY.into(), f32::MIN_POSITIVE.into()]),
        ("double", vec![0.1_f64.into(), (-0.0_f64).into(), f64::NAN.into(), f64::NEG_INFINITY.into(), f64::MAX.into()]),
        ("bytes", vec![(&b""[..]).into(), (&b"\0\xff"[..]).into()]),
        ("char", vec!['x'.into(), '\u{1F600}'.into()]),
        ("timestamp", vec![time.into()]),
        ("number", vec![typed("number", "1e3")]),
        ("unknown", vec![typed("uuid", "00000000-0000-0000-0000-000000000000"), typed("made-up", "\0 whatever ")]),
    ];
    for (name, values) in types {
        let attributes: BTreeMap<_, _> = values.into_iter().enumerate().map(|(n, value)| (format!("a{n}"), value)).collect();
        check_record(&format!("type-{name}.json"), &message(b"").with_attributes(attributes));
    }
}

#[test]
fn unknown_members_survive() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/record-later-members.json");
    let text = std::fs::read_to_string(path).expect("a golden file written by hand");
    let record = Record::decode(&text).expect("readable");
    assert_eq!(record.encode(), text);
    assert_eq!(record.id().as_str(), "14217110643");
}

#[test]
fn what_a_later_version_requires_is_refused_and_not_called_damage() {
    let text = Record::from(&message(b"")).encode();
    for (old, new) in [
        ("\"requires\":[]", "\"requires\":[\"decrypt\"]"),
        ("persistor/1", "persistor/2"),
        ("\"kind\":\"message\"", "\"kind\":\"bundle\""),
    ] {
        let error = Record::decode(&text.replace(old, new)).expect_err("not for this version");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{new}");
    }
    let error = Record::decode(r#"{"format":"persistor/1","kind":"bundle","requires":[],"count":3}"#).expect_err("a number");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "a later document may hold numbers");
    let error = Record::decode(&text.replace("\"length\":\"0\"", "\"length\":\"1\"")).expect_err("altered");
    assert_eq!(error.kind(), ErrorKind::Damaged);
}

#[test]
fn layouts() {
    check("layout-default.json", &Layout::default().encode());
    let sharded = Template::parse("{shard:2}/{stream}/{time:%Y/%m/%d}/{attribute:tenant|none}/{id}-{digest}").expect("valid");
    check("layout-sharded.json", &Layout::new(sharded).encode());
    assert_eq!(Layout::default().key().as_str(), DEFAULT_LAYOUT);
    assert_eq!(
        Layout::default().template().render(&message(b"hello")).as_str(),
        "orders/2026/11/22/05/4012-14217110643-2cf24dba5fb0a30e26e83b2ac5b9e29e"
    );
}

/// `sha256sum golden/layout-default.json | cut -c1-32`
const DEFAULT_LAYOUT: &str = "_persistor/layout/a8dbfeaeb189401d88c9cb8a9bd987f5.json";
