//! A call of the host, taken apart: `{"Data":{"NAME":…},"Metadata":{…}}`, its parts still raw.
//!
//! Source: the host's `ScriptInvocationContextExtensions`; nothing here has been seen of a real host.

use axum::http::StatusCode;
use persistor_serve::{Fault, Refusal};

use crate::json_value::{Object, raw_text};

/// The most bytes beside the data; a thousand messages with as many attributes as Service Bus lets them have are below it.
const MOST_METADATA: usize = 64 << 20;

/// The parts of a call.
#[derive(Debug)]
pub(crate) struct Envelope<'a> {
    /// The trigger's value, as it stands in the call.
    pub(crate) value: &'a str,
    /// What the host says of it.
    pub(crate) metadata: Object<'a>,
    /// The bytes of that.
    pub(crate) metadata_bytes: usize,
    /// The member `Data`, whole.
    pub(crate) data: &'a str,
}

/// Takes a body apart.
pub(crate) fn take_apart<'a>(body: &'a [u8], binding: &str) -> Result<Envelope<'a>, Fault> {
    let text = std::str::from_utf8(body).map_err(|_| Fault::malformed("not-json", "the body is not UTF-8"))?;
    let outer = Object::parse(text).map_err(not_json)?;
    let Some(data) = outer.get("Data") else {
        return Err(Fault::malformed("missing-data", "the body has no object `Data`: was it the Functions host that sent it?"));
    };
    let Some(value) = Object::parse(data).ok().and_then(|data| data.get(binding)) else {
        let reason = format!("`Data` has no member `{binding}`, as the trigger is named in function.json");
        return Err(Fault::malformed("missing-data", reason));
    };
    let metadata = raw_text(outer.get("Metadata"));
    if metadata.len() > MOST_METADATA {
        return Err(Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "metadata-too-large",
            format!("`Metadata` has over {MOST_METADATA} bytes"),
        )
        .into());
    }
    let metadata_bytes = metadata.len();
    let metadata = Object::parse(metadata).map_err(|_| Fault::malformed("bad-metadata", "`Metadata` is not an object"))?;
    Ok(Envelope { value, metadata, metadata_bytes, data })
}

fn not_json(error: serde_json::Error) -> Fault {
    // A position says where to look and holds no content, unlike the parser's own message.
    Fault::malformed("not-json", format!("the body is no JSON object, at line {} column {}", error.line(), error.column()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_says_beside_the_data_is_bounded() {
        let body = |length: usize| {
            let metadata = format!(r#"{{"a":"{}"}}"#, "x".repeat(length - r#"{"a":""}"#.len()));
            format!(r#"{{"Data":{{"m":"x"}},"Metadata":{metadata}}}"#)
        };
        let most = body(MOST_METADATA);
        assert_eq!(take_apart(most.as_bytes(), "m").map(|envelope| envelope.metadata_bytes).ok(), Some(MOST_METADATA));
        drop(most);
        let error = take_apart(body(MOST_METADATA + 1).as_bytes(), "m").expect_err("too much").refusal;
        assert_eq!((error.status, error.error), (StatusCode::PAYLOAD_TOO_LARGE, "metadata-too-large"));
    }
}
