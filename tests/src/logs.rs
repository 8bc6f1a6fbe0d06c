//! What a program says on its standard output, a JSON object a line, collected as it comes.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use serde_json::Value;

use crate::waiting::LIMIT;

/// The lines of one program's output; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Logs(Arc<(Mutex<Vec<String>>, Condvar)>);

impl Logs {
    /// Collects the lines of `output` until it ends.
    pub(crate) fn collect(&self, output: impl Read + Send + 'static) -> thread::JoinHandle<()> {
        let logs = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n') {
                let Ok(line) = line else { break };
                logs.0.0.lock().expect("no thread panics with it").push(String::from_utf8_lossy(&line).into_owned());
                logs.0.1.notify_all();
            }
        })
    }

    /// All lines so far, as they were written.
    pub fn lines(&self) -> Vec<String> {
        self.0.0.lock().expect("no thread panics with it").clone()
    }

    /// All lines so far that are JSON objects.
    pub fn entries(&self) -> Vec<Value> {
        self.lines().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The first line, of now or later, that `wanted` accepts.
    ///
    /// # Panics
    /// If none comes; `what` says what was waited for.
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.find(&wanted).unwrap_or_else(|| panic!("no log line for {what}:\n{}", self.lines().join("\n")))
    }

    fn find(&self, wanted: &impl Fn(&Value) -> bool) -> Option<Value> {
        let (mut seen, mut found) = (0, None);
        let lines = self.0.0.lock().expect("no thread panics with it");
        let still_waiting = |lines: &mut Vec<String>| {
            let new = lines[seen..].iter().filter_map(|line| serde_json::from_str(line).ok());
            found = new.into_iter().find(wanted);
            seen = lines.len();
            found.is_none()
        };
        drop(self.0.1.wait_timeout_while(lines, LIMIT, still_waiting));
        found
    }
}

/// Whether a log line has this message.
pub fn says(line: &Value, message: &str) -> bool {
    line["message"] == message
}
