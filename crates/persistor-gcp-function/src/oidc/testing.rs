//! Tokens and keys for this module's own tests, signed with keys that are in the repository for nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

pub(crate) static A: &[u8] = include_bytes!("../../../../tests/fixtures/oidc/test-only-rsa-2048-a.pkcs1");
pub(crate) static B: &[u8] = include_bytes!("../../../../tests/fixtures/oidc/test-only-rsa-2048-b.pkcs1");

pub(crate) const AUDIENCE: &str = "https://archive.example.com/orders";
pub(crate) const EMAIL: &str = "persistor-push@my-project.iam.gserviceaccount.com";

/// The public half of a key, as the issuer shows it.
pub(crate) fn jwk(key: &[u8], name: &str) -> Value {
    let pair = RsaKeyPair::from_der(key).expect("a key");
    let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
    let text = |number: Vec<u8>| URL_SAFE_NO_PAD.encode(number);
    json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": name, "n": text(public.n), "e": text(public.e)})
}

/// A set with one key.
pub(crate) fn set(key: &[u8], name: &str) -> super::key_set::KeySet {
    super::key_set::read(json!({"keys": [jwk(key, name)]}).to_string().as_bytes()).expect("a set")
}

/// What Google's tokens say, good for an hour from now.
pub(crate) fn claims() -> Value {
    let now = jsonwebtoken::get_current_timestamp();
    json!({
        "iss": "https://accounts.google.com", "aud": AUDIENCE, "azp": "113774264463038321964", "sub": "113774264463038321964",
        "email": EMAIL, "email_verified": true, "iat": now, "exp": now + 3600,
    })
}

/// A token with this header and these claims, as they are written.
pub(crate) fn signed(key: &[u8], header: &str, claims: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let pair = RsaKeyPair::from_der(key).expect("a key");
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).expect("it signs");
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// A token of the key of this name.
pub(crate) fn token(key: &[u8], name: &str, claims: &Value) -> String {
    signed(key, &json!({"alg": "RS256", "typ": "JWT", "kid": name}).to_string(), &claims.to_string())
}
