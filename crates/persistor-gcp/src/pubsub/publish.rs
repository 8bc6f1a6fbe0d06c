//! Publishing: messages in, a result for each.
//!
//! The client keeps the order of an ordering key by itself. Pub/Sub refuses a request whole if it does not take one message in it; then each is sent alone, so
//! that only the culprit is refused.

use google_cloud_pubsub::client::{BasePublisher, Publisher};
use google_cloud_pubsub::model::Message;
use google_cloud_pubsub::publisher::PublishFuture;
use persistor_core::{Error, ErrorKind, Result};
use persistor_recover::Outgoing;
use tokio::time::timeout;

use super::answer::Answer;
use super::limits::REQUEST;
use super::{PATIENCE, TopicSink};

impl TopicSink {
    /// As [`Sink::send`](persistor_recover::Sink::send).
    pub(crate) async fn publish(&self, messages: &[Outgoing], ordered: bool) -> Vec<Result<String>> {
        let publisher = match self.client.publisher().await {
            Ok(publisher) => publisher,
            Err(answer) => return messages.iter().map(|_| Err(self.unpublished(&answer))).collect(),
        };
        let call = Call { sink: self, publisher };
        let results = match ordered {
            true => call.ordered(messages).await,
            false => call.unordered(messages).await,
        };
        if results.iter().any(|result| result.as_ref().is_err_and(|answer| answer.lost_credentials)) {
            self.client.forget().await;
        }
        results.into_iter().map(|result| result.map_err(|answer| self.unpublished(&answer))).collect()
    }

    fn unpublished(&self, answer: &Answer) -> Error {
        answer.error(&format!("publish to `pubsub://{}`", self.topic))
    }
}

/// One call to send.
struct Call<'a> {
    sink: &'a TopicSink,
    publisher: BasePublisher,
}

type Sent = Result<String, Answer>;

impl Call<'_> {
    /// Each message stands for itself.
    async fn unordered(&self, messages: &[Outgoing]) -> Vec<Sent> {
        let mut results = self.together(messages).await;
        if messages.len() > 1 && results.iter().any(is_invalid) {
            // What waited behind a refused one of its ordering key was not sent.
            let again: Vec<_> = (0..messages.len()).filter(|at| is_invalid(&results[*at]) || is_behind(&results[*at])).collect();
            let alone: Vec<_> = again.iter().map(|at| self.start(&messages[*at..=*at])).collect();
            for (at, waiting) in again.into_iter().zip(alone) {
                results[at] = self.wait(waiting).await.remove(0);
            }
        }
        results
    }

    /// Nothing is sent behind one that failed.
    async fn ordered(&self, messages: &[Outgoing]) -> Vec<Sent> {
        let key = messages.first().and_then(|first| first.ordering_key.as_ref());
        let one_key = key.is_some() && messages.iter().all(|message| message.ordering_key.as_ref() == key);
        let mut results = Vec::with_capacity(messages.len());
        if one_key {
            results = self.together(messages).await;
            if messages.len() == 1 || !results.iter().find(|result| result.is_err()).is_some_and(is_invalid) {
                return results;
            }
            results.truncate(results.iter().position(Result::is_err).unwrap_or(results.len()));
        }
        for at in results.len()..messages.len() {
            let sent = self.together(&messages[at..=at]).await.remove(0);
            let failed = sent.is_err();
            results.push(sent);
            if failed {
                break;
            }
        }
        results.resize(messages.len(), Err(Answer::behind()));
        results
    }

    async fn together(&self, messages: &[Outgoing]) -> Vec<Sent> {
        self.wait(self.start(messages)).await
    }

    /// Hands messages to a publisher of their own. It is dropped at once, whereupon it sends what it has without waiting for more.
    fn start(&self, messages: &[Outgoing]) -> Vec<PublishFuture> {
        let publisher: Publisher = self
            .publisher
            .publisher(self.sink.topic.full())
            .set_message_count_threshold(REQUEST.0)
            .set_byte_threshold(REQUEST.1)
            .build();
        messages.iter().map(|message| publisher.publish(to_message(message))).collect()
    }

    async fn wait(&self, waiting: Vec<PublishFuture>) -> Vec<Sent> {
        let (mut results, mut patience) = (Vec::with_capacity(waiting.len()), PATIENCE);
        for published in waiting {
            results.push(match timeout(patience, published).await {
                Ok(published) => published.map_err(|error| Answer::of_publish(&error, &self.sink.topic)),
                Err(_) => {
                    // The others have had the same time: what is there is taken, and nothing is waited for.
                    patience = std::time::Duration::ZERO;
                    Err(Answer::late(PATIENCE))
                }
            });
        }
        results
    }
}

fn is_invalid(sent: &Sent) -> bool {
    sent.as_ref().is_err_and(|answer| answer.kind == ErrorKind::Invalid)
}

fn is_behind(sent: &Sent) -> bool {
    sent.as_ref().is_err_and(|answer| *answer == Answer::behind())
}

/// What has no place in Pub/Sub, which are the properties of other brokers, is left out.
fn to_message(message: &Outgoing) -> Message {
    Message::new()
        .set_data(message.payload.clone())
        .set_attributes(message.attributes.iter().map(|(name, value)| (name, value.text())))
        .set_ordering_key(message.ordering_key.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use persistor_core::Attribute;

    use super::*;

    #[test]
    fn a_message_is_its_payload_its_attributes_and_its_ordering_key() {
        let payload = Bytes::from((0..=255).collect::<Vec<u8>>());
        let attributes = [("größe".to_owned(), Attribute::from("XL\u{2028}")), ("n".to_owned(), 7_i32.into())];
        let outgoing = Outgoing {
            payload: payload.clone(),
            attributes: attributes.into(),
            ordering_key: Some("ключ".to_owned()),
            properties: [("subject".to_owned(), Attribute::from("s"))].into(),
            ..Outgoing::default()
        };
        let message = to_message(&outgoing);
        // The payload is not copied.
        assert_eq!((message.data.as_ptr(), &message.data), (payload.as_ptr(), &payload));
        let attributes = [("größe", "XL\u{2028}"), ("n", "7")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!((message.attributes, message.ordering_key.as_str()), (attributes.into(), "ключ"));
        assert_eq!(to_message(&Outgoing::default()), Message::new());
    }
}
