//! What a broker's refusals and a connection's failures mean, and in which words they are told.
//!
//! Told is the condition, a name that AMQP or Service Bus defines; never the broker's own description, which may repeat what was sent.

use fe2o3_amqp::connection::{ConnectionStopReason, OpenError};
use fe2o3_amqp::link::{DetachError, LinkStateError, SendError, SenderAttachError, SessionStopReason};
use fe2o3_amqp::session::BeginError;
use fe2o3_amqp_management::error::{AttachError as NodeError, Error as RequestError};
use fe2o3_amqp_types::definitions::{self, ErrorCondition};
use fe2o3_amqp_types::messaging::Outcome;
use fe2o3_amqp_types::primitives::Symbol;
use fe2o3_amqp_types::sasl::SaslCode;
use persistor_core::{Error, ErrorKind};

/// Why a transfer is not confirmed.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was refused for what it is.
    Message(Error),
    /// It was refused for now; the connection is as good as before.
    Refused(Error),
    /// It was refused, or the link was, for the credentials: new ones may fare better.
    Credentials(Error),
    /// It never left: it can be sent over another connection.
    NotSent(Error),
    /// It left, and nothing is known of it; the connection is of no more use.
    Lost(Error),
}

/// A condition of <http://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-transport-v1.0-os.html#type-amqp-error>, or of
/// <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-troubleshoot>.
struct Condition {
    name: String,
    /// Whether the broker spoke of sessions.
    of_sessions: bool,
}

impl Condition {
    fn of(error: &definitions::Error) -> Self {
        let name = match &error.condition {
            ErrorCondition::AmqpError(error) => Symbol::from(error).0,
            ErrorCondition::ConnectionError(error) => Symbol::from(error).0,
            ErrorCondition::SessionError(error) => Symbol::from(error).0,
            ErrorCondition::LinkError(error) => Symbol::from(error).0,
            ErrorCondition::Custom(symbol) => symbol.0.clone(),
        };
        // A name, and no text of somebody's.
        let known = name.len() <= 80 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":.-_".contains(&byte));
        let description = error.description.as_deref().unwrap_or_default().to_ascii_lowercase();
        let name = if known { name } else { "an unknown condition".to_owned() };
        Self { name, of_sessions: description.contains("session") }
    }

    /// Whether it is about what was sent, where it answers a transfer.
    fn is_of_message(&self) -> bool {
        matches!(
            self.name.as_str(),
            "amqp:link:message-size-exceeded"
                | "amqp:not-allowed"
                | "amqp:invalid-field"
                | "amqp:decode-error"
                | "amqp:not-implemented"
                | "com.microsoft:argument-error"
                | "com.microsoft:argument-out-of-range"
                | "com.microsoft:message-size-exceeded"
        )
    }

    fn is_of_credentials(&self) -> bool {
        matches!(self.name.as_str(), "amqp:unauthorized-access" | "com.microsoft:auth-failed")
    }

    fn kind(&self) -> ErrorKind {
        match self.name.as_str() {
            _ if self.is_of_credentials() => ErrorKind::Denied,
            "amqp:not-found" | "com.microsoft:entity-not-found" => ErrorKind::NotFound,
            _ => ErrorKind::Unavailable,
        }
    }

    fn meaning(&self) -> &'static str {
        match self.name.as_str() {
            "amqp:not-allowed" if self.of_sessions => {
                " (it takes only messages with a session id: select those that have one, or give them one)"
            }
            "amqp:unauthorized-access" | "com.microsoft:auth-failed" => {
                " (the credentials may not send there: grant the role `Azure Service Bus Data Sender`, or use a rule with the claim `Send`)"
            }
            "amqp:not-found" | "com.microsoft:entity-not-found" => {
                " (there is no such queue or topic: make it, or look at its name)"
            }
            "com.microsoft:server-busy" => " (too many requests: it asks for a pause of some seconds)",
            "com.microsoft:entity-disabled" => " (it is disabled, or takes nothing for now)",
            "amqp:resource-limit-exceeded" => " (it is full, or has too many connections)",
            _ => "",
        }
    }
}

/// The words and kinds of one place that is sent to, by the name people gave it.
pub(super) struct Answers {
    pub(super) place: String,
}

impl Answers {
    pub(super) fn error(&self, kind: ErrorKind, what: &str) -> Error {
        Error::new(kind, format!("send to `{}`: {what}", self.place))
    }

    /// A broker's error that does not answer a transfer.
    fn of_condition(&self, error: &definitions::Error) -> Error {
        let condition = Condition::of(error);
        self.error(condition.kind(), &format!("{}{}", condition.name, condition.meaning()))
    }

    pub(super) fn time_out(&self, doing: &str) -> Error {
        self.error(ErrorKind::Unavailable, &format!("no answer in time to {doing}"))
    }

    pub(super) fn too_large(&self, size: u64, limit: u64) -> Error {
        self.error(ErrorKind::Invalid, &format!("the message has {size} bytes on the wire, and {limit} are taken"))
    }

    /// The answer to a transfer.
    pub(super) fn outcome(&self, outcome: Outcome) -> Result<(), Failure> {
        match outcome {
            Outcome::Accepted(_) => Ok(()),
            Outcome::Rejected(rejected) => {
                let Some(error) = rejected.error else {
                    // AMQP's own meaning of a rejection.
                    return Err(Failure::Message(self.error(ErrorKind::Invalid, "the message was rejected without a reason")));
                };
                let condition = Condition::of(&error);
                if condition.is_of_message() {
                    let what = format!("the message was refused: {}{}", condition.name, condition.meaning());
                    Err(Failure::Message(self.error(ErrorKind::Invalid, &what)))
                } else if condition.is_of_credentials() {
                    Err(Failure::Credentials(self.of_condition(&error)))
                } else {
                    Err(Failure::Refused(self.of_condition(&error)))
                }
            }
            Outcome::Released(_) | Outcome::Modified(_) => {
                Err(Failure::Refused(self.error(ErrorKind::Unavailable, "the message was not taken for now")))
            }
        }
    }

    /// A failure while a transfer was handed over; it has not left as a whole.
    pub(super) fn not_sent(&self, error: &SendError) -> Failure {
        match error {
            SendError::MessageSizeExceeded(exceeded) => Failure::Message(self.too_large(exceeded.size, exceeded.max_size)),
            SendError::MessageEncodeError => {
                Failure::Message(self.error(ErrorKind::Invalid, "the message cannot be written in AMQP"))
            }
            _ => {
                let told = self.of_send(error);
                if told.kind() == ErrorKind::Denied { Failure::Credentials(told) } else { Failure::NotSent(told) }
            }
        }
    }

    /// A failure while an answer was waited for.
    pub(super) fn lost(&self, error: &SendError) -> Failure {
        let told = self.of_send(error);
        // Whether new credentials fare better is seen when they are used: the transfer may have been taken.
        let kind = if told.kind() == ErrorKind::Denied { ErrorKind::Unavailable } else { told.kind() };
        Failure::Lost(Error::new(kind, told.to_string()))
    }

    fn of_send(&self, error: &SendError) -> Error {
        match error {
            SendError::LinkStateError(error) => match error {
                LinkStateError::RemoteDetachedWithError(error) | LinkStateError::RemoteClosedWithError(error) => {
                    self.of_condition(error)
                }
                LinkStateError::SessionStopped(reason) => self.of_session(reason),
                LinkStateError::RemoteDetached | LinkStateError::RemoteClosed => self.closed("link"),
                _ => self.closed("connection"),
            },
            SendError::Detached(error) => match error {
                DetachError::RemoteDetachedWithError(error) | DetachError::RemoteClosedWithError(error) => {
                    self.of_condition(error)
                }
                DetachError::SessionStopped(reason) => self.of_session(reason),
                _ => self.closed("link"),
            },
            _ => self.error(ErrorKind::Unavailable, "an answer that says nothing"),
        }
    }

    fn of_session(&self, reason: &SessionStopReason) -> Error {
        match reason {
            SessionStopReason::RemoteEndedWithError(error) | SessionStopReason::EndedWithError(error) => self.of_condition(error),
            SessionStopReason::ConnectionStopped(reason) => self.of_connection(reason),
            _ => self.closed("session"),
        }
    }

    fn of_connection(&self, reason: &ConnectionStopReason) -> Error {
        match reason {
            ConnectionStopReason::RemoteClosedWithError(error) | ConnectionStopReason::ClosedWithError(error) => {
                self.of_condition(error)
            }
            _ => self.closed("connection"),
        }
    }

    pub(super) fn closed(&self, what: &str) -> Error {
        self.error(ErrorKind::Unavailable, &format!("the {what} was closed"))
    }

    pub(super) fn open(&self, error: OpenError) -> Error {
        match error {
            OpenError::SaslError { code: SaslCode::Auth, .. } => {
                self.error(ErrorKind::Denied, "user and password were not accepted, or one of them is missing")
            }
            OpenError::RemoteClosedWithError(error) => self.of_condition(&error),
            OpenError::Io(error) => self.error(ErrorKind::Unavailable, "connect").with_source(error),
            OpenError::ProtocolHeaderMismatch(_) => self.error(
                ErrorKind::Unavailable,
                "connect: what answers does not speak AMQP 1.0 here, or wants TLS where none is used or the other way round",
            ),
            _ => self.error(ErrorKind::Unavailable, "connect: no AMQP connection was made"),
        }
    }

    pub(super) fn begin(&self, error: &BeginError) -> Error {
        match error {
            BeginError::RemoteEndedWithError(error) => self.of_condition(error),
            BeginError::ConnectionStopped(reason) => self.of_connection(reason),
            _ => self.closed("session"),
        }
    }

    pub(super) fn attach(&self, error: &SenderAttachError) -> Error {
        match error {
            SenderAttachError::RemoteClosedWithError(error) => self.of_condition(error),
            SenderAttachError::SessionStopped(reason) => self.of_session(reason),
            _ => self.closed("link"),
        }
    }

    pub(super) fn node(&self, error: &NodeError) -> Error {
        match error {
            NodeError::Sender(error) => self.attach(error),
            NodeError::Receiver(_) => self.closed("link for tokens"),
        }
    }

    /// An answer to a token.
    pub(super) fn token(&self, error: &RequestError) -> Error {
        match error {
            RequestError::Status(status) => {
                let code = status.code.0.get();
                let (kind, meaning) = match code {
                    401 | 403 => {
                        (ErrorKind::Denied, " (the token was not accepted: it is another's, has expired, or its key is wrong)")
                    }
                    404 => (ErrorKind::NotFound, " (there is no such queue or topic: make it, or look at its name)"),
                    _ => (ErrorKind::Unavailable, ""),
                };
                self.error(kind, &format!("the token was answered {code}{meaning}"))
            }
            RequestError::Send(error) => self.of_send(error),
            _ => self.closed("link for tokens"),
        }
    }
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp_types::messaging::{Accepted, Modified, Rejected, Released};

    use super::*;

    fn answers() -> Answers {
        Answers { place: "servicebus://my/orders".to_owned() }
    }

    fn rejected(condition: &str, description: &str) -> Outcome {
        let condition =
            serde_amqp::from_slice(&serde_amqp::to_vec(&Symbol::from(condition)).expect("bytes")).expect("a condition");
        let condition: ErrorCondition = condition;
        Outcome::Rejected(Rejected { error: Some(definitions::Error::new(condition, Some(description.to_owned()), None)) })
    }

    #[test]
    fn a_refusal_is_the_messages_or_the_sinks() {
        let answers = answers();
        for (condition, of_message, kind) in [
            ("amqp:link:message-size-exceeded", true, ErrorKind::Invalid),
            ("amqp:not-allowed", true, ErrorKind::Invalid),
            ("amqp:invalid-field", true, ErrorKind::Invalid),
            ("com.microsoft:argument-error", true, ErrorKind::Invalid),
            ("com.microsoft:server-busy", false, ErrorKind::Unavailable),
            ("com.microsoft:timeout", false, ErrorKind::Unavailable),
            ("com.microsoft:entity-disabled", false, ErrorKind::Unavailable),
            ("amqp:resource-limit-exceeded", false, ErrorKind::Unavailable),
            ("amqp:internal-error", false, ErrorKind::Unavailable),
            ("amqp:unauthorized-access", false, ErrorKind::Denied),
            ("amqp:not-found", false, ErrorKind::NotFound),
            ("something:new", false, ErrorKind::Unavailable),
        ] {
            match answers.outcome(rejected(condition, "secret")).expect_err(condition) {
                Failure::Message(error) => assert!(of_message && error.kind() == kind, "{condition}"),
                Failure::Credentials(error) | Failure::Refused(error) => {
                    assert!(!of_message && error.kind() == kind, "{condition}");
                    assert!(error.to_string().contains(condition) && !error.to_string().contains("secret"), "{error}");
                }
                other => panic!("{condition}: {other:?}"),
            }
        }
        assert!(answers.outcome(Outcome::Accepted(Accepted {})).is_ok());
        assert!(matches!(answers.outcome(Outcome::Released(Released {})), Err(Failure::Refused(_))));
        let modified = Modified { delivery_failed: None, undeliverable_here: None, message_annotations: None };
        assert!(matches!(answers.outcome(Outcome::Modified(modified)), Err(Failure::Refused(_))));
        assert!(matches!(answers.outcome(Outcome::Rejected(Rejected { error: None })), Err(Failure::Message(_))));
    }

    #[test]
    fn advice_is_given_and_no_text_of_others() {
        let answers = answers();
        let Err(Failure::Message(error)) = answers.outcome(rejected("amqp:not-allowed", "The SessionId was not set")) else {
            panic!("a message's own failure")
        };
        assert!(error.to_string().contains("session id"), "{error}");
        let Err(Failure::Refused(error)) = answers.outcome(rejected("who knows? secret", "")) else { panic!("a refusal") };
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn what_was_closed_for_credentials_while_an_answer_was_due_is_not_sent_again() {
        let error = definitions::Error::new(definitions::AmqpError::UnauthorizedAccess, None, None);
        let error = SendError::LinkStateError(LinkStateError::RemoteClosedWithError(error));
        assert!(matches!(answers().not_sent(&error), Failure::Credentials(_)));
        let Failure::Lost(told) = answers().lost(&error) else { panic!("lost") };
        assert_eq!(told.kind(), ErrorKind::Unavailable);
    }
}
