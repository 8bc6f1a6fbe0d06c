//! What Pub/Sub can carry: <https://cloud.google.com/pubsub/quotas#resource_limits>.
//!
//! The emulator holds none of it but that a message is not empty, and hangs on what is too large; so what is not held here is not held in tests.

use persistor_recover::{Audience, Capabilities};

/// A message's payload, attributes and ordering key, and all of a request; a request with more is refused whole.
const MESSAGE: u64 = 10_000_000;
/// What one call is worth giving: all of it goes into one request. No more, so that a request whose answer is lost is soon sent again.
pub(crate) const BATCH: (usize, u64) = (500, 4_000_000);
/// Where the client begins another request. It counts neither what frames each message nor what frames each attribute; that is below 1 MB for as many messages as a
/// request may have.
pub(crate) const REQUEST: (u32, u32) = (1000, 8_900_000);

/// Pub/Sub's limits.
pub(crate) fn capabilities() -> Capabilities {
    Capabilities {
        message: Some(MESSAGE),
        attributes: Some(100),
        attribute_name: Some(256),
        attribute_value: Some(1024),
        ordering_key: Some(1024),
        takes_empty: false,
        types: false,
        properties: false,
        reserved: &["goog"],
        batch: BATCH,
        audience: Audience::AllSubscribers,
        ..Capabilities::unlimited()
    }
}

#[cfg(test)]
mod tests {
    use persistor_core::Attribute;
    use persistor_recover::Outgoing;

    use super::*;

    fn with(attributes: impl IntoIterator<Item = (String, String)>) -> Outgoing {
        let attributes = attributes.into_iter().map(|(name, value)| (name, Attribute::from(value.as_str())));
        Outgoing { attributes: attributes.collect(), ..Outgoing::default() }
    }

    #[test]
    fn what_pubsub_refuses_is_refused_before_it_is_sent() {
        let one = |name: usize, value: usize| with([("n".repeat(name), "v".repeat(value))]);
        let many = |count: usize| with((0..count).map(|n| (n.to_string(), String::new())));
        let keyed = |length: usize| Outgoing { ordering_key: Some("k".repeat(length)), ..Outgoing::default() };
        for (message, payload, fits) in [
            (Outgoing::default(), 10_000_000, true),
            (Outgoing::default(), 10_000_001, false),
            (one(4, 6), 9_999_990, true),
            (one(4, 6), 9_999_991, false),
            (keyed(10), 9_999_991, false),
            (Outgoing::default(), 0, false),
            (keyed(3), 0, false),
            (one(1, 0), 0, true),
            (one(256, 1024), 1, true),
            (one(257, 1), 1, false),
            (one(1, 1025), 1, false),
            (one(0, 1), 1, false),
            (many(100), 1, true),
            (many(101), 1, false),
            (keyed(1024), 1, true),
            (keyed(1025), 1, false),
        ] {
            let fit = capabilities().fit(&mut message.clone(), payload, None);
            assert_eq!(fit.is_ok(), fits, "{fit:?}");
        }
    }

    #[test]
    fn what_google_keeps_for_itself_is_left_out_and_types_are_their_texts() {
        let mut message = with([("googclient_schemaencoding".to_owned(), "BINARY".to_owned()), ("a".to_owned(), "b".to_owned())]);
        message.attributes.insert("n".to_owned(), 7_i32.into());
        let changes = capabilities().fit(&mut message, 1, None).expect("it fits");
        assert_eq!((changes.stripped, changes.retyped), (vec!["googclient_schemaencoding".to_owned()], 1));
    }

    /// A call goes as one request, and no request is larger than Pub/Sub takes, whatever is in it.
    #[test]
    fn a_batch_is_a_request_and_a_request_has_room_for_its_frames() {
        const { assert!(BATCH.0 <= REQUEST.0 as usize && BATCH.1 <= REQUEST.1 as u64) };
        // The tags and lengths of an attribute, its name and its value; and of a message, its payload and its ordering key.
        let (attribute, message) = (3 + 3 + 3, 5 + 5 + 3);
        let frames = u64::from(REQUEST.0) * (100 * attribute + message);
        assert!(u64::from(REQUEST.1) + frames <= MESSAGE, "{frames}");
    }
}
