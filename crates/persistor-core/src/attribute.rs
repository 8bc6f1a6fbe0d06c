//! An attribute's value: a string, or text with the name of its type. Types are open; what this crate does not know it
//! carries untouched. FORMAT.md lists the names and their texts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Error, Result};
use crate::time::PublishTime;

/// A value with its type, as text that gives the value back exactly.
///
/// Made from Rust values with `From` (integers, floats, `bool`, `char`, strings, bytes, [`PublishTime`] as `timestamp`),
/// and for every other type with [`Attribute::typed`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attribute {
    type_name: Option<String>,
    text: String,
}

impl Attribute {
    /// A value of any type: `text` is kept as it stands.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for the empty name, and for `string`, whose values carry no name.
    pub fn typed(type_name: impl Into<String>, text: impl Into<String>) -> Result<Self> {
        let type_name = type_name.into();
        if type_name.is_empty() || type_name == "string" {
            return Err(Error::invalid("an attribute's type is empty or `string` (a string stands for itself)"));
        }
        Ok(Self { type_name: Some(type_name), text: text.into() })
    }

    fn known(type_name: &str, text: String) -> Self {
        Self { type_name: Some(type_name.to_owned()), text }
    }

    /// The name of its type; `None` for a string.
    pub fn type_name(&self) -> Option<&str> {
        self.type_name.as_deref()
    }

    /// The value's text in the form of its type.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value, if it is of the type asked for and its text is valid: `attribute.to::<i32>()`.
    pub fn to<T: AttributeValue>(&self) -> Option<T> {
        (self.type_name() == T::TYPE).then(|| T::from_text(&self.text)).flatten()
    }
}

/// A Rust type that an attribute can be read as.
pub trait AttributeValue: Sized {
    /// The type's name in a record; `None` for strings.
    const TYPE: Option<&'static str>;

    /// Reads the type's text.
    fn from_text(text: &str) -> Option<Self>;
}

macro_rules! by_display {
    ($($type:ty: $name:literal),*) => {$(
        impl From<$type> for Attribute {
            fn from(value: $type) -> Self {
                Self::known($name, value.to_string())
            }
        }

        impl AttributeValue for $type {
            const TYPE: Option<&'static str> = Some($name);

            fn from_text(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )*};
}

// Rust writes a float as the shortest decimal that reads back as the same value, and `NaN`, `inf`, `-inf`, `-0`.
by_display! {
    bool: "boolean", char: "char",
    i8: "int8", i16: "int16", i32: "int32", i64: "int64", u8: "uint8", u16: "uint16", u32: "uint32", u64: "uint64",
    f32: "float", f64: "double"
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self { type_name: None, text: text.to_owned() }
    }
}

impl From<String> for Attribute {
    fn from(text: String) -> Self {
        Self { type_name: None, text }
    }
}

impl From<&[u8]> for Attribute {
    fn from(bytes: &[u8]) -> Self {
        Self::known("bytes", STANDARD.encode(bytes))
    }
}

impl From<PublishTime> for Attribute {
    fn from(time: PublishTime) -> Self {
        Self::known("timestamp", time.to_string())
    }
}

impl AttributeValue for String {
    const TYPE: Option<&'static str> = None;

    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl AttributeValue for Vec<u8> {
    const TYPE: Option<&'static str> = Some("bytes");

    fn from_text(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok()
    }
}

impl AttributeValue for PublishTime {
    const TYPE: Option<&'static str> = Some("timestamp");

    fn from_text(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_exactly() {
        assert_eq!(Attribute::from(u64::MAX).to::<u64>(), Some(u64::MAX));
        assert_eq!(Attribute::from(i64::MIN).to::<i64>(), Some(i64::MIN));
        assert_eq!(Attribute::from(-0.0_f64).to::<f64>().map(f64::to_bits), Some((-0.0_f64).to_bits()));
        assert!(Attribute::from(f64::NAN).to::<f64>().is_some_and(f64::is_nan));
        assert_eq!(Attribute::from(f32::MIN_POSITIVE).to::<f32>(), Some(f32::MIN_POSITIVE));
        assert_eq!(Attribute::from(f64::NEG_INFINITY).to::<f64>(), Some(f64::NEG_INFINITY));
        assert_eq!(Attribute::from(&[0, 255][..]).text(), "AP8=");
        assert_eq!(Attribute::from(&[0, 255][..]).to::<Vec<u8>>(), Some(vec![0, 255]));
        assert_eq!(Attribute::from("7").to::<String>().as_deref(), Some("7"));
        let time = PublishTime::parse("2026-11-22T05:40:12.500Z").expect("valid");
        assert_eq!(Attribute::from(time.clone()).to::<PublishTime>(), Some(time));
    }

    #[test]
    fn a_value_is_not_read_as_another_type() {
        assert_eq!(Attribute::from("7").to::<i32>(), None);
        assert_eq!(Attribute::from(7_i32).to::<i64>(), None);
        assert_eq!(Attribute::from(7_i32).to::<String>(), None);
        assert!(Attribute::typed("string", "x").is_err());
        assert!(Attribute::typed("", "x").is_err());
    }
}
