//! From raw strings to values: collects every fault before any is shown, and judges unknown names.
//!
//! The parsers belong to whoever wants the value; the table belongs to `setting`.

use std::error::Error;
use std::fmt;

use crate::credential::holds_credential;
use crate::environment::{Environment, PREFIX};
use crate::setting::{self, Function, SETTINGS};

/// Takes values out of an [`Environment`] and notes what is wrong with them.
#[derive(Debug)]
pub struct Resolver<'a> {
    environment: &'a Environment,
    function: Function,
    faults: Vec<String>,
}

impl<'a> Resolver<'a> {
    /// Resolves the settings of a function. Nothing is read until a value is asked for.
    pub fn new(environment: &'a Environment, function: Function) -> Self {
        Self { environment, function, faults: Vec::new() }
    }

    /// The function whose settings are resolved.
    pub fn function(&self) -> Function {
        self.function
    }

    /// The parsed value: the one that is set, else the table's default where that is a value.
    ///
    /// `None` where it is unset without such a default, and where a fault was noted; [`finish`](Self::finish) tells
    /// the two apart.
    pub fn value<T>(&mut self, name: &'static str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let setting = setting::find(name);
        let text = match self.environment.get(name) {
            Some(raw) => match raw.to_str() {
                Some(text) => text,
                None => {
                    self.fault(name, "is not UTF-8");
                    return None;
                }
            },
            None => setting.filter(|setting| setting.literal)?.default_of(self.function),
        };
        // Whatever could be made of it: it would be in logs, and perhaps in names.
        if !setting.is_some_and(|setting| setting.secret) && holds_credential(text) {
            self.fault(
                name,
                "its value (not shown here) looks like a credential, or an address with one in it, and none belongs here",
            );
            return None;
        }
        match parse(text) {
            Ok(value) => Some(value),
            Err(_) if setting.is_some_and(|setting| setting.secret) => {
                self.fault(name, "its value (not shown here) cannot be used");
                None
            }
            Err(reason) => {
                self.fault(name, reason);
                None
            }
        }
    }

    /// Notes a fault of the variable `name`, for what only shows when values are seen together.
    pub fn fault(&mut self, name: &str, reason: impl fmt::Display) {
        let mut line = format!("`{name}`: {reason}");
        if let Some(setting) = setting::find(name) {
            line.push_str(&format!("; for example `{name}={}`", setting.example));
        }
        self.faults.push(line);
    }

    /// Notes a fault of something other than a variable, such as a file.
    pub fn note(&mut self, fault: impl Into<String>) {
        self.faults.push(fault.into());
    }

    /// Judges unknown names, and gives the warnings to log where nothing was wrong.
    ///
    /// # Errors
    /// All faults together, in the order in which they were noted.
    pub fn finish(mut self) -> Result<Vec<String>, Faults> {
        let mut foreign = Vec::new();
        let of_others = |name: &str| setting::find(name).is_some_and(|setting| !setting.concerns(self.function));
        for name in self.environment.names().filter(|name| name.starts_with(PREFIX) && of_others(name)) {
            foreign.push(format!("`{name}`"));
        }
        for name in self.environment.unknown() {
            match meant(name) {
                Some(known) => self.faults.push(format!(
                    "`{name}`: no such setting; did you mean `{}`, for example `{}={}`",
                    known.name, known.name, known.example
                )),
                None => foreign.push(format!("`{name}`")),
            }
        }
        // One line: an orchestrator may inject a dozen of them.
        let warnings =
            (!foreign.is_empty()).then(|| format!("set, but no settings of this program, and ignored: {}", foreign.join(", ")));
        let warnings = Vec::from_iter(warnings);
        if self.faults.is_empty() { Ok(warnings) } else { Err(Faults(self.faults)) }
    }
}

/// The setting that an unknown name is a slip of, if it is one.
///
/// Up to a third of the letters after the prefix may be wrong, and never more than three: orchestrators
/// inject names such as `PERSISTOR_SERVICE_HOST`, which must not stop a program.
fn meant(name: &str) -> Option<&'static setting::Setting> {
    let name = name.to_ascii_uppercase();
    let tail = name.strip_prefix(PREFIX)?;
    SETTINGS
        .iter()
        .filter_map(|setting| {
            let known = setting.name.strip_prefix(PREFIX)?;
            let distance = strsim::damerau_levenshtein(tail, known);
            (distance <= (known.len() / 3).clamp(1, 3)).then_some((distance, setting))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, setting)| setting)
}

/// Everything that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<String>);

impl Faults {
    /// One line for each fault: the variable in backticks, the reason, a right value.
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("a setting is wrong")?,
            count => write!(f, "{count} settings are wrong")?,
        }
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl Error for Faults {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn set_values_come_before_defaults() {
        let environment = environment(&[("PERSISTOR_MEMORY", "1GiB")]);
        let mut resolver = Resolver::new(&environment, Function::Gcp);
        assert_eq!(resolver.value("PERSISTOR_MEMORY", parse::size), Some(1 << 30));
        assert_eq!(resolver.value("PERSISTOR_MAX_BODY", parse::size), Some(32 << 20));
        let text = |text: &str| Ok(text.to_owned());
        assert_eq!(resolver.value("PERSISTOR_STREAM", text), None);
        assert_eq!(resolver.value("PORT", text), None);
        assert_eq!(resolver.finish(), Ok(Vec::new()));
    }

    #[test]
    fn all_faults_are_shown_together_with_right_values() {
        let environment = environment(&[("PERSISTOR_MEMORY", "lots"), ("PERSISTOR_PUSH", "maybe"), ("PERSISTOR_ARCHVE", "x")]);
        let mut resolver = Resolver::new(&environment, Function::Gcp);
        assert_eq!(resolver.value("PERSISTOR_MEMORY", parse::size), None);
        let push = parse::one_of(&["wrapped", "unwrapped"]);
        assert_eq!(resolver.value("PERSISTOR_PUSH", push), None);
        let faults = resolver.finish().expect_err("three faults");
        assert_eq!(faults.lines().len(), 3);
        let text = faults.to_string();
        for part in
            ["`PERSISTOR_MEMORY=256MiB`", "`PERSISTOR_PUSH=wrapped`", "`PERSISTOR_ARCHVE`", "`PERSISTOR_ARCHIVE=./archive`"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn slips_are_faults_and_injected_names_are_warnings() {
        for (slip, known) in [
            ("PERSISTOR_ARCHVE", "PERSISTOR_ARCHIVE"),
            ("PERSISTOR_MAXBODY", "PERSISTOR_MAX_BODY"),
            ("PERSISTOR_WRITE_TIMEOUTS", "PERSISTOR_WRITE_TIMEOUT"),
            ("PERSISTOR_LGO", "PERSISTOR_LOG"),
            ("persistor_archive", "PERSISTOR_ARCHIVE"),
            ("PERSISTOR_RECORDS", "PERSISTOR_RECORD"),
        ] {
            assert_eq!(meant(slip).map(|setting| setting.name), Some(known));
        }
        let injected = [
            "PERSISTOR_PORT",
            "PERSISTOR_PORT_8080_TCP",
            "PERSISTOR_PORT_8080_TCP_ADDR",
            "PERSISTOR_PORT_8080_TCP_PORT",
            "PERSISTOR_PORT_8080_TCP_PROTO",
            "PERSISTOR_SERVICE_HOST",
            "PERSISTOR_SERVICE_PORT",
            "PERSISTOR_SERVICE_PORT_HTTP",
        ];
        let environment = environment(&injected.map(|name| (name, "x")));
        let warnings = Resolver::new(&environment, Function::Gcp).finish().expect("only warnings");
        assert_eq!(warnings.len(), 1, "one line, however many there are");
        assert!(injected.iter().all(|name| warnings[0].contains(&format!("`{name}`"))), "{warnings:?}");
    }

    #[test]
    fn defaults_and_names_are_a_functions_own() {
        let environment = environment(&[("PERSISTOR_PUSH", "wrapped"), ("PORT", "x"), ("AZURE_STORAGE_SAS_TOKEN", "secret")]);
        let mut resolver = Resolver::new(&environment, Function::Azure);
        assert_eq!(resolver.value("PERSISTOR_MAX_BODY", parse::size), Some(144 << 20));
        assert_eq!(resolver.value("AZURE_STORAGE_SAS_TOKEN", |_| Err::<(), _>("secret".to_owned())), None);
        let text = resolver.finish().expect_err("the token").to_string();
        assert!(text.contains("`AZURE_STORAGE_SAS_TOKEN`") && !text.contains("secret"), "{text}");
        let warnings = Resolver::new(&environment, Function::Azure).finish().expect("only warnings");
        assert_eq!(warnings, ["set, but no settings of this program, and ignored: `PERSISTOR_PUSH`"]);
        assert!(Resolver::new(&environment, Function::Gcp).finish().expect("none").is_empty());
    }

    #[test]
    fn a_credential_in_a_wrong_place_is_not_repeated() {
        for setting in SETTINGS {
            let value = "https://acme.example/archive?sig=secret";
            let environment = environment(&[(setting.name, value)]);
            let mut resolver = Resolver::new(&environment, Function::Gcp);
            assert_eq!(resolver.value(setting.name, |text| Err::<(), _>(text.to_owned())), None);
            // It is not taken for what it is not, either.
            let taken = resolver.value(setting.name, |text| Ok(text.to_owned()));
            assert_eq!(taken.is_some(), setting.secret, "{}", setting.name);
            let text = resolver.finish().expect_err("a fault").to_string();
            assert!(text.contains(setting.name) && !text.contains("sig=secret"), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_no_text_are_a_fault() {
        use std::os::unix::ffi::OsStringExt;
        let value = std::ffi::OsString::from_vec(vec![0xff]);
        let environment = Environment::new([("PERSISTOR_LOG".into(), value)]);
        let mut resolver = Resolver::new(&environment, Function::Gcp);
        assert_eq!(resolver.value("PERSISTOR_LOG", |text| Ok(text.to_owned())), None);
        let faults = resolver.finish().expect_err("not text");
        assert!(faults.to_string().contains("`PERSISTOR_LOG`: is not UTF-8"));
    }
}
