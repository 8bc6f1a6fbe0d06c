//! Where messages are sent to, as `--to` says it: the one place that opens every sink, by the variables that the providers' own tools have.

mod http;
mod lines;

use std::sync::Arc;
#[cfg(feature = "service-bus")]
use std::time::{Duration, SystemTime};

use clap::ValueEnum;
#[cfg(feature = "service-bus")]
use persistor_azure::{AmqpSink, BrokerLocation, BusAccess, ConnectionString, CredentialKind, Login, ServiceBusLocation};
use persistor_core::sha256_hex;
#[cfg(feature = "pubsub")]
use persistor_gcp::{TopicEndpoint, TopicName, TopicSink};
use persistor_recover::Sink;
use persistor_serve::holds_credential;

use crate::exit::usage;
use crate::sinks::http::{Body, Http};
use crate::sinks::lines::Lines;
use crate::variable::variable;

/// `--to` for lines on standard output.
pub(crate) const LINES: &str = "-";
/// For one answer of a sink.
#[cfg(feature = "service-bus")]
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// What an address of HTTP gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    Raw,
    PubsubPush,
}

/// Opens a sink. Nothing is sent, and nothing asked.
pub(crate) fn open(to: &str, form: Option<Form>) -> anyhow::Result<Arc<dyn Sink>> {
    let http = to.starts_with("http://") || to.starts_with("https://");
    if form.is_some() && !http {
        usage!("--as is for addresses of HTTP, and `{}` is none", shown(to));
    }
    if to == LINES {
        return Ok(Arc::new(Lines::stdout()));
    }
    if !http && holds_credential(to) {
        usage!(
            "--to: the address (not shown here) looks like a credential, or has one in it, and is not the place for it: AZURE_SERVICEBUS_CONNECTION_STRING, AMQP_USERNAME and AMQP_PASSWORD, and PERSISTOR_SINK_AUTHORIZATION are"
        );
    }
    match to.split_once("://") {
        Some(("http" | "https", _)) => address(to, form),
        #[cfg(feature = "pubsub")]
        Some(("pubsub", rest)) => topic(rest),
        #[cfg(feature = "service-bus")]
        Some(("servicebus", rest)) => service_bus(rest),
        #[cfg(feature = "service-bus")]
        Some((scheme @ ("amqp" | "amqps"), rest)) => broker(rest, scheme == "amqps"),
        #[cfg(not(feature = "pubsub"))]
        Some(("pubsub", _)) => usage!(
            "--to pubsub://…: this program was built without Pub/Sub (feature `pubsub`): build it without --no-default-features"
        ),
        #[cfg(not(feature = "service-bus"))]
        Some(("servicebus" | "amqp" | "amqps", _)) => {
            usage!(
                "--to `{}`: this program was built without Service Bus (feature `service-bus`): build it without --no-default-features",
                shown(to)
            )
        }
        Some(("gs" | "az", _)) => usage!("--to `{to}`: into another archive messages are copied, with `persistor copy`"),
        _ => usage!(
            "--to `{}`: a sink is pubsub://PROJECT/TOPIC, servicebus://NAMESPACE/QUEUE, amqp(s)://HOST/ADDRESS, http(s)://…, or - for lines on standard output",
            shown(to)
        ),
    }
}

/// A sink's address without what may give access to it: a user and password, and what stands behind a question mark.
pub(crate) fn shown(to: &str) -> String {
    let address = to.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// A sink's address in a journal: as it is shown, and where that leaves something out, a digest of the whole, so that two addresses are never taken for one.
pub(crate) fn identity(to: &str) -> String {
    let shown = shown(to);
    if shown == to {
        return shown;
    }
    format!("{shown} (SHA-256 {}…)", &sha256_hex(to.as_bytes())[..16])
}

fn address(to: &str, form: Option<Form>) -> anyhow::Result<Arc<dyn Sink>> {
    let body = match form.unwrap_or(Form::Raw) {
        Form::Raw => Body::Raw,
        Form::PubsubPush => Body::PubsubPush,
    };
    let authorization = variable("PERSISTOR_SINK_AUTHORIZATION", |text| Ok(text.to_owned()))?;
    match Http::open(to, body, http::PATIENCE, authorization.as_deref()) {
        Ok(sink) => Ok(Arc::new(sink)),
        Err(error) => usage!("--to {}: {error}", shown(to)),
    }
}

#[cfg(feature = "pubsub")]
fn topic(rest: &str) -> anyhow::Result<Arc<dyn Sink>> {
    let (name, region) = match rest.split_once("?region=") {
        Some((name, region)) => (name, Some(region)),
        None => (rest, None),
    };
    let name = match TopicName::parse(name) {
        Ok(name) => name,
        Err(error) => usage!("--to pubsub://{name}: {error}"),
    };
    let region = match region.map(TopicEndpoint::region).transpose() {
        Ok(region) => region,
        Err(error) => usage!("--to pubsub://…?region=…: {error}"),
    };
    let emulator = variable("PUBSUB_EMULATOR_HOST", TopicEndpoint::emulator)?;
    Ok(Arc::new(TopicSink::new(name, emulator.or(region).unwrap_or(TopicEndpoint::PubSub))))
}

#[cfg(feature = "service-bus")]
fn service_bus(rest: &str) -> anyhow::Result<Arc<dyn Sink>> {
    let location = match ServiceBusLocation::parse(rest) {
        Ok(location) => location,
        Err(error) => usage!("--to servicebus://…: {error}"),
    };
    let access = match variable("AZURE_SERVICEBUS_CONNECTION_STRING", ConnectionString::parse)? {
        Some(string) => BusAccess::ConnectionString(string),
        None => BusAccess::Identity {
            credential: variable("AZURE_TOKEN_CREDENTIALS", CredentialKind::parse)?,
            client_id: variable("AZURE_CLIENT_ID", |text| Ok(text.to_owned()))?,
        },
    };
    if let Err(error) = access.check(&location) {
        usage!("AZURE_SERVICEBUS_CONNECTION_STRING: {error}");
    }
    Ok(Arc::new(AmqpSink::service_bus(location, &access, Arc::new(SystemTime::now), TIME_LIMIT)?))
}

#[cfg(feature = "service-bus")]
fn broker(rest: &str, tls: bool) -> anyhow::Result<Arc<dyn Sink>> {
    let location = match BrokerLocation::parse(rest, tls) {
        Ok(location) => location,
        Err(error) => usage!("--to amqp://…: {error}"),
    };
    let text = |name| variable(name, |text| Ok(text.to_owned()));
    let login = match (text("AMQP_USERNAME")?, text("AMQP_PASSWORD")?) {
        (Some(user), Some(password)) => Some(Login::new(user, password)),
        (None, None) => None,
        _ => usage!("AMQP_USERNAME and AMQP_PASSWORD belong together, and one of them is not set"),
    };
    Ok(Arc::new(AmqpSink::broker(location, login, TIME_LIMIT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_gives_access() {
        for (to, text) in [
            ("-", "-"),
            ("pubsub://p/t?region=europe-west1", "pubsub://p/t"),
            ("https://user:secret@host:8080/a/b?sig=secret#secret", "https://host:8080/a/b"),
            ("http://host", "http://host"),
            ("http://a@b@host/x@y", "http://host/x@y"),
        ] {
            assert_eq!(shown(to), text);
        }
    }

    #[test]
    fn what_is_no_sink_is_refused_in_words() {
        for to in
            ["", "topic", "gs://bucket/x", "ftp://host/x", "pubsub://p", "servicebus://n", "amqp://h", "pubsub://p/t?region=x"]
        {
            assert!(open(to, None).is_err(), "{to}");
        }
        assert!(open("pubsub://p/t", Some(Form::Raw)).is_err());
    }
}
