//! The key template: which parts of a message its key is made of, in which order; it renders keys and reads them back.
//!
//! What a template may be is decided when it is parsed, so that rendering cannot fail and every key obeys all stores' rules.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{Datelike as _, NaiveDate, Timelike as _};

use crate::digest::{is_hex, sha256_hex};
use crate::error::{Error, Result};
use crate::escape::{LONGEST, escape, unescape};
use crate::key::{Key, LONGEST_KEY, LONGEST_SEGMENT, RECORD_SUFFIX, is_key_byte};
use crate::message::Message;
use crate::record::Record;

/// The template that stands where none is chosen.
pub const DEFAULT_TEMPLATE: &str = "{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}";

/// Hex digits of the payload's SHA-256 at the end of a key.
pub(crate) const DIGEST_DIGITS: usize = 32;
const MOST_SHARD_DIGITS: usize = 8;

/// How keys are made, such as [`DEFAULT_TEMPLATE`]. FORMAT.md has the grammar and the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    segments: Vec<Vec<Part>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Stream,
    Date(Date),
    Id,
    Attribute { name: String, default: String },
    Shard(usize),
    Digest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Date {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

const DATES: [(char, Date); 6] =
    [('Y', Date::Year), ('m', Date::Month), ('d', Date::Day), ('H', Date::Hour), ('M', Date::Minute), ('S', Date::Second)];

/// What a key is rendered from; both a message and its record have it.
pub(crate) struct Source<'a> {
    pub(crate) stream: &'a str,
    pub(crate) id: &'a str,
    pub(crate) second: chrono::NaiveDateTime,
    pub(crate) sha256: &'a str,
    pub(crate) attribute: &'a dyn Fn(&str) -> Option<&'a str>,
}

/// A key read back: encoded values, as they stand in the key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParsedKey {
    /// The stream, if the template holds it.
    pub stream: Option<String>,
    /// The message id.
    pub id: String,
    /// The first 32 hex digits of the payload's SHA-256.
    pub digest: String,
    /// The publish time as far as the template holds it: year, month, day, and perhaps hour, minute, second.
    pub date: Vec<u32>,
    /// The attributes that the template holds, by name.
    pub attributes: BTreeMap<String, String>,
}

impl Template {
    /// Reads a template and checks every rule.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) with the rule it breaks.
    pub fn parse(text: &str) -> Result<Self> {
        let segments = parse_segments(text).and_then(|segments| check(&segments).map(|()| segments));
        segments
            .map(|segments| Self { text: text.to_owned(), segments })
            .map_err(|rule| Error::invalid(format!("key template `{text}`: {rule}")))
    }

    /// Checks that the longest key still is a legal name behind an archive's prefix of so many bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) with both lengths.
    pub fn check_prefix(&self, prefix: usize) -> Result<()> {
        let longest = self.longest_key() + prefix;
        if longest > LONGEST_KEY {
            let text = &self.text;
            return Err(Error::invalid(format!(
                "key template `{text}`: with the archive's prefix of {prefix} bytes a name can be {longest} bytes long, the most is {LONGEST_KEY}"
            )));
        }
        Ok(())
    }

    fn longest_key(&self) -> usize {
        self.segments.iter().map(|segment| width(segment) + 1).sum::<usize>() - 1 + RECORD_SUFFIX.len()
    }

    /// Whether keys hold attributes, which must not reach a log.
    pub fn holds_attributes(&self) -> bool {
        self.segments.iter().flatten().any(|part| matches!(part, Part::Attribute { .. }))
    }

    /// The key of a message: a pure function of it.
    pub fn render(&self, message: &Message) -> Key {
        self.render_source(&Source {
            stream: message.stream().as_str(),
            id: message.id().as_str(),
            second: message.publish_time().second(),
            sha256: message.sha256(),
            attribute: &|name| message.attributes().get(name).map(crate::Attribute::text),
        })
    }

    /// The key that a record's message has: what says under which layout a key was made.
    pub fn render_record(&self, record: &Record) -> Key {
        self.render_source(&Source {
            stream: record.stream().as_str(),
            id: record.id().as_str(),
            second: record.publish_time().second(),
            sha256: record.sha256(),
            attribute: &|name| record.attributes().get(name).map(crate::Attribute::text),
        })
    }

    pub(crate) fn render_source(&self, source: &Source<'_>) -> Key {
        let mut out = String::new();
        for (n, segment) in self.segments.iter().enumerate() {
            if n > 0 {
                out.push('/');
            }
            for part in segment {
                out.push_str(&render_part(part, source));
            }
        }
        // The template's check bounds every width and the escape keeps to the alphabet.
        Key::parse(out).expect("a checked template renders legal keys")
    }

    /// Reads a key back into encoded values; `None` for every key that this template does not render.
    pub fn read(&self, key: &Key) -> Option<ParsedKey> {
        let mut parsed = ParsedKey::default();
        let mut shard = None;
        let mut segments = key.as_str().split('/');
        for parts in &self.segments {
            let mut rest = segments.next()?;
            let variable = parts.iter().position(|part| fixed_width(part).is_none()).unwrap_or(parts.len());
            for part in &parts[..variable] {
                let (value, behind) = rest.split_at_checked(fixed_width(part)?)?;
                take(part, value, &mut parsed, &mut shard)?;
                rest = behind;
            }
            // Behind the one part of variable width, widths are known from the end.
            let behind: usize = parts.iter().skip(variable + 1).filter_map(fixed_width).sum();
            if let Some(part) = parts.get(variable) {
                let (value, tail) = rest.split_at_checked(rest.len().checked_sub(behind)?)?;
                take(part, value, &mut parsed, &mut shard)?;
                rest = tail;
                for part in &parts[variable + 1..] {
                    let (value, behind) = rest.split_at_checked(fixed_width(part)?)?;
                    take(part, value, &mut parsed, &mut shard)?;
                    rest = behind;
                }
            }
            if !rest.is_empty() {
                return None;
            }
        }
        let shard_fits = match (&shard, unescape(&parsed.id)?) {
            (Some(digits), Some(id)) => sha256_hex(id.as_bytes()).starts_with(digits),
            _ => true,
        };
        (segments.next().is_none() && date_exists(&parsed.date) && shard_fits).then_some(parsed)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Default for Template {
    fn default() -> Self {
        // A constant that the tests parse.
        Self::parse(DEFAULT_TEMPLATE).expect("the default template keeps the rules")
    }
}

fn render_part(part: &Part, source: &Source<'_>) -> String {
    match part {
        Part::Literal(text) => text.clone(),
        Part::Stream => escape(source.stream),
        Part::Id => escape(source.id),
        Part::Attribute { name, default } => escape((source.attribute)(name).unwrap_or(default)),
        Part::Shard(digits) => sha256_hex(source.id.as_bytes())[..*digits].to_owned(),
        Part::Digest => source.sha256[..DIGEST_DIGITS].to_owned(),
        Part::Date(date) => {
            let t = &source.second;
            match date {
                Date::Year => format!("{:04}", t.year()),
                Date::Month => format!("{:02}", t.month()),
                Date::Day => format!("{:02}", t.day()),
                Date::Hour => format!("{:02}", t.hour()),
                Date::Minute => format!("{:02}", t.minute()),
                Date::Second => format!("{:02}", t.second()),
            }
        }
    }
}

/// Puts one value read from a key where it belongs; `None` if rendering never makes it.
fn take(part: &Part, value: &str, parsed: &mut ParsedKey, shard: &mut Option<String>) -> Option<()> {
    let encoded = || unescape(value).map(|_| value.to_owned());
    match part {
        Part::Literal(text) => return (text == value).then_some(()),
        Part::Stream => parsed.stream = Some(encoded()?),
        Part::Id => parsed.id = encoded()?,
        Part::Attribute { name, .. } => {
            parsed.attributes.insert(name.clone(), encoded()?);
        }
        Part::Shard(digits) => *shard = is_hex(value, *digits).then(|| Some(value.to_owned()))?,
        Part::Digest => parsed.digest = is_hex(value, DIGEST_DIGITS).then(|| value.to_owned())?,
        Part::Date(_) => parsed.date.push(value.bytes().all(|b| b.is_ascii_digit()).then(|| value.parse().ok())??),
    }
    Some(())
}

fn date_exists(date: &[u32]) -> bool {
    let part = |n: usize| date.get(n).copied().unwrap_or(0);
    let day =
        i32::try_from(part(0)).ok().filter(|year| *year >= 1).and_then(|year| NaiveDate::from_ymd_opt(year, part(1), part(2)));
    day.and_then(|day| day.and_hms_opt(part(3), part(4), part(5))).is_some()
}

/// The width of a part in bytes, if it is always the same.
fn fixed_width(part: &Part) -> Option<usize> {
    match part {
        Part::Literal(text) => Some(text.len()),
        Part::Date(Date::Year) => Some(4),
        Part::Date(_) => Some(2),
        Part::Shard(digits) => Some(*digits),
        Part::Digest => Some(DIGEST_DIGITS),
        Part::Stream | Part::Id | Part::Attribute { .. } => None,
    }
}

fn width(segment: &[Part]) -> usize {
    segment.iter().map(|part| fixed_width(part).unwrap_or(LONGEST)).sum()
}

fn parse_segments(text: &str) -> Result<Vec<Vec<Part>>, String> {
    let mut segments = vec![Vec::new()];
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match c {
            '{' => {
                let (field, behind) = rest[1..].split_once('}').ok_or("a `{` is never closed")?;
                parse_field(field, &mut segments)?;
                rest = behind;
            }
            '}' => return Err("a `}` closes nothing".into()),
            _ => {
                let literal = rest.split(['{', '}']).next().unwrap_or(rest);
                push_literal(literal, &mut segments)?;
                rest = &rest[literal.len()..];
            }
        }
    }
    Ok(segments)
}

fn parse_field(field: &str, segments: &mut Vec<Vec<Part>>) -> Result<(), String> {
    let (name, argument) = field.split_once(':').map_or((field, None), |(name, argument)| (name, Some(argument)));
    let part = match (name, argument) {
        ("stream", None) => Part::Stream,
        ("id", None) => Part::Id,
        ("digest", None) => Part::Digest,
        ("time", Some(format)) => return parse_time(format, segments),
        ("attribute", Some(argument)) => match argument.split_once('|') {
            Some((name, default)) if !name.is_empty() => Part::Attribute { name: name.to_owned(), default: default.to_owned() },
            _ => return Err(format!("`{{{field}}}` needs a name and a default: `{{attribute:NAME|DEFAULT}}`")),
        },
        ("shard", Some(digits)) => match digits.parse() {
            Ok(digits) if (1..=MOST_SHARD_DIGITS).contains(&digits) => Part::Shard(digits),
            _ => return Err(format!("`{{{field}}}` needs a number of hex digits from 1 to {MOST_SHARD_DIGITS}: `{{shard:2}}`")),
        },
        _ => {
            return Err(format!(
                "`{{{field}}}` is not a field; there are `{{stream}}`, `{{time:%Y/%m/%d/%H/%M%S}}`, `{{id}}`, `{{attribute:NAME|DEFAULT}}`, `{{shard:N}}` and `{{digest}}`"
            ));
        }
    };
    push(part, segments);
    Ok(())
}

fn parse_time(format: &str, segments: &mut Vec<Vec<Part>>) -> Result<(), String> {
    let mut pieces = format.split('%');
    push_literal(pieces.next().unwrap_or_default(), segments)?;
    for piece in pieces {
        let letter = piece.chars().next();
        let date = DATES.iter().find(|(known, _)| Some(*known) == letter).map(|(_, date)| *date);
        let date = date.ok_or("`time` knows `%Y %m %d %H %M %S` only")?;
        push(Part::Date(date), segments);
        push_literal(&piece[1..], segments)?;
    }
    Ok(())
}

fn push(part: Part, segments: &mut [Vec<Part>]) {
    if let Some(segment) = segments.last_mut() {
        segment.push(part);
    }
}

fn push_literal(literal: &str, segments: &mut Vec<Vec<Part>>) -> Result<(), String> {
    for (n, text) in literal.split('/').enumerate() {
        if n > 0 {
            segments.push(Vec::new());
        }
        if text.is_empty() {
            continue;
        }
        let rule = if text.contains('~') {
            "`~` is kept for escapes"
        } else if !text.bytes().all(is_key_byte) {
            "text may hold `A-Z a-z 0-9 . _ - /` only"
        } else if text.starts_with(['_', '.']) {
            "text may not start with `_` or `.`"
        } else if text.ends_with('.') {
            "text may not end with `.`"
        } else {
            push(Part::Literal(text.to_owned()), segments);
            continue;
        };
        return Err(format!("`{text}`: {rule}"));
    }
    Ok(())
}

fn check(segments: &[Vec<Part>]) -> Result<(), String> {
    let parts: Vec<&Part> = segments.iter().flatten().collect();
    for (n, part) in parts.iter().enumerate() {
        let again = |other: &&&Part| match (part, **other) {
            (Part::Attribute { name, .. }, Part::Attribute { name: other, .. }) => name == other,
            (Part::Literal(_) | Part::Date(_), _) => false,
            (part, other) => std::mem::discriminant(*part) == std::mem::discriminant(other),
        };
        if parts[..n].iter().any(|other| again(&other)) {
            return Err("a field stands twice".into());
        }
    }
    let dates: Vec<Date> = parts.iter().filter_map(|part| if let Part::Date(date) = part { Some(*date) } else { None }).collect();
    if dates.len() < 3 || dates.iter().zip(DATES).any(|(date, (_, expected))| *date != expected) {
        return Err("it needs a date down to the day at least, each part once and in the order `%Y %m %d %H %M %S`".into());
    }
    if !parts.contains(&&Part::Stream) {
        return Err("it needs `{stream}`, since ids are unique within one entity only".into());
    }
    if !parts.contains(&&Part::Id) {
        return Err("it needs `{id}`".into());
    }
    if parts.last() != Some(&&Part::Digest) {
        return Err("it needs `{digest}` at the very end".into());
    }
    for (n, segment) in segments.iter().enumerate() {
        if segment.is_empty() {
            return Err("a segment is empty (`/` first, last or twice)".into());
        }
        if segment.iter().filter(|part| fixed_width(part).is_none()).count() > 1 {
            return Err("a segment may hold one of `{stream}`, `{id}` and `{attribute:…}`, so that keys can be read back".into());
        }
        let suffix = if n + 1 == segments.len() { RECORD_SUFFIX.len() } else { 0 };
        if width(segment) + suffix > LONGEST_SEGMENT {
            return Err(format!("a segment can be longer than {LONGEST_SEGMENT} bytes"));
        }
    }
    let template = Template { text: String::new(), segments: segments.to_vec() };
    template.check_prefix(0).map_err(|_| format!("a key can be longer than {LONGEST_KEY} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_refuses_with_its_reason() {
        for (text, reason) in [
            ("", "a date down to the day"),
            ("{time:%Y/%m}/{id}-{digest}", "a date down to the day"),
            ("{time:%m/%Y/%d}/{id}-{digest}", "in the order"),
            ("{time:%Y/%m/%d/%M}/{id}-{digest}", "in the order"),
            ("{time:%Y/%m/%d/%d}/{id}-{digest}", "each part once"),
            ("{time:%Y/%m/%d/%s}/{id}-{digest}", "`%Y %m %d %H %M %S` only"),
            ("{time:%Y/%m/%d/%}/{id}-{digest}", "`%Y %m %d %H %M %S` only"),
            ("{time:%Y/%m/%d}/{id}-{digest}", "`{stream}`"),
            ("{stream}/{time:%Y/%m/%d}-{digest}", "`{id}`"),
            ("{stream}/{time:%Y/%m/%d}/{digest}-{id}", "`{digest}` at the very end"),
            ("{stream}/{time:%Y/%m/%d}/{id}-{digest}-bin", "`{digest}` at the very end"),
            ("{stream}/{time:%Y/%m/%d}/{id}", "`{digest}` at the very end"),
            ("{id}/{time:%Y/%m/%d}/{id}-{digest}", "a field stands twice"),
            ("{time:%Y/%m/%d}/{stream}-{id}-{digest}", "so that keys can be read back"),
            ("{stream}{attribute:a|b}/{time:%Y/%m/%d}/{id}-{digest}", "so that keys can be read back"),
            ("/{stream}/{time:%Y/%m/%d}/{id}-{digest}", "a segment is empty"),
            ("{stream}/{time:%Y//%m/%d}/{id}-{digest}", "a segment is empty"),
            ("_x/{time:%Y/%m/%d}/{id}-{digest}", "start with `_` or `.`"),
            ("{stream}/.x/{time:%Y/%m/%d}/{id}-{digest}", "start with `_` or `.`"),
            ("{time:%Y/%m/%d}/{id}_{digest}", "start with `_` or `.`"),
            ("x./{time:%Y/%m/%d}/{id}-{digest}", "end with `.`"),
            ("x~/{time:%Y/%m/%d}/{id}-{digest}", "kept for escapes"),
            ("a b/{time:%Y/%m/%d}/{id}-{digest}", "only"),
            ("ä/{time:%Y/%m/%d}/{id}-{digest}", "only"),
            ("{time:%Y/%m/%d}/{id}-{digest", "never closed"),
            ("{time:%Y/%m/%d}/}{id}-{digest}", "closes nothing"),
            ("{name}/{time:%Y/%m/%d}/{id}-{digest}", "not a field"),
            ("{time}/{id}-{digest}", "not a field"),
            ("{attribute:a}/{time:%Y/%m/%d}/{id}-{digest}", "a name and a default"),
            ("{shard:0}/{time:%Y/%m/%d}/{id}-{digest}", "from 1 to 8"),
            ("{shard:9}/{time:%Y/%m/%d}/{id}-{digest}", "from 1 to 8"),
            (&format!("{{stream}}/{{time:%Y/%m/%d}}/{}{{id}}-{{digest}}", "x".repeat(62)), "longer than 255"),
        ] {
            let error = Template::parse(text).expect_err(text);
            assert!(error.to_string().contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn the_longest_key_is_bounded_with_the_prefix() {
        let longest = format!("{}{{stream}}/{{time:%Y/%m/%d}}/{}{{id}}-{{digest}}", "x".repeat(101), "x".repeat(61));
        assert!(Template::parse(&longest).is_ok(), "`.record` stands behind the last segment only");
        assert!(Template::parse(&format!("x{longest}")).is_err());
        let many: String = (0..7).map(|n| format!("{{attribute:a{n}|}}/")).collect();
        assert!(Template::parse(&format!("{many}{{stream}}/{{time:%Y/%m/%d}}/{{id}}-{{digest}}")).is_err());
        let template = Template::default();
        let room = LONGEST_KEY - template.longest_key();
        assert!(template.check_prefix(room).is_ok());
        assert!(template.check_prefix(room + 1).is_err());
    }

    #[test]
    fn only_keys_that_it_renders_are_read() {
        let template = Template::default();
        let good = "orders/2026/11/22/05/4012-142-2cf24dba5fb0a30e26e83b2ac5b9e29e";
        let read = |name: &str| template.read(&Key::parse(name).expect("a key"));
        assert_eq!(read(good).map(|parsed| parsed.id).as_deref(), Some("142"));
        for name in [
            good.replace("/11/", "/13/"),
            good.replace("/22/", "/31/"),
            good.replace("4012", "4060"),
            good.replace("4012", "401"),
            good.replace("2cf2", "2CF2"),
            good.replace("-142-", "--"),
            good.replace("orders", "_orders"),
            good.replace("orders", "or~41ers"),
            format!("{good}.record"),
            format!("x/{good}"),
            good[7..].to_owned(),
        ] {
            assert_eq!(read(&name), None, "{name}");
        }
        let sharded = Template::parse("{shard:2}/{stream}/{time:%Y/%m/%d}/{id}-{digest}").expect("valid");
        let key = |shard: &str| Key::parse(format!("{shard}/orders/2026/11/22/142-{}", "0".repeat(32))).expect("a key");
        assert_eq!((0..256).filter(|n| sharded.read(&key(&format!("{n:02x}"))).is_some()).count(), 1);
    }
}
