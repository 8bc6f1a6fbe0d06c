//! Payloads, attributes and secrets are in no log, no reply, no error and no file where nobody asked for them: every program with unique markers in all of them
//! ([`markers`]), through every success and failure ([`functions`], [`commands`]), and with secrets where they do not belong ([`settings`]), at the finest
//! level; and whatever is said is searched for each marker in each way of writing it.

#[path = "secrets/commands.rs"]
mod commands;
#[path = "secrets/functions.rs"]
mod functions;
#[path = "secrets/markers.rs"]
mod markers;
#[path = "secrets/quoting.rs"]
mod quoting;
#[path = "secrets/settings.rs"]
mod settings;

use markers::Said;

fn assert_nothing_is_told(what: &str, said: &[Said]) {
    let (bytes, runs) = (said.iter().map(|said| said.text.len()).sum::<usize>(), said.len());
    assert!(runs > 2 && bytes > 1000, "{what}: nothing was said at all");
    let leaks: Vec<_> = said.iter().flat_map(Said::leaks).collect();
    assert!(leaks.is_empty(), "{what}: {} leaks:\n{}", leaks.len(), leaks.join("\n"));
    eprintln!("{what}: {runs} texts, {bytes} bytes");
}

#[test]
#[ignore = "needs some time: tests/run e2e"]
fn the_push_handler_tells_nothing() {
    assert_nothing_is_told("the push handler", &functions::gcp());
}

#[test]
#[ignore = "needs root, to give a name of Google's another address: tests/run e2e"]
fn the_push_handler_does_not_tell_its_identity() {
    let Some(said) = functions::gcp_identity() else { return };
    assert_nothing_is_told("the push handler with an identity", &said);
}

#[test]
#[ignore = "needs some time: tests/run e2e"]
fn the_custom_handler_tells_nothing() {
    assert_nothing_is_told("the custom handler", &functions::azure());
}

#[test]
#[ignore = "needs some time: tests/run e2e"]
fn commands_tell_what_they_are_asked_for_and_no_more() {
    assert_nothing_is_told("commands", &commands::said());
}

#[test]
#[ignore = "needs some time: tests/run e2e"]
fn secrets_that_were_pasted_into_settings_are_not_repeated() {
    assert_nothing_is_told("settings", &settings::said());
}
