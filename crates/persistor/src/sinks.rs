//! Where messages are sent to, as `--to` says it: the one place that opens every sink.

use std::sync::Arc;

use clap::ValueEnum;
use persistor_recover::Sink;

use crate::exit::usage;

/// `--to` for lines on standard output.
pub(crate) const LINES: &str = "-";

/// What an address of HTTP gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    Raw,
    PubsubPush,
}

/// Opens a sink. Nothing is sent, and nothing asked.
pub(crate) async fn open(to: &str, form: Option<Form>, at_once: u16) -> anyhow::Result<Arc<dyn Sink>> {
    let _ = (form, at_once);
    usage!("--to {to}: no sink")
}

/// A sink's address without what may give access to it.
pub(crate) fn shown(to: &str) -> String {
    to.to_owned()
}
