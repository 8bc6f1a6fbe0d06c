//! Messages as lines of JSON on standard output. What a line is, is `persistor-recover`'s affair.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use persistor_core::{Error, ErrorKind, Result};
use persistor_recover::{Capabilities, Feeds, Outgoing, Sink};

/// Lines that are worth giving at once, and bytes of payloads.
const BATCH: (usize, u64) = (256, 4 << 20);

/// Writes a line for each message, whole, one after the other. A line is confirmed when the system has it: what reads the pipe may still lose it.
pub(crate) struct Lines<W> {
    capabilities: Capabilities,
    /// None after the first failure.
    output: Mutex<Option<W>>,
}

impl Lines<io::Stdout> {
    pub(crate) fn stdout() -> Self {
        Self::new(io::stdout())
    }
}

impl<W: Write> Lines<W> {
    fn new(output: W) -> Self {
        Self { capabilities: Capabilities { batch: BATCH, ..Capabilities::unlimited() }, output: Mutex::new(Some(output)) }
    }

    /// Half a line may be out when this fails, so nothing is written behind it any more.
    fn write(&self, messages: &[Outgoing]) -> io::Result<()> {
        let mut guard = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let mut output = guard.take().ok_or(io::ErrorKind::BrokenPipe)?;
        for message in messages {
            let mut line = message.to_line();
            line.push('\n');
            output.write_all(line.as_bytes())?;
        }
        output.flush()?;
        *guard = Some(output);
        Ok(())
    }
}

impl<W> fmt::Debug for Lines<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("-")
    }
}

fn failed(error: io::Error) -> Error {
    // Nobody reads any more, or nothing more fits; the same again would not mend it, and half a line may be out.
    Error::new(ErrorKind::Denied, "write lines to standard output").with_source(error)
}

#[async_trait]
impl<W: Write + Send> Sink for Lines<W> {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }

    async fn feeds(&self, _entity: &str) -> Feeds {
        Feeds::No
    }

    async fn send(&self, messages: &[Outgoing], _ordered: bool) -> Vec<Result<String>> {
        // A pipe that nobody empties lets this wait, and so everything that would be written behind it.
        let written = tokio::task::block_in_place(|| self.write(messages));
        match written {
            Ok(()) => messages.iter().map(|_| Ok(String::new())).collect(),
            // How much of them is out is not known.
            Err(error) => {
                let (kind, text) = (error.kind(), error.to_string());
                messages.iter().map(|_| Err(failed(io::Error::new(kind, text.clone())))).collect()
            }
        }
    }

    async fn close(&self) -> Result<()> {
        // Every sending let everything out.
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        if output.is_some() { Ok(()) } else { Err(failed(io::ErrorKind::BrokenPipe.into())) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Takes about so many bytes, fails once as a pipe does that nobody reads, and would take more.
    #[derive(Clone, Default)]
    struct Pipe {
        taken: Arc<Mutex<Vec<u8>>>,
        room: Option<usize>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut taken = self.taken.lock().expect("no panic");
            if self.room.is_some_and(|room| (room - 200..room).contains(&taken.len())) {
                taken.clear();
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            taken.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn messages() -> Vec<Outgoing> {
        let payloads = (0..50).map(|number| format!("line\n{number}\0").into_bytes());
        payloads.map(|payload| Outgoing { payload: payload.into(), ..Outgoing::default() }).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn each_message_is_a_whole_line_in_order() {
        let pipe = Pipe::default();
        let sink = Lines::new(pipe.clone());
        let sent = sink.send(&messages(), false).await;
        assert!(sent.len() == 50 && sent.iter().all(Result::is_ok), "{sent:?}");
        // Confirmed means that it is out.
        let taken = pipe.taken.lock().expect("no panic").clone();
        let lines = taken.strip_suffix(b"\n").expect("the last line is whole").split(|byte| *byte == b'\n');
        let read: Vec<_> = lines.map(|line| Outgoing::from_line(line).expect("a line")).collect();
        assert_eq!(read, messages());
        assert!(sink.close().await.is_ok());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_broken_pipe_confirms_nothing() {
        let pipe = Pipe { room: Some(1000), ..Pipe::default() };
        let sink = Lines::new(pipe.clone());
        let sent = sink.send(&messages(), true).await;
        assert!(sent.len() == 50);
        for error in sent.into_iter().map(|sent| sent.expect_err("it is broken")) {
            assert_eq!(error.kind(), ErrorKind::Denied);
        }
        // Nor is anything written behind what may be half a line.
        let taken = pipe.taken.lock().expect("no panic").len();
        assert!(sink.send(&messages()[..1], true).await[0].is_err());
        assert_eq!(pipe.taken.lock().expect("no panic").len(), taken);
        assert!(sink.close().await.is_err());
    }
}
