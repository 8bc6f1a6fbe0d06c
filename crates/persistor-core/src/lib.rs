//! What Persistor keeps, under which name, and when it is safe to acknowledge.
//!
//! A [`Message`] becomes a [`Key`] (by a [`Layout`]) and a [`Record`]; [`Persist`] writes both through a [`Writer`] and says
//! what came of it: an [`Outcome`]. A [`Reader`] lists and reads what was kept. The stored form is specified in `FORMAT.md`.
//!
//! This crate reads no environment variable and serves no HTTP, and no key or record depends on a clock: settings and stores are handed
//! in, and times are the messages' own (only the memory store notes when a blob was made, and attempts end after a time).
#![warn(missing_docs, clippy::print_stdout, clippy::print_stderr)]

mod attempts;
mod attribute;
mod digest;
mod document;
mod error;
mod escape;
mod folder;
mod identity;
mod json;
mod key;
mod layout;
mod location;
mod memory;
mod message;
mod persist;
mod reader;
mod record;
mod template;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
mod writer;

pub use attempts::{Attempts, Failure, backoff};
pub use attribute::{Attribute, AttributeValue};
pub use digest::{crc32c_hex, sha256_hex};
pub use document::FORMAT;
pub use error::{Error, ErrorKind, Result};
pub use escape::{escape, unescape};
pub use folder::FolderStore;
pub use identity::{Entity, MessageId, Stream};
pub use key::{Key, LONGEST_KEY, LONGEST_SEGMENT, RECORD_SUFFIX};
pub use layout::{LAYOUT_PREFIX, Layout};
pub use location::Location;
pub use memory::MemoryStore;
pub use message::{Fidelity, Message, Property};
pub use persist::{Outcome, Persist, REJECTED_PREFIX, RecordPlace, restore};
pub use reader::{Entry, Reader};
pub use record::Record;
pub use template::{DEFAULT_TEMPLATE, KeyBounds, NameRange, NameRanges, ParsedKey, Template};
pub use time::PublishTime;
pub use writer::{Creation, Metadata, Writer};
