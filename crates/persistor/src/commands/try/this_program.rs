//! This very program, as a child.

use std::process::{Command, Stdio};

use anyhow::Context as _;

/// The command without arguments. Only what is said with it counts: a try does not depend on the settings around it.
pub(super) fn command() -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("find this program")?);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PERSISTOR_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    Ok(command)
}
