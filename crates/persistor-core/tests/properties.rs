//! Properties of keys and records that hold for every message, however hostile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use persistor_core::testing::check_kept;
use persistor_core::{
    Attribute, Entity, ErrorKind, Fidelity, FolderStore, Key, Layout, MemoryStore, Message, MessageId, Outcome, Persist,
    Property, PublishTime, Reader, Record, RecordPlace, Stream, Template, Writer, escape, unescape,
};
use proptest::prelude::*;

const TEMPLATES: [&str; 5] = [
    persistor_core::DEFAULT_TEMPLATE,
    "{shard:2}/{stream}/{time:%Y-%m-%d/%H%M%S}/{id}-{digest}",
    "{time:%Y/%m/%d/%H/%M/%S}/{stream}/x-{attribute:tenant|none}-y/{shard:8}-{id}-z{digest}",
    "{stream}/{time:%Y%m%d%H%M%S}-{id}{digest}",
    "a.b/{time:%Y/%m/%d/%H/%M/%S}/v-{stream}-w/{id}/{digest}",
];

#[derive(Clone, Debug, PartialEq)]
struct Parts {
    stream: String,
    id: String,
    second: (i32, u32, u32, u32, u32, u32),
    payload: Vec<u8>,
    tenant: Option<String>,
}

impl Parts {
    fn message(&self) -> Message {
        let (year, month, day, hour, minute, second) = self.second;
        let time = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.5Z");
        let attributes = self.tenant.iter().map(|tenant| ("tenant".to_owned(), Attribute::from(tenant.as_str()))).collect();
        Message::new(
            Entity::new("e").expect("not empty"),
            Stream::new(self.stream.as_str()).expect("not empty"),
            MessageId::new(self.id.as_str()).expect("not empty"),
            PublishTime::parse(&time).expect("valid"),
            Bytes::from(self.payload.clone()),
        )
        .with_attributes(attributes)
    }
}

/// Values that look for a way out: of the segment, of the alphabet, of the limits, or into another value's key.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c._~/-]{1,6}",
        "(~|_|\\.|2E|5F|7E|-){1,5}",
        "\\PC{1,40}",
        any::<String>().prop_filter("not empty", |text| !text.is_empty()),
        "[a.é]{110,130}",
        "[a-b]{119,122}",
        Just("../../etc/passwd".to_owned()),
        Just("x".repeat(5000)),
    ]
}

fn second() -> impl Strategy<Value = (i32, u32, u32, u32, u32, u32)> {
    (prop_oneof![Just(1), Just(2026), Just(9999)], 1..13_u32, 1..29_u32, 0..24_u32, 0..60_u32, 0..60_u32)
}

fn parts() -> impl Strategy<Value = Parts> {
    (value(), value(), second(), proptest::collection::vec(any::<u8>(), 0..4), proptest::option::of(value()))
        .prop_map(|(stream, id, second, payload, tenant)| Parts { stream, id, second, payload, tenant })
}

/// What a key of this template is a function of.
fn identity(template: &str, parts: &Parts) -> Parts {
    let tenant = template.contains("tenant").then(|| parts.tenant.clone().unwrap_or_else(|| "none".to_owned()));
    Parts { tenant, ..parts.clone() }
}

fn obeys_all_stores(name: &str) -> bool {
    name.len() <= 1024
        && name.split('/').all(|segment| {
            (1..=255).contains(&segment.len())
                && !segment.starts_with(['.', '_'])
                && !segment.ends_with('.')
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-~".contains(&b))
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_key_reads_back_as_the_encoded_values(parts in parts(), template in proptest::sample::select(&TEMPLATES[..])) {
        let key = Template::parse(template).expect("valid").render(&parts.message());
        let read = Template::parse(template).expect("valid").read(&key).expect("an own key");
        prop_assert_eq!(read.stream, Some(escape(&parts.stream)));
        prop_assert_eq!(read.id, escape(&parts.id));
        let message = parts.message();
        prop_assert_eq!(&read.digest, &message.sha256()[..32]);
        let (year, month, day, hour, minute, second) = parts.second;
        prop_assert_eq!(read.date, [u32::try_from(year).expect("positive"), month, day, hour, minute, second]);
        if template.contains("tenant") {
            prop_assert_eq!(&read.attributes["tenant"], &escape(parts.tenant.as_deref().unwrap_or("none")));
        }
    }

    #[test]
    fn every_name_obeys_every_store(parts in parts(), template in proptest::sample::select(&TEMPLATES[..])) {
        let key = Template::parse(template).expect("valid").render(&parts.message());
        prop_assert!(obeys_all_stores(key.as_str()), "{}", key);
        prop_assert!(obeys_all_stores(key.record().expect("room for it").as_str()));
        prop_assert!(!key.is_reserved());
        prop_assert_eq!(key.as_str().matches('/').count(), template.matches('/').count(), "no value leaves its segment");
    }

    #[test]
    fn different_messages_have_different_keys(a in parts(), b in parts(), mix in 0..32_u8, template in proptest::sample::select(&TEMPLATES[..])) {
        // Two messages that share all but some parts: the nearest there are.
        let near = Parts {
            stream: if mix & 1 == 0 { a.stream.clone() } else { b.stream },
            id: if mix & 2 == 0 { a.id.clone() } else { b.id },
            second: if mix & 4 == 0 { a.second } else { b.second },
            payload: if mix & 8 == 0 { a.payload.clone() } else { b.payload },
            tenant: if mix & 16 == 0 { a.tenant.clone() } else { b.tenant },
        };
        let rules = Template::parse(template).expect("valid");
        let same = identity(template, &a) == identity(template, &near);
        prop_assert_eq!(rules.render(&a.message()) == rules.render(&near.message()), same);
    }

    #[test]
    fn escapes_read_back_and_never_collide(a in value(), b in value()) {
        let whole = unescape(&escape(&a)).expect("an own escape");
        prop_assert!(whole.is_none_or(|whole| whole == a));
        prop_assert_eq!(escape(&a) == escape(&b), a == b);
    }

    #[test]
    fn what_reads_is_what_renders(text in "(orders|~_|_a|a~2Fb)/(2026|0000)/(11|13)/(22|30|31)/05/(4012|4060)-[a.~_]{1,3}-[0-9a-f]{32}") {
        // Reading is strict: what a template reads as a whole value it would render to the same text.
        let template = Template::default();
        let Ok(key) = Key::parse(text) else { return Ok(()) };
        if let Some(read) = template.read(&key) {
            for encoded in [read.stream.expect("in the template"), read.id] {
                let value = unescape(&encoded).expect("checked by read").expect("short");
                prop_assert_eq!(escape(&value), encoded);
            }
        }
    }

    #[test]
    fn a_record_reads_back(parts in parts(), attributes in attributes(), ordering_key in proptest::option::of(value()), headers in any::<bool>()) {
        let mut message = parts.message().with_attributes(attributes);
        if let Some(key) = ordering_key {
            message = message.with_property(Property::OrderingKey, key);
        }
        if headers {
            message = message.with_fidelity(Fidelity::Headers);
        }
        let record = Record::from(&message);
        let text = record.encode();
        prop_assert!(text.bytes().all(|b| (0x20..=0x7e).contains(&b)));
        let read = Record::decode(&text).expect("an own record");
        prop_assert_eq!(read.encode(), text);
        prop_assert_eq!(read.attributes(), message.attributes());
        prop_assert_eq!(&read, &record);
        let template = Template::default();
        prop_assert_eq!(template.render_record(&read), template.render(&message));
    }

    #[test]
    fn an_accident_is_found(parts in parts(), attributes in attributes(), at in any::<prop::sample::Index>(), flip in 1..128_u8) {
        let text = Record::from(&parts.message().with_attributes(attributes)).encode();
        let mut bytes = text.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let read = String::from_utf8(bytes).map(|altered| Record::decode(&altered));
        // `\u00E9` for `\u00e9` says the same and may pass; what says something else may not.
        match read {
            Ok(Ok(read)) => prop_assert_eq!(read.encode(), text),
            Ok(Err(error)) => prop_assert!(matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Unsupported)),
            Err(_) => {}
        }
    }
}

/// Attributes that make records of every size, most of them near the limit of what stands in metadata.
fn attributes_of_any_size() -> impl Strategy<Value = BTreeMap<String, Attribute>> {
    let length = prop_oneof![4 => 0..4500_usize, 1 => 0..130_000_usize];
    let filling = prop_oneof![Just("x"), Just("\u{e9}\u{1F600}"), Just(" \"\\\n\0\u{7f}")];
    (attributes(), length, filling).prop_map(|(mut attributes, length, filling)| {
        let text: String = filling.chars().cycle().take(length).collect();
        attributes.insert("filling".to_owned(), text.into());
        attributes
    })
}

/// Writes through the whole write path and compares what a reader finds.
fn written_is_read(store: impl Writer + Reader + 'static, message: &Message, place: RecordPlace) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let store = Arc::new(store);
    runtime.block_on(async {
        let persist = Persist::new(store.clone(), Layout::default(), place, Duration::from_secs(120));
        let outcomes = persist.persist(std::slice::from_ref(message)).await;
        let [Outcome::Stored(key)] = &outcomes[..] else { panic!("{outcomes:?}") };
        check_kept(store.as_ref(), key, message).await;
    });
}

fn places() -> impl Strategy<Value = RecordPlace> {
    prop_oneof![Just(RecordPlace::Auto), Just(RecordPlace::Always)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_back_is_what_was_written(parts in parts(), attributes in attributes_of_any_size(), place in places()) {
        written_is_read(MemoryStore::new(), &parts.message().with_attributes(attributes), place);
    }
}

proptest! {
    // Each waits for a disk a dozen times.
    #![proptest_config(ProptestConfig { cases: 50, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn and_so_it_is_in_a_folder(parts in parts(), attributes in attributes_of_any_size(), place in places()) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = FolderStore::open(folder.path()).expect("open");
        written_is_read(store, &parts.message().with_attributes(attributes), place);
    }
}

fn attributes() -> impl Strategy<Value = BTreeMap<String, Attribute>> {
    let typed = prop_oneof![
        any::<String>().prop_map(Attribute::from),
        any::<bool>().prop_map(Attribute::from),
        any::<i8>().prop_map(Attribute::from),
        any::<u64>().prop_map(Attribute::from),
        Just(Attribute::from(u64::MAX)),
        any::<f32>().prop_map(Attribute::from),
        any::<f64>().prop_map(Attribute::from),
        prop_oneof![Just(f64::NAN), Just(-0.0), Just(f64::INFINITY)].prop_map(Attribute::from),
        any::<char>().prop_map(Attribute::from),
        any::<Vec<u8>>().prop_map(|bytes| Attribute::from(&bytes[..])),
        Just(Attribute::from(PublishTime::parse("2026-11-22T05:40:12.123456789Z").expect("valid"))),
        ("[a-z]{1,9}x", any::<String>()).prop_map(|(name, text)| Attribute::typed(name, text).expect("a name")),
    ];
    proptest::collection::btree_map(any::<String>(), typed, 0..5)
}

#[test]
fn keys_list_in_time_order() {
    let seconds = [
        (1, 1, 1, 0, 0, 0),
        (2026, 1, 2, 3, 4, 5),
        (2026, 1, 2, 3, 4, 6),
        (2026, 1, 2, 13, 0, 0),
        (2026, 11, 1, 0, 0, 0),
        (9999, 12, 28, 0, 0, 0),
    ];
    let keys: Vec<_> = seconds
        .map(|second| Parts { stream: "s".into(), id: "9".into(), second, payload: vec![], tenant: None }.message())
        .iter()
        .map(|message| Layout::default().template().render(message))
        .collect();
    assert!(keys.is_sorted());
}
