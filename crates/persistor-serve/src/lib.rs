//! What every Persistor function shares to be a program on a platform: settings, a listener, limits on
//! body size and memory, health, drain on SIGTERM, and logs.
//!
//! This crate knows neither messages nor clouds. A function hands it a router and gets back a server that
//! keeps its promises under load:
//!
//! * the bytes of all requests in flight stay within one [`Budget`], decoded copies included;
//! * a connection may be idle for minutes, but a request's head must arrive in seconds;
//! * on a shutdown signal nothing new is accepted and what is in flight is finished;
//! * a panic becomes a reply, and neither payloads nor panic texts reach the log.
//!
//! A program uses the pieces in this order: [`Environment`] → [`Resolver`] → [`ServeSettings`] → [`Program`], with [`catch_panics`] and
//! [`health_routes`] around its own router and an [`Intake`] inside its handler.
#![warn(missing_docs, clippy::print_stdout, clippy::print_stderr)]

mod base64_text;
mod budget;
mod buffer;
mod connection;
mod credential;
mod environment;
mod fault;
mod health;
mod housekeeping;
mod intake;
mod limited_stream;
mod listener;
mod log;
mod loopback;
mod pace;
mod panics;
mod parse;
mod phase;
mod places;
mod program;
mod refusal;
mod requests;
mod resolve;
mod serve_settings;
mod setting;
mod signal;

pub use base64_text::decode as decode_base64;
pub use budget::{Budget, Full, Reservation, SPARE};
pub use buffer::{Buffer, NoMemory, owned_bytes};
pub use credential::holds_credential;
pub use environment::Environment;
pub use fault::Fault;
pub use health::{Ready, routes as health_routes};
pub use housekeeping::keep_house;
pub use intake::{Decoded, Held, Intake, Refused};
pub use listener::serve;
pub use log::{causes, init as init_log};
pub use loopback::is_loopback;
pub use panics::{PanicReply, catch_panics, install_hook as install_panic_hook};
pub use parse::{duration, one_of, size, span};
pub use program::{Program, answer_arguments};
pub use refusal::Refusal;
pub use requests::Drained;
pub use resolve::{Faults, Resolver};
pub use serve_settings::ServeSettings;
pub use setting::{Function, SETTINGS, Setting, find as find_setting, of as settings_of, table_markdown, table_text};
pub use signal::shutdown_signal;
