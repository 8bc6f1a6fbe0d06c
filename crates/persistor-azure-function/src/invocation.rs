//! A call of the host, read: the messages in it, each with its fault or without.

use std::sync::Arc;

use axum::http::StatusCode;
use bytes::Bytes;
use persistor_core::Message;
use persistor_serve::{Buffer, Fault, Held, Refusal, decode_base64, owned_bytes};
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::described::Described;
use crate::envelope::{Envelope, take_apart};
use crate::function::{Cardinality, Function, Trigger};
use crate::unescape::unescape;
use crate::{event_grid, event_hubs, service_bus};

/// What was in a call.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// The messages that could be read.
    pub(crate) messages: Vec<Message>,
    /// The faults of those that could not.
    pub(crate) faults: Vec<Fault>,
    /// The call as it came, where it is to be kept because of them.
    pub(crate) raw: Option<Raw>,
}

/// A call as it came.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) body: Bytes,
    /// What it is called, by what is the same in every delivery of it and of no other.
    pub(crate) name: String,
}

/// Reads a call, waiting for memory until the deadline.
///
/// # Errors
/// What is wrong with the call as a whole.
pub(crate) async fn read(function: &Function, held: Held, deadline: Instant) -> Result<Invocation, Fault> {
    let Held { bytes: body, mut reservation } = held;
    let envelope = take_apart(&body, &function.binding)?;
    let for_metadata = reservation.for_metadata(envelope.metadata_bytes, deadline).await.map_err(Refusal::from)?;
    let rows = rows(function, &envelope)?;
    // That there is no memory for one of them says nothing about it.
    if let Some(fault) =
        rows.iter().filter_map(|row| row.as_ref().err()).find(|fault| fault.refusal.status != StatusCode::BAD_REQUEST)
    {
        return Err(fault.clone());
    }
    // An event that cannot be read stops its partition for ever, unless it is kept in another way.
    let keep_raw = function.trigger == Trigger::EventHubs && rows.iter().any(Result::is_err);
    let name = if keep_raw { event_hubs::name_of_call(&envelope) } else { String::new() };
    drop(envelope);
    let payloads: usize = rows.iter().flatten().map(|(_, payload)| payload.capacity()).sum();
    let raw_body = if keep_raw { body.len() } else { 0 };
    let body = Some(body).filter(|_| keep_raw);
    // The call's text is not needed any more.
    reservation.shrink_to((payloads + raw_body) as u64 + for_metadata);
    let reservation = Arc::new(reservation);

    let mut invocation = Invocation { messages: Vec::new(), faults: Vec::new(), raw: None };
    for row in rows {
        match row.and_then(|(described, payload)| described.message(function, owned_bytes(payload, reservation.clone()))) {
            Ok(message) => invocation.messages.push(message),
            Err(fault) => invocation.faults.push(fault),
        }
    }
    invocation.raw = body.map(|body| Raw { body: owned_bytes(body, reservation), name });
    Ok(invocation)
}

type Row = Result<(Described, Buffer), Fault>;

/// Describes and decodes each message of a call.
fn rows(function: &Function, envelope: &Envelope<'_>) -> Result<Vec<Row>, Fault> {
    let payloads = match function.cardinality {
        Cardinality::One => vec![payload(function.trigger, envelope.value)],
        Cardinality::Many => payloads(function.trigger, envelope.value)?,
    };
    let (cardinality, rows) = (function.cardinality, payloads.len());
    let described = match function.trigger {
        Trigger::ServiceBus => service_bus::describe(&envelope.metadata, cardinality, rows)?,
        Trigger::EventHubs => event_hubs::describe(&envelope.metadata, cardinality, rows)?,
        Trigger::EventGrid => {
            let describe = |payload: &Result<Buffer, Fault>| match payload {
                Ok(event) => event_grid::describe(event),
                Err(fault) => Err(fault.clone()),
            };
            payloads.iter().map(describe).collect()
        }
    };
    let row = |(described, payload): (Result<Described, Fault>, Result<Buffer, Fault>)| {
        let described = described?;
        match payload {
            Ok(payload) => Ok((described, payload)),
            Err(fault) => Err(fault.of_message(&described.id)),
        }
    };
    Ok(described.into_iter().zip(payloads).map(row).collect())
}

/// The payload of a call of one.
fn payload(trigger: Trigger, value: &str) -> Result<Buffer, Fault> {
    match trigger {
        Trigger::ServiceBus | Trigger::EventHubs => decode_base64(quoted(value)?),
        // Text in a string in a string, or in a string, or as it is.
        Trigger::EventGrid if value.starts_with('"') => {
            let once = unescape(quoted(value)?)?;
            if once.first() != Some(&b'"') {
                return Ok(once);
            }
            let inner: &RawValue =
                serde_json::from_str(text(&once)?).map_err(|_| Fault::malformed("bad-data", "an event is not JSON"))?;
            event(inner.get())
        }
        Trigger::EventGrid => copy(value),
    }
}

/// The payloads of a call of many: an array, or a string with an array in it.
fn payloads(trigger: Trigger, value: &str) -> Result<Vec<Result<Buffer, Fault>>, Fault> {
    let unescaped = if value.starts_with('"') { Some(unescape(quoted(value)?)?) } else { None };
    let array = match &unescaped {
        Some(buffer) => text(buffer)?,
        None => value,
    };
    let not_an_array =
        || Fault::malformed("bad-data", "the trigger's value is not an array: is `cardinality` what function.json says?");
    let values: Vec<&RawValue> = serde_json::from_str(array).map_err(|_| not_an_array())?;
    if values.is_empty() {
        return Err(Fault::malformed("bad-data", "there is no message in the call"));
    }
    let payload = |value: &&RawValue| match trigger {
        Trigger::ServiceBus | Trigger::EventHubs => decode_base64(quoted(value.get())?),
        Trigger::EventGrid => event(value.get()),
    };
    Ok(values.iter().map(payload).collect())
}

/// The text of an event that is a string, or stands there as it is.
fn event(value: &str) -> Result<Buffer, Fault> {
    if value.starts_with('"') { unescape(quoted(value)?) } else { copy(value) }
}

fn copy(text: &str) -> Result<Buffer, Fault> {
    let mut buffer = Buffer::with_capacity(text.len()).map_err(Refusal::from)?;
    buffer.extend_from_slice(text.as_bytes());
    Ok(buffer)
}

fn text(buffer: &Buffer) -> Result<&str, Fault> {
    std::str::from_utf8(buffer).map_err(|_| Fault::malformed("bad-data", "the trigger's value is not text"))
}

/// What stands between the quotes of a JSON string.
fn quoted(value: &str) -> Result<&str, Fault> {
    let inside = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inside.ok_or_else(|| Fault::malformed("bad-data", "a payload is not a string: is `cardinality` what function.json says?"))
}
