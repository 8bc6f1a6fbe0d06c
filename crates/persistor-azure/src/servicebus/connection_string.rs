//! A connection string of Service Bus, as its portal shows it.

use std::fmt;

use persistor_core::{Error, ErrorKind, Result};

use super::location::host_and_port;

/// What gives access to a namespace, or an entity in it. It is a secret, and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionString {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) access: Shared,
    /// The entity it is for; none: all in the namespace.
    pub(super) entity: Option<String>,
    /// Whether it is an emulator's, which is not encrypted.
    pub(super) emulator: bool,
}

/// What is shared with whoever has the string.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Shared {
    /// The name of a rule, and its key, which signs.
    Key { name: String, key: String },
    /// What somebody has signed already. It cannot be renewed.
    Signature(String),
}

impl ConnectionString {
    /// Reads `Endpoint=sb://HOST[:PORT]/;SharedAccessKeyName=…;SharedAccessKey=…`, perhaps with `;EntityPath=…` and `;UseDevelopmentEmulator=true`; instead of the name and the key
    /// there may be `SharedAccessSignature=…`. Names are read without regard to case, and those that are not known are passed over.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] with the part that is missing or wrong. No value is repeated.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = |text: &str| Error::new(ErrorKind::Invalid, format!("no connection string of Service Bus: {text}"));
        let pairs = text.trim().split(';').filter(|pair| !pair.trim().is_empty());
        let pairs: Option<Vec<_>> =
            pairs.map(|pair| pair.split_once('=').map(|(name, value)| (name.trim(), value.trim()))).collect();
        let pairs = pairs.ok_or_else(|| invalid("one is made of NAME=VALUE, joined by `;`"))?;
        let value = |name: &str| {
            pairs.iter().find(|(known, value)| known.eq_ignore_ascii_case(name) && !value.is_empty()).map(|(_, value)| *value)
        };
        let endpoint = value("Endpoint").ok_or_else(|| invalid("`Endpoint` is missing"))?;
        let place = endpoint.strip_prefix("sb://").map(|place| place.trim_end_matches('/'));
        let (host, port) =
            place.and_then(|place| host_and_port(place).ok()).ok_or_else(|| invalid("`Endpoint` is not sb://HOST/"))?;
        let access = match (value("SharedAccessSignature"), value("SharedAccessKeyName"), value("SharedAccessKey")) {
            (Some(signature), _, _) => Shared::Signature(signature.to_owned()),
            (None, Some(name), Some(key)) => Shared::Key { name: name.to_owned(), key: key.to_owned() },
            _ => return Err(invalid("it needs `SharedAccessKeyName` and `SharedAccessKey`, or `SharedAccessSignature`")),
        };
        let emulator = value("UseDevelopmentEmulator").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        Ok(Self { host, port, access, entity: value("EntityPath").map(str::to_owned), emulator })
    }
}

impl fmt::Debug for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionString(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_portal_shows() {
        let read = ConnectionString::parse(
            "Endpoint=sb://my.servicebus.windows.net/;SharedAccessKeyName=Send;SharedAccessKey=c2VjcmV0+/=;EntityPath=orders",
        );
        let read = read.expect("valid");
        assert_eq!((read.host.as_str(), read.port, read.entity.as_deref()), ("my.servicebus.windows.net", None, Some("orders")));
        assert!(read.access == Shared::Key { name: "Send".to_owned(), key: "c2VjcmV0+/=".to_owned() } && !read.emulator);
        let emulator = " endpoint=sb://localhost:5673;sharedaccesskeyname=n;SharedAccessKey=k;UseDevelopmentEmulator=True;\n";
        let emulator = ConnectionString::parse(emulator).expect("valid");
        assert_eq!((emulator.host.as_str(), emulator.port, emulator.emulator), ("localhost", Some(5673), true));
        let signed = "Endpoint=sb://my.servicebus.windows.net;SharedAccessSignature=SharedAccessSignature sr=a&sig=b&se=1&skn=c";
        let signed = ConnectionString::parse(signed).expect("valid");
        assert!(signed.access == Shared::Signature("SharedAccessSignature sr=a&sig=b&se=1&skn=c".to_owned()));
    }

    #[test]
    fn what_is_none_is_refused_and_nothing_is_shown() {
        for text in [
            "",
            "secret",
            "SharedAccessKeyName=n;SharedAccessKey=secret",
            "Endpoint=sb://;SharedAccessKeyName=n;SharedAccessKey=secret",
            "Endpoint=https://my;SharedAccessKeyName=n;SharedAccessKey=secret",
            "Endpoint=sb://a@secret;SharedAccessKeyName=n;SharedAccessKey=secret",
            "Endpoint=sb://my;SharedAccessKeyName=n;SharedAccessKey=",
            "Endpoint=sb://my;SharedAccessKey=secret",
            "Endpoint=sb://my;secret",
        ] {
            let error = ConnectionString::parse(text).expect_err(text);
            assert!(!format!("{error} {error:?}").contains("secret"), "{text}");
        }
        let read = ConnectionString::parse("Endpoint=sb://my;SharedAccessKeyName=n;SharedAccessKey=secret").expect("valid");
        assert!(!format!("{read:?}").contains("secret"));
    }
}
