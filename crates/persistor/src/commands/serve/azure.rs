//! `persistor serve azure`: the same handler as the function's own program, with flags, and with a first call to paste.

use std::io::IsTerminal as _;

use bytes::Bytes;
use clap::Args;
use persistor_azure_function::{AppSettings, Cardinality, Function, Listening, Settings, Trigger, run};
use persistor_core::{Location, Message, MessageId, PublishTime};

use crate::exit::Exit;
use crate::setting_flags::SettingFlags;

#[derive(Debug, Args)]
pub(crate) struct Azure {
    #[command(flatten)]
    settings: SettingFlags<true>,
}

impl Azure {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let app = AppSettings::new(std::env::vars_os());
        let (settings, warnings) = match Settings::resolve(&self.settings.environment(), &app) {
            Ok(resolved) => resolved,
            Err(faults) => {
                eprintln!("{faults}");
                return Ok(Exit::Usage);
            }
        };
        run(settings, &warnings, |listening| {
            if std::io::stderr().is_terminal()
                && let Some(text) = first_call(listening)
            {
                eprintln!("{text}");
            }
        })?;
        Ok(Exit::Restart)
    }
}

const TIME: &str = "2026-11-22T05:50:40";

/// A call that works when pasted, and where its blob will be.
fn first_call(listening: &Listening) -> Option<String> {
    let function = listening.functions.first()?;
    let (port, name) = (listening.address.port(), &function.name);
    let curl = format!("curl -i http://127.0.0.1:{port}/{name} -d '{}'", call(function));
    let (id, payload) = match function.trigger {
        Trigger::ServiceBus => ("00000000000000000001-order-4711", "hello"),
        Trigger::EventHubs => ("0-00000000000000000001", "hello"),
        Trigger::EventGrid => ("order-4711", EVENT),
    };
    let key = (|| {
        let time = PublishTime::parse(&format!("{TIME}Z"))?;
        let (entity, stream) = (function.entity.clone(), function.stream.clone());
        let message = Message::new(entity, stream, MessageId::new(id)?, time, Bytes::from_static(payload.as_bytes()));
        Ok::<_, persistor_core::Error>(listening.layout.template().render(&message))
    })();
    let place = match (&listening.archive, key) {
        (_, Err(error)) => error.to_string(),
        (Location::Folder(folder), Ok(key)) => folder.join(key.as_str()).display().to_string(),
        (archive, Ok(key)) => format!("{key} in {archive}"),
    };
    Some(format!("\nStore a first message:\n\n  {curl}\n\nIts payload will be {place}\nctrl-C ends.\n"))
}

const EVENT: &str = r#"{"id":"order-4711","eventTime":"2026-11-22T05:50:40Z","eventType":"placed","subject":"orders","data":{}}"#;

/// The body of a call as the host sends it, as short as can be.
fn call(function: &Function) -> String {
    let name = &function.binding;
    match (function.trigger, function.cardinality) {
        (Trigger::ServiceBus, Cardinality::One) => format!(
            r#"{{"Data":{{"{name}":"aGVsbG8="}},"Metadata":{{"SequenceNumber":"1","MessageId":"\"order-4711\"","EnqueuedTimeUtc":"{TIME}"}}}}"#
        ),
        (Trigger::ServiceBus, Cardinality::Many) => format!(
            r#"{{"Data":{{"{name}":"[\"aGVsbG8=\"]"}},"Metadata":{{"SequenceNumberArray":"[1]","MessageIdArray":"[\"order-4711\"]","EnqueuedTimeUtcArray":"[\"{TIME}\"]"}}}}"#
        ),
        (Trigger::EventHubs, Cardinality::One) => format!(
            r#"{{"Data":{{"{name}":"aGVsbG8="}},"Metadata":{{"SequenceNumber":"1","EnqueuedTimeUtc":"{TIME}","PartitionContext":{{"PartitionId":"0"}}}}}}"#
        ),
        (Trigger::EventHubs, Cardinality::Many) => format!(
            r#"{{"Data":{{"{name}":"[\"aGVsbG8=\"]"}},"Metadata":{{"SequenceNumberArray":"[1]","EnqueuedTimeUtcArray":"[\"{TIME}\"]","PartitionContext":{{"PartitionId":"0"}}}}}}"#
        ),
        (Trigger::EventGrid, Cardinality::One) => format!(r#"{{"Data":{{"{name}":{EVENT}}},"Metadata":{{}}}}"#),
        (Trigger::EventGrid, Cardinality::Many) => format!(r#"{{"Data":{{"{name}":[{EVENT}]}},"Metadata":{{}}}}"#),
    }
}
