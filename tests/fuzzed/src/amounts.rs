//! Sizes, time spans and rates as people write them.

use persistor_recover::replay::Rate;
use persistor_serve::{duration, size};

/// An amount that is read is one: not zero, shown without harm, and read again as the same.
pub fn amounts(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match size(text) {
        Ok(bytes) => {
            assert!(bytes > 0);
            assert_eq!(size(&bytes.to_string()), Ok(bytes));
        }
        Err(reason) => assert!(reason.starts_with('`'), "{reason}"),
    }
    match duration(text) {
        Ok(span) => {
            assert!(!span.is_zero());
            // Any moment of ours can be moved by it.
            assert!(std::time::Instant::now().checked_add(span).is_some());
        }
        Err(reason) => assert!(reason.starts_with('`'), "{reason}"),
    }
    if let Ok(rate) = text.parse::<Rate>() {
        let _ = rate.to_string();
        let (few, many) = (rate.time(1, 1), rate.time(1000, 1000));
        assert!(few <= many, "more takes no less");
    }
}
