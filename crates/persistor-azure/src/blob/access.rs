//! Which service answers, and as whom it is asked.

use std::fmt;

use azure_core::http::Url;
use persistor_core::{Error, ErrorKind, Result};

use super::location::ContainerLocation;
use crate::credential::CredentialKind;

/// Which service answers, and as whom it is asked. The default: the account in the public cloud, with the credentials of the platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// None: `https://ACCOUNT.blob.core.windows.net`.
    pub endpoint: Option<Endpoint>,
    /// A SAS instead of an identity; where there is one, the credential below is not used.
    pub sas: Option<SasToken>,
    /// None: workload identity where `AZURE_FEDERATED_TOKEN_FILE` is set, managed identity where `IDENTITY_ENDPOINT` is set, else the Azure
    /// CLI's.
    pub credential: Option<CredentialKind>,
    /// The client id of a user-assigned identity. None: the system-assigned one, or what the platform set for workload identity.
    pub client_id: Option<String>,
}

impl Access {
    /// Says what can be seen to be wrong without asking the service.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for an endpoint of another account, and for one that is not encrypted although credentials are to be sent.
    pub fn check(&self, location: &ContainerLocation) -> Result<()> {
        let invalid = |text: String| Err(Error::new(ErrorKind::Invalid, text));
        let Some(Endpoint(endpoint)) = &self.endpoint else { return Ok(()) };
        let account = endpoint.path().trim_matches('/');
        if !account.is_empty() && account != location.account() {
            return invalid(format!("the endpoint is the account `{account}`, and the archive is in `{}`", location.account()));
        }
        if self.sas.is_none() && endpoint.scheme() != "https" {
            return invalid("credentials are sent over https only: the endpoint is http, and there is no SAS".to_owned());
        }
        Ok(())
    }

    /// The container's address, without what gives access to it.
    pub(crate) fn container_url(&self, location: &ContainerLocation) -> Result<Url> {
        self.check(location)?;
        let endpoint = match &self.endpoint {
            Some(Endpoint(url)) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("https://{}.blob.core.windows.net", location.account()),
        };
        let url = format!("{endpoint}/{}", location.container());
        Url::parse(&url).map_err(|error| Error::new(ErrorKind::Invalid, format!("the address `{url}`")).with_source(error))
    }
}

/// The address of a Blob service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Url);

impl Endpoint {
    /// Reads `http(s)://HOST[:PORT][/ACCOUNT]`. The account stands in it where it is not in the host's name, as with an emulator.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is no such address. The text is not repeated, since an address may have been pasted with its SAS.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = || Error::new(ErrorKind::Invalid, "no address of a Blob service: one is http(s)://HOST[:PORT][/ACCOUNT]");
        let url = Url::parse(text).map_err(|_| invalid())?;
        let account = url.path().strip_prefix('/').unwrap_or_default();
        let account = account.strip_suffix('/').unwrap_or(account);
        let plain = matches!(url.scheme(), "http" | "https") && url.has_host() && !account.contains('/');
        let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        if plain && bare { Ok(Self(url)) } else { Err(invalid()) }
    }
}

/// A shared access signature. It is a secret, and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SasToken(String);

impl SasToken {
    /// Reads a SAS as Azure's tools give it, with or without the question mark before it.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if it is none; the text is not repeated.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let token = text.strip_prefix('?').unwrap_or(text);
        let signed = token.split('&').any(|pair| pair.strip_prefix("sig=").is_some_and(|signature| !signature.is_empty()));
        let plain = token.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\"<>".contains(&byte));
        if signed && plain {
            Ok(Self(token.to_owned()))
        } else {
            Err(Error::new(ErrorKind::Invalid, "no SAS: one looks like `sv=…&sp=…&sig=…`, and is no address"))
        }
    }

    /// The query that gives access.
    pub(crate) fn query(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SasToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SasToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location() -> ContainerLocation {
        ContainerLocation::parse("acme/archive/p").expect("valid")
    }

    fn at(endpoint: &str) -> Access {
        Access {
            endpoint: Some(Endpoint::parse(endpoint).expect(endpoint)),
            sas: SasToken::parse("sig=x").ok(),
            ..Access::default()
        }
    }

    #[test]
    fn the_container_is_below_the_endpoint() {
        for (access, url) in [
            (Access::default(), "https://acme.blob.core.windows.net/archive"),
            (at("https://acme.blob.core.chinacloudapi.cn"), "https://acme.blob.core.chinacloudapi.cn/archive"),
            (at("https://acme.blob.core.windows.net/"), "https://acme.blob.core.windows.net/archive"),
            (at("http://127.0.0.1:10000/acme"), "http://127.0.0.1:10000/acme/archive"),
            (at("http://127.0.0.1:10000/acme/"), "http://127.0.0.1:10000/acme/archive"),
        ] {
            assert_eq!(access.container_url(&location()).expect(url).as_str(), url);
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_and_not_repeated() {
        for text in [
            "",
            "acme",
            "ftp://acme",
            "https://",
            "https://acme/a/b",
            "https://acme?sv=1&sig=secret",
            "https://acme/a#secret",
            "https://user:secret@acme",
            "data:text/plain,secret",
        ] {
            let error = Endpoint::parse(text).expect_err(text);
            assert!(!format!("{error} {error:?}").contains("secret"), "{text}");
        }
    }

    #[test]
    fn an_endpoint_fits_to_the_archive_and_to_the_credentials() {
        assert!(Access::default().check(&location()).is_ok());
        assert!(at("http://127.0.0.1:10000/acme").check(&location()).is_ok());
        assert!(at("http://127.0.0.1:10000/other").check(&location()).is_err());
        let identity = |endpoint: &str| Access { sas: None, ..at(endpoint) };
        assert!(identity("https://127.0.0.1:10000/acme").check(&location()).is_ok());
        assert!(identity("http://127.0.0.1:10000/acme").check(&location()).is_err());
    }

    #[test]
    fn a_sas_is_read_and_never_shown() {
        for text in
            ["sv=2026-04-06&sp=c&sig=secret%2B", "?sv=2026-04-06&sp=c&sig=secret%2B", " ?sv=2026-04-06&sp=c&sig=secret%2B\n"]
        {
            let token = SasToken::parse(text).expect("valid");
            assert_eq!(token.query(), "sv=2026-04-06&sp=c&sig=secret%2B");
            let access = Access { sas: Some(token), ..Access::default() };
            assert!(!format!("{access:?}").contains("secret"), "{access:?}");
        }
        for text in [
            "",
            "secret",
            "sig=",
            "https://acme/archive?sig=secret",
            "sv=1&sig=secret value",
            "sv=1&sig=secret#a",
            "sv=1&xsig=secret",
        ] {
            let error = SasToken::parse(text).expect_err(text);
            assert!(!format!("{error} {error:?}").contains("secret"), "{text}");
        }
    }
}
