//! What lies below an error of an official client: its first cause, in words that may be shown, and whether it is the credentials.

use std::error::Error as StdError;

use google_cloud_gax::error::CredentialsError;

/// The first cause. Those above it show the request's URL, and with it names that others chose.
pub(crate) fn root(error: &(dyn StdError + 'static)) -> String {
    let root = sources(error).last().unwrap_or(error).to_string();
    if root.contains("://") { "its cause is not shown: it holds an address".to_owned() } else { root }
}

/// What the credentials failed with, where it was them.
pub(crate) fn credentials<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a CredentialsError> {
    sources(error).find_map(|cause| cause.downcast_ref())
}

/// The error, its cause, the cause of that, and so on.
pub(crate) fn sources<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (*error).source())
}
