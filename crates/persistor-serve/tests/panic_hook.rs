//! The panic hook belongs to the whole process, so it has a test program of its own.

use std::io;
use std::sync::{Arc, Mutex};

use persistor_serve::install_panic_hook;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic holds it").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_log_says_where_and_never_what() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    install_panic_hook();
    let caught = tracing::subscriber::with_default(subscriber, || std::panic::catch_unwind(|| panic!("the payload was 4711")));
    assert!(caught.is_err());
    let text = String::from_utf8(log.0.lock().expect("no panic holds it").clone()).expect("logs are text");
    assert!(text.contains("ERROR") && text.contains("panic_hook.rs:"), "{text}");
    assert!(!text.contains("4711"), "{text}");
}
