//! What records and layouts share as documents of an archive: the format's version, and telling a later version's from damage.

use crate::error::{Error, ErrorKind};

/// The version of the format that this crate writes.
pub const FORMAT: &str = "persistor/1";

/// The error for a document of `kind` that is not JSON as this version knows it: a later version's may hold anything else than
/// its `format` and `kind`.
pub(crate) fn later_or_damaged(text: &str, kind: &str) -> Error {
    let members = serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
    let is_other = |name: &str, known: &str| members[name].as_str().is_some_and(|text| text != known);
    let requires = members["requires"].as_array().is_some_and(|needs| !needs.is_empty());
    if is_other("format", FORMAT) || is_other("kind", kind) || requires {
        return Error::new(ErrorKind::Unsupported, format!("a {kind}'s place holds a document that this version does not know"));
    }
    Error::damaged(format!("what stands for the document of a {kind} is no JSON object without numbers and double names"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_later_version_says_of_itself_is_no_damage() {
        for (text, kind) in [
            (r#"{"format":"persistor/2","kind":"message","depth":3}"#, ErrorKind::Unsupported),
            (r#"{"format":"persistor/1","kind":"bundle","depth":3}"#, ErrorKind::Unsupported),
            (r#"{"format":"persistor/1","kind":"message","requires":["seals"],"depth":3}"#, ErrorKind::Unsupported),
            (r#"{"format":"persistor/1","kind":"message","requires":[],"depth":3}"#, ErrorKind::Damaged),
            (r#"{"format":"persistor/1","kind":"message","requires":"seals","depth":3}"#, ErrorKind::Damaged),
            (r#"{"format":2,"kind":2}"#, ErrorKind::Damaged),
            ("[]", ErrorKind::Damaged),
            ("{\"format\":\"persistor/2\"", ErrorKind::Damaged),
        ] {
            assert_eq!(later_or_damaged(text, "message").kind(), kind, "{text}");
        }
    }
}
