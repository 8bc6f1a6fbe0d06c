//! A moment as people write it.

use chrono::{DateTime, Datelike as _, Timelike as _, Utc};
use persistor_core::ErrorKind;
use persistor_recover::{moment as read, shown};

/// A moment that is read is shown as a text that names it again, and RFC 3339 means what it means to others.
pub fn moment(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let now = DateTime::from_timestamp(1_795_326_012, 503_000_000).expect("a moment");
    let moment = match read(&text, now) {
        Ok(moment) => moment,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Invalid);
            return assert!(error.to_string().contains(text.trim()), "a refusal says what was written");
        }
    };
    assert!((1..=9999).contains(&moment.year()));
    assert_eq!(read(&shown(moment), now).expect("what is shown is read"), moment);
    if let Ok(other) = DateTime::parse_from_rfc3339(text.trim())
        && other.nanosecond() < 1_000_000_000
    {
        assert_eq!(moment, other.with_timezone(&Utc));
    }
}
