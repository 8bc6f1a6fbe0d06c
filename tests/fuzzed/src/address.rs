//! Where archives are and where messages are sent to, as people write it.

use persistor_core::{ErrorKind, Location};

/// An address that is read is shown as one that is read as the same, and what is none is refused.
pub fn address(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Location::parse(text) {
        Ok(location) => assert_eq!(Location::parse(&location.to_string()).expect("what is shown is read"), location),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Invalid),
    }
    #[cfg(feature = "clouds")]
    in_clouds(text);
}

#[cfg(feature = "clouds")]
fn in_clouds(text: &str) {
    use persistor_azure::{BrokerLocation, ConnectionString, ContainerLocation, SasToken, ServiceBusLocation};
    use persistor_gcp::{BucketLocation, Endpoint, TopicEndpoint, TopicName};

    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    if let Ok(bucket) = BucketLocation::parse(rest) {
        assert!(!bucket.bucket().is_empty() && !bucket.bucket().contains('/'));
        assert!(bucket.prefix().is_empty() || bucket.prefix().ends_with('/') && !bucket.prefix().starts_with('/'));
    }
    if let Ok(container) = ContainerLocation::parse(rest) {
        assert!(!container.account().is_empty() && !container.container().is_empty());
        assert!(container.prefix().is_empty() || container.prefix().ends_with('/') && !container.prefix().starts_with('/'));
    }
    if let Ok(topic) = TopicName::parse(rest) {
        assert!(!topic.project().contains('/') && !topic.topic().contains('/'));
    }
    if let Ok(location) = ServiceBusLocation::parse(rest) {
        let shown = location.to_string();
        assert_eq!(
            ServiceBusLocation::parse(shown.strip_prefix("servicebus://").expect("its scheme")).expect("what is shown is read"),
            location
        );
    }
    for tls in [false, true] {
        if let Ok(location) = BrokerLocation::parse(rest, tls) {
            let shown = location.to_string();
            let behind = shown.split_once("://").expect("a scheme").1;
            assert_eq!(BrokerLocation::parse(behind, tls).expect("what is shown is read"), location);
        }
    }
    let _ = (TopicEndpoint::emulator(rest), TopicEndpoint::region(rest), Endpoint::emulator(rest));
    let _ = persistor_azure::Endpoint::parse(text);
    for secret in [
        ConnectionString::parse(text).map(|string| format!("{string:?}")),
        SasToken::parse(text).map(|token| format!("{token:?}")),
    ]
    .into_iter()
    .flatten()
    {
        assert!(secret.len() < 40, "a secret is not shown: {secret}");
    }
}
