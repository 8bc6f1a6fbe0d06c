//! A file a command.

pub(crate) mod cat;
pub(crate) mod completions;
pub(crate) mod copy;
pub(crate) mod diff;
pub(crate) mod grep;
pub(crate) mod lookup;
pub(crate) mod ls;
pub(crate) mod replay;
pub(crate) mod send;
pub(crate) mod serve;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod streams;
pub(crate) mod timeline;
pub(crate) mod r#try;
pub(crate) mod verify;
