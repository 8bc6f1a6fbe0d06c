//! The issuer's keys by their names, from a set of JSON Web Keys (RFC 7517).

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{DecodingKey, DecodingKeyKind};
use serde::Deserialize;
use serde_json::Value;

/// Keys for RS256 by name.
pub(crate) type KeySet = HashMap<String, Arc<DecodingKey>>;

/// Smaller ones can be broken; the cryptography takes none larger than the second.
const BITS: [usize; 2] = [2048, 8192];

#[derive(Deserialize)]
struct Set {
    /// Each for itself, so that one of a new kind does not take the others with it.
    keys: Vec<Value>,
}

/// Reads a set. Keys for anything else are passed over.
///
/// # Errors
/// If it is no set, or has no key at all for RS256: an answer that would shut everybody out is taken for a mistake, and keys from before go on.
pub(crate) fn read(json: &[u8]) -> anyhow::Result<KeySet> {
    let set: Set = serde_json::from_slice(json).context("it is no set of keys in JSON")?;
    let mut keys = KeySet::new();
    for (name, key) in set.keys.into_iter().filter_map(usable) {
        // Of two with one name, the first.
        keys.entry(name).or_insert_with(|| Arc::new(key));
    }
    if keys.is_empty() {
        bail!("it has no key for RS256");
    }
    Ok(keys)
}

fn usable(value: Value) -> Option<(String, DecodingKey)> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let is_for_signatures = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature))
        && matches!(jwk.common.key_algorithm, None | Some(KeyAlgorithm::RS256))
        && jwk.common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    let AlgorithmParameters::RSA(_) = jwk.algorithm else { return None };
    let key = DecodingKey::from_jwk(&jwk).ok().filter(|_| is_for_signatures)?;
    let DecodingKeyKind::RsaModulusExponent { n, .. } = key.kind() else { return None };
    let bits = bits(n);
    (BITS[0] <= bits && bits <= BITS[1]).then_some((jwk.common.key_id?, key))
}

/// Of a number without its leading zeros, with which the cryptography would refuse it.
fn bits(number: &[u8]) -> usize {
    match number {
        [0, ..] | [] => 0,
        [first, ..] => number.len() * 8 - first.leading_zeros() as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::testing::{A, B, jwk};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    fn names(keys: &[Value]) -> Vec<String> {
        let set = read(json!({ "keys": keys }).to_string().as_bytes()).expect("a set");
        let mut names: Vec<_> = set.into_keys().collect();
        names.sort();
        names
    }

    fn with(member: &str, value: Value) -> Value {
        let mut key = jwk(B, "other");
        key[member] = value;
        key
    }

    #[test]
    fn keys_for_anything_else_are_passed_over() {
        let modulus = |first: u8, bytes: usize| {
            let mut number = vec![0x55; bytes];
            number[0] = first;
            json!(URL_SAFE_NO_PAD.encode(number))
        };
        let without_name = {
            let mut key = jwk(B, "other");
            key.as_object_mut().expect("an object").remove("kid");
            key
        };
        let others = [
            with("alg", json!("RS512")),
            with("alg", json!("of the future")),
            with("alg", json!(7)),
            with("use", json!("enc")),
            with("key_ops", json!(["encrypt"])),
            with("kty", json!("EC")),
            with("kty", json!("of the future")),
            with("kid", json!(7)),
            with("n", json!("not base64!")),
            with("n", json!("")),
            // 2047 bits, 2048 with a zero before, 8200.
            with("n", modulus(0x7f, 256)),
            with("n", modulus(0, 257)),
            with("n", modulus(0x80, 1025)),
            json!({"kty":"oct","k":"c2VjcmV0","kid":"other","alg":"HS256"}),
            json!({"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"other"}),
            json!({"kty":"OKP","crv":"of the future","x":"AA","kid":"other"}),
            without_name,
            json!("no object"),
        ];
        for other in others {
            assert_eq!(names(&[other.clone(), jwk(A, "a")]), ["a"], "{other}");
        }
    }

    #[test]
    fn keys_that_say_less_are_taken() {
        let mut plain = jwk(A, "plain");
        for member in ["alg", "use"] {
            plain.as_object_mut().expect("an object").remove(member);
        }
        let verifying = with("key_ops", json!(["verify"]));
        assert_eq!(names(&[plain, verifying, with("n", json!("AA"))]), ["other", "plain"]);
    }

    #[test]
    fn of_two_with_one_name_the_first_stands() {
        let set = |keys: &[Value]| read(json!({ "keys": keys }).to_string().as_bytes()).expect("a set");
        let modulus = |set: &KeySet| match set["x"].kind() {
            DecodingKeyKind::RsaModulusExponent { n, .. } => n.clone(),
            DecodingKeyKind::SecretOrDer(_) => Vec::new(),
        };
        let both = set(&[jwk(A, "x"), jwk(B, "x")]);
        assert_eq!((both.len(), modulus(&both)), (1, modulus(&set(&[jwk(A, "x")]))));
    }

    #[test]
    fn a_set_without_a_key_is_no_set() {
        for text in
            ["", "<html>", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"AA","kid":"x"}]}"#]
        {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
