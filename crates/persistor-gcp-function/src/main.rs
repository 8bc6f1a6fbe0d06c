//! The function as a program, configured by its environment alone.

use std::process::ExitCode;

use persistor_gcp_function::{Settings, run};
use persistor_serve::{Environment, table_text};

const USAGE: &str = "\
Stores every message that a Pub/Sub push subscription sends, byte for byte, and only then acknowledges it.

Usage: persistor-gcp-function

Push to http://HOST:PORT/STREAM; GET /health/live and /health/ready report its health.
It has no flags. Settings are environment variables:
";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.iter().map(|argument| argument.to_str()).collect::<Vec<_>>()[..] {
        [] => {}
        [Some("--help" | "-h")] => {
            println!("{USAGE}\n{}", table_text());
            return ExitCode::SUCCESS;
        }
        [Some("--version" | "-V")] => {
            println!("persistor-gcp-function {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("persistor-gcp-function takes no arguments but --help and --version; settings are environment variables");
            return ExitCode::from(2);
        }
    }
    let environment = Environment::new(std::env::vars_os());
    let (settings, warnings) = match Settings::resolve(&environment) {
        Ok(resolved) => resolved,
        Err(faults) => {
            eprintln!("{faults}");
            return ExitCode::from(2);
        }
    };
    match run(settings, &warnings, |_| {}) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("persistor-gcp-function: {error:#}");
            ExitCode::FAILURE
        }
    }
}
