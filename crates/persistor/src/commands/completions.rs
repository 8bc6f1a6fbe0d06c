//! `persistor completions`: what makes a shell complete these commands, made from their own definitions.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::exit::Exit;
use crate::screen::Screen;

#[derive(Debug, Args)]
#[command(after_help = "\
Where the folder is there (mkdir -p makes it):
  persistor completions bash > ~/.local/share/bash-completion/completions/persistor
  persistor completions zsh > ~/.zfunc/_persistor
  persistor completions fish > ~/.config/fish/completions/persistor.fish")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run<Program: CommandFactory>(self) -> anyhow::Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Program::command(), "persistor", &mut script);
        let mut screen = Screen::new(true);
        screen.write(&script)?;
        Ok(screen.end(Exit::Fine)?)
    }
}
