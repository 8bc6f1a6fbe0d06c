//! What is read back is what was written, whatever the record's size: the cases, and the check of one message, which reads an
//! archive as FORMAT.md tells people without Persistor to read it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;

use crate::attribute::Attribute;
use crate::identity::{Entity, MessageId, Stream};
use crate::key::Key;
use crate::layout::Layout;
use crate::message::{Fidelity, Message, Property};
use crate::persist::{Outcome, Persist, RecordPlace};
use crate::reader::{Entry, Reader};
use crate::record::Record;
use crate::template::Template;
use crate::time::PublishTime;
use crate::writer::Writer;

/// Keys of its own, so that an archive can be shared with [`check_store`](super::check_store).
const TEMPLATE: &str = "records/{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}";
/// The longest record that stands in metadata: FORMAT.md's number, and not the constant of the code that is checked.
const LONGEST_INLINE: usize = 4000;
/// Sizes, in bytes, that something could break at: the limit, powers of two, and a few on the way there.
const SIZES: [usize; 19] =
    [600, 1000, 1999, 2048, 3000, 3998, 3999, 4000, 4001, 4002, 4095, 4096, 4097, 5000, 8191, 8192, 8193, 16_384, 65_536];
/// What attributes are filled with: plain text, and characters that a record escapes, a provider's headers cannot carry, or both.
const FILLINGS: [&str; 4] = ["x", " \"\\/ ", "\u{e9}\u{1F600}", "\0\r\n\u{7f}"];

/// Writes messages with records of every size (3,999, 4,000 and 4,001 bytes, and 128,000 bytes of attributes among them) through
/// [`Persist`], with both [`RecordPlace`]s, and reads them back. The archive may hold other blobs, but none under `records/`.
///
/// # Panics
/// Where what is read back is not what was written, or stands elsewhere than it should.
pub async fn check_records(writer: Arc<dyn Writer>, reader: Arc<dyn Reader>) {
    let layout = Layout::new(Template::parse(TEMPLATE).expect("a template"));
    let mut expected = Vec::new();
    for (stream, place) in [("auto", RecordPlace::Auto), ("always", RecordPlace::Always)] {
        let messages = messages(stream);
        // As long as the slowest emulator needs for a hundred messages: what is checked here is not time.
        let persist = Persist::new(writer.clone(), layout.clone(), place, Duration::from_secs(120));
        for (message, outcome) in messages.iter().zip(persist.persist(&messages).await) {
            let key = layout.template().render(message);
            assert!(matches!(&outcome, Outcome::Stored(stored) if *stored == key), "{key}: {outcome:?}");
            let entry = check_kept(reader.as_ref(), &key, message).await;
            let length = Record::from(message).encode().len();
            let inline = place == RecordPlace::Auto && writer.keeps_metadata() && length <= LONGEST_INLINE;
            if writer.keeps_metadata() {
                assert_eq!(entry.metadata["record"] != "blob", inline, "{key}: where a record of {length} bytes stands");
            }
            if !inline {
                expected.push(format!("{key}.record"));
            }
            expected.push(key.to_string());
        }
        for (message, outcome) in messages.iter().zip(persist.persist(&messages).await) {
            assert!(matches!(&outcome, Outcome::AlreadyStored(_)), "{}: {outcome:?}", message.id());
        }
    }
    expected.sort();
    let names: Vec<_> = reader.list("records/", None).map_ok(|entry| entry.name).try_collect().await.expect("a listing");
    assert_eq!(names, expected, "each blob once, and nothing else");
}

/// Reads the message at `key` back, from its metadata or the blob `<key>.record`, and compares everything with what was sent:
/// payload, attributes with their types, properties, times and identity. Returns its entry in the listing.
///
/// # Panics
/// Where something is missing or differs.
pub async fn check_kept(reader: &dyn Reader, key: &Key, message: &Message) -> Entry {
    // The blob's own name is the first of those that start with it.
    let entry = reader.list(key.as_str(), None).try_next().await.unwrap_or_else(|error| panic!("list `{key}`: {error:?}"));
    let entry = entry.filter(|entry| entry.name == key.as_str()).unwrap_or_else(|| panic!("`{key}` is not listed"));
    assert!(read(reader, key).await == message.payload()[..], "{key}: the payload differs");
    assert_eq!(entry.size, message.payload().len() as u64, "{key}: size in the listing");

    let own_blob = key.record().expect("room for it");
    let text = match entry.metadata.get("record") {
        Some(text) if text != "blob" => text.clone(),
        _ => String::from_utf8(read(reader, &own_blob).await).expect("a record is ASCII"),
    };
    let record = Record::decode(&text).unwrap_or_else(|error| panic!("the record of `{key}`: {error}"));
    assert_eq!(record.entity(), message.entity(), "{key}");
    assert_eq!(record.stream(), message.stream(), "{key}");
    assert_eq!(record.id(), message.id(), "{key}");
    assert_eq!(record.publish_time().to_string(), message.publish_time().to_string(), "{key}");
    assert_eq!(record.length(), message.payload().len() as u64, "{key}");
    assert_eq!(record.sha256(), message.sha256(), "{key}");
    assert_eq!(record.crc32c(), message.crc32c(), "{key}");
    // Not `assert_eq`: attributes can be 128,000 bytes of control characters.
    assert!(record.attributes() == message.attributes(), "{key}: the attributes differ");
    let properties: BTreeMap<_, _> =
        message.properties.iter().map(|(name, value)| (name.as_str().to_owned(), value.clone())).collect();
    assert_eq!(*record.properties(), properties, "{key}");
    assert!(
        record.fidelity().iter().map(String::as_str).eq(message.fidelity.iter().map(|name| name.as_str())),
        "{key}: fidelity"
    );
    entry
}

async fn read(reader: &dyn Reader, key: &Key) -> Vec<u8> {
    let chunks = reader.read(key, None).await.unwrap_or_else(|error| panic!("read `{key}`: {error:?}"));
    let chunks: Vec<Bytes> = chunks.try_collect().await.unwrap_or_else(|error| panic!("read `{key}`: {error:?}"));
    chunks.concat()
}

fn messages(stream: &str) -> Vec<Message> {
    let sized = FILLINGS.iter().flat_map(|filling| SIZES.map(|size| (*filling, size)));
    let mut messages: Vec<_> =
        sized.enumerate().map(|(n, (filling, size))| with_record_of(message(stream, n), filling, size)).collect();
    for filling in FILLINGS {
        messages.push(message(stream, messages.len()).with_attributes(most_attributes(filling)));
    }
    messages.push(message(stream, messages.len()));
    messages
}

/// The `n`-th message, with payloads, times and properties that differ.
fn message(stream: &str, n: usize) -> Message {
    let payload: Bytes = (0..=255).cycle().skip(n).take(n * 37).collect();
    let fraction = ["", ".5", ".503", ".123456789"][n % 4];
    let message = Message::new(
        Entity::new("projects/shop/subscriptions/records").expect("not empty"),
        Stream::new(stream).expect("not empty"),
        MessageId::new(n.to_string()).expect("not empty"),
        PublishTime::parse(&format!("2026-11-22T05:40:12{fraction}Z")).expect("valid"),
        payload,
    );
    match n % 3 {
        0 => message,
        1 => message.with_property(Property::OrderingKey, "customer 7 \u{df}").with_property(Property::Sequence, u64::MAX),
        _ => message.with_fidelity(Fidelity::Headers).with_fidelity(Fidelity::WholeSeconds),
    }
}

/// The message with attributes of several types that make its record exactly `size` bytes long.
fn with_record_of(message: Message, filling: &str, size: usize) -> Message {
    let filled = |text: String| {
        let typed = [("bytes", (&b"\0\xff"[..]).into()), ("flag", true.into()), ("filling", text.into())];
        message.clone().with_attributes(typed.map(|(name, value): (&str, Attribute)| (name.to_owned(), value)).into())
    };
    let length = |text: &str| Record::from(&filled(text.to_owned())).encode().len();
    let (empty, once) = (length(""), length(filling));
    let times = (size - empty) / (once - empty);
    let text = filling.repeat(times);
    let rest = size - length(&text);
    let message = filled(text + &"y".repeat(rest));
    assert_eq!(Record::from(&message).encode().len(), size);
    message
}

/// As many attributes as Pub/Sub allows, each as long as it allows: 100 names of 256 bytes with values of 1,024 bytes.
fn most_attributes(filling: &str) -> BTreeMap<String, Attribute> {
    let exactly = |start: String, length: usize| {
        let times = (length - start.len()) / filling.len();
        let text = start + &filling.repeat(times);
        let rest = length - text.len();
        text + &"y".repeat(rest)
    };
    let attributes: BTreeMap<_, _> =
        (0..100).map(|n| (exactly(format!("{n:02}"), 256), Attribute::from(exactly(String::new(), 1024)))).collect();
    assert_eq!(attributes.iter().map(|(name, value)| name.len() + value.text().len()).sum::<usize>(), 128_000);
    attributes
}
