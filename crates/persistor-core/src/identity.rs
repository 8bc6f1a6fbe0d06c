//! The names a message is known by: entity, stream and message id. What they may hold is the broker's business; that
//! they are there is ours. How they become part of a key is [`crate::escape`].

use std::fmt;

use crate::error::{Error, Result};

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(String);

        impl $type {
            /// Takes any text but the empty one.
            ///
            /// # Errors
            /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if it is empty.
            pub fn new(text: impl Into<String>) -> Result<Self> {
                let text = text.into();
                if text.is_empty() {
                    return Err(Error::invalid(concat!($what, " is empty")));
                }
                Ok(Self(text))
            }

            /// The whole text, unescaped.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// The broker's full name of where a message came from: a subscription, a queue, a hub;
    /// for Pub/Sub `projects/PROJECT/subscriptions/SUBSCRIPTION`.
    Entity, "entity"
}

name! {
    /// The short name that one entity has in the archive, such as `orders`.
    Stream, "stream"
}

name! {
    /// The broker's own unique identity of a message within its entity.
    MessageId, "message id"
}
