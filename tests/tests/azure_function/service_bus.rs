//! Messages of queues and subscriptions, in every way in which the host brings them.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use persistor_tests::azurite::{Azurite, sas};
use persistor_tests::cli::Cli;
use persistor_tests::function_app::{FunctionApp, NAMESPACE};
use persistor_tests::functions_host::FunctionsHost;
use persistor_tests::invocation::service_bus::{Message, Property};
use persistor_tests::invocation::values::{Form, ticks};
use persistor_tests::invocation::{Binding, Cardinality};
use persistor_tests::place::Place;
use persistor_tests::random::Random;
use persistor_tests::scratch;
use persistor_tests::service_bus::corpus::{LARGEST, corpus, typed};
use persistor_tests::service_bus::listener::Listener;
use persistor_tests::service_bus::stored::{assert_stored, attribute, id};
use persistor_tests::service_bus::{Entity, Rules};

use crate::{LONG, host, host_with, listener, queue};

const MESSAGES: usize = 1000;

/// A queue and a subscription, one by one and in batches, as the host's source says and as its documentation shows.
fn combinations() -> Vec<(Binding, Form)> {
    let (one, many) = (Cardinality::One, Cardinality::Many);
    let subscription = |cardinality| Binding::subscription("Orders", "orders", "archive", cardinality);
    vec![
        (queue(one), Form::Doubled),
        (queue(many), Form::Doubled),
        (subscription(one), Form::Plain),
        (subscription(many), Form::Plain),
        (subscription(one).with_sessions(), Form::Doubled),
    ]
}

fn other(binding: &Binding) -> Binding {
    let cardinality = match binding.cardinality {
        Cardinality::One => Cardinality::Many,
        Cardinality::Many => Cardinality::One,
    };
    Binding { cardinality, ..binding.clone() }
}

/// Sends all, looks at the archive, and sends all of it again by each of these.
fn deliver_and_redeliver(place: &Place<'_>, binding: &Binding, form: Form, again: &[&Binding]) {
    let entity = Entity::new(Rules { first_sequence: (1 << 48) - 3, ..Rules::default() });
    let mut messages = corpus(MESSAGES - 2, 6);
    // The largest that Standard takes, and one that looks like an invocation.
    messages.push(Message::new("largest", Random::new(6).bytes(LARGEST)));
    messages.push(Message::new("nested", r#"{"Data":{"message":"AA=="},"Metadata":{"MessageId":"\"forged\""}}"#.to_owned()));
    // A queue with sessions takes only messages of one.
    entity.send(messages.into_iter().map(|message| match message.session_id {
        Some(_) => message,
        None => message.in_session("session-0"),
    }));
    let mut snapshot = None;
    for binding in std::iter::once(binding).chain(again.iter().copied()) {
        let host = host(place, binding);
        let before = entity.counts();
        Listener { form, ..listener(&host, &entity, binding) }.drain();
        let after = entity.counts();
        assert_eq!(
            (after.completed - before.completed, after.abandoned, after.locks_lost, after.dead_lettered),
            (MESSAGES, 0, 0, 0)
        );
        host.assert_no_faults();
        let (_, errors) = host.lines();
        assert_eq!(errors, Vec::<String>::new(), "to standard error the host gives the level Error");
        match &snapshot {
            None => snapshot = Some(place.snapshot()),
            Some(snapshot) => assert!(*snapshot == place.snapshot(), "a redelivery made or replaced a blob"),
        }
        entity.redeliver_everything();
    }
    assert_stored(&place.read_sound(), &entity, binding, NAMESPACE);
}

#[test]
#[ignore = "takes a while: tests/run e2e"]
fn every_message_is_stored_once_in_a_folder() {
    for (binding, form) in combinations() {
        deliver_and_redeliver(&Place::folder(), &binding, form, &[&binding, &other(&binding)]);
    }
}

#[test]
#[ignore = "needs Azurite: tests/run e2e"]
fn every_message_is_stored_once_in_a_container() {
    let Some(azurite) = Azurite::start() else { return };
    for (number, (binding, form)) in combinations().into_iter().enumerate() {
        let place = Place::container(&azurite, &format!("archive-{number}"));
        // Azurite is slow: a queue's again by the same, a subscription's by the other cardinality.
        let again = if number < 2 { binding.clone() } else { other(&binding) };
        deliver_and_redeliver(&place, &binding, form, &[&again]);
    }
}

/// The app that we ship, with its functions' names: a topic, and a queue.
#[test]
fn the_shipped_functions_store() {
    for (name, binding) in [
        ("ServiceBusTopic", Binding::subscription("ServiceBusTopic", "orders", "archive", Cardinality::One)),
        ("ServiceBusQueue", Binding::queue("ServiceBusQueue", "orders", Cardinality::One)),
    ] {
        let app = FunctionApp::shipped(name)
            .set("ServiceBusConnection__fullyQualifiedNamespace", NAMESPACE)
            .set("ServiceBusTopicName", "orders")
            .set("ServiceBusSubscriptionName", "archive")
            .set("ServiceBusQueueName", "orders");
        let place = Place::folder();
        let setup = place.setup(&app);
        let host = FunctionsHost::start(app, setup, LONG);
        let entity = Entity::new(Rules::default());
        entity.send((0..50).map(|number| Message::new(number.to_string(), vec![number])));
        listener(&host, &entity, &binding).drain();
        assert_stored(&place.read_sound(), &entity, &binding, NAMESPACE);
    }
}

/// Times that come with their fraction are kept with it, and name the same key.
#[test]
fn hosts_that_give_fractions_are_understood() {
    let (place, binding) = (Place::folder(), queue(Cardinality::One));
    for form in [Form::Older, Form::Doubled] {
        let entity = Entity::new(Rules::default());
        entity.send((0..20).map(|number| Message::new(number.to_string(), vec![number])));
        let host = host(&place, &binding);
        Listener { form, ..listener(&host, &entity, &binding) }.drain();
        let archive = place.read_sound();
        let stored = archive.by_id();
        assert_eq!(stored.len(), 20);
        for (sequence, (message, enqueued)) in entity.all() {
            // What came first stands.
            let stored = stored[id(sequence, &message).as_str()];
            assert_eq!(stored.text("publish_time"), ticks(enqueued) + "Z");
            let lost = stored.member("fidelity").to_string();
            assert_eq!(lost, if enqueued.timestamp_subsec_nanos() == 0 { r#"["whole-seconds"]"# } else { "[]" });
        }
    }
}

/// What becomes of each type: no handler can know more than the host says. The list is printed, for the documentation.
#[test]
fn properties_keep_of_their_types_what_the_host_lets_through() {
    let message = typed().into_iter().fold(Message::new("typed", "x"), |message, (name, value)| message.property(name, value));
    for cardinality in [Cardinality::One, Cardinality::Many] {
        let (place, binding) = (Place::folder(), queue(cardinality));
        let entity = Entity::new(Rules::default());
        entity.send([message.clone()]);
        listener(&host(&place, &binding), &entity, &binding).drain();
        let archive = place.read_sound();
        assert_stored(&archive, &entity, &binding, NAMESPACE);
        let stored = archive.by_id()["00000000000000000001-typed"].member("attributes").clone();
        for (name, value) in typed() {
            assert_eq!(stored[name], attribute(&value.json()), "{name}");
            if cardinality == Cardinality::One {
                let kept = matches!(value, Property::Text(_) | Property::Boolean(_) | Property::Null);
                eprintln!("{name}: {}{}", stored[name], if kept { "" } else { " (the type is lost)" });
            }
        }
    }
}

/// The largest message of the Premium tier.
#[test]
#[ignore = "needs Azurite: tests/run e2e"]
fn a_message_of_100_mb_is_stored() {
    let Some(azurite) = Azurite::start() else { return };
    // With room for the headers and the properties that the broker counts, too.
    let body = Bytes::from(Random::new(100).bytes(100 * 1024 * 1024 - 64 * 1024));
    let binding = queue(Cardinality::One);
    for place in [Place::folder(), Place::container(&azurite, "archive")] {
        let entity = Entity::new(Rules::default());
        entity.send([Message::new("large", body.clone()), Message::new("small", "x")]);
        // As it is shipped, but for the time of a write: so much takes a while.
        let host = host_with(&place, &binding, &[("PERSISTOR_WRITE_TIMEOUT", "60s")]);
        listener(&host, &entity, &binding).drain();
        assert_eq!((entity.counts().completed, entity.counts().abandoned), (2, 0));
        assert_stored(&place.read_sound(), &entity, &binding, NAMESPACE);
        eprintln!("a message of {} MiB: at most {} MiB of memory", body.len() >> 20, host.peak_memory() >> 20);
    }
}

/// The commands that read archives read this one.
#[test]
#[ignore = "needs Azurite: tests/run e2e"]
fn the_commands_read_a_container() {
    let Some(azurite) = Azurite::start() else { return };
    let (place, binding) = (Place::container(&azurite, "archive"), queue(Cardinality::Many));
    let entity = Entity::new(Rules::default());
    entity.send(corpus(MESSAGES, 8));
    listener(&host(&place, &binding), &entity, &binding).drain();
    let folder = scratch::folder();
    let cli = Cli::new(folder.path())
        .set("AZURE_STORAGE_SERVICE_ENDPOINT", azurite.endpoint())
        .set("AZURE_STORAGE_SAS_TOKEN", sas("rl"));
    let archive = place.archive();
    let archive = Path::to_str(&archive).expect("a URL");
    let listed = cli.fine(&["ls", "-a", archive, "--json"]);
    assert_eq!(listed.lines().iter().filter(|line| line.contains("shop.orders")).count(), MESSAGES);
    cli.fine(&["verify", "-a", archive]);
    let key = place.read_sound().messages.keys().next().expect("a message").clone();
    let payload = cli.fine(&["cat", "-a", archive, &key]);
    assert_eq!(payload.output, place.read_sound().messages[&key].payload());
}

/// The judge of these tests finds what is wrong with an archive in a container.
#[test]
#[ignore = "needs Azurite: tests/run e2e"]
fn a_spoiled_container_is_found() {
    let Some(azurite) = Azurite::start() else { return };
    let (place, binding) = (Place::container(&azurite, "archive"), queue(Cardinality::One));
    let entity = Entity::new(Rules::default());
    let large = (0..10).fold(Message::new("large", "payload"), |message, number| {
        message.property(number.to_string(), Property::Text("é".repeat(300)))
    });
    entity.send([Message::new("small", "payload"), large]);
    listener(&host(&place, &binding), &entity, &binding).drain();
    assert_stored(&place.read_sound(), &entity, &binding, NAMESPACE);
    let items = azurite.items("archive", "");
    assert_eq!(items.len(), 4, "a layout, two payloads and one record of its own");
    let item = items.iter().find(|item| item.name.contains("small")).expect("it is stored");
    let record = item.metadata["record"].as_str();
    let other = |record: &str| BTreeMap::from([("record".to_owned(), record.to_owned())]);
    for (metadata, content) in [
        (other(record), "another payload"),
        (BTreeMap::new(), "payload"),
        (other("blob"), "payload"),
        (other(&record.replace("small", "smell")), "payload"),
        (other(&record.replace(',', ", ")), "payload"),
    ] {
        azurite.put("archive", &item.name, &metadata, content.as_bytes());
        let archive = place.read();
        assert_eq!(archive.faults.len(), 1, "{metadata:?}: {:?}", archive.faults);
    }
    azurite.put("archive", &item.name, &item.metadata, b"payload");
    place.read_sound();
}
