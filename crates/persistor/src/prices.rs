//! What a replay costs by the providers' list prices: an order of magnitude, so that nobody is surprised. One region, no free tier, without what subscribers pay.

use persistor_core::Location;
use persistor_recover::figures;
use persistor_recover::replay::Itinerary;

/// Dollars for a thousand reads of blobs and for a thousand pages of a listing. Cloud Storage: class B and class A operations of Standard storage, `gcp-cloud-storage` price list, read 2026-09-20.
const CLOUD_STORAGE: (f64, f64) = (0.0004, 0.005);
/// The same of Blob Storage: hot, locally redundant, retail price list, 2026-08.
const BLOB_STORAGE: (f64, f64) = (0.0004, 0.005);
/// Dollars for a TiB that is published: Pub/Sub's price list of 2026-06-15. A request counts for 1,000 bytes at least; these are sent many at a time.
const PUBSUB_TEBIBYTE: f64 = 40.0;
/// Dollars for a million operations of Service Bus' Standard tier beyond the included ones (2025-09-29); a message is one for each 64 KiB.
const SERVICE_BUS_MILLION: f64 = 0.80;

const PAGE: u64 = 1000;

/// By the sink and the archive; none where neither has a price.
pub(crate) fn dollars(from: Option<&Location>, to: &str, itinerary: &Itinerary) -> Option<f64> {
    let total = itinerary.total;
    let reading = match from {
        Some(Location::Url { scheme, .. }) if scheme == "gs" => Some(CLOUD_STORAGE),
        Some(Location::Url { scheme, .. }) if scheme == "az" => Some(BLOB_STORAGE),
        _ => None,
    };
    let reading =
        reading.map(|(read, page)| (total.messages as f64 * read + total.messages.div_ceil(PAGE) as f64 * page) / 1000.0);
    let sending = if to.starts_with("pubsub://") {
        Some(total.bytes as f64 / f64::from(1_u32 << 20) / f64::from(1_u32 << 20) * PUBSUB_TEBIBYTE)
    } else if to.starts_with("servicebus://") {
        let operations = total.messages.max(total.bytes / (64 << 10));
        Some(operations as f64 / 1e6 * SERVICE_BUS_MILLION)
    } else {
        None
    };
    (reading.is_some() || sending.is_some()).then(|| reading.unwrap_or(0.0) + sending.unwrap_or(0.0))
}

/// For people.
pub(crate) fn text(from: Option<&Location>, to: &str, itinerary: &Itinerary) -> String {
    match dollars(from, to, itinerary) {
        None => "none that Persistor knows of".to_owned(),
        Some(dollars) => {
            let amount = if dollars < 0.01 { "less than $0.01".to_owned() } else { format!("about ${dollars:.2}") };
            let reads = itinerary.total.messages;
            let pages = reads.div_ceil(PAGE);
            let pages = if pages <= 1 { "a page".to_owned() } else { format!("{} pages", figures::count(pages)) };
            let reading = match from {
                Some(Location::Url { .. }) => format!("{} reads, {pages} in listings, and sending", figures::count(reads)),
                _ => "sending alone".to_owned(),
            };
            format!("{amount} by list prices of 2026: {reading}; what subscribers pay is not in it")
        }
    }
}

#[cfg(test)]
mod tests {
    use persistor_recover::replay::Amount;

    use super::*;

    #[test]
    fn a_million_messages_of_a_kilobyte_cost_half_a_dollar() {
        let mut itinerary = Itinerary::default();
        itinerary.total = Amount { messages: 1_000_000, bytes: 1_000_000_000 };
        let from = |text: &str| Location::parse(text).expect("a location");
        let price = |text, to| dollars(Some(&from(text)), to, &itinerary);
        // A listing of 0.005, reads of 0.40, and 0.036 to publish.
        let pubsub = price("gs://bucket/p", "pubsub://p/t").expect("a price");
        assert!((pubsub - 0.441).abs() < 0.002, "{pubsub}");
        let service_bus = price("az://account/container", "servicebus://n/q").expect("a price");
        assert!((service_bus - 1.205).abs() < 0.002, "{service_bus}");
        assert_eq!(price("./archive", "http://127.0.0.1/"), None);
    }
}
