//! A layout: how an archive's keys are made, written down inside the archive, so that no reader needs configuration.

use std::collections::BTreeMap;

use crate::digest::sha256_hex;
use crate::document::{FORMAT, later_or_damaged};
use crate::error::{Error, ErrorKind, Result};
use crate::json::Json;
use crate::key::Key;
use crate::template::{DIGEST_DIGITS, Template};

/// Where layouts are kept in an archive.
pub const LAYOUT_PREFIX: &str = "_persistor/layout/";

const DIGEST: &str = "sha256-32";
const ESCAPE: &str = "tilde-120";

/// One way of making keys: a template together with the digest and the escape that it uses. An archive has one or more.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Layout {
    template: Template,
}

impl Layout {
    /// The layout of a template.
    pub fn new(template: Template) -> Self {
        Self { template }
    }

    /// Its template, which renders and reads keys.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The canonical JSON document that describes it.
    pub fn encode(&self) -> String {
        let text = |text: &str| Json::String(text.to_owned());
        let members = [
            ("digest", text(DIGEST)),
            ("escape", text(ESCAPE)),
            ("format", text(FORMAT)),
            ("kind", text("layout")),
            ("requires", Json::Array(Vec::new())),
            ("template", Json::String(self.template.to_string())),
        ];
        Json::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()).encode()
    }

    /// The key of that document, named by its own digest.
    pub fn key(&self) -> Key {
        let digest = sha256_hex(self.encode().as_bytes());
        // A fixed prefix and hex digits.
        Key::parse(format!("{LAYOUT_PREFIX}{}.json", &digest[..DIGEST_DIGITS])).expect("a legal key")
    }

    /// Reads a layout's document. Members that it does not know are ignored.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where a later version wrote it, [`ErrorKind::Damaged`] where it is not a layout.
    pub fn decode(text: &str) -> Result<Self> {
        let Ok(Json::Object(members)) = Json::decode(text) else {
            return Err(later_or_damaged(text, "layout"));
        };
        let known = [("format", FORMAT), ("kind", "layout"), ("digest", DIGEST), ("escape", ESCAPE)];
        for (name, expected) in known {
            if string(&members, name)? != expected {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("a layout's `{name}` is one that this version does not know"),
                ));
            }
        }
        match members.get("requires") {
            Some(Json::Array(needs)) if needs.is_empty() => {}
            Some(Json::Array(_)) => {
                return Err(Error::new(ErrorKind::Unsupported, "a layout requires what this version does not know"));
            }
            _ => return Err(Error::damaged("a layout lacks `requires`")),
        }
        let template = Template::parse(string(&members, "template")?);
        template.map(Self::new).map_err(|error| Error::damaged("a layout's `template` breaks the rules").with_source(error))
    }
}

fn string<'a>(members: &'a BTreeMap<String, Json>, name: &str) -> Result<&'a str> {
    match members.get(name) {
        Some(Json::String(text)) => Ok(text),
        _ => Err(Error::damaged(format!("a layout lacks `{name}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_names_and_gives_back_its_layout() {
        let layout = Layout::default();
        assert_eq!(Layout::decode(&layout.encode()).expect("own document"), layout);
        assert!(layout.key().as_str().starts_with(LAYOUT_PREFIX));
        assert_ne!(layout.key(), Layout::new(Template::parse("{stream}/{time:%Y/%m/%d}/{id}-{digest}").expect("valid")).key());
    }

    #[test]
    fn later_versions_are_told_from_damage() {
        let text = Layout::default().encode();
        let kind = |text: &str| Layout::decode(text).map_err(|error| error.kind());
        assert_eq!(kind(&text.replace("persistor/1", "persistor/2")), Err(ErrorKind::Unsupported));
        assert_eq!(kind(&text.replace("[]", "[\"seals\"]")), Err(ErrorKind::Unsupported));
        assert_eq!(kind(&text.replace("escape", "xscape")), Err(ErrorKind::Damaged));
        assert_eq!(kind("[]"), Err(ErrorKind::Damaged));
        assert_eq!(kind(&text.replace("{stream}", "stream")), Err(ErrorKind::Damaged));
        assert_eq!(kind("{\"format\":\"persistor/2\",\"kind\":\"layout\",\"depth\":3}"), Err(ErrorKind::Unsupported));
        assert!(Layout::decode(&text.replace("{\"digest\"", "{\"author\":\"later\",\"digest\"")).is_ok());
    }
}
