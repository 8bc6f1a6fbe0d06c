//! What the host says of the messages of a call, by column and row: one row in a call of one, and as many as there are messages in a call
//! of many, where each column is an array named after it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use persistor_core::{Attribute, Fidelity, PublishTime};
use persistor_serve::Fault;
use serde_json::value::RawValue;

use crate::function::Cardinality;
use crate::json_value::{Object, inner, raw_text, string};

/// The columns of a call.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    metadata: &'a Object<'a>,
    cardinality: Cardinality,
    /// Whether the values of a call of one are JSON in strings. The broker's own number tells: a sender has no part in it.
    in_strings: bool,
}

/// A column: the JSON of each row's value, none where it is null or there is no such column.
#[derive(Debug, Default)]
pub(crate) struct Column(Vec<Option<String>>);

impl<'a> Table<'a> {
    /// The table in `metadata`; `number` names the column of the broker's own numbers.
    pub(crate) fn new(metadata: &'a Object<'a>, cardinality: Cardinality, number: &str) -> Self {
        let in_strings = metadata.get(number).is_some_and(|raw| raw.starts_with('"'));
        Self { metadata, cardinality, in_strings }
    }

    /// The column of that name.
    ///
    /// # Errors
    /// `uneven-arrays` if it is there and has not this number of rows.
    pub(crate) fn column(&self, name: &str, rows: usize) -> Result<Column, Fault> {
        match self.cardinality {
            Cardinality::One => Ok(Column(vec![self.metadata.get(name).map(|raw| self.single(raw)).transpose()?])),
            Cardinality::Many => {
                let name = format!("{name}Array");
                let Some(raw) = self.metadata.get(&name) else { return Ok(Column::default()) };
                let array = inner(raw)?;
                let values: Vec<&RawValue> = serde_json::from_str(&array)
                    .map_err(|_| Fault::malformed("bad-metadata", format!("`{name}` is not an array")))?;
                if values.len() != rows {
                    let reason = format!("`{name}` has {} values for {rows} messages", values.len());
                    return Err(Fault::malformed("uneven-arrays", reason));
                }
                Ok(Column(values.iter().map(|value| Some(value.get().to_owned()).filter(|text| text != "null")).collect()))
            }
        }
    }

    fn single(&self, raw: &str) -> Result<String, Fault> {
        Ok(if self.in_strings { inner(raw)?.into_owned() } else { raw.to_owned() })
    }
}

impl Column {
    /// The JSON of a row's value.
    pub(crate) fn json(&self, row: usize) -> Option<&str> {
        self.0.get(row)?.as_deref()
    }

    /// A row's value as text: a string's, or the digits of a number.
    pub(crate) fn text(&self, row: usize) -> Result<Option<String>, Fault> {
        self.json(row).map(|json| if json.starts_with('"') { string(json) } else { Ok(json.to_owned()) }).transpose()
    }

    /// A row's value as text, which has to be there; `name` is the column's.
    pub(crate) fn required(&self, row: usize, name: &str) -> Result<String, Fault> {
        self.text(row)?.ok_or_else(|| Fault::malformed("missing-metadata", format!("the call does not say `{name}`")))
    }

    /// A row's value as attributes, none where there is no value; `name` is the column's.
    pub(crate) fn attributes(&self, row: usize, name: &str) -> Result<BTreeMap<String, Attribute>, Fault> {
        let object = Object::parse(raw_text(self.json(row)));
        object
            .map_err(|_| Fault::malformed("bad-attributes", format!("`{name}` is not an object of different names")))?
            .attributes()
    }
}

/// What the way in could not give of a time: the host cuts the fraction off a single message's.
pub(crate) fn fidelity(cardinality: Cardinality, time: &PublishTime) -> Option<Fidelity> {
    (cardinality == Cardinality::One && time.fraction().is_empty()).then_some(Fidelity::WholeSeconds)
}

/// A time as .NET writes it: with and without a fraction, with and without a zone, which then is UTC.
pub(crate) fn time(text: &str) -> Result<PublishTime, Fault> {
    let zoned = if PublishTime::parse(text).is_ok() { Cow::Borrowed(text) } else { Cow::Owned(format!("{text}Z")) };
    PublishTime::parse(&zoned).map_err(|error| Fault::malformed("bad-time", error.to_string()))
}

/// The broker's running number: its digits, and as the unsigned number that sorts.
pub(crate) fn sequence(text: &str) -> Result<u64, Fault> {
    // Partitioned entities count in the lower bits and put their partition above; the highest makes it negative.
    text.parse::<i64>()
        .map(i64::cast_unsigned)
        .map_err(|_| Fault::malformed("bad-sequence", "the sequence number is no 64-bit number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_looks_like_json_stays_text_where_values_are_plain() {
        for (metadata, id) in [
            (r#"{"SequenceNumber":"1","MessageId":"\"7\""}"#, "7"),
            (r#"{"SequenceNumber":"1","MessageId":"\"\\\"7\\\"\""}"#, "\"7\""),
            (r#"{"SequenceNumber":1,"MessageId":"\"7\""}"#, "\"7\""),
            (r#"{"SequenceNumber":1,"MessageId":"null"}"#, "null"),
        ] {
            let object = Object::parse(metadata).expect("an object");
            let table = Table::new(&object, Cardinality::One, "SequenceNumber");
            let text = |name: &str| table.column(name, 1).and_then(|column| column.text(0)).expect("text");
            assert_eq!(text("MessageId").as_deref(), Some(id), "{metadata}");
            assert_eq!(text("SequenceNumber").as_deref(), Some("1"), "{metadata}");
            assert_eq!(text("Subject"), None);
        }
    }

    #[test]
    fn times_come_in_many_forms() {
        for (text, expected) in [
            ("2026-11-22T05:50:40", "2026-11-22T05:50:40Z"),
            ("2026-11-22T05:50:40Z", "2026-11-22T05:50:40Z"),
            ("2026-11-22T05:50:40+00:00", "2026-11-22T05:50:40Z"),
            ("2026-11-22T07:50:40.1234567+02:00", "2026-11-22T05:50:40.1234567Z"),
            ("2026-11-22T05:50:40.12", "2026-11-22T05:50:40.12Z"),
        ] {
            assert_eq!(time(text).map(|time| time.to_string()).as_deref(), Ok(expected));
        }
        assert!(time("11/22/2026 05:50:40").is_err());
    }

    #[test]
    fn numbers_sort_whatever_their_partition() {
        assert_eq!(sequence("42"), Ok(42));
        assert_eq!(sequence("9223372036854775807"), Ok(i64::MAX.cast_unsigned()));
        // The highest partitions.
        assert_eq!(sequence("-1"), Ok(u64::MAX));
        for wrong in ["", "1.0", "x", "9223372036854775808"] {
            assert!(sequence(wrong).is_err(), "{wrong}");
        }
    }
}
