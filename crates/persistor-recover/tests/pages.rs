//! How many pages of a listing each question takes, over a million messages of one day.

#[path = "common/paged.rs"]
mod paged;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::TryStreamExt as _;
use paged::{PAGE, PagedReader};
use persistor_recover::{Archive, Detail, Item, Selection, Source, estimate, messages, streams};

const MILLION: u64 = 1_000_000;

fn day() -> DateTime<Utc> {
    "2026-11-22T00:00:00Z".parse().expect("a time")
}

async fn archive(messages: u64) -> (Arc<Archive>, PagedReader) {
    let store = PagedReader::new(messages, day(), Duration::ZERO);
    let archive = Archive::open(Arc::new(store.clone())).await.expect("opened");
    store.pages();
    (archive, store)
}

fn span(from: TimeDelta, length: TimeDelta) -> Selection {
    Selection::all().streams(["orders".to_owned()]).between(Some(day() + from), Some(day() + from + length))
}

async fn count(archive: &Arc<Archive>, selection: Selection, detail: Detail) -> u64 {
    let mut items = messages(archive, &Arc::new(selection), Source::Listing, detail);
    let mut count = 0;
    while let Some(item) = items.try_next().await.expect("an item") {
        assert!(matches!(&item, Item::Message(_)), "{item:?}");
        count += 1;
    }
    count
}

#[tokio::test]
async fn a_span_takes_its_own_pages() {
    let (archive, store) = archive(MILLION).await;
    let minutes = TimeDelta::minutes;
    for (what, from, length) in [
        ("a minute", minutes(340), minutes(1)),
        ("ten minutes", minutes(340), minutes(10)),
        ("twenty minutes across an hour", minutes(350), minutes(20)),
        ("a part of a second", TimeDelta::milliseconds(20_412_250), TimeDelta::milliseconds(500)),
        ("the last minute of the day", minutes(1439), minutes(1)),
        ("two minutes across the end of the day", minutes(1439), minutes(2)),
        ("the day before", minutes(-1440), minutes(1440)),
    ] {
        // The store says times in whole milliseconds; they only grow.
        let before = |moment: DateTime<Utc>| {
            let (mut low, mut high) = (0, MILLION);
            while low < high {
                let middle = u64::midpoint(low, high);
                let is_before = store.time(middle).timestamp_millis() < moment.timestamp_millis();
                (low, high) = if is_before { (middle + 1, high) } else { (low, middle) };
            }
            low
        };
        let expected = before(day() + from + length) - before(day() + from);
        for detail in [Detail::Names, Detail::Records] {
            assert_eq!(count(&archive, span(from, length), detail).await, expected, "{what}");
            let (pages, needed) = (store.pages(), expected.div_ceil(PAGE));
            println!("{what}: {expected} messages, {pages} pages, {needed} at least");
            assert!((needed..=needed + 1).contains(&pages), "{what}: {pages} pages, {needed} at least");
        }
    }
}

#[tokio::test]
async fn everything_takes_each_page_once() {
    for messages in [0, 999, 1000, 1001, 60_500] {
        let (archive, store) = archive(messages).await;
        assert_eq!(count(&archive, Selection::all(), Detail::Names).await, messages);
        // The layout is a blob too.
        assert_eq!(store.pages(), (messages + 1).div_ceil(PAGE), "{messages}");
        assert_eq!(archive.progress().blobs(), messages + 1);
    }
}

#[tokio::test]
async fn a_survey_takes_few_pages() {
    let (archive, store) = archive(MILLION).await;
    // Halving takes longer the farther away the end is looked for.
    let nows = [(TimeDelta::days(1), 15), (TimeDelta::days(3000), 40), (TimeDelta::hours(5), 40), (-TimeDelta::days(9000), 40)];
    for (since, most) in nows.into_iter().chain([(TimeDelta::days(730_000), 50)]) {
        let now = day() + since;
        let found = streams(&archive, now, false).await.expect("a survey");
        let pages = store.pages();
        println!("streams, now {now}: {pages} pages");
        assert!(pages <= most, "{pages} pages");
        let [orders] = &found[..] else { panic!("{found:?}") };
        let second = |number| store.time(number).timestamp();
        assert_eq!((orders.first.timestamp(), orders.last.timestamp()), (second(0), second(MILLION - 1)));
        assert_eq!(orders.stream, "orders");
        assert_eq!(orders.entities.iter().collect::<Vec<_>>(), ["projects/shop/subscriptions/orders"]);

        // From where estimates are made, changes nothing but how the end is found.
        let estimates = [
            (Selection::all(), MILLION),
            (span(TimeDelta::hours(3), TimeDelta::hours(6)), MILLION / 4),
            (span(TimeDelta::minutes(340), TimeDelta::minutes(10)), MILLION / 144),
            (span(TimeDelta::hours(20), TimeDelta::hours(20)), MILLION / 6),
            (span(TimeDelta::hours(20), TimeDelta::seconds(60)), MILLION / 1440),
        ];
        for (selection, blobs) in estimates.into_iter().take(if since == TimeDelta::days(1) { 5 } else { 1 }) {
            let estimated = estimate(&archive, &selection, now).await.expect("an estimate").expect("told by names");
            let pages = store.pages();
            println!("estimate: {estimated} of {blobs} in {pages} pages");
            assert!((blobs / 2..=blobs * 2).contains(&estimated), "{estimated} of {blobs}");
            assert!(pages <= 60, "{pages} pages");
        }
        let nothing = estimate(&archive, &span(TimeDelta::days(-2), TimeDelta::days(1)), now).await.expect("an estimate");
        assert_eq!(nothing, Some(0));
        store.pages();
    }
}

#[tokio::test]
async fn nothing_is_asked_for_behind_a_listing_that_was_dropped() {
    for detail in [Detail::Names, Detail::Records] {
        let (archive, store) = archive(MILLION).await;
        let mut items = messages(&archive, &Arc::new(Selection::all()), Source::Listing, detail);
        for _ in 0..10 {
            assert!(matches!(items.try_next().await.expect("an item"), Some(Item::Message(_))));
        }
        // What comes ahead comes meanwhile: all tasks are on this thread, and each is asked again and again.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        drop(items);
        let pages = store.pages();
        println!("ten messages, {detail:?}: {pages} pages");
        // Batches of 250: four wait to be taken, one to be given, four are read, one is being given away; and one page more at most.
        assert!(pages <= 4, "{pages} pages");
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(store.pages(), 0, "{detail:?}");
    }
}
