//! Which service a topic is reached at.

use persistor_core::{Error, ErrorKind, Result};

/// Which service answers, and as whom it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicEndpoint {
    /// Pub/Sub's global endpoint, with Application Default Credentials. It sends to a region nearby.
    PubSub,
    /// The endpoint of one region, likewise. The order of an ordering key holds for what is published in the same region:
    /// <https://cloud.google.com/pubsub/docs/ordering>.
    Region(String),
    /// An emulator at this URL, with no identity.
    Emulator(String),
}

impl TopicEndpoint {
    /// Reads what people set as `PUBSUB_EMULATOR_HOST`: `HOST:PORT`, or the same as an `http` URL.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is no such address.
    pub fn emulator(text: &str) -> Result<Self> {
        let address = text.strip_prefix("http://").unwrap_or(text);
        let address = address.strip_suffix('/').unwrap_or(address);
        let (host, port) = address.rsplit_once(':').unwrap_or(("", ""));
        let odd = |c: char| c.is_whitespace() || c.is_control() || "/?#@\\".contains(c);
        // More colons than one are an IPv6 address, which has brackets here.
        let plain =
            !host.is_empty() && !host.contains(odd) && (!host.contains(':') || host.starts_with('[') && host.ends_with(']'));
        if plain && port.parse::<u16>().is_ok_and(|port| port > 0) {
            Ok(Self::Emulator(format!("http://{address}")))
        } else {
            Err(Error::new(ErrorKind::Invalid, format!("`{text}` is no address of an emulator: it is written `HOST:PORT`")))
        }
    }

    /// Reads a region's name, such as `europe-west1`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is no such name.
    pub fn region(text: &str) -> Result<Self> {
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.contains('-')
            && text.chars().all(known)
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
        {
            Ok(Self::Region(text.to_owned()))
        } else {
            Err(Error::new(ErrorKind::Invalid, format!("`{text}` is no region: they are named like `europe-west1`")))
        }
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::PubSub => "https://pubsub.googleapis.com".to_owned(),
            Self::Region(region) => format!("https://{region}-pubsub.googleapis.com"),
            Self::Emulator(url) => url.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulator_is_a_host_and_a_port() {
        for (text, url) in [
            ("127.0.0.1:8085", "http://127.0.0.1:8085"),
            ("localhost:8085", "http://localhost:8085"),
            ("http://pubsub:80/", "http://pubsub:80"),
            ("[::1]:8085", "http://[::1]:8085"),
        ] {
            assert_eq!(TopicEndpoint::emulator(text).map(|endpoint| endpoint.url()).ok().as_deref(), Some(url), "{text}");
        }
        for text in ["", "localhost", ":8085", "a:0", "a:99999", "https://a:1", "http://a:1/b", "user@a:1", "a b:1", "::1:8085"] {
            assert!(TopicEndpoint::emulator(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_region_is_a_name_and_nothing_that_leads_elsewhere() {
        let region = TopicEndpoint::region("europe-west1").expect("a region");
        assert_eq!(region.url(), "https://europe-west1-pubsub.googleapis.com");
        for text in ["", "global", "Europe-west1", "europe-west1.example.com", "a/b-c", "-a", "a-"] {
            assert!(TopicEndpoint::region(text).is_err(), "{text}");
        }
    }
}
