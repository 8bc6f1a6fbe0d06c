//! The wish to end: SIGTERM from an orchestrator, ctrl-C from a person.
//!
//! What is finished first is left to the listener.

/// Completes at the first SIGTERM (where there is one) or ctrl-C.
///
/// Handlers are installed at the first poll. Where one cannot be installed, the other still counts.
pub async fn shutdown_signal() {
    tokio::select! {
        () = terminate() => {}
        () = interrupt() => {}
    }
}

async fn interrupt() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::warn!(%error, "ctrl-C cannot be heard");
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn terminate() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be heard");
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
async fn terminate() {
    std::future::pending::<()>().await;
}
