//! The contracts of [`Writer`](crate::Writer) and [`Reader`](crate::Reader) in executable form, for the tests of every store.

mod conformance;

pub use conformance::check_store;
