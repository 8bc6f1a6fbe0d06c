//! A wrapped push: the JSON envelope, read in one pass without copying the payload's text.
//!
//! `{"message":{"data":"…","attributes":{…},"messageId":"…","publishTime":"…","orderingKey":"…"},"subscription":"…"}`, where id
//! and time also come as `message_id` and `publish_time`. Source: Pub/Sub's push format and the emulator. What is unknown is passed
//! over; what stands twice is refused at every level, since readers differ in which one they take.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::fault::Fault;

/// What a push says, its payload still as the raw text of a JSON string.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Envelope<'a> {
    pub(crate) subscription: String,
    pub(crate) id: String,
    pub(crate) publish_time: String,
    pub(crate) ordering_key: Option<String>,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) data: &'a str,
}

/// Reads an envelope.
pub(crate) fn decode(body: &[u8]) -> Result<Envelope<'_>, Fault> {
    let outer: Outer<'_> = serde_json::from_slice(body).map_err(json_fault)?;
    let inner = match outer.message {
        Some(Value::Object(inner)) => inner,
        _ => return Err(Fault::malformed("missing-message", "the body has no object `message`: is this a wrapped push?")),
    };
    let id = agreeing(inner.id, inner.id_snake, "bad-id", "messageId", "message_id")?;
    let id = id.filter(|id| !id.is_empty()).ok_or_else(|| Fault::malformed("missing-id", "the message has no id"))?;
    let envelope = (|| {
        let time = agreeing(inner.time, inner.time_snake, "bad-time", "publishTime", "publish_time")?;
        Ok(Envelope {
            subscription: text(outer.subscription)
                .map_err(|()| Fault::malformed("missing-subscription", "`subscription` is not a string"))?
                .filter(|name| !name.is_empty())
                .ok_or_else(|| Fault::malformed("missing-subscription", "the body does not name its `subscription`"))?,
            publish_time: time.ok_or_else(|| Fault::malformed("bad-time", "the message has no publish time"))?,
            ordering_key: text(inner.ordering_key)
                .map_err(|()| Fault::malformed("bad-ordering-key", "`orderingKey` is not a string"))?
                .filter(|key| !key.is_empty()),
            attributes: attributes(inner.attributes)?,
            data: data(inner.data)?,
            id: id.clone(),
        })
    })();
    envelope.map_err(|fault: Fault| fault.of_message(&id))
}

/// The parser's messages give a position and never content; a name that stands twice is the one fault that is not syntax.
fn json_fault(error: serde_json::Error) -> Fault {
    let place = format!("line {} column {}", error.line(), error.column());
    match error.classify() {
        Category::Data => Fault::malformed("duplicate-name", format!("a name stands twice in one object, at {place}")),
        _ => Fault::malformed("not-json", format!("the body is not valid JSON, at {place}")),
    }
}

/// One value under two spellings: they may both be there if they are the same text.
fn agreeing(camel: Field, snake: Field, error: &'static str, a: &str, b: &str) -> Result<Option<String>, Fault> {
    let wrong = |name: &str| Fault::malformed(error, format!("`{name}` is not a string"));
    let (camel, snake) = (text(camel).map_err(|()| wrong(a))?, text(snake).map_err(|()| wrong(b))?);
    match (camel, snake) {
        (Some(camel), Some(snake)) if camel != snake => Err(Fault::malformed(error, format!("`{a}` and `{b}` disagree"))),
        (camel, snake) => Ok(camel.or(snake)),
    }
}

fn text(field: Field) -> Result<Option<String>, ()> {
    match field {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(_) => Err(()),
    }
}

fn attributes(field: Option<Value<Names>>) -> Result<BTreeMap<String, String>, Fault> {
    let wrong = || Fault::malformed("bad-attributes", "`attributes` is not an object of strings");
    match field {
        None | Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(Names(names))) => {
            names.into_iter().map(|(name, value)| Some((name, value?))).collect::<Option<_>>().ok_or_else(wrong)
        }
        Some(_) => Err(wrong()),
    }
}

fn data(raw: Option<&RawValue>) -> Result<&str, Fault> {
    let raw = raw.map_or("null", RawValue::get);
    match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(text) => Ok(text),
        None if raw == "null" => Ok(""),
        None => Err(Fault::malformed("bad-base64", "`data` is not a string")),
    }
}

type Field = Option<Value<Unknown>>;

#[derive(Default)]
struct Outer<'a> {
    message: Option<Value<Inner<'a>>>,
    subscription: Field,
}

#[derive(Default)]
struct Inner<'a> {
    data: Option<&'a RawValue>,
    attributes: Option<Value<Names>>,
    id: Field,
    id_snake: Field,
    time: Field,
    time_snake: Field,
    ordering_key: Field,
}

/// The attributes; a value that is no string is `None`.
#[derive(Default)]
struct Names(BTreeMap<String, Option<String>>);

/// An object of which nothing is wanted but that no name stands twice in it.
#[derive(Default)]
struct Unknown;

/// What can take the members of an object, one by one.
trait Members<'de>: Default {
    fn take<A: MapAccess<'de>>(&mut self, name: String, map: &mut A) -> Result<(), A::Error>;
}

impl<'de> Members<'de> for Outer<'de> {
    fn take<A: MapAccess<'de>>(&mut self, name: String, map: &mut A) -> Result<(), A::Error> {
        match name.as_str() {
            "message" => self.message = Some(map.next_value()?),
            "subscription" => self.subscription = Some(map.next_value()?),
            _ => drop(map.next_value::<Value<Unknown>>()?),
        }
        Ok(())
    }
}

impl<'de> Members<'de> for Inner<'de> {
    fn take<A: MapAccess<'de>>(&mut self, name: String, map: &mut A) -> Result<(), A::Error> {
        let field = match name.as_str() {
            "data" => {
                self.data = Some(map.next_value()?);
                return Ok(());
            }
            "attributes" => {
                self.attributes = Some(map.next_value()?);
                return Ok(());
            }
            "messageId" => &mut self.id,
            "message_id" => &mut self.id_snake,
            "publishTime" => &mut self.time,
            "publish_time" => &mut self.time_snake,
            "orderingKey" => &mut self.ordering_key,
            _ => return map.next_value::<Value<Unknown>>().map(drop),
        };
        *field = Some(map.next_value()?);
        Ok(())
    }
}

impl<'de> Members<'de> for Names {
    fn take<A: MapAccess<'de>>(&mut self, name: String, map: &mut A) -> Result<(), A::Error> {
        let value = map.next_value::<Value<Unknown>>()?;
        self.0.insert(name, if let Value::Text(text) = value { Some(text) } else { None });
        Ok(())
    }
}

impl<'de> Members<'de> for Unknown {
    fn take<A: MapAccess<'de>>(&mut self, _name: String, map: &mut A) -> Result<(), A::Error> {
        map.next_value::<Value<Self>>().map(drop)
    }
}

/// Any JSON value. Its type is never a fault here: which one is wanted, and what its absence is called, is for the caller.
enum Value<O> {
    Null,
    Text(String),
    Object(O),
    Other,
}

impl<'de> Deserialize<'de> for Outer<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A body that is JSON and no object has no members.
        Value::deserialize(deserializer).map(|value| if let Value::Object(outer) = value { outer } else { Self::default() })
    }
}

impl<'de, O: Members<'de>> Deserialize<'de> for Value<O> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor(std::marker::PhantomData))
    }
}

struct ValueVisitor<O>(std::marker::PhantomData<O>);

impl<'de, O: Members<'de>> Visitor<'de> for ValueVisitor<O> {
    type Value = Value<O>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<Value<Unknown>>()?.is_some() {}
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = O::default();
        let mut names = std::collections::HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name.clone()) {
                return Err(de::Error::custom("a name stands twice"));
            }
            members.take(name, &mut map)?;
        }
        Ok(Value::Object(members))
    }
}
