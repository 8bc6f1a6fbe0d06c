//! File systems that a test fills, takes away and brings back. All are below the test's own folders, and gone when dropped.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools;

/// A mounted file system.
#[derive(Debug)]
pub struct Mount {
    at: PathBuf,
    mounted: bool,
}

impl Mount {
    /// A file system in memory of so many bytes, or a skip.
    pub fn memory(at: &Path, bytes: u64) -> Option<Self> {
        tools::may_mount()?;
        let size = format!("size={bytes},mode=0755");
        mount(&["-t", "tmpfs", "-o", &size, "tmpfs"], at);
        Some(Self { at: at.to_owned(), mounted: true })
    }

    /// A folder seen at another place too, or a skip.
    pub fn bind(of: &Path, at: &Path) -> Option<Self> {
        tools::may_mount()?;
        mount(&["--bind", of.to_str().expect("our own path is text")], at);
        Some(Self { at: at.to_owned(), mounted: true })
    }

    /// Gives a file system in memory another size; false where more than that is in it already.
    pub fn resize(&self, bytes: u64) -> bool {
        let size = format!("remount,size={bytes}");
        Command::new("mount").args(["-o", &size]).arg(&self.at).output().is_ok_and(|output| output.status.success())
    }

    /// The bytes that are in it.
    ///
    /// # Panics
    /// If it cannot be asked.
    pub fn used(&self) -> u64 {
        let output = Command::new("df").args(["--block-size=1", "--output=used"]).arg(&self.at).output().expect("df runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().last().and_then(|line| line.trim().parse().ok()).unwrap_or_else(|| panic!("{}: {text}", self.at.display()))
    }

    /// Lets nothing more be written, or again.
    pub fn remount(&self, read_only: bool) {
        mount(&["-o", if read_only { "remount,ro" } else { "remount,rw" }], &self.at);
    }

    /// Takes it away, whoever uses it.
    pub fn unmount(&mut self) {
        assert!(self.mounted, "{} is not mounted", self.at.display());
        run(Command::new("umount").arg("--lazy").arg(&self.at));
        self.mounted = false;
    }

    /// Brings a folder back to where it was taken away.
    pub fn bind_again(&mut self, of: &Path) {
        assert!(!self.mounted, "{} is mounted", self.at.display());
        mount(&["--bind", of.to_str().expect("our own path is text")], &self.at);
        self.mounted = true;
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.mounted {
            let _ = Command::new("umount").arg("--lazy").arg(&self.at).status();
        }
    }
}

fn mount(arguments: &[&str], at: &Path) {
    run(Command::new("mount").args(arguments).arg(at));
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
