//! What an answer of Blob Storage means: whether a blob is there, whether to try again, and in which words it is told.
//!
//! Nothing here repeats a blob's name, which can hold what a template took from attributes, an address, which can hold a SAS, nor the words
//! of anyone but Blob Storage.

use azure_core::error::ErrorKind as SdkErrorKind;
use azure_core::http::headers::ERROR_CODE;
use persistor_core::{Error, ErrorKind, Failure};

use super::location::ContainerLocation;
pub(crate) use crate::cause::{root, sources};

/// A refusal, by its code: <https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes>.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// Empty where none is given.
    code: String,
}

/// What a refused create says about the blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// There is such a blob already.
    Exists,
    /// Either there is one and this identity may only add blobs, or it may not even do that: only a look at the blob tells.
    Ask,
    /// It is not stored.
    NotStored,
}

/// What was to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Create,
    Read,
    List,
}

/// What a request was about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    pub(crate) location: &'a ContainerLocation,
    pub(crate) right: Right,
    /// Whether a SAS gave access, and not an identity.
    pub(crate) sas: bool,
}

/// The official client's own error.
pub(crate) type SdkError = azure_core::Error;

impl Refusal {
    /// Of an error of the official client, if the service answered at all.
    pub(crate) fn of(error: &SdkError) -> Option<Self> {
        let SdkErrorKind::HttpResponse { status, raw_response, .. } = error.kind() else { return None };
        let header = raw_response.as_ref().and_then(|response| response.headers().get_optional_str(&ERROR_CODE));
        let code = header.or_else(|| raw_response.as_ref().and_then(|response| code_in(response.body())));
        let known = code.filter(|code| code.len() <= 80 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        Some(Self { status: u16::from(*status), code: known.unwrap_or_default().to_owned() })
    }

    /// The table "already stored" of the design.
    pub(crate) fn verdict(&self) -> Verdict {
        match (self.status, self.code.as_str()) {
            (409, "BlobAlreadyExists" | "BlobImmutableDueToPolicy" | "BlobImmutableDueToLegalHold" | "BlobArchived")
            // For an identity that may only add blobs.
            | (403, "UnauthorizedBlobOverwrite")
            // Somebody holds a lease on it.
            | (412, "LeaseIdMissing") => Verdict::Exists,
            (403, "AuthorizationPermissionMismatch") => Verdict::Ask,
            _ => Verdict::NotStored,
        }
    }

    /// Whether the same request may fare better.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self.status, 408 | 429 | 500..) || self.code == "Md5Mismatch"
    }

    /// Whether other credentials of the same identity may fare better.
    pub(crate) fn is_of_credentials(&self) -> bool {
        self.status == 401
    }

    /// Its meaning where it does not say that all is well.
    pub(crate) fn failure(&self, about: About<'_>) -> Failure {
        let kind = match (self.status, self.code.as_str()) {
            (401 | 403, _) => ErrorKind::Denied,
            // Whatever else was not found can be made, and says nothing about the blob.
            (404, "BlobNotFound") if about.right == Right::Read => ErrorKind::NotFound,
            _ => ErrorKind::Unavailable,
        };
        let error = Error::new(kind, self.describe(about));
        if self.is_passing() { Failure::Passing(error) } else { Failure::Lasting(error) }
    }

    fn describe(&self, about: About<'_>) -> String {
        let About { location, right, sas } = about;
        let (account, container) = (location.account(), location.container());
        let (status, code) = (self.status, self.code.as_str());
        let meaning = match (status, code) {
            (403, "AuthorizationPermissionMismatch") if sas => {
                return format!("the SAS lacks {} on the container `{container}` of `{account}`", right.of_a_sas());
            }
            (403, "AuthorizationPermissionMismatch") => {
                return format!(
                    "this identity may not {} in the container `{container}` of `{account}`: grant it the role `{}`, or a custom one with the data action{}",
                    right.in_words(),
                    right.role(),
                    right.data_actions()
                );
            }
            (404, "ContainerNotFound") => {
                return format!(
                    "there is no container `{container}` in `{account}`: `az storage container create --auth-mode login --account-name {account} --name {container}` makes it"
                );
            }
            (400, "Md5Mismatch") => " (what arrived was not what was sent)",
            (401, _) => " (the credentials were not accepted)",
            (403, "AuthenticationFailed") if sas => " (the SAS was not accepted: it may have expired, or be another account's)",
            (403, "AuthenticationFailed") => " (the credentials were not accepted)",
            (403, "AuthorizationFailure") if sas => {
                " (the SAS was not accepted, or the account's network rules keep this request out)"
            }
            (403, "AuthorizationFailure") => " (the account's network rules, or what is allowed on it, keep this request out)",
            (403, "KeyBasedAuthenticationNotPermitted") => " (the account accepts no SAS that its own key has signed)",
            (404, "BlobNotFound") => " (no such blob)",
            (409, "BlobArchived") => " (the blob is in the archive tier: it has to be rehydrated first)",
            (412, _) => " (a precondition of somebody else's)",
            (429, _) | (503, "ServerBusy") => " (too many requests)",
            _ => "",
        };
        let space = if code.is_empty() { "" } else { " " };
        format!("the container `{container}` of `{account}` answered {status}{space}{code}{meaning}")
    }
}

impl Right {
    fn in_words(self) -> &'static str {
        match self {
            Self::Create => "create blobs",
            Self::Read => "read blobs",
            Self::List => "list blobs",
        }
    }

    fn role(self) -> &'static str {
        match self {
            Self::Create => "Storage Blob Data Contributor",
            Self::Read | Self::List => "Storage Blob Data Reader",
        }
    }

    /// The least there is. A creator may be told no less where the blob is there already, and sees that it is by reading its properties.
    fn data_actions(self) -> &'static str {
        match self {
            Self::Create => {
                "s `Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action` and, to see what is there already, `…/blobs/read`"
            }
            Self::Read | Self::List => " `Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read`",
        }
    }

    fn of_a_sas(self) -> &'static str {
        match self {
            Self::Create => "the permission `c`, or `r` to see that the blob is there already,",
            Self::Read => "the permission `r`",
            Self::List => "the permission `l`",
        }
    }
}

/// The code in a body. Blob Storage gives it in a header too; something between may have dropped that.
fn code_in(body: &[u8]) -> Option<&str> {
    let (_, rest) = std::str::from_utf8(body).ok()?.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _)| code)
}

/// What an error of the official client means where nothing was answered, or nothing that could be read.
pub(crate) fn no_answer(error: &SdkError) -> Failure {
    if *error.kind() == SdkErrorKind::Credential {
        let denied = Error::new(ErrorKind::Denied, NO_TOKEN).with_source(root(error));
        return if lost_credentials(error) { Failure::Lasting(denied) } else { Failure::Passing(denied) };
    }
    let unavailable = Error::new(ErrorKind::Unavailable, "no answer from Blob Storage");
    // What cannot be read is repeated in the client's error: names, and what stands beside blobs.
    Failure::Passing(if unreadable(error) { unavailable } else { unavailable.with_source(root(error)) })
}

const NO_TOKEN: &str = "get a token for Blob Storage: on Azure it is the app's identity that has one, elsewhere `az login` makes one; AZURE_TOKEN_CREDENTIALS says which is used";

/// Whether an answer came that the official client cannot read.
pub(crate) fn unreadable(error: &SdkError) -> bool {
    *error.kind() == SdkErrorKind::DataConversion
}

/// Whether credentials failed in a way that will not pass by itself: whoever gives tokens refused, or there is nobody who does.
pub(crate) fn lost_credentials(error: &SdkError) -> bool {
    let passing = |cause: &SdkError| match cause.kind() {
        SdkErrorKind::Connection | SdkErrorKind::Io => true,
        // The metadata service of a virtual machine answers 404 and 410 while it starts.
        SdkErrorKind::HttpResponse { status, .. } => matches!(u16::from(*status), 404 | 408 | 410 | 429 | 500..),
        _ => false,
    };
    *error.kind() == SdkErrorKind::Credential && !sources(error).filter_map(|cause| cause.downcast_ref::<SdkError>()).any(passing)
}

#[cfg(test)]
mod tests {
    use azure_core::http::headers::Headers;
    use azure_core::http::{RawResponse, StatusCode};

    use super::*;

    fn refusal(status: u16, code: &str) -> Refusal {
        Refusal { status, code: code.to_owned() }
    }

    fn location() -> ContainerLocation {
        ContainerLocation::parse("acme/archive/p").expect("valid")
    }

    fn error_of(failure: Failure) -> Error {
        match failure {
            Failure::Passing(error) | Failure::Lasting(error) => error,
        }
    }

    fn answered(status: u16, header: Option<&'static str>, body: &'static str) -> SdkError {
        let (status, mut headers) = (StatusCode::from(status), Headers::new());
        if let Some(code) = header {
            headers.insert(ERROR_CODE, code);
        }
        let raw_response = Some(Box::new(RawResponse::from_bytes(status, headers, body)));
        SdkErrorKind::HttpResponse { status, error_code: None, raw_response }.into_error()
    }

    #[test]
    fn only_the_table_says_that_a_blob_exists() {
        use Verdict::{Ask, Exists, NotStored};
        for (status, code, verdict) in [
            (409, "BlobAlreadyExists", Exists),
            (409, "BlobImmutableDueToPolicy", Exists),
            (409, "BlobImmutableDueToLegalHold", Exists),
            (409, "BlobArchived", Exists),
            (403, "UnauthorizedBlobOverwrite", Exists),
            (412, "LeaseIdMissing", Exists),
            (403, "AuthorizationPermissionMismatch", Ask),
            // The same codes with another status, and the same status with other codes.
            (403, "BlobAlreadyExists", NotStored),
            (412, "BlobAlreadyExists", NotStored),
            (500, "BlobAlreadyExists", NotStored),
            (403, "BlobImmutableDueToPolicy", NotStored),
            (412, "BlobImmutableDueToLegalHold", NotStored),
            (409, "UnauthorizedBlobOverwrite", NotStored),
            (409, "LeaseIdMissing", NotStored),
            (409, "AuthorizationPermissionMismatch", NotStored),
            (401, "AuthorizationPermissionMismatch", NotStored),
            (409, "", NotStored),
            (409, "blobalreadyexists", NotStored),
            (409, "ContainerAlreadyExists", NotStored),
            (409, "ContainerBeingDeleted", NotStored),
            (409, "ContainerHasLegalHold", NotStored),
            (409, "ContainerImmutabilityPolicyLocked", NotStored),
            (409, "BlobBeingRehydrated", NotStored),
            (409, "ResourceTypeMismatch", NotStored),
            (409, "PathConflict", NotStored),
            (403, "", NotStored),
            (403, "AuthenticationFailed", NotStored),
            (403, "AuthorizationFailure", NotStored),
            (403, "AuthorizationResourceTypeMismatch", NotStored),
            (403, "AccountIsDisabled", NotStored),
            (412, "", NotStored),
            (412, "ConditionNotMet", NotStored),
            (412, "LeaseIdMismatchWithBlobOperation", NotStored),
            (404, "ContainerNotFound", NotStored),
            (404, "BlobNotFound", NotStored),
            (400, "Md5Mismatch", NotStored),
            (503, "ServerBusy", NotStored),
        ] {
            assert_eq!(refusal(status, code).verdict(), verdict, "{status} {code}");
        }
    }

    #[test]
    fn what_may_pass_is_tried_again_and_nothing_else() {
        let location = location();
        for (status, code, right, passing, kind) in [
            (400, "Md5Mismatch", Right::Create, true, ErrorKind::Unavailable),
            (400, "InvalidHeaderValue", Right::Create, false, ErrorKind::Unavailable),
            (400, "MetadataTooLarge", Right::Create, false, ErrorKind::Unavailable),
            (401, "InvalidAuthenticationInfo", Right::Create, false, ErrorKind::Denied),
            (403, "AuthorizationPermissionMismatch", Right::Create, false, ErrorKind::Denied),
            (403, "", Right::Create, false, ErrorKind::Denied),
            (404, "ContainerNotFound", Right::Create, false, ErrorKind::Unavailable),
            (404, "ContainerNotFound", Right::Read, false, ErrorKind::Unavailable),
            (404, "ContainerNotFound", Right::List, false, ErrorKind::Unavailable),
            (404, "BlobNotFound", Right::Read, false, ErrorKind::NotFound),
            (404, "BlobNotFound", Right::Create, false, ErrorKind::Unavailable),
            (404, "", Right::Read, false, ErrorKind::Unavailable),
            (408, "", Right::Create, true, ErrorKind::Unavailable),
            (409, "BlobArchived", Right::Read, false, ErrorKind::Unavailable),
            (429, "", Right::List, true, ErrorKind::Unavailable),
            (500, "InternalError", Right::Create, true, ErrorKind::Unavailable),
            (500, "OperationTimedOut", Right::Create, true, ErrorKind::Unavailable),
            (503, "ServerBusy", Right::Create, true, ErrorKind::Unavailable),
        ] {
            let failure = refusal(status, code).failure(About { location: &location, right, sas: false });
            assert_eq!(matches!(failure, Failure::Passing(_)), passing, "{status} {code}");
            assert_eq!(error_of(failure).kind(), kind, "{status} {code}");
        }
    }

    #[test]
    fn the_missing_right_or_container_is_told() {
        let location = location();
        let text = |code: &str, status, right, sas| {
            error_of(refusal(status, code).failure(About { location: &location, right, sas })).to_string()
        };
        let denied = text("AuthorizationPermissionMismatch", 403, Right::Create, false);
        for part in ["`archive`", "`acme`", "`Storage Blob Data Contributor`", "/containers/blobs/add/action`"] {
            assert!(denied.contains(part), "{denied}");
        }
        for right in [Right::Read, Right::List] {
            let denied = text("AuthorizationPermissionMismatch", 403, right, false);
            assert!(denied.contains("`Storage Blob Data Reader`") && denied.contains("/containers/blobs/read`"), "{denied}");
        }
        for (right, permission) in [(Right::Create, "`c`"), (Right::Read, "`r`"), (Right::List, "`l`")] {
            let denied = text("AuthorizationPermissionMismatch", 403, right, true);
            assert!(denied.contains(permission) && !denied.contains("role"), "{denied}");
        }
        let missing = text("ContainerNotFound", 404, Right::Create, false);
        assert!(
            missing.contains("az storage container create --auth-mode login --account-name acme --name archive"),
            "{missing}"
        );
        assert_eq!(text("", 502, Right::Create, false), "the container `archive` of `acme` answered 502");
    }

    #[test]
    fn the_code_stands_in_a_header_or_in_the_body() {
        let body =
            "\u{feff}<?xml version=\"1.0\"?>\n<Error><Code>BlobAlreadyExists</Code><Message>a &lt;Code&gt; b</Message></Error>";
        for (header, body, code) in [
            (Some("BlobAlreadyExists"), "", "BlobAlreadyExists"),
            (Some("BlobAlreadyExists"), "<html>", "BlobAlreadyExists"),
            (Some("LeaseIdMissing"), body, "LeaseIdMissing"),
            (None, body, "BlobAlreadyExists"),
            (None, "", ""),
            (None, "<html>no</html>", ""),
            (None, "<Code>", ""),
            (None, "<Code>what somebody else says</Code>", ""),
            (None, r#"{"error":{"code":"BlobAlreadyExists"}}"#, ""),
        ] {
            assert_eq!(Refusal::of(&answered(409, header, body)), Some(refusal(409, code)), "{header:?} {body}");
        }
        assert_eq!(Refusal::of(&SdkErrorKind::Io.into_error()), None);
        assert_eq!(Refusal::of(&SdkError::new(SdkErrorKind::Credential, answered(403, None, body))), None);
    }

    #[test]
    fn no_address_is_told() {
        let inner =
            SdkError::with_message(SdkErrorKind::Io, "for url (https://acme/archive/orders%2Fsecret?sig=secret): refused");
        let error = SdkError::with_error(SdkErrorKind::Io, inner, "failed https://acme/secret");
        let failure = error_of(no_answer(&error));
        let shown = format!("{failure} {failure:?}");
        assert!(!shown.contains("secret") && shown.contains("refused"), "{shown}");
        let body = SdkError::with_message(SdkErrorKind::DataConversion, "in the following xml: <Name>secret</Name>");
        assert!(!format!("{:?}", error_of(no_answer(&body))).contains("secret"));
    }

    #[test]
    fn credentials_that_are_refused_are_lost_and_those_that_cannot_be_asked_for_are_not() {
        let wrapped = |cause: SdkError| SdkError::with_error(SdkErrorKind::Credential, cause, "authentication failed");
        for (cause, lost) in [
            (SdkError::with_message(SdkErrorKind::Other, "run az login"), true),
            (answered(400, None, "not assigned"), true),
            (answered(401, None, ""), true),
            (answered(404, None, ""), false),
            (answered(410, None, ""), false),
            (answered(429, None, ""), false),
            (answered(500, None, ""), false),
            (SdkErrorKind::Io.into_error(), false),
            (SdkErrorKind::Connection.into_error(), false),
        ] {
            let error = wrapped(cause);
            assert_eq!(lost_credentials(&error), lost, "{error:?}");
            let failure = no_answer(&error);
            assert_eq!(matches!(failure, Failure::Lasting(_)), lost, "{error:?}");
            assert_eq!(error_of(failure).kind(), ErrorKind::Denied);
        }
        assert!(!lost_credentials(&SdkErrorKind::Io.into_error()));
    }
}
