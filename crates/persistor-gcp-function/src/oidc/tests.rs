//! Tokens against the verifier as a whole, with keys that are handed in. Callers over HTTP, and a key server, are in the tests of the built program.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::keys::{Fetched, Keys};
use super::testing::{A, AUDIENCE, B, EMAIL, claims, set, signed, token};
use super::{Denied, Verifier};
use crate::oidc_settings::OidcSettings;

/// A verifier whose issuer has the key `a`.
fn verifier() -> Verifier {
    let keys = Keys::new(|| Box::pin(async { Ok(Fetched { keys: set(A, "a"), fresh: std::time::Duration::from_secs(3600) }) }));
    let settings = OidcSettings { audience: AUDIENCE.to_owned(), email: EMAIL.to_owned(), keys: String::new() };
    Verifier::with_keys(&settings, keys)
}

async fn verified(token: &str) -> Result<(), Denied> {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).expect("a value"));
    verifier().verify(&headers).await
}

/// The claims with one member changed, or without it.
fn with(name: &str, value: Option<Value>) -> Value {
    let mut claims = claims();
    let members = claims.as_object_mut().expect("an object");
    match value {
        Some(value) => drop(members.insert(name.to_owned(), value)),
        None => drop(members.remove(name)),
    }
    claims
}

async fn of_claims(claims: Value) -> Result<(), Denied> {
    verified(&token(A, "a", &claims)).await
}

fn in_seconds(seconds: i64) -> Value {
    json!(jsonwebtoken::get_current_timestamp().checked_add_signed(seconds).expect("a time"))
}

#[tokio::test]
async fn what_google_writes_passes() {
    assert_eq!(of_claims(claims()).await, Ok(()));
    for (name, value) in [
        ("iss", json!("accounts.google.com")),
        ("nbf", in_seconds(0)),
        ("exp", json!(4_102_444_800.5)),
        ("exp", json!(u64::MAX)),
        ("azp", json!({"of": ["any", "type"]})),
        ("something", json!([[[[]]]])),
    ] {
        assert_eq!(of_claims(with(name, Some(value.clone()))).await, Ok(()), "{name}: {value}");
    }
}

#[tokio::test]
async fn times_have_a_little_leeway_and_no_more() {
    for (name, seconds, expected) in [
        ("exp", -20, Ok(())),
        ("exp", -40, Err(Denied::Expired)),
        ("exp", -1_000_000, Err(Denied::Expired)),
        ("nbf", 20, Ok(())),
        ("nbf", 60, Err(Denied::NotYetValid)),
        ("iat", 20, Ok(())),
        ("iat", 60, Err(Denied::NotYetValid)),
    ] {
        assert_eq!(of_claims(with(name, Some(in_seconds(seconds)))).await, expected, "{name} in {seconds} seconds");
    }
}

#[tokio::test]
async fn each_claim_is_checked_with_its_type() {
    let malformed = |denied| matches!(denied, Err(Denied::Malformed(_)));
    for (name, value) in [
        ("exp", None),
        ("exp", Some(json!("4102444800"))),
        ("exp", Some(json!(-1))),
        ("exp", Some(json!(1e30))),
        ("exp", Some(json!(true))),
        ("iat", None),
        ("iat", Some(json!("1"))),
        ("iat", Some(json!([1]))),
        ("nbf", Some(json!("0"))),
        ("nbf", Some(json!(1e30))),
        ("iss", None),
        ("iss", Some(json!(7))),
        ("aud", None),
        ("aud", Some(json!(7))),
        ("aud", Some(json!({}))),
    ] {
        assert!(malformed(of_claims(with(name, value.clone())).await), "{name}: {value:?}");
    }
    for (name, value, expected) in [
        ("iss", json!("https://accounts.google.com/"), Denied::Issuer),
        ("iss", json!("https://accounts.google.com.example.com"), Denied::Issuer),
        ("iss", json!(["https://accounts.google.com"]), Denied::Issuer),
        ("aud", json!("https://archive.example.com/other"), Denied::Audience),
        ("aud", json!("https://archive.example.com/orders/"), Denied::Audience),
        ("aud", json!("HTTPS://archive.example.com/orders"), Denied::Audience),
        ("aud", json!(""), Denied::Audience),
        ("aud", json!([AUDIENCE]), Denied::Audience),
        ("aud", json!([AUDIENCE, "https://other.example.com"]), Denied::Audience),
        ("email", json!("other@my-project.iam.gserviceaccount.com"), Denied::Account),
        ("email", json!("Persistor-push@my-project.iam.gserviceaccount.com"), Denied::Account),
        ("email", json!(format!("{EMAIL} ")), Denied::Account),
        ("email", json!([EMAIL]), Denied::Account),
        ("email", Value::Null, Denied::Account),
        ("email_verified", json!(false), Denied::Unverified),
        ("email_verified", json!("true"), Denied::Unverified),
        ("email_verified", json!(1), Denied::Unverified),
        ("email_verified", Value::Null, Denied::Unverified),
    ] {
        assert_eq!(of_claims(with(name, Some(value.clone()))).await, Err(expected), "{name}: {value}");
    }
    assert_eq!(of_claims(with("email", None)).await, Err(Denied::Account));
    assert_eq!(of_claims(with("email_verified", None)).await, Err(Denied::Unverified));
}

#[tokio::test]
async fn a_claim_that_stands_twice_is_refused() {
    let text = claims().to_string();
    for (name, value) in
        [("aud", json!(AUDIENCE)), ("email", json!(EMAIL)), ("exp", in_seconds(3600)), ("email_verified", json!(true))]
    {
        let twice = text.replacen('{', &format!("{{\"{name}\":{value},"), 1);
        let refused = verified(&signed(A, r#"{"alg":"RS256","kid":"a"}"#, &twice)).await;
        assert!(matches!(refused, Err(Denied::Malformed(_))), "{name}: {refused:?}");
    }
}

#[tokio::test]
async fn only_the_named_keys_own_signature_counts() {
    let good = token(A, "a", &claims());
    assert_eq!(verified(&token(B, "a", &claims())).await, Err(Denied::Signature));
    assert_eq!(verified(&token(B, "b", &claims())).await, Err(Denied::UnknownKey));
    let (message, signature) = good.rsplit_once('.').expect("three parts");
    let (header, _) = message.split_once('.').expect("three parts");
    let other = token(A, "a", &with("email", Some(json!("other@my-project.iam.gserviceaccount.com"))));
    let (other_message, _) = other.rsplit_once('.').expect("three parts");
    assert_eq!(verified(&format!("{other_message}.{signature}")).await, Err(Denied::Signature), "other claims");
    assert_eq!(verified(&format!("{message}.")).await, Err(Denied::Signature), "none");
    assert_eq!(verified(&format!("{message}.{}", &signature[4..])).await, Err(Denied::Signature), "a part of it");
    assert_eq!(verified(&format!("{message}.SIGNATURE_REMOVED_BY_GOOGLE")).await, Err(Denied::SignatureRemoved));
    for broken in
        [format!("{message}.!"), format!("{header}.!.{signature}"), message.to_owned(), format!("{good}."), ".".repeat(2)]
    {
        let refused = verified(&broken).await;
        assert!(matches!(refused, Err(Denied::Malformed(_) | Denied::Signature)), "{broken}: {refused:?}");
    }
}

#[tokio::test]
async fn the_header_decides_nothing_but_the_key() {
    let text = claims().to_string();
    for algorithm in ["none", "None", "", "HS256", "RS384", "RS512", "PS256", "ES256", "EdDSA", "rs256"] {
        let header = json!({"alg": algorithm, "kid": "a"}).to_string();
        assert_eq!(verified(&signed(A, &header, &text)).await, Err(Denied::Algorithm), "{algorithm}");
    }
    let own = super::testing::jwk(B, "a");
    let header =
        json!({"alg": "RS256", "kid": "a", "jwk": own, "jku": "https://keys.example.com", "x5u": "https://keys.example.com"});
    assert_eq!(verified(&signed(B, &header.to_string(), &text)).await, Err(Denied::Signature), "a key that it brings along");
    for header in [
        "",
        "{",
        "[]",
        r#"{"alg":7,"kid":"a"}"#,
        r#"{"kid":"a"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"RS256","kid":7}"#,
        r#"{"alg":"RS256","alg":"none","kid":"a"}"#,
    ] {
        assert!(matches!(verified(&signed(A, header, &text)).await, Err(Denied::Malformed(_))), "{header}");
    }
    for crit in [r#"["exp"]"#, r#"["b64"],"b64":false"#] {
        let header = format!(r#"{{"alg":"RS256","kid":"a","crit":{crit}}}"#);
        assert!(matches!(verified(&signed(A, &header, &text)).await, Err(Denied::Malformed(_))), "{header}");
    }
}
