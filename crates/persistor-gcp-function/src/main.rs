//! The function as a program, configured by its environment alone.

use std::process::ExitCode;

use persistor_gcp_function::{Settings, run};
use persistor_serve::{Environment, Function, answer_arguments};

const USAGE: &str = "\
Stores every message that a Pub/Sub push subscription sends, byte for byte, and only then acknowledges it.

Usage: persistor-gcp-function

Push to http://HOST:PORT/STREAM; GET /health/live and /health/ready report its health.
It has no flags. Settings are environment variables:
";

fn main() -> ExitCode {
    let (name, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    if let Some(answered) = answer_arguments(name, version, USAGE, Function::Gcp) {
        return answered;
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
