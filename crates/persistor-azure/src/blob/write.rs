//! Creating blobs.

use std::collections::HashMap;
use std::num::NonZero;

use async_trait::async_trait;
use azure_storage_blob::BlobClient;
use azure_storage_blob::models::{BlobClientGetPropertiesResultHeaders as _, BlobClientUploadOptions, BlobClientUploadResult};
use bytes::Bytes;
use md5::{Digest as _, Md5};
use persistor_core::{Creation, Error, ErrorKind, Failure, Key, Metadata, PublishTime, Result, Writer};

use super::ContainerStore;
use super::answer::{Refusal, Right, SdkError, Verdict, unreadable};
use super::client::Connection;
use super::list::is_folder;

/// What takes longer to digest than others on the same thread should wait.
const LONG: usize = 1 << 20;

/// One create, whatever number of attempts it takes.
struct Create<'a> {
    store: &'a ContainerStore,
    name: String,
    content: Bytes,
    md5: Vec<u8>,
    metadata: HashMap<String, String>,
}

#[async_trait]
impl Writer for ContainerStore {
    fn keeps_metadata(&self) -> bool {
        true
    }

    /// The publish time has no place beside a blob here.
    async fn create(&self, key: &Key, content: &[Bytes], metadata: &Metadata, _time: Option<&PublishTime>) -> Result<Creation> {
        let what = format!("create `{key}`");
        let content = match content {
            [content] => content.clone(),
            chunks => chunks.concat().into(),
        };
        let md5 = md5(&content).await.map_err(|error| Error::new(ErrorKind::Unavailable, what.clone()).with_source(error))?;
        let metadata = metadata.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let create = Create { store: self, name: self.name(key), content, md5, metadata };
        self.attempts.make(&what, || create.attempt()).await
    }
}

impl Create<'_> {
    async fn attempt(&self) -> Result<Creation, Failure> {
        let connection = self.store.client.connection()?;
        let blob = connection.blob_client(&self.name);
        let options = BlobClientUploadOptions {
            // The service compares it with what arrived before it makes the blob, and keeps it beside it.
            blob_content_md5: Some(self.md5.clone()),
            blob_content_type: Some("application/octet-stream".to_owned()),
            metadata: Some(self.metadata.clone()),
            // Every write is one request, so that it has one answer. The service takes up to 5,000 MiB in one.
            partition_size: Some(NonZero::<u64>::MAX),
            ..BlobClientUploadOptions::default()
        };
        // There is no such blob: the service decides it in the moment in which it makes the blob.
        match blob.upload(self.content.clone().into(), Some(options.if_not_exists())).await {
            Ok(result) => self.check(&result),
            Err(error) => self.refused(&connection, &blob, &error).await,
        }
    }

    /// Whether the answer is about this blob.
    fn check(&self, result: &BlobClientUploadResult) -> Result<Creation, Failure> {
        match &result.content_md5 {
            Some(md5) if *md5 != self.md5 => Err(unknown("the answer has another MD5 than what was sent: verify this blob")),
            _ => Ok(Creation::Created),
        }
    }

    async fn refused(&self, connection: &Connection, blob: &BlobClient, error: &SdkError) -> Result<Creation, Failure> {
        match Refusal::of(error).map(|refusal| refusal.verdict()) {
            Some(Verdict::Exists) => Ok(Creation::Exists),
            Some(Verdict::Ask) => self.ask(connection, blob, error).await,
            None if unreadable(error) => Err(unknown("an answer that cannot be read: verify this blob")),
            Some(Verdict::NotStored) | None => Err(self.store.failure(connection, error, Right::Create)),
        }
    }

    /// Looks whether there is such a blob. Only one that is seen counts.
    async fn ask(&self, connection: &Connection, blob: &BlobClient, refused: &SdkError) -> Result<Creation, Failure> {
        let seen = match blob.get_properties(None).await {
            Ok(properties) => properties.metadata().is_ok_and(|metadata| !is_folder(&metadata)),
            Err(error) => match Refusal::of(&error) {
                Some(refusal) if !refusal.is_passing() => false,
                _ => return Err(self.store.failure(connection, &error, Right::Create)),
            },
        };
        if seen { Ok(Creation::Exists) } else { Err(self.store.failure(connection, refused, Right::Create)) }
    }
}

/// What is stored is not known; another attempt would be told that it exists, and hide it.
fn unknown(text: &str) -> Failure {
    Failure::Lasting(Error::new(ErrorKind::Unavailable, text))
}

async fn md5(content: &Bytes) -> Result<Vec<u8>, tokio::task::JoinError> {
    if content.len() < LONG {
        return Ok(Md5::digest(content).to_vec());
    }
    let content = content.clone();
    tokio::task::spawn_blocking(move || Md5::digest(&content).to_vec()).await
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::time::Duration;

    use persistor_core::Attempts;

    use super::super::responder::{Answer, Asked, Responder, SIGNATURE, refusal, store};
    use super::*;

    /// The MD5 of `content`, in base64.
    const MD5: &str = "mgNkuembtIDdJeHwKEyFVQ==";

    fn created(headers: &str) -> Answer {
        (201, headers.to_owned(), Vec::new())
    }

    async fn create(store: &ContainerStore) -> Result<Creation> {
        let key = Key::parse("orders/a").expect("a key");
        let metadata = Metadata::from([("record".to_owned(), "{}".to_owned())]);
        store.create(&key, &[Bytes::from_static(b"con"), Bytes::from_static(b"tent")], &metadata, None).await
    }

    /// Creates against answers of a put, and of a look at the blob; gives what came of it and what was asked.
    async fn create_against(
        mut put: impl FnMut() -> Answer + Send + 'static,
        mut head: impl FnMut() -> Answer + Send + 'static,
    ) -> (Result<Creation>, Vec<Asked>) {
        let responder = Responder::start(move |asked| if asked.method() == "PUT" { put() } else { head() }).await;
        (create(&responder.store).await, responder.asked())
    }

    #[tokio::test]
    async fn a_create_is_one_request_that_makes_and_never_replaces() {
        let (outcome, asked) = create_against(|| created(""), || refusal(500, "InternalError")).await;
        assert_eq!(outcome.expect("created"), Creation::Created);
        let [put] = &asked[..] else { panic!("one request: {asked:?}") };
        assert!(put.0.starts_with("PUT /acme/archive/p%2Forders%2Fa?"), "{put:?}");
        for (name, value) in [
            ("if-none-match", "*"),
            ("x-ms-blob-type", "BlockBlob"),
            ("x-ms-blob-content-md5", MD5),
            ("x-ms-blob-content-type", "application/octet-stream"),
            ("x-ms-meta-record", "{}"),
            ("content-length", "7"),
        ] {
            assert_eq!(put.header(name), Some(value), "{name}");
        }
    }

    #[tokio::test]
    async fn the_answer_is_about_what_was_sent() {
        let (outcome, _) = create_against(|| created(&format!("content-md5: {MD5}\r\n")), || refusal(404, "BlobNotFound")).await;
        assert_eq!(outcome.expect("created"), Creation::Created);
        for headers in ["content-md5: 1B2M2Y8AsgTpgAmY7PhCfg==\r\n", "content-md5: ?\r\n"] {
            let (outcome, asked) = create_against(move || created(headers), || refusal(404, "BlobNotFound")).await;
            let error = outcome.expect_err(headers);
            assert_eq!((error.kind(), asked.len()), (ErrorKind::Unavailable, 1), "{headers}");
            assert!(error.source().is_some_and(|cause| cause.to_string().contains("verify this blob")), "{error:?}");
        }
    }

    #[tokio::test]
    async fn what_arrived_damaged_is_sent_again() {
        let mut answers = vec![created(""), refusal(503, "ServerBusy"), refusal(400, "Md5Mismatch")];
        let (outcome, asked) =
            create_against(move || answers.pop().unwrap_or_else(|| created("")), || refusal(404, "BlobNotFound")).await;
        assert_eq!((outcome.expect("created"), asked.len()), (Creation::Created, 3));
    }

    #[tokio::test]
    async fn a_large_blob_is_one_request_too() {
        let responder = Responder::start(|_| created("")).await;
        let content = Bytes::from(vec![7; 20_000_000]);
        let key = Key::parse("orders/a").expect("a key");
        let outcome = responder.store.create(&key, &[content], &Metadata::new(), None).await;
        assert_eq!(outcome.expect("created"), Creation::Created);
        let asked = responder.asked();
        assert_eq!((asked.len(), asked[0].header("content-length")), (1, Some("20000000")));
    }

    #[tokio::test]
    async fn a_refused_identity_is_believed_only_what_it_sees() {
        let refused = || refusal(403, "AuthorizationPermissionMismatch");
        let there = |headers: &'static str| move || (200, headers.to_owned(), Vec::new());
        let (outcome, asked) = create_against(refused, there("content-length: 7\r\n")).await;
        assert_eq!(outcome.expect("it is there"), Creation::Exists);
        assert_eq!(asked.iter().map(Asked::method).collect::<Vec<_>>(), ["PUT", "HEAD"]);

        for (what, (outcome, asked)) in [
            ("no such blob", create_against(refused, || refusal(404, "BlobNotFound")).await),
            ("nothing may be seen", create_against(refused, refused).await),
            ("a look is refused without a reason", create_against(refused, || (403, String::new(), Vec::new())).await),
            ("something else answers", create_against(refused, || (204, String::new(), Vec::new())).await),
            ("a redirection", create_against(refused, || (302, "location: /\r\n".to_owned(), Vec::new())).await),
            ("a folder", create_against(refused, there("content-length: 0\r\nx-ms-meta-hdi_isfolder: true\r\n")).await),
        ] {
            let error = outcome.expect_err(what);
            assert_eq!((error.kind(), asked.len()), (ErrorKind::Denied, 2), "{what}");
            assert!(
                error.source().is_some_and(|cause| cause.to_string().contains("lacks the permission `c`")),
                "{what}: {error:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_look_that_fails_is_repeated_with_the_create() {
        let mut looks = vec![(200, "content-length: 7\r\n".to_owned(), Vec::new()), refusal(503, "ServerBusy")];
        let look = move || looks.pop().unwrap_or_else(|| refusal(404, "BlobNotFound"));
        let (outcome, asked) = create_against(|| refusal(403, "AuthorizationPermissionMismatch"), look).await;
        assert_eq!(outcome.expect("it is there"), Creation::Exists);
        assert_eq!(asked.iter().map(Asked::method).collect::<Vec<_>>(), ["PUT", "HEAD", "PUT", "HEAD"]);
    }

    #[tokio::test]
    async fn only_the_table_answers_that_it_exists() {
        for (status, code) in [(409, "BlobAlreadyExists"), (409, "BlobImmutableDueToLegalHold"), (412, "LeaseIdMissing")] {
            let (outcome, asked) = create_against(move || refusal(status, code), || refusal(404, "BlobNotFound")).await;
            assert_eq!((outcome.expect(code), asked.len()), (Creation::Exists, 1));
        }
        for (status, code, kind) in [
            (409, "ContainerBeingDeleted", ErrorKind::Unavailable),
            (412, "ConditionNotMet", ErrorKind::Unavailable),
            (404, "ContainerNotFound", ErrorKind::Unavailable),
            (403, "AuthenticationFailed", ErrorKind::Denied),
        ] {
            let (outcome, asked) = create_against(move || refusal(status, code), || refusal(404, "BlobNotFound")).await;
            assert_eq!((outcome.expect_err(code).kind(), asked.len()), (kind, 1), "{code}");
        }
    }

    #[tokio::test]
    async fn neither_the_sas_nor_an_address_is_ever_shown() {
        let unused = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
        let nobody = store(&format!("http://{unused}/acme"), Duration::from_secs(1));
        let nothing = Responder::start(|_| (200, "content-length: 9\r\n".to_owned(), Vec::new())).await;
        let denied = Responder::start(|_| refusal(403, "AuthenticationFailed")).await;
        let cut_off = ContainerStore { attempts: Attempts::within(Duration::from_secs(1)), ..nothing.store };
        for store in [&nobody, &cut_off, &denied.store] {
            let error = create(store).await.expect_err("it fails");
            let causes: Vec<_> = std::iter::successors(error.source(), |cause: &&dyn std::error::Error| (**cause).source())
                .map(ToString::to_string)
                .collect();
            let shown = format!("{error} {error:?} {causes:?} {store:?}");
            for hidden in [SIGNATURE, "sig=", "sp=rcl", "http://", "p%2Forders"] {
                assert!(!shown.contains(hidden), "{shown}");
            }
            assert!(!causes.is_empty(), "{error:?}");
        }
    }

    #[tokio::test]
    async fn the_client_is_made_once() {
        let responder = Responder::start(|_| created("")).await;
        create(&responder.store).await.expect("created");
        let first = responder.store.client.connection().expect("a connection");
        create(&responder.store.clone()).await.expect("created");
        let second = responder.store.client.connection().expect("a connection");
        assert!(std::sync::Arc::ptr_eq(&first, &second));
        // Credentials that failed are made anew, once.
        responder.store.client.forget(&first);
        let third = responder.store.client.connection().expect("a connection");
        assert!(!std::sync::Arc::ptr_eq(&first, &third));
        responder.store.client.forget(&first);
        assert!(std::sync::Arc::ptr_eq(&third, &responder.store.client.connection().expect("a connection")));
    }
}
