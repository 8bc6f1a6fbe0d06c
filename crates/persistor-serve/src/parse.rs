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

/// A time span, from `8s`, `1m 30s` or `500ms`.
///
/// # Errors
/// Where it is no time span, or zero.
pub fn duration(text: &str) -> Result<Duration, String> {
    let span = humantime::parse_duration(text.trim())
        .map_err(|_| format!("`{text}` is not a duration; write a number with `ms`, `s` or `m`"))?;
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
    }

    #[test]
    fn choices() {
        let parse = one_of(&["wrapped", "unwrapped"]);
        assert_eq!(parse("unwrapped"), Ok("unwrapped"));
        let reason = parse("Wrapped").expect_err("words are compared as they are");
        assert_eq!(reason, "`Wrapped` is none of `wrapped`, `unwrapped`");
    }
}
