//! The record: what is kept about a message beside its payload, as one canonical JSON document. FORMAT.md is the specification.

use std::collections::BTreeMap;

use crate::attribute::Attribute;
use crate::digest::{is_hex, sha256_hex};
use crate::document::{FORMAT, later_or_damaged};
use crate::error::{Error, ErrorKind, Result};
use crate::identity::{Entity, MessageId, Stream};
use crate::json::Json;
use crate::message::Message;
use crate::time::PublishTime;

const KIND: &str = "message";
/// Hex digits of the check.
const CHECK_DIGITS: usize = 16;

/// A message's record. Made from a message, or read from an archive; members that this version does not know are kept as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    entity: Entity,
    stream: Stream,
    id: MessageId,
    publish_time: PublishTime,
    length: u64,
    sha256: String,
    crc32c: String,
    attributes: BTreeMap<String, Attribute>,
    properties: BTreeMap<String, Attribute>,
    fidelity: Vec<String>,
    unknown: BTreeMap<String, Json>,
}

impl From<&Message> for Record {
    fn from(message: &Message) -> Self {
        Self {
            entity: message.entity.clone(),
            stream: message.stream.clone(),
            id: message.id.clone(),
            publish_time: message.publish_time.clone(),
            length: message.payload().len() as u64,
            sha256: message.sha256().to_owned(),
            crc32c: message.crc32c().to_owned(),
            attributes: message.attributes.clone(),
            properties: message.properties.iter().map(|(name, value)| (name.as_str().to_owned(), value.clone())).collect(),
            fidelity: message.fidelity.iter().map(|name| name.as_str().to_owned()).collect(),
            unknown: BTreeMap::new(),
        }
    }
}

impl Record {
    /// The canonical text, `check` included.
    pub fn encode(&self) -> String {
        let mut members = self.unknown.clone();
        let mut put = |name: &str, value: Json| members.insert(name.to_owned(), value);
        let text = |text: &str| Json::String(text.to_owned());
        put("attributes", encode_attributes(&self.attributes));
        put("crc32c", text(&self.crc32c));
        put("entity", text(self.entity.as_str()));
        put("fidelity", Json::Array(self.fidelity.iter().map(|name| text(name)).collect()));
        put("format", text(FORMAT));
        put("id", text(self.id.as_str()));
        put("kind", text(KIND));
        put("length", Json::String(self.length.to_string()));
        put("properties", encode_attributes(&self.properties));
        put("publish_time", Json::String(self.publish_time.to_string()));
        put("requires", Json::Array(Vec::new()));
        put("sha256", text(&self.sha256));
        put("stream", text(self.stream.as_str()));
        let check = check(&members);
        members.insert("check".to_owned(), Json::String(check));
        Json::Object(members).encode()
    }

    /// Reads a record; its JSON need not be canonical, its check is taken over the canonical text.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where a later version wrote it (another format, kind or requirement); [`ErrorKind::Damaged`]
    /// for all else, with the name of the member at fault and never a value.
    pub fn decode(text: &str) -> Result<Self> {
        let Ok(Json::Object(members)) = Json::decode(text) else {
            return Err(later_or_damaged(text, KIND));
        };
        let mut members = Members(members);
        // Before all else: a later version may have changed everything but these.
        members.expect("format", FORMAT)?;
        members.expect("kind", KIND)?;
        if !members.strings("requires")?.is_empty() {
            return Err(Error::new(ErrorKind::Unsupported, "record requires what this version does not know"));
        }
        let written = members.string("check")?;
        if written != check(&members.0) {
            return Err(Error::damaged("record does not agree with its `check`"));
        }
        for name in ["format", "kind", "requires"] {
            members.0.remove(name);
        }
        let invalid = |error: Error| Error::damaged(format!("record: {error}"));
        Ok(Self {
            entity: Entity::new(members.string("entity")?).map_err(invalid)?,
            stream: Stream::new(members.string("stream")?).map_err(invalid)?,
            id: MessageId::new(members.string("id")?).map_err(invalid)?,
            publish_time: members.publish_time()?,
            length: members.length()?,
            sha256: members.hex("sha256", 64)?,
            crc32c: members.hex("crc32c", 8)?,
            attributes: members.attributes("attributes")?,
            properties: members.attributes("properties")?,
            fidelity: members.strings("fidelity")?,
            unknown: members.without("fidelity"),
        })
    }

    /// The broker's full name of where the message came from.
    pub fn entity(&self) -> &Entity {
        &self.entity
    }

    /// The short name of that entity in the archive.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The broker's identity of the message.
    pub fn id(&self) -> &MessageId {
        &self.id
    }

    /// When the broker took the message.
    pub fn publish_time(&self) -> &PublishTime {
        &self.publish_time
    }

    /// The payload's length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// SHA-256 of the payload, 64 lower-case hex digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// CRC32C of the payload, 8 lower-case hex digits.
    pub fn crc32c(&self) -> &str {
        &self.crc32c
    }

    /// The message's attributes by name.
    pub fn attributes(&self) -> &BTreeMap<String, Attribute> {
        &self.attributes
    }

    /// The broker's properties by name; see [`Property::as_str`](crate::Property::as_str).
    pub fn properties(&self) -> &BTreeMap<String, Attribute> {
        &self.properties
    }

    /// What the way in could not give; see [`Fidelity::as_str`](crate::Fidelity::as_str).
    pub fn fidelity(&self) -> &[String] {
        &self.fidelity
    }
}

/// The first 16 hex digits of the SHA-256 of the canonical record without its check.
fn check(members: &BTreeMap<String, Json>) -> String {
    sha256_hex(Json::encode_object(members).as_bytes())[..CHECK_DIGITS].to_owned()
}

fn encode_attributes(attributes: &BTreeMap<String, Attribute>) -> Json {
    let encode = |value: &Attribute| {
        let text = Json::String(value.text().to_owned());
        match value.type_name() {
            None => text,
            Some(name) => Json::Object(BTreeMap::from([(name.to_owned(), text)])),
        }
    };
    Json::Object(attributes.iter().map(|(name, value)| (name.clone(), encode(value))).collect())
}

fn decode_attribute(value: Json) -> Option<Attribute> {
    match value {
        Json::String(text) => Some(text.into()),
        Json::Object(members) if members.len() == 1 => match members.into_iter().next() {
            Some((name, Json::String(text))) => Attribute::typed(name, text).ok(),
            _ => None,
        },
        _ => None,
    }
}

/// The members of a record that are still to be read; what is left at the end is unknown.
struct Members(BTreeMap<String, Json>);

impl Members {
    fn expect(&self, name: &str, known: &str) -> Result<()> {
        match self.0.get(name) {
            Some(Json::String(text)) if text == known => Ok(()),
            Some(Json::String(_)) => {
                Err(Error::new(ErrorKind::Unsupported, format!("record has a `{name}` that this version does not know")))
            }
            _ => Err(missing(name)),
        }
    }

    fn string(&mut self, name: &str) -> Result<String> {
        match self.0.remove(name) {
            Some(Json::String(text)) => Ok(text),
            _ => Err(missing(name)),
        }
    }

    /// Reads without removing: the check is taken over all members.
    fn strings(&self, name: &str) -> Result<Vec<String>> {
        let Some(Json::Array(items)) = self.0.get(name) else {
            return Err(missing(name));
        };
        items.iter().map(|item| if let Json::String(text) = item { Ok(text.clone()) } else { Err(missing(name)) }).collect()
    }

    fn hex(&mut self, name: &str, digits: usize) -> Result<String> {
        self.string(name).and_then(|text| if is_hex(&text, digits) { Ok(text) } else { Err(missing(name)) })
    }

    fn length(&mut self) -> Result<u64> {
        let text = self.string("length")?;
        // Only the text that a length is written as: no sign, no leading zero.
        text.parse().ok().filter(|length: &u64| length.to_string() == text).ok_or_else(|| missing("length"))
    }

    fn publish_time(&mut self) -> Result<PublishTime> {
        let text = self.string("publish_time")?;
        PublishTime::parse(&text).ok().filter(|time| time.to_string() == text).ok_or_else(|| missing("publish_time"))
    }

    fn attributes(&mut self, name: &str) -> Result<BTreeMap<String, Attribute>> {
        let Some(Json::Object(members)) = self.0.remove(name) else {
            return Err(missing(name));
        };
        let decode = |(key, value)| decode_attribute(value).map(|value| (key, value)).ok_or_else(|| missing(name));
        members.into_iter().map(decode).collect()
    }

    fn without(self, name: &str) -> BTreeMap<String, Json> {
        let mut rest = self.0;
        rest.remove(name);
        rest
    }
}

fn missing(name: &str) -> Error {
    Error::damaged(format!("record lacks a valid `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Fidelity, Property};

    #[test]
    fn it_says_of_a_message_what_the_message_is() {
        let attributes: BTreeMap<String, Attribute> =
            BTreeMap::from([("source".into(), "web".into()), ("n".into(), 7_i32.into())]);
        let message = Message::new(
            Entity::new("projects/p/subscriptions/s").expect("not empty"),
            Stream::new("orders").expect("not empty"),
            MessageId::new("42").expect("not empty"),
            PublishTime::parse("2026-11-22T05:40:12.503Z").expect("valid"),
            b"hello".to_vec().into(),
        )
        .with_attributes(attributes.clone())
        .with_property(Property::OrderingKey, "a")
        .with_fidelity(Fidelity::Headers);
        for record in [Record::from(&message), Record::decode(&Record::from(&message).encode()).expect("an own record")] {
            assert_eq!((record.entity().as_str(), record.stream().as_str()), ("projects/p/subscriptions/s", "orders"));
            assert_eq!((record.id().as_str(), record.publish_time().to_string().as_str()), ("42", "2026-11-22T05:40:12.503Z"));
            assert_eq!((record.length(), record.sha256(), record.crc32c()), (5, message.sha256(), "9a71bb4c"));
            assert_eq!((record.attributes(), record.fidelity()), (&attributes, &["headers".to_owned()][..]));
            assert_eq!(record.properties(), &BTreeMap::from([("ordering_key".to_owned(), Attribute::from("a"))]));
        }
    }

    #[test]
    fn a_member_that_is_not_as_it_is_written_is_damage() {
        let whole = r#"{"attributes":{},"crc32c":"00000000","entity":"e","fidelity":[],"format":"persistor/1","id":"1","kind":"message","length":"0","properties":{},"publish_time":"2026-11-22T05:40:12Z","requires":[],"sha256":"0000000000000000000000000000000000000000000000000000000000000000","stream":"s"}"#;
        let decode = |text: &str| {
            let Ok(Json::Object(members)) = Json::decode(text) else { panic!("{text}") };
            let checked = format!("{},\"check\":\"{}\"}}", text.strip_suffix('}').expect("an object"), check(&members));
            Record::decode(&checked).map(drop).map_err(|error| (error.kind(), error.to_string()))
        };
        assert_eq!(decode(whole), Ok(()));
        for (written, instead) in [
            (r#""length":"0""#, r#""length":"00""#),
            (r#""length":"0""#, r#""length":"+1""#),
            (r#""length":"0""#, r#""length":"18446744073709551616""#),
            (r#""publish_time":"2026-11-22T05:40:12Z""#, r#""publish_time":"2026-11-22T05:40:12+00:00""#),
            (r#""crc32c":"00000000""#, r#""crc32c":"0000000""#),
            (r#""crc32c":"00000000""#, r#""crc32c":"0000000A""#),
            (r#""attributes":{}"#, r#""attributes":{"a":{}}"#),
            (r#""attributes":{}"#, r#""attributes":{"a":{"int32":"7","int64":"7"}}"#),
            (r#""attributes":{}"#, r#""attributes":{"a":{"string":"7"}}"#),
            (r#""attributes":{}"#, r#""attributes":{"a":["7"]}"#),
            (r#""fidelity":[]"#, r#""fidelity":[true]"#),
            (r#""id":"1""#, r#""id":"""#),
            (r#""stream":"s""#, r#""stream":true"#),
        ] {
            let member = written.split('"').nth(1).expect("a name");
            let (kind, reason) = decode(&whole.replace(written, instead)).expect_err(instead);
            assert_eq!(kind, ErrorKind::Damaged, "{instead}");
            assert!(reason.contains(member) || reason.contains("message id"), "{instead}: {reason}");
        }
        let unsupported = decode(&whole.replace(r#""requires":[]"#, r#""requires":["seals"]"#)).expect_err("a later version's");
        assert_eq!(unsupported.0, ErrorKind::Unsupported);
    }
}
