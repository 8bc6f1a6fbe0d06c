//! Where messages are sent to.

mod http;
mod lines;
