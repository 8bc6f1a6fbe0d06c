//! The grammar of a template and its rules: from the text to parts that render legal keys and read them back.

use super::{DATES, Date, MOST_SHARD_DIGITS, Part, Template, fixed_width, width};
use crate::key::{LONGEST_KEY, LONGEST_SEGMENT, RECORD_SUFFIX, is_key_byte};

pub(super) fn parse(text: &str) -> Result<Vec<Vec<Part>>, String> {
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

pub(super) fn check(segments: &[Vec<Part>]) -> Result<(), String> {
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
