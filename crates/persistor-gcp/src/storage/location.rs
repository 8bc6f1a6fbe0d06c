//! Where in Cloud Storage an archive is: `gs://BUCKET/PREFIX`.

use std::fmt;

use persistor_core::{Error, ErrorKind, Key, Result};

/// A bucket, and the prefix below which the archive's blobs are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketLocation {
    bucket: String,
    prefix: String,
}

impl BucketLocation {
    /// Reads what stands behind `gs://`: a bucket's name, and perhaps a slash and a prefix, which may end with one slash.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] with the rule it breaks: <https://cloud.google.com/storage/docs/buckets#naming> for the bucket, and a
    /// key's own rules for the prefix, so that the archive can be copied to every store.
    pub fn parse(text: &str) -> Result<Self> {
        let (bucket, prefix) = text.split_once('/').unwrap_or((text, ""));
        if let Some(rule) = broken_rule(bucket) {
            return Err(Error::new(ErrorKind::Invalid, format!("bucket `{bucket}`: {rule}")));
        }
        if prefix.is_empty() {
            return Ok(Self { bucket: bucket.to_owned(), prefix: String::new() });
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let key = Key::parse(prefix)
            .map_err(|error| Error::new(ErrorKind::Invalid, format!("the prefix `{prefix}` of an archive")).with_source(error))?;
        Ok(Self { bucket: bucket.to_owned(), prefix: format!("{key}/") })
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// What every name in the archive begins with: empty, or ends with a slash.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl fmt::Display for BucketLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gs://{}/{}", self.bucket, self.prefix)
    }
}

fn broken_rule(bucket: &str) -> Option<&'static str> {
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = bucket.as_bytes();
    if !(3..=222).contains(&bytes.len()) || bucket.split('.').any(|part| part.len() > 63) {
        Some("a name has 3 to 63 characters, or up to 222 with dots")
    } else if !bytes.iter().all(|byte| edge(Some(byte)) || b"-_.".contains(byte)) {
        Some("a name holds lower-case letters, digits, `-`, `_` and `.` only")
    } else if !edge(bytes.first()) || !edge(bytes.last()) || bucket.contains("..") {
        Some("a name begins and ends with a letter or a digit, and has no two dots together")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_bucket_and_a_prefix() {
        for (text, bucket, prefix) in [
            ("archive", "archive", ""),
            ("archive/", "archive", ""),
            ("my.archive_1/a", "my.archive_1", "a/"),
            ("archive/a/b~20/", "archive", "a/b~20/"),
        ] {
            let location = BucketLocation::parse(text).expect(text);
            assert_eq!((location.bucket(), location.prefix()), (bucket, prefix));
        }
    }

    #[test]
    fn refuses_what_cloud_storage_or_another_store_would_not_take() {
        for text in
            ["", "ab", "/a", "Archive", "-archive", "archive.", "a..b", "arch ive", "archive//", "archive//a", "archive/a//b"]
        {
            assert!(BucketLocation::parse(text).is_err(), "{text}");
        }
        for text in ["archive/../a", "archive/a b", "archive/.well-known/acme-challenge", &"a".repeat(64)] {
            assert!(BucketLocation::parse(text).is_err(), "{text}");
        }
    }
}
