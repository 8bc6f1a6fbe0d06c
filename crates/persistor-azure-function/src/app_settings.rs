//! The function app's settings, which the host gives as environment variables: names of entities, namespaces, what is disabled.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

/// All variables by their names in lower case, since the host asks for them without regard to it, with `:` written as `__`.
#[derive(Clone, Default)]
pub struct AppSettings(BTreeMap<String, String>);

impl AppSettings {
    /// Takes all variables that are text, usually those of [`std::env::vars_os`]. An empty value counts as unset.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let text = |(name, value): (OsString, OsString)| Some((canonical(name.to_str()?), value.into_string().ok()?));
        Self(variables.into_iter().filter_map(text).filter(|(_, value)| !value.is_empty()).collect())
    }

    /// A setting's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(&canonical(name)).map(String::as_str)
    }

    /// A text of a `function.json` with each `%NAME%` in it replaced by that setting.
    ///
    /// # Errors
    /// The name of the first setting that is not there.
    pub(crate) fn resolve(&self, text: &str) -> Result<String, String> {
        let mut resolved = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('%') {
            let Some((name, after)) = behind.split_once('%') else { break };
            resolved.push_str(before);
            resolved.push_str(self.get(name).ok_or_else(|| name.to_owned())?);
            rest = after;
        }
        Ok(resolved + rest)
    }

    /// The namespace's host name that a connection means: `NAME__fullyQualifiedNamespace`, or the endpoint in a connection string.
    ///
    /// Each may have `AzureWebJobs` in front: <https://learn.microsoft.com/azure/azure-functions/functions-reference#connections>.
    pub(crate) fn namespace(&self, connection: &str) -> Option<String> {
        [format!("AzureWebJobs{connection}"), connection.to_owned()].iter().find_map(|name| {
            // The host asks for a connection string first.
            let endpoint = self.get(name).and_then(endpoint).filter(|host| !host.is_empty());
            endpoint.or_else(|| self.get(&format!("{name}__fullyQualifiedNamespace")).map(str::to_owned))
        })
    }

    /// Whether a function is switched off by the app setting for that: `AzureWebJobs.NAME.Disabled`, on Linux also with `_` for the dots.
    pub(crate) fn disables(&self, function: &str) -> bool {
        let name = format!("AzureWebJobs.{function}.Disabled");
        [name.replace('.', "_"), name.replace('.', "__"), name].iter().any(|name| self.is_on(name))
    }

    /// Whether a setting says yes, as the host reads it.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
    }
}

/// The host name in a connection string; nothing else of it is looked at.
fn endpoint(connection_string: &str) -> Option<String> {
    let is_endpoint = |name: &str| name.trim().eq_ignore_ascii_case("endpoint");
    let mut parts = connection_string.split(';').filter_map(|part| part.split_once('='));
    let (_, url) = parts.find(|(name, _)| is_endpoint(name))?;
    let host = url.trim().split_once("://").map_or(url, |(_, rest)| rest);
    Some(host.split(['/', ':']).next().unwrap_or_default().to_owned())
}

fn canonical(name: &str) -> String {
    name.to_lowercase().replace(':', "__")
}

/// The names alone: connection strings are secrets.
impl fmt::Debug for AppSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> AppSettings {
        AppSettings::new(variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn names_are_put_in_place() {
        let settings = settings(&[("TopicName", "orders"), ("empty", "")]);
        assert_eq!(settings.resolve("%topicname%").as_deref(), Ok("orders"));
        assert_eq!(settings.resolve("a-%TopicName%-b%TopicName%").as_deref(), Ok("a-orders-borders"));
        assert_eq!(settings.resolve("orders").as_deref(), Ok("orders"));
        assert_eq!(settings.resolve("100%").as_deref(), Ok("100%"));
        assert_eq!(settings.resolve("%other%"), Err("other".to_owned()));
        assert_eq!(settings.resolve("%empty%"), Err("empty".to_owned()));
    }

    #[test]
    fn a_connection_names_its_namespace() {
        let host = Some("ns.servicebus.windows.net".to_owned());
        for (name, value) in [
            ("Bus__fullyQualifiedNamespace", "ns.servicebus.windows.net"),
            ("BUS:FULLYQUALIFIEDNAMESPACE", "ns.servicebus.windows.net"),
            ("AzureWebJobsBus__fullyQualifiedNamespace", "ns.servicebus.windows.net"),
            ("Bus", "SharedAccessKeyName=a;Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKey=b="),
            ("AzureWebJobsBus", "Endpoint=sb://ns.servicebus.windows.net:5671"),
        ] {
            assert_eq!(settings(&[(name, value)]).namespace("Bus"), host, "{name}");
        }
        let both = settings(&[("Bus", "Endpoint=sb://ns.servicebus.windows.net"), ("Bus__fullyQualifiedNamespace", "other")]);
        assert_eq!(both.namespace("Bus"), host, "as the host chooses");
        assert_eq!(settings(&[("Bus", "UseDevelopmentEmulator=true")]).namespace("Bus"), None);
        assert_eq!(settings(&[]).namespace("Bus"), None);
    }

    #[test]
    fn a_function_is_switched_off() {
        for (name, value, off) in [
            ("AzureWebJobs.F.Disabled", "1", true),
            ("AzureWebJobs_F_Disabled", "True", true),
            ("AzureWebJobs__F__Disabled", "true", true),
            ("AzureWebJobs.F.Disabled", "0", false),
            ("AzureWebJobs.F.Disabled", "false", false),
            ("AzureWebJobs.G.Disabled", "1", false),
        ] {
            assert_eq!(settings(&[(name, value)]).disables("F"), off, "{name}={value}");
        }
    }

    #[test]
    fn values_are_not_shown() {
        assert_eq!(format!("{:?}", settings(&[("Bus", "secret")])), r#"{"bus"}"#);
    }
}
