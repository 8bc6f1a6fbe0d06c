//! Whether a text holds a credential: what people paste by mistake into a setting or an argument that has none, and that must not be repeated then.

/// What stands before a secret, in lower case.
const MARKS: [&str; 13] = [
    "sig=",
    "accountkey=",
    "sharedaccesskey=",
    "sharedaccesssignature=",
    "password=",
    "token=",
    "secret=",
    "private_key",
    "private key",
    "bearer ",
    "basic ",
    "authorization:",
    "ya29.",
];

/// Whether a text looks as if it gave access to something: a signature, a key, a token, or a name and password in an address.
///
/// What has no such mark, a bare random text, is not known for a secret.
pub fn holds_credential(text: &str) -> bool {
    let lower = text.to_lowercase();
    let names_user = lower
        .split_once("://")
        .is_some_and(|(_, rest)| rest.split(['/', '?', '#']).next().is_some_and(|host| host.contains('@')));
    names_user || MARKS.iter().any(|mark| lower.contains(mark)) || is_token(text)
}

/// Whether there is a JSON Web Token: three parts, the first of which begins a JSON object.
fn is_token(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c))
        .any(|word| word.starts_with("eyJ") && word.matches('.').count() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_gives_access_is_known() {
        for text in [
            "sv=2026-04-06&sp=c&sig=x%3D",
            "https://acme.blob.core.windows.net/archive?sv=1&SIG=x",
            "https://user:secret@host/path",
            "gs://token@bucket/prefix",
            "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=x==",
            "Endpoint=sb://a/;SharedAccessKeyName=n;SharedAccessKey=x",
            "BlobEndpoint=https://a/;SharedAccessSignature=x",
            "Bearer x",
            "Authorization: x",
            "eyJhbGciOiJSUzI1NiJ9.e30.x",
            "x eyJhbGciOiJSUzI1NiJ9.e30.x",
            r#"{"private_key":"x"}"#,
        ] {
            assert!(holds_credential(text), "{text}");
        }
        for text in [
            "",
            "./archive",
            "/data/a@b",
            "gs://bucket/prefix",
            "az://account/container/prefix@x",
            "{stream}/{time:%Y/%m/%d/%H/%M%S}-{id}-{digest}",
            "{attribute:token|none}/{id}",
            "orders",
            "http://127.0.0.1:10000/devstoreaccount1",
            "ManagedIdentityCredential",
            "eyJ",
            "basically",
        ] {
            assert!(!holds_credential(text), "{text}");
        }
    }
}
