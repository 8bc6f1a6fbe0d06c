//! Replay: stored messages are sent to a sink again. First they are put on an [`Itinerary`], which says what is going to happen; then [`load`] reads them in their order, and [`run`] sends them
//! through lanes, at a pace, with a [`Journal`] by which a run that was broken off goes on.

mod itinerary;
mod journal;
mod lanes;
mod load;
mod pace;
pub(crate) mod room;
mod run;
mod sequence;
mod spool;

pub use itinerary::{Amount, Itinerary, Misfit, Planned, Terms, plan_replay};
pub use journal::{Begin, BlobJournal, FileJournal, History, Journal, JournalStore, REPLAY_PREFIX};
pub use lanes::Order;
pub use load::{Load, Loaded, load};
pub use pace::Rate;
pub use run::{Account, Ended, Headway, Manner, run};
pub use spool::{Spool, Spooled};
