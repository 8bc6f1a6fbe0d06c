//! Where in Blob Storage an archive is: `az://ACCOUNT/CONTAINER/PREFIX`.

use std::fmt;

use persistor_core::{Error, ErrorKind, Key, Result};

/// A container of a storage account, and the prefix below which the archive's blobs are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerLocation {
    account: String,
    container: String,
    prefix: String,
}

impl ContainerLocation {
    /// Reads what stands behind `az://`: an account's name, a slash and a container's name, and perhaps a slash and a prefix, which may end
    /// with one slash.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] with the rule it breaks: <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules>
    /// for the account and the container, and a key's own rules for the prefix, so that the archive can be copied to every store.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = |text: String| Err(Error::new(ErrorKind::Invalid, text));
        let mut parts = text.splitn(3, '/');
        let account = parts.next().unwrap_or_default();
        if let Some(rule) = broken_rule_of_an_account(account) {
            return invalid(format!("storage account `{account}`: {rule}"));
        }
        let Some(container) = parts.next() else {
            return invalid(format!("`{text}` names no container: an archive is at az://ACCOUNT/CONTAINER/PREFIX"));
        };
        if let Some(rule) = broken_rule_of_a_container(container) {
            return invalid(format!("container `{container}`: {rule}"));
        }
        let prefix = match parts.next() {
            None | Some("") => String::new(),
            Some(prefix) => {
                let key = Key::parse(prefix.strip_suffix('/').unwrap_or(prefix)).map_err(|error| {
                    Error::new(ErrorKind::Invalid, format!("the prefix `{prefix}` of an archive")).with_source(error)
                })?;
                format!("{key}/")
            }
        };
        Ok(Self { account: account.to_owned(), container: container.to_owned(), prefix })
    }

    /// The storage account's name.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The container's name.
    pub fn container(&self) -> &str {
        &self.container
    }

    /// What every name in the archive begins with: empty, or ends with a slash.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl fmt::Display for ContainerLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "az://{}/{}/{}", self.account, self.container, self.prefix)
    }
}

fn is_letter_or_digit(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn broken_rule_of_an_account(account: &str) -> Option<&'static str> {
    if !(3..=24).contains(&account.len()) {
        Some("a name has 3 to 24 characters")
    } else if !account.bytes().all(is_letter_or_digit) {
        Some("a name holds lower-case letters and digits only")
    } else {
        None
    }
}

fn broken_rule_of_a_container(container: &str) -> Option<&'static str> {
    if !(3..=63).contains(&container.len()) {
        Some("a name has 3 to 63 characters")
    } else if !container.bytes().all(|byte| is_letter_or_digit(byte) || byte == b'-') {
        Some("a name holds lower-case letters, digits and `-` only")
    } else if container.starts_with('-') || container.ends_with('-') || container.contains("--") {
        Some("a name begins and ends with a letter or a digit, and has no two `-` together")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_an_account_a_container_and_a_prefix() {
        for (text, account, container, prefix) in [
            ("acme/archive", "acme", "archive", ""),
            ("acme/archive/", "acme", "archive", ""),
            ("acme2/my-archive-1/a", "acme2", "my-archive-1", "a/"),
            ("acme/archive/a/b~20/", "acme", "archive", "a/b~20/"),
        ] {
            let location = ContainerLocation::parse(text).expect(text);
            assert_eq!((location.account(), location.container(), location.prefix()), (account, container, prefix));
        }
        let location = ContainerLocation::parse("acme/archive/a").expect("valid");
        assert_eq!(location.to_string(), "az://acme/archive/a/");
    }

    #[test]
    fn refuses_what_blob_storage_or_another_store_would_not_take() {
        for text in
            ["", "acme", "acme/", "/archive", "ac/archive", "Acme/archive", "ac-me/archive", "acme.blob.core.windows.net/archive"]
        {
            assert!(ContainerLocation::parse(text).is_err(), "{text}");
        }
        for container in ["ab", "Archive", "-archive", "archive-", "arch--ive", "arch.ive", "$root", &"a".repeat(64)] {
            assert!(ContainerLocation::parse(&format!("acme/{container}/a")).is_err(), "{container}");
        }
        for prefix in ["/", "/a", "a//b", "../a", "a b", ".well-known", "a//"] {
            assert!(ContainerLocation::parse(&format!("acme/archive/{prefix}")).is_err(), "{prefix}");
        }
        assert!(ContainerLocation::parse(&format!("{}/archive", "a".repeat(25))).is_err());
    }
}
