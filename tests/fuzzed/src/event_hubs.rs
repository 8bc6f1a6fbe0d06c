//! A call with events of Event Hubs.

use persistor_azure_function::Trigger;

use crate::invocation::{assert_kept, make};

/// What is acknowledged is stored: each event, or, where one of them cannot be read, those that can and the whole call as it came.
pub fn event_hubs(data: &[u8]) {
    let Some(made) = make(Trigger::EventHubs, data) else { return };
    let id = |properties: &serde_json::Value, number: u64| {
        format!("{}-{number:020}", properties["partition"].as_str().expect("a partition"))
    };
    match &made.contents.rejected[..] {
        [] => assert_kept(&made, id, made.answer.status == 200),
        [call] => {
            assert_eq!(call, made.body, "a call is kept as it came");
            assert_kept(&made, id, false);
        }
        calls => panic!("one call was kept {} times", calls.len()),
    }
    if made.answer.status != 200 {
        made.contents.assert_no_messages();
    }
}
