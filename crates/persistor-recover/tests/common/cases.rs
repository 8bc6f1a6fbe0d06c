//! The kinds of damage: how each is made, and which faults are to be found by the listing and with the payloads.

use persistor_core::{Layout, Message, sha256_hex};
use persistor_recover::Fault::{
    self, ChecksumDiffers, Foreign, KeyDiffers, Later, LayoutDamaged, LayoutMissing, PayloadDiffers, RecordAlone, RecordDamaged,
    RecordMissing, Rejected, SizeDiffers,
};

use crate::blobs::{Blobs, forged};
use crate::common::message;

pub(crate) const TIME: &str = "2026-11-22T05:40:12.503Z";
/// Hex digits as a key ends with, in an id.
const DIGITS: &str = "7-0123456789abcdef0123456789abcdef";

/// Does the damage and says of which blobs findings are expected, in their order by name.
pub(crate) type Damage = fn(&mut Blobs) -> Vec<String>;
/// The faults in memory and in a folder, of which the store keeps no checksum.
pub(crate) type Faults<'a> = [&'a [Fault]; 2];

fn both(faults: &[Fault]) -> Faults<'_> {
    [faults, faults]
}

/// A dozen messages: one second of one stream, other streams and times, hostile ids.
pub(crate) fn messages() -> Vec<Message> {
    let ids = ["7", DIGITS, &format!("{DIGITS}-x"), &format!("{DIGITS}.record"), "8", "~", "a/b", ".."];
    let mut messages: Vec<_> = ids.iter().map(|id| message("orders", id, TIME, Some("north"), "the payload")).collect();
    // Names between the payload's and its record's: the id holds the beginning of that key's end.
    let digest = &sha256_hex(b"the payload")[..32];
    messages.push(message("orders", &format!("7-{digest}-x"), TIME, None, "the payload"));
    messages.push(message("orders", "7", "2026-11-22T05:40:13Z", None, ""));
    messages.push(message("a/b", "1", "0001-01-01T00:00:00Z", None, "first"));
    messages.push(message("zeta", "1", "9999-12-31T23:59:59.9Z", None, "last"));
    messages
}

fn on_record(blobs: &mut Blobs, from: &str, to: &str) -> Vec<String> {
    let record = blobs.record(&blobs.victim());
    assert!(record.contains(from), "{record}");
    blobs.set_record(&blobs.victim(), &record.replacen(from, to, 1));
    vec![blobs.victim()]
}

pub(crate) fn on_payload(blobs: &mut Blobs, edit: fn(&mut Vec<u8>)) -> Vec<String> {
    blobs.edit(&blobs.victim(), edit);
    vec![blobs.victim()]
}

pub(crate) fn on_name(blobs: &mut Blobs, to: &str) -> Vec<String> {
    blobs.rename_message(&blobs.victim(), to);
    vec![to.to_owned()]
}

pub(crate) fn beside(blobs: &mut Blobs, name: &str) -> Vec<String> {
    blobs.put(name, b"not made by Persistor");
    vec![name.to_owned()]
}

/// The case, how it is made, what the listing shows of it, what the payloads show.
pub(crate) fn cases() -> Vec<(&'static str, Damage, Faults<'static>, Faults<'static>)> {
    let same = |name, damage: Damage, faults: &'static [Fault]| (name, damage, both(faults), both(faults));
    vec![
        same("nothing", |_| vec![], &[]),
        (
            "payload byte flipped",
            |blobs| on_payload(blobs, |payload| payload[3] ^= 1),
            [&[ChecksumDiffers], &[]],
            [&[ChecksumDiffers], &[PayloadDiffers]],
        ),
        (
            "record of another payload with the same beginning of the digest",
            |blobs| {
                let record = forged(&blobs.record(&blobs.victim()), |members| {
                    let digest = members["sha256"].as_str().expect("text").to_owned();
                    members.insert("sha256".into(), format!("{}{}", &digest[..32], &digest[..32]).into());
                });
                blobs.set_record(&blobs.victim(), &record);
                vec![blobs.victim()]
            },
            both(&[]),
            both(&[PayloadDiffers]),
        ),
        (
            "record of another CRC32C",
            |blobs| {
                let record = forged(&blobs.record(&blobs.victim()), |members| {
                    members.insert("crc32c".into(), "00000000".into());
                });
                blobs.set_record(&blobs.victim(), &record);
                vec![blobs.victim()]
            },
            [&[ChecksumDiffers], &[]],
            both(&[ChecksumDiffers]),
        ),
        same("payload cut", |blobs| on_payload(blobs, |payload| payload.truncate(3)), &[SizeDiffers]),
        same("payload empty", |blobs| on_payload(blobs, Vec::clear), &[SizeDiffers]),
        same("payload longer", |blobs| on_payload(blobs, |payload| payload.push(0)), &[SizeDiffers]),
        same(
            "record lost",
            |blobs| {
                blobs.lose_record(&blobs.victim());
                vec![blobs.victim()]
            },
            &[RecordMissing],
        ),
        same("attribute changed", |blobs| on_record(blobs, "north", "south"), &[RecordDamaged]),
        same("record is no text of JSON", |blobs| on_record(blobs, "{", "("), &[RecordDamaged]),
        same("record is another document", |blobs| on_record(blobs, "{", "{}{"), &[RecordDamaged]),
        same(
            "record cut",
            |blobs| {
                let record = blobs.record(&blobs.victim());
                blobs.set_record(&blobs.victim(), &record[..record.len() / 2]);
                vec![blobs.victim()]
            },
            &[RecordDamaged],
        ),
        same("record of a later version", |blobs| on_record(blobs, "persistor/1", "persistor/2"), &[Later]),
        same("record of a later kind", |blobs| on_record(blobs, r#""kind":"message""#, r#""kind":"batch""#), &[Later]),
        same("record requires more", |blobs| on_record(blobs, r#""requires":[]"#, r#""requires":["seal"]"#), &[Later]),
        same("a foreign blob", |blobs| beside(blobs, "orders/2026/11/22/readme"), &[Foreign]),
        same("a name like a key", |blobs| beside(blobs, &format!("orders/2026/02/30/05/4012-{DIGITS}")), &[Foreign]),
        same("a name that is no key", |blobs| beside(blobs, "a b/\u{e9}"), &[Foreign]),
        same("a file in the root", |blobs| beside(blobs, "notes.txt"), &[Foreign]),
        same(
            "a foreign blob with what looks like a record",
            |blobs| {
                beside(blobs, "orders/notes.record");
                beside(blobs, "orders/notes")
            },
            &[Foreign],
        ),
        same(
            "a record without its payload",
            |blobs| {
                let record = blobs.record(&blobs.victim());
                let name = format!("{}.record", blobs.victim());
                blobs.take(&blobs.victim());
                blobs.put(&name, record.as_bytes());
                vec![name]
            },
            &[RecordAlone],
        ),
        same(
            "wrong digest in the name",
            |blobs| on_name(blobs, &blobs.victim().replace("-7-", "-7-0123").replace(&sha256_hex(b"the payload")[28..32], "")),
            &[KeyDiffers],
        ),
        same("renamed into another hour", |blobs| on_name(blobs, &blobs.victim().replace("/05/", "/06/")), &[KeyDiffers]),
        same("renamed into another stream", |blobs| on_name(blobs, &blobs.victim().replace("orders", "order")), &[KeyDiffers]),
        same("renamed to what no layout makes", |blobs| on_name(blobs, "kept/7"), &[KeyDiffers]),
        same(
            "record of another message",
            |blobs| {
                let other = blobs.record(blobs.keys[4].as_str());
                blobs.set_record(&blobs.victim(), &other);
                vec![blobs.victim()]
            },
            &[KeyDiffers],
        ),
        same(
            "no layout",
            |blobs| {
                blobs.take(&blobs.layout.clone());
                vec!["_persistor/layout/".into()]
            },
            &[LayoutMissing],
        ),
        same(
            "the layout cut",
            |blobs| {
                blobs.edit(&blobs.layout.clone(), |text| text.truncate(40));
                vec![blobs.layout.clone(), "_persistor/layout/".into()]
            },
            &[LayoutDamaged, LayoutMissing],
        ),
        same(
            "a layout under another name",
            |blobs| {
                let name = "_persistor/layout/0123.json";
                blobs.put(name, Layout::default().encode().as_bytes());
                vec![name.into()]
            },
            &[LayoutDamaged],
        ),
        same(
            "a layout of a later version, and a name that it may make",
            |blobs| {
                let name = "_persistor/layout/0123.json";
                blobs.put(name, Layout::default().encode().replace("persistor/1", "persistor/2").as_bytes());
                [vec![name.to_owned()], beside(blobs, "orders/2026-11-22/7")].concat()
            },
            &[Later, Later],
        ),
        same(
            "a message of a later version's layout",
            |blobs| {
                let name = "_persistor/layout/0123.json";
                blobs.put(name, Layout::default().encode().replace("persistor/1", "persistor/2").as_bytes());
                [vec![name.to_owned()], on_name(blobs, "orders/2026-11-22/7")].concat()
            },
            &[Later, Later],
        ),
        same("a reserved name", |blobs| beside(blobs, "_persistor/x"), &[Later]),
        same("a call that was kept as it came", |blobs| beside(blobs, "_persistor/rejected/x.json"), &[Rejected]),
        same("a reserved name among keys", |blobs| beside(blobs, "orders/_x/y"), &[Later]),
    ]
}
