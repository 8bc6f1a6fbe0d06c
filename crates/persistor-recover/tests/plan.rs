//! Which names are listed for a selection: no more than the layouts, all together, allow to leave out.

mod common;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use common::{message, persist};
use persistor_core::{MemoryStore, RecordPlace};
use persistor_recover::{Archive, Selection, plan};

fn now() -> DateTime<Utc> {
    "2026-11-22T05:41:00Z".parse().expect("a time")
}

/// An archive with these layouts, and a message of the tenants `north` and `south` under each.
async fn laid_out(templates: &[&str]) -> Arc<Archive> {
    let store = MemoryStore::new();
    for template in templates {
        let of = |tenant| message("orders", "7", "2026-11-22T05:40:12Z", Some(tenant), tenant);
        persist(Arc::new(store.clone()), template, RecordPlace::Auto, vec![of("north"), of("south")]).await;
    }
    Archive::open(Arc::new(store)).await.expect("it opens")
}

#[tokio::test]
async fn what_is_listed_is_narrowed_only_where_every_layout_allows_it() {
    let (by_stream, by_id) = ("{stream}/{time:%Y/%m/%d}/{id}-{digest}", "{id}/{stream}/{time:%Y/%m/%d}/{digest}");
    let between = |since: bool, until: bool| Selection::all().between(since.then(now), until.then(now));
    let asked = [
        between(false, false),
        between(true, false),
        between(false, true),
        between(true, true),
        between(true, false).streams(["orders".to_owned()]),
        Selection::all().ids(["7".to_owned()]),
    ];
    for (templates, expected) in [
        (&[by_stream][..], [false, true, true, true, true, false]),
        (&[by_id], [false, false, false, false, false, true]),
        (&[by_stream, by_id], [false; 6]),
    ] {
        let archive = laid_out(templates).await;
        assert_eq!(archive.time_parts(), 3);
        for (selection, expected) in asked.iter().zip(expected) {
            assert_eq!(plan(&archive, selection).await.expect("a plan").narrowed, expected, "{templates:?}: {selection}");
        }
    }
}

#[tokio::test]
async fn an_attribute_that_comes_first_says_where_to_list() {
    let archive = laid_out(&["{attribute:tenant|none}/{stream}/{time:%Y/%m/%d}/{id}-{digest}"]).await;
    for (filter, prefix) in [("tenant=north", "north/"), ("tenant!=north", ""), ("tenant", "")] {
        let selection = Selection::all().attributes([filter.parse().expect("a filter")]);
        let prefixes: Vec<_> =
            plan(&archive, &selection).await.expect("a plan").ranges.into_iter().map(|range| range.prefix).collect();
        assert_eq!(prefixes, [prefix], "{filter}");
    }
}
