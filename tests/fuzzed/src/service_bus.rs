//! A call with messages of Service Bus.

use persistor_azure_function::Trigger;

use crate::invocation::{assert_kept, make};

/// What is acknowledged is stored, each message's payload under its own number and id; what cannot be read is refused, and nothing else is stored.
pub fn service_bus(data: &[u8]) {
    let Some(made) = make(Trigger::ServiceBus, data) else { return };
    assert!(made.contents.rejected.is_empty(), "Service Bus has dead letters for that");
    let id = |properties: &serde_json::Value, number: u64| {
        format!("{number:020}-{}", properties["message_id"].as_str().unwrap_or_default())
    };
    assert_kept(&made, id, made.answer.status == 200);
}
