//! A model of an Event Grid subscription whose webhook is a function, read in `EventGridExtensionConfigProvider.cs`: the events of a delivery are invoked at once, one by one
//! or as a batch; where one fails the webhook answers 500, and the whole delivery comes again.

use std::thread;

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::expected::Expected;
use crate::function_app::SITE;
use crate::functions_host::FunctionsHost;
use crate::invocation::event_grid::{host_text, invocation};
use crate::invocation::json::Json;
use crate::invocation::values::{Form, ticks};
use crate::invocation::{Binding, Cardinality};
use crate::random::Random;

/// A function behind a webhook.
#[derive(Clone, Debug)]
pub struct Webhook<'a> {
    pub host: &'a FunctionsHost,
    pub binding: Binding,
    pub form: Form,
}

/// An event of the one schema or of the other, with data of every kind.
pub fn event_of(number: usize, random: &mut Random) -> Json {
    let time = format!("2026-11-22T05:{:02}:{:02}.{:07}Z", number / 60 % 60, number % 60, number * 1000 % 10_000_000);
    let data = match number % 5 {
        0 => Json::Null,
        1 => Json::text(String::from_utf8_lossy(&random.bytes(50))),
        2 => Json::Array(vec![Json::number(number), Json::Bool(true), Json::Array(vec![])]),
        3 => Json::object([
            ("id", Json::text("another")),
            ("eventTime", Json::text("2020-01-01T00:00:00Z")),
            ("none", Json::Object(vec![])),
        ]),
        _ => Json::object([("payload", Json::text("x".repeat(random.between(0, 20_000))))]),
    };
    if number.is_multiple_of(2) {
        return Json::object([
            ("id", Json::text(format!("e-{number}/é"))),
            ("topic", Json::text("/subscriptions/x")),
            ("subject", Json::text("a\u{e9}\u{1F600}\"\\\n")),
            ("eventType", Json::text("Shop.Order")),
            ("eventTime", Json::text(time)),
            ("data", data),
            ("dataVersion", Json::text("1")),
            ("metadataVersion", Json::text("1")),
        ]);
    }
    Json::object([
        ("specversion", Json::text("1.0")),
        ("id", Json::text(format!("c-{number}"))),
        ("source", Json::text("/shop")),
        ("type", Json::text("Shop.Order")),
        ("time", Json::text(time)),
        ("data", data),
    ])
}

/// What must stand in an archive of an event, of an app that is named as those of tests are.
///
/// # Panics
/// If it is no event.
pub fn expected(binding: &Binding, event: &Json) -> Expected {
    let text = |name: &str| match event.member(name) {
        Some(Json::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let time: DateTime<Utc> = text("eventTime").or_else(|| text("time")).expect("a time").parse().expect("a time");
    Expected {
        entity: format!("{SITE}/{}", binding.function),
        stream: format!("{SITE}.{}", binding.function),
        id: text("id").expect("an id").to_owned(),
        publish_time: ticks(time) + "Z",
        attributes: json!({}),
        properties: text("subject").map_or_else(|| json!({}), |subject| json!({ "subject": subject })),
        fidelity: json!(["host-text"]),
        payload: host_text(event).into(),
    }
}

impl Webhook<'_> {
    /// Brings one delivery, and gives the status that the publisher sees.
    pub fn deliver(&self, events: &[Json]) -> u16 {
        let all_succeeded = match self.binding.cardinality {
            Cardinality::One => thread::scope(|scope| {
                let invocations: Vec<_> = events.chunks(1).map(|event| scope.spawn(|| self.invoke(event))).collect();
                invocations
                    .into_iter()
                    .map(|thread| thread.join().expect("an invocation does not panic"))
                    .filter(|done| !done)
                    .count()
                    == 0
            }),
            Cardinality::Many => self.invoke(events),
        };
        if all_succeeded { 202 } else { 500 }
    }

    /// Brings it again until it is taken, and gives how often it was not.
    ///
    /// # Panics
    /// If it is not taken in a hundred deliveries: Event Grid gives up after a day.
    pub fn deliver_until_taken(&self, events: &[Json]) -> usize {
        (0..100).find(|_| self.deliver(events) == 202).expect("Event Grid gave up")
    }

    fn invoke(&self, events: &[Json]) -> bool {
        self.host.invoke(&invocation(&self.binding, self.form, &self.host.system(), events)).is_ok()
    }
}
