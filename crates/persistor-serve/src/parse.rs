//! Parsers for the forms in which people write sizes, durations and choices.
//!
//! Each gives a reason that reads on after the variable's name; which variable it is, the resolver says.

use std::time::Duration;

use bytesize::ByteSize;

/// Bytes, from `32MiB`, `32MB` or `1000000`.
///
/// # Errors
/// Where it is no size, or zero.
pub fn size(text: &str) -> Result<u64, String> {
    let bytes = text
        .trim()
        .parse::<ByteSize>()
        .map_err(|_| format!("`{text}` is not a size; write bytes, or a number with `KiB`, `MiB`, `GiB`"))?
        .as_u64();
    if bytes == 0 {
        return Err(format!("`{text}` is zero bytes"));
    }
    Ok(bytes)
}

/// The longest time span that is taken. Nobody means a longer one, and a moment cannot be moved by any.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// A time span, from `8s`, `1m 30s` or `500ms`; it may be zero.
///
/// # Errors
/// Where it is no time span, or longer than a year.
pub fn span(text: &str) -> Result<Duration, String> {
    // The parser panics on some sums near 2^64 seconds, which take more digits.
    if text.bytes().filter(u8::is_ascii_digit).count() > 11 {
        return Err(format!("`{text}` has more than 11 digits"));
    }
    let span = humantime::parse_duration(text.trim())
        .map_err(|_| format!("`{text}` is not a duration; write a number with `ms`, `s` or `m`"))?;
    if span > LONGEST {
        return Err(format!("`{text}` is longer than a year"));
    }
    Ok(span)
}

/// The same, but not zero.
///
/// # Errors
/// Where it is no time span, longer than a year, or zero.
pub fn duration(text: &str) -> Result<Duration, String> {
    let span = span(text)?;
    if span.is_zero() {
        return Err(format!("`{text}` is no time at all"));
    }
    Ok(span)
}

/// A parser that accepts exactly the given words, and gives the word.
pub fn one_of(words: &'static [&'static str]) -> impl Fn(&str) -> Result<&'static str, String> + Copy {
    move |text| {
        words.iter().copied().find(|word| *word == text).ok_or_else(|| {
            let known: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            format!("`{text}` is none of {}", known.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("32MiB"), Ok(32 << 20));
        assert_eq!(size(" 32 MiB "), Ok(32 << 20));
        assert_eq!(size("32MB"), Ok(32_000_000));
        assert_eq!(size("1000000"), Ok(1_000_000));
        assert_eq!(size("1.5KiB"), Ok(1536));
        for wrong in ["0", "0MiB", "", "MiB", "-1", "12 parsecs", "0.1"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(duration("8s"), Ok(Duration::from_secs(8)));
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for wrong in ["0s", "0", "", "8", "-8s", "soon"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!((span("0s"), span("366d")), (Ok(Duration::ZERO), Ok(LONGEST)));
        // The last one makes the parser panic.
        for long in ["367d", "99999999999y", "18446744073709551615s", "18446744073709551615s 1000000000ns"] {
            assert!(span(long).is_err() && duration(long).is_err(), "{long}");
        }
    }

    #[test]
    fn choices() {
        let parse = one_of(&["wrapped", "unwrapped"]);
        assert_eq!(parse("unwrapped"), Ok("unwrapped"));
        let reason = parse("Wrapped").expect_err("words are compared as they are");
        assert_eq!(reason, "`Wrapped` is none of `wrapped`, `unwrapped`");
    }
}
