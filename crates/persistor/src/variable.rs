//! What an environment variable says, beside those that are settings of functions: read once, and refused by its name.

use persistor_core::Result;
use persistor_serve::holds_credential;

use crate::exit::usage;

/// Variables that are there to hold secrets: what is wrong with one is said without any part of it.
const SECRETS: [&str; 5] = [
    "AMQP_PASSWORD",
    "AMQP_USERNAME",
    "AZURE_SERVICEBUS_CONNECTION_STRING",
    "AZURE_STORAGE_SAS_TOKEN",
    "PERSISTOR_SINK_AUTHORIZATION",
];

/// The value, if the variable is set and not empty; a fault in it names it. In any other than [`SECRETS`] a credential is a fault, and not repeated.
pub(crate) fn variable<T>(name: &str, parse: impl FnOnce(&str) -> Result<T>) -> anyhow::Result<Option<T>> {
    let Some(text) = std::env::var(name).ok().filter(|text| !text.is_empty()) else { return Ok(None) };
    if !SECRETS.contains(&name) && holds_credential(&text) {
        usage!("{name}: its value (not shown here) looks like a credential, or an address with one in it, and none belongs here");
    }
    match parse(&text) {
        Ok(value) => Ok(Some(value)),
        Err(error) => usage!("{name}: {error}"),
    }
}
