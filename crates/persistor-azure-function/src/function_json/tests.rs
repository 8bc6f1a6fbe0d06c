//! What a `function.json` comes to, and what is said of one that is wrong.

use super::*;

fn settings() -> AppSettings {
    let variables = [
        ("Bus__fullyQualifiedNamespace", "ns.servicebus.windows.net"),
        ("TopicName", "orders"),
        ("WEBSITE_SITE_NAME", "my-app"),
        ("AzureWebJobs.Off.Disabled", "1"),
        ("SWITCH", "true"),
    ];
    AppSettings::new(variables.map(|(name, value)| (name.into(), value.into())))
}

fn read(name: &str, text: &str) -> Result<Option<Function>, Vec<String>> {
    super::read(name, text, &settings()).map(|read| match read {
        Read::Enabled(function) => Some(function),
        Read::Disabled => None,
    })
}

fn binding(members: &str) -> String {
    format!(r#"{{"bindings":[{{"name":"m","direction":"in",{members}}}]}}"#)
}

const RETRY: &str = r#""retry":{"strategy":"fixedDelay","maxRetryCount":-1,"delayInterval":"00:00:05"}"#;

#[test]
fn each_trigger_has_its_entity_and_stream() {
    let hub =
        binding(r#""type":"eventHubTrigger","eventHubName":"hub","connection":"Bus","dataType":"binary","cardinality":"many""#);
    let hub = hub.replacen('{', &format!("{{{RETRY},"), 1);
    for (text, trigger, cardinality, entity, stream) in [
        (
            binding(
                r#""type":"serviceBusTrigger","topicName":"%TopicName%","subscriptionName":"s","connection":"Bus","dataType":"binary""#,
            ),
            Trigger::ServiceBus,
            Cardinality::One,
            "ns.servicebus.windows.net/orders/Subscriptions/s",
            "ns.orders.s",
        ),
        (
            binding(
                r#""TYPE":"ServiceBusTrigger","queueName":"a/b","connection":"Bus","datatype":"Binary","cardinality":"Many","isSessionsEnabled":true"#,
            ),
            Trigger::ServiceBus,
            Cardinality::Many,
            "ns.servicebus.windows.net/a/b",
            "ns.a/b",
        ),
        (hub, Trigger::EventHubs, Cardinality::Many, "ns.servicebus.windows.net/hub", "ns.hub"),
        (binding(r#""type":"eventGridTrigger""#), Trigger::EventGrid, Cardinality::One, "my-app/F", "my-app.F"),
    ] {
        let function = read("F", &text).expect(&text).expect("enabled");
        assert_eq!((function.trigger, function.cardinality), (trigger, cardinality), "{text}");
        assert_eq!(
            (function.entity.as_str(), function.stream.as_str(), function.binding.as_str()),
            (entity, stream, "m"),
            "{text}"
        );
    }
}

#[test]
fn what_is_disabled_may_have_anything_unresolved() {
    let text = binding(r#""type":"serviceBusTrigger","topicName":"%Unset%""#);
    assert_eq!(read("Off", &text), Ok(None));
    for disabled in ["true", r#""SWITCH""#, r#""%SWITCH%""#] {
        assert_eq!(read("F", &text.replacen('{', &format!("{{\"disabled\":{disabled},"), 1)), Ok(None));
    }
    assert!(read("F", &text.replacen('{', "{\"disabled\":false,", 1)).is_err());
}

#[test]
fn each_fault_says_what_mends_it() {
    let bus = r#""type":"serviceBusTrigger","queueName":"q","connection":"Bus""#;
    let hub = r#""type":"eventHubTrigger","eventHubName":"hub","connection":"Bus","dataType":"binary""#;
    for (text, helps) in [
        ("[]".to_owned(), "no JSON object, at line 1"),
        ("{}".to_owned(), "0 triggers"),
        (binding(r#""type":"httpTrigger""#), "AzureWebJobs.F.Disabled=1"),
        (binding(bus), r#"`"dataType": "binary"`"#),
        (binding(&format!(r#"{bus},"dataType":"string""#)), r#"`"dataType": "binary"`"#),
        (binding(&format!(r#"{bus},"dataType":"stream""#)), r#"`"dataType": "binary"`"#),
        (binding(&format!(r#"{bus},"dataType":"binary","cardinality":"few""#)), "neither `one` nor `many`"),
        (binding(&format!(r#"{bus},"dataType":"binary","topicName":"t""#)), "`queueName`"),
        (binding(r#""type":"serviceBusTrigger","dataType":"binary","connection":"Bus""#), "`topicName`"),
        (binding(r#""type":"serviceBusTrigger","dataType":"binary","topicName":"t","connection":"Bus""#), "`subscriptionName`"),
        (binding(r#""type":"serviceBusTrigger","dataType":"binary","queueName":"%Unset%","connection":"Bus""#), "`Unset`"),
        (
            binding(r#""type":"serviceBusTrigger","dataType":"binary","queueName":"q","connection":"Other""#),
            "`Other__fullyQualifiedNamespace`",
        ),
        (binding(hub), r#""maxRetryCount": -1"#),
        (binding(hub).replacen('{', &format!("{{{},", RETRY.replace("-1", "5")), 1), r#""maxRetryCount": -1"#),
        (binding(r#""type":"eventGridTrigger","dataType":"binary""#), "leave `dataType` away"),
    ] {
        let faults = read("F", &text).expect_err(&text);
        assert!(faults.iter().any(|fault| fault.contains(helps)), "{text}: {faults:?}");
    }
    let key = "Endpoint=sb://ns/;SharedAccessKey=TOPSECRET=";
    let settings = AppSettings::new([("Pasted".into(), key.into())]);
    // In the place of a namespace, and of a queue.
    for (name, queue) in [("Bus__fullyQualifiedNamespace", "q"), ("Name", "%Name%")] {
        let namespace = ("Bus__fullyQualifiedNamespace", "ns.servicebus.windows.net");
        let settings = AppSettings::new([namespace, (name, key)].map(|(name, value)| (name.into(), value.into())));
        let text =
            binding(&format!(r#""type":"serviceBusTrigger","dataType":"binary","queueName":"{queue}","connection":"Bus""#));
        let faults = super::read("F", &text, &settings).err().expect("it is no name");
        assert!(faults[0].contains("not shown here") && !faults[0].contains("TOPSECRET"), "{faults:?}");
    }
    for connection in ["%Pasted%", key] {
        let text =
            binding(&format!(r#""type":"serviceBusTrigger","dataType":"binary","queueName":"q","connection":"{connection}""#));
        let faults = super::read("F", &text, &settings).err().expect("no name of a setting");
        assert!(faults[0].contains("connection string itself") && !faults[0].contains("TOPSECRET"), "{faults:?}");
    }
    let hub = hub.replace("\"hub\"", "\"hub\",\"consumerGroup\":\"%Unset%\"");
    let faults = read("F", &binding(&hub).replacen('{', &format!("{{{RETRY},"), 1)).expect_err("no such setting");
    assert!(faults[0].contains("`Unset`"), "{faults:?}");
    // All of them at once.
    let faults = read("F", &binding(r#""type":"eventHubTrigger","eventHubName":"%A%","connection":"B""#)).expect_err("four");
    assert_eq!(faults.len(), 4, "{faults:?}");
}
