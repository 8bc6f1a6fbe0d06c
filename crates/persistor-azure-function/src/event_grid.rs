//! What an Event Grid event says of itself: both schemas, Event Grid's and CloudEvents.
//!
//! Source: <https://learn.microsoft.com/azure/event-grid/event-schema> and <https://github.com/cloudevents/spec>. All of it is the publisher's.

use std::collections::BTreeMap;

use persistor_core::{Fidelity, Property};
use persistor_serve::Fault;

use crate::described::Described;
use crate::json_value::{Object, string};
use crate::table::time;

/// Describes an event by its own text.
pub(crate) fn describe(event: &[u8]) -> Result<Described, Fault> {
    let not_an_event = || Fault::malformed("bad-event", "an event is not a JSON object of different names");
    let text = std::str::from_utf8(event).map_err(|_| not_an_event())?;
    let event = Object::parse(text).map_err(|_| not_an_event())?;
    let member = |name: &str| event.get_exact(name).filter(|value| value.starts_with('"')).map(string).transpose();
    let id = member("id")?.filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| Fault::malformed("missing-id", "an event has no text `id`"))?;
    let described = || {
        let time_text = member("eventTime")?.or(member("time")?);
        let time_text = time_text.ok_or_else(|| {
            Fault::malformed("bad-time", "an event has neither `eventTime` nor `time`, so that it has no place in the archive")
        })?;
        Ok(Described {
            id: id.clone(),
            publish_time: time(&time_text)?,
            attributes: BTreeMap::new(),
            properties: member("subject")?.map(|subject| (Property::Subject, subject)).into_iter().collect(),
            fidelity: Some(Fidelity::HostText),
        })
    };
    described().map_err(|fault: Fault| fault.of_message(&id))
}
