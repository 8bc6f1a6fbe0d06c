//! A message made of choices, through everything that touches it: written, found, read, verified, copied, written as a line and read again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta};
use futures_util::TryStreamExt as _;
use persistor_core::{
    Attribute, DEFAULT_TEMPLATE, Entity, Fidelity, Layout, MemoryStore, Message, MessageId, Outcome, Persist, Property,
    PublishTime, Record, RecordPlace, Stream, Template, restore,
};
use persistor_recover::{Archive, Detail, Item, Outgoing, ReadData, Selection, Source, messages, verify};

use crate::choices::Choices;
use crate::contents::{Contents, blobs};
use crate::serving::block_on;

const TEMPLATES: [&str; 5] = [
    DEFAULT_TEMPLATE,
    "{shard:2}/{stream}/{time:%Y-%m-%d/%H%M%S}/{id}-{digest}",
    "{time:%Y/%m/%d/%H/%M/%S}/{stream}/x-{attribute:tenant|none}-y/{shard:8}-{id}-z{digest}",
    "{stream}/{time:%Y%m%d%H%M%S}-{id}{digest}",
    "a.b/{time:%Y/%m/%d}/v-{stream}-w/{id}/{digest}",
];
const PROPERTIES: [Property; 12] = [
    Property::OrderingKey,
    Property::SessionId,
    Property::Sequence,
    Property::Partition,
    Property::PartitionKey,
    Property::ContentType,
    Property::CorrelationId,
    Property::MessageId,
    Property::Subject,
    Property::ReplyTo,
    Property::ReplyToSessionId,
    Property::To,
];
/// The seconds of the years 0001 to 9999.
const SECONDS: (i64, i64) = (-62_135_596_800, 253_402_300_799);

fn attribute(choices: &mut Choices<'_>) -> Attribute {
    match choices.below(8) {
        0 => Attribute::from(choices.bytes()),
        1 => Attribute::from(f64::from_bits(u64::from(choices.number()) << 32 | u64::from(choices.number()))),
        2 => Attribute::from(i64::from(choices.number()) - (1 << 31)),
        3 => Attribute::typed(choices.name(), choices.text()).unwrap_or_else(|_| "string".into()),
        _ => Attribute::from(choices.text()),
    }
}

fn time(choices: &mut Choices<'_>) -> PublishTime {
    let second = match choices.below(4) {
        0 => SECONDS.0 + i64::from(choices.number()),
        1 => SECONDS.1 - i64::from(choices.number()),
        _ => i64::from(choices.number()),
    };
    let fraction: String =
        (0..choices.below(10)).map(|_| char::from(b'0' + u8::try_from(choices.below(10)).unwrap_or(0))).collect();
    let point = if fraction.is_empty() { "" } else { "." };
    let second = DateTime::from_timestamp(second, 0).expect("a moment").format("%Y-%m-%dT%H:%M:%S");
    PublishTime::parse(&format!("{second}{point}{fraction}Z")).expect("a time")
}

fn message(choices: &mut Choices<'_>) -> Message {
    let time = time(choices);
    let names = [choices.name(), choices.name(), choices.name()];
    let attributes: BTreeMap<_, _> = (0..choices.below(6)).map(|_| (choices.text(), attribute(choices))).collect();
    let tenant = (choices.below(2) == 1).then(|| ("tenant".to_owned(), attribute(choices)));
    let properties: Vec<_> = (0..choices.below(4)).map(|_| (PROPERTIES[choices.below(12)], choices.text())).collect();
    let fidelity = [None, Some(Fidelity::Headers), Some(Fidelity::HostText), Some(Fidelity::WholeSeconds)][choices.below(4)];
    let [entity, stream, id] = names;
    let message = Message::new(
        Entity::new(entity).expect("not empty"),
        Stream::new(stream).expect("not empty"),
        MessageId::new(id).expect("not empty"),
        time,
        Bytes::copy_from_slice(choices.0),
    );
    let message = message.with_attributes(attributes.into_iter().chain(tenant).collect());
    let message = properties.into_iter().fold(message, |message, (property, text)| message.with_property(property, text));
    fidelity.into_iter().fold(message, Message::with_fidelity)
}

/// Whatever a message is, it is found by what it is, comes back as it was, byte for byte, and nothing is wrong with the archive.
pub fn round_trip(data: &[u8]) {
    let mut choices = Choices(data);
    let template = TEMPLATES[choices.below(TEMPLATES.len())];
    let place = if choices.below(2) == 0 { RecordPlace::Auto } else { RecordPlace::Always };
    let message = message(&mut choices);
    let store = MemoryStore::new();
    let layout = Layout::new(Template::parse(template).expect("a template"));
    let persist = Persist::new(Arc::new(store.clone()), layout.clone(), place, Duration::from_secs(60));
    let stored = block_on(persist.persist(std::slice::from_ref(&message)));
    let [Outcome::Stored(key)] = &stored[..] else { panic!("{stored:?}") };
    let before = blobs(&store);
    assert!(
        matches!(&block_on(persist.persist(std::slice::from_ref(&message)))[..], [Outcome::AlreadyStored(again)] if again == key)
    );
    assert!(blobs(&store) == before, "the second delivery changes nothing");
    assert!(before[key.as_str()].0 == *message.payload(), "the payload is the payload");
    if template == DEFAULT_TEMPLATE && place == RecordPlace::Auto {
        assert_eq!(Contents::of(&store).messages.len(), 1);
    }
    block_on(found(&store, key.as_str(), &message));
    block_on(copied(&store, &layout, place, &message));
}

async fn found(store: &MemoryStore, key: &str, message: &Message) {
    let archive = Archive::open(Arc::new(store.clone())).await.expect("an archive");
    let record = Record::from(message);
    let second = message.publish_time().second().and_utc();
    let selection = Selection::all().streams([message.stream().to_string()]).ids([message.id().to_string()]);
    for selection in [Selection::all(), selection.between(Some(second), Some(second + TimeDelta::seconds(1)))] {
        let items: Vec<_> =
            messages(&archive, &Arc::new(selection), Source::Listing, Detail::Records).try_collect().await.expect("read");
        let [Item::Message(found)] = &items[..] else { panic!("{items:?}") };
        assert_eq!((found.key.as_str(), found.record.as_ref()), (key, Some(&record)));
    }
    // It takes as long as all the rest, since it has room for many.
    if message.payload().len().is_multiple_of(8) {
        verified(&archive).await;
    }
    let outgoing = Outgoing::new(key, &record, message.payload().clone());
    let line = outgoing.to_line();
    assert!(!line.contains('\n'));
    assert_eq!(Outgoing::from_line(line.as_bytes()).expect("an own line"), outgoing);
}

async fn verified(archive: &Arc<Archive>) {
    let mut findings = Vec::new();
    let mut report = |finding| findings.push(finding);
    let summary =
        verify(archive, &Arc::new(Selection::all()), Source::Listing, ReadData::All, &mut report).await.expect("verified");
    assert_eq!((summary.messages, summary.read, summary.damage()), (1, 1, 0), "{findings:?}");
    assert!(findings.is_empty(), "{findings:?}");
}

/// A copy by record and payload is the same archive, to the byte.
async fn copied(store: &MemoryStore, layout: &Layout, place: RecordPlace, message: &Message) {
    let copy = MemoryStore::new();
    let record = Record::decode(&Record::from(message).encode()).expect("an own record");
    let key = layout.template().render_record(&record);
    restore(&copy, &key, &record, message.payload().clone()).await.expect("a copy");
    let copied: Vec<_> = persistor_core::Reader::list(&copy, "", None).try_collect().await.expect("a list");
    let original: Vec<_> = persistor_core::Reader::list(store, "", None).try_collect().await.expect("a list");
    let mut original: Vec<_> = original.into_iter().filter(|entry| !entry.name.starts_with("_persistor/")).collect();
    if place == RecordPlace::Auto {
        assert_eq!(copied.len(), original.len());
        for (mut copied, original) in copied.into_iter().zip(original.drain(..)) {
            copied.created = original.created;
            assert_eq!(copied, original);
        }
    }
}
