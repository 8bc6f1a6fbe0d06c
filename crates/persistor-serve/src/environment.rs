//! The raw strings of the settings, before anything is parsed.
//!
//! Which strings are right is left to `resolve`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

use crate::setting;

/// The variables that concern us, from the process environment or from flags.
///
/// Only names that begin with `PERSISTOR_` and the others of the table are kept, so that nothing here can ever show
/// somebody else's secret, and whether Cloud Run started the program.
#[derive(Clone, Default)]
pub struct Environment {
    values: BTreeMap<String, OsString>,
}

impl Environment {
    /// Keeps what concerns us of `variables`, usually [`std::env::vars_os`]. An empty value counts as unset.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut environment = Self::default();
        for (name, value) in variables {
            environment.set(&name.to_string_lossy(), value);
        }
        environment
    }

    /// Sets one variable, over any value it had: flags come after the environment. An empty value unsets
    /// it, and a name that does not concern us is ignored.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        if !concerns_us(name) {
            return;
        }
        let value = value.into();
        if value.is_empty() {
            self.values.remove(name);
        } else {
            self.values.insert(name.to_owned(), value);
        }
    }

    /// Whether Cloud Run started the program, by its contract: <https://cloud.google.com/run/docs/container-contract#env-vars>.
    pub fn is_cloud_run(&self) -> bool {
        self.values.contains_key(CLOUD_RUN)
    }

    /// Whether this variable has a value.
    pub fn is_set(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.values.get(name).map(OsString::as_os_str)
    }

    /// Names that were set.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Names that were set and are in no table.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str).filter(|name| setting::find(name).is_none() && *name != CLOUD_RUN)
    }
}

/// The names alone: one of the values is a secret.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// The prefix is compared without case, so that `persistor_archive` is seen and refused, not ignored.
fn concerns_us(name: &str) -> bool {
    setting::find(name).is_some()
        || name == CLOUD_RUN
        || name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

pub(crate) const PREFIX: &str = "PERSISTOR_";
/// Cloud Run sets it to the service's name.
const CLOUD_RUN: &str = "K_SERVICE";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_only_what_concerns_us() {
        let environment = Environment::new(
            [
                ("PORT", "1"),
                ("PERSISTOR_LOG", "debug"),
                ("AWS_SECRET_ACCESS_KEY", "x"),
                ("PERSISTO", "x"),
                ("PERSISTÖR_LOG", "x"),
            ]
            .map(|(name, value)| (name.into(), value.into())),
        );
        assert_eq!(environment.values.keys().collect::<Vec<_>>(), ["PERSISTOR_LOG", "PORT"]);
        assert_eq!(format!("{environment:?}"), r#"{"PERSISTOR_LOG", "PORT"}"#);
    }

    #[test]
    fn empty_is_unset_and_flags_come_last() {
        let mut environment = Environment::new([("PORT".into(), "".into())]);
        assert_eq!(environment.get("PORT"), None);
        environment.set("PORT", "80");
        environment.set("PORT", "81");
        assert_eq!(environment.get("PORT"), Some(OsStr::new("81")));
        environment.set("PORT", "");
        assert_eq!(environment.get("PORT"), None);
    }
}
