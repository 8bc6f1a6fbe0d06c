//! The handler without a listener, over stores that misbehave, with calls as the host writes them. Calls of every shape are made of the built program.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use http_body_util::BodyExt as _;
use persistor_azure_function::{App, Cardinality, Function, Trigger};
use persistor_core::{
    Creation, Entity, Error, ErrorKind, Key, Layout, MemoryStore, Metadata, Persist, PublishTime, Reader as _, RecordPlace,
    Result, Stream, Writer,
};
use persistor_serve::{Budget, Ready, SPARE};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::ServiceExt as _;

/// A store that fails the first writes of payloads that end so.
#[derive(Debug, Default)]
struct Failing {
    store: MemoryStore,
    /// By a payload, the number of failures that are left.
    failures: Mutex<HashMap<Vec<u8>, u32>>,
    how: How,
}

#[derive(Clone, Copy, Debug, Default)]
enum How {
    #[default]
    Error,
    Hang,
    Panic,
}

#[async_trait]
impl Writer for Failing {
    fn keeps_metadata(&self) -> bool {
        true
    }

    async fn create(&self, key: &Key, content: &[Bytes], metadata: &Metadata, time: Option<&PublishTime>) -> Result<Creation> {
        let fails = {
            let mut failures = self.failures.lock().expect("no panic");
            let left = failures.get_mut(&content.concat()).filter(|left| **left > 0);
            left.map(|left| *left -= 1).is_some()
        };
        match self.how {
            _ if !fails => self.store.create(key, content, metadata, time).await,
            How::Error => Err(Error::new(ErrorKind::Unavailable, format!("create `{key}`")).with_source("it is down")),
            How::Hang => std::future::pending().await,
            How::Panic => panic!("the store is broken"),
        }
    }
}

fn failing(payloads: impl IntoIterator<Item = &'static str>, times: u32) -> Arc<Failing> {
    let failures = payloads.into_iter().map(|payload| (payload.as_bytes().to_vec(), times)).collect();
    Arc::new(Failing { failures: Mutex::new(failures), ..Failing::default() })
}

fn function(trigger: Trigger, cardinality: Cardinality) -> Function {
    Function {
        name: "F".to_owned(),
        trigger,
        cardinality,
        binding: "m".to_owned(),
        entity: Entity::new("ns/q").expect("an entity"),
        stream: Stream::new("ns.q").expect("a stream"),
    }
}

fn app(writer: Arc<dyn Writer>, function: Function) -> Router {
    app_within(writer, function, Budget::new(64 << 20))
}

fn app_within(writer: Arc<dyn Writer>, function: Function, budget: Budget) -> Router {
    let persist = Persist::new(writer, Layout::default(), RecordPlace::Auto, Duration::from_secs(8));
    Arc::new(App::new(persist, vec![function], 8 << 20, budget, None)).router(Ready::new())
}

async fn call(router: &Router, body: &Value) -> (u16, Value) {
    // As the host sends it: without a length.
    let body = Body::from_stream(futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from(body.to_string()))]));
    let response = router.clone().oneshot(Request::post("/F").body(body).expect("a request")).await.expect("infallible");
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, serde_json::from_slice(&body).expect("a reply is JSON"))
}

/// The host's form of a value that is none of its objects: JSON in a string.
fn in_string(value: Value) -> Value {
    Value::String(value.to_string())
}

fn one(number: u64, payload: &str) -> Value {
    json!({
        "Data": { "m": STANDARD.encode(payload) },
        "Metadata": {
            "SequenceNumber": number.to_string(), "MessageId": format!("\"id-{number}\""), "EnqueuedTimeUtc": "2026-11-22T05:50:40",
            "DeliveryCount": "1", "LockToken": "\"…\"",
        }
    })
}

fn many(payloads: &[String]) -> Value {
    let numbers: Vec<_> = (0..payloads.len()).collect();
    let ids: Vec<_> = numbers.iter().map(|number| format!("id-{number}")).collect();
    let times: Vec<_> = numbers.iter().map(|_| "2026-11-22T05:50:40.1234567").collect();
    let data: Vec<_> = payloads.iter().map(|payload| STANDARD.encode(payload)).collect();
    json!({
        "Data": { "m": in_string(json!(data)) },
        "Metadata": {
            "SequenceNumberArray": in_string(json!(numbers)), "MessageIdArray": in_string(json!(ids)),
            "EnqueuedTimeUtcArray": in_string(json!(times)),
        }
    })
}

fn hundred() -> Vec<String> {
    (0..100).map(|n| format!("payload {n}")).collect()
}

/// Names and contents below a prefix.
async fn stored(store: &MemoryStore, prefix: &str) -> Vec<(String, Bytes)> {
    let entries: Vec<_> = store.list(prefix, None).try_collect().await.expect("a list");
    let mut blobs = Vec::new();
    for entry in entries {
        let chunks: Vec<_> =
            store.read(&entry.key().expect("a key"), None).await.expect("there").try_collect().await.expect("bytes");
        blobs.push((entry.name, chunks.concat().into()));
    }
    blobs
}

#[tokio::test(start_paused = true)]
async fn three_of_a_hundred_that_fail_twice_are_one_success() {
    let writer = failing(["payload 3", "payload 42", "payload 99"], 2);
    let router = app(writer.clone(), function(Trigger::ServiceBus, Cardinality::Many));
    assert_eq!(call(&router, &many(&hundred())).await, (200, json!({})));
    assert_eq!(stored(&writer.store, "ns.q/").await.len(), 100);
}

#[tokio::test(start_paused = true)]
async fn three_that_fail_for_ever_are_a_failure_in_time_and_the_others_are_stored() {
    for how in [How::Error, How::Hang] {
        let mut writer = failing(["payload 3", "payload 42", "payload 99"], u32::MAX);
        Arc::get_mut(&mut writer).expect("ours alone").how = how;
        let router = app(writer.clone(), function(Trigger::ServiceBus, Cardinality::Many));
        let start = Instant::now();
        let (status, body) = call(&router, &many(&hundred())).await;
        assert_eq!((status, &body["error"]), (503, &json!("not-stored")));
        // Tried to the end of its time, and not a moment longer.
        let took = start.elapsed();
        assert!(took <= Duration::from_secs(45) && took > Duration::from_secs(30), "{took:?}");
        assert_eq!(stored(&writer.store, "ns.q/").await.len(), 97);

        writer.failures.lock().expect("no panic").clear();
        assert_eq!(call(&router, &many(&hundred())).await, (200, json!({})));
        assert_eq!(stored(&writer.store, "ns.q/").await.len(), 100);
    }
}

#[tokio::test(start_paused = true)]
async fn a_single_one_has_four_minutes() {
    let writer = failing(["p"], u32::MAX);
    let router = app(writer.clone(), function(Trigger::ServiceBus, Cardinality::One));
    let start = Instant::now();
    assert_eq!(call(&router, &one(1, "p")).await.0, 503);
    let took = start.elapsed();
    assert!(took <= Duration::from_secs(240) && took > Duration::from_secs(220), "{took:?}");
    // An outage that ends meanwhile is not noticed by the broker at all.
    *writer.failures.lock().expect("no panic") = HashMap::from([(b"p".to_vec(), 20)]);
    assert_eq!(call(&router, &one(1, "p")).await, (200, json!({})));
}

#[tokio::test]
async fn a_panic_is_a_failure_and_the_next_call_is_served() {
    let mut writer = failing(["p"], 1);
    Arc::get_mut(&mut writer).expect("ours alone").how = How::Panic;
    let budget = Budget::new(64 << 20);
    let router = app_within(writer.clone(), function(Trigger::ServiceBus, Cardinality::One), budget.clone());
    let (status, body) = call(&router, &one(1, "p")).await;
    assert_eq!((status, &body["error"]), (500, &json!("panic")));
    assert_eq!(call(&router, &one(1, "p")).await, (200, json!({})));
    assert_eq!(budget.in_flight(), 0, "what a panic held is free again");
}

#[tokio::test]
async fn both_cardinalities_and_all_forms_have_the_same_key() {
    let writer = failing([], 0);
    let single = app(writer.clone(), function(Trigger::ServiceBus, Cardinality::One));
    let batch = app(writer.clone(), function(Trigger::ServiceBus, Cardinality::Many));
    assert_eq!(call(&single, &one(0, "payload 0")).await.0, 200);
    assert_eq!(call(&batch, &many(&["payload 0".to_owned()])).await.0, 200);
    let plain = json!({
        "Data": { "m": STANDARD.encode("payload 0") },
        "Metadata": { "SequenceNumber": 0, "MessageId": "id-0", "EnqueuedTime": "2026-11-22T05:50:40+00:00" }
    });
    assert_eq!(call(&single, &plain).await.0, 200);
    let plain = json!({
        "Data": { "m": [STANDARD.encode("payload 0")] },
        "Metadata": { "SequenceNumberArray": [0], "MessageIdArray": ["id-0"], "EnqueuedTimeArray": ["2026-11-22T06:50:40.5+01:00"] }
    });
    assert_eq!(call(&batch, &plain).await.0, 200);
    let names: Vec<_> = stored(&writer.store, "ns.q/").await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["ns.q/2026/11/22/05/5040-00000000000000000000-id-0-0b50c1696c6e06f5960d657517493bd7"]);
}

#[tokio::test]
async fn arrays_of_different_lengths_are_refused_and_nothing_is_stored() {
    let writer = failing([], 0);
    let router = app(writer.clone(), function(Trigger::ServiceBus, Cardinality::Many));
    for column in ["SequenceNumberArray", "MessageIdArray", "EnqueuedTimeUtcArray"] {
        let mut body = many(&hundred());
        body["Metadata"][column] = in_string(json!([1, 2]));
        let (status, body) = call(&router, &body).await;
        assert_eq!((status, &body["error"]), (400, &json!("uneven-arrays")), "{column}");
    }
    let empty = json!({ "Data": { "m": "[]" }, "Metadata": {} });
    assert_eq!(call(&router, &empty).await.0, 400, "there is nothing that could have been stored");
    assert_eq!(stored(&writer.store, "ns.q/").await, []);
}

fn events(times: &[&str]) -> Value {
    let numbers: Vec<_> = (0..times.len()).collect();
    let data: Vec<_> = numbers.iter().map(|number| STANDARD.encode(format!("event {number}"))).collect();
    json!({
        "Data": { "m": in_string(json!(data)) },
        "Metadata": {
            "SequenceNumberArray": in_string(json!(numbers)), "EnqueuedTimeUtcArray": in_string(json!(times)),
            "PropertiesArray": in_string(json!(numbers.iter().map(|_| json!({"a": 1})).collect::<Vec<_>>())),
            "PartitionContext": { "PartitionId": "7", "EventHubName": "h" }, "sys": { "RandGuid": Instant::now().elapsed().as_nanos().to_string() },
        }
    })
}

#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_read_is_kept_with_its_call_and_stops_nothing() {
    let writer = failing([], 0);
    let router = app(writer.clone(), function(Trigger::EventHubs, Cardinality::Many));
    let good = "2026-11-22T05:50:40.1234567";
    let mut body = events(&[good, "yesterday", good]);
    assert_eq!(call(&router, &body).await, (200, json!({})));
    let events: Vec<_> = stored(&writer.store, "ns.q/").await.into_iter().map(|(_, content)| content).collect();
    assert_eq!(events, ["event 0", "event 2"]);
    let kept = stored(&writer.store, "_persistor/rejected/").await;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].1, body.to_string());
    // Another delivery says other things beside the data, and finds it.
    body["Metadata"]["sys"] = json!({ "RandGuid": "another" });
    assert_eq!(call(&router, &body).await, (200, json!({})));
    assert_eq!(stored(&writer.store, "_persistor/rejected/").await, kept);
    // The same data elsewhere is another event.
    let mut other = body.clone();
    other["Metadata"]["PartitionContext"]["PartitionId"] = json!("8");
    assert_eq!(call(&router, &other).await, (200, json!({})));
    assert_eq!(stored(&writer.store, "_persistor/rejected/").await.len(), 2);
    // A store that cannot keep it leaves it with the broker.
    let down = failing([], 0);
    let router = app(down.clone(), function(Trigger::EventHubs, Cardinality::Many));
    let fails = |times| *down.failures.lock().expect("no panic") = HashMap::from([(body.to_string().into_bytes(), times)]);
    fails(u32::MAX);
    let start = Instant::now();
    assert_eq!(call(&router, &body).await.0, 503);
    let took = start.elapsed();
    assert!(took <= Duration::from_secs(45) && took > Duration::from_secs(30), "{took:?}");
    assert_eq!(stored(&down.store, "_persistor/rejected/").await, []);
    fails(2);
    assert_eq!(call(&router, &body).await, (200, json!({})), "an outage that ends meanwhile is not noticed");
    assert_eq!(stored(&down.store, "_persistor/rejected/").await.len(), 1);
    // What can be read is to be stored first: until it is, the call comes again, and is not kept.
    let half = failing(["event 2"], u32::MAX);
    let router = app(half.clone(), function(Trigger::EventHubs, Cardinality::Many));
    let (status, reply) = call(&router, &body).await;
    assert_eq!((status, &reply["error"]), (503, &json!("not-stored")));
    assert_eq!(stored(&half.store, "_persistor/rejected/").await, []);
    half.failures.lock().expect("no panic").clear();
    assert_eq!(call(&router, &body).await, (200, json!({})));
    assert_eq!((stored(&half.store, "ns.q/").await.len(), stored(&half.store, "_persistor/rejected/").await.len()), (2, 1));
    // The same of Service Bus is refused: there one message stops no other.
    let bus = failing([], 0);
    let router = app(bus.clone(), function(Trigger::ServiceBus, Cardinality::Many));
    let (status, reply) = call(&router, &body).await;
    assert_eq!((status, &reply["error"]), (400, &json!("bad-time")));
    assert_eq!(stored(&bus.store, "").await.iter().filter(|(name, _)| name.contains("rejected")).count(), 0);
}

/// The answer to memory that is full is patience: refused at once, a message comes back at once, and is counted.
#[tokio::test(start_paused = true)]
async fn full_memory_is_waited_for() {
    let writer = failing([], 0);
    let budget = Budget::new(20 << 20);
    let router = app_within(writer.clone(), function(Trigger::ServiceBus, Cardinality::One), budget.clone());
    let held = budget.reserve(20 << 20, Duration::ZERO).await.expect("all of it");
    let freed = async {
        tokio::time::sleep(Duration::from_secs(200)).await;
        drop(held);
    };
    let body = one(1, "p");
    let (answer, ()) = tokio::join!(call(&router, &body), freed);
    assert_eq!(answer, (200, json!({})));
    // For ever is too long.
    let held = budget.reserve(20 << 20, Duration::ZERO).await.expect("all of it");
    let start = Instant::now();
    let (status, reply) = call(&router, &body).await;
    assert_eq!((status, &reply["error"], start.elapsed().as_secs()), (503, &json!("busy"), 240));
    drop(held);
    assert_eq!(budget.in_flight(), 0);
}

/// What is held while a store hangs: the payloads, their metadata, and the call itself where that may have to be kept.
#[tokio::test(start_paused = true)]
async fn what_is_held_meanwhile_is_accounted_for() {
    let good = "2026-11-22T05:50:40.1234567";
    for (times, is_kept) in [([good, good], false), ([good, "yesterday"], true)] {
        let payload = vec![7; 200_000];
        let mut body = events(&times);
        body["Data"]["m"] = in_string(json!([STANDARD.encode(&payload), STANDARD.encode(&payload)]));
        let writer = Failing { failures: Mutex::new([(payload.clone(), u32::MAX)].into()), how: How::Hang, ..Failing::default() };
        let budget = Budget::new(64 << 20);
        let router = app_within(Arc::new(writer), function(Trigger::EventHubs, Cardinality::Many), budget.clone());
        let meanwhile = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            budget.in_flight()
        };
        let (answer, held) = tokio::join!(call(&router, &body), meanwhile);
        assert_eq!(answer.0, 503);
        // One that cannot be read has no payload of its own; the least for metadata is 64 KiB.
        let least = if is_kept { 200_000 + body.to_string().len() as u64 } else { 400_000 } + SPARE;
        assert!((least..least + 4096).contains(&held), "{held} of {least} bytes");
        assert_eq!(budget.in_flight(), 0);
    }
}

#[tokio::test]
async fn a_method_that_is_none_of_a_call_is_told_which_is() {
    let router = app(failing([], 0), function(Trigger::ServiceBus, Cardinality::One));
    for (path, status, allowed) in [("/F", 405, Some("POST")), ("/G", 404, None)] {
        let response =
            router.clone().oneshot(Request::get(path).body(Body::empty()).expect("a request")).await.expect("infallible");
        let allow = response.headers().get("allow").map(|value| value.to_str().expect("text"));
        assert_eq!((response.status().as_u16(), allow), (status, allowed), "{path}");
    }
}

#[tokio::test]
async fn a_sender_moves_nothing_with_what_it_writes() {
    let writer = failing([], 0);
    let router = app(writer.clone(), function(Trigger::ServiceBus, Cardinality::One));
    let forged = r#"{"SequenceNumber":"9","MessageId":"\"forged\"","EnqueuedTimeUtc":"1999-01-01T00:00:00"}"#;
    let mut body = one(1, forged);
    body["Metadata"]["ApplicationProperties"] = serde_json::from_str(forged).expect("JSON");
    // An id that is itself JSON stays the text that it is.
    body["Metadata"]["MessageId"] = in_string(json!("\"7\""));
    body["Metadata"]["CorrelationId"] = in_string(json!("null"));
    assert_eq!(call(&router, &body).await.0, 200);
    let entries: Vec<_> = writer.store.list("ns.q/", None).try_collect().await.expect("a list");
    let [entry] = &entries[..] else { panic!("{entries:?}") };
    assert!(entry.name.starts_with("ns.q/2026/11/22/05/5040-00000000000000000001-~227~22-"), "{}", entry.name);
    let record: Value = serde_json::from_str(&entry.metadata["record"]).expect("a record");
    assert_eq!(record["id"], "00000000000000000001-\"7\"");
    assert_eq!(record["properties"]["correlation_id"], "null");
    assert_eq!(record["attributes"]["SequenceNumber"], "9");
    assert_eq!(record["fidelity"], json!(["whole-seconds"]));
}

#[tokio::test]
async fn event_grids_text_is_kept_as_the_host_wrote_it() {
    let text = "{\r\n  \"id\": \"e/1\",\r\n  \"eventTime\": \"2026-11-22T05:50:40.1234567Z\",\r\n  \"subject\": \"s\",\r\n  \"data\": { \"id\": 7 }\r\n}";
    // An extension of the publisher's own is not Event Grid's member, and what is no JSON at all no event.
    let cloud = r#"{"id":"c","time":"2026-11-22T05:50:40Z","eventtime":"1999-01-01T00:00:00Z","specversion":"1.0"}"#;
    let writer = failing([], 0);
    let router = app(writer.clone(), function(Trigger::EventGrid, Cardinality::One));
    assert_eq!(call(&router, &json!({ "Data": { "m": cloud }, "Metadata": {} })).await, (200, json!({})));
    assert!(stored(&writer.store, "ns.q/2026/11/22/05/5040-c-").await.len() == 1);
    for wrong in [r#""\é""#, r#""\u+041""#, "{", ""] {
        let (status, reply) = call(&router, &json!({ "Data": { "m": wrong }, "Metadata": {} })).await;
        assert_eq!(status, 400, "{wrong}: {reply}");
    }
    for (cardinality, value) in [
        (Cardinality::One, in_string(json!(text))),
        (Cardinality::One, json!(text)),
        (Cardinality::Many, in_string(json!([text]))),
        (Cardinality::Many, json!([text])),
    ] {
        let writer = failing([], 0);
        let router = app(writer.clone(), function(Trigger::EventGrid, cardinality));
        assert_eq!(call(&router, &json!({ "Data": { "m": value }, "Metadata": {} })).await, (200, json!({})));
        let blobs = stored(&writer.store, "ns.q/").await;
        let [(name, content)] = &blobs[..] else { panic!("{blobs:?}") };
        assert!(name.starts_with("ns.q/2026/11/22/05/5040-e~2F1-"), "{name}");
        assert_eq!(content, text);
    }
}
