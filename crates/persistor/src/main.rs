//! The program: arguments in, exit code out. What a command does is in its file below `commands`.

mod address;
mod again;
mod chosen;
mod commands;
mod exit;
mod look;
mod place;
mod plan_text;
mod prices;
mod screen;
mod sending;
mod setting_flags;
mod sinks;
mod streams_hint;
mod variable;

use std::io::ErrorKind;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::exit::{Exit, Usage};

/// The fail-safe of a message pipeline: stores every message, byte for byte, in a blob keyed by date and message id, and only then
/// acknowledges it.
#[derive(Debug, Parser)]
#[command(name = "persistor", version, after_help = exit::HELP, max_term_width = 120)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See the whole idea work, without a cloud: a thousand messages through the real handler into a folder
    Try(commands::r#try::Try),
    /// Receive messages and store them
    Serve(commands::serve::Serve),
    /// What is in an archive: streams, where they come from, their first and last message
    Streams(commands::streams::Streams),
    /// Whether messages are being archived now
    Status(commands::status::Status),
    /// List messages
    Ls(commands::ls::Ls),
    /// Show all that is known of a message
    Show(commands::show::Show),
    /// Write payloads, byte for byte
    Cat(commands::cat::Cat),
    /// Find messages by what is in them
    Grep(commands::grep::Grep),
    /// See how many messages there were when, and where there were none
    Timeline(commands::timeline::Timeline),
    /// Check that the archive is whole
    Verify(commands::verify::Verify),
    /// Find which messages never arrived downstream
    Diff(commands::diff::Diff),
    /// Send messages again: to a topic, a queue, an address, or as lines
    Replay(commands::replay::Replay),
    /// Send what lines of JSON say: those of `replay --to -`, changed
    Send(commands::send::Send),
    /// Copy messages into another archive, as they are
    Copy(commands::copy::Copy),
    /// Make a shell complete these commands
    Completions(commands::completions::Completions),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Try(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Streams(command) => reading(command.run()),
        Command::Status(command) => reading(command.run()),
        Command::Ls(command) => reading(command.run()),
        Command::Show(command) => reading(command.run()),
        Command::Cat(command) => reading(command.run()),
        Command::Grep(command) => reading(command.run()),
        Command::Timeline(command) => reading(command.run()),
        Command::Verify(command) => reading(command.run()),
        Command::Diff(command) => reading(command.run()),
        Command::Replay(command) => reading(command.run()),
        Command::Send(command) => reading(command.run()),
        Command::Copy(command) => reading(command.run()),
        Command::Completions(command) => command.run::<Arguments>(),
    };
    match result {
        Ok(exit) => exit.into(),
        // Whoever read the output has enough of it, as `head` does.
        Err(error) if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe) => {
            Exit::Fine.into()
        }
        Err(error) => {
            eprintln!("persistor: {error:#}");
            if error.is::<Usage>() { Exit::Usage.into() } else { Exit::Failed.into() }
        }
    }
}

fn reading(command: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    let result = runtime.block_on(command);
    // What was asked for and is not needed any more is not waited for.
    runtime.shutdown_background();
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
