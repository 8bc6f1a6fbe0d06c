//! Recovery from an archive, as a library: what was stored is selected, listed, searched, verified, and compared with what arrived elsewhere.
//!
//! An [`Archive`] is opened over any [`Reader`](persistor_core::Reader). A [`Selection`] says which messages are meant, and [`messages()`] gives them, with every
//! [`Finding`] on the way, in the order of their keys. [`search()`], [`verify()`], [`Difference`] with [`stored_values`], [`Timeline`], [`streams`] and [`status()`]
//! are made of that. Nothing here knows a provider, reads a clock or an environment: the store and the time are handed in. It runs on tokio.
#![warn(missing_docs, clippy::print_stdout, clippy::print_stderr)]

mod archive;
mod attribute_filter;
mod capabilities;
mod compare;
mod copy;
mod difference;
mod duplicates;
mod edges;
mod estimate;
pub mod figures;
mod finding;
mod intact;
mod keys;
mod line;
mod listing;
mod match_by;
mod messages;
mod moment;
mod outgoing;
mod pattern;
mod plan;
mod pointer;
mod progress;
pub mod replay;
mod search;
mod selection;
mod sift;
mod sink;
mod sorter;
mod status;
mod stored;
mod survey;
#[cfg(test)]
mod testing;
mod timeline;
mod verify;

pub use archive::Archive;
pub use attribute_filter::AttributeFilter;
pub use capabilities::{Audience, Capabilities, Changes, MARK_ID, MARK_REPLAY, MARK_TIME};
pub use compare::{Compared, stored_values};
pub use copy::{Copied, Wanted, copy, measure};
pub use difference::{Difference, Direction, Lines};
pub use estimate::estimate;
pub use finding::{Fault, Finding};
pub use keys::Keys;
pub use match_by::MatchBy;
pub use messages::{Detail, Item, Source, messages};
pub use moment::{moment, shown};
pub use outgoing::{Original, Outgoing};
pub use pattern::Pattern;
pub use plan::plan;
pub use pointer::Pointer;
pub use progress::Progress;
pub use search::search;
pub use selection::Selection;
pub use sink::{Feeds, Sink};
pub use status::{MINUTES, RECENT, State, StreamStatus, status};
pub use stored::Stored;
pub use survey::{StreamSurvey, streams};
pub use timeline::{Bucket, Look, Step, Timeline};
pub use verify::{ReadData, Summary, verify};
