//! A file a command.

pub(crate) mod serve;
pub(crate) mod r#try;
