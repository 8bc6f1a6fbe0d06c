//! The stream that a push URL's path names.

use percent_encoding::percent_decode_str;
use persistor_core::Stream;

/// A path that names no stream and is not `/` either.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoSuchPath;

/// The stream of a path: its one segment, percent-decoded; `/` names none. Two segments, an empty one or bad UTF-8 are no path here.
pub(crate) fn stream(path: &str) -> Result<Option<Stream>, NoSuchPath> {
    // `*`, and a host without a path, name nothing.
    let segment = path.strip_prefix('/').ok_or(NoSuchPath)?;
    if segment.is_empty() {
        return Ok(None);
    }
    let segment = segment.strip_suffix('/').unwrap_or(segment);
    if segment.contains('/') {
        return Err(NoSuchPath);
    }
    let name = percent_decode_str(segment).decode_utf8().map_err(|_| NoSuchPath)?;
    Stream::new(name).map(Some).map_err(|_| NoSuchPath)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_segment_names_the_stream() {
        let named = |path: &str| stream(path).map(|stream| stream.map(|stream| stream.as_str().to_owned()));
        assert_eq!(named("/"), Ok(None));
        for (path, name) in
            [("/orders", "orders"), ("/orders/", "orders"), ("/a%20b", "a b"), ("/a%2Fb", "a/b"), ("/%C3%A9", "é"), ("/..", "..")]
        {
            assert_eq!(named(path), Ok(Some(name.to_owned())), "{path}");
        }
        for path in ["", "*", "orders", "//", "/a/b", "/a//", "//a", "///", "/%FF", "/a/b/"] {
            assert_eq!(named(path), Err(NoSuchPath), "{path}");
        }
    }
}
