//! The key template: which parts of a message its key is made of, in which order; it renders keys and reads them back.
//!
//! What a template may be is decided when it is parsed, so that rendering cannot fail and every key obeys all stores' rules.

mod grammar;
mod ranges;

use std::collections::BTreeMap;
use std::fmt;

use chrono::{Datelike as _, NaiveDate, NaiveDateTime, Timelike as _};

use crate::digest::{is_hex, sha256_hex};
use crate::error::{Error, Result};
use crate::escape::{LONGEST, escape, unescape};
use crate::key::{Key, LONGEST_KEY, RECORD_SUFFIX};
use crate::message::Message;
use crate::record::Record;

pub use ranges::{KeyBounds, NameRange, NameRanges};

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
    pub(crate) second: NaiveDateTime,
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
        let segments = grammar::parse(text).and_then(|segments| grammar::check(&segments).map(|()| segments));
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

    /// How many parts of the publish time keys hold, from the year on: 3 (to the day) to 6 (to the second).
    pub fn time_parts(&self) -> usize {
        self.segments.iter().flatten().filter(|part| matches!(part, Part::Date(_))).count()
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
        Part::Date(date) => date_text(*date, &source.second),
    }
}

fn date_text(date: Date, t: &NaiveDateTime) -> String {
    match date {
        Date::Year => format!("{:04}", t.year()),
        Date::Month => format!("{:02}", t.month()),
        Date::Day => format!("{:02}", t.day()),
        Date::Hour => format!("{:02}", t.hour()),
        Date::Minute => format!("{:02}", t.minute()),
        Date::Second => format!("{:02}", t.second()),
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

#[cfg(test)]
mod tests;
