//! Figures as people read them: counts with separators, sizes with units.

/// `n` with a comma between thousands: `31,204`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `n` bytes in decimal units with one decimal, rounded half up: `999 B`, `1.0 kB`, `84.1 MB`.
pub fn bytes(n: u64) -> String {
    if n < 1000 {
        return format!("{n} B");
    }
    let mut unit = 1;
    let mut tenths = u128::from(n) * 10;
    let mut name = "B";
    for larger in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        // After rounding: 999,950 bytes are 1.0 MB and not 1000.0 kB.
        if tenths < 10_000 {
            break;
        }
        unit *= 1000;
        tenths = (u128::from(n) * 10 + unit / 2) / unit;
        name = larger;
    }
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_cut_at_thousands() {
        for (n, text) in [
            (0, "0"),
            (7, "7"),
            (999, "999"),
            (1000, "1,000"),
            (31_204, "31,204"),
            (100_000, "100,000"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(count(n), text);
        }
    }

    #[test]
    fn bytes_take_the_largest_unit_after_rounding() {
        for (n, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1049, "1.0 kB"),
            (1050, "1.1 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (84_100_000, "84.1 MB"),
            (3_200_000_000, "3.2 GB"),
            (7_000_000_000_000, "7.0 TB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(n), text);
        }
    }
}
