//! A built program that runs: its settings, its port, what it says, and how it ends.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};

use crate::logs::{Logs, says};
use crate::programs;
use crate::tools;
use crate::waiting;

/// How a program is to be started: with an environment that is empty but for `PATH` and what is asked for here.
#[derive(Clone, Debug)]
pub struct Setup {
    program: PathBuf,
    environment: BTreeMap<String, OsString>,
    /// A command that is given the program to run, if there is one.
    before: Vec<OsString>,
    arguments: Vec<OsString>,
}

impl Setup {
    pub fn new(program: PathBuf) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Self { program, environment: BTreeMap::from([("PATH".to_owned(), path)]), before: Vec::new(), arguments: Vec::new() }
    }

    /// The push handler, on a free port, storing into a folder.
    pub fn gcp_function(archive: &Path) -> Self {
        Self::new(programs::gcp_function()).set("PORT", "0").set("PERSISTOR_ARCHIVE", archive)
    }

    /// The custom handler, for the functions of an app, storing into a folder or a container. Its port is the host's affair.
    pub fn azure_function(app_root: &Path, archive: &Path) -> Self {
        Self::new(programs::azure_function())
            .set("FUNCTIONS_APP_ROOT_PATH", app_root)
            .set("FUNCTIONS_CUSTOMHANDLER_PORT", "0")
            .set("PERSISTOR_ARCHIVE", archive)
    }

    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn port(self, port: u16) -> Self {
        self.set("PORT", port.to_string())
    }

    /// Moves the program's clock by an offset such as `+3h`. Its timers run as before.
    #[must_use]
    pub fn faketime(self, library: &Path, offset: &str) -> Self {
        self.set("LD_PRELOAD", library).set("FAKETIME", offset).set("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    }

    /// Lets it see these files in the place of others, and nobody else; or a skip. What is written into such a file later is seen too.
    pub fn with_files(mut self, files: &[(&Path, &str)]) -> Option<Self> {
        tools::may_mount()?;
        let mut script = String::from("set -e; ");
        for (file, place) in files {
            script.push_str(&format!("mount --bind '{}' '{place}'; ", file.display()));
        }
        script.push_str("exec \"$0\" \"$@\"");
        self.before = ["unshare", "--mount", "sh", "-c"].map(OsString::from).into_iter().chain([script.into()]).collect();
        Some(self)
    }

    /// Has its system calls written into a file from its first one on, with arguments of `strace` such as `-e trace=fsync`; or a skip.
    pub fn traced(mut self, file: &Path, arguments: &[&str]) -> Option<Self> {
        let strace = tools::strace()?;
        // Beside the program and not above it, so that it stays our child; `-y` names the files behind descriptors.
        let own = ["-D", "-f", "-q", "-q", "-y", "-s", "64", "-o"].map(OsString::from);
        self.before =
            std::iter::once(strace.into()).chain(own).chain([file.into()]).chain(arguments.iter().map(OsString::from)).collect();
        Some(self)
    }

    /// Starts it and waits until it listens.
    ///
    /// # Panics
    /// If it ends or stays silent instead.
    pub fn start(&self) -> Program {
        let mut program = self.spawn();
        let line = waiting::until("the program to listen", || {
            let line = program.logs.entries().into_iter().find(|line| says(line, "listening"));
            if line.is_none()
                && let Some(status) = program.status()
            {
                panic!("{} ended before it listened: {status}", program.name);
            }
            line
        });
        let port = line["port"].as_u64().or_else(|| line["port"].as_str()?.parse().ok());
        program.port = port.and_then(|port| u16::try_from(port).ok()).unwrap_or_else(|| panic!("no port in {line}"));
        program
    }

    /// Starts it and does not wait.
    ///
    /// # Panics
    /// If there is no such program.
    pub fn spawn(&self) -> Program {
        let mut words = self.before.iter().map(OsString::as_os_str).chain([self.program.as_os_str()]);
        let mut command = Command::new(words.next().expect("the program at least"));
        command.args(words).args(&self.arguments);
        command.env_clear().envs(&self.environment);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("start {}: {error}", self.program.display()));
        let (logs, errors) = (Logs::default(), Logs::default());
        let readers = vec![
            logs.collect(child.stdout.take().expect("it is piped")),
            errors.collect(child.stderr.take().expect("it is piped")),
        ];
        let name = self.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Program { name, child, port: 0, logs, errors, readers, status: None }
    }
}

/// Sends a signal to a child that has not been waited for.
pub(crate) fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("our own child can be signalled");
}

/// A program that runs or has run. Dropped, it is killed; in a test that fails, what it said is shown.
pub struct Program {
    name: String,
    child: Child,
    port: u16,
    logs: Logs,
    errors: Logs,
    readers: Vec<JoinHandle<()>>,
    status: Option<ExitStatus>,
}

impl Program {
    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard output.
    pub fn logs(&self) -> &Logs {
        &self.logs
    }

    /// What it wrote to standard error.
    pub fn errors(&self) -> &Logs {
        &self.errors
    }

    /// Ends it as a power cut would, and waits until it is gone.
    pub fn kill9(&mut self) {
        assert!(self.status().is_none(), "{} had ended by itself", self.name);
        self.child.kill().expect("our own child can be killed");
        assert_eq!(self.wait().signal(), Some(9), "{} ended in another way", self.name);
    }

    /// Asks it to end, with SIGTERM, and does not wait.
    pub fn terminate(&mut self) {
        assert!(self.status().is_none(), "{} had ended by itself", self.name);
        signal(&self.child, Signal::TERM);
    }

    /// Stops it where it is, until it may go on.
    pub fn pause(&self) {
        signal(&self.child, Signal::STOP);
    }

    pub fn go_on(&self) {
        signal(&self.child, Signal::CONT);
    }

    /// How it ended, if it has.
    pub fn status(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().expect("our own child can be waited for");
        }
        self.status
    }

    /// Waits until it has ended and all it said is collected.
    pub fn wait(&mut self) -> ExitStatus {
        let name = self.name.clone();
        let status = waiting::until(&format!("{name} to end"), || self.status());
        for reader in self.readers.drain(..) {
            reader.join().expect("readers do not panic");
        }
        status
    }

    /// The most memory that it has held at once so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel says so");
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
        kib * 1024
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("name", &self.name).field("pid", &self.child.id()).finish_non_exhaustive()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.status.is_none() && self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            for (stream, logs) in [("stdout", &self.logs), ("stderr", &self.errors)] {
                let lines = logs.lines();
                let first = lines.len().saturating_sub(200);
                eprintln!("--- {stream} of {} (process {}), {} lines", self.name, self.child.id(), lines.len());
                eprintln!("{}", lines[first..].join("\n"));
            }
        }
    }
}
