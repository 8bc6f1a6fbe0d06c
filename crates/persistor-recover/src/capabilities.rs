//! What a sink can carry, and a message made fit for it.

use std::collections::BTreeMap;

use persistor_core::Attribute;

use crate::outgoing::Outgoing;

/// The limits of a sink. Lengths are bytes; `None` is no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The most of one message: payload, attributes, ordering key and properties with the overheads below.
    pub message: Option<u64>,
    /// Counted for each message.
    pub overhead: u64,
    /// Counted for each attribute and each property.
    pub attribute_overhead: u64,
    /// The most attributes.
    pub attributes: Option<usize>,
    /// The longest name of an attribute.
    pub attribute_name: Option<usize>,
    /// The longest value of an attribute.
    pub attribute_value: Option<usize>,
    /// All attributes together, names and values.
    pub attributes_total: Option<u64>,
    /// The longest ordering key.
    pub ordering_key: Option<usize>,
    /// Whether every message needs an ordering key.
    pub needs_ordering_key: bool,
    /// Whether a message may have neither payload nor attributes.
    pub takes_empty: bool,
    /// Whether attributes keep their types; else they are sent as their texts.
    pub types: bool,
    /// Whether messages have properties there, such as a content type or a correlation id; else they are left out.
    pub properties: bool,
    /// How names of attributes begin that nobody may send; lower case, compared without regard to case.
    pub reserved: &'static [&'static str],
    /// The most messages that one call is worth giving, and their bytes.
    pub batch: (usize, u64),
    /// Who gets what is sent.
    pub audience: Audience,
}

/// Who gets what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Whoever subscribes to a topic: all of them.
    AllSubscribers,
    /// One reader of a queue, one endpoint, one file.
    One,
}

impl Capabilities {
    /// No limits: what a file has.
    pub fn unlimited() -> Self {
        Self {
            message: None,
            overhead: 0,
            attribute_overhead: 0,
            attributes: None,
            attribute_name: None,
            attribute_value: None,
            attributes_total: None,
            ordering_key: None,
            needs_ordering_key: false,
            takes_empty: true,
            types: true,
            properties: true,
            reserved: &[],
            batch: (1, u64::MAX),
            audience: Audience::One,
        }
    }
}

/// What names a replay in every message that it sends.
pub const MARK_REPLAY: &str = "persistor-replay";
/// The id that the broker had given the stored message.
pub const MARK_ID: &str = "persistor-original-id";
/// When the broker had taken it.
pub const MARK_TIME: &str = "persistor-original-time";

/// What was changed to make a message fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Names of attributes that nobody may send, which were left out.
    pub stripped: Vec<String>,
    /// Names of properties that the sink does not have, which were left out.
    pub dropped: Vec<String>,
    /// Attributes whose type the sink does not have, which are their texts now.
    pub retyped: usize,
    /// There was no room for the marks.
    pub unmarked: bool,
}

impl Capabilities {
    /// Makes a message fit, with the marks of a replay of that name, or without any. `payload` are the payload's bytes, which need not be there yet.
    ///
    /// # Errors
    /// Why the sink cannot carry it, in words without values.
    pub fn fit(&self, message: &mut Outgoing, payload: u64, replay: Option<&str>) -> Result<Changes, String> {
        let mut changes = Changes::default();
        message.attributes.retain(|name, _| {
            let lower = name.to_ascii_lowercase();
            let keep = !self.reserved.iter().any(|start| lower.starts_with(start));
            if !keep {
                changes.stripped.push(name.clone());
            }
            keep
        });
        if !self.properties {
            changes.dropped = std::mem::take(&mut message.properties).into_keys().collect();
        }
        if !self.types {
            for value in message.attributes.values_mut().filter(|value| value.type_name().is_some()) {
                *value = Attribute::from(value.text());
                changes.retyped += 1;
            }
        }
        let Some(replay) = replay else { return self.carries(message, payload).map(|()| changes) };
        let plain = message.attributes.clone();
        message.attributes.extend(marks(message, replay));
        if self.carries(message, payload).is_err() {
            message.attributes = plain;
            self.carries(message, payload)?;
            changes.unmarked = true;
        }
        Ok(changes)
    }

    /// Whether the limits hold.
    fn carries(&self, message: &Outgoing, payload: u64) -> Result<(), String> {
        let over = |limit: Option<usize>, length: usize| limit.filter(|limit| length > *limit);
        if let Some(limit) = over(self.attributes, message.attributes.len()) {
            return Err(format!("it has {} attributes, and the sink takes {limit}", message.attributes.len()));
        }
        for (name, value) in &message.attributes {
            if let Some(limit) = over(self.attribute_name, name.len()) {
                return Err(format!("an attribute's name has {} bytes, and the sink takes {limit}", name.len()));
            }
            if name.is_empty() && self.attribute_name.is_some() {
                return Err("an attribute has the empty name".to_owned());
            }
            if let Some(limit) = over(self.attribute_value, value.text().len()) {
                return Err(format!("an attribute's value has {} bytes, and the sink takes {limit}", value.text().len()));
            }
        }
        match &message.ordering_key {
            Some(key) => {
                if let Some(limit) = over(self.ordering_key, key.len()) {
                    return Err(format!("its ordering key has {} bytes, and the sink takes {limit}", key.len()));
                }
            }
            None if self.needs_ordering_key => {
                return Err("it has neither ordering key nor session, and the sink takes none without".to_owned());
            }
            None => {}
        }
        if !self.takes_empty && payload == 0 && message.attributes.is_empty() {
            return Err("it has neither payload nor attributes, and the sink takes none so".to_owned());
        }
        let attributes = self.weigh(&message.attributes);
        if let Some(limit) = self.attributes_total.filter(|limit| attributes > *limit) {
            return Err(format!("its attributes have {attributes} bytes, and the sink takes {limit}"));
        }
        let size = self.size(message, payload);
        match self.message.filter(|limit| size > *limit) {
            Some(limit) => Err(format!("it has {size} bytes with all that is around its payload, and the sink takes {limit}")),
            None => Ok(()),
        }
    }

    /// The bytes that a message counts for.
    pub fn size(&self, message: &Outgoing, payload: u64) -> u64 {
        let key = message.ordering_key.as_ref().map_or(0, String::len) as u64;
        self.overhead + payload + key + self.weigh(&message.attributes) + self.weigh(&message.properties)
    }

    fn weigh(&self, values: &BTreeMap<String, Attribute>) -> u64 {
        values.iter().map(|(name, value)| (name.len() + value.text().len()) as u64 + self.attribute_overhead).sum()
    }
}

fn marks(message: &Outgoing, replay: &str) -> [(String, Attribute); 3] {
    [
        (MARK_REPLAY.to_owned(), replay.into()),
        (MARK_ID.to_owned(), message.original.id.as_str().into()),
        (MARK_TIME.to_owned(), message.original.publish_time.as_str().into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(attributes: &[(&str, &str)]) -> Outgoing {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), Attribute::from(*value))).collect();
        Outgoing { attributes, ..Outgoing::default() }
    }

    fn limits(change: impl FnOnce(&mut Capabilities)) -> Capabilities {
        let mut limits = Capabilities::unlimited();
        change(&mut limits);
        limits
    }

    #[test]
    fn what_nobody_may_send_is_left_out_and_said() {
        let limits = limits(|limits| limits.reserved = &["goog"]);
        let mut message = message(&[("googclient_schemaencoding", "x"), ("Google", "x"), ("a-goog", "x")]);
        let changes = limits.fit(&mut message, 0, None).expect("it fits");
        assert_eq!(changes.stripped, ["Google", "googclient_schemaencoding"]);
        assert_eq!(message.attributes.keys().collect::<Vec<_>>(), ["a-goog"]);
    }

    #[test]
    fn types_go_where_the_sink_has_none() {
        let mut typed = message(&[("a", "x")]);
        typed.attributes.insert("n".to_owned(), 7_i32.into());
        let untyped = limits(|limits| limits.types = false);
        assert_eq!(Capabilities::unlimited().fit(&mut typed.clone(), 0, None).map(|changes| changes.retyped), Ok(0));
        assert_eq!(untyped.fit(&mut typed, 0, None).map(|changes| changes.retyped), Ok(1));
        assert_eq!(typed.attributes["n"], Attribute::from("7"));
    }

    #[test]
    fn properties_go_where_the_sink_has_none_and_are_named() {
        let mut one = Outgoing { ordering_key: Some("k".to_owned()), ..message(&[]) };
        one.properties.insert("subject".to_owned(), "paid".into());
        let kept = Capabilities::unlimited().fit(&mut one.clone(), 0, None).expect("it fits");
        assert_eq!(kept.dropped, Vec::<String>::new());
        let changes = limits(|limits| limits.properties = false).fit(&mut one, 0, None).expect("it fits");
        assert_eq!(
            (changes.dropped, one.properties.len(), one.ordering_key.as_deref()),
            (vec!["subject".to_owned()], 0, Some("k"))
        );
    }

    #[test]
    fn marks_are_left_out_where_there_is_no_room_and_nothing_else_is() {
        let mut one = message(&[("a", "x")]);
        one.original.id = "7".to_owned();
        let room = limits(|limits| limits.attributes = Some(4));
        assert_eq!(room.fit(&mut one.clone(), 0, Some("night")).map(|changes| changes.unmarked), Ok(false));
        let mut marked = one.clone();
        room.fit(&mut marked, 0, Some("night")).expect("it fits");
        assert_eq!(marked.attributes[MARK_REPLAY], Attribute::from("night"));
        assert_eq!(marked.attributes[MARK_ID], Attribute::from("7"));
        let tight = limits(|limits| limits.attributes = Some(3));
        let before = one.clone();
        assert_eq!(tight.fit(&mut one, 0, Some("night")).map(|changes| changes.unmarked), Ok(true));
        assert_eq!(one, before);
    }

    #[test]
    fn each_limit_refuses_what_is_above_it_and_takes_what_is_at_it() {
        let keyed = |key: &str| Outgoing { ordering_key: Some(key.to_owned()), ..message(&[("abc", "defg")]) };
        type Change = fn(&mut Capabilities);
        let cases: [(Change, Change); 7] = [
            (|limits| limits.attributes = Some(1), |limits| limits.attributes = Some(0)),
            (|limits| limits.attribute_name = Some(3), |limits| limits.attribute_name = Some(2)),
            (|limits| limits.attribute_value = Some(4), |limits| limits.attribute_value = Some(3)),
            (|limits| limits.attributes_total = Some(7), |limits| limits.attributes_total = Some(6)),
            (|limits| limits.ordering_key = Some(2), |limits| limits.ordering_key = Some(1)),
            (|limits| limits.message = Some(19), |limits| limits.message = Some(18)),
            (|limits| limits.takes_empty = false, |limits| limits.message = Some(0)),
        ];
        for (at, (taken, refused)) in cases.into_iter().enumerate() {
            assert!(limits(taken).fit(&mut keyed("kk"), 10, None).is_ok(), "{at}");
            assert!(limits(refused).fit(&mut keyed("kk"), 10, None).is_err(), "{at}");
        }
        let session = limits(|limits| limits.needs_ordering_key = true);
        assert!(session.fit(&mut keyed("k"), 0, None).is_ok() && session.fit(&mut message(&[]), 0, None).is_err());
        let full = limits(|limits| limits.takes_empty = false);
        assert!(full.fit(&mut message(&[]), 1, None).is_ok() && full.fit(&mut message(&[("a", "")]), 0, None).is_ok());
        assert!(full.fit(&mut message(&[]), 0, None).is_err());
    }
}
