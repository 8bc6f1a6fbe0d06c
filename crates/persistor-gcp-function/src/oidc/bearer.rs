//! The token in a request's headers. What stands in it is left to `token`.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::denied::Denied;

/// The longest token that is looked at, in bytes. Google's have about a thousand.
const LONGEST: usize = 8 * 1024;

/// The one token of the one `Authorization: Bearer`; RFC 6750, section 2.1, and RFC 7235 for the scheme, whose case is free.
pub(crate) fn token(headers: &HeaderMap) -> Result<&str, Denied> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Denied::NoToken)?;
    if values.next().is_some() {
        return Err(Denied::Malformed("there is more than one `Authorization` header"));
    }
    let text = value.to_str().map_err(|_| Denied::Malformed("the `Authorization` header is not ASCII"))?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Denied::Malformed("the `Authorization` header has another scheme than `Bearer`"));
    }
    match token.trim_matches(' ') {
        "" => Err(Denied::NoToken),
        token if token.len() > LONGEST => Err(Denied::Malformed("the token is longer than 8,192 bytes")),
        token => Ok(token),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn found(values: &[&[u8]]) -> Result<String, Denied> {
        let pair = |value: &&[u8]| (AUTHORIZATION, HeaderValue::from_bytes(value).expect("a value"));
        token(&values.iter().map(pair).collect()).map(str::to_owned)
    }

    #[test]
    fn one_header_of_the_scheme_has_the_token() {
        for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER   a.b.c "] {
            assert_eq!(found(&[value.as_bytes()]).as_deref(), Ok("a.b.c"), "{value}");
        }
        let long = format!("Bearer {}", "x".repeat(LONGEST));
        assert_eq!(found(&[long.as_bytes()]).map(|token| token.len()), Ok(LONGEST));
    }

    #[test]
    fn none_is_told_from_one_that_cannot_be_read() {
        assert_eq!(found(&[]), Err(Denied::NoToken));
        for value in ["Bearer", "Bearer ", "bearer    "] {
            assert_eq!(found(&[value.as_bytes()]), Err(Denied::NoToken), "{value}");
        }
        let long = format!("Bearer {}", "x".repeat(LONGEST + 1));
        let wrong: [&[&[u8]]; 7] = [
            &[b"Bearer a.b.c", b"Bearer a.b.c"],
            &[b"Basic YTpi", b"Bearer a.b.c"],
            &[b"Basic YTpi"],
            &[b"a.b.c"],
            &[b""],
            &[b"Bearer \xff"],
            &[long.as_bytes()],
        ];
        for values in wrong {
            assert!(matches!(found(values), Err(Denied::Malformed(_))), "{values:?}");
        }
    }
}
