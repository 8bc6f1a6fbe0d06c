//! Identities: where their tokens come from, and the official client's credentials for them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, RetryOptions, Transport};
use azure_identity::{
    AzureCliCredential, ClientAssertionCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use persistor_core::{Error, ErrorKind, Result};

use crate::cause::{root, without_addresses};

/// Behind it a host is not there, or does not answer: another attempt may reach another one.
const CONNECT: Duration = Duration::from_secs(5);

/// Where an identity's tokens come from, named as the Azure SDKs' `AZURE_TOKEN_CREDENTIALS` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialKind {
    /// `ManagedIdentityCredential`: the identity of an App Service, a function app, a container app or a virtual machine.
    ManagedIdentity,
    /// `WorkloadIdentityCredential`: that of a Kubernetes service account.
    WorkloadIdentity,
    /// `AzureCliCredential`: that of a person, after `az login`.
    AzureCli,
}

impl CredentialKind {
    /// Reads the name of a credential.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] with the names there are.
    pub fn parse(text: &str) -> Result<Self> {
        let all = [Self::ManagedIdentity, Self::WorkloadIdentity, Self::AzureCli];
        all.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(text)).ok_or_else(|| {
            let [managed, workload, cli] = all.map(Self::name);
            Error::new(ErrorKind::Invalid, format!("`{text}` is no credential: one is `{managed}`, `{workload}` or `{cli}`"))
        })
    }

    /// That of the platform; `is_set` says which environment variables there are.
    pub(crate) fn of_platform(is_set: impl Fn(&str) -> bool) -> Self {
        if is_set("AZURE_FEDERATED_TOKEN_FILE") {
            Self::WorkloadIdentity
        } else if is_set("IDENTITY_ENDPOINT") {
            Self::ManagedIdentity
        } else {
            Self::AzureCli
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::ManagedIdentity => "ManagedIdentityCredential",
            Self::WorkloadIdentity => "WorkloadIdentityCredential",
            Self::AzureCli => "AzureCliCredential",
        }
    }
}

impl fmt::Display for CredentialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the official clients ask: over one HTTP client without retries and redirects.
pub(crate) fn client_options() -> Result<ClientOptions> {
    // The client wants a provider even where nothing is encrypted. Another part of the program may have chosen one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| Error::new(ErrorKind::Unavailable, "make an HTTP client").with_source(root(&error)))?;
    Ok(ClientOptions {
        // Its own retries have no limit for an attempt, and outlive the lock on a message.
        retry: RetryOptions::none(),
        transport: Some(Transport::new(Arc::new(http))),
        ..ClientOptions::default()
    })
}

/// The official client's credential of that kind, or of the platform's; `client_id` names a user-assigned identity. Nothing is asked for yet.
pub(crate) fn credential(
    kind: Option<CredentialKind>,
    client_id: Option<String>,
    client_options: ClientOptions,
) -> Result<Arc<dyn TokenCredential>> {
    let kind = kind.unwrap_or_else(|| CredentialKind::of_platform(|name| std::env::var_os(name).is_some()));
    let made: azure_core::Result<Arc<dyn TokenCredential>> = match kind {
        CredentialKind::ManagedIdentity => {
            let user_assigned_id = client_id.map(UserAssignedId::ClientId);
            let options = ManagedIdentityCredentialOptions { user_assigned_id, client_options };
            ManagedIdentityCredential::new(Some(options)).map(|credential| credential as _)
        }
        CredentialKind::WorkloadIdentity => {
            let credential_options = ClientAssertionCredentialOptions { client_options };
            let options = WorkloadIdentityCredentialOptions {
                credential_options,
                client_id,
                ..WorkloadIdentityCredentialOptions::default()
            };
            WorkloadIdentityCredential::new(Some(options)).map(|credential| credential as _)
        }
        CredentialKind::AzureCli => AzureCliCredential::new(None).map(|credential| credential as _),
    };
    made.map_err(|error| {
        Error::new(ErrorKind::Denied, format!("make credentials: {kind}")).with_source(without_addresses(&error.to_string()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_has_the_name_that_azure_gives_it() {
        for kind in [CredentialKind::ManagedIdentity, CredentialKind::WorkloadIdentity, CredentialKind::AzureCli] {
            assert_eq!(CredentialKind::parse(&kind.to_string()).ok(), Some(kind));
            assert_eq!(CredentialKind::parse(&kind.to_string().to_lowercase()).ok(), Some(kind));
        }
        for text in ["", "dev", "ManagedIdentity", "EnvironmentCredential"] {
            assert!(CredentialKind::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_platform_says_which_credential_it_has() {
        for (set, kind) in [
            (&["AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT"][..], CredentialKind::WorkloadIdentity),
            (&["AZURE_FEDERATED_TOKEN_FILE"], CredentialKind::WorkloadIdentity),
            (&["IDENTITY_ENDPOINT", "AZURE_CLIENT_ID"], CredentialKind::ManagedIdentity),
            (&[], CredentialKind::AzureCli),
        ] {
            assert_eq!(CredentialKind::of_platform(|name| set.contains(&name)), kind, "{set:?}");
        }
    }
}
