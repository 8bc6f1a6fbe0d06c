//! The Azure function, a custom handler of the Functions host: a call becomes messages, the messages outcomes, the outcomes one reply.
//!
//! [`run`] is the whole program behind [`Settings`]; [`App`] is the handler alone, for tests and for embedding. Storing is
//! `persistor-core`'s, listening `persistor-serve`'s.
#![warn(missing_docs, clippy::print_stdout, clippy::print_stderr)]

mod app;
mod app_settings;
mod archive;
mod described;
mod envelope;
mod event_grid;
mod event_hubs;
mod function;
mod function_json;
mod functions;
mod invocation;
mod json_value;
mod reply;
mod run;
mod service_bus;
mod settings;
mod store;
mod table;
mod unescape;

pub use app::App;
pub use app_settings::AppSettings;
pub use function::{Cardinality, Function, Trigger};
pub use run::{Listening, RESTART, run};
pub use settings::Settings;
