//! A call of the Functions host: a byte, odd for a call of one message and even for one of many, and a body; and its parts as another decoder reads them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use persistor_azure_function::{App, Cardinality, Function, Trigger};
use persistor_core::{Entity, Layout, MemoryStore, Persist, RecordPlace, Stream};
use persistor_serve::{Budget, Ready};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::contents::Contents;
use crate::serving::{Answer, MEMORY, MOST_BODY, send};

/// What the trigger's value is called in a call.
pub(crate) const BINDING: &str = "m";

/// A call that was made, twice, and what came of it.
pub(crate) struct Made<'a> {
    pub(crate) cardinality: Cardinality,
    pub(crate) body: &'a [u8],
    pub(crate) answer: Answer,
    pub(crate) contents: Contents,
}

/// Makes the call of an input. `None` for the empty input.
pub(crate) fn make(trigger: Trigger, data: &[u8]) -> Option<Made<'_>> {
    let (first, body) = data.split_first()?;
    let cardinality = if first % 2 == 1 { Cardinality::One } else { Cardinality::Many };
    let (store, router) = handler(trigger, cardinality);
    let request = || Request::post("/F").body(Body::from(body.to_vec())).expect("a request");
    let answer = send(&router, request());
    let contents = Contents::of(&store);
    if answer.status == 200 {
        // The host waits for an answer that is no JSON object until it kills the program.
        assert_eq!(answer.body, "{}");
    } else {
        answer.assert_refusal();
        assert!(contents.rejected.is_empty(), "what is kept as it came is acknowledged");
    }
    assert_eq!(send(&router, request()), answer, "a redelivery is answered alike");
    assert!(Contents::of(&store) == contents, "a redelivery changes nothing");
    Some(Made { cardinality, body, answer, contents })
}

fn handler(trigger: Trigger, cardinality: Cardinality) -> (MemoryStore, Router) {
    let store = MemoryStore::new();
    let persist = Persist::new(Arc::new(store.clone()), Layout::default(), RecordPlace::Auto, Duration::from_secs(60));
    let function = Function {
        name: "F".to_owned(),
        trigger,
        cardinality,
        binding: BINDING.to_owned(),
        entity: Entity::new("ns/q").expect("an entity"),
        stream: Stream::new("ns.q").expect("a stream"),
    };
    (store, Arc::new(App::new(persist, vec![function], MOST_BODY, Budget::new(MEMORY), None)).router(Ready::new()))
}

/// The value of a member of an object, its name in any case, as it stands there; none where it is null.
pub(crate) fn member(object: &str, name: &str) -> Option<String> {
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(object).ok()?;
    let found =
        members.get(name).or_else(|| members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value));
    found.map(|value| value.get().to_owned()).filter(|value| value != "null")
}

/// The trigger's value.
pub(crate) fn value(body: &[u8]) -> Option<String> {
    member(&member(std::str::from_utf8(body).ok()?, "Data")?, BINDING)
}

/// What the host says beside it.
pub(crate) fn metadata(body: &[u8]) -> String {
    std::str::from_utf8(body).ok().and_then(|body| member(body, "Metadata")).unwrap_or_else(|| "{}".to_owned())
}

/// The text of a JSON string.
pub(crate) fn text(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

/// The elements of an array, or of one in a string.
pub(crate) fn elements(raw: &str) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Elements(Vec<Box<RawValue>>);
    let inside = if raw.starts_with('"') { text(raw)? } else { raw.to_owned() };
    let Elements(elements) = serde_json::from_str(&inside).ok()?;
    Some(elements.iter().map(|element| element.get().to_owned()).collect())
}

/// The payloads of a trigger that gives them in base64; none for each that is no base64 in a string.
pub(crate) fn payloads(made: &Made<'_>) -> Option<Vec<Option<Vec<u8>>>> {
    let value = value(made.body)?;
    let decode = |raw: &String| STANDARD.decode(text(raw)?).ok();
    match made.cardinality {
        Cardinality::One => Some(vec![decode(&value)]),
        Cardinality::Many => Some(elements(&value)?.iter().map(decode).collect()),
    }
}

/// The broker's number of each message, as digits; none where it is no 64-bit number.
pub(crate) fn numbers(made: &Made<'_>) -> Vec<Option<i64>> {
    let digits = |raw: &String| if raw.starts_with('"') { text(raw)? } else { raw.clone() }.parse().ok();
    let metadata = metadata(made.body);
    match made.cardinality {
        Cardinality::One => vec![member(&metadata, "SequenceNumber").and_then(|raw| {
            // A text, or JSON in a string.
            let inner = if raw.starts_with('"') { text(&raw)? } else { raw };
            digits(&inner)
        })],
        Cardinality::Many => {
            let column = member(&metadata, "SequenceNumberArray").and_then(|raw| elements(&raw));
            column.unwrap_or_default().iter().map(digits).collect()
        }
    }
}

/// Checks that what is kept is what the call brought, each payload with its own number, and that all of it is kept where it has to be.
pub(crate) fn assert_kept(made: &Made<'_>, id: impl Fn(&serde_json::Value, u64) -> String, all: bool) {
    let (payloads, numbers) = (payloads(made), numbers(made));
    let rows: Vec<_> = payloads.into_iter().flatten().zip(numbers).collect();
    let rows: Vec<_> = rows.into_iter().map(|(payload, number)| Some((payload?, number?))).collect();
    for kept in &made.contents.messages {
        let properties = &kept.record["properties"];
        let number: i64 = properties["sequence"].as_str().and_then(|text| text.parse().ok()).expect("a number");
        assert_eq!(kept.record["id"], id(properties, number.cast_unsigned()));
        assert!(rows.iter().flatten().any(|row| row.0 == kept.payload && row.1 == number), "a message that was not in the call");
    }
    if all {
        assert!(!rows.is_empty(), "a call without a message was acknowledged");
        for row in &rows {
            let (payload, number) = row.as_ref().expect("what was acknowledged can be read");
            let has = |kept: &crate::contents::Kept| {
                kept.payload == *payload
                    && kept.record["properties"]["sequence"].as_str().is_some_and(|text| text.parse() == Ok(*number))
            };
            assert!(made.contents.messages.iter().any(has), "a message was acknowledged and is not stored");
        }
    }
}
