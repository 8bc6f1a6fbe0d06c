//! What the host says of Event Hubs' events.
//!
//! Source: the binding's `EventHubTriggerBindingStrategy`.

use persistor_core::{Property, sha256_hex};
use persistor_serve::Fault;

use crate::described::Described;
use crate::envelope::Envelope;
use crate::function::Cardinality;
use crate::json_value::{Object, inner, raw_text, string};
use crate::table::{Table, fidelity, sequence, time};

/// Texts among the broker's own properties that are kept as they are, under AMQP's names.
const PROPERTIES: [(&str, Property); 6] = [
    ("message-id", Property::MessageId),
    ("content-type", Property::ContentType),
    ("correlation-id", Property::CorrelationId),
    ("subject", Property::Subject),
    ("to", Property::To),
    ("reply-to", Property::ReplyTo),
];

/// Describes the events of a call, each for itself.
///
/// # Errors
/// What is wrong with the call as a whole.
pub(crate) fn describe(
    metadata: &Object<'_>,
    cardinality: Cardinality,
    rows: usize,
) -> Result<Vec<Result<Described, Fault>>, Fault> {
    let table = Table::new(metadata, cardinality, "SequenceNumber");
    let partition = partition(metadata)?;
    let numbers = table.column("SequenceNumber", rows)?;
    let times = table.column("EnqueuedTimeUtc", rows)?;
    let partition_keys = table.column("PartitionKey", rows)?;
    let attributes = table.column("Properties", rows)?;
    let system = table.column("SystemProperties", rows)?;
    let row = |row: usize| {
        let number = numbers.required(row, "SequenceNumber")?;
        let id = format!("{partition}-{:020}", sequence(&number)?);
        let described = || {
            let publish_time = time(&times.required(row, "EnqueuedTimeUtc")?)?;
            let mut kept = vec![(Property::Sequence, number.clone()), (Property::Partition, partition.clone())];
            kept.extend(partition_keys.text(row)?.map(|text| (Property::PartitionKey, text)));
            // Nothing is refused for what is only of use.
            let system = Object::parse(raw_text(system.json(row))).unwrap_or_default();
            for (name, property) in PROPERTIES {
                let text = system.get(name).filter(|value| value.starts_with('"')).and_then(|value| string(value).ok());
                kept.extend(text.map(|text| (property, text)));
            }
            Ok(Described {
                id: id.clone(),
                fidelity: fidelity(cardinality, &publish_time),
                publish_time,
                attributes: attributes.attributes(row, "Properties")?,
                properties: kept,
            })
        };
        described().map_err(|fault: Fault| fault.of_message(&id))
    };
    Ok((0..rows).map(row).collect())
}

/// The name under which a call is kept that holds an event which cannot be read. Equal events of two partitions, or at two places of one, are
/// two, so the data alone is not enough.
pub(crate) fn name_of_call(envelope: &Envelope<'_>) -> String {
    let number = ["SequenceNumber", "SequenceNumberArray"].iter().find_map(|name| envelope.metadata.get(name));
    let place = format!("{}\n{}", partition(&envelope.metadata).unwrap_or_default(), number.unwrap_or_default());
    format!("{}-{}.json", sha256_hex(envelope.data.as_bytes()), &sha256_hex(place.as_bytes())[..16])
}

/// The partition, without which a number is no identity.
fn partition(metadata: &Object<'_>) -> Result<String, Fault> {
    let id = |name: &str| {
        let context = inner(metadata.get(name)?).ok()?;
        let context = Object::parse(&context).ok()?;
        let raw = context.get("PartitionId")?;
        if raw.starts_with('"') { string(raw).ok() } else { Some(raw.to_owned()) }
    };
    let partition = id("PartitionContext").or_else(|| id("TriggerPartitionContext")).filter(|id| !id.is_empty());
    partition
        .ok_or_else(|| Fault::malformed("missing-metadata", "the call does not say `PartitionContext` with its `PartitionId`"))
}
