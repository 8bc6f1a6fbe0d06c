//! What a token says, and whether that is what is expected. Its claims go nowhere else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, get_current_timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::denied::Denied;

/// Google's, in both of its forms: <https://accounts.google.com/.well-known/openid-configuration> and, in older tokens, without the scheme.
const ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];
/// How far the clock of the issuer and ours may be apart, in seconds; README and docs/public-endpoint.md say so too.
const LEEWAY: u64 = 30;
/// What Cloud Run puts in the place of the signature of a token that it has verified.
const REMOVED: &str = "SIGNATURE_REMOVED_BY_GOOGLE";

/// What a token must say.
#[derive(Debug)]
pub(crate) struct Expected {
    audience: String,
    email: String,
    validation: Validation,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

/// Of any type, so that each is judged here: what is no text or no truth value is not taken for one.
#[derive(Deserialize)]
struct Claims {
    iss: Value,
    aud: Value,
    iat: Value,
    #[serde(default)]
    email: Value,
    #[serde(default)]
    email_verified: Value,
}

/// The name of the key that a token says to be signed with. Nothing is verified yet.
pub(crate) fn key_id(token: &str) -> Result<String, Denied> {
    let mut parts = token.split('.');
    let (Some(header), Some(_), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(Denied::Malformed("the token does not have three parts"));
    };
    let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| Denied::Malformed("the token's header is not base64url"))?;
    let header: Header =
        serde_json::from_slice(&header).map_err(|_| Denied::Malformed("the token's header is not JSON with an algorithm"))?;
    if header.alg != "RS256" {
        return Err(Denied::Algorithm);
    }
    if signature == REMOVED {
        return Err(Denied::SignatureRemoved);
    }
    header.kid.ok_or(Denied::Malformed("the token does not name its key"))
}

impl Expected {
    pub(crate) fn new(audience: &str, email: &str) -> Self {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&ISSUERS);
        validation.set_audience(&[audience]);
        Self { audience: audience.to_owned(), email: email.to_owned(), validation }
    }

    /// Holds a token against the key that it names and against what is expected: the signature first, so that nothing is said of claims that anybody could have written.
    pub(crate) fn verify(&self, token: &str, key: &DecodingKey) -> Result<(), Denied> {
        let claims = decode::<Claims>(token, key, &self.validation).map_err(|error| denied(error.kind()))?.claims;
        // The library lets these be lists, in which it looks for ours.
        if !claims.iss.is_string() {
            return Err(Denied::Issuer);
        }
        if claims.aud != self.audience.as_str() {
            return Err(Denied::Audience);
        }
        // The library does not look at it.
        let issued = claims.iat.as_f64().ok_or(Denied::Malformed("the token does not say when it was issued"))?;
        #[expect(clippy::cast_precision_loss, reason = "seconds of this era are whole in it")]
        if issued > (get_current_timestamp() + LEEWAY) as f64 {
            return Err(Denied::NotYetValid);
        }
        if claims.email != self.email.as_str() {
            return Err(Denied::Account);
        }
        if claims.email_verified != Value::Bool(true) {
            return Err(Denied::Unverified);
        }
        Ok(())
    }
}

fn denied(error: &ErrorKind) -> Denied {
    match error {
        ErrorKind::InvalidSignature => Denied::Signature,
        ErrorKind::InvalidAlgorithm => Denied::Algorithm,
        ErrorKind::InvalidIssuer => Denied::Issuer,
        ErrorKind::InvalidAudience => Denied::Audience,
        ErrorKind::ExpiredSignature => Denied::Expired,
        ErrorKind::ImmatureSignature => Denied::NotYetValid,
        // Whatever else there is or will be: nothing passes that is not understood. The library's own words may quote the token.
        _ => Denied::Malformed("the token cannot be read, or lacks a claim, or a claim is of the wrong type"),
    }
}
