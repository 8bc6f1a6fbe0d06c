//! What an answer of Cloud Storage means: whether a blob is there, whether to try again, and in which words it is told.
//!
//! Nothing here repeats a blob's name, which can hold what a template took from attributes, nor the words of anyone but Cloud Storage.

use std::error::Error as StdError;

use google_cloud_gax::error::rpc::StatusDetails;
use google_cloud_storage::Error as SdkError;
use persistor_core::{Error, ErrorKind, Failure};
use serde::Deserialize;

use crate::cause::{credentials, root};

/// A refusal, as Cloud Storage's JSON describes it: <https://cloud.google.com/storage/docs/json_api/v1/status-codes>.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) reasons: Vec<String>,
    pub(crate) message: String,
}

/// What a create was about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    pub(crate) bucket: &'a str,
    /// The blob's whole name; empty for a listing.
    pub(crate) name: &'a str,
}

/// What names permissions are made of, and names of blobs too.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._-~/".contains(c)
}

impl Refusal {
    /// Of an error of the official client, if the service answered at all.
    pub(crate) fn of(error: &SdkError) -> Option<Self> {
        let status = error.http_status_code()?;
        let Some(parsed) = error.status() else {
            return Some(Self::parse(status, error.http_payload().map_or(&[], |payload| payload.as_ref())));
        };
        let reasons = parsed.details.iter().filter_map(|detail| match detail {
            StatusDetails::ErrorInfo(info) => Some(info.reason.clone()),
            _ => None,
        });
        Some(Self { status, reasons: reasons.collect(), message: parsed.message.clone() })
    }

    /// Of a body. What is not JSON of the known form has no reason and no message.
    pub(crate) fn parse(status: u16, body: &[u8]) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Body {
            error: Described,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Described {
            message: String,
            errors: Vec<Item>,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Item {
            reason: String,
        }
        let Described { message, errors } = serde_json::from_slice::<Body>(body).unwrap_or_default().error;
        Self { status, reasons: errors.into_iter().map(|item| item.reason).collect(), message }
    }

    /// Whether it is given for this reason and for no other.
    fn is_for(&self, reason: &str) -> bool {
        !self.reasons.is_empty() && self.reasons.iter().all(|given| given == reason)
    }

    /// Whether it says of a create that there is such a blob already: the table "already stored" of the design.
    ///
    /// A refused overwrite names `storage.objects.delete`, the right to replace. It counts only where that stands as a word of its own,
    /// apart from the names of bucket and blob, which others choose.
    pub(crate) fn says_it_exists(&self, about: About<'_>) -> bool {
        match self.status {
            412 => self.is_for("conditionNotMet") && !self.is_of_a_policy(),
            403 if self.is_for("retentionPolicyNotMet") => true,
            403 if self.is_for("forbidden") => {
                let named: Vec<_> = self.permissions(about).collect();
                named.contains(&"storage.objects.delete") && !named.contains(&"storage.objects.create")
            }
            _ => false,
        }
    }

    /// Whether it is an organisation's policy that was not met. Its 412 can have the reason of a precondition, and differs in its text only:
    /// <https://github.com/googleapis/java-storage/issues/1240>.
    fn is_of_a_policy(&self) -> bool {
        self.message.to_ascii_lowercase().contains("constraint")
    }

    /// The permissions that its text names.
    fn permissions<'a>(&'a self, about: About<'a>) -> impl Iterator<Item = &'a str> {
        let words = self.message.split(|c| !is_word(c)).map(|word| word.trim_matches('.'));
        let own = move |word: &&str| *word != about.bucket && *word != about.name;
        words.filter(own).filter(|word| {
            let mut parts = word.split('.');
            let known = parts.next() == Some("storage") && word.matches('.').count() == 2;
            known && parts.all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphabetic()))
        })
    }

    /// Its meaning where it does not say that all is well.
    pub(crate) fn failure(&self, about: About<'_>) -> Failure {
        let kind = match self.status {
            401 | 403 => ErrorKind::Denied,
            404 => ErrorKind::NotFound,
            _ => ErrorKind::Unavailable,
        };
        let error = Error::new(kind, self.describe(about));
        match self.status {
            408 | 429 | 500.. => Failure::Passing(error),
            _ => Failure::Lasting(error),
        }
    }

    fn describe(&self, about: About<'_>) -> String {
        let bucket = about.bucket;
        if let (403, Some(permission)) = (self.status, self.permissions(about).next()) {
            let role = match permission {
                "storage.objects.create" | "storage.objects.delete" => "roles/storage.objectCreator",
                "storage.objects.get" | "storage.objects.list" => "roles/storage.objectViewer",
                _ => "a role that holds it",
            };
            return format!("this identity lacks `{permission}` on the bucket `{bucket}`: grant it {role}");
        }
        let status = self.status;
        let reason = match self.reasons.first() {
            Some(reason) if reason.chars().all(|c| c.is_ascii_alphanumeric()) && reason.len() <= 60 => format!(" {reason}"),
            _ => String::new(),
        };
        let meaning = match status {
            400 => " (the request, or what arrived of it, was not as announced)",
            401 => " (the credentials were not accepted)",
            403 => " (Cloud Storage names no permission)",
            404 => " (no such bucket or blob)",
            412 => " (a precondition of somebody else's, such as an organisation's policy)",
            429 => " (too many requests)",
            _ => "",
        };
        format!("the bucket `{bucket}` answered {status}{reason}{meaning}")
    }
}

/// What an error of the official client means where nothing was answered, or nothing that could be read.
pub(crate) fn no_answer(error: &(dyn StdError + 'static)) -> Failure {
    if let Some(credentials) = credentials(error) {
        let lasting = !credentials.is_transient();
        let error = Error::new(ErrorKind::Denied, "no credentials for Cloud Storage: on Google Cloud the service's identity has them, elsewhere `gcloud auth application-default login` makes them").with_source(root(error));
        return if lasting { Failure::Lasting(error) } else { Failure::Passing(error) };
    }
    Failure::Passing(Error::new(ErrorKind::Unavailable, "no answer from Cloud Storage").with_source(root(error)))
}

/// Whether credentials failed in a way that they will not mend by themselves.
pub(crate) fn lost_credentials(error: &SdkError) -> bool {
    credentials(error).is_some_and(|error| !error.is_transient())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATE: &str = "sa@p.iam.gserviceaccount.com does not have storage.objects.create access to the Google Cloud Storage object. Permission 'storage.objects.create' denied on resource (or it may not exist).";
    const DELETE: &str = "sa@p.iam.gserviceaccount.com does not have storage.objects.delete access to the Google Cloud Storage object. Permission 'storage.objects.delete' denied on resource (or it may not exist).";

    fn refusal(status: u16, reasons: &[&str], message: &str) -> Refusal {
        Refusal { status, reasons: reasons.iter().map(ToString::to_string).collect(), message: message.to_owned() }
    }

    #[test]
    fn only_the_table_says_that_a_blob_exists() {
        let plain = About { bucket: "bucket", name: "orders/a" };
        for (status, reasons, message, exists) in [
            (412, &["conditionNotMet"][..], "", true),
            (412, &["conditionNotMet"], "At least one of the pre-conditions you specified did not hold.", true),
            (412, &["conditionNotMet"], "Request violates constraint 'constraints/storage.example'", false),
            (412, &["conditionNotMet"], "Constraint 'x' violated", false),
            (412, &["conditionNotMet", "orgPolicy"], "", false),
            (412, &["customConstraintViolated"], "", false),
            (412, &[], "", false),
            (403, &["retentionPolicyNotMet"], "", true),
            (403, &["forbidden"], DELETE, true),
            (403, &["forbidden"], CREATE, false),
            (403, &["forbidden"], &format!("{DELETE} {CREATE}"), false),
            (403, &["forbidden"], "forbidden", false),
            (403, &["accountDisabled"], DELETE, false),
            (403, &[], DELETE, false),
            (409, &["conditionNotMet"], "", false),
            (500, &["conditionNotMet"], "", false),
        ] {
            assert_eq!(refusal(status, reasons, message).says_it_exists(plain), exists, "{status} {reasons:?} {message}");
        }
    }

    #[test]
    fn a_name_that_looks_like_a_permission_is_none() {
        let bucket = "retention-storage.objects.delete";
        let name = "storage.objects.delete/2026/11/22/05/4012-storage.objects.delete-2cf24dba5fb0a30e26e83b2ac5b9e29e";
        let about = About { bucket, name };
        for message in [
            format!("no access to {bucket}/{name}."),
            format!("Access denied to '{bucket}'."),
            format!("Object '{name}' in {bucket}"),
            format!("folder {bucket}/storage.objects.delete/2026/"),
            format!("{CREATE} {bucket} {name}"),
        ] {
            assert!(!refusal(403, &["forbidden"], &message).says_it_exists(about), "{message}");
        }
        let delete = format!("{DELETE} {bucket} {name}");
        assert!(refusal(403, &["forbidden"], &delete).says_it_exists(about));
        let named_so = About { bucket: "storage.objects.delete", name: "storage.objects.delete" };
        assert!(!refusal(403, &["forbidden"], "no access to storage.objects.delete").says_it_exists(named_so));
    }

    #[test]
    fn the_missing_permission_is_told_and_no_name_is_repeated() {
        let about = About { bucket: "bucket", name: "orders/secret-attribute" };
        let text = |refusal: Refusal| match refusal.failure(about) {
            Failure::Passing(error) | Failure::Lasting(error) => error.to_string(),
        };
        let denied = text(refusal(403, &["forbidden"], CREATE));
        assert!(denied.contains("lacks `storage.objects.create`") && denied.contains("roles/storage.objectCreator"), "{denied}");
        let retention = "Object 'bucket/orders/secret-attribute' is subject to bucket's retention policy";
        for status in [400, 401, 403, 404, 409, 412, 429, 503] {
            assert!(!text(refusal(status, &["orders/secret-attribute"], retention)).contains("secret"), "{status}");
        }
    }

    #[test]
    fn a_body_of_any_form_is_read() {
        let json = br#"{"error":{"code":412,"message":"m","errors":[{"domain":"global","reason":"conditionNotMet"}]}}"#;
        assert_eq!(Refusal::parse(412, json), refusal(412, &["conditionNotMet"], "m"));
        for body in [&b""[..], b"<html>", b"{}", b"[]", br#"{"error":"invalid_grant"}"#, b"\xff"] {
            assert_eq!(Refusal::parse(503, body), refusal(503, &[], ""));
        }
    }
}
