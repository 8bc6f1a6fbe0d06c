//! Invocations as the Azure Functions host sends them to a custom handler, made by the rules that are read in the sources of the host and of its extensions. Nothing
//! here was ever recorded: until it is, what is made here is derived from source, and says so wherever it is kept.
//!
//! How a function is bound ([`Binding`]) decides what of a delivery stands where; [`values`] writes each value, [`json`] the text.

pub mod event_grid;
pub mod event_hubs;
pub mod json;
pub mod service_bus;
pub mod values;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::random::Random;
use json::Json;
use values::{Form, Value};

/// One function of an app, as its `function.json` binds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The function's name, which is that of its folder.
    pub function: String,
    /// The name of the binding.
    pub name: String,
    pub trigger: Trigger,
    pub cardinality: Cardinality,
    pub data_type: DataType,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    Queue { queue: String, sessions: bool },
    Subscription { topic: String, subscription: String, sessions: bool },
    Hub { hub: String, consumer_group: String },
    EventGrid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cardinality {
    One,
    Many,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataType {
    Binary,
    Text,
}

/// What the host adds to every invocation.
#[derive(Clone, Debug)]
pub struct System {
    pub now: DateTime<Utc>,
    pub guid: String,
}

/// One request's worth.
#[derive(Clone, Debug)]
pub struct Invocation {
    pub function: String,
    pub body: Bytes,
}

/// What a trigger is about: names and values in the order in which they were added, found by names without regard to case.
#[derive(Clone, Debug, Default)]
struct BindingData(Vec<(String, Value)>);

impl Binding {
    pub fn queue(function: &str, queue: &str, cardinality: Cardinality) -> Self {
        Self::new(function, "message", Trigger::Queue { queue: queue.to_owned(), sessions: false }, cardinality)
    }

    pub fn subscription(function: &str, topic: &str, subscription: &str, cardinality: Cardinality) -> Self {
        let trigger = Trigger::Subscription { topic: topic.to_owned(), subscription: subscription.to_owned(), sessions: false };
        Self::new(function, "message", trigger, cardinality)
    }

    pub fn hub(function: &str, hub: &str, cardinality: Cardinality) -> Self {
        let trigger = Trigger::Hub { hub: hub.to_owned(), consumer_group: "$Default".to_owned() };
        Self::new(function, "events", trigger, cardinality)
    }

    /// Event Grid knows no binary data.
    pub fn event_grid(function: &str, cardinality: Cardinality) -> Self {
        Self { data_type: DataType::Text, ..Self::new(function, "event", Trigger::EventGrid, cardinality) }
    }

    fn new(function: &str, name: &str, trigger: Trigger, cardinality: Cardinality) -> Self {
        let (function, name) = (function.to_owned(), name.to_owned());
        Self { function, name, trigger, cardinality, data_type: DataType::Binary }
    }

    #[must_use]
    pub fn with_sessions(mut self) -> Self {
        if let Trigger::Queue { sessions, .. } | Trigger::Subscription { sessions, .. } = &mut self.trigger {
            *sessions = true;
        }
        self
    }

    #[must_use]
    pub fn as_text(mut self) -> Self {
        self.data_type = DataType::Text;
        self
    }

    pub fn has_sessions(&self) -> bool {
        matches!(self.trigger, Trigger::Queue { sessions: true, .. } | Trigger::Subscription { sessions: true, .. })
    }
}

impl System {
    /// As of now.
    pub fn now(random: &mut Random) -> Self {
        Self { now: std::time::SystemTime::now().into(), guid: guid(random) }
    }
}

/// A version 4 UUID.
pub fn guid(random: &mut Random) -> String {
    let (high, low) = (random.number(), random.number());
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}

/// Puts an invocation together: `{"Data":{…},"Metadata":{…}}`.
fn envelope(binding: &Binding, form: Form, system: &System, data: Value, mut metadata: BindingData) -> Invocation {
    metadata.add(
        "sys",
        Value::Json(Json::object([
            ("MethodName", Json::text(&binding.function)),
            ("UtcNow", Json::Text(values::ticks(system.now) + "Z")),
            ("RandGuid", Json::text(&system.guid)),
        ])),
    );
    let metadata = metadata.0.into_iter().filter(|(name, _)| !name.to_lowercase().ends_with("trigger"));
    let metadata = metadata.filter_map(|(name, value)| Some((name, value.written(form)?))).collect();
    let data = data.written(form).unwrap_or(Json::Null);
    let body = Json::object([("Data", Json::Object(vec![(binding.name.clone(), data)])), ("Metadata", Json::Object(metadata))]);
    Invocation { function: binding.function.clone(), body: body.compact().into() }
}

impl BindingData {
    fn add(&mut self, name: &str, value: Value) {
        self.0.push((name.to_owned(), value));
    }

    fn add_nullable(&mut self, name: &str, text: Option<&str>) {
        self.add(name, Value::Json(Json::nullable(text)));
    }

    /// What `Utility.ApplyBindingData` does with a trigger value that is a .NET string: where it is a JSON object, its members take the place of what the broker
    /// said under the same name. So a sender can forge it.
    fn overlay(&mut self, body: &str) {
        let Ok(Json::Object(members)) = serde_json::from_str(body.trim()) else { return };
        for (name, value) in members {
            let value = match value {
                Json::Null | Json::Array(_) => continue,
                Json::Object(_) => Value::Json(value),
                Json::Bool(value) => Value::text(if value { "True" } else { "False" }),
                Json::Number(digits) => Value::text(digits),
                Json::Text(text) => Value::text(as_invariant_date(&text).unwrap_or(text)),
            };
            match self.0.iter_mut().find(|(other, _)| other.eq_ignore_ascii_case(&name)) {
                Some((_, old)) => *old = value,
                None => self.add(&name, value),
            }
        }
    }
}

/// A text that Newtonsoft takes for a date, as a cast to a string then writes it.
fn as_invariant_date(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('T')?;
    let time: DateTime<Utc> = text.parse().ok().filter(|_| rest.ends_with('Z'))?;
    Some(time.format("%m/%d/%Y %H:%M:%S").to_string())
}
