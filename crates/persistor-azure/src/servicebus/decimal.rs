//! Decimal numbers as AMQP writes them: IEEE 754-2008 in the binary integer form, from their text.

/// A width of decimal numbers.
struct Width {
    bits: u32,
    /// The most digits of a coefficient.
    digits: usize,
    bias: i32,
    exponent_bits: u32,
}

const DECIMAL32: Width = Width { bits: 32, digits: 7, bias: 101, exponent_bits: 8 };
const DECIMAL64: Width = Width { bits: 64, digits: 16, bias: 398, exponent_bits: 10 };
const DECIMAL128: Width = Width { bits: 128, digits: 34, bias: 6176, exponent_bits: 14 };

pub(super) fn decimal32(text: &str) -> Option<[u8; 4]> {
    encode(text, &DECIMAL32)?.to_be_bytes()[12..].try_into().ok()
}

pub(super) fn decimal64(text: &str) -> Option<[u8; 8]> {
    encode(text, &DECIMAL64)?.to_be_bytes()[8..].try_into().ok()
}

pub(super) fn decimal128(text: &str) -> Option<[u8; 16]> {
    encode(text, &DECIMAL128).map(u128::to_be_bytes)
}

/// The number's bits; none for a text that is no number, or one that the width cannot hold exactly.
fn encode(text: &str, width: &Width) -> Option<u128> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) || significant.len() > width.digits {
        return None;
    }
    let coefficient: u128 = if significant.is_empty() { 0 } else { significant.parse().ok()? };
    let exponent = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?.checked_add(width.bias)?;
    // The exponent's two highest bits are never both set.
    let exponent = u128::try_from(exponent).ok().filter(|exponent| *exponent < 3 << (width.exponent_bits - 2))?;
    let sign = u128::from(negative) << (width.bits - 1);
    let room = width.bits - 1 - width.exponent_bits;
    // A coefficient that is too long by some bits has its first three, which are 100 then, left out, and 11 says so.
    if coefficient < 1 << room {
        Some(sign | exponent << room | coefficient)
    } else {
        let rest = coefficient & ((1 << (room - 2)) - 1);
        Some(sign | 0b11 << (width.bits - 3) | exponent << (room - 2) | rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bits of the standard's own examples, and of the largest numbers of each width.
    #[test]
    fn numbers_have_the_bits_of_the_standard() {
        assert_eq!(decimal32("0"), Some([0x32, 0x80, 0, 0]));
        assert_eq!(decimal32("-1"), Some([0xb2, 0x80, 0, 1]));
        assert_eq!(decimal32("1.50"), Some([0x31, 0x80, 0, 150]));
        assert_eq!(decimal32("9999999e90"), Some([0x77, 0xf8, 0x96, 0x7f]));
        assert_eq!(decimal64("1"), Some([0x31, 0xc0, 0, 0, 0, 0, 0, 1]));
        assert_eq!(decimal64("9999999999999999e369"), Some([0x77, 0xfb, 0x86, 0xf2, 0x6f, 0xc0, 0xff, 0xff]));
        let one = decimal128("1").expect("a number");
        assert_eq!((one[0], one[1], one[15]), (0x30, 0x40, 1));
        let most = decimal128(&format!("{}e6111", "9".repeat(34))).expect("a number");
        assert_eq!(most[..4], [0x5f, 0xff, 0xed, 0x09]);
    }

    #[test]
    fn what_does_not_fit_exactly_is_none() {
        for text in ["", "-", "x", "1x", "1e", "12345678", "1e97", "1e-102", "NaN", "1.2.3", "+1", "--1", "1e99999999999"] {
            assert_eq!(decimal32(text), None, "{text}");
        }
        assert_eq!(decimal32("00000001234567").map(|bytes| bytes[3]), Some(0x87));
    }
}
