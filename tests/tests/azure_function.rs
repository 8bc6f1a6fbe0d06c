//! The whole path on Azure: a double of the Functions host → the built program → Azurite, or a folder. Messages of Service Bus ([`service_bus`]), events of Event Hubs and
//! Event Grid ([`events`]), what a hostile sender can do ([`hostile`]), and bad days ([`faults`]), an hour of them too ([`outage`]).
//!
//! The host's double is derived from its source, so all of this shows what would happen if the real host did as its source says.

#[path = "azure_function/events.rs"]
mod events;
#[path = "azure_function/faults.rs"]
mod faults;
#[path = "azure_function/hostile.rs"]
mod hostile;
#[path = "azure_function/outage.rs"]
mod outage;
#[path = "azure_function/service_bus.rs"]
mod service_bus;

use std::time::Duration;

use persistor_tests::function_app::{FunctionApp, NAMESPACE};
use persistor_tests::functions_host::FunctionsHost;
use persistor_tests::invocation::values::Form;
use persistor_tests::invocation::{Binding, Cardinality};
use persistor_tests::place::Place;
use persistor_tests::service_bus::Entity;
use persistor_tests::service_bus::listener::{Listener, Options};

/// The limit of a function that is not to meet it.
const LONG: Duration = Duration::from_secs(100);

/// A host with the program for one function, storing there.
fn host(place: &Place<'_>, binding: &Binding) -> FunctionsHost {
    host_with(place, binding, &[])
}

/// The same with settings.
fn host_with(place: &Place<'_>, binding: &Binding, settings: &[(&str, &str)]) -> FunctionsHost {
    let app = FunctionApp::with(std::slice::from_ref(binding));
    let setup = settings.iter().fold(place.setup(&app), |setup, (name, value)| setup.set(name, *value));
    FunctionsHost::start(app, setup, LONG)
}

fn listener<'a>(host: &'a FunctionsHost, entity: &'a Entity, binding: &Binding) -> Listener<'a> {
    let (binding, options) = (binding.clone(), Options::default());
    Listener { host, entity, binding, namespace: NAMESPACE, form: Form::Doubled, options }
}

fn queue(cardinality: Cardinality) -> Binding {
    Binding::queue("Orders", "orders", cardinality)
}
