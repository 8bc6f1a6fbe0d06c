//! Which messages go in one transfer.

use std::collections::HashMap;

use fe2o3_amqp::Sendable;
use fe2o3_amqp_types::messaging::{Batch, Data, MESSAGE_FORMAT, Message, Properties};
use persistor_recover::Outgoing;
use serde_amqp::primitives::Binary;

use super::message::{Dialect, amqp, annotations, encoded, partition_key};

/// A batch's own message format, by which Service Bus knows that each section of data is a message.
const BATCH_FORMAT: u32 = 0x8001_3700;
/// The largest batch that Service Bus takes, also where it takes larger messages:
/// <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-premium-messaging>.
const LARGEST: u64 = 1024 * 1024;
/// What stands around a message in a batch: the descriptor and the head of a section of data.
const SECTION: u64 = 3 + 5;

/// One transfer.
pub(super) struct Transfer {
    /// The messages' places in the call.
    pub(super) places: Vec<usize>,
    pub(super) content: Content,
}

pub(super) enum Content {
    One(Sendable<Data>),
    Many(Sendable<Batch<Data>>),
}

/// A message that is too large for the link.
pub(super) struct TooLarge {
    pub(super) place: usize,
    pub(super) size: u64,
}

/// Transfers for all messages, and those that are too large for any. With `ordered`, the transfers one after the other hold the messages in their order. `limit` is the link's.
pub(super) fn transfers(messages: &[Outgoing], limit: Option<u64>, ordered: bool) -> (Vec<Transfer>, Vec<TooLarge>) {
    let most = limit.unwrap_or(u64::MAX).min(LARGEST);
    let (mut groups, mut too_large) = (Vec::<Group>::new(), Vec::new());
    let mut open = HashMap::new();
    for (place, message) in messages.iter().enumerate() {
        let bytes = encoded(&amqp(message, Dialect::ServiceBus)).unwrap_or_default();
        let size = bytes.len() as u64;
        // What cannot be written at all is as good as too large.
        if size == 0 || limit.is_some_and(|limit| size > limit) {
            too_large.push(TooLarge { place, size });
            if ordered {
                // What stands behind it is not sent with what stands before it.
                open.clear();
            }
            continue;
        }
        let key = (message.ordering_key.as_deref(), partition_key(message, Dialect::ServiceBus));
        let last = groups.len().checked_sub(1);
        let group = open.get(&key).copied().filter(|group| !ordered || Some(*group) == last);
        match group.map(|group: usize| &mut groups[group]).filter(|group| group.size + SECTION + size <= most) {
            Some(group) => group.add(place, bytes),
            None => {
                let mut group = Group { places: Vec::new(), encoded: Vec::new(), size: envelope_size(message) };
                group.add(place, bytes);
                open.insert(key, groups.len());
                groups.push(group);
            }
        }
    }
    (groups.into_iter().map(|group| group.transfer(messages)).collect(), too_large)
}

/// One transfer of one message.
pub(super) fn single(messages: &[Outgoing], place: usize, dialect: Dialect) -> Transfer {
    Transfer { places: vec![place], content: Content::One(sendable(amqp(&messages[place], dialect), MESSAGE_FORMAT)) }
}

/// Not settled when it is sent: the broker says what becomes of it.
fn sendable<B>(message: Message<B>, message_format: u32) -> Sendable<B> {
    Sendable { message, message_format, settled: Some(false) }
}

struct Group {
    places: Vec<usize>,
    encoded: Vec<Vec<u8>>,
    /// Of the whole transfer, at most.
    size: u64,
}

impl Group {
    fn add(&mut self, place: usize, bytes: Vec<u8>) {
        self.size += SECTION + bytes.len() as u64;
        self.places.push(place);
        self.encoded.push(bytes);
    }

    fn transfer(self, messages: &[Outgoing]) -> Transfer {
        if let [place] = self.places[..] {
            return single(messages, place, Dialect::ServiceBus);
        }
        let first = &messages[self.places[0]];
        let data = self.encoded.into_iter().map(|bytes| Data(Binary::from(bytes))).collect();
        Transfer { places: self.places, content: Content::Many(sendable(envelope(first, data), BATCH_FORMAT)) }
    }
}

/// What stands around a batch: of its messages' properties those that choose where they go.
fn envelope(first: &Outgoing, messages: Vec<Data>) -> Message<Batch<Data>> {
    let of_first = amqp(&Outgoing { payload: bytes::Bytes::new(), ..first.clone() }, Dialect::ServiceBus);
    let properties = of_first.properties.unwrap_or_default();
    Message {
        header: of_first.header,
        delivery_annotations: None,
        message_annotations: partition_key(first, Dialect::ServiceBus).map(annotations),
        properties: Some(Properties {
            message_id: properties.message_id,
            group_id: properties.group_id,
            ..Properties::default()
        }),
        application_properties: None,
        body: Batch::from(messages),
        footer: None,
    }
}

fn envelope_size(first: &Outgoing) -> u64 {
    encoded(&envelope(first, Vec::new())).map_or(u64::MAX / 2, |bytes| bytes.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(key: &str, bytes: usize) -> Outgoing {
        let ordering_key = Some(key.to_owned()).filter(|key| !key.is_empty());
        Outgoing { payload: vec![7; bytes].into(), ordering_key, ..Outgoing::default() }
    }

    fn size(transfer: &Transfer) -> u64 {
        let bytes = match &transfer.content {
            Content::One(sendable) => encoded(&sendable.message),
            Content::Many(sendable) => encoded(&sendable.message),
        };
        bytes.expect("encodable").len() as u64
    }

    fn places(messages: &[Outgoing], limit: Option<u64>, ordered: bool) -> Vec<Vec<usize>> {
        transfers(messages, limit, ordered).0.into_iter().map(|transfer| transfer.places).collect()
    }

    #[test]
    fn a_batch_has_one_session() {
        let messages = [message("a", 1), message("b", 1), message("a", 1), message("", 1), message("", 1)];
        assert_eq!(places(&messages, None, false), [vec![0, 2], vec![1], vec![3, 4]]);
        assert_eq!(places(&messages, None, true), [vec![0], vec![1], vec![2], vec![3, 4]]);
    }

    #[test]
    fn no_transfer_is_larger_than_the_link_takes() {
        for limit in [400, 1000, 1001, 1002, 1003, 1004, 5000, 70_000] {
            let messages: Vec<_> = (0..60).map(|at| message("a", at * 3)).collect();
            let (transfers, too_large) = transfers(&messages, Some(limit), true);
            assert!(too_large.is_empty());
            assert!(transfers.iter().all(|transfer| size(transfer) <= limit), "{limit}");
            let places: Vec<_> = transfers.iter().flat_map(|transfer| transfer.places.clone()).collect();
            assert_eq!(places, (0..60).collect::<Vec<_>>());
            assert!(transfers.len() < 60, "{limit}");
        }
    }

    #[test]
    fn what_no_transfer_can_hold_is_told_with_its_size() {
        let messages = [message("a", 10), message("a", 1000), message("a", 10)];
        assert_eq!(places(&messages, Some(1000), false), [vec![0, 2]]);
        assert_eq!(places(&messages, Some(1000), true), [vec![0], vec![2]]);
        let (_, too_large) = transfers(&messages, Some(1000), false);
        assert!(too_large.len() == 1 && too_large[0].place == 1 && too_large[0].size > 1000);
    }

    #[test]
    fn a_message_as_large_as_the_link_takes_goes_alone() {
        let alone = message("a", 1000);
        let limit = encoded(&amqp(&alone, Dialect::ServiceBus)).expect("encodable").len() as u64;
        let (sent, too_large) = transfers(&[message("a", 1), alone], Some(limit), true);
        assert!(too_large.is_empty() && sent.len() == 2);
        assert!(matches!(sent[1].content, Content::One(_)) && size(&sent[1]) == limit);
    }

    #[test]
    fn a_batch_is_no_larger_than_service_bus_takes_whatever_a_message_may_be() {
        let messages: Vec<_> = (0..3).map(|_| message("a", 500_000)).collect();
        assert_eq!(places(&messages, Some(100 << 20), true), [vec![0, 1], vec![2]]);
    }
}
