//! `persistor serve`: a file a source of messages.

mod gcp;

use clap::{Args, Subcommand};

use crate::exit::Exit;

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(subcommand)]
    source: Source,
}

#[derive(Debug, Subcommand)]
enum Source {
    /// Receive a Pub/Sub push subscription's messages: POST to /STREAM
    Gcp(gcp::Gcp),
}

impl Serve {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        match self.source {
            Source::Gcp(gcp) => gcp.run(),
        }
    }
}
