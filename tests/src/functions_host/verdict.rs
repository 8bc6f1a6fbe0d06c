//! What the host makes of a custom handler's reply, read in `DefaultHttpWorkerService.cs` and in the media type formatters that it reads replies with.

use serde_json::Value;

use crate::http::{Answer, header};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Succeeded,
    /// The invocation failed, and why.
    Failed(String),
    /// There is nothing to set the result to: the invocation goes on until its time is up.
    Hangs,
    /// The host would follow it, with another request.
    Redirected,
}

impl Verdict {
    pub fn of(answer: &Answer) -> Self {
        match answer.status {
            200..=299 => Self::of_body(answer),
            300..=399 => Self::Redirected,
            status => Self::Failed(format!("status {status}")),
        }
    }

    fn of_body(answer: &Answer) -> Self {
        // Without any body no formatter is asked, whatever the content type.
        if answer.body.is_empty() {
            return Self::Hangs;
        }
        let content_type = header(&answer.headers, "content-type").unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim().to_lowercase();
        if !["application/json", "text/json"].contains(&media_type.as_str()) {
            return Self::Failed(format!("content type `{content_type}`"));
        }
        match serde_json::from_slice(&answer.body) {
            Ok(Value::Null) => Self::Hangs,
            Ok(Value::Object(members)) => {
                let wrong = members.iter().find(|(name, value)| match name.to_lowercase().as_str() {
                    "outputs" => !(value.is_object() || value.is_null()),
                    "logs" => !(value.is_null() || value.as_array().is_some_and(|lines| lines.iter().all(Value::is_string))),
                    _ => false,
                });
                wrong.map_or(Self::Succeeded, |(name, _)| Self::Failed(format!("a wrong `{name}`")))
            }
            Ok(other) => Self::Failed(format!("a body that is no object: {other}")),
            Err(error) => Self::Failed(format!("bad JSON: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, content_type: &str, body: &'static str) -> Verdict {
        let headers = vec![("Content-Type".to_owned(), content_type.as_bytes().to_vec())];
        Verdict::of(&Answer { status, headers, body: body.into() })
    }

    #[test]
    fn only_a_json_object_with_2xx_is_success() {
        for (status, content_type, body) in [
            (200, "application/json", "{}"),
            (299, "application/json; charset=utf-8", r#"{"Outputs":{},"Logs":["a"],"ReturnValue":1,"other":[]}"#),
            (202, "text/json", r#" {"logs":null,"outputs":null} "#),
        ] {
            assert_eq!(of(status, content_type, body), Verdict::Succeeded, "{status} {content_type} {body}");
        }
        for (status, content_type, body) in [
            (199, "application/json", "{}"),
            (400, "application/json", "{}"),
            (503, "application/json", "{}"),
            (200, "", "{}"),
            (200, "text/plain", "{}"),
            (200, "application/json", "[]"),
            (200, "application/json", "\"ok\""),
            (200, "application/json", "{"),
            (200, "application/json", r#"{"Outputs":[]}"#),
            (200, "application/json", r#"{"Logs":"a"}"#),
        ] {
            assert!(matches!(of(status, content_type, body), Verdict::Failed(_)), "{status} {content_type} {body}");
        }
        for (status, content_type, body) in [(204, "", ""), (200, "application/json", ""), (200, "application/json", "null")] {
            assert_eq!(of(status, content_type, body), Verdict::Hangs, "{status} {content_type} {body}");
        }
        assert_eq!(of(302, "application/json", "{}"), Verdict::Redirected);
    }
}
