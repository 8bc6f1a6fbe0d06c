//! Google's own Pub/Sub emulator as a process of the test's own.

use std::process::{Child, Command, Stdio};

use crate::http::{Connection, Request};
use crate::ports;
use crate::tools::{self, PubsubEmulator};
use crate::waiting;

/// A running emulator; dropped, it ends.
#[derive(Debug)]
pub struct Emulator {
    child: Child,
    port: u16,
    tool: PubsubEmulator,
}

impl Emulator {
    /// Starts one on a free port and waits until it answers; or a skip.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn start() -> Option<Self> {
        let tool = tools::pubsub_emulator()?;
        let port = ports::free();
        let mut emulator = Self { child: launch(&tool, port), port, tool };
        emulator.wait();
        Some(emulator)
    }

    /// Kills it. What it kept is gone: it keeps all in memory.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts one on the same port, which knows no topic.
    pub fn start_again(&mut self) {
        self.kill();
        self.child = launch(&self.tool, self.port);
        self.wait();
    }

    fn wait(&mut self) {
        waiting::until("the Pub/Sub emulator to answer", || {
            let status = self.child.try_wait().expect("our own child can be waited for");
            assert!(status.is_none(), "the Pub/Sub emulator ended: {status:?}");
            let answer = Connection::open(self.port).and_then(|mut connection| connection.exchange(&Request::get("/")));
            answer.ok().filter(|answer| answer.status == 200)
        });
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where clients reach it.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.kill();
    }
}

fn launch(PubsubEmulator { java, jar }: &PubsubEmulator, port: u16) -> Child {
    let mut command = Command::new(java);
    command.arg("-jar").arg(jar).arg("--host=127.0.0.1").arg(format!("--port={port}"));
    // It logs several lines for every request.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("java starts")
}
