//! What the host says of Service Bus messages.
//!
//! Source: the binding's `ServiceBusTriggerBindingStrategy`. Left out: what belongs to one delivery; `ExpiresAt` and `DeadLetterSource`, which are no
//! message's own; and `TransactionPartitionKey`, which in batches holds other keys.

use persistor_core::Property;
use persistor_serve::Fault;

use crate::described::Described;
use crate::function::Cardinality;
use crate::json_value::Object;
use crate::table::{Table, fidelity, sequence, time};

/// Texts that are kept as they are.
const PROPERTIES: [(&str, Property); 9] = [
    ("MessageId", Property::MessageId),
    ("SessionId", Property::SessionId),
    ("PartitionKey", Property::PartitionKey),
    ("ContentType", Property::ContentType),
    ("CorrelationId", Property::CorrelationId),
    ("Subject", Property::Subject),
    ("To", Property::To),
    ("ReplyTo", Property::ReplyTo),
    ("ReplyToSessionId", Property::ReplyToSessionId),
];

/// Describes the messages of a call, each for itself.
///
/// # Errors
/// What is wrong with the call as a whole.
pub(crate) fn describe(
    metadata: &Object<'_>,
    cardinality: Cardinality,
    rows: usize,
) -> Result<Vec<Result<Described, Fault>>, Fault> {
    let table = Table::new(metadata, cardinality, "SequenceNumber");
    let numbers = table.column("SequenceNumber", rows)?;
    let times = [table.column("EnqueuedTime", rows)?, table.column("EnqueuedTimeUtc", rows)?];
    let attributes = [table.column("ApplicationProperties", rows)?, table.column("UserProperties", rows)?];
    let message_ids = table.column("MessageId", rows)?;
    let mut properties = Vec::new();
    for (name, property) in PROPERTIES {
        properties.push((property, table.column(name, rows)?));
    }
    let row = |row: usize| {
        let number = numbers.required(row, "SequenceNumber")?;
        let message_id = message_ids.text(row)?.unwrap_or_default();
        let id = format!("{:020}-{message_id}", sequence(&number)?);
        let described = || {
            let publish_time = time(&match times[0].text(row)? {
                Some(zoned) => zoned,
                None => times[1].required(row, "EnqueuedTimeUtc")?,
            })?;
            let [named, older] = &attributes;
            let attributes = if named.json(row).is_some() { named } else { older };
            let mut kept = vec![(Property::Sequence, number.clone())];
            for (property, column) in &properties {
                kept.extend(column.text(row)?.map(|text| (*property, text)));
            }
            Ok(Described {
                id: id.clone(),
                fidelity: fidelity(cardinality, &publish_time),
                publish_time,
                attributes: attributes.attributes(row, "ApplicationProperties")?,
                properties: kept,
            })
        };
        described().map_err(|fault: Fault| fault.of_message(&id))
    };
    Ok((0..rows).map(row).collect())
}
