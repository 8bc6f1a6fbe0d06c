//! What a stored message costs in CPU time, in this process: `cost ADDRESS COUNT` stores COUNT messages of 1 KiB into the bucket `archive` of an emulator, and does so in four ways, in turn:
//! by a bare hyper connection that sends prepared bytes, by reqwest, by the official client alone, and by our store. The rounds alternate, so that noise meets all four.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use google_cloud_auth::credentials::anonymous;
use google_cloud_storage::client::Storage;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use persistor_core::{Key, Metadata, PublishTime, Writer as _};
use persistor_gcp::{BucketLocation, BucketStore, Endpoint};
use tokio::net::TcpStream;

const ROUNDS: usize = 5;
const BOUNDARY: &str = "b-3fae9a1d6c0b4f7e9d5a2c8e7f104b36-end";
const TIME: &str = "2026-11-22T05:40:12.503Z";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(count)) = (arguments.next(), arguments.next()) else { return Err("cost ADDRESS COUNT".into()) };
    let count: usize = count.parse()?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ways = Ways {
        hyper: connect(&address).await?,
        reqwest: reqwest::Client::new(),
        storage: Storage::builder()
            .with_endpoint(format!("http://{address}"))
            .with_credentials(anonymous::Builder::new().build())
            .build()
            .await?,
        store: BucketStore::new(BucketLocation::parse("archive")?, Endpoint::emulator(&address)?, Duration::from_secs(8)),
        payload: Bytes::from(vec![b'x'; 1024]),
        metadata: Metadata::from([("record".to_owned(), "r".repeat(420))]),
        time: PublishTime::parse(TIME)?,
        address,
    };
    ways.run(count).await
}

struct Ways {
    address: String,
    hyper: SendRequest<Full<Bytes>>,
    reqwest: reqwest::Client,
    storage: Storage,
    store: BucketStore,
    payload: Bytes,
    metadata: Metadata,
    time: PublishTime,
}

impl Ways {
    async fn run(mut self, count: usize) -> Result<()> {
        let names = ["bare hyper", "reqwest", "official client", "our store"];
        let mut costs = [[0.0; ROUNDS]; 4];
        for round in 0..=ROUNDS {
            for (way, name) in names.iter().enumerate() {
                let before = cpu_time()?;
                for message in 0..count {
                    let key = format!(
                        "{}/2026/11/22/05/4012-{round}{message:08}-2cf24dba5fb0a30e26e83b2ac5b9e29e",
                        name.replace(' ', "-")
                    );
                    match way {
                        0 => self.bare(&key).await?,
                        1 => self.with_reqwest(&key).await?,
                        2 => self.with_official(&key).await?,
                        _ => drop(
                            self.store
                                .create(&Key::parse(key)?, std::slice::from_ref(&self.payload), &self.metadata, Some(&self.time))
                                .await?,
                        ),
                    }
                }
                // The first round warms up.
                if round > 0 {
                    costs[way][round - 1] = (cpu_time()? - before).as_secs_f64() * 1e6 / count as f64;
                }
            }
        }
        let medians = costs.map(|mut rounds| {
            rounds.sort_by(f64::total_cmp);
            rounds[ROUNDS / 2]
        });
        for (name, median) in names.iter().zip(medians) {
            println!("{name:16} {median:6.1} µs of CPU a message, {:.2} times the first", median / medians[0]);
        }
        Ok(())
    }

    /// The body that the official client sends, built by hand.
    fn body(&self, key: &str) -> Bytes {
        let record = &self.metadata["record"];
        let crc32c = "63NV2Q==";
        let json = format!(
            "{{\"bucket\":\"archive\",\"contentType\":\"application/octet-stream\",\"crc32c\":\"{crc32c}\",\"customTime\":\"{TIME}\",\"metadata\":{{\"record\":\"{record}\"}},\"name\":\"{key}\"}}"
        );
        let mut body =
            format!("--{BOUNDARY}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{json}\r\n--{BOUNDARY}\r\n\r\n")
                .into_bytes();
        body.extend_from_slice(&self.payload);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        body.into()
    }

    fn path(key: &str) -> String {
        format!("/upload/storage/v1/b/archive/o?uploadType=multipart&name={}&ifGenerationMatch=0", key.replace('/', "%2F"))
    }

    async fn bare(&mut self, key: &str) -> Result<()> {
        let request = Request::post(Self::path(key))
            .header("host", &self.address)
            .header("content-type", format!("multipart/related; boundary={BOUNDARY}"))
            .body(Full::new(self.body(key)))?;
        self.hyper.ready().await?;
        let response = self.hyper.send_request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        if status == 200 { Ok(()) } else { Err(format!("answered {status}").into()) }
    }

    async fn with_reqwest(&self, key: &str) -> Result<()> {
        let request = self.reqwest.post(format!("http://{}{}", self.address, Self::path(key)));
        let request = request.header("content-type", format!("multipart/related; boundary={BOUNDARY}")).body(self.body(key));
        request.send().await?.error_for_status()?.bytes().await?;
        Ok(())
    }

    async fn with_official(&self, key: &str) -> Result<()> {
        let write = self.storage.write_object("projects/_/buckets/archive", key, self.payload.clone()).set_if_generation_match(0);
        write.set_content_type("application/octet-stream").set_metadata(&self.metadata).send_buffered().await?;
        Ok(())
    }
}

async fn connect(address: &str) -> Result<SendRequest<Full<Bytes>>> {
    let (sender, connection) = handshake(TokioIo::new(TcpStream::connect(address).await?)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// What the threads of this process have used so far, by the kernel's own account (Linux).
fn cpu_time() -> Result<Duration> {
    let mut nanoseconds = 0;
    for thread in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        nanoseconds += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}
