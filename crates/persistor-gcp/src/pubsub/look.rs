//! Looking without sending: whether a topic takes what we send, and which topic a subscription has.

use google_cloud_gax::error::rpc::Code;
use google_cloud_pubsub::Error as SdkError;
use persistor_core::{ErrorKind, Result};
use persistor_recover::Feeds;
use tokio::time::timeout;

use super::answer::{Answer, code, status};
use super::{PATIENCE, TopicSink};

const PUBLISH: &str = "pubsub.topics.publish";
/// The topic of a subscription whose topic is no more.
const DELETED: &str = "_deleted-topic_";

impl TopicSink {
    /// As [`Sink::check`](persistor_recover::Sink::check).
    ///
    /// Anybody may ask for one's own rights, but the answer is the same for a topic without rights and for none at all; and emulators do not know the question. Then the topic is
    /// asked for, which a publisher needs no right to: a refusal of that alone says nothing.
    pub(crate) async fn look(&self) -> Result<()> {
        let what = format!("look at `pubsub://{}`", self.topic);
        let may = match self.may_publish().await? {
            Ok(true) => return Ok(()),
            Ok(false) => Some(false),
            Err(error) => match status(&error).map(|status| status.code) {
                Some(Code::Unimplemented) => None,
                Some(Code::NotFound) => return Err(Answer::missing(&self.topic).error(&what)),
                _ => return Err(self.answer(&error).error(&what)),
            },
        };
        let get = self.client.topics().await?;
        let got = match timeout(PATIENCE, get.get_topic().set_topic(self.topic.full()).send()).await {
            Ok(got) => got,
            Err(_) => return Err(Answer::late(PATIENCE).error(&what)),
        };
        match (got, may) {
            (Ok(_), Some(false)) => Err(self.without_right().error(&what)),
            (Ok(_), _) => Ok(()),
            (Err(error), may) => match (status(&error).map(|status| status.code), may) {
                (Some(Code::PermissionDenied), Some(false)) => Err(self.without_right().error(&what)),
                (Some(Code::PermissionDenied), _) => Ok(()),
                _ => Err(self.answer(&error).error(&what)),
            },
        }
    }

    /// Whether this identity has the right to publish, or why that is not known.
    async fn may_publish(&self) -> Result<Result<bool, SdkError>> {
        let ask = self.client.rights().await?.test_iam_permissions().set_resource(self.topic.full()).set_permissions([PUBLISH]);
        match timeout(PATIENCE, ask.send()).await {
            Ok(answer) => Ok(answer.map(|rights| rights.permissions.iter().any(|right| right == PUBLISH))),
            Err(_) => Err(Answer::late(PATIENCE).error(&format!("look at `pubsub://{}`", self.topic))),
        }
    }

    fn answer(&self, error: &SdkError) -> Answer {
        match status(error) {
            Some(status) => Answer::of(status, &self.topic),
            None => Answer::none(error),
        }
    }

    fn without_right(&self) -> Answer {
        let denied = google_cloud_gax::error::rpc::Status::default().set_code(Code::PermissionDenied);
        Answer::of(&denied, &self.topic)
    }

    /// As [`Sink::feeds`](persistor_recover::Sink::feeds).
    pub(crate) async fn topic_of(&self, entity: &str) -> Feeds {
        if !is_subscription(entity) {
            return Feeds::No;
        }
        let subscriptions = match self.client.subscriptions().await {
            Ok(subscriptions) => subscriptions,
            Err(error) => return Feeds::Unknown(format!("the topic of `{entity}` is not known: {error}")),
        };
        match timeout(PATIENCE, subscriptions.get_subscription().set_subscription(entity).send()).await {
            Ok(Ok(subscription)) if subscription.topic == DELETED => Feeds::No,
            Ok(Ok(subscription)) if subscription.topic == self.topic.full() => Feeds::Yes,
            Ok(Ok(_)) => Feeds::No,
            Ok(Err(error)) => Feeds::Unknown(unknown(entity, &error)),
            Err(_) => Feeds::Unknown(format!("the topic of `{entity}` is not known: no answer within {PATIENCE:?}")),
        }
    }
}

/// Whether it is a subscription's full name; other brokers' entities are written otherwise.
fn is_subscription(entity: &str) -> bool {
    matches!(entity.split('/').collect::<Vec<_>>()[..], ["projects", project, "subscriptions", name] if !project.is_empty() && !name.is_empty())
}

/// Why the topic of a subscription is not known, in words.
fn unknown(entity: &str, error: &SdkError) -> String {
    match status(error) {
        Some(status) if status.code == Code::NotFound => {
            format!("there is no subscription `{entity}` any more, so its topic is not known")
        }
        Some(status) if status.code == Code::PermissionDenied => {
            format!("this identity may not ask for the topic of `{entity}`: roles/pubsub.viewer allows it")
        }
        Some(status) => format!("the topic of `{entity}` is not known: Pub/Sub answered {}", code(status)),
        None if Answer::none(error).kind == ErrorKind::Denied => {
            format!("the topic of `{entity}` is not known: no credentials for Pub/Sub")
        }
        None => format!("the topic of `{entity}` is not known: no answer from Pub/Sub"),
    }
}

#[cfg(test)]
mod tests {
    use google_cloud_gax::error::rpc::Status;

    use super::*;

    #[test]
    fn only_the_full_name_of_a_subscription_is_one() {
        assert!(is_subscription("projects/p/subscriptions/s"));
        for other in [
            "",
            "s",
            "projects/p/topics/t",
            "projects/p/subscriptions/",
            "projects//subscriptions/s",
            "ns.servicebus.windows.net/q",
            "projects/p/subscriptions/s/t",
        ] {
            assert!(!is_subscription(other), "{other}");
        }
    }

    #[test]
    fn what_is_not_known_is_told_in_words() {
        for (code, words) in [
            (Code::NotFound, "there is no subscription `projects/p/subscriptions/s`"),
            (Code::PermissionDenied, "roles/pubsub.viewer"),
            (Code::Unavailable, "UNAVAILABLE"),
        ] {
            let text = unknown("projects/p/subscriptions/s", &SdkError::service(Status::default().set_code(code)));
            assert!(text.contains(words), "{text}");
        }
        assert!(unknown("projects/p/subscriptions/s", &SdkError::io("x")).contains("no answer"));
    }
}
