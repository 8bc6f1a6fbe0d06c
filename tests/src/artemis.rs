//! Apache Artemis, a broker that speaks AMQP 1.0, as a process of the test's own; and what stands in its queues, read by a client that shares no code with ours.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::tools::{self, ArtemisProgram};
use crate::{ports, scratch, waiting};

/// Who may send and read.
pub const USER: (&str, &str) = ("u", "p");

/// A running broker; dropped, it ends, and all it kept is gone.
#[derive(Debug)]
pub struct Artemis {
    child: Child,
    port: u16,
    program: ArtemisProgram,
    folder: TempDir,
}

impl Artemis {
    /// Makes an instance with these queues and starts it on a free port, or a skip. Nobody may send or read without logging in, and no address is made by sending to it.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn start(queues: &[&str]) -> Option<Self> {
        let program = tools::artemis()?;
        let (folder, port) = (scratch::folder(), ports::free());
        let instance = folder.path().join("broker");
        let mut create = Command::new(&program.script);
        create.arg("create").arg(&instance).args(["--silent", "--user", USER.0, "--password", USER.1, "--require-login"]);
        create.args(["--queues", &queues.join(","), "--no-autocreate", "--no-web", "--no-autotune", "--host", "127.0.0.1"]);
        create.args(["--no-amqp-acceptor", "--no-hornetq-acceptor", "--no-mqtt-acceptor", "--no-stomp-acceptor"]);
        create.args(["--default-port", &port.to_string()]);
        let made = create.stdin(Stdio::null()).output().expect("the script of Artemis runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        let profile = instance.join("etc/artemis.profile");
        let text = std::fs::read_to_string(&profile).expect("a profile");
        // It takes what it is given, and messages here are few.
        std::fs::write(&profile, small(&text)).expect("it can be written");
        let mut artemis = Self { child: run(&folder), port, program, folder };
        artemis.wait();
        Some(artemis)
    }

    /// Kills it as a loss of power would.
    ///
    /// # Panics
    /// If it cannot be.
    pub fn kill(&mut self) {
        self.child.kill().expect("our own child can be killed");
        self.child.wait().expect("our own child can be waited for");
    }

    /// Starts it again with all that it had confirmed.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn restart(&mut self) {
        self.child = run(&self.folder);
        self.wait();
    }

    fn wait(&mut self) {
        waiting::until("Artemis to listen", || {
            let status = self.child.try_wait().expect("our own child can be waited for");
            assert!(status.is_none(), "Artemis ended: {status:?}");
            std::net::TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Takes so many messages out of a queue, in its order, by `tests/amqp_reader.js`.
    ///
    /// # Panics
    /// If the reader fails.
    pub fn read(&self, queue: &str, count: usize) -> Vec<Value> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("amqp_reader.js");
        let mut command = Command::new(&self.program.node);
        command.arg(script).arg(&self.program.rhea).args([&self.port.to_string(), queue, &count.to_string()]);
        let output = command.stdin(Stdio::null()).output().expect("node runs");
        let text = String::from_utf8(output.stdout).expect("JSON");
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

impl Drop for Artemis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(folder: &TempDir) -> Child {
    let mut command = Command::new(folder.path().join("broker/bin/artemis"));
    command.arg("run").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("the broker starts")
}

fn small(profile: &str) -> String {
    let word = |word: &str| match word {
        _ if word.starts_with("-Xms") => "-Xms64M".to_owned(),
        _ if word.starts_with("-Xmx") => "-Xmx256M".to_owned(),
        _ => word.to_owned(),
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    profile.lines().map(|text| line(text) + "\n").collect()
}
