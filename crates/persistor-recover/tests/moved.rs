//! An archive whose template was changed between two deliveries: a message that stands under both keys is one message, whatever is asked.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use common::{message, persist};
use persistor_core::{DEFAULT_TEMPLATE, MemoryStore, RecordPlace};
use persistor_recover::{
    Archive, Detail, Difference, Direction, MatchBy, ReadData, Selection, Source, messages, status, stored_values, verify,
};

const EARLIER: &str = "{shard:1}/{stream}/{time:%Y/%m/%d}/{id}-{digest}";

/// Ten messages of the last ten minutes by today's template; the first four by the earlier one too, as are two that were published before. The even ones have a tenant.
async fn moved() -> Arc<Archive> {
    let store = MemoryStore::new();
    let of = |ids: std::ops::Range<u32>| {
        let tenant = |id: u32| id.is_multiple_of(2).then_some("north");
        let time = |id| format!("2026-11-22T05:{:02}:12Z", if id < 10 { 31 + id } else { 10 });
        ids.map(|id| message("orders", &id.to_string(), &time(id), tenant(id), &format!("payload {id}"))).collect::<Vec<_>>()
    };
    let earlier = [of(0..4), of(10..12)].concat();
    persist(Arc::new(store.clone()), EARLIER, RecordPlace::Auto, earlier).await;
    persist(Arc::new(store.clone()), DEFAULT_TEMPLATE, RecordPlace::Auto, of(0..10)).await;
    Archive::open(Arc::new(store)).await.expect("it opens")
}

fn now() -> DateTime<Utc> {
    "2026-11-22T05:41:00Z".parse().expect("a time")
}

#[tokio::test]
async fn it_counts_once() {
    let archive = moved().await;
    assert_eq!(archive.time_parts(), 3, "what every key tells");
    let all = Arc::new(Selection::all());
    let mut found = |finding| panic!("{finding:?}");
    let summary = verify(&archive, &all, Source::Listing, ReadData::All, &mut found).await.expect("a summary");
    assert_eq!((summary.messages, summary.duplicates, summary.read), (16, 4, 16));

    let found = status(&archive, &all, now(), &mut |finding| panic!("{finding:?}")).await.expect("a status");
    let [orders] = &found[..] else { panic!("{found:?}") };
    assert_eq!((orders.hour(), orders.recent()), (12, 5), "{orders:?}");
}

#[tokio::test]
async fn it_is_compared_once_and_what_has_no_value_is_counted() {
    let archive = moved().await;
    for (match_by, counted, without) in [("id", 12, 0), ("json:/id", 0, 12), ("attribute:tenant", 6, 6)] {
        let mut difference = Difference::new(Direction::NotArrived, 1 << 20);
        let items = messages(&archive, &Arc::new(Selection::all()), Source::Listing, Detail::Records);
        let match_by: MatchBy = match_by.parse().expect("something to match by");
        let mut found = |finding| panic!("{finding:?}");
        let compared = stored_values(&archive, items, match_by, &mut difference, &mut found).await.expect("compared");
        assert_eq!((compared.messages, compared.without), (counted, without));
        // A few of them, and each only once.
        let examples: BTreeSet<&String> = compared.examples.iter().collect();
        assert_eq!((examples.len(), compared.examples.len()), (without.min(3) as usize, without.min(3) as usize));
        let (mut lines, mut item, mut missing) = (difference.lines().expect("lines"), Vec::new(), 0);
        while lines.next_into(&mut item).expect("a line") {
            missing += 1;
        }
        assert_eq!(missing, counted);
    }
}
