//! A message to be sent as one line of JSON, and back without loss: what `replay --to -` writes, people and `jq` change, and `send` reads.
//! `docs/json-lines.md` has the schema.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use persistor_core::{Attribute, Error, ErrorKind, Property, PublishTime, Result};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::outgoing::{OF_BROKERS, Outgoing};
use crate::stored::Values;

/// The longest name that is quoted in an error.
const LONGEST_NAME: usize = 40;

impl Outgoing {
    /// One line of JSON without a line end. The ordering key stands among the properties, as in records.
    pub fn to_line(&self) -> String {
        let mut properties = self.properties.clone();
        if let Some(key) = &self.ordering_key {
            properties.insert(Property::OrderingKey.as_str().to_owned(), key.as_str().into());
        }
        let line = Line {
            key: &self.original.key,
            stream: &self.original.stream,
            entity: &self.original.entity,
            id: &self.original.id,
            publish_time: &self.original.publish_time,
            payload: Base64(&self.payload),
            attributes: Values(&self.attributes),
            properties: Values(&properties),
        };
        // Texts and maps with texts as names always have a JSON.
        serde_json::to_string(&line).unwrap_or_default()
    }

    /// Reads a line. Only `payload`, or in its place `payload_text`, has to be there.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] with the member at fault and never its value: a member that is not known is one too, since somebody meant something by it.
    pub fn from_line(line: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(line).map_err(|_| invalid("it is no UTF-8"))?;
        let members: Members<'_> = serde_json::from_str(text).map_err(|error| {
            // A position says where to look and holds no content, unlike the parser's own message.
            invalid(format!("it is no JSON object, at column {}", error.column()))
        })?;
        let mut outgoing = Self::default();
        let (mut payload, mut payload_text) = (None, None);
        for (name, value) in members.unique("the line")? {
            let original = &mut outgoing.original;
            match name.as_str() {
                "key" => original.key = string(&name, value)?,
                "stream" => original.stream = string(&name, value)?,
                "entity" => original.entity = string(&name, value)?,
                "id" => original.id = string(&name, value)?,
                "publish_time" => original.publish_time = time(&string(&name, value)?)?,
                "payload" => payload = Some(base64(&string(&name, value)?)?),
                "payload_text" => payload_text = Some(Bytes::from(string(&name, value)?)),
                "attributes" => outgoing.attributes = values(&name, value)?,
                "properties" => outgoing.properties = values(&name, value)?,
                _ => return Err(invalid(format!("it has a member {}, which no line has", quoted(&name)))),
            }
        }
        outgoing.payload = match (payload, payload_text) {
            (Some(payload), None) | (None, Some(payload)) => payload,
            (Some(_), Some(_)) => return Err(invalid("it has both `payload` and `payload_text`: one of them is the payload")),
            (None, None) => return Err(invalid("it has no `payload` (base64) and no `payload_text`")),
        };
        outgoing.ordering_key = ordering_key(&mut outgoing.properties)?;
        Ok(outgoing)
    }
}

/// Takes the ordering key out of properties, which may name it as Service Bus does.
fn ordering_key(properties: &mut BTreeMap<String, Attribute>) -> Result<Option<String>> {
    if let Some(name) = OF_BROKERS.iter().map(|property| property.as_str()).find(|name| properties.contains_key(*name)) {
        return Err(invalid(format!("`properties` has `{name}`, which a broker gives by itself: leave it out")));
    }
    let (key, session) = (Property::OrderingKey.as_str(), Property::SessionId.as_str());
    let value = match (properties.remove(key), properties.remove(session)) {
        (Some(_), Some(_)) => return Err(invalid(format!("`properties` has both `{key}` and `{session}`, which are one"))),
        (value, other) => value.or(other),
    };
    match value {
        Some(value) if value.type_name().is_some() => Err(invalid(format!("`properties`: `{key}` is no text"))),
        // The empty one is none, by the brokers' own rule.
        value => Ok(value.map(|value| value.text().to_owned()).filter(|key| !key.is_empty())),
    }
}

fn invalid(reason: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Invalid, format!("read a line: {reason}"))
}

fn quoted(name: &str) -> String {
    let shown: String = name.chars().take(LONGEST_NAME).collect();
    format!("{shown:?}")
}

fn string(name: &str, value: &RawValue) -> Result<String> {
    serde_json::from_str(value.get()).map_err(|_| invalid(format!("`{name}` is no text")))
}

fn time(text: &str) -> Result<String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let time = PublishTime::parse(text).map_err(|_| invalid("`publish_time` is no time such as 2026-11-22T05:40:12.503Z"))?;
    Ok(time.to_string())
}

fn base64(text: &str) -> Result<Bytes> {
    let decoded = STANDARD.decode(text);
    decoded.map(Bytes::from).map_err(|_| {
        invalid("`payload` is no base64 (the standard alphabet, padded): for text as it stands there is `payload_text`")
    })
}

fn values(name: &str, value: &RawValue) -> Result<BTreeMap<String, Attribute>> {
    let wrong = || invalid(format!("`{name}` is no object of texts, or of objects of a type's name and a text"));
    let members: Members<'_> = serde_json::from_str(value.get()).map_err(|_| wrong())?;
    let attribute = |value: &RawValue| -> Option<Attribute> {
        if value.get().starts_with('"') {
            return Some(Attribute::from(serde_json::from_str::<String>(value.get()).ok()?));
        }
        let Members(mut typed) = serde_json::from_str(value.get()).ok()?;
        let (kind, text) = typed.pop().filter(|_| typed.is_empty())?;
        Attribute::typed(kind, serde_json::from_str::<String>(text.get()).ok()?).ok()
    };
    let members = members.unique(&format!("`{name}`"))?;
    members.into_iter().map(|(name, value)| Some((name, attribute(value)?))).collect::<Option<_>>().ok_or_else(wrong)
}

/// The members of one object, values raw: what is deep or long is passed over before it is known whether it is wanted.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Refuses a name that stands twice: readers differ in which one they take.
    fn unique(self, of: &str) -> Result<BTreeMap<String, &'a RawValue>> {
        let mut unique = BTreeMap::new();
        for (name, value) in self.0 {
            if unique.contains_key(&name) {
                return Err(invalid(format!("{of} has {} twice", quoted(&name))));
            }
            unique.insert(name, value);
        }
        Ok(unique)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            members.push((name, map.next_value::<&RawValue>().map_err(|_| de::Error::custom("no value"))?));
        }
        Ok(Members(members))
    }
}

#[derive(Serialize)]
struct Line<'a> {
    key: &'a str,
    stream: &'a str,
    entity: &'a str,
    id: &'a str,
    publish_time: &'a str,
    payload: Base64<'a>,
    attributes: Values<'a>,
    properties: Values<'a>,
}

struct Base64<'a>(&'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::outgoing::Original;

    fn attributes() -> impl Strategy<Value = BTreeMap<String, Attribute>> {
        let typed = (".{1,9}", ".*").prop_filter_map("`string` is no type", |(kind, text)| Attribute::typed(kind, text).ok());
        let value = prop_oneof![".*".prop_map(Attribute::from), typed, any::<i64>().prop_map(Attribute::from)];
        prop::collection::btree_map(any::<String>(), value, 0..6)
    }

    prop_compose! {
        fn outgoing()(
            payload in prop::collection::vec(any::<u8>(), 0..300),
            attributes in attributes(),
            properties in attributes(),
            ordering_key in prop::option::of(".+"),
            texts in prop::array::uniform4(any::<String>()),
            time in prop::option::of((0_u32..60, "[0-9]{0,9}")),
        ) -> Outgoing {
            let mut properties = properties;
            properties.retain(|name, _| !["ordering_key", "session_id", "sequence", "partition"].contains(&name.as_str()));
            let [key, stream, entity, id] = texts;
            let publish_time = time.map_or_else(String::new, |(second, fraction)| {
                let point = if fraction.is_empty() { "" } else { "." };
                format!("2026-11-22T05:40:{second:02}{point}{fraction}Z")
            });
            let original = Original { key, stream, entity, id, publish_time };
            Outgoing { payload: payload.into(), attributes, ordering_key, properties, original }
        }
    }

    proptest! {
        #[test]
        fn a_line_gives_the_message_back(message in outgoing()) {
            let line = message.to_line();
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(Outgoing::from_line(line.as_bytes()).expect("own line"), message);
        }

        #[test]
        fn nothing_that_is_no_line_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..400, message in outgoing()) {
            let _ = Outgoing::from_line(&bytes);
            let mut line = message.to_line().into_bytes();
            let at = at % line.len();
            line[at] = bytes.first().copied().unwrap_or_default();
            let _ = Outgoing::from_line(&line);
        }
    }

    #[test]
    fn a_payload_is_enough_and_may_be_text() {
        for line in [r#"{"payload":"w6k="}"#, r#"{"payload_text":"é"}"#, " {\"payload_text\":\"\\u00e9\"}\r"] {
            let message = Outgoing::from_line(line.as_bytes()).expect(line);
            assert_eq!(message, Outgoing { payload: Bytes::from_static("é".as_bytes()), ..Outgoing::default() }, "{line}");
        }
        for (properties, key) in [(r#"{"session_id":"s"}"#, Some("s")), (r#"{"ordering_key":""}"#, None)] {
            let message = Outgoing::from_line(format!(r#"{{"payload":"","properties":{properties}}}"#).as_bytes());
            let message = message.expect(properties);
            assert_eq!((message.ordering_key.as_deref(), message.properties.len()), (key, 0));
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_never_shown() {
        let deep = format!(r#"{{"payload":"","attributes":{}"secret"{}}}"#, "{\"a\":".repeat(100_000), "}".repeat(100_000));
        for (line, reason) in [
            ("", "no JSON object"),
            ("secret", "no JSON object"),
            ("[\"secret\"]", "no JSON object"),
            ("{\"payload\":\"\"} \"secret\"", "no JSON object"),
            ("{\"payload\":\"\\ud800\"}", "`payload` is no text"),
            ("{}", "no `payload`"),
            (r#"{"payload":"","payload_text":"secret"}"#, "both `payload` and `payload_text`"),
            (r#"{"payload":"secret!"}"#, "`payload` is no base64"),
            (r#"{"payload":"w6k"}"#, "`payload` is no base64"),
            (r#"{"payload":"_-8="}"#, "`payload` is no base64"),
            (r#"{"payload":null}"#, "`payload` is no text"),
            (r#"{"payload":1e99999}"#, "`payload` is no text"),
            (r#"{"payload":"","id":7}"#, "`id` is no text"),
            (r#"{"payload":"","publish_time":"secret"}"#, "`publish_time` is no time"),
            (r#"{"payload":"","payload":"c2VjcmV0"}"#, "the line has \"payload\" twice"),
            (r#"{"payload":"","Attributes":{"a":"secret"}}"#, "a member \"Attributes\""),
            (r#"{"payload":"","attributes":{"a":"secret","\u0061":"x"}}"#, "`attributes` has \"a\" twice"),
            (r#"{"payload":"","attributes":{"a":7}}"#, "`attributes` is no object"),
            (r#"{"payload":"","attributes":{"a":{"string":"secret"}}}"#, "`attributes` is no object"),
            (r#"{"payload":"","attributes":{"a":{"int32":"7","int64":"secret"}}}"#, "`attributes` is no object"),
            (r#"{"payload":"","attributes":["secret"]}"#, "`attributes` is no object"),
            (r#"{"payload":"","properties":{"sequence":"secret"}}"#, "`properties` has `sequence`"),
            (r#"{"payload":"","properties":{"ordering_key":{"int32":"7"}}}"#, "`ordering_key` is no text"),
            (r#"{"payload":"","properties":{"ordering_key":"a","session_id":"secret"}}"#, "both `ordering_key` and `session_id`"),
            (&deep, "`attributes` is no object"),
        ] {
            let error = Outgoing::from_line(line.as_bytes()).expect_err(line);
            assert_eq!(error.kind(), ErrorKind::Invalid);
            let said = format!("{error} {:?}", std::error::Error::source(&error));
            assert!(said.contains(reason), "{line:.80}: {said}");
            assert!(!said.contains("secret") && !said.contains("c2VjcmV0"), "{said}");
        }
        assert!(Outgoing::from_line(b"{\"payload\":\"\xff\"}").is_err());
    }
}
