//! What an answer of Pub/Sub means, and in which words it is told.
//!
//! Nothing here repeats Pub/Sub's own text, which can quote names and values of attributes.

use std::error::Error as StdError;

use google_cloud_gax::error::rpc::{Code, Status, StatusDetails};
use google_cloud_pubsub::Error as SdkError;
use google_cloud_pubsub::error::PublishError;
use persistor_core::{Error, ErrorKind};

use super::topic::TopicName;
use crate::cause::{credentials, root, sources};

/// Why something was not done. Several messages can have the same reason, so it can be cloned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) kind: ErrorKind,
    /// What it means, and what to do.
    text: String,
    /// A cause that may be shown.
    cause: Option<String>,
    /// Whether the credentials failed in a way that they will not mend by themselves.
    pub(crate) lost_credentials: bool,
}

impl Answer {
    /// Of a publish.
    pub(crate) fn of_publish(error: &PublishError, topic: &TopicName) -> Self {
        match error {
            PublishError::Rpc(error) => match status(error.as_ref()) {
                Some(status) => Self::of(status, topic),
                None => Self::none(error.as_ref()),
            },
            PublishError::OrderingKeyPaused => Self::behind(),
            _ => Self::new(ErrorKind::Unavailable, "the client ended before it had an answer"),
        }
    }

    /// Of a status that Pub/Sub gave, about a topic.
    pub(crate) fn of(status: &Status, topic: &TopicName) -> Self {
        let (full, project, name) = (topic.full(), topic.project(), topic.topic());
        match status.code {
            Code::InvalidArgument => Self::new(
                ErrorKind::Invalid,
                format!(
                    "the topic `{full}` does not take it as it is ({}): a limit of Pub/Sub's, or the topic's schema",
                    code(status)
                ),
            ),
            Code::NotFound => Self::missing(topic),
            Code::PermissionDenied => Self::new(
                ErrorKind::Denied,
                format!(
                    "this identity may not publish to the topic `{full}` ({}), or there is no such topic: `gcloud pubsub topics add-iam-policy-binding {name} --project={project} --role=roles/pubsub.publisher --member=MEMBER` grants it",
                    code(status)
                ),
            ),
            Code::Unauthenticated => Self::new(
                ErrorKind::Denied,
                "the credentials were not accepted: `gcloud auth application-default login` makes new ones",
            ),
            Code::ResourceExhausted => Self::new(
                ErrorKind::Unavailable,
                format!("a quota of the project `{project}` is used up: send at a lower rate, or raise the quota"),
            ),
            Code::FailedPrecondition => Self::new(
                ErrorKind::Unavailable,
                format!(
                    "the topic `{full}` is in no state to take it ({}), such as a disabled key that it is encrypted with",
                    code(status)
                ),
            ),
            _ => Self::new(ErrorKind::Unavailable, format!("Pub/Sub answered {}", code(status))),
        }
    }

    /// There is no such topic.
    pub(crate) fn missing(topic: &TopicName) -> Self {
        let (full, project, name) = (topic.full(), topic.project(), topic.topic());
        Self::new(
            ErrorKind::NotFound,
            format!("there is no topic `{full}`: `gcloud pubsub topics create {name} --project={project}` makes it"),
        )
    }

    /// Where nothing was answered, or nothing that could be read.
    pub(crate) fn none(error: &(dyn StdError + 'static)) -> Self {
        let cause = Some(root(error));
        match credentials(error) {
            // What passes, such as a metadata server that does not answer, is tried again.
            Some(failure) if failure.is_transient() => {
                Self { cause, ..Self::new(ErrorKind::Unavailable, "no credentials for Pub/Sub yet") }
            }
            Some(_) => Self { cause, lost_credentials: true, ..Self::new(ErrorKind::Denied, "no credentials for Pub/Sub") },
            None => Self { cause, ..Self::new(ErrorKind::Unavailable, "no answer from Pub/Sub") },
        }
    }

    /// Nothing came within the time.
    pub(crate) fn late(limit: std::time::Duration) -> Self {
        Self::new(ErrorKind::Unavailable, format!("no answer from Pub/Sub within {limit:?}"))
    }

    /// It was not sent, for the sake of order.
    pub(crate) fn behind() -> Self {
        Self::new(ErrorKind::Unavailable, "not sent: one before it in its order was not confirmed")
    }

    pub(crate) fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), cause: None, lost_credentials: false }
    }

    /// The error of an operation that this is the reason of.
    pub(crate) fn error(&self, what: &str) -> Error {
        let error = Error::new(self.kind, format!("{what}: {}", self.text));
        match &self.cause {
            Some(cause) => error.with_source(cause.clone()),
            None => error,
        }
    }
}

impl From<Error> for Answer {
    fn from(error: Error) -> Self {
        let cause = error.source().map(root);
        Self { kind: error.kind(), text: error.to_string(), cause, lost_credentials: false }
    }
}

/// The status that Pub/Sub gave. After several attempts the client puts its own error around that of the last one.
pub(crate) fn status<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Status> {
    sources(error).find_map(|cause| cause.downcast_ref::<SdkError>()?.status())
}

/// The code, and the reason where Google names one, such as `PERMISSION_DENIED SERVICE_DISABLED`.
pub(crate) fn code(status: &Status) -> String {
    let reason = status.details.iter().find_map(|detail| match detail {
        StatusDetails::ErrorInfo(info) => Some(&info.reason),
        _ => None,
    });
    described(status.code, reason.map_or("", String::as_str))
}

/// A reason is shown only where it is one of Google's constants.
fn described(code: Code, reason: &str) -> String {
    if (1..=60).contains(&reason.len()) && reason.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
        format!("{code} {reason}")
    } else {
        code.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn topic() -> TopicName {
        TopicName::parse("shop/orders").expect("a topic")
    }

    fn refused(code: Code) -> SdkError {
        SdkError::service(Status::default().set_code(code).set_message("attribute secret=secret is too long"))
    }

    #[test]
    fn each_code_has_its_kind_and_its_advice_and_nothing_is_quoted() {
        for (code, kind, advice) in [
            (Code::InvalidArgument, ErrorKind::Invalid, "schema"),
            (Code::NotFound, ErrorKind::NotFound, "gcloud pubsub topics create orders --project=shop"),
            (Code::PermissionDenied, ErrorKind::Denied, "roles/pubsub.publisher"),
            (Code::Unauthenticated, ErrorKind::Denied, "application-default login"),
            (Code::ResourceExhausted, ErrorKind::Unavailable, "quota"),
            (Code::FailedPrecondition, ErrorKind::Unavailable, "key"),
            (Code::Unavailable, ErrorKind::Unavailable, "UNAVAILABLE"),
            (Code::Internal, ErrorKind::Unavailable, "INTERNAL"),
            (Code::Cancelled, ErrorKind::Unavailable, "CANCELLED"),
            (Code::OutOfRange, ErrorKind::Unavailable, "OUT_OF_RANGE"),
        ] {
            for error in [refused(code), SdkError::exhausted(refused(code))] {
                let error = Answer::of_publish(&PublishError::Rpc(Arc::new(error)), &topic()).error("publish to `shop/orders`");
                assert_eq!(error.kind(), kind, "{code}");
                assert!(error.to_string().contains(advice) && !format!("{error:?}").contains("secret"), "{code}: {error:?}");
            }
        }
    }

    #[test]
    fn no_answer_is_no_refusal() {
        for error in
            [PublishError::OrderingKeyPaused, PublishError::Shutdown, PublishError::Rpc(Arc::new(SdkError::io("broken pipe")))]
        {
            assert_eq!(Answer::of_publish(&error, &topic()).kind, ErrorKind::Unavailable, "{error}");
        }
        let lost = |transient| {
            let error = google_cloud_gax::error::CredentialsError::from_msg(transient, "expired");
            Answer::of_publish(&PublishError::Rpc(Arc::new(SdkError::authentication(error))), &topic())
        };
        assert_eq!(
            [true, false].map(|transient| (lost(transient).kind, lost(transient).lost_credentials)),
            [(ErrorKind::Unavailable, false), (ErrorKind::Denied, true)]
        );
    }

    #[test]
    fn a_reason_is_shown_only_where_it_is_a_constant() {
        let with = |reason| described(Code::PermissionDenied, reason);
        assert_eq!(with("SERVICE_DISABLED"), "PERMISSION_DENIED SERVICE_DISABLED");
        for other in ["", "secret value", &"A".repeat(61)] {
            assert_eq!(with(other), "PERMISSION_DENIED");
        }
    }
}
