//! The exit codes, the same for every command.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Fine = 0,
    /// It could not be done.
    Failed = 1,
    /// The arguments or settings are wrong; nothing was begun. The argument parser ends with it too.
    Usage = 2,
    /// It was done, and damage was found.
    Damage = 3,
}

/// For `--help`.
pub(crate) const HELP: &str = "Exit codes: 0 fine, 1 failed, 2 wrong arguments or settings, 3 damage found";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
