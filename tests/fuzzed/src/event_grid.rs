//! A call with events of Event Grid, whose payload is their own text.

use persistor_azure_function::{Cardinality, Trigger};
use serde::Deserialize;
use serde_json::json;

use crate::contents::assert_same_time;
use crate::invocation::{Made, elements, make, text, value};

#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "eventTime")]
    event_time: Option<serde_json::Value>,
    time: Option<serde_json::Value>,
}

/// What is acknowledged is stored to the byte as the host wrote it, under the event's own id and time.
pub fn event_grid(data: &[u8]) {
    let Some(made) = make(Trigger::EventGrid, data) else { return };
    let events = events(&made).unwrap_or_default();
    for kept in &made.contents.messages {
        assert!(events.iter().flatten().any(|event| event.as_bytes() == kept.payload), "an event that was not in the call");
        // Numbers beyond what this decoder knows are none of an event's own members.
        if let Ok(event) = serde_json::from_slice::<Event>(&kept.payload) {
            assert_eq!(kept.record["id"], event.id);
            let text = |value: Option<serde_json::Value>| value.and_then(|value| value.as_str().map(str::to_owned));
            let given = text(event.event_time).or(text(event.time)).expect("a time");
            let zoned = if given.parse::<chrono::DateTime<chrono::Utc>>().is_ok() { given } else { format!("{given}Z") };
            assert_same_time(&kept.record["publish_time"], &zoned);
        }
        assert_eq!(kept.record["attributes"], json!({}));
        assert_eq!(kept.record["fidelity"], json!(["host-text"]));
    }
    if made.answer.status == 200 {
        assert!(!events.is_empty(), "a call without an event was acknowledged");
        for event in events {
            let event = event.expect("what was acknowledged can be read");
            assert!(made.contents.messages.iter().any(|kept| kept.payload == event.as_bytes()), "an event that is not stored");
        }
    }
}

/// The texts of a call's events.
fn events(made: &Made<'_>) -> Option<Vec<Option<String>>> {
    let value = value(made.body)?;
    let event = |raw: &str| if raw.starts_with('"') { text(raw) } else { Some(raw.to_owned()) };
    Some(match made.cardinality {
        // A text in a text, too.
        Cardinality::One => {
            vec![
                event(&value).and_then(|once| {
                    if value.starts_with('"') && once.starts_with('"') { text(once.trim()) } else { Some(once) }
                }),
            ]
        }
        Cardinality::Many => elements(&value)?.iter().map(|raw| event(raw)).collect(),
    })
}
