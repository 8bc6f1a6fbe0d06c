//! Identity tokens as Google signs them for pushes, and forged ones. The claims are those of
//! <https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions>.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

/// What subscriptions and programs of the tests are told.
pub const AUDIENCE: &str = "https://archive.example.com/orders";
pub const EMAIL: &str = "persistor-push@my-project.iam.gserviceaccount.com";

/// A key of the issuer's, or of somebody else's.
#[derive(Debug)]
pub struct Signer {
    pair: RsaKeyPair,
    name: String,
}

impl Signer {
    /// The key in `tests/fixtures/oidc/test-only-rsa-2048-FILE.pkcs1`, under a name of its own.
    ///
    /// # Panics
    /// If there is none.
    pub fn new(file: &str, name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/oidc/test-only-rsa-2048-{file}.pkcs1"));
        let der = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { pair: RsaKeyPair::from_der(&der).expect("a key"), name: name.to_owned() }
    }

    /// Its public half, as the issuer shows it.
    pub fn jwk(&self) -> Value {
        let (n, e) = self.components();
        json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": self.name, "n": n, "e": e})
    }

    /// Modulus and exponent, as they stand in a JSON Web Key.
    pub fn components(&self) -> (String, String) {
        let public = PublicKeyComponents::<Vec<u8>>::from(self.pair.public());
        (URL_SAFE_NO_PAD.encode(public.n), URL_SAFE_NO_PAD.encode(public.e))
    }

    /// Its public half as OpenSSL writes it: a SubjectPublicKeyInfo (RFC 5280) in PEM.
    pub fn public_pem(&self) -> String {
        // Everything before the key in that of an RSA key of 2,048 bits.
        let mut der =
            b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00".to_vec();
        der.extend_from_slice(self.pair.public_key().as_ref());
        let text = STANDARD.encode(der);
        let lines = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("it is ASCII"));
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.collect::<Vec<_>>().join("\n"))
    }

    /// A token with these claims.
    ///
    /// # Panics
    /// If the key cannot sign.
    pub fn token(&self, claims: &Value) -> String {
        let message = self.message("RS256", claims);
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).expect("it signs");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token in this key's name that has `secret` for a signature by HMAC.
    pub fn hmac_token(&self, secret: &[u8], claims: &Value) -> String {
        let message = self.message("HS256", claims);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// A token in this key's name that says to need no signature.
    pub fn unsigned_token(&self, claims: &Value) -> String {
        format!("{}.", self.message("none", claims))
    }

    /// What is signed.
    pub fn message(&self, algorithm: &str, claims: &Value) -> String {
        let header = json!({"alg": algorithm, "kid": self.name, "typ": "JWT"}).to_string();
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()))
    }
}

/// What a token of the right account says, good for an hour from now.
pub fn claims() -> Value {
    let now = now();
    json!({
        "aud": AUDIENCE,
        "azp": "113774264463038321964",
        "email": EMAIL,
        "email_verified": true,
        "exp": now + 3600,
        "iat": now,
        "iss": "https://accounts.google.com",
        "sub": "113774264463038321964",
    })
}

/// The same with one of them changed, or, with none, left out.
pub fn claims_with(name: &str, value: impl Into<Option<Value>>) -> Value {
    let mut claims = claims();
    let members = claims.as_object_mut().expect("an object");
    match value.into() {
        Some(value) => drop(members.insert(name.to_owned(), value)),
        None => drop(members.remove(name)),
    }
    claims
}

/// Seconds since 1970.
///
/// # Panics
/// If it is earlier.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs()
}
