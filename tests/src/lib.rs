//! The harness of the tests that need more than one crate: it builds Persistor's programs, runs them like anyone else's, and
//! looks at them from outside: at replies, at logs, at exit codes and at the bytes in the archive.
//!
//! Nothing here uses Persistor's own code. What reads an archive ([`archive`]) was written from `FORMAT.md`, so a mistake in the
//! writer is not made again by the judge.
//!
//! Tests that need a part which a machine may lack (the Pub/Sub emulator, `strace`, root), or minutes, are `#[ignore]`d with the reason, so that
//! plain `cargo test --workspace` is hermetic; `tests/run` runs them all. There, a part that is missing skips its tests and says so,
//! and fails them where `CI=true` ([`tools`]).

pub mod archive;
pub mod artemis;
pub mod azurite;
pub mod blob_double;
pub mod bulk;
pub mod call_proxy;
pub mod canonical;
pub mod cli;
pub mod corpus;
pub mod emulator;
pub mod event_grid;
pub mod event_hubs;
pub mod expected;
pub mod fake_storage;
pub mod function_app;
pub mod functions_host;
pub mod http;
pub mod invocation;
pub mod key_server;
pub mod logs;
pub mod mounts;
pub mod naming;
pub mod package;
pub mod place;
pub mod ports;
pub mod program;
pub mod programs;
pub mod proxy;
pub mod published;
pub mod pubsub;
pub mod push;
pub mod pusher;
pub mod random;
pub mod scratch;
pub mod service_bus;
pub mod service_bus_double;
pub mod soak;
pub mod storage_double;
pub mod store_gate;
pub mod terraform;
pub mod tokens;
pub mod tools;
pub mod trace;
pub mod waiting;
pub mod witness;
mod xml;
