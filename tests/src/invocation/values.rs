//! The one function through which every value passes on its way to a custom handler (`GetHttpScriptInvocationContextValue` in the host's source), and .NET's
//! ways of writing a time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::json::Json;

/// How values are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// As the host's source says: what is neither bytes, a date nor an object is carried as a JSON string that holds its JSON.
    #[default]
    Doubled,
    /// As the documentation's sample shows it: JSON as it is.
    Plain,
    /// As hosts of years ago did, whose source has no case for dates: these are carried as JSON strings too, and keep their fractions.
    Older,
}

/// A value of .NET.
#[derive(Clone, Debug)]
pub enum Value {
    /// `byte[]`.
    Bytes(Bytes),
    /// `DateTime`.
    Time(DateTime<Utc>),
    /// `DateTimeOffset`.
    OffsetTime(DateTime<Utc>),
    /// What Newtonsoft makes a JSON object of, and everything else.
    Json(Json),
}

impl Value {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Json(Json::text(text))
    }

    pub fn number(number: impl ToString) -> Self {
        Self::Json(Json::number(number))
    }

    /// As it is written; nothing for null, which the host leaves out.
    pub fn written(self, form: Form) -> Option<Json> {
        Some(match self {
            Self::Bytes(bytes) => Json::Text(STANDARD.encode(bytes)),
            Self::Time(time) if form == Form::Older => Json::Text(Json::Text(ticks(time)).compact()),
            Self::OffsetTime(time) if form == Form::Older => Json::Text(Json::Text(ticks(time) + "+00:00").compact()),
            // Parsed from their own `ToString()`: whole seconds, and the kind is lost.
            Self::Time(time) => Json::Text(whole_seconds(time)),
            Self::OffsetTime(time) => Json::Text(whole_seconds(time) + "+00:00"),
            Self::Json(Json::Null) => return None,
            Self::Json(object @ Json::Object(_)) => object,
            Self::Json(other) if form != Form::Plain => Json::Text(other.compact()),
            Self::Json(other) => other,
        })
    }
}

/// `2026-11-22T05:50:40`.
pub fn whole_seconds(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// `2026-11-22T05:50:40.1234567`: ticks of 100 ns, without zeros at the end, and without a fraction where it is zero.
pub fn ticks(time: DateTime<Utc>) -> String {
    let fraction = format!(".{:07}", time.timestamp_subsec_nanos() / 100);
    whole_seconds(time) + fraction.trim_end_matches('0').trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn every_kind_of_value_is_written_by_its_rule() {
        let at = time("2026-11-22T05:50:40.1234567Z");
        let object = Json::object([("a", Json::number(1))]);
        let bytes = || Json::Array(vec![Json::text("AQI="), Json::text("/w==")]);
        for (value, doubled, plain) in [
            (Value::Bytes(Bytes::from_static(&[1, 2])), r#""AQI=""#, r#""AQI=""#),
            (Value::Time(at), r#""2026-11-22T05:50:40""#, r#""2026-11-22T05:50:40""#),
            (Value::OffsetTime(at), r#""2026-11-22T05:50:40+00:00""#, r#""2026-11-22T05:50:40+00:00""#),
            (Value::Json(object), r#"{"a":1}"#, r#"{"a":1}"#),
            (Value::text("abc"), r#""\"abc\"""#, r#""abc""#),
            (Value::text("é\n"), r#""\"é\\n\"""#, r#""é\n""#),
            (Value::number(1), r#""1""#, "1"),
            (Value::Json(Json::Bool(true)), r#""true""#, "true"),
            (Value::Json(Json::Array(vec![Json::number(42), Json::number(43)])), r#""[42,43]""#, "[42,43]"),
            (Value::Json(bytes()), r#""[\"AQI=\",\"/w==\"]""#, r#"["AQI=","/w=="]"#),
        ] {
            assert_eq!(value.clone().written(Form::Doubled).expect("a value").compact(), doubled);
            assert_eq!(value.written(Form::Plain).expect("a value").compact(), plain);
        }
        assert_eq!(Value::Json(Json::Null).written(Form::Doubled), None);
        let older = |value: Value| value.written(Form::Older).expect("a value").compact();
        assert_eq!(older(Value::Time(at)), r#""\"2026-11-22T05:50:40.1234567\"""#);
        assert_eq!(older(Value::OffsetTime(at)), r#""\"2026-11-22T05:50:40.1234567+00:00\"""#);
        assert_eq!(older(Value::number(1)), r#""1""#);
    }

    #[test]
    fn a_fraction_has_no_zeros_at_its_end() {
        for (text, expected) in [
            ("2026-11-22T05:50:40Z", "2026-11-22T05:50:40"),
            ("2026-11-22T05:50:40.1Z", "2026-11-22T05:50:40.1"),
            ("2026-11-22T05:50:40.1230000Z", "2026-11-22T05:50:40.123"),
            ("2026-11-22T05:50:40.0000001Z", "2026-11-22T05:50:40.0000001"),
            ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.9999999"),
        ] {
            assert_eq!(ticks(time(text)), expected);
        }
    }
}
