//! What a message's attributes have to be: `name`, `name=value`, `name!=value`, `name^=prefix`.

use std::fmt;
use std::str::FromStr;

use persistor_core::{Error, ErrorKind, Record, Result};

/// One condition on one attribute, whose text is what its type writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeFilter {
    name: String,
    condition: Condition,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Exists,
    Is(String),
    /// Also where there is no such attribute.
    IsNot(String),
    StartsWith(String),
}

impl AttributeFilter {
    /// The name and the text that are asked for, if nothing but that text is.
    pub(crate) fn exactly(&self) -> Option<(&str, &str)> {
        match &self.condition {
            Condition::Is(value) => Some((&self.name, value)),
            _ => None,
        }
    }

    /// Whether the message of this record meets it.
    pub fn matches(&self, record: &Record) -> bool {
        let text = record.attributes().get(&self.name).map(persistor_core::Attribute::text);
        match &self.condition {
            Condition::Exists => text.is_some(),
            Condition::Is(value) => text == Some(value),
            Condition::IsNot(value) => text != Some(value),
            Condition::StartsWith(prefix) => text.is_some_and(|text| text.starts_with(prefix.as_str())),
        }
    }
}

impl FromStr for AttributeFilter {
    type Err = Error;

    /// # Errors
    /// [`ErrorKind::Invalid`] where there is no name.
    fn from_str(text: &str) -> Result<Self> {
        let (name, condition) = match text.split_once('=') {
            None => (text, Condition::Exists),
            Some((name, value)) => match (name.strip_suffix('!'), name.strip_suffix('^')) {
                (Some(name), _) => (name, Condition::IsNot(value.to_owned())),
                (_, Some(name)) => (name, Condition::StartsWith(value.to_owned())),
                _ => (name, Condition::Is(value.to_owned())),
            },
        };
        if name.is_empty() {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("`{text}` names no attribute: write `name`, `name=value`, `name!=value` or `name^=prefix`"),
            ));
        }
        Ok(Self { name: name.to_owned(), condition })
    }
}

impl fmt::Display for AttributeFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, value) = match &self.condition {
            Condition::Exists => ("", ""),
            Condition::Is(value) => ("=", value.as_str()),
            Condition::IsNot(value) => ("!=", value.as_str()),
            Condition::StartsWith(value) => ("^=", value.as_str()),
        };
        write!(f, "{}{sign}{value}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use persistor_core::Attribute;

    use super::*;
    use crate::testing::record_with;

    #[test]
    fn each_form_means_what_it_says() {
        let record = record_with([("tenant", Attribute::from("north")), ("size", 7_i32.into()), ("empty", "".into())]);
        let matches = |filter: &str| filter.parse::<AttributeFilter>().expect(filter).matches(&record);
        for filter in [
            "tenant",
            "tenant=north",
            "tenant!=south",
            "tenant^=nor",
            "tenant^=",
            "size=7",
            "empty=",
            "other!=x",
            "tenant!=north=",
        ] {
            assert!(matches(filter), "{filter}");
        }
        for filter in ["other", "tenant=nor", "tenant!=north", "tenant^=south", "size=07", "empty=x", "other=", "other^="] {
            assert!(!matches(filter), "{filter}");
        }
        for filter in ["", "=x", "!=x", "^="] {
            assert!(filter.parse::<AttributeFilter>().is_err(), "{filter}");
        }
    }
}
