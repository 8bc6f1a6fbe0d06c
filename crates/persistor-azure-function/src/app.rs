//! The handler: call → messages → outcomes → reply. It is made apart from the program, so that tests call it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use percent_encoding::percent_decode_str;
use persistor_core::{Outcome, Persist};
use persistor_serve::{Budget, Fault, Intake, Ready, Refusal, Refused, catch_panics, causes, health_routes};
use tokio::time::{Instant, timeout_at};

use crate::function::Function;
use crate::invocation::{self, Raw};
use crate::reply;
use crate::store;

/// What a handler needs; one for the life of the program.
#[derive(Debug)]
pub struct App {
    persist: Persist,
    functions: HashMap<String, Served>,
    /// Calls that were kept as they came.
    rejected: AtomicU64,
}

#[derive(Debug)]
struct Served {
    function: Function,
    deadline: Duration,
    intake: Intake,
}

impl App {
    /// A handler of these functions that stores through `persist`. Bodies have at most `max_body` bytes, and all together live within
    /// `budget`. Without a `deadline` each function has its own.
    pub fn new(persist: Persist, functions: Vec<Function>, max_body: u64, budget: Budget, deadline: Option<Duration>) -> Self {
        let intake = Intake::new(max_body, budget);
        let served = |function: Function| {
            let deadline = deadline.unwrap_or_else(|| function.default_deadline());
            // Refused at once, a message would come back at once and be counted.
            let intake = intake.clone().waiting_for_room(deadline);
            (function.name.clone(), Served { function, deadline, intake })
        };
        Self { persist, functions: functions.into_iter().map(served).collect(), rejected: AtomicU64::new(0) }
    }

    /// What messages are stored through.
    pub(crate) fn persist(&self) -> &Persist {
        &self.persist
    }

    /// All routes: `GET /`, at which the host looks whether the program is there, `/health/…`, and a function's name for its calls.
    pub fn router(self: Arc<Self>, ready: Ready) -> Router {
        let is_there = get(async || Json(serde_json::json!({ "status": "live" })));
        let health = health_routes(ready).route("/", is_there).method_not_allowed_fallback(|| async {
            Fault::from(Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "a call is a POST to a function's name",
            ))
            .refuse()
        });
        health.merge(Router::new().fallback(call).with_state(self)).layer(catch_panics())
    }

    async fn call(&self, request: Request) -> Result<Response, Fault> {
        let served = self.served(request.uri().path())?;
        if request.method() != Method::POST {
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "a call is a POST").into());
        }
        let deadline = Instant::now() + served.deadline;
        let (parts, body) = request.into_parts();
        let held = timeout_at(deadline, served.intake.read(&parts.headers, body, served.function.decoded())).await;
        let held = held.unwrap_or(Err(Refused::Busy)).map_err(Refusal::from)?;
        let invocation = invocation::read(&served.function, held, deadline).await?;

        let messages = invocation.messages.len() + invocation.faults.len();
        let outcomes = store::store(&self.persist, invocation.messages, deadline).await;
        log(&served.function, messages, &outcomes);
        match (invocation.raw, invocation.faults.into_iter().next()) {
            // What could be stored is to come again first.
            (_, Some(fault)) if !is_success(&outcomes) => {
                tracing::warn!(error = fault.refusal.error, reason = fault.refusal.reason, "a message of a call cannot be read");
                Ok(reply::reply(&outcomes))
            }
            (Some(raw), Some(fault)) => self.keep(&served.function, &raw, fault, deadline).await,
            (None, Some(fault)) => Err(fault),
            (_, None) => Ok(reply::reply(&outcomes)),
        }
    }

    fn served(&self, path: &str) -> Result<&Served, Fault> {
        let name = percent_decode_str(path.strip_prefix('/').unwrap_or(path)).decode_utf8();
        name.ok().and_then(|name| self.functions.get(&*name)).ok_or_else(|| {
            let mut names: Vec<_> = self.functions.keys().map(String::as_str).collect();
            names.sort_unstable();
            let reason = format!("this program serves the functions {names:?} and no other");
            Refusal::new(StatusCode::NOT_FOUND, "no-such-function", reason).into()
        })
    }

    /// Keeps a call with an event that cannot be read, which is acknowledged then: a partition must not stop for ever on one event.
    async fn keep(&self, function: &Function, raw: &Raw, fault: Fault, deadline: Instant) -> Result<Response, Fault> {
        let Fault { refusal: Refusal { error, reason, .. }, message_id } = fault;
        if let Err(failure) = store::keep(&self.persist, raw, deadline).await {
            let cause = causes(&failure);
            tracing::error!(
                reason = failure.to_string(),
                cause,
                "a call with an event that cannot be read was not kept, and not acknowledged"
            );
            return Err(Refusal::unavailable("not-stored", failure.to_string()).into());
        }
        let rejected = self.rejected.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::error!(
            function = function.name,
            error,
            reason,
            message_id,
            rejected,
            "an event cannot be read: its whole call is kept under `_persistor/rejected/`, and acknowledged"
        );
        Ok(reply::success())
    }
}

async fn call(State(app): State<Arc<App>>, request: Request) -> Response {
    app.call(request).await.unwrap_or_else(|fault| {
        let is_method = fault.refusal.status == StatusCode::METHOD_NOT_ALLOWED;
        let mut response = fault.refuse();
        if is_method {
            response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static("POST"));
        }
        response
    })
}

fn is_success(outcomes: &[Outcome]) -> bool {
    outcomes.iter().all(|outcome| matches!(outcome, Outcome::Stored(_) | Outcome::AlreadyStored(_)))
}

/// One line for a call, whatever the number of its messages.
fn log(function: &Function, messages: usize, outcomes: &[Outcome]) {
    let failed = |outcome: &&Outcome| matches!(outcome, Outcome::Retryable(_) | Outcome::Rejected(_));
    let not_stored = outcomes.iter().filter(failed).count();
    let function = function.name.as_str();
    match outcomes.iter().find(failed) {
        // What comes next is the broker's: it has the messages still.
        Some(Outcome::Retryable(error) | Outcome::Rejected(error)) => {
            let (reason, cause) = (error.to_string(), causes(error));
            tracing::error!(function, messages, not_stored, reason, cause, "not all stored, and not acknowledged");
        }
        _ => {
            let already = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::AlreadyStored(_))).count();
            tracing::debug!(function, messages, already, "stored");
        }
    }
}
