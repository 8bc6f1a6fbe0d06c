//! System calls of a running program, seen and spoilt by `strace`, which is attached to it and taken off again: so faults come and go
//! under a program that keeps running.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::program::Program;
use crate::scratch;
use crate::tools;
use crate::waiting;

/// An attached `strace`; dropped, it is taken off.
#[derive(Debug)]
pub struct Trace {
    child: Child,
    folder: TempDir,
}

/// One system call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The thread that made it; 0 where only one was watched.
    pub thread: u32,
    pub name: String,
    pub arguments: String,
    pub result: String,
    /// Where it began and ended among all beginnings and ends; what ended before another began, was before it.
    pub began: usize,
    pub ended: usize,
}

impl Call {
    /// Whether `strace` let it fail.
    pub fn is_injected(&self) -> bool {
        self.result.contains("(INJECTED)")
    }
}

impl Trace {
    /// Attaches to all threads of a program, those to come as well, with arguments such as `-e inject=fsync:error=EIO`; or a skip.
    pub fn attach(program: &Program, arguments: &[&str]) -> Option<Self> {
        Self::start(&["-f", "-p", &program.pid().to_string()], &all_threads(program), arguments)
    }

    /// Attaches to some threads of a program.
    pub fn attach_threads(threads: &[u32], arguments: &[&str]) -> Option<Self> {
        let list = threads.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        Self::start(&["-p", &list], threads, arguments)
    }

    fn start(to: &[&str], threads: &[u32], arguments: &[&str]) -> Option<Self> {
        let strace = tools::strace()?;
        let folder = scratch::folder();
        let mut command = Command::new(strace);
        // `-y` names the files behind descriptors. Threads are shown on each line even where there is one.
        command.args(["-q", "-q", "-y", "-s", "64", "-o"]).arg(folder.path().join("trace")).args(arguments).args(to);
        // It complains when a thread ends that it is keeping waiting.
        let complaints = fs::File::create(folder.path().join("complaints")).expect("our own folder");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(complaints);
        let mut trace = Self { child: command.spawn().expect("strace starts"), folder };
        waiting::until("strace to be attached", || {
            let ended = trace.child.try_wait().expect("our own child can be waited for");
            assert!(
                ended.is_none(),
                "strace ended: {}",
                fs::read_to_string(trace.folder.path().join("complaints")).unwrap_or_default()
            );
            threads.iter().all(|thread| is_traced(*thread)).then_some(())
        });
        Some(trace)
    }

    /// All that is written so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.path()).unwrap_or_default()).into_owned()
    }

    /// Takes `strace` off, if the program has not ended before, and gives the calls in the order of their ends.
    pub fn end(mut self) -> Vec<Call> {
        self.detach();
        calls(&self.text())
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("trace")
    }

    fn detach(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            // Not SIGKILL: its tracees would be left stopped where they are.
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.detach();
    }
}

/// What `strace` has written into a file so far, as [`Setup::traced`](crate::program::Setup::traced) has it do.
pub fn read(path: &Path) -> Vec<Call> {
    calls(&String::from_utf8_lossy(&fs::read(path).unwrap_or_default()))
}

/// The threads of a program.
pub fn all_threads(program: &Program) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{}/task", program.pid())).expect("it runs");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

fn is_traced(thread: u32) -> bool {
    // A thread that ended meanwhile need not be waited for.
    let Ok(status) = fs::read_to_string(Path::new("/proc").join(thread.to_string()).join("status")) else { return true };
    status.lines().filter_map(|line| line.strip_prefix("TracerPid:")).any(|tracer| tracer.trim() != "0")
}

/// Reads what `strace` wrote: `THREAD name(arguments) = result`, where a call during which others were seen stands on two lines.
fn calls(text: &str) -> Vec<Call> {
    let mut begun: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    let mut calls = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let (thread, rest) =
            if thread.bytes().all(|byte| byte.is_ascii_digit()) { (thread, rest.trim_start()) } else { ("", line) };
        if let Some(start) = rest.strip_suffix("<unfinished ...>") {
            begun.insert(thread, (at, start.trim_end().to_owned()));
        } else if let Some(resumed) = rest.strip_prefix("<... ") {
            let end = resumed.split_once(" resumed>").map_or("", |(_, end)| end);
            if let Some((began, start)) = begun.remove(thread) {
                calls.extend(call(thread, &format!("{start}{end}"), began, at));
            }
        } else {
            calls.extend(call(thread, rest, at, at));
        }
    }
    calls
}

fn call(thread: &str, text: &str, began: usize, ended: usize) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let arguments = arguments.trim_end().strip_suffix(')')?.to_owned();
    let thread = thread.parse().unwrap_or_default();
    Some(Call { thread, name: name.to_owned(), arguments, result: result.to_owned(), began, ended })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_on_one_line_and_on_two_are_read() {
        let text = "7 fsync(9</a> <unfinished ...>\n8 write(3<x>, \"a = b\", 5) = 5\n7 <... fsync resumed>) = -1 EIO (Input/output error) (INJECTED)\n7 +++ exited with 0 +++\n";
        let calls = calls(text);
        assert_eq!(calls.len(), 2);
        assert_eq!(
            (calls[0].name.as_str(), calls[0].arguments.as_str(), calls[0].result.as_str()),
            ("write", "3<x>, \"a = b\", 5", "5")
        );
        assert_eq!((calls[1].name.as_str(), calls[1].arguments.as_str()), ("fsync", "9</a>"));
        assert_eq!((calls[1].began, calls[1].ended, calls[1].is_injected()), (0, 2, true));
    }
}
