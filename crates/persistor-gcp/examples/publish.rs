//! How fast messages go through the sink for Pub/Sub: `publish ADDRESS PROJECT/TOPIC COUNT` sends COUNT messages of 1 KiB to a topic of an emulator, one by one and as many in a call as it
//! is worth, in 1, 16 and 64 calls at a time.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use persistor_gcp::{TopicEndpoint, TopicName, TopicSink};
use persistor_recover::{Outgoing, Sink as _};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [address, topic, count] = &arguments[..] else { return Err("publish ADDRESS PROJECT/TOPIC COUNT".into()) };
    let (topic, count): (_, usize) = (TopicName::parse(topic)?, count.parse()?);
    let sink = Arc::new(TopicSink::new(topic, TopicEndpoint::emulator(address)?));
    sink.check().await?;
    let message = Outgoing { payload: Bytes::from(vec![b'x'; 1024]), ..Outgoing::default() };
    for batch in [1, sink.capabilities().batch.0] {
        for concurrency in [1, 16, 64] {
            let start = Instant::now();
            let each = count / concurrency;
            let calls: Vec<_> = (0..concurrency)
                .map(|_| {
                    let (sink, message) = (sink.clone(), message.clone());
                    tokio::spawn(async move {
                        let mut left = each;
                        while left > 0 {
                            let messages = vec![message.clone(); left.min(batch)];
                            left -= messages.len();
                            for result in sink.send(&messages, false).await {
                                result?;
                            }
                        }
                        Ok::<_, persistor_core::Error>(())
                    })
                })
                .collect();
            for call in calls {
                call.await??;
            }
            let rate = (each * concurrency) as f64 / start.elapsed().as_secs_f64();
            println!("{concurrency:2} calls at a time, {batch:3} in a call: {rate:.0} messages/s");
        }
    }
    Ok(())
}
