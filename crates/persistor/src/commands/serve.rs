//! `persistor serve`: a file a source of messages.

mod azure;
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
    /// Receive what the Azure Functions host delivers of Service Bus, Event Hubs and Event Grid: POST to /FUNCTION
    Azure(azure::Azure),
}

impl Serve {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        match self.source {
            Source::Gcp(gcp) => gcp.run(),
            Source::Azure(azure) => azure.run(),
        }
    }
}
