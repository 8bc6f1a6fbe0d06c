//! What the tests of this crate share: messages, and archives that [`Persist`] wrote.

use std::sync::Arc;
use std::time::Duration;

use persistor_core::{
    Attribute, Entity, Key, Layout, Message, MessageId, Outcome, Persist, PublishTime, RecordPlace, Stream, Template, Writer,
};

/// A message with the attribute `tenant`, if one is given; its payload is all that its other values do not say.
pub(crate) fn message(stream: &str, id: &str, time: &str, tenant: Option<&str>, payload: &str) -> Message {
    let message = Message::new(
        Entity::new(format!("projects/shop/subscriptions/{stream}")).expect("not empty"),
        Stream::new(stream).expect("not empty"),
        MessageId::new(id).expect("not empty"),
        PublishTime::parse(time).expect("a time"),
        payload.as_bytes().to_vec().into(),
    );
    message.with_attributes(tenant.iter().map(|tenant| ("tenant".to_owned(), Attribute::from(*tenant))).collect())
}

/// Stores the messages as Persistor does, and gives their keys.
pub(crate) async fn persist(writer: Arc<dyn Writer>, template: &str, place: RecordPlace, messages: Vec<Message>) -> Vec<Key> {
    let layout = Layout::new(Template::parse(template).expect("a template"));
    let persist = Persist::new(writer, layout, place, Duration::from_secs(120));
    persist.write_layout().await.expect("a layout");
    let outcomes = persist.persist(&messages).await.into_iter().map(|outcome| match outcome {
        Outcome::Stored(key) | Outcome::AlreadyStored(key) => key,
        outcome => panic!("not stored: {outcome:?}"),
    });
    outcomes.collect()
}
