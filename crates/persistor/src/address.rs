//! The addresses of a blob that people paste: from consoles, tools and browsers.

use percent_encoding::percent_decode_str;

/// How the addresses begin that Google's console, tools and API give a blob; the bucket comes next.
const BLOB_URLS: [&str; 7] = [
    "gs://",
    "https://storage.googleapis.com/storage/v1/b/",
    "https://storage.googleapis.com/download/storage/v1/b/",
    "https://www.googleapis.com/storage/v1/b/",
    "https://console.cloud.google.com/storage/browser/_details/",
    "https://storage.cloud.google.com/",
    "https://storage.googleapis.com/",
];

/// The end of the host names of Blob Storage, whatever the cloud; the account comes before it.
const BLOB_HOST: &str = ".blob.";

/// The account, the container and the name of a blob's address in Blob Storage.
pub(crate) fn in_blob_storage(url: &str) -> Option<String> {
    let url = url.split(['?', '#']).next()?;
    if let Some(rest) = url.strip_prefix("az://") {
        return Some(rest.to_owned());
    }
    let (host, name) = url.strip_prefix("https://")?.split_once('/')?;
    let (account, _) = host.split_once(BLOB_HOST)?;
    Some(format!("{account}/{}", percent_decode_str(name).decode_utf8_lossy()))
}

/// The bucket and the name of a blob's address in Cloud Storage.
pub(crate) fn in_cloud_storage(url: &str) -> Option<String> {
    let start = BLOB_URLS.iter().find(|start| url.starts_with(**start))?;
    let rest = &url[start.len()..];
    if *start == "gs://" {
        return Some(rest.to_owned());
    }
    // What a browser adds.
    let rest = rest.split(['?', '#', ';']).next().unwrap_or(rest);
    let rest = if start.ends_with("/b/") { rest.replacen("/o/", "/", 1) } else { rest.to_owned() };
    Some(percent_decode_str(&rest).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_has_many_addresses() {
        for url in [
            "gs://bucket/p/orders/a~20-x",
            "https://storage.googleapis.com/bucket/p/orders/a~20-x",
            "https://storage.cloud.google.com/bucket/p/orders/a%7E20-x?authuser=1",
            "https://console.cloud.google.com/storage/browser/_details/bucket/p/orders/a~20-x;tab=live_object?project=p",
            "https://storage.googleapis.com/storage/v1/b/bucket/o/p%2Forders%2Fa~20-x?alt=media",
            "https://www.googleapis.com/storage/v1/b/bucket/o/p%2Forders%2Fa~20-x",
        ] {
            assert_eq!(in_cloud_storage(url).as_deref(), Some("bucket/p/orders/a~20-x"), "{url}");
        }
        assert_eq!(in_cloud_storage("orders/2026/a-x"), None);
        assert_eq!(in_cloud_storage("https://example.com/bucket/a"), None);
        for url in [
            "az://account/container/p/orders/a~20-x",
            "https://account.blob.core.windows.net/container/p/orders/a~20-x",
            "https://account.blob.core.windows.net/container/p%2Forders%2Fa~20-x?sv=2026&sig=x",
            "https://account.blob.core.chinacloudapi.cn/container/p/orders/a%7E20-x",
        ] {
            assert_eq!(in_blob_storage(url).as_deref(), Some("account/container/p/orders/a~20-x"), "{url}");
        }
        assert_eq!(in_blob_storage("https://example.com/container/a"), None);
    }
}
