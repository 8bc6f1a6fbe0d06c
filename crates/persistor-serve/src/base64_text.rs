//! The payload out of the raw text of a JSON string: strict base64, decoded once, whatever the string escapes.

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, DecodeSliceError, Engine as _};

use crate::buffer::Buffer;
use crate::fault::Fault;
use crate::refusal::Refusal;

/// Characters that are unescaped and decoded at a time: whole groups of four, small enough for a stack.
const CHUNK: usize = 4096;

/// Decodes `raw`, the text of a JSON string between its quotes (valid JSON, escapes still in it). The standard
/// alphabet, padded, trailing bits zero, nothing else: what decodes differently elsewhere is refused here.
///
/// # Errors
/// `bad-base64` with the rule it breaks, and no character of it.
pub fn decode(raw: &str) -> Result<Buffer, Fault> {
    // A quantum more than the text can hold: the decoder wants room for what the padding only then takes away.
    let mut out = Buffer::with_capacity(raw.len() / 4 * 3 + 3).map_err(Refusal::from)?;
    if raw.contains('\\') {
        decode_escaped(raw, &mut out)?
    } else {
        decode_part(raw.as_bytes(), &mut out)?
    }
    Ok(out)
}

/// The emulator and other senders write each `/` as `\/`; a copy of the whole text without escapes would double the memory.
fn decode_escaped(raw: &str, out: &mut Buffer) -> Result<(), Fault> {
    let mut chunk = [0; CHUNK];
    let mut filled = 0;
    let mut padded = false;
    let mut rest = raw.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let (byte, behind) = if byte == b'\\' { unescape(behind)? } else { (byte, behind) };
        rest = behind;
        if filled == CHUNK {
            let before = out.len();
            decode_part(&chunk, out)?;
            padded = out.len() - before < CHUNK / 4 * 3;
            filled = 0;
        }
        if padded {
            return Err(bad("text follows the padding"));
        }
        chunk[filled] = byte;
        filled += 1;
    }
    decode_part(&chunk[..filled], out)
}

fn unescape(behind: &[u8]) -> Result<(u8, &[u8]), Fault> {
    match behind {
        [b'/', rest @ ..] => Ok((b'/', rest)),
        [b'u', b'0', b'0', high, low, rest @ ..] => {
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => Ok((high * 16 + low, rest)),
                _ => Err(bad("an escape stands for no base64 character")),
            }
        }
        _ => Err(bad("an escape stands for no base64 character")),
    }
}

fn decode_part(text: &[u8], out: &mut Buffer) -> Result<(), Fault> {
    let decoded = STANDARD.decode_slice(text, out.room()).map_err(|error| {
        // The decoder's own message names the offending character; that would be content.
        bad(match error {
            DecodeSliceError::DecodeError(DecodeError::InvalidByte(..)) => {
                "a character is outside the standard alphabet, or padding stands inside"
            }
            DecodeSliceError::DecodeError(DecodeError::InvalidLastSymbol { .. }) => "the trailing bits are not zero",
            DecodeSliceError::DecodeError(DecodeError::InvalidPadding) => "the padding is missing or wrong",
            _ => "the length is not one that base64 has",
        })
    })?;
    out.advance(decoded);
    Ok(())
}

fn bad(reason: &'static str) -> Fault {
    Fault::malformed("bad-base64", reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(raw: &str) -> Result<Vec<u8>, Fault> {
        super::decode(raw).map(|buffer| buffer.to_vec())
    }

    #[test]
    fn only_the_one_right_form_decodes() {
        assert_eq!(decode("").as_deref(), Ok(&b""[..]));
        assert_eq!(decode("AP8=").as_deref(), Ok(&b"\0\xff"[..]));
        assert_eq!(decode("\\u0041P8\\u003d").as_deref(), Ok(&b"\0\xff"[..]));
        assert_eq!(decode("\\/\\/\\/\\u002F").as_deref(), Ok(&[255; 3][..]));
        for text in
            ["AP8", "AP8==", "AP9=", "A", "____", "AP8=\\n", "AP8 ", "AA==AAAA", "=", "AP8=AP8=", "\\u0141AAA", "A\\tAA", "é"]
        {
            assert!(decode(text).is_err(), "{text}");
        }
        // Padding at the end of a chunk that is not the last.
        let inner = format!("\\/{}AA==AAAA", "A".repeat(CHUNK - 5));
        assert_eq!(decode(&inner), Err(bad("text follows the padding")));
        let last = format!("\\/{}AA==", "A".repeat(CHUNK - 5));
        assert!(decode(&last).is_ok());
    }

    proptest! {
        #[test]
        fn every_payload_comes_back(payload in proptest::collection::vec(any::<u8>(), 0..20_000)) {
            let text = STANDARD.encode(&payload);
            prop_assert_eq!(decode(&text), Ok(payload.clone()));
            prop_assert_eq!(decode(&text.replace('/', "\\/")), Ok(payload.clone()));
            prop_assert_eq!(decode(&text.replace('A', "\\u0041")), Ok(payload));
        }
    }
}
