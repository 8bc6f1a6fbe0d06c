//! For the tests of every store and of what stands above one: the contracts of [`Writer`](crate::Writer) and
//! [`Reader`](crate::Reader) in executable form, and wrappers of them that fail on purpose.

mod conformance;
mod create_only;
mod fault_plan;
mod faulty_writer;
mod records;

pub use conformance::check_store;
pub use create_only::CreateOnly;
pub use fault_plan::{Fault, FaultPlan};
pub use faulty_writer::{FaultCounts, FaultyWriter};
pub use records::{check_kept, check_records};
