//! The settings as flags: made from the one table, so that a flag is its variable in another spelling.

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use persistor_serve::{Environment, SETTINGS, Setting};

/// The flags that were given, by their variables' names.
#[derive(Clone, Debug)]
pub(crate) struct SettingFlags(Vec<(&'static str, String)>);

impl SettingFlags {
    /// This process' variables with the flags over them.
    pub(crate) fn environment(&self) -> Environment {
        let mut environment = Environment::new(std::env::vars_os());
        for (name, value) in &self.0 {
            environment.set(name, value);
        }
        environment
    }
}

/// `PERSISTOR_MAX_BODY` → `max-body`.
fn flag(setting: &Setting) -> String {
    setting.name.trim_start_matches("PERSISTOR_").to_lowercase().replace('_', "-")
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        SETTINGS.iter().fold(command, |command, setting| {
            let flag_name = flag(setting);
            let value_name = flag_name.to_uppercase().replace('-', "_");
            let help = format!("{} [variable: {}] [default: {}]", setting.meaning, setting.name, setting.default);
            let arg = Arg::new(setting.name)
                .long(flag_name)
                .value_name(value_name)
                .help(help)
                .value_parser(NonEmptyStringValueParser::new());
            command.arg(if setting.name == "PERSISTOR_ARCHIVE" { arg.short('a') } else { arg })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |setting: &Setting| Some((setting.name, matches.get_one::<String>(setting.name)?.clone()));
        Ok(Self(SETTINGS.iter().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        Self::from_arg_matches(matches).map(|flags| *self = flags)
    }
}
