//! Why a caller may not push: one place for statuses, names and reasons. None of them tells anything that the token holds, or what was expected of it.

use axum::http::StatusCode;
use persistor_serve::Refusal;

/// The check that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// There is no token.
    NoToken,
    /// It cannot be read, for this reason.
    Malformed(&'static str),
    /// It is signed by another algorithm than RS256, or by none.
    Algorithm,
    /// The platform in front has taken the signature away, which it does where it has verified the token itself.
    SignatureRemoved,
    /// The issuer has no such key.
    UnknownKey,
    /// The signature is not that key's.
    Signature,
    /// It is of another issuer.
    Issuer,
    /// It is for another audience.
    Audience,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// It is another account's.
    Account,
    /// Its issuer does not vouch for the account's address.
    Unverified,
    /// The key server gives no answer, so that nothing can be said.
    NoKeys,
}

impl Denied {
    /// What the caller is told.
    pub(crate) fn refusal(self) -> Refusal {
        let (status, error, reason) = self.parts();
        Refusal::new(status, error, reason)
    }

    /// The value of `WWW-Authenticate` beside a refusal of this name; RFC 6750, section 3: no error is named to whom has tried nothing.
    pub(crate) fn challenge(error: &str) -> &'static str {
        if error == Self::NoToken.parts().1 { "Bearer" } else { r#"Bearer error="invalid_token""# }
    }

    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        const WHO: StatusCode = StatusCode::UNAUTHORIZED;
        const MAY_NOT: StatusCode = StatusCode::FORBIDDEN;
        match self {
            Self::NoToken => (
                WHO,
                "no-token",
                "the push has no token: give the subscription a push identity (`--push-auth-service-account`, `oidc_token` in Terraform)",
            ),
            Self::Malformed(reason) => (WHO, "bad-token", reason),
            Self::Algorithm => (WHO, "token-algorithm", "the token is not signed with RS256"),
            Self::SignatureRemoved => (
                WHO,
                "token-signature-removed",
                "the platform has removed the token's signature, as Cloud Run does where its IAM has verified the token: unset `PERSISTOR_OIDC_AUDIENCE` and `PERSISTOR_OIDC_EMAIL` there",
            ),
            Self::UnknownKey => (WHO, "token-unknown-key", "the issuer has no key of the token's name"),
            Self::Signature => (WHO, "token-signature", "the token's signature is not that of its key"),
            Self::Issuer => (WHO, "token-issuer", "the token is not Google's"),
            Self::Audience => (
                WHO,
                "token-audience",
                "the token is for another audience: the subscription's has to be `PERSISTOR_OIDC_AUDIENCE`, letter by letter",
            ),
            Self::Expired => (WHO, "token-expired", "the token has expired"),
            Self::NotYetValid => (WHO, "token-not-yet-valid", "the token is not valid yet: is this machine's clock right?"),
            Self::Account => {
                (MAY_NOT, "wrong-account", "the token is another account's: only the one in `PERSISTOR_OIDC_EMAIL` may push")
            }
            Self::Unverified => (MAY_NOT, "unverified-email", "the token's issuer does not vouch for its email address"),
            Self::NoKeys => (
                StatusCode::SERVICE_UNAVAILABLE,
                "no-keys",
                "the keys that tokens are verified with cannot be fetched; try again",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_has_its_status_and_a_name_of_its_own() {
        let table = [
            (Denied::NoToken, 401),
            (Denied::Malformed("it is not"), 401),
            (Denied::Algorithm, 401),
            (Denied::SignatureRemoved, 401),
            (Denied::UnknownKey, 401),
            (Denied::Signature, 401),
            (Denied::Issuer, 401),
            (Denied::Audience, 401),
            (Denied::Expired, 401),
            (Denied::NotYetValid, 401),
            (Denied::Account, 403),
            (Denied::Unverified, 403),
            (Denied::NoKeys, 503),
        ];
        for (denied, status) in table {
            assert_eq!(denied.refusal().status.as_u16(), status, "{denied:?}");
        }
        let names: std::collections::BTreeSet<_> = table.iter().map(|(denied, _)| denied.refusal().error).collect();
        assert_eq!(names.len(), table.len());
        assert_eq!(Denied::challenge("no-token"), "Bearer");
        assert_eq!(Denied::challenge("token-expired"), r#"Bearer error="invalid_token""#);
    }
}
