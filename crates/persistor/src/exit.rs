//! The exit codes, the same for every command, and the error that is the user's to mend.

use std::fmt;
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
    /// It was done, and no message was meant by it.
    Nothing = 4,
    /// It was asked to end, and is to be started again: what the Azure Functions host reads it as.
    Restart = 200,
}

impl Exit {
    /// How a command over several things ends that ended so for one of them: damage is never hidden by what is not there.
    pub(crate) fn or(self, other: Self) -> Self {
        if self == Self::Damage || other == Self::Fine { self } else { other }
    }
}

/// For `--help`.
pub(crate) const HELP: &str = "Exit codes: 0 fine, 1 failed, 2 wrong arguments or settings, 3 damage found, 4 nothing matched";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Arguments that make no sense, in words that say what to write instead.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Ends a command with [`Usage`].
macro_rules! usage {
    ($($part:tt)*) => {
        return Err($crate::exit::Usage(format!($($part)*)).into())
    };
}
pub(crate) use usage;
