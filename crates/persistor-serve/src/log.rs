//! The log: JSON lines on stdout for Cloud Logging, short text on a terminal.
//!
//! What is logged is left to those who log. Rules: no payload, attribute value or secret in any line.

mod json;

use std::io::{self, IsTerminal as _};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};

/// Starts the log: our own crates at `level`, all others at `warn` at most.
///
/// A second call changes nothing. A stdout that is closed loses lines, nothing else.
pub fn init(level: LevelFilter) {
    let subscriber = if io::stdout().is_terminal() {
        let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        tracing_subscriber::registry().with(text(colours).with_filter(filter(level)).boxed())
    } else {
        tracing_subscriber::registry().with(json(io::stdout).with_filter(filter(level)).boxed())
    };
    // Fails only where a log is set already, which then stays.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// The causes beneath an error, outermost first, in one line: what its own text leaves out.
pub fn causes(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Dependencies may log bodies below `warn`, so their targets never go there.
fn filter(level: LevelFilter) -> Targets {
    Targets::new().with_target("persistor", level).with_default(level.min(LevelFilter::WARN))
}

type Subscriber = tracing_subscriber::Registry;

fn text(colours: bool) -> impl Layer<Subscriber> + Send + Sync {
    tracing_subscriber::fmt::layer()
        .compact()
        .with_target(false)
        .with_ansi(colours)
        .with_timer(Clock)
        // Its complaint about a closed stdout would go to stderr by a call that can panic.
        .log_internal_errors(false)
}

fn json<W>(writer: W) -> impl Layer<Subscriber> + Send + Sync
where
    W: for<'a> tracing_subscriber::fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer()
        .event_format(json::CloudLogging)
        .with_ansi(false)
        .with_writer(writer)
        .log_internal_errors(false)
}

/// Local time of day: somebody at a terminal looks at a clock, not at a date.
struct Clock;

impl FormatTime for Clock {
    fn format_time(&self, w: &mut Writer<'_>) -> std::fmt::Result {
        write!(w, "{}", chrono::Local::now().format("%H:%M:%S"))
    }
}

#[cfg(test)]
mod tests;
