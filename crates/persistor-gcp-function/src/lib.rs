//! The Google Cloud function: a Pub/Sub push request becomes a message, the message an outcome, the outcome a status.
//!
//! [`run`] is the whole program behind [`Settings`]; [`App`] is the handler alone, for tests and for embedding. Storing is
//! `persistor-core`'s, listening `persistor-serve`'s.
#![warn(missing_docs, clippy::print_stdout, clippy::print_stderr)]

mod app;
mod archive;
mod envelope;
#[cfg(feature = "oidc")]
mod oidc;
mod oidc_settings;
mod path;
mod pushed;
mod reply;
mod run;
mod settings;
mod streams;
mod unwrapped;

pub use app::App;
#[cfg(feature = "oidc")]
pub use oidc::Verifier;
pub use oidc_settings::OidcSettings;
pub use run::{Listening, run};
pub use settings::{Push, Settings};
