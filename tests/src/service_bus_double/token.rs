//! The node `$cbs`: tokens in, their status out.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fe2o3_amqp::{Receiver, Sender};
use fe2o3_amqp_types::messaging::{AmqpValue, ApplicationProperties, Body, Message, Properties};
use fe2o3_amqp_types::primitives::{SimpleValue, Value};

use super::node::Authorized;
use super::{KEY, Put, RULE, Shared};
use crate::azurite::hmac_sha256;

/// Answers each request until the links end. A good token lets its connection send until it ends.
pub(super) async fn serve(mut requests: Receiver, mut answers: Sender, shared: &Shared, authorized: &Authorized) {
    while let Ok(delivery) = requests.recv::<Body<Value>>().await {
        if requests.accept(&delivery).await.is_err() {
            return;
        }
        let message = delivery.into_message();
        let text = |name: &str| match message.application_properties.as_ref().and_then(|properties| properties.0.get(name)) {
            Some(SimpleValue::String(text)) => text.clone(),
            _ => String::new(),
        };
        let token = match &message.body {
            Body::Value(AmqpValue(Value::String(token))) => token.clone(),
            _ => String::new(),
        };
        let (kind, name) = (text("type"), text("name"));
        let ends = if text("operation") == "put-token" { until(&kind, &name, &token, shared) } else { None };
        let ends = ends.filter(|ends| *ends > shared.now());
        let status = if ends.is_some() { 202 } else { 401 };
        shared.lock().puts.push(Put { kind, name, status });
        if ends.is_some() {
            *authorized.lock().expect("no thread panics with it") = ends;
        }
        let properties = message.properties.unwrap_or_default();
        let mut application_properties = ApplicationProperties::builder().build();
        application_properties.0.insert("status-code".to_owned(), SimpleValue::Int(status.into()));
        application_properties.0.insert("status-description".to_owned(), SimpleValue::String("said".to_owned()));
        let answer = Message::builder()
            .properties(Properties { correlation_id: properties.message_id, to: properties.reply_to, ..Properties::default() })
            .application_properties(application_properties)
            .value(Value::Null)
            .build();
        if answers.send(answer).await.is_err() {
            return;
        }
    }
}

/// When a token ends, if it is one for what the double is.
fn until(kind: &str, name: &str, token: &str, shared: &Shared) -> Option<SystemTime> {
    if !name.starts_with("amqps://localhost/") || !name.ends_with(&format!("/{}", shared.options.entity)) {
        return None;
    }
    match kind {
        "jwt" => shared.lock().issued.iter().find(|(issued, _)| issued == token).map(|(_, ends)| *ends),
        "servicebus.windows.net:sastoken" => signed(name, token),
        _ => None,
    }
}

fn signed(name: &str, token: &str) -> Option<SystemTime> {
    let pairs = token.strip_prefix("SharedAccessSignature ")?;
    let value = |name: &str| {
        pairs.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name)).map(|(_, value)| value)
    };
    let (resource, signature, ends, rule) = (value("sr")?, value("sig")?, value("se")?, value("skn")?);
    let expected = STANDARD.encode(hmac_sha256(KEY.as_bytes(), format!("{resource}\n{ends}").as_bytes()));
    let good = rule == RULE && decoded(resource) == name && decoded(signature) == expected;
    good.then(|| ends.parse().ok()).flatten().map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, behind)) = rest.split_first() {
        let escaped = (*byte == b'%').then(|| u8::from_str_radix(std::str::from_utf8(behind.get(..2)?).ok()?, 16).ok()).flatten();
        bytes.push(escaped.unwrap_or(*byte));
        rest = if escaped.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8(bytes).unwrap_or_default()
}
