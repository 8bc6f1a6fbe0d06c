//! Lines as they come out, and which of them.

use super::*;
use std::sync::{Arc, Mutex};

/// Keeps each write apart, so that a line in two pieces shows.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.0.lock().expect("no panic holds it").push(text);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(level: LevelFilter, log: impl FnOnce()) -> Vec<String> {
    let lines = Lines::default();
    let writer = lines.clone();
    let layer = json(move || writer.clone()).with_filter(filter(level));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
    lines.0.lock().expect("no panic holds it").clone()
}

fn parsed(line: &str) -> serde_json::Value {
    serde_json::from_str(line).expect("a line of JSON")
}

#[test]
fn fields_stand_beside_the_message_with_their_types() {
    let lines = logged(LevelFilter::INFO, || {
        tracing::info!(bytes = 7_u64, ratio = 0.5, nan = f64::NAN, ok = true, name = "a\"\n", debug = ?Some(1), "stored");
    });
    assert_eq!(lines.len(), 1, "one write for a line");
    assert!(lines[0].ends_with("}\n") && lines[0].matches('\n').count() == 1);
    let mut line = parsed(&lines[0]);
    let time = line["time"].take();
    let time = time.as_str().expect("a time");
    assert_eq!((time.len(), time.ends_with('Z')), (27, true), "{time}");
    assert!(chrono::DateTime::parse_from_rfc3339(time).is_ok());
    let expected = serde_json::json!({
        "severity": "INFO", "message": "stored", "time": null,
        "bytes": 7, "ratio": 0.5, "nan": "NaN", "ok": true, "name": "a\"\n", "debug": "Some(1)",
    });
    assert_eq!(line, expected);
}

#[test]
fn severities_have_their_cloud_names() {
    let lines = logged(LevelFilter::TRACE, || {
        tracing::error!("e");
        tracing::warn!("w");
        tracing::info!("i");
        tracing::debug!("d");
        tracing::trace!("t");
    });
    let names: Vec<_> = lines.iter().map(|line| parsed(line)["severity"].clone()).collect();
    assert_eq!(names, ["ERROR", "WARNING", "INFO", "DEBUG", "DEBUG"]);
}

#[test]
fn dependencies_log_warnings_at_most() {
    let lines = logged(LevelFilter::TRACE, || {
        tracing::info!(target: "hyper::proto", "the body was 4711");
        tracing::trace!(target: "google_cloud_storage", "the body was 4711");
        tracing::warn!(target: "hyper::proto", "other");
        tracing::debug!(target: "persistor_core::folder", "ours");
    });
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| !line.contains("4711")));
    let lines = logged(LevelFilter::ERROR, || {
        tracing::warn!(target: "hyper::proto", "other");
        tracing::warn!("ours");
    });
    assert!(lines.is_empty());
}

#[test]
fn an_event_cannot_take_the_place_of_the_fixed_fields() {
    let lines = logged(LevelFilter::INFO, || {
        tracing::info!(severity = "EMERGENCY", time = "never", "x");
    });
    let line = parsed(&lines[0]);
    assert_eq!(line["severity"], "INFO");
    assert_ne!(line["time"], "never");
}

#[test]
fn a_closed_output_loses_lines_and_nothing_else() {
    struct Closed;
    impl io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    let layer = json(|| Closed).with_filter(filter(LevelFilter::INFO));
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || tracing::info!("x"));
}
