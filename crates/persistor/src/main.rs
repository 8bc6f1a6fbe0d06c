//! The program: arguments in, exit code out. What a command does is in its file below `commands`.

mod commands;
mod exit;
mod setting_flags;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::exit::Exit;

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
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Try(command) => command.run(),
        Command::Serve(command) => command.run(),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("persistor: {error:#}");
            Exit::Failed.into()
        }
    }
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
