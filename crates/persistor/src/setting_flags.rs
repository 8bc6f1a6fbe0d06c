//! The settings as flags: made from the one table, so that a flag is its variable in another spelling.

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use persistor_serve::{Environment, Function, Setting, settings_of};

/// The flags that were given, by their variables' names; those of one function.
#[derive(Clone, Debug)]
pub(crate) struct SettingFlags<const AZURE: bool>(Vec<(&'static str, String)>);

impl<const AZURE: bool> SettingFlags<AZURE> {
    const FUNCTION: Function = if AZURE { Function::Azure } else { Function::Gcp };

    /// What may be said in a flag: everybody on a machine sees the arguments of its programs.
    fn settings() -> impl Iterator<Item = &'static Setting> {
        settings_of(Self::FUNCTION).filter(|setting| !setting.secret)
    }

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
    let prefixes = ["PERSISTOR_", "FUNCTIONS_CUSTOMHANDLER_", "FUNCTIONS_"];
    let short = prefixes.iter().find_map(|prefix| setting.name.strip_prefix(prefix));
    short.unwrap_or(setting.name).to_lowercase().replace('_', "-")
}

impl<const AZURE: bool> Args for SettingFlags<AZURE> {
    fn augment_args(command: Command) -> Command {
        Self::settings().fold(command, |command, setting| {
            let flag_name = flag(setting);
            let value_name = flag_name.to_uppercase().replace('-', "_");
            let default = setting.default_of(Self::FUNCTION);
            let help = format!("{} [variable: {}] [default: {default}]", setting.meaning, setting.name);
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

impl<const AZURE: bool> FromArgMatches for SettingFlags<AZURE> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |setting: &Setting| Some((setting.name, matches.get_one::<String>(setting.name)?.clone()));
        Ok(Self(Self::settings().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        Self::from_arg_matches(matches).map(|flags| *self = flags)
    }
}
