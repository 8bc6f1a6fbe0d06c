//! The handler: request → message → outcome → reply. It is made apart from the program, so that tests call it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use persistor_core::{Outcome, Persist, Stream};
use persistor_serve::{Decoded, Fault, Intake, Ready, Refusal, catch_panics, causes, health_routes};

#[cfg(feature = "oidc")]
use crate::oidc::{Denied, Verifier};
use crate::settings::Push;
use crate::streams::Streams;
use crate::{path, pushed, reply, unwrapped};

/// What a handler needs; one for the life of the program.
#[derive(Debug)]
pub struct App {
    persist: Persist,
    push: Push,
    stream: Option<Stream>,
    intake: Intake,
    streams: Streams,
    #[cfg(feature = "oidc")]
    verifier: Option<Verifier>,
}

impl App {
    /// A handler that stores through `persist`. `stream` names the stream where a path does not.
    pub fn new(persist: Persist, push: Push, stream: Option<Stream>, intake: Intake) -> Self {
        Self {
            persist,
            push,
            stream,
            intake,
            streams: Streams::default(),
            #[cfg(feature = "oidc")]
            verifier: None,
        }
    }

    /// The same, taking only pushes that `verifier` knows.
    #[cfg(feature = "oidc")]
    #[must_use]
    pub fn asking(self, verifier: Verifier) -> Self {
        Self { verifier: Some(verifier), ..self }
    }

    /// What messages are stored through.
    pub(crate) fn persist(&self) -> &Persist {
        &self.persist
    }

    /// All routes: `/health/…`, and every other path for pushes.
    pub fn router(self: Arc<Self>, ready: Ready) -> Router {
        let health = health_routes(ready).method_not_allowed_fallback(|| async {
            Fault::from(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "a health check is a GET")).refuse()
        });
        health.merge(Router::new().fallback(push).with_state(self)).layer(catch_panics())
    }

    async fn store(&self, request: Request) -> Result<Outcome, Fault> {
        let path = request.uri().path();
        if path.starts_with("/health/") {
            return Err(
                Refusal::new(StatusCode::NOT_FOUND, "no-such-path", "paths below `/health/` are for health checks").into()
            );
        }
        #[cfg(feature = "oidc")]
        if let Some(verifier) = &self.verifier {
            // Before anything of the body is read, or any memory taken for it.
            verifier.verify(request.headers()).await.map_err(Denied::refusal)?;
        }
        if request.method() != Method::POST {
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "a push is a POST").into());
        }
        let stream = path::stream(path).map_err(|_| no_such_path())?;
        let (parts, body) = request.into_parts();
        let pushed = match self.push {
            Push::Wrapped => {
                let held = self.intake.read(&parts.headers, body, Decoded::Yes).await.map_err(Refusal::from)?;
                pushed::wrapped(&parts.headers, held).await
            }
            Push::Unwrapped => {
                // Before the body, so that whatever is wrong with that is logged with the message id.
                let metadata = unwrapped::decode(&parts.headers)?;
                let held = self.intake.read(&parts.headers, body, Decoded::No).await.map_err(Refusal::from);
                let held = held.map_err(|refusal| Fault::from(refusal).of_message(&metadata.id))?;
                pushed::unwrapped(metadata, held).await
            }
        };
        let message = pushed?.message(stream.or_else(|| self.stream.clone()))?;
        if self.streams.is_new_clash(message.stream(), message.entity()) {
            let (stream, entity) = (message.stream().as_str(), message.entity().as_str());
            tracing::warn!(
                stream,
                entity,
                "a stream gets messages of a second entity; give each subscription a push path of its own"
            );
        }
        let message_id = message.id().as_str().to_owned();
        let outcome = self.persist.persist(&[message]).await.pop();
        let outcome = outcome.ok_or_else(|| Refusal::unavailable("not-stored", "no outcome"))?;
        log(&outcome, &message_id);
        Ok(outcome)
    }
}

async fn push(State(app): State<Arc<App>>, request: Request) -> Response {
    match app.store(request).await {
        Ok(outcome) => reply::reply(&outcome),
        Err(fault) => {
            let header = beside(&fault.refusal);
            let mut response = fault.refuse();
            response.headers_mut().extend(header);
            response
        }
    }
}

/// The header that HTTP wants beside some statuses.
fn beside(refusal: &Refusal) -> Option<(HeaderName, HeaderValue)> {
    match refusal.status {
        StatusCode::METHOD_NOT_ALLOWED => Some((header::ALLOW, HeaderValue::from_static("POST"))),
        #[cfg(feature = "oidc")]
        StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, HeaderValue::from_static(Denied::challenge(refusal.error)))),
        _ => None,
    }
}

fn log(outcome: &Outcome, message_id: &str) {
    match outcome {
        // The key is not said: it may hold attributes.
        Outcome::Stored(_) => tracing::debug!(message_id, "stored"),
        Outcome::AlreadyStored(_) => tracing::debug!(message_id, "already stored"),
        // What comes next is the broker's: for both it has the message still.
        Outcome::Retryable(error) | Outcome::Rejected(error) => {
            let (reason, cause) = (error.to_string(), causes(error));
            tracing::error!(message_id, reason, cause, "not stored and not acknowledged");
        }
    }
}

fn no_such_path() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "no-such-path", "a push path is `/` or `/STREAM`, one segment of UTF-8")
}
