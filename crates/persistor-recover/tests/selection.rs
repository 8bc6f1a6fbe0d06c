//! The selected messages are those that a plain filter over all records finds: in order, once, whatever the layouts, names, ids and times.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use common::{message, persist};
use futures_util::{StreamExt as _, TryStreamExt as _};
use persistor_core::{DEFAULT_TEMPLATE, Key, MemoryStore, Message, Record, RecordPlace};
use persistor_recover::{
    Archive, AttributeFilter, Detail, Fault, Item, Keys, Pattern, Selection, Source, Stored, messages, search,
};
use proptest::prelude::*;

const SHARDED: &str = "{shard:1}/{stream}/{time:%Y/%m/%d}/{attribute:tenant|none}/{id}-{digest}";
/// Here an attribute that is asked for says what to list.
const BY_TENANT: &str = "{attribute:tenant|none}/{stream}/{time:%Y/%m/%d}/{id}-{digest}";
/// Here keys tell the hour or the minute, and records the rest.
const BY_HOUR: &str = "{stream}/{time:%Y/%m/%d/%H}/{id}-{digest}";
const BY_MINUTE: &str = "{time:%Y/%m/%d/%H%M}/{stream}/{id}-{digest}";
const STREAMS: [&str; 6] = ["orders", "orders-b", "a/b", "..", "\u{e9} \u{1f600}", "or"];
const DIGITS: &str = "7-0123456789abcdef0123456789abcdef";

/// What identifies a message, by its own values; the tenant too, as keys show it: there, one that is not given is one called `none`.
type Identity = (String, String, DateTime<Utc>, String, String);

fn at(milliseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_795_305_570_000 + milliseconds).expect("a time")
}

#[derive(Clone, Debug)]
struct Planned {
    stream: usize,
    id: String,
    milliseconds: i64,
    tenant: Option<String>,
    payload: String,
    /// Under which layouts it is stored.
    layouts: (bool, bool),
}

impl Planned {
    fn message(&self) -> Message {
        let time = at(self.milliseconds).to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        message(STREAMS[self.stream], &self.id, &time, self.tenant.as_deref(), &self.payload)
    }
}

fn ids() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..12_u32).prop_map(|id| id.to_string()),
        Just(DIGITS.to_owned()),
        Just(format!("{DIGITS}.record")),
        "[-~./_é]{1,3}",
        Just("long".repeat(60)),
    ]
}

fn planned() -> impl Strategy<Value = Planned> {
    let tenant = prop::option::of(prop::sample::select(vec!["north", "none", "", "a/b"]));
    // Two days and a bit, most of them within a few seconds of each other, some at a moment that is asked for.
    let milliseconds = prop_oneof![0..5_000_i64, 0..200_000_000_i64, (0..5_i64).prop_map(|n| n * 1000)];
    let layouts = prop::sample::select(vec![(true, false), (false, true), (true, true)]);
    let values = (0..STREAMS.len(), ids(), milliseconds, tenant, "[ab]{0,1}", layouts);
    values.prop_map(|(stream, id, milliseconds, tenant, payload, layouts)| Planned {
        stream,
        id,
        milliseconds,
        tenant: tenant.map(str::to_owned),
        payload,
        layouts,
    })
}

#[derive(Clone, Debug)]
struct Asked {
    streams: BTreeSet<usize>,
    since: Option<i64>,
    until: Option<i64>,
    ids: BTreeSet<String>,
    attribute: Option<&'static str>,
}

fn asked() -> impl Strategy<Value = Asked> {
    let moment = || prop::option::of(prop_oneof![0..6_000_i64, 0..200_000_000_i64, (0..5_i64).prop_map(|n| n * 1000)]);
    let attribute =
        prop::option::weighted(0.4, prop::sample::select(vec!["tenant", "tenant=north", "tenant!=north", "tenant=none"]));
    let ids = prop_oneof![2 => Just(BTreeSet::new()), 1 => prop::collection::btree_set(ids(), 1..4)];
    let streams = prop_oneof![Just(BTreeSet::new()), prop::collection::btree_set(0..STREAMS.len(), 1..3)];
    (streams, moment(), moment(), ids, attribute).prop_map(|(streams, since, until, ids, attribute)| Asked {
        streams,
        since,
        until,
        ids,
        attribute,
    })
}

impl Asked {
    fn selection(&self) -> Selection {
        let filter = self.attribute.map(|text| text.parse::<AttributeFilter>().expect("a filter"));
        Selection::all()
            .streams(self.streams.iter().map(|stream| STREAMS[*stream].to_owned()))
            .between(self.since.map(at), self.until.map(at))
            .ids(self.ids.clone())
            .attributes(filter)
    }

    fn wants(&self, planned: &Planned) -> bool {
        let tenant = planned.tenant.as_deref();
        let by_attribute = match self.attribute {
            None => true,
            Some("tenant") => tenant.is_some(),
            Some("tenant!=north") => tenant != Some("north"),
            Some(text) => tenant == text.split_once('=').map(|(_, value)| value),
        };
        let by_time = self.since.is_none_or(|since| planned.milliseconds >= since)
            && self.until.is_none_or(|until| planned.milliseconds < until);
        let by_stream = self.streams.is_empty() || self.streams.contains(&planned.stream);
        by_attribute && by_time && by_stream && (self.ids.is_empty() || self.ids.contains(&planned.id))
    }
}

fn identity(record: &Record) -> Identity {
    let tenant = record.attributes().get("tenant").map_or("none", |value| value.text()).to_owned();
    let second = record.publish_time().second().and_utc();
    (record.entity().to_string(), record.id().to_string(), second, record.sha256()[..32].to_owned(), tenant)
}

async fn found(archive: &Arc<Archive>, selection: Selection, source: Source, detail: Detail) -> Vec<Stored> {
    let items: Vec<_> = messages(archive, &Arc::new(selection), source, detail).try_collect().await.expect("items");
    let message = |item| match item {
        Item::Message(stored) => *stored,
        Item::Finding(finding) => panic!("{finding:?}"),
    };
    items.into_iter().map(message).collect()
}

#[tokio::test]
async fn a_search_finds_what_is_in_payloads_and_in_attributes_if_it_is_asked_to() {
    let of = |id, tenant, payload| message("orders", id, "2026-11-22T05:40:12Z", tenant, payload);
    let plans =
        vec![of("1", Some("north"), "to the south"), of("2", Some("south"), "x"), of("3", None, "y"), of("4", Some("n"), "")];
    let (archive, _) = archive(&[(DEFAULT_TEMPLATE, plans)]).await;
    for (attributes, expected) in [(false, &["1"][..]), (true, &["1", "2"])] {
        let items = messages(&archive, &Arc::new(Selection::all()), Source::Listing, Detail::Records);
        let items = search(&archive, items, Pattern::fixed("south", false).expect("a pattern"), attributes);
        let ids = items.map_ok(|item| match item {
            Item::Message(stored) => stored.record.expect("a record").id().to_string(),
            Item::Finding(finding) => panic!("{finding:?}"),
        });
        assert_eq!(ids.try_collect::<Vec<_>>().await.expect("items"), expected);
    }
    assert_eq!(archive.progress().bytes(), 2 * 14, "read twice");
}

async fn archive(plans: &[(&str, Vec<Message>)]) -> (Arc<Archive>, Vec<Vec<Key>>) {
    let (store, mut keys) = (MemoryStore::new(), Vec::new());
    for (number, (template, messages)) in plans.iter().enumerate() {
        // Records of the second layout have their own blobs.
        let place = if number == 0 { RecordPlace::Auto } else { RecordPlace::Always };
        keys.push(persist(Arc::new(store.clone()), template, place, messages.clone()).await);
    }
    (Archive::open(Arc::new(store)).await.expect("opened"), keys)
}

async fn several_layouts(plans: &[Planned], asked: &Asked) {
    let of = |layout: fn(&Planned) -> bool| plans.iter().filter(|plan| layout(plan)).map(Planned::message).collect::<Vec<_>>();
    let (archive, _) = archive(&[(DEFAULT_TEMPLATE, of(|plan| plan.layouts.0)), (SHARDED, of(|plan| plan.layouts.1))]).await;
    let given = found(&archive, asked.selection(), Source::Listing, Detail::Names).await;
    // A key is stored once, with the first message that has it: others differ in what is no part of it.
    let mut first = BTreeSet::new();
    let mut wanted = BTreeSet::new();
    for layout in archive.layouts() {
        let is_default = layout.template().to_string() == DEFAULT_TEMPLATE;
        for plan in plans.iter().filter(|plan| if is_default { plan.layouts.0 } else { plan.layouts.1 }) {
            let message = plan.message();
            let key = layout.template().render(&message);
            if first.insert(key.clone()) && asked.wants(plan) {
                wanted.insert(key);
            }
        }
    }
    let keys: Vec<_> = given.iter().map(|stored| stored.key.clone()).collect();
    assert_eq!(keys, wanted.into_iter().collect::<Vec<_>>(), "the keys in their order");
    let mut seen: BTreeMap<Identity, Key> = BTreeMap::new();
    for stored in &given {
        let record = stored.record.as_ref().expect("several layouts");
        let identity = identity(record);
        let before = seen.get(&identity).cloned();
        assert_eq!(stored.duplicate_of, before, "{}", stored.key);
        seen.entry(identity).or_insert_with(|| stored.key.clone());
    }
}

async fn one_layout(template: &str, plans: &[Planned], asked: &Asked, asked_keys: &[prop::sample::Index]) {
    let (archive, stored) = archive(&[(template, plans.iter().map(Planned::message).collect())]).await;
    let mut first = BTreeMap::new();
    for (key, plan) in stored[0].iter().zip(plans) {
        first.entry(key.to_string()).or_insert(plan);
    }
    let wanted: Vec<_> = first.iter().filter(|(_, plan)| asked.wants(plan)).map(|(key, _)| key.clone()).collect();
    for detail in [Detail::Names, Detail::Records] {
        let given = found(&archive, asked.selection(), Source::Listing, detail).await;
        assert_eq!(given.iter().map(|stored| stored.key.to_string()).collect::<Vec<_>>(), wanted, "{detail:?}");
        assert!(given.iter().all(|stored| stored.duplicate_of.is_none() && (stored.record.is_some() || detail == Detail::Names)));
    }
    // Keys as they come, some of them changed so that they are not there.
    let (mut keys, mut there, mut absent) = (Keys::default(), BTreeSet::new(), BTreeSet::new());
    for (number, index) in asked_keys.iter().enumerate() {
        let key = index.get(&stored[0]).to_string();
        let changed = match number % 4 {
            0 => format!("{key}0"),
            1 => key.replacen('/', "-/", 1),
            _ => key,
        };
        let kind = if first.contains_key(&changed) { &mut there } else { &mut absent };
        keys.push(&Key::parse(changed.as_str()).expect("a key")).expect("pushed");
        kind.insert(changed);
    }
    let mut items = messages(&archive, &Arc::new(Selection::all()), Source::Keys(keys), Detail::Names);
    let (mut given, mut missed) = (Vec::new(), Vec::new());
    while let Some(item) = items.next().await {
        match item.expect("an item") {
            Item::Message(stored) => given.push(stored.key.to_string()),
            Item::Finding(finding) => {
                assert_eq!(finding.fault, Fault::Absent, "{finding:?}");
                missed.push(finding.name);
            }
        }
    }
    assert_eq!(given, there.into_iter().collect::<Vec<_>>());
    assert_eq!(missed, absent.into_iter().collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_selection_is_a_filter(
        plans in prop::collection::vec(planned(), 1..60), asked in asked(), template in prop::sample::select(vec![DEFAULT_TEMPLATE, SHARDED, BY_TENANT, BY_HOUR, BY_MINUTE]),
        keys in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            several_layouts(&plans, &asked).await;
            one_layout(template, &plans, &asked, &keys).await;
        });
    }
}

#[tokio::test]
async fn any_number_of_keys_in_any_order() {
    let messages: Vec<_> = (0..4500_i64)
        .map(|n| message("orders", &n.to_string(), &(at(0) + TimeDelta::milliseconds(n)).to_rfc3339(), None, ""))
        .collect();
    let (archive, stored) = archive(&[(DEFAULT_TEMPLATE, messages)]).await;
    let mut all = stored[0].clone();
    all.sort_unstable();
    // Gaps of more and of fewer than a page; all; the ends; the last before the first, and twice.
    for (every, absent) in [(1, false), (2, false), (1500, false), (4499, false), (3, true), (1200, true)] {
        let chosen: Vec<_> = all.iter().step_by(every).collect();
        let mut keys = Keys::default();
        for key in chosen.iter().rev().chain(&chosen) {
            keys.push(key).expect("pushed");
            if absent {
                keys.push(&Key::parse(format!("{key}0")).expect("a key")).expect("pushed");
            }
        }
        let items = persistor_recover::messages(&archive, &Arc::new(Selection::all()), Source::Keys(keys), Detail::Records);
        let items: Vec<_> = items.try_collect().await.expect("items");
        let names = items.iter().map(|item| match item {
            Item::Message(stored) => stored.key.to_string(),
            Item::Finding(finding) => format!("{} {}", finding.fault, finding.name),
        });
        let expected = chosen.iter().flat_map(|key| [Some(key.to_string()), absent.then(|| format!("absent {key}0"))]);
        assert_eq!(names.collect::<Vec<_>>(), expected.flatten().collect::<Vec<_>>(), "every {every}");
    }
}
