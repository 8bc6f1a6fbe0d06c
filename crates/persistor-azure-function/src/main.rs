//! The function as a program, configured by its environment and the app's files alone.

use std::process::ExitCode;

use persistor_azure_function::{AppSettings, RESTART, Settings, run};
use persistor_serve::{Environment, Function, answer_arguments};

const USAGE: &str = "\
Stores every message that the Azure Functions host delivers, byte for byte, and only then answers that it succeeded.

Usage: persistor-azure-function

A custom handler for Service Bus, Event Hubs and Event Grid triggers. The host starts it and says where to listen; which functions
there are stands in the function.json files of the app. Without the host, POST to http://127.0.0.1:8080/FUNCTION.
After SIGTERM it ends with 200, at which the host starts it again; with 2 where a setting or a function.json is wrong.
It has no flags. Settings are environment variables:
";

fn main() -> ExitCode {
    let (name, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    if let Some(answered) = answer_arguments(name, version, USAGE, Function::Azure) {
        return answered;
    }
    let (environment, app) = (Environment::new(std::env::vars_os()), AppSettings::new(std::env::vars_os()));
    let (settings, warnings) = match Settings::resolve(&environment, &app) {
        Ok(resolved) => resolved,
        Err(faults) => {
            eprintln!("{faults}");
            return ExitCode::from(2);
        }
    };
    match run(settings, &warnings, |_| {}) {
        Ok(()) => ExitCode::from(RESTART),
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
