//! A file a command.

pub(crate) mod serve;
#[cfg(feature = "gcp")]
pub(crate) mod r#try;
