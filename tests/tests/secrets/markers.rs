//! What must not be told, each with a text of its own in it, and how it is found in whatever way it is written. A new secret is a line of [`MARKERS`].

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// What a secret is, and the text that stands in it and nowhere else: letters and digits only, so that no escaping changes them.
pub(crate) type Marker = (&'static str, &'static str);

pub(crate) const PAYLOAD: Marker = ("payload", "Pay4711LoadZq9x");
pub(crate) const ATTRIBUTE: Marker = ("attribute", "Val4711AttrZq9x");
pub(crate) const ATTRIBUTE_NAME: Marker = ("attribute name", "Nam4711AttrZq9x");
pub(crate) const ORDERING_KEY: Marker = ("ordering key", "Ord4711KeyZq9x");
/// The token that Pub/Sub's pushes carry.
pub(crate) const PUSH_TOKEN: Marker = ("push token", "Jwt4711PushZq9x");
pub(crate) const SAS: Marker = ("SAS", "Sig4711SasZq9x");
pub(crate) const ACCOUNT_KEY: Marker = ("account key", "Acc4711KeyZq9x");
pub(crate) const SHARED_KEY: Marker = ("shared access key", "Sha4711KeyZq9x");
pub(crate) const AUTHORIZATION: Marker = ("authorization of a sink", "Aut4711SinkZq9x");
pub(crate) const PASSWORD: Marker = ("password", "Pas4711WordZq9x");
pub(crate) const IDENTITY_HEADER: Marker = ("identity header", "Ide4711HeadZq9x");
pub(crate) const AZURE_TOKEN: Marker = ("token of an Azure identity", "Tok4711AzureZq9x");
pub(crate) const GOOGLE_TOKEN: Marker = ("token of a Google identity", "Tok4711GoogleZq9x");

pub(crate) const MARKERS: [Marker; 13] = [
    PAYLOAD,
    ATTRIBUTE,
    ATTRIBUTE_NAME,
    ORDERING_KEY,
    PUSH_TOKEN,
    SAS,
    ACCOUNT_KEY,
    SHARED_KEY,
    AUTHORIZATION,
    PASSWORD,
    IDENTITY_HEADER,
    AZURE_TOKEN,
    GOOGLE_TOKEN,
];

/// What a message holds, where a command was asked for it.
pub(crate) const CONTENTS: [Marker; 4] = [PAYLOAD, ATTRIBUTE, ATTRIBUTE_NAME, ORDERING_KEY];

/// Something that was said: by whom, where, and what may be in it.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) run: String,
    pub(crate) place: &'static str,
    pub(crate) text: Vec<u8>,
    pub(crate) may: Vec<Marker>,
}

impl Said {
    pub(crate) fn new(run: impl Into<String>, place: &'static str, text: impl Into<Vec<u8>>) -> Self {
        Self { run: run.into(), place, text: text.into(), may: Vec::new() }
    }

    /// What is told and must not be.
    pub(crate) fn leaks(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.text);
        let forbidden = MARKERS.iter().filter(|marker| !self.may.contains(marker));
        let leak = |(name, core): &Marker| {
            let (way, at) = found(core, &text)?;
            let around: String = text[..at].chars().rev().take(120).collect::<Vec<_>>().into_iter().rev().collect();
            Some(format!("{}: {} tells the {name}, {way}, behind: {around}", self.run, self.place))
        };
        forbidden.filter_map(leak).collect()
    }
}

/// How and where a text has a marker, if it has.
pub(crate) fn found(core: &str, text: &str) -> Option<(&'static str, usize)> {
    let lower = text.to_ascii_lowercase();
    if let Some(at) = lower.find(&core.to_ascii_lowercase()) {
        return Some(("as it is", at));
    }
    written(core).into_iter().find_map(|(way, form)| {
        let at = if way == "in hex" { lower.find(&form) } else { text.find(&form) };
        at.map(|at| (way, at))
    })
}

/// A marker as programs write bytes.
fn written(core: &str) -> Vec<(&'static str, String)> {
    let bytes = core.as_bytes();
    let joined = |separator: &str| bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(separator);
    let hex = |separator: &str| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(separator);
    let mut forms = vec![
        ("in hex", hex("")),
        ("in hex", hex(" ")),
        ("in hex", hex("\\x")),
        ("percent-encoded", bytes.iter().map(|byte| format!("%{byte:02X}")).collect()),
        ("as escapes of JSON", bytes.iter().map(|byte| format!("\\u{byte:04x}")).collect()),
        ("as a list of bytes", joined(", ")),
        ("as a list of bytes", joined(",")),
        (
            "as UTF-16",
            bytes.iter().flat_map(|byte| [char::from(*byte), '\0']).collect::<String>().trim_end_matches('\0').to_owned(),
        ),
    ];
    // Base64 has three ways, by what is before; the letters at the ends depend on the neighbours.
    for before in 0..3 {
        let whole = [&b"\0\0"[..before], bytes].concat();
        let whole = &whole[..whole.len() / 3 * 3];
        for text in [STANDARD.encode(whole), URL_SAFE.encode(whole)] {
            forms.push(("in base64", text[(before * 8).div_ceil(6)..].to_owned()));
        }
    }
    forms
}

/// Without this, that nothing is found proves nothing.
#[test]
fn a_marker_is_found_in_whatever_way_it_is_written() {
    for (name, core) in MARKERS {
        let around = format!("x{core}\"");
        for text in [
            around.clone(),
            around.to_uppercase(),
            format!("{around:?}"),
            format!("{:?}", around.as_bytes()),
            format!("{:?}", bytes::Bytes::from(around.clone())),
            serde_json::to_string(&around).expect("JSON"),
            serde_json::to_string(around.as_bytes()).expect("JSON"),
            around.bytes().map(|byte| format!("{byte:02X}")).collect(),
            around.bytes().map(|byte| format!("%{byte:02X}")).collect(),
            STANDARD.encode(core),
            STANDARD.encode(format!("a{core}b")),
            URL_SAFE.encode(format!("ab{core}")),
            format!("Basic {}", STANDARD.encode(format!("user:{core}"))),
        ] {
            assert!(found(core, &text).is_some(), "{name} in {text}");
        }
        assert_eq!(
            found(core, &MARKERS.iter().filter(|marker| marker.1 != core).map(|marker| marker.1).collect::<String>()),
            None
        );
    }
}
