//! The program `persistor` as a command: arguments and standard input in; standard output, standard error and exit code out, apart.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::programs;

/// How commands are run: in a folder, with an environment that is empty but for `PATH` and what is set here.
#[derive(Clone, Debug)]
pub struct Cli {
    folder: PathBuf,
    environment: BTreeMap<String, OsString>,
}

/// What a command said and how it ended.
#[derive(Clone, Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub output: Vec<u8>,
    pub errors: String,
}

impl Cli {
    pub fn new(folder: &Path) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Self { folder: folder.to_owned(), environment: BTreeMap::from([("PATH".to_owned(), path)]) }
    }

    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// The command, to be run in another way than here.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(programs::persistor());
        command.args(arguments).current_dir(&self.folder).env_clear().envs(&self.environment);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Said {
        self.run_with(arguments, b"")
    }

    /// # Panics
    /// If the program does not run.
    pub fn run_with(&self, arguments: &[&str], input: &[u8]) -> Said {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("persistor starts");
        let mut stdin = child.stdin.take().expect("it is piped");
        let output = std::thread::scope(|scope| {
            // One that ends before it has read everything breaks the pipe.
            scope.spawn(move || drop(stdin.write_all(input)));
            child.wait_with_output().expect("persistor ends")
        });
        Said {
            code: output.status.code(),
            output: output.stdout,
            errors: String::from_utf8(output.stderr).expect("it talks in UTF-8"),
        }
    }

    /// Runs a command that has to end with a code, and gives what it said.
    ///
    /// # Panics
    /// If it ends with another.
    pub fn ends_with(&self, code: i32, arguments: &[&str], input: &[u8]) -> Said {
        let said = self.run_with(arguments, input);
        assert_eq!(said.code, Some(code), "{arguments:?}: {}\n{}", said.errors, String::from_utf8_lossy(&said.output));
        said
    }

    /// Runs a command that has to end well.
    pub fn fine(&self, arguments: &[&str]) -> Said {
        self.ends_with(0, arguments, b"")
    }
}

impl Said {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.output).expect("its data is UTF-8")
    }

    pub fn lines(&self) -> Vec<&str> {
        self.text().lines().collect()
    }

    /// Its lines of JSON.
    ///
    /// # Panics
    /// If one is none.
    pub fn json(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        self.text().lines().map(parse).collect()
    }
}
