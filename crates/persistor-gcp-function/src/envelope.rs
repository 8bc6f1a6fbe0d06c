//! A wrapped push: the JSON envelope, taken apart without copying the payload's text.
//!
//! `{"message":{"data":"…","attributes":{…},"messageId":"…","publishTime":"…","orderingKey":"…"},"subscription":"…"}`, where id
//! and time also come as `message_id` and `publish_time`. Source: Pub/Sub's push format and the emulator. What is unknown is passed
//! over; what stands twice is refused at every level, since readers differ in which one they take.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

use persistor_serve::Fault;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The most bytes of a body beside its data, eight times what Pub/Sub itself lets a message's attributes have.
const MOST_METADATA: usize = 1 << 20;
/// The most names in an envelope, ten times what Pub/Sub lets a message have.
const MOST_NAMES: usize = 1000;
/// The most objects and arrays inside each other.
const MOST_LEVELS: usize = 100;

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

/// An envelope taken apart, its parts still raw: nothing is copied yet, and it is known how much will be.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    outer: Members<'a>,
    inner: Members<'a>,
    data: Option<&'a str>,
    metadata: usize,
}

/// Takes an envelope apart.
pub(crate) fn take_apart(body: &[u8]) -> Result<Parts<'_>, Fault> {
    let text = std::str::from_utf8(body).map_err(|_| Fault::malformed("not-json", "the body is not UTF-8"))?;
    let whole: &RawValue = serde_json::from_str(text).map_err(|error| {
        // A position says where to look and holds no content, unlike the parser's own message.
        Fault::malformed("not-json", format!("the body is not valid JSON, at line {} column {}", error.line(), error.column()))
    })?;
    let outer = Members::of(whole.get())?.unwrap_or_default();
    let inner = outer.get("message").map(Members::of).transpose()?.flatten();
    let Some(inner) = inner else {
        // There may be a second one; long names are not worth the memory to say so.
        if outer.0.iter().map(|(name, _)| name.len()).sum::<usize>() <= MOST_METADATA {
            outer.check_names()?;
        }
        return Err(Fault::malformed("missing-message", "the body has no object `message`: is this a wrapped push?"));
    };
    let data = inner.get("data");
    let metadata = body.len() - data.map_or(0, str::len);
    if metadata > MOST_METADATA {
        return Err(too_large());
    }
    Ok(Parts { outer, inner, data, metadata })
}

impl<'a> Parts<'a> {
    /// The bytes of the body beside its data.
    pub(crate) fn metadata(&self) -> usize {
        self.metadata
    }

    /// The message id if it is legible, for the log.
    pub(crate) fn message_id(&self) -> Option<String> {
        self.agreeing(["", ""], "messageId", "message_id").ok().flatten()
    }

    /// Reads the parts.
    pub(crate) fn read(self) -> Result<Envelope<'a>, Fault> {
        self.outer.check_names()?;
        self.inner.check_names()?;
        let id = self.agreeing(["bad-id", "conflicting-id"], "messageId", "message_id")?.filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| Fault::malformed("missing-id", "the message has no id"))?;
        self.read_rest(&id).map_err(|fault| fault.of_message(&id))
    }

    fn read_rest(self, id: &str) -> Result<Envelope<'a>, Fault> {
        let publish_time = self.agreeing(["bad-time", "conflicting-time"], "publishTime", "publish_time")?;
        let envelope = Envelope {
            id: id.to_owned(),
            publish_time: publish_time.ok_or_else(|| Fault::malformed("bad-time", "the message has no publish time"))?,
            subscription: text(self.outer.get("subscription"), "missing-subscription", "subscription")?
                .filter(|name| !name.is_empty())
                .ok_or_else(|| Fault::malformed("missing-subscription", "the body does not name its `subscription`"))?,
            ordering_key: text(self.inner.get("orderingKey"), "bad-ordering-key", "orderingKey")?.filter(|key| !key.is_empty()),
            attributes: attributes(self.inner.get("attributes"))?,
            data: data(self.data)?,
        };
        // Of what is unknown nothing is wanted but that no name stands twice in it.
        let mut names = 0;
        let others = self.outer.0.iter().filter(|(name, _)| !is(name, "message")).chain(&self.inner.0);
        for (_, value) in others {
            check_names(value, MOST_LEVELS, &mut names)?;
        }
        Ok(envelope)
    }

    /// One value under two spellings: they may both be there if they are the same text.
    fn agreeing(&self, [error, conflict]: [&'static str; 2], camel: &str, snake: &str) -> Result<Option<String>, Fault> {
        let (first, second) = (text(self.inner.get(camel), error, camel)?, text(self.inner.get(snake), error, snake)?);
        match (first, second) {
            (Some(first), Some(second)) if first != second => {
                Err(Fault::malformed(conflict, format!("`{camel}` and `{snake}` disagree")))
            }
            (first, second) => Ok(first.or(second)),
        }
    }
}

fn text(raw: Option<&str>, error: &'static str, name: &str) -> Result<Option<String>, Fault> {
    match raw {
        None | Some("null") => Ok(None),
        Some(raw) if raw.starts_with('"') => string(raw).map(Some),
        Some(_) => Err(Fault::malformed(error, format!("`{name}` is not a string"))),
    }
}

/// A string that is valid JSON and yet no text: half a surrogate pair.
fn string(raw: &str) -> Result<String, Fault> {
    serde_json::from_str(raw).map_err(|_| Fault::malformed("not-json", "a string escapes half of a surrogate pair"))
}

fn attributes(raw: Option<&str>) -> Result<BTreeMap<String, String>, Fault> {
    let wrong = || Fault::malformed("bad-attributes", "`attributes` is not an object of strings");
    let Some(raw) = raw.filter(|raw| *raw != "null") else { return Ok(BTreeMap::new()) };
    let members = Members::of(raw)?.ok_or_else(wrong)?;
    check_names(raw, MOST_LEVELS, &mut 0)?;
    let attribute = |(name, value): &(&str, &str)| match value.starts_with('"') {
        true => Ok((string(name)?, string(value)?)),
        false => Err(wrong()),
    };
    members.0.iter().map(attribute).collect()
}

fn data(raw: Option<&str>) -> Result<&str, Fault> {
    let raw = raw.unwrap_or("null");
    match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(text) => Ok(text),
        None if raw == "null" => Ok(""),
        None => Err(Fault::malformed("bad-base64", "`data` is not a string")),
    }
}

/// Refuses a name that stands twice in an object, at any level.
fn check_names(raw: &str, levels: usize, names: &mut usize) -> Result<(), Fault> {
    let children: Vec<&RawValue> = match raw.as_bytes().first() {
        Some(b'{') => {
            let members = Members::of(raw)?.unwrap_or_default();
            members.check_names()?;
            *names += members.0.len();
            if *names > MOST_NAMES || levels == 0 {
                return Err(too_large());
            }
            return members.0.iter().try_for_each(|(_, value)| check_names(value, levels - 1, names));
        }
        Some(b'[') if levels > 0 => serde_json::from_str(raw).map_err(|_| too_large())?,
        Some(b'[') => return Err(too_large()),
        _ => return Ok(()),
    };
    children.iter().try_for_each(|value| check_names(value.get(), levels - 1, names))
}

fn too_large() -> Fault {
    let reason = format!("beside its data the body has over {MOST_METADATA} bytes, {MOST_NAMES} names or {MOST_LEVELS} levels");
    Fault::malformed("metadata-too-large", reason)
}

/// The members of one object, names and values raw: nothing is unescaped, and so copied, before it is known how much that would be.
#[derive(Debug, Default)]
struct Members<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Members<'a> {
    /// `None` if `raw`, which is valid JSON, is no object.
    fn of(raw: &'a str) -> Result<Option<Self>, Fault> {
        if !raw.starts_with('{') {
            return Ok(None);
        }
        // What is valid JSON can only have too many names.
        serde_json::from_str(raw).map(Some).map_err(|_| too_large())
    }

    /// The value of the first member of this name.
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(raw, _)| is(raw, name)).map(|(_, value)| *value)
    }

    /// Refuses a name that stands twice, also in two spellings.
    fn check_names(&self) -> Result<(), Fault> {
        let mut names = HashSet::new();
        for (raw, _) in &self.0 {
            let name = if raw.contains('\\') { Cow::Owned(string(raw)?) } else { Cow::Borrowed(&raw[1..raw.len() - 1]) };
            if !names.insert(name) {
                return Err(Fault::malformed("duplicate-name", "a name stands twice in one object"));
            }
        }
        Ok(())
    }
}

/// Whether a raw name says `name`, in whatever spelling.
fn is(raw: &str, name: &str) -> bool {
    // An escape takes up to six times the bytes; what is longer is not looked at.
    let escaped = raw.contains('\\') && raw.len() <= 2 + 6 * name.len();
    raw.get(1..raw.len() - 1) == Some(name) || (escaped && string(raw).is_ok_and(|text| text == name))
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

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            if members.len() == MOST_NAMES {
                return Err(de::Error::custom("too many names"));
            }
            members.push((name.get(), value.get()));
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(data: usize, attributes: &str, others: &str) -> String {
        let data = "A".repeat(data);
        format!(
            r#"{{"message":{{"data":"{data}","attributes":{{{attributes}}},"messageId":"7","publishTime":"2026-11-22T05:40:12Z"{others}}},"subscription":"s"}}"#
        )
    }

    fn names(count: usize) -> String {
        (0..count).map(|number| format!(r#""{number}":"""#)).collect::<Vec<_>>().join(",")
    }

    fn error(body: &str) -> Option<&'static str> {
        take_apart(body.as_bytes()).and_then(|parts| parts.read().map(drop)).err().map(|fault| fault.refusal.error)
    }

    #[test]
    fn what_is_beside_the_data_is_bounded_and_the_data_is_not() {
        let with = |data, value| body(data, &format!(r#""a":"{}""#, "x".repeat(value)), "");
        let around = with(0, 0).len() - r#""""#.len();
        for data in [0, 4 << 20] {
            let most = with(data, MOST_METADATA - around);
            assert_eq!(take_apart(most.as_bytes()).map(|parts| parts.metadata()).ok(), Some(MOST_METADATA));
            assert_eq!(error(&most), None);
            assert_eq!(error(&with(data, MOST_METADATA - around + 1)), Some("metadata-too-large"));
        }
    }

    #[test]
    fn names_are_bounded_however_they_are_spread() {
        for (attributes, others, expected) in [
            (MOST_NAMES, vec![], None),
            (MOST_NAMES + 1, vec![], Some("metadata-too-large")),
            (0, vec![MOST_NAMES / 2; 2], None),
            (1, vec![MOST_NAMES / 2; 2], Some("metadata-too-large")),
            (0, vec![MOST_NAMES / 2, MOST_NAMES / 2 + 1], Some("metadata-too-large")),
        ] {
            let objects: Vec<_> =
                others.iter().enumerate().map(|(at, count)| format!(r#","x{at}":{{{}}}"#, names(*count))).collect();
            assert_eq!(error(&body(0, &names(attributes), &objects.concat())), expected, "{attributes}, {others:?}");
        }
    }

    #[test]
    fn a_name_that_is_escaped_to_its_last_letter_is_the_same_name() {
        let escaped: String = "message".chars().map(|letter| format!("\\u{:04x}", u32::from(letter))).collect();
        assert_eq!(error(&body(4, "", "").replacen("message", &escaped, 1)), None);
        assert_eq!(error(&body(4, "", "").replacen("message", &format!("{escaped}\\u0000"), 1)), Some("missing-message"));
    }
}
