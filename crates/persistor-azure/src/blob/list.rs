//! Listing blobs: <https://learn.microsoft.com/rest/api/storageservices/list-blobs>.

use std::collections::HashMap;

use azure_storage_blob::models::{BlobContainerClientListBlobsOptions, BlobItem, ListBlobsIncludeItem, ListBlobsResponse};
use chrono::DateTime;
use futures_util::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use persistor_core::{Entry, Error, ErrorKind, Failure, Result};

use super::ContainerStore;
use super::answer::Right;

/// All blobs in the order of their names, page by page; a page has up to 5,000, the service's own limit.
pub(crate) fn list(store: ContainerStore, prefix: &str, from: Option<&str>) -> BoxStream<'static, Result<Entry>> {
    let root = store.location.prefix();
    let prefix = format!("{root}{prefix}");
    let start = from.map(|from| format!("{root}{from}")).filter(|start| *start > prefix);
    if start.as_ref().is_some_and(|start| !start.starts_with(&prefix)) {
        // It is behind all of them.
        return stream::empty().boxed();
    }
    let listing = Listing { store, prefix, start, marker: None, last: String::new() };
    stream::unfold(Some(listing), |listing| async {
        let mut listing = listing?;
        match listing.next_page().await {
            Ok(entries) => Some((entries.into_iter().map(Ok).collect::<Vec<_>>(), listing.marker.is_some().then_some(listing))),
            Err(error) => Some((vec![Err(error)], None)),
        }
    })
    .flat_map(stream::iter)
    .boxed()
}

struct Listing {
    store: ContainerStore,
    /// The archive's own included.
    prefix: String,
    /// The first name that is wanted, where that is not the prefix.
    start: Option<String>,
    /// Where the next page begins.
    marker: Option<String>,
    /// The last name that came.
    last: String,
}

impl Listing {
    async fn next_page(&mut self) -> Result<Vec<Entry>> {
        let page = self.store.attempts.make("list", || self.page()).await?;
        self.marker = page.next_marker.filter(|marker| !marker.is_empty());
        let root = self.store.location.prefix().len();
        let mut entries = Vec::with_capacity(page.blob_items.len());
        for item in page.blob_items {
            let Some(entry) = entry(item)? else { continue };
            if !entry.name.starts_with(&self.prefix) || entry.name <= self.last {
                return Err(unreadable("a listing out of order, as of an account with a hierarchical namespace"));
            }
            self.last.clone_from(&entry.name);
            // A service that does not know the parameter lists what is before it too.
            if self.start.as_ref().is_none_or(|start| entry.name >= *start) {
                entries.push(Entry { name: entry.name[root..].to_owned(), ..entry });
            }
        }
        Ok(entries)
    }

    async fn page(&self) -> Result<ListBlobsResponse, Failure> {
        let connection = self.store.client.connection()?;
        let options = BlobContainerClientListBlobsOptions {
            include: Some(vec![ListBlobsIncludeItem::Metadata]),
            prefix: (!self.prefix.is_empty()).then(|| self.prefix.clone()),
            // A whole name, and not relative to the prefix; both hold together.
            start_from: self.start.clone(),
            marker: self.marker.clone(),
            ..BlobContainerClientListBlobsOptions::default()
        };
        let failed = |error| self.store.failure(&connection, &error, Right::List);
        let mut pages = connection.list_blobs(Some(options)).map_err(failed)?.into_pages();
        match pages.try_next().await.map_err(failed)? {
            Some(page) => page.into_model().map_err(failed),
            None => Err(Failure::Passing(unreadable("a listing without a page"))),
        }
    }
}

fn unreadable(what: &str) -> Error {
    Error::new(ErrorKind::Unavailable, what)
}

/// A blob as it is listed; none for a folder.
fn entry(item: BlobItem) -> Result<Option<Entry>> {
    let metadata = item.metadata.and_then(|metadata| metadata.values).unwrap_or_default();
    if is_folder(&metadata) {
        return Ok(None);
    }
    let name = item.name.ok_or_else(|| unreadable("a listing with a blob that has no name"))?;
    let properties = item.properties.unwrap_or_default();
    let size = properties.content_length.ok_or_else(|| unreadable("a listing with a blob that has no size"))?;
    let created = properties.creation_time.or(properties.last_modified);
    let created = created.and_then(|time| DateTime::from_timestamp(time.unix_timestamp(), time.nanosecond()));
    let created = created.ok_or_else(|| unreadable("a listing with a blob that has no time"))?;
    Ok(Some(Entry { name, size, metadata: metadata.into_iter().collect(), crc32c: None, created }))
}

/// Whether it is a folder, as accounts with a hierarchical namespace have them: they stand among the blobs.
pub(crate) fn is_folder(metadata: &HashMap<String, String>) -> bool {
    metadata.iter().any(|(name, value)| name.eq_ignore_ascii_case("hdi_isfolder") && value.eq_ignore_ascii_case("true"))
}

#[cfg(test)]
mod tests {
    use persistor_core::Reader as _;

    use super::super::responder::{Answer, Asked, Responder, refusal};
    use super::*;

    /// A blob as the service lists it.
    fn blob(name: &str, metadata: &str) -> String {
        format!(
            "<Blob><Name>{name}</Name><Properties><Creation-Time>Sun, 22 Nov 2026 05:40:12 GMT</Creation-Time>\
             <Last-Modified>Sun, 22 Nov 2026 05:41:12 GMT</Last-Modified><Etag>0x8D</Etag><Content-Length>7</Content-Length>\
             <Content-MD5 /><BlobType>BlockBlob</BlobType><ResourceType>file</ResourceType></Properties>{metadata}<OrMetadata /></Blob>"
        )
    }

    fn page(blobs: &[String], marker: &str) -> Answer {
        let marker = if marker.is_empty() { "<NextMarker />".to_owned() } else { format!("<NextMarker>{marker}</NextMarker>") };
        let body = format!(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"https://acme/\" ContainerName=\"archive\">\
             <Prefix>p/</Prefix><Blobs>{}</Blobs>{marker}</EnumerationResults>",
            blobs.concat()
        );
        (200, "content-type: application/xml\r\n".to_owned(), body.into_bytes())
    }

    /// Lists against pages; gives what came, and the requests.
    async fn list_against(pages: Vec<Answer>, prefix: &str, from: Option<&str>) -> (Result<Vec<Entry>>, Vec<Asked>) {
        let mut pages = pages.into_iter();
        let responder = Responder::start(move |_| pages.next().unwrap_or_else(|| refusal(400, "TooMany"))).await;
        (responder.store.list(prefix, from).try_collect().await, responder.asked())
    }

    fn names(outcome: Result<Vec<Entry>>) -> Vec<String> {
        outcome.expect("a listing").into_iter().map(|entry| entry.name).collect()
    }

    #[tokio::test]
    async fn a_blob_is_listed_with_what_stands_beside_it() {
        let metadata = "<Metadata><record>{&quot;a&quot;:&quot; &lt;b&gt;  c &amp; \\u00e9&quot;}</record></Metadata>";
        let pages = vec![page(&[blob("p/a", metadata), blob("p/b", "<Metadata />"), blob("p/c", "")], "")];
        let (outcome, asked) = list_against(pages, "", None).await;
        let entries = outcome.expect("a listing");
        assert_eq!(entries[0].metadata["record"], r#"{"a":" <b>  c & \u00e9"}"#);
        assert_eq!((entries[0].size, entries[0].created.to_rfc3339().as_str()), (7, "2026-11-22T05:40:12+00:00"));
        assert!(entries[1].metadata.is_empty() && entries[2].metadata.is_empty());
        assert_eq!(entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(
            (asked[0].parameter("include").as_deref(), asked[0].parameter("prefix").as_deref()),
            (Some("metadata"), Some("p/"))
        );
        assert_eq!((asked[0].parameter("delimiter"), asked[0].parameter("startFrom")), (None, None));
    }

    #[tokio::test]
    async fn pages_follow_each_other_until_there_is_no_marker() {
        let pages = vec![page(&[blob("p/a", "")], "2!1"), page(&[], "2!2"), page(&[blob("p/b", "")], "")];
        let (outcome, asked) = list_against(pages, "", None).await;
        assert_eq!(names(outcome), ["a", "b"]);
        let markers: Vec<_> = asked.iter().map(|asked| asked.parameter("marker")).collect();
        assert_eq!(markers, [None, Some("2%211".to_owned()), Some("2%212".to_owned())]);
    }

    #[tokio::test]
    async fn a_listing_starts_where_it_should_and_is_not_walked_to_there() {
        let all = || vec![page(&["p/o/a", "p/o/b", "p/o/c"].map(|name| blob(name, "")), "")];
        for (from, start, listed) in [
            (Some("o/b"), Some("p/o/b"), &["o/b", "o/c"][..]),
            (Some("o/aa"), Some("p/o/aa"), &["o/b", "o/c"]),
            (Some("o/"), None, &["o/a", "o/b", "o/c"]),
            (Some("a"), None, &["o/a", "o/b", "o/c"]),
            (None, None, &["o/a", "o/b", "o/c"]),
        ] {
            let (outcome, asked) = list_against(all(), "o/", from).await;
            assert_eq!(asked[0].parameter("startFrom").as_deref(), start, "{from:?}");
            assert_eq!(asked[0].parameter("prefix").as_deref(), Some("p/o/"));
            // Even by a service that does not know the parameter.
            assert_eq!(names(outcome), listed, "{from:?}");
        }
        let (outcome, asked) = list_against(all(), "o/", Some("p")).await;
        assert_eq!((names(outcome).len(), asked.len()), (0, 0));
    }

    #[tokio::test]
    async fn names_that_xml_cannot_hold_are_decoded_and_folders_are_left_out() {
        let encoded = blob("p/c", "").replace("<Name>p/c", "<Name Encoded=\"true\">p%2Fc%EF%BF%BE%25");
        let folder = blob("p/b", "<Metadata><hdi_isfolder>true</hdi_isfolder></Metadata>");
        let (outcome, _) = list_against(vec![page(&[blob("p/a%41", ""), folder, encoded], "")], "", None).await;
        assert_eq!(names(outcome), ["a%41", "c\u{fffe}%"]);
    }

    #[tokio::test]
    async fn a_listing_that_breaks_its_promises_fails() {
        let names = |names: &[&str]| names.iter().map(|name| blob(name, "")).collect::<Vec<_>>();
        for pages in [
            vec![page(&names(&["p/a/b", "p/a-b"]), "")],
            vec![page(&names(&["p/a", "p/a"]), "")],
            vec![page(&names(&["p/a", "p/b"]), "2!1"), page(&names(&["p/b", "p/c"]), "")],
            vec![page(&names(&["other/a"]), "")],
            vec![page(&[blob("p/a", "").replace("Content-Length", "Length")], "")],
            vec![page(&[blob("p/a", "").replace("Creation-Time", "T").replace("Last-Modified", "T2")], "")],
            vec![refusal(403, "AuthorizationPermissionMismatch")],
        ] {
            assert!(list_against(pages.clone(), "", None).await.0.is_err(), "{pages:?}");
        }
        let cut = |answer: Answer| (answer.0, answer.1, answer.2[..answer.2.len() - 30].to_vec());
        let whole = || page(&names(&["p/a-secret"]), "");
        let (outcome, asked) = list_against(vec![cut(whole()), whole()], "", None).await;
        assert_eq!((outcome.expect("the second answer").len(), asked.len()), (1, 2));
    }
}
