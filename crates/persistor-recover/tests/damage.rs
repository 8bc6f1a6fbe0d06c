//! Every kind of damage, made on purpose: which faults are found by the listing and which with the payloads, and that nothing else is found.

#[path = "common/blobs.rs"]
mod blobs;
#[path = "common/cases.rs"]
mod cases;
mod common;
#[path = "common/failing.rs"]
mod failing;

use std::sync::Arc;

use blobs::{Blobs, Place};
use cases::{TIME, beside, cases, messages, on_name, on_payload};
use common::{message, persist};
use failing::FailingReader;
use futures_util::TryStreamExt as _;
use persistor_core::{
    DEFAULT_TEMPLATE, ErrorKind, Key, Layout, MemoryStore, Message, Metadata, Reader as _, RecordPlace, Writer as _,
};
use persistor_recover::Fault::{
    Absent, EntitiesDiffer, Foreign, KeyDiffers, PayloadDiffers, PayloadsDiffer, RecordAlone, RecordMissing, Vanished,
};
use persistor_recover::{
    Archive, Detail, Fault, Finding, Item, Keys, Pattern, ReadData, Selection, Source, Summary, messages as messages_of, search,
    verify,
};

const PLACES: [Place; 3] = [Place::Inline, Place::Beside, Place::Folder];
#[tokio::test]
async fn each_damage_is_found_and_nothing_else() {
    for place in PLACES {
        let sound = Blobs::of(place, &messages()).await;
        for (name, damage, listing, data) in cases() {
            let mut blobs = sound.clone();
            let names = damage(&mut blobs);
            for (read, faults) in [(ReadData::No, listing), (ReadData::All, data)] {
                let faults = faults[usize::from(place == Place::Folder)];
                let expected: Vec<_> = faults.iter().copied().zip(names.iter().cloned()).collect();
                let (found, _) = verified(&blobs, read).await;
                assert_eq!(found, expected, "{name}, {place:?}, {read:?}");
            }
        }
    }
}

#[tokio::test]
async fn messages_that_clash() {
    let clash = |entity, payload: &str| {
        let message = message("orders", "7", TIME, None, payload);
        let entity = persistor_core::Entity::new(entity).expect("text");
        Message::new(
            entity,
            message.stream().clone(),
            message.id().clone(),
            message.publish_time().clone(),
            message.payload().clone(),
        )
    };
    for place in PLACES {
        let other = [messages(), vec![clash("projects/shop/subscriptions/orders", "another payload")]].concat();
        let found = verified(&Blobs::of(place, &other).await, ReadData::All).await.0;
        assert_eq!(found.iter().map(|(fault, _)| *fault).collect::<Vec<_>>(), [PayloadsDiffer], "{place:?}");
        let other = [messages(), vec![clash("projects/shop/subscriptions/z", "another payload")]].concat();
        let blobs = Blobs::of(place, &other).await;
        let found = verified(&blobs, ReadData::All).await.0;
        assert_eq!(found, [(EntitiesDiffer, blobs.keys[12].to_string())], "{place:?}");
    }
}

async fn verified(blobs: &Blobs, data: ReadData) -> (Vec<(Fault, String)>, Summary) {
    looked_at(blobs, Source::Listing, data).await
}

async fn looked_at(blobs: &Blobs, source: Source, data: ReadData) -> (Vec<(Fault, String)>, Summary) {
    let (reader, _folder) = blobs.open().await;
    let archive = Archive::open(reader).await.expect("opened");
    let mut found = Vec::new();
    let mut report = |finding: Finding| found.push((finding.fault, finding.name));
    let summary = verify(&archive, &Arc::new(Selection::all()), source, data, &mut report).await.expect("verified");
    (found, summary)
}

#[tokio::test]
async fn a_summary_counts_what_was_looked_at() {
    for place in PLACES {
        let mut blobs = Blobs::of(place, &messages()).await;
        let (_, summary) = verified(&blobs, ReadData::All).await;
        assert_eq!((summary.messages, summary.read, summary.bytes, summary.damage()), (12, 12, 9 * 11 + 9, 0), "{place:?}");
        on_payload(&mut blobs, |payload| payload.truncate(3));
        beside(&mut blobs, "notes.txt");
        let (_, summary) = verified(&blobs, ReadData::No).await;
        assert_eq!((summary.messages, summary.read, summary.bytes, summary.damage()), (12, 0, 8 * 11 + 9, 1), "{place:?}");
    }
}

#[tokio::test]
async fn a_payload_that_left_its_record_behind() {
    for place in [Place::Beside, Place::Folder] {
        let mut blobs = Blobs::of(place, &messages()).await;
        let (from, to) = (blobs.victim(), blobs.victim().replace("/05/", "/06/"));
        blobs.rename(&from, &to);
        let expected = [(RecordAlone, format!("{from}.record")), (RecordMissing, to)];
        assert_eq!(verified(&blobs, ReadData::All).await.0, expected, "{place:?}");
    }
}

#[tokio::test]
async fn keys_that_are_asked_for_one_by_one() {
    for place in PLACES {
        let mut blobs = Blobs::of(place, &messages()).await;
        on_name(&mut blobs, "kept/7");
        blobs.put("kept/note", b"");
        blobs.put("kept/8.record", b"");
        let mut keys = Keys::default();
        let names = ["kept/7", "kept/none", "kept/note", "kept/8.record", blobs.keys[1].as_str()];
        names.iter().for_each(|name| keys.push(&Key::parse(*name).expect("a key")).expect("pushed"));
        let (found, summary) = looked_at(&blobs, Source::Keys(keys), ReadData::All).await;
        let expected = [(KeyDiffers, "kept/7"), (Absent, "kept/8.record"), (Absent, "kept/none"), (Foreign, "kept/note")];
        assert_eq!(found, expected.map(|(fault, name)| (fault, name.to_owned())), "{place:?}");
        // The sound one, and the one that was renamed.
        assert_eq!((summary.messages, summary.read), (2, 1), "{place:?}");
    }
}

#[tokio::test]
async fn what_others_put_there_stops_nothing() {
    let store = MemoryStore::new();
    // Room for the name, none for that of its record.
    let long = Key::parse("x".repeat(250)).expect("a key");
    let layout = Layout::default();
    store.create(&layout.key(), &[layout.encode().into()], &Metadata::new(), None).await.expect("stored");
    for (key, record) in [(&long, "blob"), (&Key::parse("y").expect("a key"), "mine")] {
        store.create(key, &[], &Metadata::from([("record".to_owned(), record.to_owned())]), None).await.expect("stored");
    }
    let archive = Archive::open(Arc::new(store)).await.expect("opened");
    let mut found = Vec::new();
    let mut report = |finding: Finding| found.push((finding.fault, finding.name));
    verify(&archive, &Arc::new(Selection::all()), Source::Listing, ReadData::All, &mut report).await.expect("verified");
    assert_eq!(found, [(Foreign, long.to_string()), (Foreign, "y".to_owned())]);
}

#[tokio::test]
async fn what_cannot_be_read_is_told_apart_from_what_is_damaged() {
    let store = MemoryStore::new();
    let keys = persist(Arc::new(store.clone()), DEFAULT_TEMPLATE, RecordPlace::Always, messages()).await;
    // A message's blob that no layout names, and the blob of its record.
    let stray = Key::parse("kept/7").expect("a key");
    let record = store.read(&keys[0].record().expect("a key"), None).await.expect("a record");
    let record: Vec<_> = record.try_collect().await.expect("a record");
    let in_blob = Metadata::from([("record".to_owned(), "blob".to_owned())]);
    store.create(&stray, &[], &in_blob, None).await.expect("stored");
    let record_of_stray = stray.record().expect("a key");
    store.create(&record_of_stray, &record, &Metadata::new(), None).await.expect("stored");
    let archive_without =
        |read: &Key, kind| Archive::open(Arc::new(FailingReader { store: store.clone(), key: read.clone(), kind }));
    for (read, kind, expected) in [
        (&keys[0], ErrorKind::NotFound, Some((Vanished, &keys[0]))),
        (&keys[0], ErrorKind::Damaged, Some((PayloadDiffers, &keys[0]))),
        (&keys[0], ErrorKind::Unavailable, None),
        (&keys[0], ErrorKind::Denied, None),
        (&record_of_stray, ErrorKind::NotFound, Some((Foreign, &stray))),
        (&record_of_stray, ErrorKind::Damaged, Some((Foreign, &stray))),
        (&record_of_stray, ErrorKind::Unavailable, None),
        (&record_of_stray, ErrorKind::Denied, None),
    ] {
        let archive = archive_without(read, kind).await.expect("opened");
        let mut found = Vec::new();
        let mut report = |finding: Finding| found.push((finding.fault, finding.name));
        let verified = verify(&archive, &Arc::new(Selection::all()), Source::Listing, ReadData::All, &mut report).await;
        match expected {
            Some((fault, key)) => {
                assert!(verified.is_ok(), "{read} {kind:?}: {verified:?}");
                assert!(found.contains(&(fault, key.to_string())), "{read} {kind:?}: {found:?}");
            }
            // The archive cannot be read just now: that says nothing about a message.
            None => assert_eq!(verified.map(drop).map_err(|error| error.kind()), Err(kind), "{read}"),
        }
        if *read == keys[0] {
            let items = messages_of(&archive, &Arc::new(Selection::all()), Source::Listing, Detail::Names);
            let found = search(&archive, items, Pattern::fixed("payload", false).expect("a pattern"), false);
            let found: Result<Vec<_>, _> = found.try_collect().await;
            match expected {
                Some((fault, key)) => {
                    let findings = found.expect("searched").into_iter().filter_map(|item| match item {
                        Item::Finding(finding) => Some((finding.fault, finding.name)),
                        Item::Message(_) => None,
                    });
                    assert!(findings.collect::<Vec<_>>().contains(&(fault, key.to_string())), "{kind:?}");
                }
                None => assert_eq!(found.map(drop).map_err(|error| error.kind()), Err(kind)),
            }
        }
    }
}

#[tokio::test]
async fn the_last_name_is_looked_at_too() {
    for place in PLACES {
        let mut blobs = Blobs::of(place, &messages()).await;
        let expected: Vec<_> = beside(&mut blobs, "zzz").into_iter().map(|name| (Foreign, name)).collect();
        assert_eq!(verified(&blobs, ReadData::No).await.0, expected, "{place:?}");
    }
}
