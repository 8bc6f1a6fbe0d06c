//! Invocations of an Event Grid trigger, read in `EventGridExtensionConfigProvider.cs`: the body of the webhook is parsed and written again, indented.

use chrono::{DateTime, Utc};

use super::json::Json;
use super::values::{Form, Value, ticks};
use super::{Binding, BindingData, Cardinality, Invocation, System, envelope};

/// The text that the host makes of an event: its payload, as far as anyone behind the host can know.
pub fn host_text(event: &Json) -> String {
    parsed(event).indented()
}

/// The invocation that brings these events: one, or those of a delivery.
///
/// # Panics
/// If there are several and the cardinality is one.
pub fn invocation(binding: &Binding, form: Form, system: &System, events: &[Json]) -> Invocation {
    let mut metadata = BindingData::default();
    let data = |event: &Json| parsed(event).member("data").cloned().unwrap_or(Json::Null);
    let value = match binding.cardinality {
        Cardinality::One => {
            let [event] = events else { panic!("{} events for cardinality one", events.len()) };
            let text = host_text(event);
            metadata.add("data", Value::Json(data(event)));
            metadata.overlay(&text);
            Value::text(text)
        }
        Cardinality::Many => {
            metadata.add("data", Value::Json(Json::Array(events.iter().map(data).collect())));
            Value::Json(Json::Array(events.iter().map(|event| Json::Text(host_text(event))).collect()))
        }
    };
    envelope(binding, form, system, value, metadata)
}

/// As Newtonsoft reads it by default: a text that looks like a date becomes one, and is written again with 100 ns at most.
fn parsed(value: &Json) -> Json {
    match value {
        Json::Text(text) => Json::Text(as_date(text).unwrap_or_else(|| text.clone())),
        Json::Array(items) => Json::Array(items.iter().map(parsed).collect()),
        Json::Object(members) => Json::Object(members.iter().map(|(name, value)| (name.clone(), parsed(value))).collect()),
        other => other.clone(),
    }
}

/// Only dates in UTC are known here, and not more than seven digits of fraction: others depend on the host's own zone and rounding.
fn as_date(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('T')?;
    let fraction = rest.strip_suffix('Z')?.split_once('.').map_or("", |(_, fraction)| fraction);
    let time: DateTime<Utc> = text.parse().ok().filter(|_| fraction.len() <= 7)?;
    Some(ticks(time) + "Z")
}
