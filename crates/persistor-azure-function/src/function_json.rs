//! One `function.json`, from its text to a function, or to what is wrong with it.
//!
//! Source: <https://learn.microsoft.com/azure/azure-functions/functions-bindings-service-bus-trigger> and its siblings; names of members and types are
//! read without regard to case, as the host does.

use persistor_core::{Entity, Stream};
use persistor_serve::holds_credential;
use serde_json::{Map, Value};

use crate::app_settings::AppSettings;
use crate::function::{Cardinality, Function, Trigger};

/// What a `function.json` comes to.
pub(crate) enum Read {
    Enabled(Function),
    Disabled,
}

/// Reads the file of the function `name`.
///
/// # Errors
/// Everything that is wrong with it, each with the change that mends it.
pub(crate) fn read(name: &str, text: &str, settings: &AppSettings) -> Result<Read, Vec<String>> {
    let json: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| vec![format!("it is no JSON object, at line {} column {}", error.line(), error.column())])?;
    if settings.disables(name) || is_disabled(member(&json, "disabled"), settings) {
        return Ok(Read::Disabled);
    }
    let bindings = member(&json, "bindings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let triggers: Vec<_> = bindings.iter().filter_map(Value::as_object).filter(|binding| is_trigger(binding)).collect();
    let [binding] = triggers[..] else {
        return Err(vec![format!("it has {} triggers in `bindings`, and a function has one", triggers.len())]);
    };
    let mut faults = Vec::new();
    let function = Reading { name, binding, settings, faults: &mut faults }.function(member(&json, "retry"));
    match function {
        Some(function) if faults.is_empty() => Ok(Read::Enabled(function)),
        _ => Err(faults),
    }
}

/// `disabled` is a truth, or the name of a setting that holds one.
fn is_disabled(disabled: Option<&Value>, settings: &AppSettings) -> bool {
    match disabled {
        Some(Value::Bool(disabled)) => *disabled,
        Some(Value::String(name)) => settings.is_on(name.trim_matches('%')),
        _ => false,
    }
}

fn is_trigger(binding: &Map<String, Value>) -> bool {
    text(binding, "type").is_some_and(|kind| kind.to_ascii_lowercase().ends_with("trigger"))
}

fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    member(object, name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

struct Reading<'a> {
    name: &'a str,
    binding: &'a Map<String, Value>,
    settings: &'a AppSettings,
    faults: &'a mut Vec<String>,
}

impl Reading<'_> {
    fn function(mut self, retry: Option<&Value>) -> Option<Function> {
        let kind = text(self.binding, "type").unwrap_or_default();
        let trigger = match kind.to_ascii_lowercase().as_str() {
            "servicebustrigger" => Trigger::ServiceBus,
            "eventhubtrigger" => Trigger::EventHubs,
            "eventgridtrigger" => Trigger::EventGrid,
            _ => {
                return self.fault(format!(
                    "its trigger `{kind}` is none of `serviceBusTrigger`, `eventHubTrigger`, `eventGridTrigger`: move it to another app, or disable it with the app setting `AzureWebJobs.{}.Disabled=1`",
                    self.name
                ));
            }
        };
        let binding = text(self.binding, "name").map(str::to_owned);
        if binding.is_none() {
            self.fault::<()>("its trigger has no `name`".to_owned());
        }
        let cardinality = match text(self.binding, "cardinality").unwrap_or("one").to_ascii_lowercase().as_str() {
            "one" => Some(Cardinality::One),
            "many" => Some(Cardinality::Many),
            other => self.fault(format!("`\"cardinality\": \"{other}\"` is neither `one` nor `many`")),
        };
        self.check_data_type(trigger);
        if trigger == Trigger::EventHubs && !retries_forever(retry) {
            self.fault::<()>(
                "it does not retry for ever, and the host moves on after a batch that failed, which loses it: write beside `bindings` \
                 `\"retry\": {\"strategy\": \"exponentialBackoff\", \"maxRetryCount\": -1, \"minimumInterval\": \"00:00:01\", \"maximumInterval\": \"00:00:30\"}`"
                    .to_owned(),
            );
        }
        let (entity, stream) = self.entity(trigger)?;
        Some(Function { name: self.name.to_owned(), trigger, cardinality: cardinality?, binding: binding?, entity, stream })
    }

    /// Bodies as text can be altered on the way, and can overwrite what the broker says of them.
    fn check_data_type(&mut self, trigger: Trigger) {
        let data_type = text(self.binding, "dataType").unwrap_or_default();
        match trigger {
            Trigger::ServiceBus | Trigger::EventHubs if !data_type.eq_ignore_ascii_case("binary") => {
                self.fault::<()>(
                    "messages would come as text, which alters bodies and lets their sender overwrite what the broker says of them: write `\"dataType\": \"binary\"`".to_owned(),
                );
            }
            Trigger::EventGrid if data_type.eq_ignore_ascii_case("binary") => {
                self.fault::<()>("the host has no bytes of Event Grid's events, only text: leave `dataType` away".to_owned());
            }
            _ => {}
        }
    }

    /// The entity, and the stream that its name gives.
    fn entity(&mut self, trigger: Trigger) -> Option<(Entity, Stream)> {
        let (entity, stream) = match trigger {
            Trigger::ServiceBus => match (text(self.binding, "queueName"), text(self.binding, "topicName")) {
                (Some(_), None) => {
                    let (queue, namespace) = (self.resolved("queueName"), self.namespace("ServiceBus"));
                    let (queue, namespace) = (queue?, namespace?);
                    (format!("{namespace}/{queue}"), format!("{}.{queue}", first_label(&namespace)))
                }
                (None, Some(_)) => {
                    let (topic, subscription) = (self.resolved("topicName"), self.resolved("subscriptionName"));
                    let namespace = self.namespace("ServiceBus");
                    let (topic, subscription, namespace) = (topic?, subscription?, namespace?);
                    (
                        format!("{namespace}/{topic}/Subscriptions/{subscription}"),
                        format!("{}.{topic}.{subscription}", first_label(&namespace)),
                    )
                }
                _ => {
                    return self.fault(
                        "it is to name either a queue (`queueName`) or a topic (`topicName` and `subscriptionName`), not both"
                            .to_owned(),
                    );
                }
            },
            Trigger::EventHubs => {
                if text(self.binding, "consumerGroup").is_some() {
                    self.resolved("consumerGroup");
                }
                let (hub, namespace) = (self.resolved("eventHubName"), self.namespace("EventHub"));
                let (hub, namespace) = (hub?, namespace?);
                (format!("{namespace}/{hub}"), format!("{}.{hub}", first_label(&namespace)))
            }
            Trigger::EventGrid => {
                let site = self.settings.get("WEBSITE_SITE_NAME").unwrap_or("localhost");
                (format!("{site}/{}", self.name), format!("{site}.{}", self.name))
            }
        };
        // Each holds a separator at least.
        Some((Entity::new(entity).expect("it is not empty"), Stream::new(stream).expect("it is not empty")))
    }

    /// A text of the binding, its settings put in place.
    fn resolved(&mut self, member: &str) -> Option<String> {
        let Some(text) = text(self.binding, member) else {
            return self.fault(format!("its trigger has no `{member}`"));
        };
        match self.settings.resolve(text) {
            Ok(resolved) if holds_credential(&resolved) => {
                self.fault(format!("`{member}` is to be a name, and is what looks like a credential (not shown here)"))
            }
            Ok(resolved) => Some(resolved),
            Err(setting) => self.fault(format!(
                "`{member}` needs the app setting `{setting}`, which is not set: set it, or disable the function with `AzureWebJobs.{}.Disabled=1`",
                self.name
            )),
        }
    }

    fn namespace(&mut self, default: &str) -> Option<String> {
        let connection = text(self.binding, "connection").unwrap_or(default);
        let resolved = self.settings.resolve(connection);
        if [Ok(connection), resolved.as_deref().map_err(|_| ())].iter().flatten().any(|text| text.contains(['=', ';'])) {
            // Its value is not shown: it holds a key.
            return self
                .fault("`connection` is to be the name of an app setting, and it is a connection string itself".to_owned());
        }
        let connection = match resolved {
            Ok(connection) => connection,
            Err(setting) => return self.fault(format!("`connection` needs the app setting `{setting}`, which is not set")),
        };
        match self.settings.namespace(&connection) {
            // Names of streams and entities are made of it.
            Some(namespace) if namespace.contains(['=', ';', '@']) || holds_credential(&namespace) => self.fault(format!(
                "the app setting `{connection}__fullyQualifiedNamespace` is to be a host name such as `my-namespace.servicebus.windows.net`, and holds more (not shown here)"
            )),
            Some(namespace) => Some(namespace),
            None => self.fault(format!(
                "its namespace is not known: set the app setting `{connection}__fullyQualifiedNamespace`, for example to `my-namespace.servicebus.windows.net`"
            )),
        }
    }

    fn fault<T>(&mut self, fault: String) -> Option<T> {
        self.faults.push(fault);
        None
    }
}

fn first_label(host: &str) -> &str {
    host.split('.').next().unwrap_or(host)
}

fn retries_forever(retry: Option<&Value>) -> bool {
    let Some(retry) = retry.and_then(Value::as_object) else { return false };
    let known =
        |strategy: &str| strategy.eq_ignore_ascii_case("fixedDelay") || strategy.eq_ignore_ascii_case("exponentialBackoff");
    text(retry, "strategy").is_some_and(known) && member(retry, "maxRetryCount").and_then(Value::as_i64) == Some(-1)
}

#[cfg(test)]
mod tests;
